/*
 * The tables of algorithms, and the libcrypto objects behind them. A name that is not in a table
 * here, or in legacy.c's, does not exist for the rest of the house. Which of them are offered, and
 * in which order, is configuration and not known here.
 */
#include "crypto/algo.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "crypto/crypto_internal.h"
#include "crypto/legacy.h"

/* clang-format off */
static const struct algo_kex kexes[] = {
    {"curve25519-sha256",             KEX_CURVE25519, DIGEST_SHA256},
    {"curve25519-sha256@libssh.org",  KEX_CURVE25519, DIGEST_SHA256},
    {"ecdh-sha2-nistp256",            KEX_NISTP256,   DIGEST_SHA256},
    {"ecdh-sha2-nistp384",            KEX_NISTP384,   DIGEST_SHA384},
    {"ecdh-sha2-nistp521",            KEX_NISTP521,   DIGEST_SHA512},
    {"diffie-hellman-group16-sha512", KEX_DH_GROUP16, DIGEST_SHA512},
    {"diffie-hellman-group18-sha512", KEX_DH_GROUP18, DIGEST_SHA512},
    {"diffie-hellman-group14-sha256", KEX_DH_GROUP14, DIGEST_SHA256},
    {"diffie-hellman-group-exchange-sha256", KEX_DH_EXCHANGE, DIGEST_SHA256},
};

/* Ed25519 hashes inside; its row's digest is what RFC 8032 uses there. */
static const struct algo_sign signs[] = {
    {"ssh-ed25519",         "ssh-ed25519",         KEY_ED25519,  DIGEST_SHA512},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", KEY_ECDSA256, DIGEST_SHA256},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", KEY_ECDSA384, DIGEST_SHA384},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", KEY_ECDSA521, DIGEST_SHA512},
    {"rsa-sha2-512",        "ssh-rsa",             KEY_RSA,      DIGEST_SHA512},
    {"rsa-sha2-256",        "ssh-rsa",             KEY_RSA,      DIGEST_SHA256},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", KEY_SK_ED25519, DIGEST_SHA512},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", KEY_SK_ECDSA256,
     DIGEST_SHA256},
};

/*                                                       key iv block tag */
static const struct algo_cipher ciphers[CIPHER_ROWS] = {
    {"chacha20-poly1305@openssh.com", CIPHER_CHACHAPOLY, 64,  0,  8, 16},
    {"aes128-gcm@openssh.com",        CIPHER_GCM,        16, 12, 16, 16},
    {"aes256-gcm@openssh.com",        CIPHER_GCM,        32, 12, 16, 16},
    {"aes128-ctr",                    CIPHER_CTR,        16, 16, 16,  0},
    {"aes192-ctr",                    CIPHER_CTR,        24, 16, 16,  0},
    {"aes256-ctr",                    CIPHER_CTR,        32, 16, 16,  0},
};
static const char *const cipher_names[CIPHER_ROWS] = {
    "ChaCha20", "AES-128-GCM", "AES-256-GCM", "AES-128-CTR", "AES-192-CTR", "AES-256-CTR",
};

static const struct algo_mac macs[] = {
    {"umac-64-etm@openssh.com",       MAC_UMAC, 0,             16,  8, true},
    {"umac-128-etm@openssh.com",      MAC_UMAC, 0,             16, 16, true},
    {"hmac-sha2-256-etm@openssh.com", MAC_HMAC, DIGEST_SHA256, 32, 32, true},
    {"hmac-sha2-512-etm@openssh.com", MAC_HMAC, DIGEST_SHA512, 64, 64, true},
    {"hmac-sha1-etm@openssh.com",     MAC_HMAC, DIGEST_SHA1,   20, 20, true},
    {"umac-64@openssh.com",           MAC_UMAC, 0,             16,  8, false},
    {"umac-128@openssh.com",          MAC_UMAC, 0,             16, 16, false},
    {"hmac-sha2-256",                 MAC_HMAC, DIGEST_SHA256, 32, 32, false},
    {"hmac-sha2-512",                 MAC_HMAC, DIGEST_SHA512, 64, 64, false},
    {"hmac-sha1",                     MAC_HMAC, DIGEST_SHA1,   20, 20, false},
};

static const char *const digest_names[DIGEST_KINDS] = {
    [DIGEST_SHA1] = "SHA1",     [DIGEST_SHA256] = "SHA256", [DIGEST_SHA384] = "SHA384",
    [DIGEST_SHA512] = "SHA512", [DIGEST_MD5] = "MD5",
};

