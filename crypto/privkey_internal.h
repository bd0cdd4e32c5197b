/*
 * What privkey and keyfile share: a private key is a libcrypto key whose public half was built
 * anew by pubkey_parse, so that both halves passed the same checks. Only those two include it.
 */
#ifndef ADIT_CRYPTO_PRIVKEY_INTERNAL_H
#define ADIT_CRYPTO_PRIVKEY_INTERNAL_H

#include "crypto/crypto_internal.h"
#include "crypto/privkey.h"
#include "wire/writer.h"

struct privkey {
    EVP_PKEY *pkey;
    struct pubkey *pubkey;
};

/*
 * Takes pkey over (freed on failure, too). ERR_UNSUPPORTED: a kind or curve not built; ERR_CRYPTO:
 * the halves do not belong together; else what pubkey_parse says.
 */
enum err privkey_from_pkey(struct privkey **out, const struct crypto *c, EVP_PKEY *pkey) MUST_USE;

/* The named number of the key; NULL if there is none. The caller frees it with BN_clear_free. */
BIGNUM *privkey_number(const EVP_PKEY *pkey, const char *name) MUST_USE;

/* The same as an mpint; a number that is missing is the writer's error. */
void privkey_number_write(struct writer *w, const EVP_PKEY *pkey, const char *name);

#endif
