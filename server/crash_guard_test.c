/* Three crashes in a minute, and what they change. */
#include "server/crash_guard.h"
#include "tests/unit.h"

static void three_crashes_within_a_minute_keep_an_account_apart(void **state UNUSED)
{
    struct crash_guard g = {0};
    assert_false(crash_guard_add(&g, 7, 1000));
    assert_false(crash_guard_add(&g, 7, 2000));
    assert_false(crash_guard_is_apart(&g, 7, 2000));
    assert_true(crash_guard_add(&g, 7, 61000));
    assert_true(crash_guard_is_apart(&g, 7, 61000));
    assert_false(crash_guard_is_apart(&g, 8, 61000));
    assert_true(crash_guard_is_apart(&g, 7, 61000 + CRASH_GUARD_APART_MS - 1));
    assert_false(crash_guard_is_apart(&g, 7, 61000 + CRASH_GUARD_APART_MS));
}

static void crashes_far_from_each_other_are_forgiven(void **state UNUSED)
{
    struct crash_guard g = {0};
    for (uint64_t now = 1000; now < 2000000; now += 31000)
        assert_false(crash_guard_add(&g, 7, now));
}

static void many_accounts_push_out_the_oldest_alone(void **state UNUSED)
{
    struct crash_guard g = {0};
    for (uint32_t uid = 1; uid <= CRASH_GUARD_ACCOUNTS; uid++)
        assert_false(crash_guard_add(&g, uid, uid));
    assert_false(crash_guard_add(&g, 2, 100)); /* 1 is the oldest now */
    assert_false(crash_guard_add(&g, 1000, 101));
    assert_true(crash_guard_add(&g, 2, 102)); /* its crashes were kept */
    assert_false(crash_guard_add(&g, 1, 103));
    assert_false(crash_guard_add(&g, 1, 104)); /* these two are all that is known of it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_crashes_within_a_minute_keep_an_account_apart),
        cmocka_unit_test(crashes_far_from_each_other_are_forgiven),
        cmocka_unit_test(many_accounts_push_out_the_oldest_alone),
    };
    return RUN_TESTS(tests);
}
