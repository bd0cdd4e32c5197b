/*
 * Public keys and signatures as SSH writes them. Every byte here comes from a peer or from a file
 * that a user wrote, so sizes are looked at before libcrypto builds anything. Whether a key is
 * trusted is not known here.
 */
#include "crypto/pubkey.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "crypto/crypto_internal.h"
#include "crypto/digest.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define RSA_EXPONENT_MAX      8 /* bytes */
#define ED25519_SIGNATURE_LEN 64
#define SHA256_LEN            32
#define DSS_NUMBER_LEN        20
#define DSS_BITS_MIN          1024
#define DSS_BITS_MAX          3072
#define NAME_MAX_LEN          64

struct pubkey {
    enum key_kind kind;
    unsigned bits;
    EVP_PKEY *pkey;
    struct buf blob;
    uint8_t application[SHA256_LEN]; /* of a security key: its hash is what is signed */
};

static bool kind_find(struct slice name, enum key_kind *kind)
{
    for (size_t i = 0; i < KEY_KINDS; i++) {
        if (slice_is(name, crypto_key_type((enum key_kind)i)->name)) {
            *kind = (enum key_kind)i;
            return true;
        }
    }
    return false;
}

static bool is_sk(enum key_kind kind)
{
    return kind == KEY_SK_ED25519 || kind == KEY_SK_ECDSA256;
}

/* The last field of a security key: whom it signs for, "ssh:" as a rule. */
static void application_read(struct pubkey *k, const struct crypto *c, struct reader *r)
{
    if (is_sk(k->kind))
        digest(c, DIGEST_SHA256, reader_string_max(r, PUBKEY_APPLICATION_MAX), k->application);
}

static enum err ed25519_parse(struct pubkey *k, const struct crypto *c, struct reader *r)
{
    struct slice raw = reader_string(r);
    application_read(k, c, r);
    TRY(reader_done(r));
    if (raw.len != crypto_key_type(KEY_ED25519)->field_len)
        return ERR_FORMAT;
    k->bits = crypto_key_type(KEY_ED25519)->bits;
    k->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, raw.ptr, raw.len);
    return k->pkey ? OK : ERR_FORMAT;
}

static enum err ecdsa_parse(struct pubkey *k, const struct crypto *c, struct reader *r)
{
    const struct key_type *type = crypto_key_type(k->kind);
    struct slice curve = reader_string(r);
    struct slice point = reader_string(r);
    application_read(k, c, r);
    TRY(reader_done(r));
    if (!slice_is(curve, type->curve))
        return ERR_FORMAT;
    k->bits = type->bits;
    k->pkey = crypto_ec_public(type->group, type->field_len, point);
    return k->pkey ? OK : ERR_FORMAT;
}

static unsigned bits_of(struct slice magnitude)
{
    if (magnitude.len == 0)
        return 0;
    return (unsigned)(magnitude.len * 8) - (unsigned)(__builtin_clz(magnitude.ptr[0]) - 24);
}

static bool is_odd(struct slice magnitude)
{
    return magnitude.len && (magnitude.ptr[magnitude.len - 1] & 1);
}

static EVP_PKEY *rsa_build(struct slice n, struct slice e)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    BIGNUM *n_number = BN_bin2bn(n.ptr, (int)n.len, NULL);
    BIGNUM *e_number = BN_bin2bn(e.ptr, (int)e.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (n_number && e_number && build && ctx &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n_number) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e_number) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(e_number);
    BN_free(n_number);
    return pkey;
}

static enum err rsa_parse(struct pubkey *k, struct reader *r)
{
    struct slice e = reader_mpint(r, RSA_EXPONENT_MAX);
    struct slice n = reader_mpint(r, RSA_BITS_MAX / 8);
    TRY(reader_done(r));
    k->bits = bits_of(n);
    if (k->bits < RSA_BITS_MIN)
        return ERR_LIMIT;
    if (!is_odd(n) || !is_odd(e) || bits_of(e) < 2)
        return ERR_FORMAT;
    k->pkey = rsa_build(n, e);
    return k->pkey ? OK : ERR_FORMAT;
}

