/*
 * How fast the socket of a link takes bytes while there are more, and how much may therefore lie
 * unsent in the kernel: what the link carries in two milliseconds. More would only make whoever
 * comes next wait behind it; less would cost a fast path a wake-up for each batch.
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
    uint32_t lowat;    /* for TCP_NOTSENT_LOWAT, bytes */
};

void pace_init(struct pace *p);
/*
 * The socket took n bytes at now_ms (not 0). is_full: it would not take more. True: p->lowat has
 * changed by a factor of two or more.
 */
bool pace_wrote(struct pace *p, size_t n, bool is_full, uint64_t now_ms) MUST_USE;
/* There was nothing more to send: what passed until now says nothing about the path. */
void pace_idle(struct pace *p);

#endif
