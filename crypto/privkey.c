/*
 * Signs, and makes keys. In a library of its own, so that a program's symbols show whether it can
 * sign. Does not know files (keyfile.c) nor what the bytes it signs mean.
 */
#include "crypto/privkey.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>

#include "crypto/privkey_internal.h"
#include "wire/writer.h"

#define RSA_BITS_DEFAULT 3072
#define SIGNATURE_MAX    (RSA_BITS_MAX / 8)

void privkey_free(struct privkey *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    pubkey_free(k->pubkey);
    mem_free(k);
}

const struct pubkey *privkey_pubkey(const struct privkey *k)
{
    return k->pubkey;
}

BIGNUM *privkey_number(const EVP_PKEY *pkey, const char *name)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1)
        return NULL;
    return number;
}

void privkey_number_write(struct writer *w, const EVP_PKEY *pkey, const char *name)
{
    uint8_t bytes[RSA_BITS_MAX / 8];
    BIGNUM *number = privkey_number(pkey, name);
    int length = number ? BN_num_bytes(number) : 0;
    if (!number || length > (int)sizeof(bytes))
        w->err = w->err == OK ? ERR_LIMIT : w->err;
    else
        writer_mpint(w, slice_of(bytes, (size_t)BN_bn2bin(number, bytes)));
    mem_wipe(bytes, sizeof(bytes));
    BN_clear_free(number);
}

/* From the coordinates: the key's own encoding may be the compressed one. */
static void point_write(struct writer *w, const EVP_PKEY *pkey, size_t field_len)
{
    uint8_t point[1 + 2 * 66] = {0x04};
    BIGNUM *x = privkey_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X);
    BIGNUM *y = privkey_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y);
    if (!x || !y || BN_bn2binpad(x, point + 1, (int)field_len) < 0 ||
        BN_bn2binpad(y, point + 1 + field_len, (int)field_len) < 0)
        w->err = w->err == OK ? ERR_CRYPTO : w->err;
    else
        writer_string(w, slice_of(point, 1 + 2 * field_len));
    BN_free(x);
    BN_free(y);
}

static bool kind_of(const EVP_PKEY *pkey, enum key_kind *kind)
{
    char group[64] = "";
    size_t length;
    if (EVP_PKEY_is_a(pkey, "EC") &&
        EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                       &length) != 1)
        return false;
    int curve = EC_curve_nist2nid(group);
    if (curve == NID_undef)
        curve = OBJ_sn2nid(group);
    for (size_t i = 0; i < KEY_KINDS; i++) {
        const struct key_type *type = crypto_key_type((enum key_kind)i);
        if (i == KEY_DSS)
            continue; /* never signed with */
        if (EVP_PKEY_is_a(pkey, type->libcrypto) &&
            (!type->group || EC_curve_nist2nid(type->group) == curve)) {
            *kind = (enum key_kind)i;
            return true;
        }
    }
    return false;
}

static enum err blob_write(const EVP_PKEY *pkey, enum key_kind kind, struct buf *blob)
{
    const struct key_type *type = crypto_key_type(kind);
    struct writer w;
    writer_init(&w, blob);
    writer_text(&w, type->name);
    if (kind == KEY_ED25519) {
        uint8_t raw[32];
        size_t length = sizeof(raw);
        if (EVP_PKEY_get_raw_public_key(pkey, raw, &length) != 1)
            return ERR_CRYPTO;
        writer_string(&w, slice_of(raw, length));
    } else if (kind == KEY_RSA) {
        privkey_number_write(&w, pkey, OSSL_PKEY_PARAM_RSA_E);
        privkey_number_write(&w, pkey, OSSL_PKEY_PARAM_RSA_N);
    } else {
        writer_text(&w, type->curve);
        point_write(&w, pkey, type->field_len);
    }
    return writer_done(&w);
}

/*
 * n = p q, e d = 1 modulo p-1 and q-1, and the coefficient is q's inverse. Not libcrypto's check,
 * which also proves p and q prime and takes a good part of a second at each start.
 */
static bool is_rsa_pair(const EVP_PKEY *pkey)
{
    static const char *const names[] = {
        OSSL_PKEY_PARAM_RSA_N,       OSSL_PKEY_PARAM_RSA_E,       OSSL_PKEY_PARAM_RSA_D,
        OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
    };
    enum { N, E, D, P, Q, COEFFICIENT, NUMBERS };
    BIGNUM *v[NUMBERS];
    BIGNUM *product = BN_secure_new();
    BN_CTX *ctx = BN_CTX_secure_new();
    bool ok = product && ctx;
    for (size_t i = 0; i < NUMBERS; i++) {
        v[i] = privkey_number(pkey, names[i]);
        ok = ok && v[i] && !BN_is_zero(v[i]);
    }
    ok = ok && BN_mul(product, v[P], v[Q], ctx) == 1 && BN_cmp(product, v[N]) == 0;
    ok = ok && !BN_is_one(v[P]) && !BN_is_one(v[Q]);
    ok = ok && BN_mod_mul(product, v[COEFFICIENT], v[Q], v[P], ctx) == 1 && BN_is_one(product);
    for (size_t i = P; i <= Q; i++) {
        ok = ok && BN_sub_word(v[i], 1) == 1 && BN_mod_mul(product, v[E], v[D], v[i], ctx) == 1 &&
             BN_is_one(product);
    }
    for (size_t i = 0; i < NUMBERS; i++)
        BN_clear_free(v[i]);
    BN_CTX_free(ctx);
    BN_clear_free(product);
    return ok;
}

