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

/*
 * A path that carries `carries` bytes a second and has a least round trip of 20 ms: what is sent
 * beyond it stands in a queue. A socket that is not limited fills the queue by 15 ms, as TCP does.
 */
struct path {
    struct pace pace;
    uint64_t now_ms, carries, queued;
    uint64_t others_us; /* queue that others make */
};

static uint64_t sent_by(const struct path *p)
{
    uint64_t standing = p->carries * 15 / 1000;
    if (p->pace.limit)
        return MIN(p->pace.limit / 1000, p->carries / 500);
    return p->carries / 1000 + standing - MIN(standing, p->queued);
}

static void run_path(struct path *p, unsigned ms, bool has_company)
{
    while (ms--) {
        uint64_t sent = sent_by(p);
        p->now_ms++;
        if (has_company && p->now_ms % 50 == 0)
            pace_company(&p->pace, p->now_ms);
        p->queued = p->queued + sent - MIN(p->queued + sent, p->carries / 1000);
        (void)!pace_wrote(&p->pace, sent, true, p->now_ms);
        uint64_t queue_us = p->queued * 1000 / (p->carries / 1000) + p->others_us;
        struct pace_path path = {20000 + queue_us, 20000, MIN(sent * 1000, p->carries)};
        if (pace_should_look(&p->pace, p->now_ms))
            (void)!pace_looked(&p->pace, &path, p->now_ms);
    }
}

static void path_init(struct path *p)
{
    *p = (struct path){.now_ms = 1, .carries = 20 * 1000 * 1000};
    pace_init(&p->pace);
}

static void keeps_the_queue_short_while_there_is_company(void **state)
{
    struct path p;
    (void)state;
    path_init(&p);
    run_path(&p, 500, false);
    assert_int_equal(p.pace.limit, 0);
    assert_true(p.queued > p.carries * 14 / 1000);
    run_path(&p, 2000, true);
    uint64_t longest = 0, sent = 0;
    for (int i = 0; i < 2000; i++) {
        run_path(&p, 1, true);
        longest = MAX(longest, p.queued);
        sent += p.pace.limit / 1000;
    }
    assert_true(longest < p.carries * 8 / 1000);
    assert_true(sent > p.carries * 2 / 100 * 90); /* at nine tenths of what it carries, at least */
    run_path(&p, 2500, false);
    assert_int_equal(p.pace.limit, 0);
}

static void finds_a_path_that_became_faster(void **state)
{
    struct path p;
    (void)state;
    path_init(&p);
    run_path(&p, 2000, true);
    p.carries *= 3;
    run_path(&p, 3000, true);
    assert_true(p.pace.limit == 0 || p.pace.limit > p.carries / 10 * 9);
}

static void does_not_starve_beside_others_who_fill_the_queue(void **state)
{
    struct path p;
    (void)state;
    path_init(&p);
    run_path(&p, 500, true);
    p.others_us = 50000;
    run_path(&p, 3000, true);
    assert_int_equal(p.pace.limit, 0);
    run_path(&p, 20000, true);
    assert_int_equal(p.pace.limit, 0);
    p.others_us = 0;
    run_path(&p, 20000, true);
    assert_true(p.pace.limit > 0); /* tried again */
}

static void leaves_a_fast_path_alone(void **state)
{
    struct path p;
    (void)state;
    path_init(&p);
    p.carries = 1000 * 1000 * 1000;
    run_path(&p, 2000, true);
    assert_int_equal(p.pace.limit, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_rate),
        cmocka_unit_test(says_nothing_of_a_source_that_is_slow),
        cmocka_unit_test(stands_a_clock_that_stands_still),
        cmocka_unit_test(keeps_the_queue_short_while_there_is_company),
        cmocka_unit_test(finds_a_path_that_became_faster),
        cmocka_unit_test(does_not_starve_beside_others_who_fill_the_queue),
        cmocka_unit_test(leaves_a_fast_path_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