/* FIPS 186-2's sizes, as far as SSH has them: a subgroup of 160 bits, which SHA-1 fills. */
static bool is_dss_group(struct slice p, struct slice q, struct slice g, struct slice y)
{
    unsigned bits = bits_of(p);
    return bits >= DSS_BITS_MIN && bits <= DSS_BITS_MAX && bits_of(q) == DSS_NUMBER_LEN * 8 &&
           is_odd(p) && is_odd(q) && bits_of(g) > 1 && g.len <= p.len && bits_of(y) > 1 &&
           y.len <= p.len;
}

static EVP_PKEY *dss_build(const struct slice values[], const char *const names[], size_t count)
{
    BIGNUM *numbers[4] = {NULL};
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
    bool ok = build && ctx;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = BN_bin2bn(values[i].ptr, (int)values[i].len, NULL);
        ok = ok && numbers[i] && OSSL_PARAM_BLD_push_BN(build, names[i], numbers[i]) == 1;
    }
    params = ok ? OSSL_PARAM_BLD_to_param(build) : NULL;
    if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    for (size_t i = 0; i < count; i++)
        BN_free(numbers[i]);
    return pkey;
}

/* RFC 4253 6.6: p, q, g, y. */
static enum err dss_parse(struct pubkey *k, struct reader *r)
{
    static const char *const names[] = {OSSL_PKEY_PARAM_FFC_P, OSSL_PKEY_PARAM_FFC_Q,
                                        OSSL_PKEY_PARAM_FFC_G, OSSL_PKEY_PARAM_PUB_KEY};
    struct slice values[ARRAY_LEN(names)];
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        values[i] = reader_mpint(r, DSS_BITS_MAX / 8);
    TRY(reader_done(r));
    if (!is_dss_group(values[0], values[1], values[2], values[3]))
        return ERR_LIMIT;
    k->bits = bits_of(values[0]);
    k->pkey = dss_build(values, names, ARRAY_LEN(names));
    return k->pkey ? OK : ERR_FORMAT;
}

static enum err body_parse(struct pubkey *k, const struct crypto *c, struct slice blob)
{
    struct reader r;
    reader_init(&r, blob);
    struct slice name = reader_string(&r);
    if (!reader_is_ok(&r))
        return ERR_FORMAT;
    if (!kind_find(name, &k->kind))
        return ERR_UNSUPPORTED;
    if (k->kind == KEY_RSA)
        return rsa_parse(k, &r);
    if (k->kind == KEY_DSS)
        return dss_parse(k, &r);
    if (k->kind == KEY_ED25519 || k->kind == KEY_SK_ED25519)
        return ed25519_parse(k, c, &r);
    return ecdsa_parse(k, c, &r);
}

enum err pubkey_parse(struct pubkey **out, const struct crypto *c, struct slice blob)
{
    struct pubkey *k = NEW(struct pubkey);
    buf_init(&k->blob, PUBKEY_BLOB_MAX);
    enum err err = buf_append_slice(&k->blob, blob);
    if (err == OK)
        err = body_parse(k, c, buf_slice(&k->blob));
    if (err != OK) {
        pubkey_free(k);
        return crypto_fail(err == ERR_TRUNCATED ? ERR_FORMAT : err);
    }
    *out = k;
    return OK;
}

void pubkey_free(struct pubkey *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    buf_done(&k->blob);
    mem_free(k);
}

enum key_kind pubkey_kind(const struct pubkey *k)
{
    return k->kind;
}

unsigned pubkey_bits(const struct pubkey *k)
{
    return k->bits;
}

bool pubkey_is_sk(const struct pubkey *k)
{
    return is_sk(k->kind);
}

struct slice pubkey_blob(const struct pubkey *k)
{
    return buf_slice(&k->blob);
}

const char *pubkey_type_name(const struct pubkey *k)
{
    return crypto_key_type(k->kind)->name;
}

const char *pubkey_short_name(const struct pubkey *k)
{
    return crypto_key_type(k->kind)->short_name;
}

