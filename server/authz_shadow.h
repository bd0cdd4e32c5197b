/*
 * The shadow entry of an account and crypt(3): locks, expiry, and whether a password is right.
 * Whoever the account is, a password costs one crypt: what is not there is played by a decoy.
 */
#ifndef ADIT_SERVER_AUTHZ_SHADOW_H
#define ADIT_SERVER_AUTHZ_SHADOW_H

#include "base/buf.h"

struct shadow {
    bool is_read;              /* false: there is none, or we may not read it */
    char *hash;                /* owned, wiped; "" without one */
    char *decoy;               /* root's scheme where it has one: what a hash costs here */
    int64_t changed, max_days; /* days since 1970; -1: none */
    int64_t expires;           /* the same */
};

/* For an unknown user all is empty, but it takes the same look-ups. shadow_done in any case. */
void shadow_read(const char *user, struct shadow *s);
void shadow_done(struct shadow *s);

bool shadow_is_locked(const struct shadow *s);                  /* as OpenSSH takes it */
bool shadow_is_expired(const struct shadow *s, int64_t now_s);  /* the account */
bool shadow_must_change(const struct shadow *s, int64_t now_s); /* the password's age */

/* One crypt, whatever the hash is. An empty password fits an account without one, and no other. */
bool shadow_is_password(const struct shadow *s, struct slice password) MUST_USE;

#endif
