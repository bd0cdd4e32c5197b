/* Both sides agree with each other and with plain arithmetic; values out of range are refused. */
#include <openssl/bn.h>

#include "crypto/kex_ecdh.h"
#include "tests/unit.h"
#include "wire/reader.h"
#include "wire/writer.h"

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

static const struct group {
    const char *name;
    enum digest_kind digest;
    int bits;
} groups[] = {
    {"diffie-hellman-group14-sha256", DIGEST_SHA256, 2048},
    {"diffie-hellman-group16-sha512", DIGEST_SHA512, 4096},
    {"diffie-hellman-group18-sha512", DIGEST_SHA512, 8192},
};

static const struct algo_kex *algo_of(const struct group *g)
{
    const struct algo_kex *algo = algo_kex_find(slice_text(g->name));
    assert_non_null(algo);
    assert_int_equal(algo->digest, g->digest);
    return algo;
}

/*
 * RFC 3526 writes each prime as 2^n - 2^(n-64) - 1 + 2^64 ([2^(n-130) pi] + c), so its ends are
 * ones; that libcrypto's constants are prime is not tested anew here.
 */
static BIGNUM *prime_of(const struct group *g)
{
    BIGNUM *p = g->bits == 2048   ? BN_get_rfc3526_prime_2048(NULL)
                : g->bits == 4096 ? BN_get_rfc3526_prime_4096(NULL)
                                  : BN_get_rfc3526_prime_8192(NULL);
    assert_non_null(p);
    assert_int_equal(BN_num_bits(p), g->bits);
    return p;
}

/* A number's mpint body. */
static void body_append(const BIGNUM *number, struct buf *out)
{
    uint8_t bytes[1030] = {0};
    int len = BN_num_bytes(number);
    int zero = len && BN_is_bit_set(number, 8 * len - 1) ? 1 : 0;
    assert_int_equal(BN_bn2bin(number, bytes + zero), len);
    assert_ok(buf_append(out, bytes, (size_t)(len + zero)));
}

struct exchange {
    struct kex_client *client;
    struct buf client_public, server_public, client_secret, server_secret;
};

static void exchange_init(struct exchange *x, const struct crypto *c, const struct algo_kex *algo)
{
    buf_init(&x->client_public, 1200);
    buf_init(&x->server_public, 1200);
    buf_init_secret(&x->client_secret, 1200);
    buf_init_secret(&x->server_secret, 1200);
    assert_ok(kex_client_new(&x->client, c, algo, NULL, &x->client_public));
}

static void exchange_done(struct exchange *x)
{
    kex_client_free(x->client);
    buf_done(&x->client_public);
    buf_done(&x->server_public);
    buf_done(&x->client_secret);
    buf_done(&x->server_secret);
}

static void both_sides_agree(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        const struct algo_kex *algo = algo_of(&groups[i]);
        for (int round = 0; round < (groups[i].bits == 2048 ? 20 : 2); round++) {
            struct exchange x;
            exchange_init(&x, *state, algo);
            assert_ok(kex_server(*state, algo, NULL, buf_slice(&x.client_public), &x.server_public,
                                 &x.server_secret));
            assert_ok(kex_client_finish(x.client, buf_slice(&x.server_public), &x.client_secret));
            assert_true(slice_equal(buf_slice(&x.client_secret), buf_slice(&x.server_secret)));
            struct reader r;
            reader_init(&r, buf_slice(&x.client_secret));
            assert_true(reader_mpint(&r, 1024).len > (size_t)groups[i].bits / 8 - 8);
            assert_ok(reader_done(&r));
            exchange_done(&x);
        }
    }
}

