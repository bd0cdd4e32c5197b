/*
 * Lists of revoked keys: OpenSSH's binary KRL (PROTOCOL.krl), and text with a public key a line.
 * Opening the file is the caller's, and so is what a list that cannot be read means (it should
 * mean that nobody may log in). Signatures on a KRL are skipped: the file's owner vouches for it.
 */
#ifndef ADIT_CRYPTO_KRL_H
#define ADIT_CRYPTO_KRL_H

#include "crypto/cert.h"

#define KRL_BYTES_MAX (64U << 20) /* a list of three million serial numbers */

struct krl;

/*
 * Reads either form, wholly: what a look-up walks later was checked here. An empty text revokes
 * nothing; a certificate in a text list revokes the key in it. ERR_LIMIT: beyond KRL_BYTES_MAX;
 * ERR_UNSUPPORTED: a critical extension we do not know; cert_parse's errors of a certificate;
 * ERR_FORMAT else.
 */
enum err krl_parse(struct krl **out, const struct crypto *c, struct slice bytes) MUST_USE;
void krl_free(struct krl *k); /* NULL allowed */

/* By the blob of a plain key: as a whole, or by a hash of it. */
bool krl_has_key(const struct krl *k, const struct crypto *c, struct slice blob);

/*
 * By its serial number or key id under its authority or any; or because its key or its authority
 * is revoked. Serial number 0 stands for none, and is revoked by no number.
 */
bool krl_has_cert(const struct krl *k, const struct crypto *c, const struct cert *cert);

#endif
