/* The pool hands out every byte once; seeded runs repeat; bounds are fair. */
#include <string.h>

#include "crypto/rand.h"
#include "tests/unit.h"

static void a_seed_gives_the_same_bytes_each_run(void **state)
{
    (void)state;
    struct rng *a = rng_new_seeded(7);
    struct rng *b = rng_new_seeded(7);
    struct rng *other = rng_new_seeded(8);
    uint8_t x[700];
    uint8_t y[700];
    uint8_t z[700];
    for (size_t n = 1; n <= sizeof(x); n += 37) {
        rng_bytes(a, x, n);
        rng_bytes(b, y, n);
        rng_bytes(other, z, n);
        assert_memory_equal(x, y, n);
        if (n > 8)
            assert_memory_not_equal(x, z, n);
    }
    rng_free(a);
    rng_free(b);
    rng_free(other);
}

/* The first output of splitmix64 with state 0, as its authors' reference gives it. */
static void the_seeded_generator_is_splitmix64(void **state)
{
    (void)state;
    struct rng *r = rng_new_seeded(0);
    uint64_t first;
    rng_bytes(r, &first, sizeof(first));
    assert_true(first == 0xe220a8397b1dcdafU);
    rng_free(r);
}

static void real_bytes_fill_the_whole_room_and_differ(void **state)
{
    (void)state;
    struct rng *r = rng_new();
    static const size_t sizes[] = {0, 1, 15, 16, 1000, 1024, 1025, 5000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        static uint8_t x[5001];
        static uint8_t y[5001];
        memset(x, 0, sizeof(x));
        memset(y, 0, sizeof(y));
        rng_bytes(r, x, sizes[i]);
        rng_bytes(r, y, sizes[i]);
        assert_int_equal(x[sizes[i]], 0);
        if (sizes[i] >= 16) {
            assert_memory_not_equal(x, y, 16);
            assert_memory_not_equal(x + sizes[i] - 16, y + sizes[i] - 16, 16);
        }
    }
    rng_free(r);
    rng_free(NULL);
}

static void below_is_in_bounds_and_even(void **state)
{
    (void)state;
    struct rng *r = rng_new_seeded(1);
    unsigned count[6] = {0};
    for (int i = 0; i < 6000; i++) {
        uint32_t value = rng_below(r, 6);
        assert_true(value < 6);
        count[value]++;
    }
    /* Five standard deviations around 1000. */
    for (size_t i = 0; i < 6; i++)
        assert_in_range(count[i], 855, 1145);
    assert_int_equal(rng_below(r, 1), 0);
    for (int i = 0; i < 100; i++)
        assert_true(rng_below(r, 0x80000001U) <= 0x80000000U);
    rng_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_the_same_bytes_each_run),
        cmocka_unit_test(the_seeded_generator_is_splitmix64),
        cmocka_unit_test(real_bytes_fill_the_whole_room_and_differ),
        cmocka_unit_test(below_is_in_bounds_and_even),
    };
    return RUN_TESTS(tests);
}
