/* Window arithmetic at its edges. */
#include "conn/window.h"
#include "tests/unit.h"

static void the_window_is_what_was_granted(void **state)
{
    (void)state;
    struct recv_window w;
    window_init(&w, 100);
    assert_ok(window_received(&w, 60));
    assert_int_equal(window_received(&w, 41), ERR_LIMIT);
    assert_ok(window_received(&w, 40));
    assert_ok(window_received(&w, 0));
    assert_int_equal(window_received(&w, 1), ERR_LIMIT);
    assert_int_equal(window_received(&w, (size_t)1 << 32), ERR_LIMIT);
}

static void credit_is_due_from_an_eighth_on(void **state)
{
    (void)state;
    struct recv_window w;
    window_init(&w, 80);
    assert_ok(window_received(&w, 80));
    assert_false(window_consumed(&w, 9));
    assert_true(window_consumed(&w, 1));
    assert_int_equal(window_take_credit(&w), 10);
    assert_int_equal(window_take_credit(&w), 0);
    assert_ok(window_received(&w, 10));
    assert_int_equal(window_received(&w, 1), ERR_LIMIT);
}

static void the_smallest_window_is_credited_byte_by_byte(void **state)
{
    (void)state;
    struct recv_window w;
    window_init(&w, 1);
    for (int i = 0; i < 10; i++) {
        assert_ok(window_received(&w, 1));
        assert_true(window_consumed(&w, 1));
        assert_int_equal(window_take_credit(&w), 1);
    }
}

static void the_largest_window_does_not_wrap(void **state)
{
    (void)state;
    struct recv_window w;
    uint32_t send = UINT32_MAX - 5;
    window_init(&w, UINT32_MAX);
    assert_ok(window_received(&w, UINT32_MAX));
    assert_true(window_consumed(&w, UINT32_MAX));
    assert_int_equal(window_take_credit(&w), UINT32_MAX);
    assert_int_equal(window_adjusted(&send, 6), ERR_LIMIT);
    assert_int_equal(send, UINT32_MAX - 5);
    assert_ok(window_adjusted(&send, 5));
    assert_int_equal(window_adjusted(&send, UINT32_MAX), ERR_LIMIT);
    assert_ok(window_adjusted(&send, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_is_what_was_granted),
        cmocka_unit_test(credit_is_due_from_an_eighth_on),
        cmocka_unit_test(the_smallest_window_is_credited_byte_by_byte),
        cmocka_unit_test(the_largest_window_does_not_wrap),
    };
    return RUN_TESTS(tests);
}
