/* Public keys as blobs (RFC 4253 6.6, RFC 5656 3.1, RFC 8709): parse, verify, fingerprint. */
#ifndef ADIT_CRYPTO_PUBKEY_H
#define ADIT_CRYPTO_PUBKEY_H

#include "crypto/algo.h"

#define PUBKEY_BLOB_MAX 16384
#define RSA_BITS_MIN    2048
#define RSA_BITS_MAX    16384

#define PUBKEY_APPLICATION_MAX 1024

/* What a security key says of a touch (PROTOCOL.u2f). */
#define SK_TOUCHED  0x01 /* somebody was there */
#define SK_VERIFIED 0x04 /* and showed who: a PIN, a finger */

struct pubkey;

struct sk_signature {
    uint8_t flags;
    uint32_t counter; /* of the device's signatures */
};

/*
 * Parses a blob; hostile bytes. ERR_UNSUPPORTED: a type not built; ERR_LIMIT: RSA below 2048 or
 * above 16384 bits, exponent above 64 bits; ERR_FORMAT else. The blob is copied.
 */
enum err pubkey_parse(struct pubkey **out, const struct crypto *c, struct slice blob) MUST_USE;
void pubkey_free(struct pubkey *k);

enum key_kind pubkey_kind(const struct pubkey *k);
unsigned pubkey_bits(const struct pubkey *k);
bool pubkey_is_sk(const struct pubkey *k);            /* of a security key */
struct slice pubkey_blob(const struct pubkey *k);     /* as parsed; lives as long as k */
const char *pubkey_type_name(const struct pubkey *k); /* "ssh-ed25519", "ecdsa-sha2-nistp256" */
const char *
pubkey_short_name(const struct pubkey *k); /* "ED25519", "ECDSA", "RSA": as ssh prints */

/*
 * Verifies an SSH signature blob (string algorithm, string signature) over data. The algorithm
 * named in the blob must be exactly algo->name, and fit the key. ERR_CRYPTO: it does not hold.
 * OK is returned from exactly one place.
 */
enum err pubkey_verify(const struct pubkey *k, const struct algo_sign *algo, struct slice signature,
                       struct slice data) MUST_USE;

/*
 * The same, but where a security key signed it is the caller who judges *sk: pubkey_verify refuses
 * what was made without a touch (ERR_CRYPTO). For other keys *sk is zero.
 */
enum err pubkey_verify_sk(const struct pubkey *k, const struct algo_sign *algo,
                          struct slice signature, struct slice data,
                          struct sk_signature *sk) MUST_USE;

/* "SHA256:...", caller owns. Of any blob, parsed or not. */
char *fingerprint_sha256(const struct crypto *c, struct slice blob) MUST_USE;
char *fingerprint_md5(const struct crypto *c, struct slice blob) MUST_USE; /* "MD5:aa:bb..." */

/*
 * One line of a .pub file, known_hosts or authorized_keys from the key type on: "TYPE BASE64
 * [comment]". Fills type (borrowed), blob (appended) and comment (borrowed, may be empty). The
 * type must equal the one inside the blob: ERR_FORMAT else.
 */
enum err pubkey_line_parse(struct slice text, struct slice *type, struct buf *blob,
                           struct slice *comment) MUST_USE;

#endif
