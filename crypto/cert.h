/*
 * OpenSSH certificates (PROTOCOL.certkeys): a public key, whom it stands for, how long and under
 * which conditions, signed by an authority. Whether that authority is trusted, what time it is and
 * what the options mean is the caller's. No authority may itself be a certificate.
 */
#ifndef ADIT_CRYPTO_CERT_H
#define ADIT_CRYPTO_CERT_H

#include "crypto/pubkey.h"

#define CERT_PRINCIPALS_MAX 256 /* OpenSSH's limit */
#define CERT_OPTIONS_MAX    256 /* each list */

enum cert_kind { CERT_USER = 1, CERT_HOST = 2 };

struct cert;

/* Everything is borrowed from the certificate. */
struct cert_info {
    enum cert_kind kind;
    uint64_t serial;
    struct slice key_id;
    uint64_t valid_after, valid_before; /* seconds since 1970; valid when after <= now < before */
    struct slice principals;            /* lists: cert_next_principal, cert_next_option */
    struct slice critical;
    struct slice extensions;
    const struct pubkey *key;       /* what is certified */
    const struct pubkey *authority; /* who signed */
    const struct algo_sign *algo;   /* and how */
    bool is_verified;               /* always true of what cert_parse gave out */
};

/* "ssh-ed25519-cert-v01@openssh.com" and its like: the type inside a blob. */
bool cert_is_type(struct slice type);
/*
 * Of a signature algorithm with a certificate ("rsa-sha2-512-cert-v01@openssh.com"), the plain
 * one, which names the signature. NULL: not one, or SHA-1.
 */
const struct algo_sign *cert_algo_sign(struct slice name);

/*
 * Of such a name: the same, static, and the type inside a blob ("ssh-rsa-cert-v01@openssh.com" for
 * both rsa-sha2-*). False where cert_algo_sign is NULL.
 */
bool cert_algo_names(struct slice name, const char **own, const char **type);

/*
 * Parses a blob and verifies the authority's signature; the blob is copied. ERR_CRYPTO: it does
 * not hold, or is by SHA-1 or an algorithm not built; ERR_UNSUPPORTED: no certificate type we know;
 * ERR_LIMIT: caps above, or pubkey.h's; ERR_FORMAT else.
 */
enum err cert_parse(struct cert **out, const struct crypto *c, struct slice blob) MUST_USE;
void cert_free(struct cert *k); /* NULL allowed */

const struct cert_info *cert_info(const struct cert *k); /* lives as long as k */
struct slice cert_blob(const struct cert *k);            /* as parsed */
char *cert_type_name(const struct cert *k) MUST_USE;     /* the type inside; caller owns */

/* Takes the first entry off a list of cert_info; false at its end. */
bool cert_next_principal(struct slice *list, struct slice *name);
/* An option's value is the text inside, empty for a flag. */
bool cert_next_option(struct slice *list, struct slice *name, struct slice *value);
bool cert_has_option(struct slice list, const char *name, struct slice *value);

struct cert_wish {
    enum cert_kind kind;
    const char *principal;    /* user or host name; NULL: whoever it is for */
    uint64_t now_s;           /* since 1970 */
    bool may_lack_principals; /* one without any stands for everybody */
    const char *const *known; /* critical options the caller will heed; NULL at the end */
};

/*
 * May it be used so? A host's principals are patterns, a user's are exact. ERR_DENIED, and *why is
 * a constant sentence: another kind, not yet or no longer valid, another principal, or a critical
 * option not among the known ones.
 */
enum err cert_check(const struct cert *k, const struct cert_wish *wish, const char **why) MUST_USE;

#endif
