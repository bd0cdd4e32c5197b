/*
 * Waits for one descriptor that another process passes over a Unix socket (SCM_RIGHTS), as
 * ProxyUseFdpass has it: one byte or more with the descriptor beside it. Exactly one event.
 */
#ifndef ADIT_IO_FD_RECEIVER_H
#define ADIT_IO_FD_RECEIVER_H

#include "io/loop.h"

struct fd_receiver;

/*
 * fd >= 0: the caller's, close-on-exec. -1: error_number, or 0 where the other side ended without
 * passing one. The receiver is gone when this runs.
 */
typedef void fd_received(void *owner, int fd, int error_number);

/* Takes the socket over. */
struct fd_receiver *fd_receiver_new(struct loop *l, int socket, fd_received *received,
                                    void *owner) MUST_USE;
void fd_receiver_cancel(struct fd_receiver *r); /* not after the event; NULL allowed */

/* The numeric address of the peer of a TCP socket; NULL: it has none. Caller owns. */
char *fd_peer_address(int fd) MUST_USE;

#endif
