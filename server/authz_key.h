/*
 * The key that is offered: parsed, its signature verified over bytes rebuilt here, described, and
 * held against every rule that asks nothing about whose key it is (algorithms, sizes, revocation).
 * Which account it opens is authz_lists.c's.
 */
#ifndef ADIT_SERVER_AUTHZ_KEY_H
#define ADIT_SERVER_AUTHZ_KEY_H

#include "crypto/cert.h"
#include "server/authz_attempt.h"

enum key_verdict {
    KEY_VERDICT_BAD,
    KEY_VERDICT_NOTHING_SIGNED, /* a query: the algorithm fits the key */
    KEY_VERDICT_VERIFIED,
};

struct offered_key {
    const struct pubkey *key; /* the plain one, of the certificate if it is one; NULL: unreadable */
    struct pubkey *owned;     /* key, unless it is a certificate's */
    struct cert *cert;        /* NULL: a plain key */
    enum key_verdict verdict;
    struct sk_signature sk; /* of a security key that signed */
};

/* Reads l->m, fills l->fingerprint. offered_key_done in any case. */
void offered_key_read(struct attempt *l, struct offered_key *k);
void offered_key_done(struct offered_key *k);

/* "ssh-ed25519-cert-v01@openssh.com": the name inside a blob; empty where there is none. */
struct slice offered_key_type(struct slice blob);
/* The blob of the plain key; of the authority that signed the certificate (empty: no certificate).
 */
struct slice offered_key_plain(const struct offered_key *k);
struct slice offered_key_authority(const struct offered_key *k);

/*
 * Refuses by PubkeyAcceptedAlgorithms, RequiredRSASize, CASignatureAlgorithms, RevokedKeys, a key
 * that was used in an earlier step, a signature that does not hold. As root it is asked before the
 * change of uid, as RevokedKeys may be root's alone.
 */
void offered_key_check(struct attempt *l, const struct offered_key *k);

/* touch-required and verify-required of l->granted and PubkeyAuthOptions; nothing for a query. */
void offered_key_check_touch(struct attempt *l, const struct offered_key *k);

/* "SHA256:..." by FingerprintHash; the caller owns it. */
char *authz_fingerprint(const struct attempt *l, struct slice blob) MUST_USE;

#endif
