/* The host keys of aditd-sign: from files, and made. Nothing here signs. */
#ifndef ADIT_SERVER_SIGN_KEYS_H
#define ADIT_SERVER_SIGN_KEYS_H

#include "base/log.h"
#include "crypto/cert.h"
#include "crypto/privkey.h"

#define SIGN_KEYS_MAX 32

struct sign_key {
    struct privkey *private; /* NULL: an agent has it */
    struct pubkey *owned_public;
    const struct pubkey *public;
};

struct sign_cert {
    struct cert *cert;
    const struct sign_key *key; /* which signs in its name */
};

struct sign_keys {
    const struct crypto *crypto;
    struct sign_key keys[SIGN_KEYS_MAX];
    size_t count;
    struct sign_cert certs[SIGN_KEYS_MAX];
    size_t cert_count;
    int agent_fd; /* -1: none */
};

/*
 * A private key's file, or, where there is an agent, a public one's. False: not loaded, and the log
 * says why. is_default: nobody named the path, so a missing file is no fault.
 */
bool sign_keys_load(struct sign_keys *s, const char *path, bool is_default);
/* Behind the keys: a host's certificate for one of them. */
bool sign_keys_load_certificate(struct sign_keys *s, const char *path);
void sign_keys_done(struct sign_keys *s); /* wipes */

/* Who signs for a public key's or a certificate's blob; NULL: nobody. */
const struct sign_key *sign_keys_find(const struct sign_keys *s, struct slice blob);

/* Makes the key that the path's name asks for, unless there is one; says so on stdout. */
enum err sign_keys_make(const struct crypto *c, const char *path) MUST_USE;

#endif
