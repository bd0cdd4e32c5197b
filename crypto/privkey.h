/* Private keys: sign, and make. A library of its own: only adit and aditd-sign link it. */
#ifndef ADIT_CRYPTO_PRIVKEY_H
#define ADIT_CRYPTO_PRIVKEY_H

#include "crypto/pubkey.h"

struct privkey;

void privkey_free(struct privkey *k); /* wipes */

/* The public half; lives as long as k. */
const struct pubkey *privkey_pubkey(const struct privkey *k);

/* Appends the SSH signature blob over data. algo must fit the key's kind (CHECK). */
enum err privkey_sign(const struct privkey *k, const struct algo_sign *algo, struct slice data,
                      struct buf *signature) MUST_USE;

/* A new key. bits: RSA only (0: 3072); ERR_LIMIT: below RSA_BITS_MIN or above RSA_BITS_MAX. */
enum err privkey_generate(struct privkey **out, const struct crypto *c, enum key_kind kind,
                          unsigned bits) MUST_USE;

#endif
