/*
 * Diffie-Hellman in the groups of RFC 3526 (RFC 4253 8, RFC 8268): the finite-field half of
 * kex_ecdh.h's interface, which is what callers use. Public values are the bodies of mpints:
 * written as a string they are the bytes an mpint has on the wire.
 */
#ifndef ADIT_CRYPTO_KEX_DH_H
#define ADIT_CRYPTO_KEX_DH_H

#include "crypto/algo.h"

#define KEX_GROUP_BITS_MIN 2048

/* A group that one side names (RFC 4419), big-endian without leading zeros. */
struct kex_group {
    struct slice prime, generator;
};

struct kex_dh; /* an ephemeral exponent and its group */

bool kex_dh_is_for(enum kex_kind kind);

/* Makes an exponent and appends the public value. ERR_CRYPTO: libcrypto fails. */
enum err kex_dh_new(struct kex_dh **out, enum kex_kind kind, struct buf *public_out) MUST_USE;
/*
 * The same in a group that was named. ERR_FORMAT: its prime is even or not of 2048 to 8192 bits, or
 * the generator is not in 2 .. p-2. That it is a prime is not proven.
 */
enum err kex_dh_new_in(struct kex_dh **out, const struct kex_group *group,
                       struct buf *public_out) MUST_USE;
void kex_dh_free(struct kex_dh *k); /* wipes; NULL allowed */

/*
 * Appends K as an mpint. ERR_FORMAT: the peer's value is no minimal non-negative number, or is not
 * in 2 .. p-2.
 */
enum err kex_dh_finish(const struct kex_dh *k, struct slice peer_public,
                       struct buf *secret) MUST_USE;

#endif
