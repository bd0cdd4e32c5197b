/*
 * A zygote: an exec'd program of one role that has made itself ready (libcrypto is warm, the
 * filter is built), knows no secret and has seen no byte of a peer, and forks a child for each
 * descriptor that the supervisor sends. It reaps its children and tells how they ended. One
 * thread, no loop. Its children share one layout of addresses, so the supervisor replaces it after
 * 100 of them.
 */
#ifndef ADIT_SERVER_ZYGOTE_H
#define ADIT_SERVER_ZYGOTE_H

#include "base/err.h"

/* The child's whole life: its exit status. fd is its own, for messages with the supervisor. */
typedef int zygote_child(void *owner, int fd);

/* Serves ROLE_IPC_FD until it ends. The exit status of the zygote. */
int zygote_serve(zygote_child *child, void *owner) MUST_USE;

#endif
