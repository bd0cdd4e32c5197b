/*
 * Published vectors (OpenBSD's regress of bcrypt_pbkdf), the table of pi against pi computed by
 * Machin's formula, and bounds that a hostile file cannot pass.
 */
#include <openssl/bn.h>

#include "crypto/bcrypt_pbkdf.h"
#include "crypto/blowfish_pi.h"
#include "crypto/test_help.h"
#include "tests/unit.h"

#define PI_BITS    (32 * BLOWFISH_PI_WORDS)
#define GUARD_BITS 64

static int setup(void **state)
{
    *state = crypto_new();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    crypto_free(*state);
    return 0;
}

/* sum += sign * factor * arctan(1/x), in units of 2^-(PI_BITS + GUARD_BITS). */
static void arctan_add(BIGNUM *sum, BN_ULONG factor, BN_ULONG x, bool is_negative)
{
    BIGNUM *power = BN_new();
    BIGNUM *term = BN_new();
    assert_true(power && term && BN_set_word(power, factor) == 1);
    assert_int_equal(BN_lshift(power, power, PI_BITS + GUARD_BITS), 1);
    assert_int_not_equal(BN_div_word(power, x), (BN_ULONG)-1);
    for (BN_ULONG n = 1; !BN_is_zero(power); n += 2, is_negative = !is_negative) {
        assert_non_null(BN_copy(term, power));
        assert_int_not_equal(BN_div_word(term, n), (BN_ULONG)-1);
        assert_int_equal((is_negative ? BN_sub : BN_add)(sum, sum, term), 1);
        assert_int_not_equal(BN_div_word(power, x * x), (BN_ULONG)-1);
    }
    BN_free(term);
    BN_free(power);
}

/* pi = 16 arctan(1/5) - 4 arctan(1/239). */
static void the_table_is_the_fraction_of_pi(void **state)
{
    (void)state;
    static uint8_t bytes[PI_BITS / 8];
    BIGNUM *pi = BN_new();
    assert_true(pi && BN_set_word(pi, 0) == 1);
    arctan_add(pi, 16, 5, false);
    arctan_add(pi, 4, 239, true);
    assert_int_equal(BN_rshift(pi, pi, GUARD_BITS), 1);
    assert_int_equal(BN_mask_bits(pi, PI_BITS), 1); /* takes the 3 away */
    assert_int_equal(BN_bn2binpad(pi, bytes, sizeof(bytes)), sizeof(bytes));
    BN_free(pi);
    for (size_t i = 0; i < BLOWFISH_PI_WORDS; i++) {
        const uint8_t *at = bytes + 4 * i;
        uint32_t word =
            (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        assert_int_equal(word, blowfish_pi[i]);
    }
    assert_int_equal(blowfish_pi[0], 0x243f6a88);
    assert_int_equal(blowfish_pi[1], 0x85a308d3);
}

static void published_vectors_hold(void **state)
{
    static const struct {
        const char *passphrase;
        struct slice salt;
        uint32_t rounds;
        const char *key;
    } cases[] = {
        {"password",
         {(const uint8_t *)"salt", 4},
         4,
         "5bbf0cc293587f1c3635555c27796598d47e579071bf427e9d8fbe842aba34d9"},
        {"password", {(const uint8_t *)"\0", 1}, 4, "c12b566235eee04c212598970a579a67"},
        {"password",
         {(const uint8_t *)"salt", 4},
         8,
         "e1367ec5151a33faac4cc1c144cd23fa15d5548493ecc99b9b5d9c0d3b27bec7"
         "6227ea66088b849b20ab7aa478010246e74bba51723fefa9f9474d6508845e8d"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t want[BCRYPT_KEY_MAX];
        uint8_t got[BCRYPT_KEY_MAX];
        size_t n = hex_decode(cases[i].key, want);
        assert_ok(bcrypt_pbkdf(*state, slice_text(cases[i].passphrase), cases[i].salt,
                               cases[i].rounds, got, n));
        assert_memory_equal(got, want, n);
    }
}

static void every_length_is_filled_and_no_more(void **state)
{
    for (size_t n = 1; n <= BCRYPT_KEY_MAX; n += 13) {
        uint8_t key[BCRYPT_KEY_MAX + 1];
        uint8_t again[BCRYPT_KEY_MAX + 1];
        memset(key, 0xa5, sizeof(key));
        memset(again, 0x5a, sizeof(again));
        assert_ok(bcrypt_pbkdf(*state, slice_text("p"), slice_text("s"), 1, key, n));
        assert_ok(bcrypt_pbkdf(*state, slice_text("p"), slice_text("s"), 1, again, n));
        assert_memory_equal(key, again, n);
        assert_int_equal(key[n], 0xa5);
    }
}

static void what_a_hostile_file_asks_is_bounded(void **state)
{
    static const uint8_t salt[BCRYPT_SALT_MAX + 1];
    const struct slice pass = slice_text("p");
    const struct slice good = slice_of(salt, 16);
    uint8_t key[BCRYPT_KEY_MAX + 1];
    assert_int_equal(bcrypt_pbkdf(*state, pass, good, 0, key, 32), ERR_FORMAT);
    assert_int_equal(bcrypt_pbkdf(*state, SLICE_NONE, good, 1, key, 32), ERR_FORMAT);
    assert_int_equal(bcrypt_pbkdf(*state, pass, SLICE_NONE, 1, key, 32), ERR_FORMAT);
    assert_int_equal(bcrypt_pbkdf(*state, pass, good, 1, key, 0), ERR_FORMAT);
    assert_int_equal(bcrypt_pbkdf(*state, pass, good, BCRYPT_ROUNDS_MAX + 1, key, 32), ERR_LIMIT);
    assert_int_equal(bcrypt_pbkdf(*state, pass, good, UINT32_MAX, key, 32), ERR_LIMIT);
    assert_int_equal(bcrypt_pbkdf(*state, pass, slice_of(salt, sizeof(salt)), 1, key, 32),
                     ERR_LIMIT);
    assert_int_equal(bcrypt_pbkdf(*state, pass, good, 1, key, sizeof(key)), ERR_LIMIT);
    assert_ok(bcrypt_pbkdf(*state, pass, slice_of(salt, BCRYPT_SALT_MAX), 1, key, BCRYPT_KEY_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_fraction_of_pi),
        cmocka_unit_test(published_vectors_hold),
        cmocka_unit_test(every_length_is_filled_and_no_more),
        cmocka_unit_test(what_a_hostile_file_asks_is_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
