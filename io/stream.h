/*
 * A byte stream over a read and a write descriptor: one socket, two pipes, a terminal. It watches
 * its descriptors with uv_poll and does its own non-blocking readv and writev: bytes are read
 * straight into the owner's room, and what the kernel does not take is either handed back
 * (stream_try_write) or kept in a queue with a cap (stream_write).
 *
 * The owner hears events through one function. Inside it the owner may call anything here,
 * stream_close included. After stream_close or stream_abort it hears nothing more.
 *
 * struct stream_ops is one of the two tables of function pointers in the house: the descriptor
 * stream here, later the channel-as-stream (tunnel/chan_stream.c), and the tests' fake.
 */
#ifndef ADIT_IO_STREAM_H
#define ADIT_IO_STREAM_H

#include <sys/uio.h>

#include "base/buf.h"
#include "io/loop.h"

enum stream_event {
    STREAM_READABLE, /* stream_read would give bytes, an end or an error; comes again each turn
                        (level) while reading is on, until stream_read gave ERR_EOF or ERR_IO */
    STREAM_WRITABLE, /* asked for by stream_want_writable: the kernel takes bytes again; one shot */
    STREAM_DRAINED,  /* n bytes of the queue went to the kernel (n > 0) */
    STREAM_FAILED,   /* a queued write failed: stream_error tells; comes once */
};
typedef void stream_owner(void *owner, enum stream_event event, size_t n);

struct stream;
struct stream_ops {
    enum err (*read)(struct stream *s, const struct iovec *room, int count, size_t *n);
    enum err (*try_write)(struct stream *s, const struct iovec *bytes, int count, size_t *n);
    enum err (*write)(struct stream *s, const struct iovec *bytes, int count, size_t *n);
    void (*reading)(struct stream *s, bool on);
    void (*want_writable)(struct stream *s);
    size_t (*queued)(const struct stream *s);
    void (*limit)(struct stream *s, size_t cap);
    void (*shut_write)(struct stream *s);
    void (*close)(struct stream *s);
    void (*abort)(struct stream *s);
};
/* The head of every implementation. */
struct stream {
    const struct stream_ops *ops;
    stream_owner *event;
    void *owner;
};

/* Changes who hears; used when a dialled stream is handed to its user. */
static inline void stream_set_owner(struct stream *s, stream_owner *event, void *owner)
{
    s->event = event;
    s->owner = owner;
}

/*
 * Takes what is there into room (count <= 64). OK with *n > 0; ERR_AGAIN: nothing now; ERR_EOF:
 * the other side has ended (for a pseudo-terminal EIO too); ERR_IO: failed, stream_error has errno.
 */
MUST_USE static inline enum err stream_read(struct stream *s, const struct iovec *room, int count,
                                            size_t *n)
{
    return s->ops->read(s, room, count, n);
}

/* Gives the kernel what it takes now: OK and *n (0 allowed); ERR_IO. Nothing may be queued (CHECK).
 */
MUST_USE static inline enum err stream_try_write(struct stream *s, const struct iovec *bytes,
                                                 int count, size_t *n)
{
    return s->ops->try_write(s, bytes, count, n);
}

/*
 * Gives the kernel what it takes (behind what is queued) and queues the rest. *n: bytes the kernel
 * took now; the rest is reported by STREAM_DRAINED. ERR_LIMIT: the queue's cap would be passed,
 * nothing taken; ERR_IO.
 */
MUST_USE static inline enum err stream_write(struct stream *s, const struct iovec *bytes, int count,
                                             size_t *n)
{
    return s->ops->write(s, bytes, count, n);
}

