/*
 * What opening an encrypted PKCS#8 file would cost. Its KDF's parameters come from the file and
 * libcrypto sets no bound on iterations, so they are looked at before it is asked.
 */
#ifndef ADIT_CRYPTO_PEM_COST_H
#define ADIT_CRYPTO_PEM_COST_H

#include "base/buf.h"

/*
 * The product of all numbers among a KDF's parameters: iterations (times the key's length, where
 * it is named), or scrypt's N, r and p. About half a minute at worst; OpenSSL writes 2048
 * iterations, the most careful advice is a million.
 */
#define PEM_COST_MAX (UINT64_C(1) << 26)

/*
 * Every "ENCRYPTED PRIVATE KEY" in the text. ERR_LIMIT: too costly; ERR_FORMAT: its parameters
 * are no DER. Other blocks, and text without any, are OK.
 */
enum err pem_cost_check(struct slice text) MUST_USE;

#endif
