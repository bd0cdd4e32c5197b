/*
 * Records with descriptors over SOCK_SEQPACKET. It carries bytes and closes what it must not hand
 * on; what a record means, and whether its sender may say it, is decided above. Records may hold
 * secrets, so every copy here is wiped.
 */
#include "io/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/watch.h"

#define QUEUE_MAX     64
#define RECEIVE_BATCH 16 /* records taken before others get their turn */

/* Aligned room for one control message with descriptors. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

struct record {
    struct list link;
    int fds[IPC_FDS_MAX];
    size_t fd_count;
    size_t length;
    uint8_t bytes[];
};

struct ipc {
    struct loop *loop;
    struct loop_item item;
    int fd;
    struct loop_watch *watch;
    ipc_message *message;
    void *owner;
    struct list queue;
    size_t queued;
    bool over;       /* the last event was given */
    bool in_message; /* the owner is being told something */
    bool closed;     /* freed when in_message ends */
    uint8_t received[IPC_MESSAGE_MAX];
};

/* ---- one record, one system call ---- */

static void close_fds(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

/* OK, ERR_AGAIN, ERR_EOF (the other side is gone), ERR_IO. */
static enum err send_record(int fd, struct slice bytes, const int *fds, size_t fd_count, int flags)
{
    union control control = {0};
    struct iovec iov = {(void *)(uintptr_t)bytes.ptr, bytes.len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t sent;
    if (fd_count) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    do
        sent = sendmsg(fd, &m, MSG_NOSIGNAL | flags);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return OK;
    if (errno == EAGAIN)
        return ERR_AGAIN;
    return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN ? ERR_EOF : ERR_IO;
}

/* Takes the descriptors out of m; false if there are more than allowed (all are closed). */
static bool take_fds(struct msghdr *m, int fds[IPC_FDS_MAX], size_t *fd_count)
{
    bool ok = true;
    *fd_count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (*fd_count < IPC_FDS_MAX) {
                fds[(*fd_count)++] = fd;
            } else {
                close(fd);
                ok = false;
            }
        }
    }
    return ok;
}

/*
 * OK, ERR_AGAIN, ERR_EOF, ERR_FORMAT, ERR_IO. Our side may be told of a reset (the other closed
 * with records of ours unread) before what it sent is read: that error is passed over, and what
 * follows is read up to the real end.
 */
static enum err receive_record(int fd, uint8_t *room, size_t size, size_t *length,
                               int fds[IPC_FDS_MAX], size_t *fd_count, int flags)
{
    union control control;
    struct iovec iov = {room, size};
    struct msghdr m;
    ssize_t got;
    int resets = 0;
    *length = *fd_count = 0;
    do {
        m = (struct msghdr){.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
        got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | flags);
    } while (got < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ < 2)));
    if (got < 0 && errno == EAGAIN)
        return ERR_AGAIN;
    if (got < 0)
        return errno == ECONNRESET ? ERR_EOF : ERR_IO;
    bool ok = take_fds(&m, fds, fd_count);
    if (ok && got > 0 && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        *length = (size_t)got;
        return OK;
    }
    /* The kernel leaves in the room what fitted: not ours to keep. */
    mem_wipe(room, (size_t)got);
    close_fds(fds, *fd_count);
    *fd_count = 0;
    return got == 0 && ok && !(m.msg_flags & MSG_CTRUNC) ? ERR_EOF : ERR_FORMAT;
}

/* ---- on a loop ---- */

static void update_interest(struct ipc *i)
{
    if (!i->closed)
        loop_watch_set(i->watch, i->over     ? 0u
                                 : i->queued ? WATCH_READ | WATCH_WRITE
                                             : (unsigned)WATCH_READ);
}

static void free_record(struct record *r)
{
    list_remove(&r->link);
    close_fds(r->fds, r->fd_count);
    mem_wipe(r->bytes, r->length);
    mem_free(r);
}

static void drop_queue(struct ipc *i)
{
    LIST_FOR (r, &i->queue, struct record, link)
        free_record(r);
    i->queued = 0;
}

static void flush_queue(struct ipc *i)
{
    LIST_FOR (r, &i->queue, struct record, link) {
        enum err err =
            send_record(i->fd, slice_of(r->bytes, r->length), r->fds, r->fd_count, MSG_DONTWAIT);
        if (err == ERR_AGAIN)
            return;
        if (err != OK) {
            /* Reading comes to the same end, after what the other side sent before it. */
            drop_queue(i);
            return;
        }
        free_record(r);
        i->queued--;
    }
}