/* Of an Ed25519 key libcrypto computes the public half itself. */
static bool is_pair(EVP_PKEY *pkey, enum key_kind kind)
{
    if (kind == KEY_ED25519) {
        uint8_t seed[32];
        size_t length = sizeof(seed);
        bool ok = EVP_PKEY_get_raw_private_key(pkey, seed, &length) == 1;
        mem_wipe(seed, sizeof(seed));
        return ok;
    }
    if (kind == KEY_RSA)
        return is_rsa_pair(pkey);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = ctx && EVP_PKEY_private_check(ctx) == 1 && EVP_PKEY_pairwise_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static enum err halves_make(struct privkey *k, const struct crypto *c)
{
    enum key_kind kind;
    struct buf blob;
    if (!kind_of(k->pkey, &kind))
        return ERR_UNSUPPORTED;
    buf_init(&blob, PUBKEY_BLOB_MAX);
    enum err err = blob_write(k->pkey, kind, &blob);
    if (err == OK)
        err = pubkey_parse(&k->pubkey, c, buf_slice(&blob));
    buf_done(&blob);
    if (err == OK && !is_pair(k->pkey, kind))
        err = ERR_CRYPTO;
    return err;
}

enum err privkey_from_pkey(struct privkey **out, const struct crypto *c, EVP_PKEY *pkey)
{
    struct privkey *k = NEW(struct privkey);
    k->pkey = pkey;
    enum err err = halves_make(k, c);
    if (err != OK) {
        privkey_free(k);
        return crypto_fail(err);
    }
    *out = k;
    return OK;
}

/* RFC 5656 3.1.2: libcrypto's DER becomes two mpints. */
static enum err ecdsa_write(struct writer *w, struct slice der)
{
    uint8_t bytes[66];
    const uint8_t *at = der.ptr;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
    if (!pair)
        return ERR_CRYPTO;
    const BIGNUM *numbers[] = {ECDSA_SIG_get0_r(pair), ECDSA_SIG_get0_s(pair)};
    size_t mark = writer_open(w);
    enum err err = OK;
    for (size_t i = 0; i < 2; i++) {
        if (BN_num_bytes(numbers[i]) > (int)sizeof(bytes))
            err = ERR_CRYPTO;
        else
            writer_mpint(w, slice_of(bytes, (size_t)BN_bn2bin(numbers[i], bytes)));
    }
    writer_close(w, mark);
    ECDSA_SIG_free(pair);
    return err;
}

enum err privkey_sign(const struct privkey *k, const struct algo_sign *algo, struct slice data,
                      struct buf *signature)
{
    enum key_kind kind = pubkey_kind(k->pubkey);
    CHECK(algo->kind == kind);
    const char *digest_name = kind == KEY_ED25519 ? NULL : crypto_digest_name(algo->digest);
    uint8_t raw[SIGNATURE_MAX];
    size_t length = sizeof(raw);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx &&
              EVP_DigestSignInit_ex(ctx, NULL, digest_name, NULL, NULL, k->pkey, NULL) == 1 &&
              EVP_DigestSign(ctx, raw, &length, data.ptr, data.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return crypto_fail(ERR_CRYPTO);
    struct writer w;
    writer_init(&w, signature);
    writer_text(&w, algo->name);
    if (kind == KEY_ED25519 || kind == KEY_RSA)
        writer_string(&w, slice_of(raw, length));
    else
        TRY(ecdsa_write(&w, slice_of(raw, length)));
    return writer_done(&w);
}

enum err privkey_generate(struct privkey **out, const struct crypto *c, enum key_kind kind,
                          unsigned bits)
{
    const struct key_type *type = crypto_key_type(kind);
    CHECK(kind <= KEY_RSA); /* a security key is made by its device */
    unsigned modulus_bits = bits ? bits : RSA_BITS_DEFAULT;
    if (kind == KEY_RSA && (modulus_bits < RSA_BITS_MIN || modulus_bits > RSA_BITS_MAX))
        return ERR_LIMIT;
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type->libcrypto, NULL);
    OSSL_PARAM params[] = {OSSL_PARAM_END, OSSL_PARAM_END};
    if (kind == KEY_RSA)
        params[0] = OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_BITS, &modulus_bits);
    else if (type->group)
        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                     (char *)(uintptr_t)type->group, 0);
    if (!ctx || EVP_PKEY_keygen_init(ctx) != 1 || EVP_PKEY_CTX_set_params(ctx, params) != 1 ||
        EVP_PKEY_generate(ctx, &pkey) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    if (!pkey)
        return crypto_fail(ERR_CRYPTO);
    return privkey_from_pkey(out, c, pkey);
}
