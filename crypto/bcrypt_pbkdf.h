/*
 * The key derivation of OpenSSH's encrypted private keys (PROTOCOL.key: kdf "bcrypt"): PBKDF2's
 * shape around bcrypt's slow Blowfish key schedule, which libcrypto does not have.
 */
#ifndef ADIT_CRYPTO_BCRYPT_PBKDF_H
#define ADIT_CRYPTO_BCRYPT_PBKDF_H

#include "crypto/algo.h"

#define BCRYPT_KEY_MAX  128 /* bytes that can be asked for */
#define BCRYPT_SALT_MAX 64  /* OpenSSH writes 16 */
/*
 * A file names its own price: at about 7 ms a round for 64 bytes this is half a minute. OpenSSH
 * writes 16 or 24 rounds unless told otherwise; people who tell say 100 or 1000.
 */
#define BCRYPT_ROUNDS_MAX 4096

/*
 * Fills key, which the caller wipes. passphrase may not be empty. ERR_FORMAT: no rounds, no salt,
 * no passphrase or no key; ERR_LIMIT: more rounds, salt or key than above.
 */
enum err bcrypt_pbkdf(const struct crypto *c, struct slice passphrase, struct slice salt,
                      uint32_t rounds, uint8_t *key, size_t key_len) MUST_USE;

#endif
