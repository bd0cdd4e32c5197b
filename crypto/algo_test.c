/* The tables: every name is found, nothing else is, and sizes agree with the formats. */
#include "crypto/algo.h"
#include "crypto/crypto_internal.h"
#include "tests/unit.h"

#define WALK(type, i) for (size_t i = 0; type##_at(i); i++)

static void every_name_is_found_once(void **state)
{
    (void)state;
    WALK(algo_kex, i)
    assert_ptr_equal(algo_kex_find(slice_text(algo_kex_at(i)->name)), algo_kex_at(i));
    WALK(algo_sign, i)
    assert_ptr_equal(algo_sign_find(slice_text(algo_sign_at(i)->name)), algo_sign_at(i));
    WALK(algo_cipher, i)
    assert_ptr_equal(algo_cipher_find(slice_text(algo_cipher_at(i)->name)), algo_cipher_at(i));
    WALK(algo_mac, i)
    assert_ptr_equal(algo_mac_find(slice_text(algo_mac_at(i)->name)), algo_mac_at(i));
    assert_null(algo_kex_at(9 + 3));
    assert_null(algo_sign_at(8));
    assert_null(algo_cipher_at(6 + 4));
    assert_null(algo_mac_at(10 + 6));
    assert_null(algo_mac_at(SIZE_MAX));
}

static void weak_and_damaged_names_are_not_found(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "none",
        "ssh-rsa",
        "ssh-dss",
        "rijndael-cbc@lysator.liu.se",
        "arcfour",
        "none-cbc",
        "hmac-ripemd160",
        "umac-64",
        "umac-64-etm",
        "umac-32@openssh.com",
        "AES128-CTR",
        "aes128-ctr ",
        "aes128-ct",
        "curve25519-sha256@libssh",
        "hmac-sha2-256-etm",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_null(algo_kex_find(slice_text(names[i])));
        assert_null(algo_sign_find(slice_text(names[i])));
        assert_null(algo_cipher_find(slice_text(names[i])));
        assert_null(algo_mac_find(slice_text(names[i])));
    }
    assert_null(algo_cipher_find(slice_of("aes128-ctr\0", 11)));
    assert_null(algo_cipher_find(SLICE_NONE));
}

/* What only a spelt-out configuration may bring is found by its own door. */
static void sha1_signatures_are_not_among_the_others(void **state)
{
    (void)state;
    assert_null(algo_sign_find(slice_text("ssh-rsa")));
    assert_non_null(legacy_sign_find(slice_text("ssh-rsa")));
    assert_null(legacy_sign_find(slice_text("rsa-sha2-256")));
}

static void sizes_fit_libcrypto_and_a_secret(void **state)
{
    (void)state;
    struct crypto *c = crypto_new();
    assert_non_null(c);
    WALK(algo_cipher, i)
    {
        const struct algo_cipher *a = algo_cipher_at(i);
        const EVP_CIPHER *type = crypto_cipher(c, a);
        /* Two keys of ChaCha20 make one of ours. */
        int keys = a->kind == CIPHER_CHACHAPOLY ? 2 : 1;
        assert_int_equal(EVP_CIPHER_get_key_length(type) * keys, a->key_len);
        if (a->iv_len)
            assert_int_equal(EVP_CIPHER_get_iv_length(type), a->iv_len);
        assert_true(a->key_len <= SECRET_MAX && a->iv_len <= SECRET_MAX);
        assert_true(a->block_len == 8 || a->block_len == 16);
        assert_int_equal(a->tag_len, a->kind == CIPHER_CTR || a->kind == CIPHER_CBC ? 0 : 16);
    }
    WALK(algo_mac, i)
    {
        const struct algo_mac *a = algo_mac_at(i);
        int length = EVP_MD_get_size(c->digests[a->digest]);
        assert_int_equal(a->etm, strstr(a->name, "-etm") != NULL);
        assert_int_equal(a->kind == MAC_UMAC, strncmp(a->name, "umac", 4) == 0);
        if (a->kind == MAC_UMAC) {
            assert_int_equal(a->key_len, 16);
            assert_int_equal(a->tag_len, strstr(a->name, "128") ? 16 : 8);
            continue;
        }
        assert_int_equal(a->tag_len, strstr(a->name, "-96") ? 12 : length);
        assert_int_equal(a->key_len, length);
    }
    WALK(algo_sign, i)
    assert_string_equal(algo_sign_at(i)->key_type, crypto_key_type(algo_sign_at(i)->kind)->name);
    crypto_free(c);
    crypto_free(NULL);
}

/* The first use of what a hasty start leaves out brings it, as crypto_fetch_rest does. */
static void what_is_fetched_late_is_the_same(void **state)
{
    (void)state;
    struct crypto *whole = crypto_new();
    for (int by_use = 0; by_use < 2; by_use++) {
        struct crypto *c = crypto_new_in_haste();
        assert_non_null(c);
        assert_true(by_use || crypto_fetch_rest(c));
        WALK(algo_cipher, i)
        assert_ptr_equal(crypto_cipher(c, algo_cipher_at(i)),
                         crypto_cipher(whole, algo_cipher_at(i)));
        assert_ptr_equal(crypto_aes_block(c), crypto_aes_block(whole));
        assert_ptr_equal(c->hmac, whole->hmac);
        assert_ptr_equal(crypto_poly1305(c), crypto_poly1305(whole));
        assert_true(crypto_fetch_rest(c));
        crypto_free(c);
    }
    crypto_free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_fetched_late_is_the_same),
        cmocka_unit_test(every_name_is_found_once),
        cmocka_unit_test(weak_and_damaged_names_are_not_found),
        cmocka_unit_test(sha1_signatures_are_not_among_the_others),
        cmocka_unit_test(sizes_fit_libcrypto_and_a_secret),
    };
    return RUN_TESTS(tests);
}