static const struct key_type key_types[KEY_KINDS] = {
    [KEY_ED25519]  = {"ssh-ed25519", "ED25519", "ED25519", NULL, NULL, 32, 256},
    [KEY_ECDSA256] = {"ecdsa-sha2-nistp256", "ECDSA", "EC", "nistp256", "P-256", 32, 256},
    [KEY_ECDSA384] = {"ecdsa-sha2-nistp384", "ECDSA", "EC", "nistp384", "P-384", 48, 384},
    [KEY_ECDSA521] = {"ecdsa-sha2-nistp521", "ECDSA", "EC", "nistp521", "P-521", 66, 521},
    [KEY_RSA]      = {"ssh-rsa", "RSA", "RSA", NULL, NULL, 0, 0},
    [KEY_SK_ED25519]  = {"sk-ssh-ed25519@openssh.com", "ED25519-SK", "ED25519", NULL, NULL, 32, 256},
    [KEY_SK_ECDSA256] = {"sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK", "EC", "nistp256", "P-256",
                         32, 256},
    [KEY_DSS]      = {"ssh-dss", "DSA", "DSA", NULL, NULL, 20, 0},
};
/* clang-format on */

#define DEFINE_FIND(type, rows, legacy_at, legacy_find)                                            \
    const struct type *type##_at(size_t i)                                                         \
    {                                                                                              \
        return i < ARRAY_LEN(rows) ? &rows[i] : legacy_at(i - ARRAY_LEN(rows));                    \
    }                                                                                              \
    const struct type *type##_find(struct slice name)                                              \
    {                                                                                              \
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {                                             \
            if (slice_is(name, rows[i].name))                                                      \
                return &rows[i];                                                                   \
        }                                                                                          \
        return legacy_find(name);                                                                  \
    }

static const struct algo_sign *no_sign_at(size_t i UNUSED)
{
    return NULL;
}

static const struct algo_sign *no_sign(struct slice name UNUSED)
{
    return NULL;
}

DEFINE_FIND(algo_kex, kexes, legacy_kex_at, legacy_kex_find)
DEFINE_FIND(algo_sign, signs, no_sign_at, no_sign)
DEFINE_FIND(algo_cipher, ciphers, legacy_cipher_at, legacy_cipher_find)
DEFINE_FIND(algo_mac, macs, legacy_mac_at, legacy_mac_find)

const char *crypto_digest_name(enum digest_kind kind)
{
    CHECK((size_t)kind < ARRAY_LEN(digest_names));
    return digest_names[kind];
}

const struct key_type *crypto_key_type(enum key_kind kind)
{
    CHECK((size_t)kind < ARRAY_LEN(key_types));
    return &key_types[kind];
}

static const struct crypto_rest *rest_of(const struct crypto *c)
{
    if (!c->rest->is_tried)
        crypto_fetch_rest(c);
    return c->rest;
}

const EVP_CIPHER *crypto_cipher(const struct crypto *c, const struct algo_cipher *algo)
{
    for (size_t i = 0; i < CIPHER_ROWS; i++) {
        if (algo == &ciphers[i])
            return rest_of(c)->ciphers[i];
    }
    for (size_t i = 0; i < LEGACY_CIPHERS; i++) {
        if (algo == legacy_cipher_at(i))
            return rest_of(c)->legacy_ciphers[i];
    }
    CHECK(false); /* every algorithm is a row of one of the tables */
    return NULL;
}

const EVP_CIPHER *crypto_aes_block(const struct crypto *c)
{
    return rest_of(c)->aes_block;
}

EVP_MAC *crypto_poly1305(const struct crypto *c)
{
    return rest_of(c)->poly1305;
}

EVP_PKEY *crypto_ec_public(const char *group, size_t field_len, struct slice point)
{
    if (point.len != 1 + 2 * field_len || point.ptr[0] != 0x04)
        return NULL;
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point.ptr,
                                          point.len),
        OSSL_PARAM_construct_end(),
    };
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    if (!pkey)
        ERR_clear_error();
    return pkey;
}

static bool fetch_first(struct crypto *c)
{
    static const char *const keymgmts[] = {"X25519", "ED25519", "EC", "RSA"};
    bool ok = true;
    for (size_t i = 0; i < DIGEST_KINDS; i++) {
        c->digests[i] = EVP_MD_fetch(NULL, digest_names[i], NULL);
        ok = ok && c->digests[i];
    }
    c->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    for (size_t i = 0; i < ARRAY_LEN(keymgmts); i++) {
        c->keymgmts[i] = EVP_KEYMGMT_fetch(NULL, keymgmts[i], NULL);
        ok = ok && c->keymgmts[i];
    }
    return ok && c->hmac;
}

