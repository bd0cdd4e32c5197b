/* The choice of a link for one more channel. */
#include "tests/unit.h"
#include "tunnel/forward.h"

#define GONE UINT32_MAX

static void the_fewest_channels_win(void **state)
{
    (void)state;
    assert_int_equal(forward_choose((const uint32_t[]){4}, 1, 0), 0);
    assert_int_equal(forward_choose((const uint32_t[]){4, 3, 5}, 3, 0), 1);
    assert_int_equal(forward_choose((const uint32_t[]){4, 3, 2}, 3, 2), 2);
    assert_int_equal(forward_choose((const uint32_t[]){1, 3, 2}, 3, 0), 0);
}

static void of_several_it_is_the_next_one(void **state)
{
    (void)state;
    assert_int_equal(forward_choose((const uint32_t[]){0, 0, 0}, 3, 0), 1);
    assert_int_equal(forward_choose((const uint32_t[]){0, 0, 0}, 3, 1), 2);
    assert_int_equal(forward_choose((const uint32_t[]){0, 0, 0}, 3, 2), 0);
    assert_int_equal(forward_choose((const uint32_t[]){2, 7, 2}, 3, 2), 0);
    assert_int_equal(forward_choose((const uint32_t[]){2, 7, 2}, 3, 0), 2);
}

static void what_is_gone_is_not_chosen(void **state)
{
    (void)state;
    assert_int_equal(forward_choose((const uint32_t[]){9, GONE, GONE}, 3, 0), 0);
    assert_int_equal(forward_choose((const uint32_t[]){GONE, GONE, 9}, 3, 2), 2);
}

/* Each channel stays where it is, so the loads after many are even, however they began. */
static void many_spread_evenly(void **state)
{
    uint32_t loads[FORWARD_LINKS_MAX] = {5, 0, 2};
    size_t last = 0;
    (void)state;
    for (size_t i = 0; i < 16 * 10 - 7; i++) {
        last = forward_choose(loads, FORWARD_LINKS_MAX, last);
        loads[last]++;
    }
    for (size_t i = 0; i < FORWARD_LINKS_MAX; i++)
        assert_int_equal(loads[i], 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fewest_channels_win),
        cmocka_unit_test(of_several_it_is_the_next_one),
        cmocka_unit_test(what_is_gone_is_not_chosen),
        cmocka_unit_test(many_spread_evenly),
    };
    return RUN_TESTS(tests);
}
