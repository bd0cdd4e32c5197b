/*
 * How fast the socket of a link takes bytes while there are more, and what follows from it.
 *
 * How much may lie unsent in the kernel: what the link carries in two milliseconds. More would only
 * make whoever comes next wait behind it; less would cost a fast path a wake-up for each batch.
 *
 * How fast TCP may send while somebody interactive is there besides the bulk: so fast that no queue
 * stands on the path. TCP itself keeps one, of a round trip and more, and a keystroke waits in it.
 * Who is alone is never slowed down. Where the queue stays however slow we become, others make it:
 * then TCP has its way again for a while.
 *
 * Pure: told bytes and times.
 */
#ifndef ADIT_TUNNEL_PACE_H
#define ADIT_TUNNEL_PACE_H

#include "base/base.h"

#define PACE_LOWAT_FIRST (128 * 1024)
#define PACE_LOWAT_MIN   (32 * 1024)
#define PACE_LOWAT_MAX   (1024 * 1024)

struct pace {
    uint64_t since_ms; /* when this measurement began; 0: none runs */
    uint64_t bytes;    /* taken since then */
    uint64_t rate;     /* of the last one, bytes a second; 0: none yet */
    uint32_t lowat;    /* for TCP_NOTSENT_LOWAT, bytes */

    uint64_t company_ms; /* when somebody interactive last sent; 0: never */
    uint64_t limit;      /* for SO_MAX_PACING_RATE, bytes a second; 0: none */
    unsigned slowed;     /* looks in a row that found the queue too long */
    uint64_t look_ms;    /* not to be looked at again before */
};

void pace_init(struct pace *p);
/*
 * The socket took n bytes at now_ms (not 0). is_full: it would not take more. True: p->lowat has
 * changed by a factor of two or more.
 */
bool pace_wrote(struct pace *p, size_t n, bool is_full, uint64_t now_ms) MUST_USE;
/* There was nothing more to send: what passed until now says nothing about the path. */
void pace_idle(struct pace *p);

/* A channel that says little had something to say. */
void pace_company(struct pace *p, uint64_t now_ms);
/* Whether the path should be looked at, behind pace_wrote of a full socket. */
bool pace_should_look(const struct pace *p, uint64_t now_ms);
struct pace_path {
    uint64_t round_trip_us;       /* now, with the queues on the way */
    uint64_t least_round_trip_us; /* that it ever was */
    uint64_t delivered;           /* bytes a second that arrived lately; 0: not known */
};
/* True: p->limit has changed. */
bool pace_looked(struct pace *p, const struct pace_path *path, uint64_t now_ms) MUST_USE;

#endif
