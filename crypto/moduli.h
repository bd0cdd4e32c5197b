/*
 * Which group a server picks in a group exchange (RFC 4419 3): out of the text of a moduli file
 * (moduli(5)), or a built-in one where that has none. The text is the administrator's.
 */
#ifndef ADIT_CRYPTO_MODULI_H
#define ADIT_CRYPTO_MODULI_H

#include "base/buf.h"
#include "crypto/rand.h"

#define MODULI_BITS_MIN 2048 /* OpenSSH's DH_GRP_MIN and DH_GRP_MAX */
#define MODULI_BITS_MAX 8192

/* What the client asks for, in bits. */
struct moduli_wish {
    uint32_t min, wanted, max;
};

/* Within the bounds above, and in order? Narrows min, wanted and max to the bounds. */
bool moduli_wish_narrow(struct moduli_wish *wish) MUST_USE;

/*
 * Appends prime and generator, big-endian without leading zeros: of the smallest size from wanted
 * on, else of the greatest below, one at random. Lines that are not understood, or whose modulus
 * was not tested, are passed over. wish has been narrowed. ERR_NO_COMMON: not even a built-in
 * group is between min and max.
 */
enum err moduli_choose(struct slice text, const struct moduli_wish *wish, struct rng *rng,
                       struct buf *prime, struct buf *generator) MUST_USE;

#endif