static void receive_all(struct ipc *i)
{
    for (int n = 0; n < RECEIVE_BATCH && !i->closed && !i->over; n++) {
        int fds[IPC_FDS_MAX];
        size_t fd_count;
        size_t length;
        enum err err = receive_record(i->fd, i->received, sizeof(i->received), &length, fds,
                                      &fd_count, MSG_DONTWAIT);
        if (err == ERR_AGAIN)
            return;
        i->over = err != OK;
        i->message(i->owner, err, slice_of(i->received, length), fds, fd_count);
        mem_wipe(i->received, length);
    }
}

static void socket_ready(void *owner, unsigned ready)
{
    struct ipc *i = owner;
    i->in_message = true;
    if (ready & WATCH_WRITE)
        flush_queue(i);
    if (ready & WATCH_READ)
        receive_all(i);
    i->in_message = false;
    if (i->closed)
        mem_free(i);
    else
        update_interest(i);
}

static void drop(void *owner)
{
    ipc_close(owner);
}

struct ipc *ipc_new(struct loop *l, int fd, ipc_message *message, void *owner)
{
    struct ipc *i = NEW(struct ipc);
    i->loop = l;
    i->fd = fd;
    i->message = message;
    i->owner = owner;
    list_init(&i->queue);
    i->watch = loop_watch_new(l, fd, socket_ready, i);
    CHECK(i->watch); /* a socket can always be polled */
    loop_keep(l, &i->item, drop, i);
    update_interest(i);
    return i;
}

void ipc_close(struct ipc *i)
{
    if (!i)
        return;
    CHECK(!i->closed);
    i->closed = true;
    loop_unkeep(&i->item);
    flush_queue(i); /* what the kernel takes is still delivered */
    drop_queue(i);
    loop_watch_close(i->watch);
    close(i->fd);
    if (!i->in_message)
        mem_free(i);
}

static enum err queue_record(struct ipc *i, struct slice bytes, const int *fds, size_t fd_count)
{
    struct record *r = mem_new(1, sizeof(*r) + bytes.len);
    list_init(&r->link);
    memcpy(r->bytes, bytes.ptr, bytes.len);
    r->length = bytes.len;
    for (size_t n = 0; n < fd_count; n++) {
        int copy = fcntl(fds[n], F_DUPFD_CLOEXEC, 3);
        if (copy < 0) {
            free_record(r);
            return ERR_IO;
        }
        r->fds[r->fd_count++] = copy;
    }
    list_append(&i->queue, &r->link);
    i->queued++;
    update_interest(i);
    return OK;
}

enum err ipc_send(struct ipc *i, struct slice bytes, const int *fds, size_t fd_count)
{
    CHECK(bytes.len > 0 && bytes.len <= IPC_MESSAGE_MAX && fd_count <= IPC_FDS_MAX);
    if (i->over)
        return ERR_EOF;
    if (i->queued == 0) {
        enum err err = send_record(i->fd, bytes, fds, fd_count, MSG_DONTWAIT);
        if (err != ERR_AGAIN)
            return err;
    }
    if (i->queued >= QUEUE_MAX)
        return ERR_LIMIT;
    return queue_record(i, bytes, fds, fd_count);
}

/* ---- without a loop ---- */

enum err ipc_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0 ? OK : ERR_IO;
}

/* For a descriptor that somebody made non-blocking. */
static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    (void)poll(&p, 1, -1); /* an interrupted wait is only one more try */
}

enum err ipc_send_blocking(int fd, struct slice bytes, const int *fds, size_t fd_count)
{
    enum err err;
    CHECK(bytes.len > 0 && bytes.len <= IPC_MESSAGE_MAX && fd_count <= IPC_FDS_MAX);
    while ((err = send_record(fd, bytes, fds, fd_count, 0)) == ERR_AGAIN)
        wait_for(fd, POLLOUT);
    return err;
}

enum err ipc_recv_blocking(int fd, struct buf *bytes, int *fds, size_t *fd_count)
{
    enum err err;
    uint8_t *room;
    size_t length;
    size_t size = MIN(bytes->cap, (size_t)IPC_MESSAGE_MAX);
    buf_clear(bytes);
    *fd_count = 0;
    TRY(buf_reserve(bytes, size, &room));
    while ((err = receive_record(fd, room, size, &length, fds, fd_count, 0)) == ERR_AGAIN)
        wait_for(fd, POLLIN);
    TRY(err);
    buf_commit(bytes, length);
    return OK;
}
