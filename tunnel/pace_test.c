/* What may lie unsent follows the rate, and only what a full socket says about it. */
#include "tests/unit.h"
#include "tunnel/pace.h"

/* Writes `each` bytes every ms for a second; how often the mark moved. */
static unsigned run(struct pace *p, size_t each, uint64_t *now, bool is_full)
{
    unsigned changes = 0;
    for (int i = 0; i < 1000; i++)
        changes += pace_wrote(p, each, is_full, ++*now);
    return changes;
}

static void follows_the_rate(void **state)
{
    struct pace p;
    uint64_t now = 5;
    (void)state;
    pace_init(&p);
    assert_int_equal(p.lowat, PACE_LOWAT_FIRST);
    assert_int_equal(run(&p, 20000, &now, true), 1); /* 20 MB/s */
    assert_in_range(p.lowat, 40000, 48000);
    assert_int_equal(run(&p, 1000, &now, true), 0); /* not below the least */
    assert_in_range(p.lowat, PACE_LOWAT_MIN, 48000);
    assert_int_equal(run(&p, 400000, &now, true), 1);
    assert_in_range(p.lowat, 700000, 800000);
    run(&p, 5000000, &now, true);
    assert_true(p.lowat <= PACE_LOWAT_MAX);
}

static void says_nothing_of_a_source_that_is_slow(void **state)
{
    struct pace p;
    uint64_t now = 5;
    (void)state;
    pace_init(&p);
    assert_int_equal(run(&p, 1000, &now, false), 0);
    assert_false(pace_wrote(&p, 1000, true, ++now));
    pace_idle(&p);
    assert_false(pace_wrote(&p, 1000, true, now + 1000));
    assert_int_equal(p.lowat, PACE_LOWAT_FIRST);
}

static void stands_a_clock_that_stands_still(void **state)
{
    struct pace p;
    (void)state;
    pace_init(&p);
    for (int i = 0; i < 1000; i++)
        assert_false(pace_wrote(&p, 100000, true, 7));
    assert_true(pace_wrote(&p, 100000, true, 27));
    assert_int_equal(p.lowat, PACE_LOWAT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_rate),
        cmocka_unit_test(says_nothing_of_a_source_that_is_slow),
        cmocka_unit_test(stands_a_clock_that_stands_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
