/* Hashes over libcrypto, one shot and in pieces; HMAC-SHA1 for hashed known_hosts names. */
#ifndef ADIT_CRYPTO_DIGEST_H
#define ADIT_CRYPTO_DIGEST_H

#include "crypto/algo.h"

#define DIGEST_MAX 64

size_t digest_len(enum digest_kind kind);

/* out: digest_len bytes. Aborts if libcrypto fails (an own bug or no memory). */
void digest(const struct crypto *c, enum digest_kind kind, struct slice bytes, uint8_t *out);

/* In pieces: a context made once, usable again after digest_end. */
struct digest_context;
struct digest_context *digest_context_new(const struct crypto *c, enum digest_kind kind) MUST_USE;
void digest_context_free(struct digest_context *d);
void digest_begin(struct digest_context *d);
void digest_add(struct digest_context *d, struct slice bytes);
void digest_end(struct digest_context *d, uint8_t *out);

void hmac(const struct crypto *c, enum digest_kind kind, struct slice key, struct slice bytes,
          uint8_t *out);

/* Base64 (RFC 4648 4). encode: NUL-terminated text, caller owns. decode: padded or not, no white
 * space; ERR_FORMAT else; ERR_LIMIT past out's cap. Pure; here because keys and fingerprints use
 * it.
 */
char *base64_encode(struct slice bytes, bool padded) MUST_USE;
enum err base64_decode(struct slice text, struct buf *out) MUST_USE;

#endif
