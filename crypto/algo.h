/*
 * Names -> implementations and sizes: key exchange, host key, cipher, mac. The rows are constant;
 * what libcrypto must fetch lives in struct crypto, made once at start and passed down.
 */
#ifndef ADIT_CRYPTO_ALGO_H
#define ADIT_CRYPTO_ALGO_H

#include "base/buf.h"

struct crypto; /* every libcrypto algorithm this house uses, fetched once */

/*
 * Starts libcrypto without configuration files and fetches all algorithms. NULL if one that the
 * tables below name is missing. Draws from libcrypto's generators, so that a sandbox may close
 * after.
 */
struct crypto *crypto_new(void) MUST_USE;
/*
 * The same with what the first message of a key exchange asks for, in half the time. The rest comes
 * by crypto_fetch_rest, when the other side is computing, or by the first use.
 */
struct crypto *crypto_new_in_haste(void) MUST_USE;
/* False: an algorithm is missing. Harmless if all is there. */
bool crypto_fetch_rest(const struct crypto *c);
/*
 * The same where name services or PAM may bring libraries that use libcrypto in their own way: what
 * it knows algorithms by from before OpenSSL 3.0 is left to be filled.
 */
struct crypto *crypto_new_beside_others(void) MUST_USE;
void crypto_free(struct crypto *c);

enum digest_kind { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512, DIGEST_MD5 };

enum kex_kind {
    KEX_CURVE25519,
    KEX_NISTP256,
    KEX_NISTP384,
    KEX_NISTP521,
    KEX_DH_GROUP14,
    KEX_DH_GROUP16,
    KEX_DH_GROUP18,
    KEX_DH_GROUP1,   /* legacy.h: 1024 bits */
    KEX_DH_EXCHANGE, /* RFC 4419: the server picks the group */
};
struct algo_kex {
    const char *name;
    enum kex_kind kind;
    enum digest_kind digest; /* of the exchange hash and the key derivation */
};

enum key_kind {
    KEY_ED25519,
    KEY_ECDSA256,
    KEY_ECDSA384,
    KEY_ECDSA521,
    KEY_RSA,
    KEY_SK_ED25519, /* the private half is in a device (PROTOCOL.u2f): we only verify */
    KEY_SK_ECDSA256,
    KEY_DSS, /* legacy.h: verified only, and only where the configuration spells it */
};
/* A signature algorithm (RFC 4252 7, RFC 8332): its name in KEXINIT and in publickey requests. */
struct algo_sign {
    const char *name;
    const char *key_type; /* name inside the key blob: "ssh-rsa" for both rsa-sha2-* */
    enum key_kind kind;
    enum digest_kind digest;
};

enum cipher_kind { CIPHER_CHACHAPOLY, CIPHER_GCM, CIPHER_CTR, CIPHER_CBC };
struct algo_cipher {
    const char *name;
    enum cipher_kind kind;
    uint16_t key_len;   /* bytes of the derived encryption key (chacha20-poly1305: 64) */
    uint16_t iv_len;    /* bytes of the derived IV (chacha20-poly1305: 0, gcm: 12, ctr: 16) */
    uint16_t block_len; /* what the packet length must be a multiple of: 8 or 16 */
    uint16_t tag_len;   /* of an AEAD; 0: a mac is negotiated */
};

enum mac_kind { MAC_HMAC, MAC_UMAC };
struct algo_mac {
    const char *name;
    enum mac_kind kind;
    enum digest_kind digest; /* of an HMAC */
    uint16_t key_len;
    uint16_t tag_len;
    bool etm; /* encrypt-then-mac: the length travels in clear */
};

/* NULL if the name is not built (legacy.h's are, but for signatures). Names are slices because they
 * come out of name-lists. */
const struct algo_kex *algo_kex_find(struct slice name);
const struct algo_sign *algo_sign_find(struct slice name);
const struct algo_cipher *algo_cipher_find(struct slice name);
const struct algo_mac *algo_mac_find(struct slice name);

/* Rows in order, legacy.h's last (but for signatures), then NULL: for tests that walk all. */
const struct algo_kex *algo_kex_at(size_t i);
const struct algo_sign *algo_sign_at(size_t i);
const struct algo_cipher *algo_cipher_at(size_t i);
const struct algo_mac *algo_mac_at(size_t i);

#endif
