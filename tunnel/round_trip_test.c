/* When the round trip is asked for, and which answers are believed. */
#include "tests/unit.h"
#include "tunnel/round_trip.h"

#define MS 1000ull
#define S  (1000 * MS)

static const uint64_t start = 500 * S; /* no clock begins at 0 */

static void ask(struct round_trip *r, uint64_t now_us, uint64_t received)
{
    assert_true(round_trip_is_due(r, now_us, received));
    round_trip_asked(r, now_us, received);
}

static void an_idle_connection_is_left_alone(void **state)
{
    (void)state;
    struct round_trip r = {0};
    assert_false(round_trip_is_due(&r, start, 0));
    assert_false(round_trip_is_due(&r, start + 3600 * S, 65535));
    assert_int_equal(round_trip_us(&r), 0);
}

static void the_first_channel_asks_before_its_data_come(void **state)
{
    (void)state;
    struct round_trip r = {0};
    round_trip_want(&r, start);
    ask(&r, start, 0);
    assert_false(round_trip_is_due(&r, start + 9 * S, 1 << 20)); /* one at a time */
    round_trip_answered(&r, start + 100 * MS, 0);
    assert_int_equal(round_trip_us(&r), 100 * MS);
    round_trip_answered(&r, start + 101 * MS, 0); /* nobody asked */
    assert_int_equal(round_trip_us(&r), 100 * MS);
}

static void channels_that_follow_ask_only_when_the_answer_is_old(void **state)
{
    (void)state;
    struct round_trip r = {0};
    round_trip_want(&r, start);
    ask(&r, start, 0);
    round_trip_answered(&r, start + MS, 0);
    round_trip_want(&r, start + 9 * S);
    assert_false(round_trip_is_due(&r, start + 9 * S, 0));
    round_trip_want(&r, start + 11 * S);
    assert_true(round_trip_is_due(&r, start + 11 * S, 0));
}

static void bulk_asks_about_once_a_second(void **state)
{
    (void)state;
    struct round_trip r = {0};
    uint64_t received = 0;
    unsigned asked = 0;
    for (uint64_t now = start; now < start + 10 * S; now += 10 * MS) {
        received += 1 << 20;
        if (!round_trip_is_due(&r, now, received))
            continue;
        round_trip_asked(&r, now, received);
        round_trip_answered(&r, now + 20 * MS, received + (2 << 20));
        asked++;
    }
    assert_in_range(asked, 9, 11);
}

static void a_round_trip_longer_than_a_second_sets_the_pace(void **state)
{
    (void)state;
    struct round_trip r = {0};
    round_trip_want(&r, start);
    ask(&r, start, 0);
    round_trip_answered(&r, start + 3 * S, 0);
    assert_false(round_trip_is_due(&r, start + 2 * S, 1 << 20));
    assert_true(round_trip_is_due(&r, start + 3 * S, 1 << 20));
}

static void loaded_answers_do_not_inflate_it_however_long_the_load(void **state)
{
    (void)state;
    struct round_trip r = {0};
    uint64_t received = 0;
    round_trip_want(&r, start);
    ask(&r, start, 0);
    round_trip_answered(&r, start + 20 * MS, 0);
    for (unsigned i = 1; i < 600; i++) {
        uint64_t now = start + i * S + i * MS;
        received += 20 << 20;
        ask(&r, now, received);
        received += 2 << 20;
        round_trip_answered(&r, now + 120 * MS, received);
        assert_int_equal(round_trip_us(&r), 20 * MS);
        assert_int_equal(round_trip_now_us(&r), 120 * MS); /* as it is with the load */
    }
}

static void a_shorter_answer_counts_at_once_even_a_loaded_one(void **state)
{
    (void)state;
    struct round_trip r = {0};
    round_trip_want(&r, start);
    ask(&r, start, 0);
    round_trip_answered(&r, start + 200 * MS, 0);
    ask(&r, start + 2 * S, 1 << 20);
    round_trip_answered(&r, start + 2 * S + 50 * MS, 9 << 20);
    assert_int_equal(round_trip_us(&r), 50 * MS);
}

static void a_longer_path_is_learned_where_nothing_loads_it(void **state)
{
    (void)state;
    struct round_trip r = {0};
    uint64_t now = start;
    round_trip_want(&r, now);
    ask(&r, now, 0);
    round_trip_answered(&r, now + 20 * MS, 0);
    now += 5 * S;
    ask(&r, now, 65536);
    round_trip_answered(&r, now + 80 * MS, 65537); /* too early to doubt it */
    assert_int_equal(round_trip_us(&r), 20 * MS);
    now += 6 * S;
    ask(&r, now, 200000);
    round_trip_answered(&r, now + 80 * MS, 200001);
    assert_int_equal(round_trip_us(&r), 80 * MS);
}

static void an_answer_at_once_is_still_a_time(void **state)
{
    (void)state;
    struct round_trip r = {0};
    round_trip_want(&r, start);
    ask(&r, start, 0);
    round_trip_answered(&r, start, 0);
    assert_int_equal(round_trip_us(&r), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_is_left_alone),
        cmocka_unit_test(the_first_channel_asks_before_its_data_come),
        cmocka_unit_test(channels_that_follow_ask_only_when_the_answer_is_old),
        cmocka_unit_test(bulk_asks_about_once_a_second),
        cmocka_unit_test(a_round_trip_longer_than_a_second_sets_the_pace),
        cmocka_unit_test(loaded_answers_do_not_inflate_it_however_long_the_load),
        cmocka_unit_test(a_shorter_answer_counts_at_once_even_a_loaded_one),
        cmocka_unit_test(a_longer_path_is_learned_where_nothing_loads_it),
        cmocka_unit_test(an_answer_at_once_is_still_a_time),
    };
    return RUN_TESTS(tests);
}
