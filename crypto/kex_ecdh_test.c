/* Both sides agree; values that are no points, or points of small order, are refused. */
#include "crypto/kex_ecdh.h"
#include "crypto/test_help.h"
#include "tests/unit.h"
#include "wire/reader.h"

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

static size_t public_len(const struct algo_kex *algo)
{
    static const size_t lengths[] = {
        [KEX_CURVE25519] = 32, [KEX_NISTP256] = 65, [KEX_NISTP384] = 97, [KEX_NISTP521] = 133};
    return lengths[algo->kind];
}

/* The curves come first; the groups behind them have a test of their own. */
static bool is_curve(size_t i)
{
    return algo_kex_at(i) && algo_kex_at(i)->kind <= KEX_NISTP521;
}

struct exchange {
    struct kex_client *client;
    struct buf client_public;
    struct buf server_public;
    struct buf client_secret;
    struct buf server_secret;
};

static void exchange_init(struct exchange *x, const struct crypto *c, const struct algo_kex *algo)
{
    buf_init(&x->client_public, 200);
    buf_init(&x->server_public, 200);
    buf_init_secret(&x->client_secret, 200);
    buf_init_secret(&x->server_secret, 200);
    assert_ok(kex_client_new(&x->client, c, algo, NULL, &x->client_public));
    assert_int_equal(buf_len(&x->client_public), public_len(algo));
}

static void exchange_done(struct exchange *x)
{
    kex_client_free(x->client);
    buf_done(&x->client_public);
    buf_done(&x->server_public);
    buf_done(&x->client_secret);
    buf_done(&x->server_secret);
}

static void both_sides_agree_on_a_minimal_mpint(void **state)
{
    for (size_t i = 0; is_curve(i); i++) {
        const struct algo_kex *algo = algo_kex_at(i);
        /* Often enough that leading zeros and high bits come up. */
        for (int round = 0; round < (algo->kind == KEX_CURVE25519 ? 300 : 10); round++) {
            struct exchange x;
            exchange_init(&x, *state, algo);
            assert_ok(kex_server(*state, algo, NULL, buf_slice(&x.client_public), &x.server_public,
                                 &x.server_secret));
            assert_int_equal(buf_len(&x.server_public), public_len(algo));
            assert_ok(kex_client_finish(x.client, buf_slice(&x.server_public), &x.client_secret));
            assert_true(slice_equal(buf_slice(&x.client_secret), buf_slice(&x.server_secret)));
            struct reader r;
            reader_init(&r, buf_slice(&x.client_secret));
            assert_true(reader_mpint(&r, 66).len > 24);
            assert_ok(reader_done(&r));
            exchange_done(&x);
        }
    }
    kex_client_free(NULL);
}

/* Both ends must say the same about a value. */
static void assert_refused(const struct crypto *c, const struct algo_kex *algo, struct slice value,
                           enum err want)
{
    struct exchange x;
    exchange_init(&x, c, algo);
    assert_int_equal(kex_server(c, algo, NULL, value, &x.server_public, &x.server_secret), want);
    assert_int_equal(kex_client_finish(x.client, value, &x.client_secret), want);
    assert_int_equal(buf_len(&x.server_public), 0);
    assert_int_equal(buf_len(&x.server_secret), 0);
    assert_int_equal(buf_len(&x.client_secret), 0);
    exchange_done(&x);
}

static void every_wrong_length_is_refused(void **state)
{
    for (size_t i = 0; is_curve(i); i++) {
        const struct algo_kex *algo = algo_kex_at(i);
        struct exchange x;
        uint8_t value[134] = {0};
        exchange_init(&x, *state, algo);
        memcpy(value, x.client_public.data, public_len(algo));
        for (size_t length = 0; length <= public_len(algo) + 1; length++) {
            if (length != public_len(algo))
                assert_refused(*state, algo, slice_of(value, length), ERR_FORMAT);
        }
        exchange_done(&x);
    }
}

/* RFC 7748 6.1, RFC 8731 3: values whose multiple is zero whatever the key is. */
static void small_order_values_are_refused(void **state)
{
    static const char *const values[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
    };
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        uint8_t value[32];
        hex_decode(values[i], value);
        assert_refused(*state, algo_kex_at(0), slice_of(value, 32), ERR_CRYPTO);
        assert_refused(*state, algo_kex_at(1), slice_of(value, 32), ERR_CRYPTO);
    }
}

static void points_not_on_the_curve_are_refused(void **state)
{
    for (size_t i = 2; is_curve(i); i++) {
        const struct algo_kex *algo = algo_kex_at(i);
        size_t length = public_len(algo);
        struct exchange x;
        uint8_t value[133];
        exchange_init(&x, *state, algo);
        for (size_t at = 1; at < length; at++) {
            memcpy(value, x.client_public.data, length);
            value[at] ^= 1;
            assert_refused(*state, algo, slice_of(value, length), ERR_FORMAT);
        }
        memset(value, 0, length);
        assert_refused(*state, algo, slice_of(value, length), ERR_FORMAT);
        value[0] = 4;
        assert_refused(*state, algo, slice_of(value, length), ERR_FORMAT);
        memset(value + 1, 0xff, length - 1);
        assert_refused(*state, algo, slice_of(value, length), ERR_FORMAT);
        exchange_done(&x);
    }
}

static void only_the_uncompressed_form_is_taken(void **state)
{
    for (size_t i = 2; is_curve(i); i++) {
        const struct algo_kex *algo = algo_kex_at(i);
        size_t length = public_len(algo);
        struct exchange x;
        uint8_t value[133];
        exchange_init(&x, *state, algo);
        memcpy(value, x.client_public.data, length);
        uint8_t parity = value[length - 1] & 1;
        value[0] = (uint8_t)(2 + parity);
        assert_refused(*state, algo, slice_of(value, 1 + length / 2), ERR_FORMAT);
        assert_refused(*state, algo, slice_of(value, length), ERR_FORMAT);
        /* The hybrid form says the same point twice, in the uncompressed form's length. */
        value[0] = (uint8_t)(6 + parity);
        assert_refused(*state, algo, slice_of(value, length), ERR_FORMAT);
        value[0] = 0;
        assert_refused(*state, algo, slice_of(value, 1), ERR_FORMAT);
        exchange_done(&x);
    }
}

static void a_full_secret_buffer_is_an_error(void **state)
{
    struct exchange x;
    struct buf little;
    exchange_init(&x, *state, algo_kex_at(0));
    buf_init_secret(&little, 8);
    assert_int_equal(kex_server(*state, algo_kex_at(0), NULL, buf_slice(&x.client_public),
                                &x.server_public, &little),
                     ERR_LIMIT);
    buf_done(&little);
    exchange_done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_agree_on_a_minimal_mpint),
        cmocka_unit_test(every_wrong_length_is_refused),
        cmocka_unit_test(small_order_values_are_refused),
        cmocka_unit_test(points_not_on_the_curve_are_refused),
        cmocka_unit_test(only_the_uncompressed_form_is_taken),
        cmocka_unit_test(a_full_secret_buffer_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