/* Off at first. Turning it on with bytes already there gives READABLE in the next turn. */
static inline void stream_reading(struct stream *s, bool on)
{
    s->ops->reading(s, on);
}
static inline void stream_want_writable(struct stream *s)
{
    s->ops->want_writable(s);
}
static inline size_t stream_queued(const struct stream *s)
{
    return s->ops->queued(s);
}
/* The most bytes stream_write may queue from now on; what is queued already stays. */
static inline void stream_limit(struct stream *s, size_t cap)
{
    s->ops->limit(s, cap);
}
/*
 * After what is queued: FIN (shutdown(SHUT_WR), or close of the write descriptor). Nothing may be
 * written afterwards (CHECK).
 */
static inline void stream_shut_write(struct stream *s)
{
    s->ops->shut_write(s);
}
/*
 * Ends it: what is queued is still delivered in the background (at most 30 s), then closed. A TCP
 * socket ends with a FIN, and stays open behind it until the peer has acknowledged everything if
 * the peer might still send: a close would answer that with a reset and lose data.
 */
static inline void stream_close(struct stream *s)
{
    s->ops->close(s);
}
/*
 * Ends it so that the other side sees a reset: what was queued and what the kernel holds is still
 * delivered first (until the peer takes nothing for 10 s, at most 60 s in all), then RST
 * (SO_LINGER 0). On what is not a TCP socket: the same as close.
 */
static inline void stream_abort(struct stream *s)
{
    s->ops->abort(s);
}

/* ---- the descriptor stream ---- */

/*
 * Takes over both descriptors (the same number for a socket), makes them non-blocking (the flag is
 * restored at close if it was not set and the descriptor is no socket: a terminal's open file is
 * shared). -1: none, it is only read or only written. cap: the most bytes stream_write may queue. A
 * regular file works too (always ready).
 */
struct stream *stream_new(struct loop *l, int read_fd, int write_fd, size_t cap,
                          stream_owner *event, void *owner) MUST_USE;

/*
 * The same for a socket as a listener or a dial gave it, with what that told of the other side: a
 * numeric address, or "" for a Unix socket. The kernel need not be asked what it is.
 */
struct stream *stream_new_socket(struct loop *l, int fd, const char *peer, size_t cap,
                                 stream_owner *event, void *owner) MUST_USE;

/*
 * From here on a death of the process (SIGKILL, a crash) shows as a reset to the other side, not as
 * a clean end that cuts what was to come; stream_close still ends with a FIN. TCP descriptor
 * streams only, harmless otherwise.
 */
void stream_reset_on_death(struct stream *s);

/* errno of the last ERR_IO of a descriptor stream; 0 if none. */
int stream_error(const struct stream *s);
int stream_read_fd(const struct stream *s);
int stream_write_fd(const struct stream *s);
bool stream_is_socket(const struct stream *s);
/* -1: not a TCP socket, or not a descriptor stream. */
int stream_tcp_fd(const struct stream *s);

/* TCP only, harmless otherwise. */
void stream_set_nodelay(struct stream *s);
void stream_set_keepalive(struct stream *s, bool on);
/*
 * What the first reads get is acknowledged at once, not up to 40 ms later: for a peer that uses
 * Nagle's algorithm and says something in two pieces while there is nothing to answer.
 */
void stream_set_quick_acks(struct stream *s, unsigned reads);
/* The TOS byte (IPv4) or traffic class (IPv6); negative: left as it is. */
void stream_set_tos(struct stream *s, int tos);
void stream_set_notsent_lowat(struct stream *s, uint32_t bytes);

/* What TCP measured on the way to the peer (its next hop, where that is a relay). */
struct stream_path {
    uint64_t round_trip_us;       /* lately, with the queues that stand on the way */
    uint64_t least_round_trip_us; /* in some minutes */
    uint64_t delivered;           /* bytes a second, lately; 0: not known */
};
/* False: no TCP socket, or nothing is known. */
bool stream_look_at_path(const struct stream *s, struct stream_path *path) MUST_USE;
/* TCP sends no faster from here on; 0: as fast as it likes. */
void stream_limit_pace(struct stream *s, uint64_t bytes_per_s);

#endif
