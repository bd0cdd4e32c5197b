/*
 * What the rooms of this floor share and nobody else sees: the fetched algorithms, the rows that
 * describe key kinds, and how a libcrypto failure becomes one of our errors. Only files in
 * crypto/ may include it.
 */
#ifndef ADIT_CRYPTO_CRYPTO_INTERNAL_H
#define ADIT_CRYPTO_CRYPTO_INTERNAL_H

#include <openssl/err.h>
#include <openssl/evp.h>

#include "crypto/algo.h"
#include "crypto/legacy.h"

#define DIGEST_KINDS 5
#define CIPHER_ROWS  6
#define KEY_KINDS    8

/* What a key exchange begins with is fetched first, and the rest by crypto_fetch_rest. */
struct crypto {
    EVP_MD *digests[DIGEST_KINDS];
    EVP_MAC *hmac; /* names of known hosts are looked up before the first message */
    /* Held so that libcrypto's own look-ups by name find them ready in its cache; so are the two
     * in the rest. */
    EVP_KEYMGMT *keymgmts[4];
    struct crypto_rest {
        bool is_tried;
        bool is_whole;
        EVP_CIPHER *ciphers[CIPHER_ROWS];           /* beside the rows of the cipher table */
        EVP_CIPHER *legacy_ciphers[LEGACY_CIPHERS]; /* beside legacy.c's; NULL: not there */
        EVP_CIPHER *aes_block;                      /* single blocks, for umac */
        EVP_MAC *poly1305;
        EVP_KEYEXCH *keyexchs[2];
        EVP_SIGNATURE *signatures[3];
    } * rest; /* behind a pointer: the first use may be of a struct crypto that nobody may change */
};

/* libcrypto's name of a digest: "SHA256". */
const char *crypto_digest_name(enum digest_kind kind);
/* Fetched where that was not done before. NULL: libcrypto lacks it (of a crypto_new: a legacy one
 * only). */
const EVP_CIPHER *crypto_cipher(const struct crypto *c, const struct algo_cipher *algo);
const EVP_CIPHER *crypto_aes_block(const struct crypto *c);
EVP_MAC *crypto_poly1305(const struct crypto *c);

/* How a kind of key is called and how big its parts are. */
struct key_type {
    const char *name;       /* in blobs: "ecdsa-sha2-nistp256" */
    const char *short_name; /* "ECDSA" */
    const char *libcrypto;  /* "EC" */
    const char *curve;      /* inside ECDSA blobs: "nistp256"; else NULL */
    const char *group;      /* libcrypto's name of the curve; else NULL */
    uint16_t field_len;     /* bytes of a coordinate or raw key; RSA: 0 */
    uint16_t bits;          /* RSA: 0 */
};
const struct key_type *crypto_key_type(enum key_kind kind);

/* An EC key from its encoded point: NULL unless uncompressed, of the right length, on the curve. */
EVP_PKEY *crypto_ec_public(const char *group, size_t field_len, struct slice point) MUST_USE;

/* libcrypto's queue of errors must not leak from one connection's failure into another's. */
static inline enum err crypto_fail(enum err code)
{
    ERR_clear_error();
    return code;
}

#endif