/* Against a peer whose exponent is known: K is the other's value to that power. */
static void the_secret_is_what_arithmetic_says(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        struct exchange x;
        struct buf value, secret;
        struct writer w;
        uint8_t bytes[1024];
        BN_CTX *ctx = BN_CTX_new();
        BIGNUM *prime = prime_of(&groups[i]);
        BIGNUM *exponent = BN_new(), *two = BN_new(), *power = BN_new(), *other;
        exchange_init(&x, *state, algo_of(&groups[i]));
        buf_init(&value, 1200);
        buf_init(&secret, 1200);
        assert_int_equal(BN_set_word(two, 2), 1);
        assert_int_equal(BN_set_word(exponent, 0x1234567), 1);
        assert_int_equal(BN_mod_exp(power, two, exponent, prime, ctx), 1);
        body_append(power, &value);
        assert_ok(kex_client_finish(x.client, buf_slice(&value), &x.client_secret));
        other = BN_bin2bn(x.client_public.data, (int)buf_len(&x.client_public), NULL);
        assert_int_equal(BN_mod_exp(power, other, exponent, prime, ctx), 1);
        writer_init(&w, &secret);
        writer_mpint(&w, slice_of(bytes, (size_t)BN_bn2bin(power, bytes)));
        assert_true(slice_equal(buf_slice(&secret), buf_slice(&x.client_secret)));
        BN_free(other);
        BN_free(power);
        BN_free(two);
        BN_free(exponent);
        BN_free(prime);
        BN_CTX_free(ctx);
        buf_done(&value);
        buf_done(&secret);
        exchange_done(&x);
    }
}

static void assert_answer(const struct crypto *c, const struct algo_kex *algo, struct slice value,
                          enum err want)
{
    struct exchange x;
    exchange_init(&x, c, algo);
    assert_int_equal(kex_server(c, algo, NULL, value, &x.server_public, &x.server_secret), want);
    assert_int_equal(kex_client_finish(x.client, value, &x.client_secret), want);
    assert_int_equal(buf_len(&x.server_secret) == 0, want != OK);
    assert_int_equal(buf_len(&x.client_secret) == 0, want != OK);
    assert_int_equal(buf_len(&x.server_public) == 0, want != OK);
    exchange_done(&x);
}

static void values_out_of_range_are_refused(void **state)
{
    static const struct {
        bool is_from_prime;
        int offset;
        enum err want;
    } cases[] = {
        {false, 1, ERR_FORMAT}, {false, 2, OK},        {true, -2, OK},
        {true, -1, ERR_FORMAT}, {true, 0, ERR_FORMAT}, {true, 1, ERR_FORMAT},
        {true, 2, ERR_FORMAT},
    };
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        for (size_t j = 0; j < ARRAY_LEN(cases); j++) {
            BIGNUM *number = prime_of(&groups[i]);
            struct buf value;
            buf_init(&value, 1200);
            if (!cases[j].is_from_prime)
                BN_zero(number);
            assert_int_equal((cases[j].offset < 0 ? BN_sub_word : BN_add_word)(
                                 number, (BN_ULONG)abs(cases[j].offset)),
                             1);
            body_append(number, &value);
            assert_answer(*state, algo_of(&groups[i]), buf_slice(&value), cases[j].want);
            buf_done(&value);
            BN_free(number);
        }
    }
}

static void encodings_that_are_no_mpint_are_refused(void **state)
{
    static const uint8_t long_value[1026] = {0x01};
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"", 0},         {"\0", 1},   {"\0\x02", 2}, {"\0\x7f\xff", 3},
        {"\0\0\x80", 3}, {"\xff", 1}, {"\x80", 1},   {"\xff\xff\xff\xff", 4},
    };
    const struct algo_kex *algo = algo_of(&groups[0]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_answer(*state, algo, slice_of(bad[i].bytes, bad[i].len), ERR_FORMAT);
    assert_answer(*state, algo, slice_of(long_value, sizeof(long_value)), ERR_FORMAT);
    assert_answer(*state, algo, slice_of("\0\x80", 2), OK);
}

static void a_full_buffer_is_an_error(void **state)
{
    const struct algo_kex *algo = algo_of(&groups[0]);
    struct exchange x;
    struct kex_client *client;
    struct buf little;
    exchange_init(&x, *state, algo);
    buf_init_secret(&little, 100);
    assert_int_equal(kex_client_new(&client, *state, algo, NULL, &little), ERR_LIMIT);
    assert_int_equal(
        kex_server(*state, algo, NULL, buf_slice(&x.client_public), &little, &x.server_secret),
        ERR_LIMIT);
    buf_clear(&little);
    assert_int_equal(
        kex_server(*state, algo, NULL, buf_slice(&x.client_public), &x.server_public, &little),
        ERR_LIMIT);
    buf_done(&little);
    exchange_done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_agree),
        cmocka_unit_test(the_secret_is_what_arithmetic_says),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(encodings_that_are_no_mpint_are_refused),
        cmocka_unit_test(a_full_buffer_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