static bool fetch_symmetric(struct crypto_rest *r)
{
    bool ok = true;
    for (size_t i = 0; i < CIPHER_ROWS; i++) {
        r->ciphers[i] = EVP_CIPHER_fetch(NULL, cipher_names[i], NULL);
        ok = ok && r->ciphers[i];
    }
    /* A libcrypto without them is as good as any. */
    for (size_t i = 0; i < LEGACY_CIPHERS; i++)
        r->legacy_ciphers[i] = EVP_CIPHER_fetch(NULL, legacy_cipher_name(i), NULL);
    r->aes_block = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
    r->poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    return ok && r->aes_block && r->poly1305;
}

static bool fetch_asymmetric(struct crypto_rest *r)
{
    static const char *const keyexchs[] = {"X25519", "ECDH"};
    static const char *const signatures[] = {"ED25519", "ECDSA", "RSA"};
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(keyexchs); i++) {
        r->keyexchs[i] = EVP_KEYEXCH_fetch(NULL, keyexchs[i], NULL);
        ok = ok && r->keyexchs[i];
    }
    for (size_t i = 0; i < ARRAY_LEN(signatures); i++) {
        r->signatures[i] = EVP_SIGNATURE_fetch(NULL, signatures[i], NULL);
        ok = ok && r->signatures[i];
    }
    return ok;
}

bool crypto_fetch_rest(const struct crypto *c)
{
    struct crypto_rest *r = c->rest;
    if (!r->is_tried) {
        r->is_tried = true;
        r->is_whole = fetch_symmetric(r) && fetch_asymmetric(r);
        if (!r->is_whole)
            ERR_clear_error();
    }
    return r->is_whole;
}

/* No exit handler: it frees everything, item by item, of a process that ends. */
#define INIT_FLAGS (OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT)
/* The names of before OpenSSL 3.0 and the texts of errors, which nobody of ours asks for: a third
 * of what it all costs. */
#define BARE                                                                                       \
    (OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS |                           \
     OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS)

static struct crypto *new_with(uint64_t flags)
{
    if (OPENSSL_init_crypto(flags, NULL) != 1)
        return NULL;
    struct crypto *c = NEW(struct crypto);
    c->rest = NEW(struct crypto_rest);
    if (!fetch_first(c)) {
        crypto_free(c);
        ERR_clear_error();
        return NULL;
    }
    return c;
}

struct crypto *crypto_new_in_haste(void)
{
    return new_with(INIT_FLAGS | BARE);
}

static struct crypto *new_whole(uint64_t flags)
{
    struct crypto *c = new_with(flags);
    uint8_t byte;
    /* libcrypto keeps two generators, one for values that stay private: both are seeded now. */
    if (c &&
        (!crypto_fetch_rest(c) || RAND_bytes(&byte, 1) != 1 || RAND_priv_bytes(&byte, 1) != 1)) {
        crypto_free(c);
        ERR_clear_error();
        return NULL;
    }
    return c;
}

struct crypto *crypto_new(void)
{
    return new_whole(INIT_FLAGS | BARE);
}

struct crypto *crypto_new_beside_others(void)
{
    return new_whole(INIT_FLAGS);
}

static void rest_free(struct crypto_rest *r)
{
    for (size_t i = 0; i < ARRAY_LEN(r->ciphers); i++)
        EVP_CIPHER_free(r->ciphers[i]);
    for (size_t i = 0; i < ARRAY_LEN(r->legacy_ciphers); i++)
        EVP_CIPHER_free(r->legacy_ciphers[i]);
    EVP_CIPHER_free(r->aes_block);
    EVP_MAC_free(r->poly1305);
    for (size_t i = 0; i < ARRAY_LEN(r->keyexchs); i++)
        EVP_KEYEXCH_free(r->keyexchs[i]);
    for (size_t i = 0; i < ARRAY_LEN(r->signatures); i++)
        EVP_SIGNATURE_free(r->signatures[i]);
    mem_free(r);
}

void crypto_free(struct crypto *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < ARRAY_LEN(c->digests); i++)
        EVP_MD_free(c->digests[i]);
    EVP_MAC_free(c->hmac);
    for (size_t i = 0; i < ARRAY_LEN(c->keymgmts); i++)
        EVP_KEYMGMT_free(c->keymgmts[i]);
    rest_free(c->rest);
    mem_free(c);
}
