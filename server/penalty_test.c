/* Penalties by a clock of our own: what adds up, what ends, and that memory is bounded. */
#include <stdio.h>

#include "server/penalty.h"
#include "tests/unit.h"

static const uint64_t seed[2] = {3, 4};

/* Options with these lines of PerSourcePenalties and others; the caller frees the table. */
static struct penalty_table *table(struct server_options *o, const char *penalties,
                                   const char *exempt, const char *block)
{
    const char *const lines[][2] = {{"PerSourcePenalties", penalties},
                                    {"PerSourcePenaltyExemptList", exempt},
                                    {"PerSourceNetBlockSize", block}};
    struct report report;
    report_init(&report);
    server_options_init(o);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        const struct option_row *row = option_find(OPTION_SERVER, lines[i][0]);
        if (lines[i][1])
            assert_ok(option_parse_text(&o->state, OPTION_SERVER, row, lines[i][1], NULL, &report));
    }
    option_set_defaults(&o->state);
    report_done(&report);
    return penalty_table_new(o, seed);
}

static void done(struct penalty_table *t, struct server_options *o)
{
    penalty_table_free(t);
    server_options_done(o);
}

#define S 1000u

static void the_defaults_forgive_two_failures_and_refuse_after_three(void **state UNUSED)
{
    struct server_options o;
    struct penalty_table *t = table(&o, NULL, NULL, NULL);
    const char *why;
    uint64_t left;
    assert_int_equal(penalty_add(t, "192.0.2.1", PENALTY_AUTHFAIL, 0, &left), PENALTY_NOTED);
    assert_int_equal(left, 5 * S);
    assert_int_equal(penalty_add(t, "192.0.2.1", PENALTY_AUTHFAIL, 0, NULL), PENALTY_NOTED);
    assert_false(penalty_is_refused(t, "192.0.2.1", 0, &why));
    assert_null(why);
    assert_int_equal(penalty_add(t, "192.0.2.1", PENALTY_AUTHFAIL, 0, &left), PENALTY_BEGINS);
    assert_int_equal(left, 15 * S);
    assert_true(penalty_is_refused(t, "192.0.2.1", 0, &why));
    assert_string_equal(why, "failed authentication");
    assert_true(penalty_is_refused(t, "::ffff:192.0.2.1", 0, NULL));
    assert_false(penalty_is_refused(t, "192.0.2.2", 0, NULL));
    /* To its end, not to where it falls below min again. */
    assert_true(penalty_is_refused(t, "192.0.2.1", 14999, NULL));
    assert_false(penalty_is_refused(t, "192.0.2.1", 15 * S, NULL));
    assert_int_equal(penalty_count(t), 0);
    assert_int_equal(penalty_add(t, "192.0.2.1", PENALTY_AUTHFAIL, 16 * S, NULL), PENALTY_NOTED);
    done(t, &o);
}

static void each_kind_has_its_time(void **state UNUSED)
{
    static const unsigned seconds[PENALTY_KINDS] = {
        [PENALTY_CRASH] = 90,       [PENALTY_AUTHFAIL] = 5,        [PENALTY_NOAUTH] = 1,
        [PENALTY_INVALID_USER] = 5, [PENALTY_GRACE_EXCEEDED] = 10, [PENALTY_REFUSE_CONNECTION] = 10,
    };
    for (size_t kind = 0; kind < PENALTY_KINDS; kind++) {
        struct server_options o;
        struct penalty_table *t = table(&o, NULL, NULL, NULL);
        uint64_t left;
        (void)penalty_add(t, "::1", (enum penalty_kind)kind, 7, &left);
        assert_int_equal(left, seconds[kind] * S);
        assert_non_null(penalty_kind_name((enum penalty_kind)kind));
        done(t, &o);
    }
}

