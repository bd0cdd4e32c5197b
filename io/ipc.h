/*
 * Framed messages with descriptor passing between our own processes: SOCK_SEQPACKET, so that a
 * record and its descriptors stay together. Who reads treats the bytes as hostile all the same.
 */
#ifndef ADIT_IO_IPC_H
#define ADIT_IO_IPC_H

#include <sys/types.h>

#include "io/ipc_blocking.h"
#include "io/loop.h"

struct ipc;

/* The owner owns the descriptors. err OK: a message; ERR_EOF: the other side is gone; ERR_IO,
 * ERR_FORMAT (truncated data or descriptors: MSG_TRUNC, MSG_CTRUNC): last event. bytes are wiped
 * after the callback. */
typedef void ipc_message(void *owner, enum err err, struct slice bytes, const int *fds,
                         size_t fd_count);

/* Takes over fd. */
struct ipc *ipc_new(struct loop *l, int fd, ipc_message *message, void *owner) MUST_USE;
void ipc_close(struct ipc *i); /* NULL allowed */
/*
 * Gives the owner now what has come already, the end included, as the loop would in its turn: for
 * who learns by another way that the other side has ended, and wants its last words first. The ipc
 * may be closed by the owner meanwhile. Not inside its own message.
 */
void ipc_drain(struct ipc *i);
/* Another hears from here on. */
void ipc_set_owner(struct ipc *i, ipc_message *message, void *owner);
/*
 * Sends or queues (at most 600 messages: ERR_LIMIT beyond). At least one byte, for an empty record
 * cannot be told from the end. The descriptors are duplicated when queued, the caller keeps its
 * own. ERR_EOF: the other side is gone (what it sent before still comes as messages); ERR_IO.
 */
enum err ipc_send(struct ipc *i, struct slice bytes, const int *fds, size_t fd_count) MUST_USE;

/*
 * A place where processes that live already may come to speak: a socket at path (mode bits of the
 * file given). A socket of ours that lies there is replaced; at the end it is removed, unless
 * another has replaced it. uid: who came (SO_PEERCRED); fd is the owner's. ERR_EXISTS: something
 * else lies there; ERR_IO.
 */
struct ipc_listener;
typedef void ipc_accepted(void *owner, int fd, uid_t uid);
enum err ipc_listener_new(struct ipc_listener **out, struct loop *l, const char *path,
                          unsigned mode, ipc_accepted *accepted, void *owner) MUST_USE;
void ipc_listener_close(struct ipc_listener *i); /* NULL allowed */

#endif
