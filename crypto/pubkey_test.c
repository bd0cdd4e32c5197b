/*
 * Blobs and signatures: published vectors hold, and nothing that is cut, touched, mislabelled or
 * beyond a limit does.
 */
#include "crypto/digest.h"
#include "crypto/legacy.h"
#include "crypto/privkey.h"
#include "crypto/pubkey.h"
#include "crypto/test_help.h"
#include "tests/unit.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define KINDS (KEY_RSA + 1)

static struct crypto *crypto;
static struct privkey *keys[KINDS];

/* A security key signs in its device: sk_test has those. */
static bool is_signed_here(size_t i)
{
    return algo_sign_at(i) && algo_sign_at(i)->kind <= KEY_RSA;
}

static int setup(void **state)
{
    (void)state;
    crypto = crypto_new();
    for (size_t i = 0; i < KINDS; i++) {
        if (privkey_generate(&keys[i], crypto, (enum key_kind)i, i == KEY_RSA ? 2048 : 0) != OK)
            return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++)
        privkey_free(keys[i]);
    crypto_free(crypto);
    return 0;
}

static enum err parse_err(struct slice blob)
{
    struct pubkey *k = NULL;
    enum err err = pubkey_parse(&k, crypto, blob);
    assert_true((err == OK) == (k != NULL));
    pubkey_free(k);
    return err;
}

static const struct algo_sign *sign_named(const char *name)
{
    const struct algo_sign *algo = algo_sign_find(slice_text(name));
    assert_non_null(algo);
    return algo;
}

/* A blob or signature of a name and one string behind it. */
static void two_strings(struct buf *out, const char *name, struct slice body)
{
    struct writer w;
    buf_init(out, PUBKEY_BLOB_MAX);
    writer_init(&w, out);
    writer_text(&w, name);
    writer_string(&w, body);
    assert_ok(writer_done(&w));
}

static void every_kind_is_known_by_its_blob(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *short_name;
        unsigned bits;
    } want[KINDS] = {
        [KEY_ED25519] = {"ssh-ed25519", "ED25519", 256},
        [KEY_ECDSA256] = {"ecdsa-sha2-nistp256", "ECDSA", 256},
        [KEY_ECDSA384] = {"ecdsa-sha2-nistp384", "ECDSA", 384},
        [KEY_ECDSA521] = {"ecdsa-sha2-nistp521", "ECDSA", 521},
        [KEY_RSA] = {"ssh-rsa", "RSA", 2048},
    };
    for (size_t i = 0; i < KINDS; i++) {
        struct pubkey *k;
        struct slice blob = pubkey_blob(privkey_pubkey(keys[i]));
        assert_ok(pubkey_parse(&k, crypto, blob));
        assert_int_equal(pubkey_kind(k), i);
        assert_int_equal(pubkey_bits(k), want[i].bits);
        assert_string_equal(pubkey_type_name(k), want[i].type);
        assert_string_equal(pubkey_short_name(k), want[i].short_name);
        assert_true(slice_equal(pubkey_blob(k), blob));
        assert_ptr_not_equal(pubkey_blob(k).ptr, blob.ptr);
        pubkey_free(k);
    }
    pubkey_free(NULL);
}

static void a_blob_cut_anywhere_or_with_more_behind_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct slice blob = pubkey_blob(privkey_pubkey(keys[i]));
        for (size_t n = 0; n < blob.len; n++) {
            /* On the heap, so that a sanitizer sees a read past the end. */
            uint8_t *cut = mem_new(n, 1);
            memcpy(cut, blob.ptr, n);
            assert_int_equal(parse_err(slice_of(cut, n)), ERR_FORMAT);
            mem_free(cut);
        }
        struct buf more;
        buf_init(&more, PUBKEY_BLOB_MAX);
        assert_ok(buf_append_slice(&more, blob));
        assert_ok(buf_append(&more, "", 1));
        assert_int_equal(parse_err(buf_slice(&more)), ERR_FORMAT);
        buf_done(&more);
    }
    static const uint8_t big[PUBKEY_BLOB_MAX + 1];
    assert_int_equal(parse_err(slice_of(big, sizeof(big))), ERR_LIMIT);
}

