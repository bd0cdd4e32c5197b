/*
 * Decrypts the private section of an encrypted OpenSSH key file: its ciphers by name, keyed by
 * bcrypt_pbkdf. These are not a connection's ciphers: CBC may occur here, and there is no packet.
 */
#ifndef ADIT_CRYPTO_KEYFILE_CIPHER_H
#define ADIT_CRYPTO_KEYFILE_CIPHER_H

#include "crypto/algo.h"

struct keyfile_cipher; /* a row: constant */

/* NULL if the name is not one that can be read. "none" is not among them. */
const struct keyfile_cipher *keyfile_cipher_find(struct slice name);
size_t keyfile_cipher_block_len(const struct keyfile_cipher *cipher);
size_t keyfile_cipher_tag_len(const struct keyfile_cipher *cipher); /* 0: no tag behind */

/*
 * Appends the clear section to out (init it with buf_init_secret). kdf_options: string salt, u32
 * rounds. ERR_FORMAT: options or lengths that no writer makes; ERR_LIMIT: too many rounds;
 * ERR_CRYPTO: the tag does not hold. Without a tag a wrong passphrase yields noise, and OK.
 */
enum err keyfile_cipher_open(const struct keyfile_cipher *cipher, const struct crypto *c,
                             struct slice kdf_options, struct slice passphrase,
                             struct slice section, struct slice tag, struct buf *out) MUST_USE;

#endif