static void penalties_add_up_to_max_and_time_takes_them_off(void **state UNUSED)
{
    struct server_options o;
    struct penalty_table *t = table(&o, "authfail:300s min:350s max:900s noauth:0", NULL, NULL);
    uint64_t left;
    assert_int_equal(penalty_add(t, "::1", PENALTY_AUTHFAIL, 0, &left), PENALTY_NOTED);
    assert_false(penalty_is_refused(t, "::1", 0, NULL));
    assert_int_equal(penalty_add(t, "::1", PENALTY_AUTHFAIL, 100 * S, &left), PENALTY_BEGINS);
    assert_int_equal(left, 500 * S);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(penalty_add(t, "::1", PENALTY_AUTHFAIL, 100 * S, &left), PENALTY_PROLONGS);
    assert_int_equal(left, 900 * S);
    assert_true(penalty_is_refused(t, "::1", 999 * S, NULL));
    assert_false(penalty_is_refused(t, "::1", 1000 * S, NULL));
    assert_int_equal(penalty_add(t, "::1", PENALTY_NOAUTH, 1000 * S, &left), PENALTY_NOTHING);
    assert_int_equal(left, 0);
    done(t, &o);
}

static void the_exempt_and_the_unknown_are_never_refused(void **state UNUSED)
{
    static const char *const addresses[] = {"10.1.2.3", "fd00::1", "UNKNOWN"};
    struct server_options o;
    struct penalty_table *t = table(&o, "crash:1h", "10.0.0.0/8,!10.9.0.0/16,fd00::/8", NULL);
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        assert_int_equal(penalty_add(t, addresses[i], PENALTY_CRASH, 0, NULL), PENALTY_NOTHING);
        assert_false(penalty_is_refused(t, addresses[i], 0, NULL));
    }
    assert_int_equal(penalty_add(t, "10.9.0.1", PENALTY_CRASH, 0, NULL), PENALTY_BEGINS);
    done(t, &o);
    t = table(&o, "no", NULL, NULL);
    assert_int_equal(penalty_add(t, "192.0.2.1", PENALTY_CRASH, 0, NULL), PENALTY_NOTHING);
    done(t, &o);
    penalty_table_free(NULL);
}

static void a_block_is_one_source(void **state UNUSED)
{
    struct server_options o;
    struct penalty_table *t = table(&o, "crash:1h", NULL, "24:64");
    assert_int_equal(penalty_add(t, "192.0.2.1", PENALTY_CRASH, 0, NULL), PENALTY_BEGINS);
    assert_true(penalty_is_refused(t, "192.0.2.255", 0, NULL));
    assert_false(penalty_is_refused(t, "192.0.3.1", 0, NULL));
    assert_int_equal(penalty_add(t, "2001:db8::1", PENALTY_CRASH, 0, NULL), PENALTY_BEGINS);
    assert_true(penalty_is_refused(t, "2001:db8::ffff:1", 0, NULL));
    done(t, &o);
}