/* Keys of a kind that only old configurations name are parsed, but only their own door verifies. */
static void dss_keys_verify_by_the_legacy_name_alone(void **state)
{
    /* Made with ssh-keygen -t dsa, signed with openssl dgst -sha1: r and s of 20 bytes each. */
    static const char key_hex[] =
        "000000077373682d6473730000008100a649363261153693ffd4eedfafb5158df39846f781f6d8a7"
        "aeebd72493625bf2fd17e9d1c784713dd8aa44658841fb7ee5036b99cffd2841c5953adab22ad313"
        "64c5e3a683d935e5e17d6bae669b618b7ec016f526a12bea5bf2fd14eba9d05a06927736068cb617"
        "9beee472373aef915462a2ae6cb85befc4a0adae69edd67900000015008b1c3be4baa6453c3fd125"
        "ddaa89b60fb456d8d7000000800f8a1d396e0a3885085bbcca51b90186a62fad22a087987543d4ae"
        "101051d990a204a9630bef7619ff45e3829ac35eb2e64b26ba2b618c6189e1d8b838bfd5986c305e"
        "429dd20e5dbb2511a96a51efe40fe13c31b287c21c48177f83d3283e98dacdf40e69ccdf6781ef13"
        "3995171546ab5dcf204600b3250a20d90713596563000000805196f45637d9b8a49837cc3e8cc805"
        "df7868087497948be0745b990b4218f4d10e36980051b077d2a718c5a31b585016ed6d05b4a02bdf"
        "121e94e27938d2e34c40dc7ba9f7740e16c1718c77a8e8e777de027aa7079eb74202117de0c5d876"
        "bdeaf95254c60df072008ffbefe652dbe64269f595860049fecd00032a4ab26a0a";
    static const char signature_hex[] =
        "59b892151cae28bfb9acb2f859a1b8c8bc03afae602b09350b427122c371d2f6e836e0020552e96a";
    uint8_t blob[1024], raw[64];
    size_t blob_len = hex_decode(key_hex, blob), raw_len = hex_decode(signature_hex, raw);
    struct slice data = slice_text("a message");
    struct crypto *c = crypto_new();
    struct pubkey *k;
    struct buf signature;
    (void)state;
    assert_ok(pubkey_parse(&k, c, slice_of(blob, blob_len)));
    assert_int_equal(pubkey_kind(k), KEY_DSS);
    assert_int_equal(pubkey_bits(k), 1024);
    assert_null(algo_sign_find(slice_text("ssh-dss")));
    const struct algo_sign *algo = legacy_sign_find(slice_text("ssh-dss"));
    for (size_t i = 0; i <= raw_len; i++) {
        if (i)
            raw[i - 1] ^= 1;
        two_strings(&signature, "ssh-dss", slice_of(raw, raw_len));
        assert_int_equal(pubkey_verify(k, algo, buf_slice(&signature), data), i ? ERR_CRYPTO : OK);
        buf_done(&signature);
        if (i)
            raw[i - 1] ^= 1;
    }
    two_strings(&signature, "ssh-dss", slice_of(raw, raw_len - 1));
    assert_int_equal(pubkey_verify(k, algo, buf_slice(&signature), data), ERR_CRYPTO);
    buf_done(&signature);
    pubkey_free(k);
    for (size_t n = 0; n < blob_len; n++)
        assert_int_not_equal(pubkey_parse(&k, c, slice_of(blob, n)), OK);
    crypto_free(c);
}

static void types_that_are_not_built_are_named_so(void **state)
{
    (void)state;
    static const char *const names[] = {
        "ssh-ed448", "rsa-sha2-256", "sk-ssh-ed448@openssh.com",
        "",          "ssh-ed2551",   "ssh-ed25519-cert-v01@openssh.com",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct buf blob;
        two_strings(&blob, names[i], slice_text("x"));
        assert_int_equal(parse_err(buf_slice(&blob)), ERR_UNSUPPORTED);
        buf_done(&blob);
    }
}

static void an_ed25519_key_has_32_bytes(void **state)
{
    (void)state;
    uint8_t raw[40] = {1};
    for (size_t n = 0; n < sizeof(raw); n++) {
        struct buf blob;
        two_strings(&blob, "ssh-ed25519", slice_of(raw, n));
        assert_int_equal(parse_err(buf_slice(&blob)), n == 32 ? OK : ERR_FORMAT);
        buf_done(&blob);
    }
}

