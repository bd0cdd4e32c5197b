/* MaxStartups by numbers. */
#include "server/admission.h"
#include "tests/unit.h"

static unsigned admitted(const struct admission_limits *limits, unsigned waiting)
{
    unsigned n = 0;
    for (unsigned r = 0; r < 100; r++)
        n += admission_may_start(limits, waiting, r) ? 1 : 0;
    return n;
}

static void the_default_drops_30_percent_from_10_on_and_all_at_100(void **state UNUSED)
{
    const struct admission_limits limits = {10, 30, 100};
    assert_int_equal(admitted(&limits, 0), 100);
    assert_int_equal(admitted(&limits, 9), 100);
    assert_int_equal(admitted(&limits, 10), 70);
    assert_int_equal(admitted(&limits, 55), 35);
    assert_int_equal(admitted(&limits, 100), 0);
    assert_int_equal(admitted(&limits, 4000000000u), 0);
}

static void the_chance_never_rises_with_the_crowd(void **state UNUSED)
{
    const struct admission_limits limits = {3, 1, 977};
    unsigned before = 100;
    for (unsigned waiting = 0; waiting < 1000; waiting++) {
        unsigned now = admitted(&limits, waiting);
        assert_true(now <= before);
        before = now;
    }
    assert_int_equal(before, 0);
}

static void one_number_is_a_hard_limit(void **state UNUSED)
{
    /* "MaxStartups 5" is 5:100:5. */
    const struct admission_limits limits = {5, 100, 5};
    assert_int_equal(admitted(&limits, 4), 100);
    assert_int_equal(admitted(&limits, 5), 0);
    const struct admission_limits all = {2, 100, 50};
    assert_int_equal(admitted(&all, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_drops_30_percent_from_10_on_and_all_at_100),
        cmocka_unit_test(the_chance_never_rises_with_the_crowd),
        cmocka_unit_test(one_number_is_a_hard_limit),
    };
    return RUN_TESTS(tests);
}
