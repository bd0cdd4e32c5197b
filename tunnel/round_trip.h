/*
 * How long a round trip to the peer takes when nothing is in its way: when to ask, and what the
 * answers say. It is told the time and how much data has come, and asks nobody itself.
 *
 * An answer behind data of ours in flight waits in the same queues, so it says too much; windows
 * that grow by such a time make the queues longer, and the next answer later. So the first question
 * goes out when a channel opens, before its data; the least of the answers counts; and a longer one
 * takes its place only if hardly any data came between question and answer.
 */
#ifndef ADIT_TUNNEL_ROUND_TRIP_H
#define ADIT_TUNNEL_ROUND_TRIP_H

#include "base/err.h"

/* Zeroed at first. Times are monotonic microseconds. */
struct round_trip {
    uint64_t least_us;          /* 0: not known */
    uint64_t last_us;           /* with whatever was in its way */
    uint64_t seen_us;           /* when an answer last took about as long */
    uint64_t asked_us;          /* when the last question went out */
    uint64_t received_at_asked; /* bytes of data that had come by then */
    bool is_asked;              /* it is out: one at a time */
    bool is_wanted;             /* a channel opens, and what is known is old */
};

/* A channel opens: data may come soon. */
void round_trip_want(struct round_trip *r, uint64_t now_us);
/* Whether to ask now. received: bytes of data that have ever come. */
bool round_trip_is_due(const struct round_trip *r, uint64_t now_us, uint64_t received);
void round_trip_asked(struct round_trip *r, uint64_t now_us, uint64_t received);
/* An answer came; one that nobody asked for says nothing. */
void round_trip_answered(struct round_trip *r, uint64_t now_us, uint64_t received);

/* Both 0: not known yet. */
static inline uint64_t round_trip_us(const struct round_trip *r)
{
    return r->least_us;
}

static inline uint64_t round_trip_now_us(const struct round_trip *r)
{
    return r->last_us;
}

#endif
