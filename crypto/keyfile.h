/*
 * Private key files: OpenSSH's format (PROTOCOL.key), PEM and PKCS#8 by libcrypto. Text in,
 * key out: opening files and checking their modes is the caller's. In the same library as privkey.
 */
#ifndef ADIT_CRYPTO_KEYFILE_H
#define ADIT_CRYPTO_KEYFILE_H

#include "crypto/privkey.h"

/*
 * passphrase: for an encrypted file; SLICE_NONE says that none was given (an empty one is not
 * none). ERR_DENIED: encrypted, and none was given; ERR_CRYPTO: a wrong one, or halves of a key
 * that do not agree. ERR_FORMAT: no key file. ERR_UNSUPPORTED: a key type, cipher or KDF not built;
 * ERR_LIMIT: more than 64 KiB of text, RSA out of pubkey.h's bounds, or more rounds of a KDF than
 * bcrypt_pbkdf.h and pem_cost.h allow. comment (may be NULL): caller owns *comment, "" if there is
 * none. A right passphrase costs what the file asks, up to half a minute: not for an event loop.
 */
enum err keyfile_parse(struct privkey **out, char **comment, const struct crypto *c,
                       struct slice text, struct slice passphrase) MUST_USE;

/* Appends the unencrypted OpenSSH format; "-----BEGIN OPENSSH PRIVATE KEY-----" and so on. */
enum err keyfile_write(const struct privkey *k, const char *comment, struct buf *out) MUST_USE;

/*
 * Appends the type's name and the fields, public and private, in the order that a file's private
 * section and an agent's message of a new key share (PROTOCOL.key, draft-ietf-sshm-ssh-agent).
 */
enum err keyfile_write_fields(const struct privkey *k, struct buf *out) MUST_USE;

/* The public key of an OpenSSH-format file, which is in clear even if the file is encrypted. */
enum err keyfile_public(struct pubkey **out, const struct crypto *c, struct slice text) MUST_USE;

#endif
