/*
 * One direction of a line as a schedule: bytes enter it at a rate and come out a delay later. What
 * does not fit in at once waits in a queue of a size, like a router's. And what goes wrong on it,
 * at which byte. Pure: told times (nanoseconds of any monotonic clock) and counts.
 */
#ifndef ADIT_BENCH_LINE_H
#define ADIT_BENCH_LINE_H

#include "base/base.h"

#define LINE_NEVER UINT64_MAX

struct line {
    uint64_t delay_ns;
    uint64_t rate;    /* bytes a second; 0: as many as come */
    uint64_t queue;   /* bytes that may wait to enter; counts with a rate only */
    uint64_t free_ns; /* when all that was taken has entered; of the line's own */
};

/* How many of at most `most` bytes the queue takes now. */
size_t line_room(const struct line *l, uint64_t now_ns, size_t most) MUST_USE;
/* When a queue that is full now will be half empty: a wait worth its wake-up. */
uint64_t line_room_at(const struct line *l) MUST_USE;
/* n bytes are taken now: when the last of them comes out. Never before what was taken earlier. */
uint64_t line_take(struct line *l, uint64_t now_ns, size_t n) MUST_USE;
/* Nothing enters for so long, from now on or from the end of what waits. */
void line_stall(struct line *l, uint64_t now_ns, uint64_t for_ns);

/* By number of the byte in its direction, from 0; LINE_NEVER: not at all. */
struct faults {
    uint64_t cut_at;   /* both sides are reset in front of this byte */
    uint64_t flip_at;  /* one bit of it is turned */
    uint64_t stall_at; /* the line stalls in front of it */
    uint64_t stall_ns;
};
#define FAULTS_NONE                                                                                \
    (struct faults)                                                                                \
    {                                                                                              \
        LINE_NEVER, LINE_NEVER, LINE_NEVER, 0                                                      \
    }

/* Of n bytes from number `at` on: how many come before the next cut or stall; n if none does. */
size_t faults_until(const struct faults *f, uint64_t at, size_t n) MUST_USE;
/* Turns the bit if the byte to turn is among these n from number `at` on. True: it was. */
bool faults_flip(const struct faults *f, uint64_t at, uint8_t *bytes, size_t n);

/* Numbers that depend on the seed only, so that what went wrong can be had again. */
struct dice {
    uint64_t state;
};
uint64_t dice_below(struct dice *d, uint64_t n) MUST_USE; /* 0..n-1; n >= 1 */
/* 1..most, each power of two as likely as the next: many small ones, some large. */
size_t dice_size(struct dice *d, size_t most) MUST_USE;

#endif
