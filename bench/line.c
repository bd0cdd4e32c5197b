#include "bench/line.h"

#define NS_PER_S 1000000000u

/* A piece of a GiB is no piece: n * 10^9 stays within 64 bits. */
static uint64_t time_of(const struct line *l, uint64_t n)
{
    return l->rate ? n * NS_PER_S / l->rate : 0;
}

size_t line_room(const struct line *l, uint64_t now_ns, size_t most)
{
    if (l->rate == 0 || l->free_ns <= now_ns)
        return l->rate ? MIN(most, l->queue) : most;
    uint64_t waiting = (uint64_t)((double)(l->free_ns - now_ns) * (double)l->rate / NS_PER_S);
    return waiting < l->queue ? MIN(most, l->queue - waiting) : 0;
}

uint64_t line_room_at(const struct line *l)
{
    uint64_t half = time_of(l, l->queue / 2);
    return l->free_ns > half ? l->free_ns - half : 0;
}

uint64_t line_take(struct line *l, uint64_t now_ns, size_t n)
{
    l->free_ns = MAX(l->free_ns, now_ns) + time_of(l, n);
    return l->free_ns + l->delay_ns;
}

void line_stall(struct line *l, uint64_t now_ns, uint64_t for_ns)
{
    l->free_ns = MAX(l->free_ns, now_ns) + for_ns;
}

static size_t before(uint64_t fault_at, uint64_t at, size_t n)
{
    return fault_at >= at && fault_at - at < n ? (size_t)(fault_at - at) : n;
}

size_t faults_until(const struct faults *f, uint64_t at, size_t n)
{
    return before(f->stall_at, at, before(f->cut_at, at, n));
}

bool faults_flip(const struct faults *f, uint64_t at, uint8_t *bytes, size_t n)
{
    size_t i = before(f->flip_at, at, n);
    if (i == n)
        return false;
    bytes[i] ^= (uint8_t)(1u << (f->flip_at % 8));
    return true;
}

/* A counter through a mixer (a Weyl sequence, multiplied and folded twice): even, and quick. */
static uint64_t roll(struct dice *d)
{
    d->state += 0x9e3779b97f4a7c15u;
    uint64_t x = d->state;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

uint64_t dice_below(struct dice *d, uint64_t n)
{
    return roll(d) % n;
}

size_t dice_size(struct dice *d, size_t most)
{
    unsigned powers = 1;
    while (powers < 63 && most >> powers)
        powers++;
    uint64_t low = UINT64_C(1) << dice_below(d, powers);
    uint64_t size = low + dice_below(d, low);
    return MIN(size, most);
}