/* RFC 5656 3.1.2: r and s as mpints; libcrypto wants them in DER. NULL: not two such numbers. */
static unsigned char *ecdsa_to_der(const struct key_type *type, struct slice raw, int *length)
{
    struct reader reader;
    reader_init(&reader, raw);
    struct slice r = reader_mpint(&reader, type->field_len);
    struct slice s = reader_mpint(&reader, type->field_len);
    if (reader_done(&reader) != OK || r.len == 0 || s.len == 0)
        return NULL;
    unsigned char *der = NULL;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r_number = BN_bin2bn(r.ptr, (int)r.len, NULL);
    BIGNUM *s_number = BN_bin2bn(s.ptr, (int)s.len, NULL);
    if (pair && r_number && s_number && ECDSA_SIG_set0(pair, r_number, s_number) == 1) {
        *length = i2d_ECDSA_SIG(pair, &der);
    } else {
        BN_free(r_number);
        BN_free(s_number);
    }
    ECDSA_SIG_free(pair);
    return der;
}

static bool is_verified(const struct pubkey *k, const char *digest_name, struct slice signature,
                        struct slice data)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx &&
              EVP_DigestVerifyInit_ex(ctx, NULL, digest_name, NULL, NULL, k->pkey, NULL) == 1 &&
              EVP_DigestVerify(ctx, signature.ptr, signature.len, data.ptr, data.len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool is_ecdsa_verified(const struct pubkey *k, const char *digest_name, struct slice raw,
                              struct slice data)
{
    int length = 0;
    unsigned char *der = ecdsa_to_der(crypto_key_type(k->kind), raw, &length);
    bool ok = der && length > 0 && is_verified(k, digest_name, slice_of(der, (size_t)length), data);
    OPENSSL_free(der);
    return ok;
}

/* Some old peers strip a signature's leading zeros: RFC 8017 8.2.2 wants the modulus' length. */
static bool is_rsa_verified(const struct pubkey *k, const char *digest_name, struct slice raw,
                            struct slice data)
{
    uint8_t padded[RSA_BITS_MAX / 8] = {0};
    size_t length = (k->bits + 7) / 8;
    if (raw.len == 0 || raw.len > length)
        return false;
    memcpy(padded + length - raw.len, raw.ptr, raw.len);
    return is_verified(k, digest_name, slice_of(padded, length), data);
}

/* RFC 4253 6.6: r and s, 20 bytes each; libcrypto wants them in DER. */
static bool is_dss_verified(const struct pubkey *k, const char *digest_name, struct slice raw,
                            struct slice data)
{
    unsigned char *der = NULL;
    int length = 0;
    if (raw.len != (size_t)2 * DSS_NUMBER_LEN)
        return false;
    DSA_SIG *pair = DSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw.ptr, DSS_NUMBER_LEN, NULL);
    BIGNUM *s = BN_bin2bn(raw.ptr + DSS_NUMBER_LEN, DSS_NUMBER_LEN, NULL);
    if (pair && r && s && DSA_SIG_set0(pair, r, s) == 1) {
        length = i2d_DSA_SIG(pair, &der);
    } else {
        BN_free(r);
        BN_free(s);
    }
    DSA_SIG_free(pair);
    bool ok = der && length > 0 && is_verified(k, digest_name, slice_of(der, (size_t)length), data);
    OPENSSL_free(der);
    return ok;
}

static bool is_signature(const struct pubkey *k, const struct algo_sign *algo, struct slice raw,
                         struct slice data)
{
    const char *digest_name = crypto_digest_name(algo->digest);
    if (k->kind == KEY_ED25519 || k->kind == KEY_SK_ED25519)
        return raw.len == ED25519_SIGNATURE_LEN && is_verified(k, NULL, raw, data);
    if (k->kind == KEY_RSA)
        return is_rsa_verified(k, digest_name, raw, data);
    if (k->kind == KEY_DSS)
        return is_dss_verified(k, digest_name, raw, data);
    return is_ecdsa_verified(k, digest_name, raw, data);
}