static enum err ecdsa_err(const char *type, const char *curve, struct slice point)
{
    struct buf blob;
    struct writer w;
    buf_init(&blob, 1000);
    writer_init(&w, &blob);
    writer_text(&w, type);
    writer_text(&w, curve);
    writer_string(&w, point);
    enum err err = parse_err(buf_slice(&blob));
    buf_done(&blob);
    return err;
}

static void an_ecdsa_key_is_an_uncompressed_point_on_its_curve(void **state)
{
    (void)state;
    static const char *const curves[] = {"nistp256", "nistp384", "nistp521"};
    for (size_t i = KEY_ECDSA256; i <= KEY_ECDSA521; i++) {
        const struct pubkey *k = privkey_pubkey(keys[i]);
        const char *type = pubkey_type_name(k);
        const char *curve = curves[i - KEY_ECDSA256];
        struct reader r;
        uint8_t point[134];
        reader_init(&r, pubkey_blob(k));
        reader_string(&r);
        assert_true(slice_is(reader_string(&r), curve));
        struct slice good = reader_string(&r);
        memcpy(point, good.ptr, good.len);
        assert_ok(ecdsa_err(type, curve, good));
        for (size_t j = 0; j < 3; j++) {
            if (curves[j] != curve)
                assert_int_equal(ecdsa_err(type, curves[j], good), ERR_FORMAT);
        }
        assert_int_equal(ecdsa_err(type, "secp256k1", good), ERR_FORMAT);
        for (size_t at = 0; at < good.len; at++) {
            point[at] ^= 0x01;
            assert_int_equal(ecdsa_err(type, curve, slice_of(point, good.len)), ERR_FORMAT);
            point[at] ^= 0x01;
        }
        assert_int_equal(ecdsa_err(type, curve, slice_of("", 1)), ERR_FORMAT);
        uint8_t parity = good.ptr[good.len - 1] & 1;
        point[0] = (uint8_t)(2 + parity);
        assert_int_equal(ecdsa_err(type, curve, slice_of(point, 1 + good.len / 2)), ERR_FORMAT);
        point[0] = (uint8_t)(6 + parity);
        assert_int_equal(ecdsa_err(type, curve, slice_of(point, good.len)), ERR_FORMAT);
    }
}

/* Raw bytes, so that encodings which writer_mpint would not make can be shown, too. */
static enum err rsa_err(struct slice e, struct slice n)
{
    struct buf blob;
    struct writer w;
    buf_init(&blob, PUBKEY_BLOB_MAX);
    writer_init(&w, &blob);
    writer_text(&w, "ssh-rsa");
    writer_string(&w, e);
    writer_string(&w, n);
    enum err err = parse_err(buf_slice(&blob));
    buf_done(&blob);
    return err;
}

/* An odd number of so many bits as an mpint; whether it is a product of primes nobody can see. */
static struct slice modulus(unsigned bits)
{
    static uint8_t bytes[2100];
    size_t n = bits / 8 + 1;
    memset(bytes, 0x5a, sizeof(bytes));
    bytes[0] = (uint8_t)(bits % 8 ? 1U << (bits % 8 - 1) : 0);
    if (bits % 8 == 0)
        bytes[1] = 0x80;
    bytes[n - 1] |= 1;
    return slice_of(bytes, n);
}

static void rsa_sizes_have_limits(void **state)
{
    (void)state;
    struct slice e = slice_of("\x01\x00\x01", 3);
    assert_ok(rsa_err(e, modulus(2048)));
    assert_ok(rsa_err(e, modulus(2049)));
    assert_ok(rsa_err(e, modulus(16384)));
    assert_int_equal(rsa_err(e, modulus(1024)), ERR_LIMIT);
    assert_int_equal(rsa_err(e, modulus(2047)), ERR_LIMIT);
    assert_int_equal(rsa_err(e, modulus(2040)), ERR_LIMIT);
    assert_int_equal(rsa_err(e, modulus(16385)), ERR_LIMIT);
    assert_int_equal(rsa_err(e, modulus(16400)), ERR_LIMIT);
    assert_int_equal(rsa_err(e, SLICE_NONE), ERR_LIMIT);
    struct slice n = modulus(2048);
    assert_ok(rsa_err(slice_of("\x03", 1), n));
    assert_ok(rsa_err(slice_of("\0\xff\xff\xff\xff\xff\xff\xff\xff", 9), n));
    assert_int_equal(rsa_err(slice_of("\x01\0\0\0\0\0\0\0\x01", 9), n), ERR_LIMIT);
}

