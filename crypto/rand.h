/*
 * Randomness as an argument: the real generator, or a seeded one in a test. Bytes wait in a pool:
 * make a struct rng after fork, as a copied pool gives both processes the same bytes.
 */
#ifndef ADIT_CRYPTO_RAND_H
#define ADIT_CRYPTO_RAND_H

#include "base/base.h"

struct rng; /* buffered, so that paddings and cookies do not cost a system call each */

struct rng *rng_new(void) MUST_USE;                 /* of random_fill */
struct rng *rng_new_seeded(uint64_t seed) MUST_USE; /* tests: the same bytes each run */
void rng_free(struct rng *r);
void rng_bytes(struct rng *r, void *out, size_t n); /* never fails: aborts without entropy */
uint32_t rng_below(struct rng *r, uint32_t bound);  /* uniform in 0 .. bound-1 */

/*
 * From the kernel's generator, which needs no seed, no lock and no care after a fork. Never fails:
 * aborts if the kernel has none. What libcrypto makes by itself it draws from its own.
 */
void random_fill(void *out, size_t n);

#endif
