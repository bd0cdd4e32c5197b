/*
 * Window arithmetic of the receiving side (RFC 4254 5.2), nothing else: what the peer may still
 * send, what waits for the consumer, when to credit and how much, and the budgets that windows
 * share. It reads no clock.
 *
 * A window has a target, and credit fills it up in steps. What both came and was taken within one
 * round trip is the flow; where it is more than half of the target, the window may be what limits
 * it, and the target becomes twice the flow, or four times as long as the flow still grows: TCP
 * doubles what it sends with each round trip as long as nothing but itself holds it back, and a
 * window must be ahead of it. So one that the line limits ends at two to four times of what the
 * line holds. The round trip must be one without queues of ours: with a loaded one every flow seems
 * to need more.
 *
 * A granted window cannot be taken back (RFC 4254 knows no such thing): a target that falls, behind
 * a consumer that does not keep up or after a pause, shows in credit that does not come.
 */
#ifndef ADIT_CONN_WINDOW_H
#define ADIT_CONN_WINDOW_H

#include "base/err.h"

#define WINDOW_FIRST (2u * 1024 * 1024)   /* at first, while there is plenty */
#define WINDOW_FLOOR 4096u                /* at first, however many there are */
#define WINDOW_MOST  (128u * 1024 * 1024) /* of one window: 670 MB/s at a round trip of 200 ms */
#define WINDOW_TOP   (1u << 30)           /* more than any peer of ours can be asked to count */

/*
 * What windows may hold together: a connection's, and above it a process's. Held is what the peers
 * may still send and what came and was not taken; a window that grows holds its target at once.
 */
struct window_budget {
    struct window_budget *parent; /* NULL: none; borrowed, outlives this one */
    uint64_t limit, held;         /* bytes */
    uint32_t count;               /* windows */
};

/* The whole of a budget without a parent's share: 256 MiB for a connection, 1 GiB for a process. */
#define WINDOW_CONNECTION (256u * 1024 * 1024)
#define WINDOW_PROCESS    (1024u * 1024 * 1024)

struct recv_window {
    struct window_budget *budget;
    uint32_t first;   /* the size at first; the target never falls below */
    uint32_t target;  /* the size wanted now */
    uint32_t left;    /* what the peer may still send */
    uint32_t waiting; /* came, and is not taken yet */
    uint32_t held;    /* of the budget: the target, or more while it falls */
    /* the round trip that is looked at */
    uint64_t from_us;
    uint32_t received, taken; /* in it */
    uint32_t least_waiting;   /* in it */
    uint32_t last_flow;       /* of the one before */
    uint32_t highest_flow;    /* of many before, less for each; of a sender that hoards */
};

/*
 * A new window of `wanted` bytes, or of what the budget has for one more; the peer is to be granted
 * w->left. ERR_LIMIT: not even the floor is left. Given back by window_done.
 */
enum err window_init(struct recv_window *w, struct window_budget *budget, uint32_t wanted) MUST_USE;
void window_done(struct recv_window *w);
/* The peer sends no more: it holds what waits for the consumer, and nothing of what was granted. */
void window_ended(struct recv_window *w);

/* What a window is judged by. */
struct window_terms {
    uint32_t most; /* it grows to no more */
    uint64_t now_us;
    uint64_t round_trip_us;      /* without queues; 0: not known, and nothing grows */
    uint64_t last_round_trip_us; /* with them; of a sender that hoards */
    /*
     * The sender reads as much from its source as the window allows, whatever the line takes, and
     * each piece that it sends costs it the more, the more waits: OpenSSH makes room for 32 KiB by
     * moving its queue, and is down to a fiftieth of its speed where that has its 16 MiB. To such
     * a one the window is the flow and little more, and falls with it. So the flow is that of a
     * round trip as it is now, whatever makes it longer; but of no more than two without queues,
     * for each that the window fills would make it longer.
     */
    bool sender_hoards;
};

/*
 * The peer sent n bytes. A round trip that has passed is looked at first: the target follows the
 * flow. ERR_LIMIT: beyond the window (RFC 4254 5.2).
 */
enum err window_received(struct recv_window *w, size_t n, const struct window_terms *t) MUST_USE;

/* The consumer took n bytes. True if a credit is due now. */
bool window_consumed(struct recv_window *w, size_t n);

/* Lets the target follow the flow, and takes the credit that is due: for WINDOW_ADJUST; may be 0.
 */
uint32_t window_take_credit(struct recv_window *w, const struct window_terms *t);

/* The sending side: adds a peer's adjustment. ERR_LIMIT: beyond 2^32-1. */
enum err window_adjusted(uint32_t *send_window, uint32_t bytes) MUST_USE;

#endif