static void rsa_numbers_are_odd_positive_and_minimal(void **state)
{
    (void)state;
    struct slice n = modulus(2048);
    assert_int_equal(rsa_err(SLICE_NONE, n), ERR_FORMAT);
    assert_int_equal(rsa_err(slice_of("\x01", 1), n), ERR_FORMAT);
    assert_int_equal(rsa_err(slice_of("\x02", 1), n), ERR_FORMAT);
    assert_int_equal(rsa_err(slice_of("\x01\x00\x00", 3), n), ERR_FORMAT);
    assert_int_equal(rsa_err(slice_of("\x00\x03", 2), n), ERR_FORMAT);
    assert_int_equal(rsa_err(slice_of("\x83", 1), n), ERR_FORMAT);
    /* Without its zero byte the modulus is negative. */
    assert_int_equal(rsa_err(slice_of("\x03", 1), slice_of(n.ptr + 1, n.len - 1)), ERR_FORMAT);
    uint8_t even[257];
    memcpy(even, n.ptr, n.len);
    even[256] &= 0xfe;
    assert_int_equal(rsa_err(slice_of("\x03", 1), slice_of(even, n.len)), ERR_FORMAT);
}

/* A public key by its parts, a signature by its raw bytes. */
static enum err ed25519_verify(const char *public_hex, struct slice raw, struct slice data)
{
    uint8_t point[32];
    struct buf blob;
    struct buf signature;
    struct pubkey *k;
    hex_decode(public_hex, point);
    two_strings(&blob, "ssh-ed25519", slice_of(point, 32));
    assert_ok(pubkey_parse(&k, crypto, buf_slice(&blob)));
    two_strings(&signature, "ssh-ed25519", raw);
    enum err err = pubkey_verify(k, sign_named("ssh-ed25519"), buf_slice(&signature), data);
    buf_done(&signature);
    buf_done(&blob);
    pubkey_free(k);
    return err;
}

/* RFC 8032 7.1, tests 1 and 3. */
static const char *const rfc8032_public[] = {
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
};
static const char *const rfc8032_signature[] = {
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
    "b46bd25bf5f0595bbe24655141438e7a100b",
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
    "c6594a7c15e9716ed28dc027beceea1ec40a",
};

static void ed25519_matches_rfc_8032(void **state)
{
    (void)state;
    uint8_t raw[65] = {0};
    hex_decode(rfc8032_signature[0], raw);
    assert_ok(ed25519_verify(rfc8032_public[0], slice_of(raw, 64), SLICE_NONE));
    assert_int_equal(ed25519_verify(rfc8032_public[0], slice_of(raw, 64), slice_text("x")),
                     ERR_CRYPTO);
    assert_int_equal(ed25519_verify(rfc8032_public[1], slice_of(raw, 64), SLICE_NONE), ERR_CRYPTO);
    hex_decode(rfc8032_signature[1], raw);
    assert_ok(ed25519_verify(rfc8032_public[1], slice_of(raw, 64), slice_text("\xaf\x82")));
    for (size_t n = 0; n <= 65; n++) {
        enum err err = ed25519_verify(rfc8032_public[1], slice_of(raw, n), slice_text("\xaf\x82"));
        assert_int_equal(err, n == 64 ? OK : ERR_CRYPTO);
    }
}

/* RFC 8032 5.1.7: S plus the group's order verifies in careless code: a second signature. */
static void ed25519_takes_only_the_small_s(void **state)
{
    (void)state;
    uint8_t raw[64];
    uint8_t order[32];
    hex_decode(rfc8032_signature[0], raw);
    hex_decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", order);
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)raw[32 + i] + order[i];
        raw[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_int_equal(ed25519_verify(rfc8032_public[0], slice_of(raw, 64), SLICE_NONE), ERR_CRYPTO);
}

