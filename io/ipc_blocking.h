/*
 * Records with descriptors between our own processes, without a loop, for roles that use plain
 * blocking calls: SOCK_SEQPACKET, so that a record and its descriptors stay together. Who reads
 * treats the bytes as hostile all the same. io/ipc.h is the same on a loop.
 */
#ifndef ADIT_IO_IPC_BLOCKING_H
#define ADIT_IO_IPC_BLOCKING_H

#include "base/buf.h"

#define IPC_MESSAGE_MAX 65536
#define IPC_FDS_MAX     4

/*
 * ERR_EOF, ERR_IO, ERR_FORMAT (truncated data or descriptors: MSG_TRUNC, MSG_CTRUNC). Sending wants
 * at least one byte, for an empty record cannot be told from the end; the caller keeps his
 * descriptors. Receiving replaces what is in bytes (a cap below IPC_MESSAGE_MAX is the longest
 * record); fds has room for IPC_FDS_MAX.
 */
enum err ipc_pair(int fds[2]) MUST_USE; /* SOCK_SEQPACKET, close-on-exec */
/*
 * A listening socket at path, close-on-exec and non-blocking, with that mode. A socket of ours that
 * lies there is replaced. ERR_EXISTS: something else lies there; ERR_LIMIT: too long; ERR_IO.
 */
enum err ipc_bind(const char *path, unsigned mode, int *fd) MUST_USE;
/* Joins a place made by ipc_listener_new, without waiting. ERR_IO: nobody is there. */
enum err ipc_connect(const char *path, int *fd) MUST_USE;
enum err ipc_send_blocking(int fd, struct slice bytes, const int *fds, size_t fd_count) MUST_USE;
enum err ipc_recv_blocking(int fd, struct buf *bytes, int *fds, size_t *fd_count) MUST_USE;

/* Of a record whose descriptors nobody wants. */
void ipc_close_fds(const int *fds, size_t count);

/*
 * One record, one system call, for who waits by himself (poll, a loop): the same errors, and
 * ERR_AGAIN. flags: MSG_DONTWAIT or none.
 */
enum err ipc_record_send(int fd, struct slice bytes, const int *fds, size_t fd_count,
                         int flags) MUST_USE;
enum err ipc_record_receive(int fd, uint8_t *room, size_t size, size_t *length,
                            int fds[IPC_FDS_MAX], size_t *fd_count, int flags) MUST_USE;

#endif
