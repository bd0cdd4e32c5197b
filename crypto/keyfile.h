/*
 * Private key files: OpenSSH's format (PROTOCOL.key), PEM and PKCS#8 by libcrypto. Text in,
 * key out: opening files and checking their modes is the caller's. In the same library as privkey.
 */
#ifndef ADIT_CRYPTO_KEYFILE_H
#define ADIT_CRYPTO_KEYFILE_H

#include "crypto/privkey.h"

/*
 * ERR_FORMAT: no key file. ERR_DENIED: encrypted, needs a passphrase (not built yet: it is an
 * error the caller can name). ERR_UNSUPPORTED: a key type not built; ERR_LIMIT: more than
 * 64 KiB of text, or RSA out of pubkey.h's bounds. comment (may be NULL): caller
 * owns *comment, "" if there is none. The halves of an OpenSSH-format key must agree: ERR_CRYPTO
 * (checked for the other formats, too).
 */
enum err keyfile_parse(struct privkey **out, char **comment, const struct crypto *c,
                       struct slice text) MUST_USE;

/* Appends the unencrypted OpenSSH format; "-----BEGIN OPENSSH PRIVATE KEY-----" and so on. */
enum err keyfile_write(const struct privkey *k, const char *comment, struct buf *out) MUST_USE;

/* The public key of an OpenSSH-format file, which is in clear even if the file is encrypted. */
enum err keyfile_public(struct pubkey **out, const struct crypto *c, struct slice text) MUST_USE;

#endif