/* RFC 6979 A.2.5: P-256, SHA-256, "sample". */
static const char rfc6979_point[] =
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
static const char rfc6979_r[] = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
static const char rfc6979_s[] = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";

/* Verifies a raw signature under the key of RFC 6979. */
static enum err ecdsa_verify(struct slice raw)
{
    uint8_t point[65];
    struct buf blob;
    struct buf signature;
    struct writer w;
    struct pubkey *k;
    hex_decode(rfc6979_point, point);
    buf_init(&blob, 1000);
    writer_init(&w, &blob);
    writer_text(&w, "ecdsa-sha2-nistp256");
    writer_text(&w, "nistp256");
    writer_string(&w, slice_of(point, 65));
    assert_ok(pubkey_parse(&k, crypto, buf_slice(&blob)));
    two_strings(&signature, "ecdsa-sha2-nistp256", raw);
    enum err err = pubkey_verify(k, sign_named("ecdsa-sha2-nistp256"), buf_slice(&signature),
                                 slice_text("sample"));
    buf_done(&signature);
    buf_done(&blob);
    pubkey_free(k);
    return err;
}

static enum err ecdsa_verify_pair(struct slice r, struct slice s)
{
    struct buf raw;
    struct writer w;
    buf_init(&raw, 1000);
    writer_init(&w, &raw);
    writer_string(&w, r);
    writer_string(&w, s);
    enum err err = ecdsa_verify(buf_slice(&raw));
    buf_done(&raw);
    return err;
}

static void ecdsa_matches_rfc_6979_in_one_encoding_only(void **state)
{
    (void)state;
    uint8_t r[34] = {0};
    uint8_t s[34] = {0};
    hex_decode(rfc6979_r, r + 2);
    hex_decode(rfc6979_s, s + 2);
    struct slice good_r = slice_of(r + 1, 33);
    struct slice good_s = slice_of(s + 1, 33);
    assert_ok(ecdsa_verify_pair(good_r, good_s));
    assert_int_equal(ecdsa_verify_pair(good_s, good_r), ERR_CRYPTO);
    /* Negative, padded, zero, absent. */
    assert_int_equal(ecdsa_verify_pair(slice_of(r + 2, 32), good_s), ERR_CRYPTO);
    assert_int_equal(ecdsa_verify_pair(slice_of(r, 34), good_s), ERR_CRYPTO);
    assert_int_equal(ecdsa_verify_pair(good_r, slice_of(s, 34)), ERR_CRYPTO);
    assert_int_equal(ecdsa_verify_pair(SLICE_NONE, good_s), ERR_CRYPTO);
    assert_int_equal(ecdsa_verify_pair(good_r, SLICE_NONE), ERR_CRYPTO);
    assert_int_equal(ecdsa_verify_pair(SLICE_NONE, SLICE_NONE), ERR_CRYPTO);
    /* DER, as libcrypto writes it, is not SSH. */
    uint8_t der[72] = {0x30, 0x46, 0x02, 0x21};
    memcpy(der + 4, r + 1, 33);
    der[37] = 0x02;
    der[38] = 0x21;
    memcpy(der + 39, s + 1, 33);
    assert_int_equal(ecdsa_verify(slice_of(der, sizeof(der))), ERR_CRYPTO);
}

static void sign_with(const struct algo_sign *algo, struct slice data, struct buf *signature)
{
    buf_init(signature, 5000);
    assert_ok(privkey_sign(keys[algo->kind], algo, data, signature));
}

static void a_signature_cut_or_touched_anywhere_is_refused(void **state)
{
    (void)state;
    struct slice data = slice_text("what is signed");
    for (size_t i = 0; is_signed_here(i); i++) {
        const struct algo_sign *algo = algo_sign_at(i);
        const struct pubkey *k = privkey_pubkey(keys[algo->kind]);
        struct buf good;
        sign_with(algo, data, &good);
        assert_ok(pubkey_verify(k, algo, buf_slice(&good), data));
        for (size_t n = 0; n < buf_len(&good); n++) {
            uint8_t *cut = mem_new(n, 1);
            memcpy(cut, good.data, n);
            assert_int_equal(pubkey_verify(k, algo, slice_of(cut, n), data), ERR_CRYPTO);
            mem_free(cut);
            good.data[n] ^= 1;
            assert_int_equal(pubkey_verify(k, algo, buf_slice(&good), data), ERR_CRYPTO);
            good.data[n] ^= 1;
        }
        assert_int_equal(pubkey_verify(k, algo, buf_slice(&good), slice_of(data.ptr, 13)),
                         ERR_CRYPTO);
        assert_ok(buf_append(&good, "", 1));
        assert_int_equal(pubkey_verify(k, algo, buf_slice(&good), data), ERR_CRYPTO);
        buf_done(&good);
    }
}