static const char *numbered(char room[64], bool is_v6, unsigned i)
{
    if (is_v6)
        snprintf(room, 64, "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
    else
        snprintf(room, 64, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
    return room;
}

/* Twice as many sources as are remembered; source i ends at about i. */
static void memory_is_bounded_and_what_ends_soonest_is_forgotten(void **state UNUSED)
{
    char room[64];
    for (unsigned is_v6 = 0; is_v6 < 2; is_v6++) {
        struct server_options o;
        struct penalty_table *t = table(&o, "crash:1h max-sources4:10000000", NULL, NULL);
        for (unsigned i = 0; i < 2 * PENALTY_SOURCES_MAX; i++) {
            unsigned source = i ^ 0x55; /* not in order */
            (void)penalty_add(t, numbered(room, is_v6, source), PENALTY_CRASH, source, NULL);
        }
        assert_int_equal(penalty_count(t), PENALTY_SOURCES_MAX);
        for (unsigned i = 0; i < 2 * PENALTY_SOURCES_MAX; i += 97)
            assert_int_equal(penalty_is_refused(t, numbered(room, is_v6, i), 200000, NULL),
                             i >= PENALTY_SOURCES_MAX);
        assert_false(penalty_is_refused(t, "192.0.2.1", 4000 * S, NULL));
        assert_false(penalty_is_refused(t, "::1", 4000 * S, NULL));
        assert_int_equal(penalty_count(t), 0);
        done(t, &o);
    }
}

static void overflow_deny_all_refuses_everybody_until_one_has_ended(void **state UNUSED)
{
    char room[64];
    const char *why;
    struct server_options o;
    struct penalty_table *t = table(
        &o, "crash:100s max-sources4:3 overflow:deny-all overflow6:permissive", "127.0.0.1", NULL);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(penalty_is_refused(t, "192.0.2.1", i * S, NULL));
        assert_int_equal(penalty_add(t, numbered(room, false, i), PENALTY_CRASH, i * S, NULL),
                         PENALTY_BEGINS);
    }
    assert_true(penalty_is_refused(t, "192.0.2.1", 3 * S, &why));
    assert_non_null(strstr(why, "deny-all"));
    assert_false(penalty_is_refused(t, "127.0.0.1", 3 * S, NULL));
    assert_false(penalty_is_refused(t, "::1", 3 * S, NULL));
    assert_int_equal(penalty_add(t, "192.0.2.1", PENALTY_CRASH, 3 * S, NULL), PENALTY_NOTHING);
    assert_false(penalty_is_refused(t, "192.0.2.1", 100 * S, NULL));
    done(t, &o);
}

static void a_reload_keeps_what_was_gathered_and_a_new_block_size_forgets_it(void **state UNUSED)
{
    struct server_options o, other;
    struct penalty_table *t = table(&o, "crash:1h", NULL, NULL);
    assert_int_equal(penalty_add(t, "192.0.2.1", PENALTY_CRASH, 0, NULL), PENALTY_BEGINS);
    penalty_table_free(table(&other, "crash:2h max:30s", NULL, NULL));
    penalty_table_configure(t, &other);
    assert_true(penalty_is_refused(t, "192.0.2.1", 0, NULL));
    server_options_done(&other);
    penalty_table_free(table(&other, "yes", NULL, "24"));
    penalty_table_configure(t, &other);
    assert_false(penalty_is_refused(t, "192.0.2.1", 0, NULL));
    assert_int_equal(penalty_count(t), 0);
    server_options_done(&other);
    done(t, &o);
}

/* Against a plain array of ends. */
static void ends_stay_right_however_penalties_mix(void **state UNUSED)
{
    enum { SOURCES = 200 };
    struct server_options o;
    struct penalty_table *t = table(&o, "authfail:7s crash:90s min:0 max:200s", NULL, NULL);
    uint64_t ends[SOURCES] = {0};
    uint32_t random = 9;
    char room[64];
    for (uint64_t now = 0; now < 20000 * 50; now += 50) {
        random = random * 1664525u + 1013904223u;
        unsigned i = (random >> 16) % SOURCES;
        bool is_crash = (random >> 9) % 8 == 0;
        uint64_t left;
        (void)penalty_add(t, numbered(room, false, i), is_crash ? PENALTY_CRASH : PENALTY_AUTHFAIL,
                          now, &left);
        uint64_t rest = ends[i] > now ? ends[i] - now : 0;
        ends[i] = now + MIN(rest + (is_crash ? 90 * S : 7 * S), 200 * S);
        assert_int_equal(left, ends[i] - now);
        unsigned other = (random >> 4) % SOURCES;
        assert_int_equal(penalty_is_refused(t, numbered(room, false, other), now, NULL),
                         ends[other] > now);
    }
    done(t, &o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_forgive_two_failures_and_refuse_after_three),
        cmocka_unit_test(each_kind_has_its_time),
        cmocka_unit_test(penalties_add_up_to_max_and_time_takes_them_off),
        cmocka_unit_test(the_exempt_and_the_unknown_are_never_refused),
        cmocka_unit_test(a_block_is_one_source),
        cmocka_unit_test(memory_is_bounded_and_what_ends_soonest_is_forgotten),
        cmocka_unit_test(overflow_deny_all_refuses_everybody_until_one_has_ended),
        cmocka_unit_test(a_reload_keeps_what_was_gathered_and_a_new_block_size_forgets_it),
        cmocka_unit_test(ends_stay_right_however_penalties_mix),
    };
    return RUN_TESTS(tests);
}
