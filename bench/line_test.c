#include "bench/line.h"
#include "tests/unit.h"

#define MS 1000000u
#define US 1000u

static void test_without_a_rate_all_comes_a_delay_later(void **state)
{
    (void)state;
    struct line l = {.delay_ns = 10 * MS};
    assert_int_equal(line_room(&l, 5 * MS, 1 << 20), 1 << 20);
    assert_int_equal(line_take(&l, 5 * MS, 1 << 20), 15 * MS);
    assert_int_equal(line_take(&l, 5 * MS, 1), 15 * MS);
    assert_int_equal(line_take(&l, 7 * MS, 1), 17 * MS);
}

static void test_a_rate_spreads_what_comes_at_once(void **state)
{
    (void)state;
    struct line l = {.delay_ns = 10 * MS, .rate = 20000000, .queue = 60000}; /* 20 KB a ms */
    assert_int_equal(line_room(&l, 0, 1 << 20), 60000);
    assert_int_equal(line_take(&l, 0, 20000), 11 * MS);
    assert_int_equal(line_take(&l, 0, 40000), 13 * MS);
    assert_int_equal(line_room(&l, 0, 1), 0);
    assert_int_equal(line_room_at(&l), 1500 * US);
    assert_int_equal(line_room(&l, line_room_at(&l), 1 << 20), 30000);
    assert_int_equal(line_room(&l, 3 * MS, 1 << 20), 60000);
}

static void test_idle_time_is_not_saved_up(void **state)
{
    (void)state;
    struct line l = {.rate = 1000000, .queue = 1000}; /* 1 KB a ms */
    assert_int_equal(line_take(&l, 0, 1000), 1 * MS);
    assert_int_equal(line_take(&l, 500 * MS, 1000), 501 * MS);
}

static void test_an_hour_of_bytes_keeps_the_rate(void **state)
{
    (void)state;
    struct line l = {.rate = 20000000, .queue = 65536};
    uint64_t now = 0, sent = 0;
    while (now < UINT64_C(3600) * 1000 * MS) {
        size_t n = line_room(&l, now, 65536);
        if (n)
            assert_true(line_take(&l, now, n) > now);
        sent += n;
        now = line_room_at(&l) + 1;
    }
    double rate = (double)sent / ((double)now / 1e9);
    assert_true(rate > 19.99e6 && rate < 20.01e6);
}

static void test_a_stall_delays_what_comes_behind_it_and_nothing_overtakes(void **state)
{
    (void)state;
    struct line l = {.delay_ns = 1 * MS};
    assert_int_equal(line_take(&l, 0, 10), 1 * MS);
    line_stall(&l, 0, 50 * MS);
    assert_int_equal(line_take(&l, 10 * MS, 10), 51 * MS);
    assert_int_equal(line_take(&l, 60 * MS, 10), 61 * MS);
}

static void test_faults_come_at_their_byte(void **state)
{
    (void)state;
    struct faults f = FAULTS_NONE;
    assert_int_equal(faults_until(&f, 0, 1000), 1000);
    f.cut_at = 1500;
    assert_int_equal(faults_until(&f, 0, 1000), 1000);
    assert_int_equal(faults_until(&f, 1000, 1000), 500);
    assert_int_equal(faults_until(&f, 1500, 1000), 0);
    assert_int_equal(faults_until(&f, 1501, 1000), 1000); /* it is past */
    f.stall_at = 1200;
    assert_int_equal(faults_until(&f, 1000, 1000), 200);
}

static void test_a_flip_turns_one_bit_of_one_byte(void **state)
{
    (void)state;
    struct faults f = FAULTS_NONE;
    uint8_t bytes[64];
    for (uint64_t at = 0; at < 256; at += sizeof bytes) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = 0x55;
        f.flip_at = 130;
        assert_int_equal(faults_flip(&f, at, bytes, sizeof bytes), at == 128);
        for (size_t i = 0; i < sizeof bytes; i++)
            assert_int_equal(bytes[i], at + i == 130 ? 0x55 ^ 4 : 0x55);
    }
}

static void test_the_same_seed_gives_the_same_sizes(void **state)
{
    (void)state;
    struct dice a = {7}, b = {7}, other = {8};
    size_t same = 0, small = 0, large = 0;
    for (int i = 0; i < 4000; i++) {
        size_t n = dice_size(&a, 65536);
        assert_int_equal(dice_size(&b, 65536), n);
        assert_true(n >= 1 && n <= 65536);
        same += dice_size(&other, 65536) == n;
        small += n < 256;
        large += n >= 256;
    }
    assert_true(same < 1000);
    /* 8 of 17 powers of two lie below 256 */
    assert_true(small > 1600 && small < 2200 && large > 1600);
    assert_int_equal(dice_size(&a, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_rate_all_comes_a_delay_later),
        cmocka_unit_test(test_a_rate_spreads_what_comes_at_once),
        cmocka_unit_test(test_idle_time_is_not_saved_up),
        cmocka_unit_test(test_an_hour_of_bytes_keeps_the_rate),
        cmocka_unit_test(test_a_stall_delays_what_comes_behind_it_and_nothing_overtakes),
        cmocka_unit_test(test_faults_come_at_their_byte),
        cmocka_unit_test(test_a_flip_turns_one_bit_of_one_byte),
        cmocka_unit_test(test_the_same_seed_gives_the_same_sizes),
    };
    return RUN_TESTS(tests);
}