/* RFC 8332 3: what was asked for, what the blob says and what the key is must be one. */
static void an_algorithm_that_was_not_asked_for_is_refused(void **state)
{
    (void)state;
    struct slice data = slice_text("d");
    for (size_t made = 0; is_signed_here(made); made++) {
        struct buf signature;
        sign_with(algo_sign_at(made), data, &signature);
        for (size_t asked = 0; is_signed_here(asked); asked++) {
            for (size_t kind = 0; kind < KINDS; kind++) {
                enum err err = pubkey_verify(privkey_pubkey(keys[kind]), algo_sign_at(asked),
                                             buf_slice(&signature), data);
                bool fits = made == asked && algo_sign_at(made)->kind == kind;
                assert_int_equal(err, fits ? OK : ERR_CRYPTO);
            }
        }
        buf_done(&signature);
    }
    /* The bytes of one hash under the name of the other. */
    struct buf signature;
    struct buf renamed;
    struct reader r;
    sign_with(sign_named("rsa-sha2-256"), data, &signature);
    reader_init(&r, buf_slice(&signature));
    reader_string(&r);
    two_strings(&renamed, "rsa-sha2-512", reader_string(&r));
    assert_int_equal(pubkey_verify(privkey_pubkey(keys[KEY_RSA]), sign_named("rsa-sha2-512"),
                                   buf_slice(&renamed), data),
                     ERR_CRYPTO);
    buf_done(&renamed);
    buf_done(&signature);
}

static enum err rsa_verify_raw(struct slice raw, struct slice data)
{
    struct buf signature;
    two_strings(&signature, "rsa-sha2-256", raw);
    enum err err = pubkey_verify(privkey_pubkey(keys[KEY_RSA]), sign_named("rsa-sha2-256"),
                                 buf_slice(&signature), data);
    buf_done(&signature);
    return err;
}

static void an_rsa_signature_may_miss_its_zeros_but_not_have_more(void **state)
{
    (void)state;
    bool seen = false;
    for (uint32_t i = 0; i < 10000 && !seen; i++) {
        uint8_t data[4];
        uint8_t longer[257] = {0};
        struct buf signature;
        struct reader r;
        put_u32(data, i);
        sign_with(sign_named("rsa-sha2-256"), slice_of(data, 4), &signature);
        reader_init(&r, buf_slice(&signature));
        reader_string(&r);
        struct slice raw = reader_string(&r);
        assert_int_equal(raw.len, 256);
        seen = raw.ptr[0] == 0;
        if (seen) {
            memcpy(longer + 1, raw.ptr, 256);
            assert_ok(rsa_verify_raw(raw, slice_of(data, 4)));
            assert_ok(rsa_verify_raw(slice_of(raw.ptr + 1, 255), slice_of(data, 4)));
            assert_int_equal(rsa_verify_raw(slice_of(longer, 257), slice_of(data, 4)), ERR_CRYPTO);
            assert_int_equal(rsa_verify_raw(slice_of(raw.ptr, 255), slice_of(data, 4)), ERR_CRYPTO);
        }
        buf_done(&signature);
    }
    assert_true(seen);
    assert_int_equal(rsa_verify_raw(SLICE_NONE, SLICE_NONE), ERR_CRYPTO);
}

/* A key made for this test; the fingerprints are as OpenSSH 9.2's ssh-keygen -l prints them. */
static const char line[] = "ssh-ed25519 "
                           "AAAAC3NzaC1lZDI1NTE5AAAAIJh9m7T5dRSBiQaBIGi/wsY0eJS8SPFer5qACJX9tY3q"
                           " fixture  ed25519";

