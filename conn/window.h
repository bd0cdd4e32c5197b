/*
 * Window arithmetic of the receiving side (RFC 4254 5.2), nothing else: what the peer may still
 * send, what the consumer has taken, when to credit. Growth under load has its place here.
 */
#ifndef ADIT_CONN_WINDOW_H
#define ADIT_CONN_WINDOW_H

#include "base/err.h"

struct recv_window {
    uint32_t target;   /* the size we grant */
    uint32_t left;     /* what the peer may still send */
    uint32_t consumed; /* taken by the consumer, not yet credited */
};

void window_init(struct recv_window *w, uint32_t target);

/* The peer sent n bytes. ERR_LIMIT: beyond the window (RFC 4254 5.2). */
enum err window_received(struct recv_window *w, size_t n) MUST_USE;

/* The consumer took n bytes. True if a credit is due now. */
bool window_consumed(struct recv_window *w, size_t n);

/* Takes the credit that is due: the bytes for WINDOW_ADJUST; may be 0. */
uint32_t window_take_credit(struct recv_window *w);

/* The sending side: adds a peer's adjustment. ERR_LIMIT: beyond 2^32-1. */
enum err window_adjusted(uint32_t *send_window, uint32_t bytes) MUST_USE;

#endif