/* PROTOCOL.u2f: a device signs hashes of application and message, with its flags in between. */
static bool is_sk_signature(const struct pubkey *k, const struct algo_sign *algo, struct slice raw,
                            const struct sk_signature *sk, struct slice data)
{
    uint8_t text[SHA256_LEN + 5 + SHA256_LEN];
    memcpy(text, k->application, SHA256_LEN);
    text[SHA256_LEN] = sk->flags;
    put_u32(text + SHA256_LEN + 1, sk->counter);
    if (EVP_Q_digest(NULL, "SHA256", NULL, data.ptr, data.len, text + SHA256_LEN + 5, NULL) != 1)
        return false;
    return is_signature(k, algo, raw, slice_of(text, sizeof(text)));
}

enum err pubkey_verify_sk(const struct pubkey *k, const struct algo_sign *algo,
                          struct slice signature, struct slice data, struct sk_signature *sk)
{
    struct reader r;
    *sk = (struct sk_signature){0, 0};
    reader_init(&r, signature);
    struct slice name = reader_string(&r);
    struct slice raw = reader_string(&r);
    if (is_sk(k->kind)) {
        sk->flags = reader_u8(&r);
        sk->counter = reader_u32(&r);
    }
    if (reader_done(&r) != OK || !slice_is(name, algo->name) || algo->kind != k->kind)
        return ERR_CRYPTO;
    if (!(is_sk(k->kind) ? is_sk_signature(k, algo, raw, sk, data)
                         : is_signature(k, algo, raw, data)))
        return crypto_fail(ERR_CRYPTO);
    return OK;
}

enum err pubkey_verify(const struct pubkey *k, const struct algo_sign *algo, struct slice signature,
                       struct slice data)
{
    struct sk_signature sk;
    enum err err = pubkey_verify_sk(k, algo, signature, data, &sk);
    return err == OK && is_sk(k->kind) && !(sk.flags & SK_TOUCHED) ? ERR_CRYPTO : err;
}

char *fingerprint_sha256(const struct crypto *c, struct slice blob)
{
    uint8_t hash[DIGEST_MAX];
    digest(c, DIGEST_SHA256, blob, hash);
    char *text CLEANUP(mem_cleanup) =
        base64_encode(slice_of(hash, digest_len(DIGEST_SHA256)), false);
    return mem_printf("SHA256:%s", text);
}

char *fingerprint_md5(const struct crypto *c, struct slice blob)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[DIGEST_MAX];
    char text[16 * 3];
    digest(c, DIGEST_MD5, blob, hash);
    for (size_t i = 0; i < 16; i++) {
        text[3 * i] = digits[hash[i] >> 4];
        text[3 * i + 1] = digits[hash[i] & 15];
        text[3 * i + 2] = i < 15 ? ':' : '\0';
    }
    return mem_printf("MD5:%s", text);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void blanks_trim(struct slice *text)
{
    while (text->len && is_blank(text->ptr[0])) {
        text->ptr++;
        text->len--;
    }
    while (text->len && is_blank(text->ptr[text->len - 1]))
        text->len--;
}

/* Takes the next word off text. */
static struct slice word_take(struct slice *text)
{
    struct slice word = {text->ptr, 0};
    while (word.len < text->len && !is_blank(text->ptr[word.len]))
        word.len++;
    text->ptr += word.len;
    text->len -= word.len;
    blanks_trim(text);
    return word;
}

enum err pubkey_line_parse(struct slice text, struct slice *type, struct buf *blob,
                           struct slice *comment)
{
    if (text.len && memchr(text.ptr, '\0', text.len))
        return ERR_FORMAT;
    blanks_trim(&text);
    *type = word_take(&text);
    struct slice base64 = word_take(&text);
    *comment = text;
    if (type->len == 0 || type->len > NAME_MAX_LEN || base64.len == 0)
        return ERR_FORMAT;
    struct buf decoded;
    buf_init(&decoded, PUBKEY_BLOB_MAX);
    enum err err = base64_decode(base64, &decoded);
    if (err == OK) {
        struct reader r;
        reader_init(&r, buf_slice(&decoded));
        if (!slice_equal(reader_string(&r), *type) || !reader_is_ok(&r))
            err = ERR_FORMAT;
    }
    if (err == OK)
        err = buf_append_slice(blob, buf_slice(&decoded));
    buf_done(&decoded);
    return err;
}
