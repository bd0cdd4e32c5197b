/*
 * Random bytes from a small pool. The real one is filled by the kernel's generator: libcrypto's has
 * to be seeded by each process, which costs a login more than all the bytes it asks for. The seeded
 * one (splitmix64, Steele and others 2014) is predictable on purpose and only for tests. Keys are
 * not made from a pool.
 */
#include "crypto/rand.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define POOL 1024

struct rng {
    uint8_t pool[POOL];
    size_t left; /* bytes at the pool's end not given out yet */
    bool seeded;
    uint64_t state;
};

struct rng *rng_new(void)
{
    return NEW(struct rng);
}

struct rng *rng_new_seeded(uint64_t seed)
{
    struct rng *r = NEW(struct rng);
    r->seeded = true;
    r->state = seed;
    return r;
}

void rng_free(struct rng *r)
{
    if (!r)
        return;
    mem_wipe(r, sizeof(*r));
    mem_free(r);
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

void random_fill(void *out, size_t n)
{
    uint8_t *to = out;
    while (n) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        CHECK(got > 0); /* Linux 3.17 has it; there is nothing to do without */
        to += got;
        n -= (size_t)got;
    }
}

static void fill(struct rng *r, uint8_t *out, size_t n)
{
    if (!r->seeded) {
        random_fill(out, n);
        return;
    }
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = splitmix64(&r->state);
        memcpy(out + i, &word, MIN(n - i, sizeof(word)));
    }
}

void rng_bytes(struct rng *r, void *out, size_t n)
{
    uint8_t *to = out;
    if (n > POOL) {
        fill(r, to, n);
        return;
    }
    while (n) {
        if (r->left == 0) {
            fill(r, r->pool, POOL);
            r->left = POOL;
        }
        size_t take = MIN(n, r->left);
        uint8_t *from = r->pool + POOL - r->left;
        memcpy(to, from, take);
        /* What was given out must not be found here later. */
        mem_wipe(from, take);
        r->left -= take;
        to += take;
        n -= take;
    }
}

uint32_t rng_below(struct rng *r, uint32_t bound)
{
    CHECK(bound > 0);
    /* Values below the remainder of 2^32 by bound would come once too often: draw again. */
    uint32_t unfair = (0U - bound) % bound;
    uint32_t value;
    do {
        rng_bytes(r, &value, sizeof(value));
    } while (value < unfair);
    return value % bound;
}
