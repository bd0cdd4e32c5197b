/* MaxStartups and PerSourceMaxStartups by numbers. */
#include <stdio.h>

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

static const struct net_block_size whole = {32, 128};
static const uint64_t seed[2] = {1, 2};

static void a_source_is_held_to_its_share(void **state UNUSED)
{
    struct admission *a = admission_new(seed);
    struct source one = source_of("192.0.2.1", whole), other = source_of("192.0.2.2", whole);
    struct source unknown = source_of("UNKNOWN", whole);
    assert_true(admission_source_may_start(a, &one, 2));
    assert_false(admission_source_may_start(a, &one, 0));
    for (unsigned i = 0; i < 2; i++) {
        admission_enter(a, &one);
        admission_enter(a, &unknown);
    }
    assert_false(admission_source_may_start(a, &one, 2));
    assert_true(admission_source_may_start(a, &other, 2));
    assert_true(admission_source_may_start(a, &unknown, 0));
    admission_leave(a, &one);
    assert_true(admission_source_may_start(a, &one, 2));
    admission_leave(a, &one);
    assert_true(admission_source_may_start(a, &one, 1));
    admission_free(a);
    admission_free(NULL);
}

static void the_greatest_crowd_gives_way_until_all_have_as_much(void **state UNUSED)
{
    struct admission *a = admission_new(seed);
    struct source crowd = source_of("192.0.2.1", whole), few = source_of("192.0.2.2", whole);
    struct source unknown = source_of("UNKNOWN", whole), found;
    assert_false(admission_gives_way(a, &few, &found));
    for (int i = 0; i < 9; i++)
        admission_enter(a, &unknown);
    admission_enter(a, &crowd);
    assert_false(admission_gives_way(a, &few, &found)); /* one each is fair */
    for (int i = 0; i < 3; i++)
        admission_enter(a, &crowd);
    for (int i = 0; i < 2; i++) { /* 4:0, 3:1, 2:2 */
        assert_true(admission_gives_way(a, &few, &found));
        assert_memory_equal(&found, &crowd, sizeof(found));
        admission_leave(a, &crowd);
        admission_enter(a, &few);
    }
    assert_false(admission_gives_way(a, &few, &found));
    assert_false(admission_gives_way(a, &crowd, &found));
    assert_false(admission_gives_way(a, &unknown, &found));
    admission_free(a);
}

/* Against a plain array: ten thousand sources come and go. */
static void counts_stay_right_however_sources_come_and_go(void **state UNUSED)
{
    enum { SOURCES = 300 };
    struct admission *a = admission_new(seed);
    unsigned counts[SOURCES] = {0};
    uint32_t random = 1;
    for (unsigned round = 0; round < 20000; round++) {
        char address[64];
        random = random * 1664525u + 1013904223u;
        unsigned i = (random >> 16) % SOURCES;
        snprintf(address, sizeof(address), i % 2 ? "10.0.0.%u" : "2001:db8::%x", i / 2);
        struct source s = source_of(address, whole);
        if (counts[i] == 0 || (random >> 8) % 2) {
            admission_enter(a, &s);
            counts[i]++;
        } else {
            admission_leave(a, &s);
            counts[i]--;
        }
        assert_true(admission_source_may_start(a, &s, counts[i] + 1));
        assert_false(admission_source_may_start(a, &s, counts[i]));
    }
    admission_free(a);
}

static void addresses_are_cut_to_their_block(void **state UNUSED)
{
    static const struct {
        const char *a, *b;
        struct net_block_size block;
        bool is_one;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", {32, 128}, true},
        {"192.0.2.1", "192.0.2.2", {32, 128}, false},
        {"192.0.2.1", "192.0.2.2", {24, 128}, true},
        {"192.0.2.1", "192.0.3.1", {24, 128}, false},
        {"192.0.2.1", "192.0.3.1", {23, 128}, true},
        {"192.0.2.1", "203.0.113.1", {0, 128}, true},
        {"192.0.2.1", "::ffff:192.0.2.1", {32, 0}, true},
        {"2001:db8::1", "2001:db8::2", {32, 128}, false},
        {"2001:db8::1", "2001:db8::2", {32, 64}, true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", {32, 64}, false},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", {32, 48}, true},
        {"fe80::1%eth0", "fe80::1%eth1", {32, 128}, true},
        {"::", "0.0.0.0", {0, 0}, false},
        {"UNKNOWN", "x", {32, 128}, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct source a = source_of(rows[i].a, rows[i].block);
        struct source b = source_of(rows[i].b, rows[i].block);
        if ((memcmp(&a, &b, sizeof(a)) == 0) != rows[i].is_one)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_drops_30_percent_from_10_on_and_all_at_100),
        cmocka_unit_test(the_chance_never_rises_with_the_crowd),
        cmocka_unit_test(one_number_is_a_hard_limit),
        cmocka_unit_test(a_source_is_held_to_its_share),
        cmocka_unit_test(the_greatest_crowd_gives_way_until_all_have_as_much),
        cmocka_unit_test(counts_stay_right_however_sources_come_and_go),
        cmocka_unit_test(addresses_are_cut_to_their_block),
    };
    return RUN_TESTS(tests);
}