static void fingerprints_are_as_ssh_keygen_prints_them(void **state)
{
    (void)state;
    struct slice type;
    struct slice comment;
    struct buf blob;
    buf_init(&blob, PUBKEY_BLOB_MAX);
    assert_ok(pubkey_line_parse(slice_text(line), &type, &blob, &comment));
    assert_true(slice_is(type, "ssh-ed25519"));
    assert_true(slice_is(comment, "fixture  ed25519"));
    char *sha256 = fingerprint_sha256(crypto, buf_slice(&blob));
    char *md5 = fingerprint_md5(crypto, buf_slice(&blob));
    assert_string_equal(sha256, "SHA256:MSCyq5SDLpw7rmGINaov4LpFQD8z6rw50DNWbfAAKCc");
    assert_string_equal(md5, "MD5:cc:55:46:53:d2:1e:c5:5e:b7:f2:dc:85:7d:cd:41:4f");
    mem_free(sha256);
    mem_free(md5);
    buf_done(&blob);
}

static enum err line_err(const char *text, size_t cap)
{
    struct slice type;
    struct slice comment;
    struct buf blob;
    buf_init(&blob, cap);
    enum err err = pubkey_line_parse(slice_text(text), &type, &blob, &comment);
    assert_true(err == OK || buf_len(&blob) == 0);
    buf_done(&blob);
    return err;
}

static void a_line_is_a_type_its_blob_and_a_comment(void **state)
{
    (void)state;
    static const char base64[] =
        "AAAAC3NzaC1lZDI1NTE5AAAAIJh9m7T5dRSBiQaBIGi/wsY0eJS8SPFer5qACJX9tY3q";
    static const struct {
        const char *format;
        enum err err;
    } cases[] = {
        {"ssh-ed25519 %s", OK},
        {"  ssh-ed25519\t\t%s\r\n", OK},
        {"ssh-ed25519 %s a comment ", OK},
        {"ssh-rsa %s", ERR_FORMAT},
        {"ssh-ed2551 %s", ERR_FORMAT},
        {"ssh-ed25519%s", ERR_FORMAT},
        {"%s", ERR_FORMAT},
        {"ssh-ed25519 x%s", ERR_FORMAT},
        {"ssh-ed25519 *%s", ERR_FORMAT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[200] = "";
        const char *hole = strstr(cases[i].format, "%s");
        size_t before = (size_t)(hole - cases[i].format);
        memcpy(text, cases[i].format, before);
        memcpy(text + before, base64, strlen(base64));
        memcpy(text + before + strlen(base64), hole + 2, strlen(hole + 2));
        assert_int_equal(line_err(text, 1000), cases[i].err);
    }
    assert_int_equal(line_err("", 1000), ERR_FORMAT);
    assert_int_equal(line_err("ssh-ed25519", 1000), ERR_FORMAT);
    assert_int_equal(line_err("ssh-ed25519 AAAA", 1000), ERR_FORMAT);
    assert_int_equal(line_err(line, 20), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_known_by_its_blob),
        cmocka_unit_test(a_blob_cut_anywhere_or_with_more_behind_is_refused),
        cmocka_unit_test(dss_keys_verify_by_the_legacy_name_alone),
        cmocka_unit_test(types_that_are_not_built_are_named_so),
        cmocka_unit_test(an_ed25519_key_has_32_bytes),
        cmocka_unit_test(an_ecdsa_key_is_an_uncompressed_point_on_its_curve),
        cmocka_unit_test(rsa_sizes_have_limits),
        cmocka_unit_test(rsa_numbers_are_odd_positive_and_minimal),
        cmocka_unit_test(ed25519_matches_rfc_8032),
        cmocka_unit_test(ed25519_takes_only_the_small_s),
        cmocka_unit_test(ecdsa_matches_rfc_6979_in_one_encoding_only),
        cmocka_unit_test(a_signature_cut_or_touched_anywhere_is_refused),
        cmocka_unit_test(an_algorithm_that_was_not_asked_for_is_refused),
        cmocka_unit_test(an_rsa_signature_may_miss_its_zeros_but_not_have_more),
        cmocka_unit_test(fingerprints_are_as_ssh_keygen_prints_them),
        cmocka_unit_test(a_line_is_a_type_its_blob_and_a_comment),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
