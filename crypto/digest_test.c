/* Published vectors of hashes, HMAC and base64. */
#include "crypto/digest.h"
#include "crypto/test_help.h"
#include "tests/unit.h"

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

/* "abc": FIPS 180-4's examples, RFC 1321 A.5. */
static const struct {
    enum digest_kind kind;
    const char *hex;
} abc[] = {
    {DIGEST_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {DIGEST_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {DIGEST_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                    "8086072ba1e7cc2358baeca134c825a7"},
    {DIGEST_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    {DIGEST_MD5, "900150983cd24fb0d6963f7d28e17f72"},
};

static void hashes_match_published_vectors(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(abc); i++) {
        uint8_t want[DIGEST_MAX];
        uint8_t got[DIGEST_MAX];
        assert_int_equal(hex_decode(abc[i].hex, want), digest_len(abc[i].kind));
        digest(*state, abc[i].kind, slice_text("abc"), got);
        assert_memory_equal(got, want, digest_len(abc[i].kind));
    }
}

static void pieces_hash_like_the_whole_again_and_again(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(abc); i++) {
        struct digest_context *d = digest_context_new(*state, abc[i].kind);
        uint8_t want[DIGEST_MAX];
        hex_decode(abc[i].hex, want);
        for (int round = 0; round < 3; round++) {
            uint8_t got[DIGEST_MAX];
            digest_begin(d);
            digest_add(d, slice_text("a"));
            digest_add(d, SLICE_NONE);
            digest_add(d, slice_text("bc"));
            digest_end(d, got);
            assert_memory_equal(got, want, digest_len(abc[i].kind));
        }
        /* Begun and left: the next begin starts afresh. */
        uint8_t got[DIGEST_MAX];
        digest_begin(d);
        digest_add(d, slice_text("left"));
        digest_begin(d);
        digest_add(d, slice_text("abc"));
        digest_end(d, got);
        assert_memory_equal(got, want, digest_len(abc[i].kind));
        digest_context_free(d);
    }
}

/* RFC 4231 4.3 and RFC 2202 3, test case 2. */
static void hmac_matches_published_vectors(void **state)
{
    static const struct {
        enum digest_kind kind;
        const char *hex;
    } cases[] = {
        {DIGEST_SHA1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
        {DIGEST_SHA256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {DIGEST_SHA384, "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
                        "8e2240ca5e69e2c78b3239ecfab21649"},
        {DIGEST_SHA512, "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t want[DIGEST_MAX];
        uint8_t got[DIGEST_MAX];
        hex_decode(cases[i].hex, want);
        hmac(*state, cases[i].kind, slice_text("Jefe"), slice_text("what do ya want for nothing?"),
             got);
        assert_memory_equal(got, want, digest_len(cases[i].kind));
    }
    /* Everything empty: a key of no bytes is a key. */
    uint8_t want[DIGEST_MAX];
    uint8_t got[DIGEST_MAX];
    hex_decode("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", want);
    hmac(*state, DIGEST_SHA256, SLICE_NONE, SLICE_NONE, got);
    assert_memory_equal(got, want, 32);
}

static void base64_matches_rfc_4648(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xff\xef\xbe", "/+++", "/+++"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *padded = base64_encode(slice_text(cases[i][0]), true);
        char *bare = base64_encode(slice_text(cases[i][0]), false);
        assert_string_equal(padded, cases[i][1]);
        assert_string_equal(bare, cases[i][2]);
        mem_free(padded);
        mem_free(bare);
        for (size_t j = 1; j < 3; j++) {
            struct buf out;
            buf_init(&out, 100);
            assert_ok(base64_decode(slice_text(cases[i][j]), &out));
            assert_true(slice_equal(buf_slice(&out), slice_text(cases[i][0])));
            buf_done(&out);
        }
    }
}

static void base64_refuses_what_is_not(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "=",     "==",   "Z",        "Z=",       "Z==",   "Z===",  "Zg=",    "Zg===", "Zm8==",
        "Zm9v=", "Zh==", "Zm9=",     "Zh",       "Zm9",   "Zm 9v", "Zm9v\n", " Zm9v", "Zm9-",
        "Zm9_",  "Z=g=", "Zg==Zg==", "Zm9v\x80", "Zm9vA", "{m9v",  "Zm@v",   "Zm[v",  "Zm`v",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        buf_init(&out, 100);
        assert_int_equal(base64_decode(slice_text(cases[i]), &out), ERR_FORMAT);
        assert_int_equal(buf_len(&out), 0);
        buf_done(&out);
    }
    struct buf little;
    buf_init(&little, 5);
    assert_int_equal(base64_decode(slice_text("Zm9vYmFy"), &little), ERR_LIMIT);
    assert_ok(base64_decode(slice_text("Zm9vYmE"), &little));
    buf_done(&little);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_match_published_vectors),
        cmocka_unit_test(pieces_hash_like_the_whole_again_and_again),
        cmocka_unit_test(hmac_matches_published_vectors),
        cmocka_unit_test(base64_matches_rfc_4648),
        cmocka_unit_test(base64_refuses_what_is_not),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
