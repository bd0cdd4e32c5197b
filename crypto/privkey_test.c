/* Keys that are made sign what their public half verifies; limits on size hold. */
#include "crypto/privkey.h"
#include "tests/unit.h"
#include "wire/writer.h"

/* A security key signs in its device: sk_test has those. */
static bool is_signed_here(size_t i)
{
    return algo_sign_at(i) && algo_sign_at(i)->kind <= KEY_RSA;
}

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

/* Often enough that numbers with leading zeros and with a high bit come up. */
static void what_a_key_signs_its_public_half_verifies(void **state)
{
    for (size_t i = 0; is_signed_here(i); i++) {
        const struct algo_sign *algo = algo_sign_at(i);
        struct privkey *k;
        assert_ok(privkey_generate(&k, *state, algo->kind, algo->kind == KEY_RSA ? 2048 : 0));
        assert_int_equal(pubkey_kind(privkey_pubkey(k)), algo->kind);
        assert_string_equal(pubkey_type_name(privkey_pubkey(k)), algo->key_type);
        for (uint32_t round = 0; round < (algo->kind == KEY_ECDSA256 ? 600 : 20); round++) {
            uint8_t data[4];
            struct buf signature;
            buf_init(&signature, 5000);
            put_u32(data, round);
            assert_ok(privkey_sign(k, algo, slice_of(data, 4), &signature));
            assert_ok(
                pubkey_verify(privkey_pubkey(k), algo, buf_slice(&signature), slice_of(data, 4)));
            buf_done(&signature);
        }
        privkey_free(k);
    }
    privkey_free(NULL);
}

static void two_keys_are_never_the_same(void **state)
{
    for (size_t kind = 0; kind < KEY_RSA; kind++) {
        struct privkey *a;
        struct privkey *b;
        assert_ok(privkey_generate(&a, *state, (enum key_kind)kind, 0));
        assert_ok(privkey_generate(&b, *state, (enum key_kind)kind, 0));
        assert_false(slice_equal(pubkey_blob(privkey_pubkey(a)), pubkey_blob(privkey_pubkey(b))));
        privkey_free(a);
        privkey_free(b);
    }
}

static void rsa_sizes_have_limits(void **state)
{
    struct privkey *k;
    assert_int_equal(privkey_generate(&k, *state, KEY_RSA, 1024), ERR_LIMIT);
    assert_int_equal(privkey_generate(&k, *state, KEY_RSA, 2047), ERR_LIMIT);
    assert_int_equal(privkey_generate(&k, *state, KEY_RSA, 16385), ERR_LIMIT);
}

static void a_signature_that_does_not_fit_is_an_error(void **state)
{
    for (size_t i = 0; is_signed_here(i); i++) {
        const struct algo_sign *algo = algo_sign_at(i);
        if (algo->kind == KEY_RSA)
            continue;
        struct privkey *k;
        struct buf little;
        assert_ok(privkey_generate(&k, *state, algo->kind, 0));
        buf_init(&little, 60);
        assert_int_equal(privkey_sign(k, algo, slice_text("x"), &little), ERR_LIMIT);
        buf_done(&little);
        privkey_free(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_key_signs_its_public_half_verifies),
        cmocka_unit_test(two_keys_are_never_the_same),
        cmocka_unit_test(rsa_sizes_have_limits),
        cmocka_unit_test(a_signature_that_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
