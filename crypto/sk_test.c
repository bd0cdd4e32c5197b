/*
 * Signatures of security keys, made here from plain keys by the recipe of PROTOCOL.u2f: there is
 * no device. What the device says of touch comes out, and without a touch nothing is verified.
 */
#include "crypto/digest.h"
#include "crypto/privkey.h"
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

struct device {
    const char *type;
    enum key_kind inner; /* the key in the device */
    struct privkey *key;
    struct pubkey *pubkey;
    const struct algo_sign *algo;
    struct buf blob;
};

/* The plain key's blob becomes the security key's: another name, the application behind. */
static void device_init(struct device *d, const struct crypto *c, size_t i)
{
    static const struct device rows[] = {
        {.type = "sk-ssh-ed25519@openssh.com", .inner = KEY_ED25519},
        {.type = "sk-ecdsa-sha2-nistp256@openssh.com", .inner = KEY_ECDSA256},
    };
    struct reader r;
    struct writer w;
    *d = rows[i];
    assert_ok(privkey_generate(&d->key, c, d->inner, 0));
    reader_init(&r, pubkey_blob(privkey_pubkey(d->key)));
    (void)reader_string(&r);
    buf_init(&d->blob, 4096);
    writer_init(&w, &d->blob);
    writer_text(&w, d->type);
    writer_bytes(&w, reader_rest(&r));
    writer_text(&w, "ssh:");
    assert_ok(writer_done(&w));
    d->algo = algo_sign_find(slice_text(d->type));
    assert_non_null(d->algo);
    assert_ok(pubkey_parse(&d->pubkey, c, buf_slice(&d->blob)));
}

static void device_done(struct device *d)
{
    privkey_free(d->key);
    pubkey_free(d->pubkey);
    buf_done(&d->blob);
}

static void device_sign(const struct device *d, const struct crypto *c, const char *application,
                        uint8_t flags, uint32_t counter, struct slice data, struct buf *out)
{
    uint8_t text[32 + 5 + 32];
    struct buf inner;
    struct reader r;
    struct writer w;
    digest(c, DIGEST_SHA256, slice_text(application), text);
    text[32] = flags;
    put_u32(text + 33, counter);
    digest(c, DIGEST_SHA256, data, text + 37);
    buf_init(&inner, 1024);
    const char *name = d->inner == KEY_ED25519 ? "ssh-ed25519" : "ecdsa-sha2-nistp256";
    assert_ok(privkey_sign(d->key, algo_sign_find(slice_text(name)), slice_of(text, sizeof(text)),
                           &inner));
    reader_init(&r, buf_slice(&inner));
    (void)reader_string(&r);
    buf_init(out, 1024);
    writer_init(&w, out);
    writer_text(&w, d->type);
    writer_string(&w, reader_string(&r));
    writer_u8(&w, flags);
    writer_u32(&w, counter);
    assert_ok(writer_done(&w));
    buf_done(&inner);
}

static void flags_and_counter_come_out_and_a_touch_is_wanted(void **state)
{
    static const uint8_t flags[] = {0, SK_TOUCHED, SK_VERIFIED, SK_TOUCHED | SK_VERIFIED, 0x80};
    const struct slice data = slice_text("what is signed");
    for (size_t i = 0; i < 2; i++) {
        struct device d;
        device_init(&d, *state, i);
        assert_true(pubkey_is_sk(d.pubkey));
        assert_false(pubkey_is_sk(privkey_pubkey(d.key)));
        assert_string_equal(pubkey_type_name(d.pubkey), d.type);
        assert_string_equal(pubkey_short_name(d.pubkey), i ? "ECDSA-SK" : "ED25519-SK");
        assert_int_equal(pubkey_bits(d.pubkey), 256);
        for (size_t f = 0; f < ARRAY_LEN(flags); f++) {
            struct sk_signature sk;
            struct buf signature;
            device_sign(&d, *state, "ssh:", flags[f], 77 + (uint32_t)f, data, &signature);
            assert_ok(pubkey_verify_sk(d.pubkey, d.algo, buf_slice(&signature), data, &sk));
            assert_int_equal(sk.flags, flags[f]);
            assert_int_equal(sk.counter, 77 + f);
            assert_int_equal(pubkey_verify(d.pubkey, d.algo, buf_slice(&signature), data),
                             flags[f] & SK_TOUCHED ? OK : ERR_CRYPTO);
            buf_done(&signature);
        }
        device_done(&d);
    }
}

static void whatever_is_touched_no_longer_verifies(void **state)
{
    const struct slice data = slice_text("what is signed");
    for (size_t i = 0; i < 2; i++) {
        struct device d;
        struct buf signature;
        struct sk_signature sk;
        device_init(&d, *state, i);
        device_sign(&d, *state, "ssh:", SK_TOUCHED, 1, data, &signature);
        for (size_t at = 0; at < buf_len(&signature); at++) {
            uint8_t *cut = mem_new(at ? at : 1, 1);
            memcpy(cut, signature.data, at);
            assert_int_equal(pubkey_verify_sk(d.pubkey, d.algo, slice_of(cut, at), data, &sk),
                             ERR_CRYPTO);
            mem_free(cut);
            signature.data[at] ^= 4;
            assert_int_equal(pubkey_verify_sk(d.pubkey, d.algo, buf_slice(&signature), data, &sk),
                             ERR_CRYPTO);
            signature.data[at] ^= 4;
        }
        assert_int_equal(
            pubkey_verify_sk(d.pubkey, d.algo, buf_slice(&signature), slice_text("other"), &sk),
            ERR_CRYPTO);
        buf_done(&signature);
        /* Another application's signature is not for us. */
        device_sign(&d, *state, "ssh:other", SK_TOUCHED, 1, data, &signature);
        assert_int_equal(pubkey_verify_sk(d.pubkey, d.algo, buf_slice(&signature), data, &sk),
                         ERR_CRYPTO);
        buf_done(&signature);
        device_done(&d);
    }
}

/* The key in a device is not the plain key of the same numbers. */
static void plain_and_security_keys_do_not_mix(void **state)
{
    const struct slice data = slice_text("d");
    struct device d;
    struct buf signature;
    struct sk_signature sk;
    const struct algo_sign *plain = algo_sign_find(slice_text("ssh-ed25519"));
    device_init(&d, *state, 0);
    buf_init(&signature, 1024);
    assert_ok(privkey_sign(d.key, plain, data, &signature));
    assert_int_equal(pubkey_verify(d.pubkey, plain, buf_slice(&signature), data), ERR_CRYPTO);
    assert_int_equal(pubkey_verify(d.pubkey, d.algo, buf_slice(&signature), data), ERR_CRYPTO);
    assert_ok(pubkey_verify_sk(privkey_pubkey(d.key), plain, buf_slice(&signature), data, &sk));
    assert_int_equal(sk.flags, 0);
    buf_done(&signature);
    for (size_t n = 0; n < buf_len(&d.blob); n++) {
        struct pubkey *k;
        uint8_t *cut = mem_new(n ? n : 1, 1);
        memcpy(cut, d.blob.data, n);
        assert_int_not_equal(pubkey_parse(&k, *state, slice_of(cut, n)), OK);
        mem_free(cut);
    }
    device_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_and_counter_come_out_and_a_touch_is_wanted),
        cmocka_unit_test(whatever_is_touched_no_longer_verifies),
        cmocka_unit_test(plain_and_security_keys_do_not_mix),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
