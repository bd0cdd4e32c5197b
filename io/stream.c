/*
 * The descriptor stream: non-blocking readv and writev on polled descriptors, a capped queue for
 * what the kernel refuses, and the two ways to end. A descriptor that cannot be polled (a regular
 * file) counts as ready at the end of every turn. What the bytes mean is the owner's business.
 */
#include "io/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/watch.h"

#define CLOSE_LIMIT_MS   30000u /* stream_close: in all */
#define ABORT_STALL_MS   10000u /* stream_abort: without progress */
#define ABORT_LIMIT_MS   60000u /* stream_abort: in all */
#define DRAIN_FIRST_MS   5u     /* first look at the kernel's send queue; doubles */
#define DRAIN_SLOWEST_MS 200u
#define READ_IOVECS_MAX  64

enum ending { NOT_ENDING, CLOSING, ABORTING };

struct fd_stream {
    struct stream base;
    struct loop *loop;
    struct loop_item item;
    int read_fd;
    int write_fd; /* -1 after shut_write closed it */
    struct loop_watch *read_watch;
    struct loop_watch *write_watch; /* the same one if the descriptors are the same */
    struct loop_turn turn;          /* serves what has no watch */
    struct loop_timer *ending_timer;
    struct buf queue;
    int error;
    enum ending ending;
    uint64_t started_ms;  /* of the ending */
    uint64_t progress_ms; /* when the peer last took something, while ending */
    int kernel_left;      /* bytes the kernel still held then */
    uint64_t drain_ms;    /* until the next look at it */
    bool is_socket, is_tcp;
    unsigned quick_acks;              /* reads that are still to be acknowledged at once */
    bool reset_on_death;              /* SO_LINGER says "reset" until a close that is meant well */
    bool restore_read, restore_write; /* the open file was blocking before */
    bool reading, want_writable;
    bool read_ended;   /* end or error was given to the owner */
    bool write_failed; /* nothing can be written any more */
    bool shut_wanted, shut_done;
    bool in_event; /* the owner is being told something */
    bool over;     /* descriptors are closed; freed when in_event ends */
};

static struct fd_stream *of(struct stream *s)
{
    return container_of(s, struct fd_stream, base);
}

static const struct fd_stream *of_const(const struct stream *s)
{
    return (const struct fd_stream *)(const void *)s;
}

/* ---- what is polled ---- */

static bool has_write_interest(const struct fd_stream *f)
{
    return f->write_fd >= 0 && !f->write_failed && (buf_len(&f->queue) || f->want_writable);
}

static bool has_read_interest(const struct fd_stream *f)
{
    return f->ending == NOT_ENDING && f->reading && !f->read_ended;
}

static void update_interest(struct fd_stream *f)
{
    if (f->over)
        return;
    unsigned read = has_read_interest(f) ? WATCH_READ : 0;
    unsigned write = has_write_interest(f) ? WATCH_WRITE : 0;
    if (f->read_watch && f->read_watch == f->write_watch) {
        loop_watch_set(f->read_watch, read | write);
        return;
    }
    if (f->read_watch)
        loop_watch_set(f->read_watch, read);
    if (f->write_watch)
        loop_watch_set(f->write_watch, write);
    if ((read && !f->read_watch) || (write && !f->write_watch))
        loop_turn_request(f->loop, &f->turn);
}

/* ---- the end ---- */

static void give_back(int fd, bool make_blocking)
{
    if (fd < 0)
        return;
    if (make_blocking) {
        int flags = fcntl(fd, F_GETFL);
        if (flags >= 0)
            (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    }
    close(fd);
}

static void close_write_fd(struct fd_stream *f)
{
    if (f->write_watch != f->read_watch)
        loop_watch_close(f->write_watch);
    f->write_watch = NULL;
    give_back(f->write_fd, f->restore_write);
    f->write_fd = -1;
}

/*
 * A Unix socket closed with unread bytes gives its peer ECONNRESET in place of the end; a close
 * that was meant well takes them out first. Bounded, for the peer may write on.
 */
static void discard_unread(const struct fd_stream *f)
{
    char scratch[8192];
    for (int i = 0; i < 32; i++)
        if (recv(f->read_fd, scratch, sizeof(scratch), MSG_DONTWAIT) <= 0)
            return;
}

static void set_linger(const struct fd_stream *f, bool reset)
{
    struct linger linger = {.l_onoff = reset, .l_linger = 0};
    (void)setsockopt(f->read_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* Closes everything now; the memory goes when no callback of ours is on the stack. */
static void finish(struct fd_stream *f)
{
    if (f->over)
        return;
    f->over = true;
    loop_unkeep(&f->item);
    loop_turn_cancel(&f->turn);
    loop_timer_close(f->ending_timer);
    if (f->ending == ABORTING && f->is_tcp)
        set_linger(f, true);
    else if (f->ending == CLOSING && f->reset_on_death)
        set_linger(f, false);
    if (f->is_socket && !f->is_tcp && !f->read_ended)
        discard_unread(f);
    if (f->write_fd != f->read_fd)
        close_write_fd(f);
    loop_watch_close(f->read_watch);
    give_back(f->read_fd, f->restore_read);
    f->read_fd = f->write_fd = -1;
    buf_done(&f->queue);
    if (!f->in_event)
        mem_free(f);
}

static void drop(void *owner)
{
    finish(owner);
}

/* Tells the owner. False: the stream is gone or ending, touch it no more than leave_event does. */
static bool tell(struct fd_stream *f, enum stream_event event, size_t n)
{
    if (f->over || f->ending != NOT_ENDING)
        return false;
    f->base.event(f->base.owner, event, n);
    return !f->over && f->ending == NOT_ENDING;
}

static void leave_event(struct fd_stream *f)
{
    f->in_event = false;
    if (f->over)
        mem_free(f);
    else
        update_interest(f);
}

static void shut_now(struct fd_stream *f)
{
    if (f->shut_done || f->write_fd < 0)
        return;
    f->shut_done = true;
    if (f->is_socket)
        (void)shutdown(f->write_fd, SHUT_WR);
    else if (f->write_fd != f->read_fd)
        close_write_fd(f);
}

static bool is_tcp_dead(const struct fd_stream *f)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    if (getsockopt(f->read_fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return true;
    return info.tcpi_state == TCP_CLOSE;
}

/* Bytes (and the FIN) that the peer's kernel has not acknowledged. */
static int kernel_holds(const struct fd_stream *f)
{
    int left = 0;
    if (!f->is_tcp || ioctl(f->read_fd, SIOCOUTQ, &left) != 0)
        return 0;
    return left;
}

/*
 * A TCP socket that is closed while bytes of the peer are unread, or before they come, answers them
 * with a reset, and what it had still to send is lost. So a close waits for the acknowledgement
 * unless the peer has ended too.
 */
static bool may_finish(const struct fd_stream *f)
{
    int unread = 0;
    if (!f->is_tcp || f->write_failed || (f->ending == CLOSING && f->read_ended))
        return true; /* nothing unread is behind an end or an error */
    int left = kernel_holds(f);
    if (is_tcp_dead(f))
        return true;
    if (f->ending == ABORTING || left > 0 || f->shut_done)
        return left == 0;
    (void)ioctl(f->read_fd, FIONREAD, &unread);
    return unread == 0;
}

static bool is_ending_too_slow(struct fd_stream *f)
{
    uint64_t now = loop_now(f->loop);
    int left = kernel_holds(f);
    if (left != f->kernel_left) {
        f->kernel_left = left;
        f->progress_ms = now;
        f->drain_ms = DRAIN_FIRST_MS;
    }
    if (f->ending == CLOSING)
        return now - f->started_ms >= CLOSE_LIMIT_MS;
    return now - f->progress_ms >= ABORT_STALL_MS || now - f->started_ms >= ABORT_LIMIT_MS;
}

/* Looks how far an ending has come; sees to it that it is looked at again. */
static void continue_ending(struct fd_stream *f)
{
    if (f->write_failed || buf_len(&f->queue) == 0) {
        if (may_finish(f)) {
            finish(f);
            return;
        }
        if (f->ending == CLOSING)
            shut_now(f);
    }
    if (is_ending_too_slow(f)) {
        if (f->is_tcp) /* not all of it was delivered: that must not look like an end */
            f->ending = ABORTING;
        finish(f);
        return;
    }
    update_interest(f);
    loop_timer_start(f->ending_timer, f->drain_ms);
    f->drain_ms = MIN(f->drain_ms * 2, DRAIN_SLOWEST_MS);
}

static void ending_timer_fired(void *owner)
{
    continue_ending(owner);
}

static void begin_ending(struct fd_stream *f, enum ending ending)
{
    CHECK(f->ending == NOT_ENDING && !f->over);
    f->ending = ending;
    f->want_writable = false;
    f->started_ms = f->progress_ms = loop_now(f->loop);
    f->kernel_left = -1;
    f->drain_ms = DRAIN_FIRST_MS;
    f->ending_timer = loop_timer_new(f->loop, ending_timer_fired, f);
    continue_ending(f);
}

/* ---- writing ---- */

/* One system call; what goes out. OK with *n = 0 if the kernel is full. */
static enum err write_some(struct fd_stream *f, const struct iovec *bytes, int count, size_t *n)
{
    ssize_t written;
    *n = 0;
    if (f->write_failed || f->write_fd < 0) {
        f->error = f->error ? f->error : EPIPE;
        return ERR_IO;
    }
    struct msghdr message = {0};
    message.msg_iov = (struct iovec *)(uintptr_t)bytes;
    message.msg_iovlen = (size_t)MIN(count, IOV_MAX);
    do {
        written = f->is_socket ? sendmsg(f->write_fd, &message, MSG_NOSIGNAL)
                               : writev(f->write_fd, bytes, MIN(count, IOV_MAX));
    } while (written < 0 && errno == EINTR);
    if (written >= 0) {
        *n = (size_t)written;
        return OK;
    }
    if (errno == EAGAIN || errno == ENOBUFS)
        return OK;
    f->error = errno;
    f->write_failed = true;
    return ERR_IO;
}

/* False: the stream is gone or ending. */
static bool flush_queue(struct fd_stream *f)
{
    size_t n;
    struct slice waiting = buf_slice(&f->queue);
    if (waiting.len == 0)
        return true;
    struct iovec iov = {(void *)(uintptr_t)waiting.ptr, waiting.len};
    if (write_some(f, &iov, 1, &n) != OK) {
        buf_done(&f->queue);
        f->want_writable = false;
        return tell(f, STREAM_FAILED, 0);
    }
    buf_consume(&f->queue, n);
    f->kernel_left = -1; /* progress of an ending */
    if (buf_len(&f->queue) == 0)
        buf_done(&f->queue); /* an idle stream holds no memory */
    return n == 0 || tell(f, STREAM_DRAINED, n);
}

static void serve_write(struct fd_stream *f)
{
    if (!flush_queue(f) || buf_len(&f->queue))
        return;
    if (f->want_writable) {
        f->want_writable = false;
        if (!tell(f, STREAM_WRITABLE, 0))
            return;
    }
    if (f->shut_wanted && buf_len(&f->queue) == 0)
        shut_now(f);
}

static void serve(struct fd_stream *f, unsigned ready)
{
    f->in_event = true;
    if (f->ending != NOT_ENDING) {
        (void)flush_queue(f);
        continue_ending(f);
        leave_event(f);
        return;
    }
    if ((ready & WATCH_WRITE) && has_write_interest(f))
        serve_write(f);
    if ((ready & WATCH_READ) && !f->over && has_read_interest(f))
        (void)tell(f, STREAM_READABLE, 0);
    leave_event(f);
}

static void combined_ready(void *owner, unsigned ready)
{
    serve(owner, ready);
}

static void turn_ended(void *owner)
{
    const struct fd_stream *f = owner;
    unsigned ready = (f->read_watch ? 0u : WATCH_READ) | (f->write_watch ? 0u : WATCH_WRITE);
    serve(owner, ready);
}

/* ---- the table ---- */

/* The kernel forgets it soon: after each read anew. */
static void ack_now(struct fd_stream *f)
{
    const int on = 1;
    f->quick_acks--;
    (void)setsockopt(f->read_fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

static enum err fd_read(struct stream *s, const struct iovec *room, int count, size_t *n)
{
    struct fd_stream *f = of(s);
    ssize_t got;
    *n = 0;
    CHECK(count > 0 && count <= READ_IOVECS_MAX && f->ending == NOT_ENDING);
    do
        got = readv(f->read_fd, room, count);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        *n = (size_t)got;
        if (f->quick_acks)
            ack_now(f);
        return OK;
    }
    if (got < 0 && errno == EAGAIN)
        return ERR_AGAIN;
    f->read_ended = true;
    if (!f->in_event)
        update_interest(f);
    /* A pseudo-terminal whose other side is closed says EIO; for us that is its end. */
    if (got == 0 || (errno == EIO && !f->is_socket && isatty(f->read_fd)))
        return ERR_EOF;
    f->error = errno;
    return ERR_IO;
}

static enum err fd_try_write(struct stream *s, const struct iovec *bytes, int count, size_t *n)
{
    struct fd_stream *f = of(s);
    CHECK(count > 0 && f->ending == NOT_ENDING && buf_len(&f->queue) == 0 && !f->shut_wanted);
    return write_some(f, bytes, count, n);
}

static enum err fd_write(struct stream *s, const struct iovec *bytes, int count, size_t *n)
{
    struct fd_stream *f = of(s);
    size_t total = 0;
    size_t skip;
    uint8_t *room;
    *n = 0;
    CHECK(count >= 0 && f->ending == NOT_ENDING && !f->shut_wanted);
    for (int i = 0; i < count; i++)
        total += bytes[i].iov_len;
    if (f->write_failed)
        return ERR_IO;
    if (buf_len(&f->queue) > f->queue.cap || total > f->queue.cap - buf_len(&f->queue))
        return ERR_LIMIT;
    if (total == 0)
        return OK;
    if (buf_len(&f->queue) == 0)
        TRY(write_some(f, bytes, count, n));
    if (*n == total)
        return OK;
    TRY(buf_reserve(&f->queue, total - *n, &room));
    skip = *n;
    for (int i = 0; i < count; i++) {
        size_t passed = MIN(skip, bytes[i].iov_len);
        skip -= passed;
        TRY(buf_append(&f->queue, (const uint8_t *)bytes[i].iov_base + passed,
                       bytes[i].iov_len - passed));
    }
    if (!f->in_event)
        update_interest(f);
    return OK;
}

static void fd_reading(struct stream *s, bool on)
{
    struct fd_stream *f = of(s);
    f->reading = on;
    if (!f->in_event)
        update_interest(f);
}

static void fd_want_writable(struct stream *s)
{
    struct fd_stream *f = of(s);
    f->want_writable = true;
    if (!f->in_event)
        update_interest(f);
}

static size_t fd_queued(const struct stream *s)
{
    return buf_len(&of_const(s)->queue);
}

static void fd_limit(struct stream *s, size_t cap)
{
    of(s)->queue.cap = cap;
}

static void fd_shut_write(struct stream *s)
{
    struct fd_stream *f = of(s);
    CHECK(f->ending == NOT_ENDING);
    f->shut_wanted = true;
    f->want_writable = false;
    if (buf_len(&f->queue) == 0)
        shut_now(f);
    if (!f->in_event)
        update_interest(f);
}

static void fd_close(struct stream *s)
{
    begin_ending(of(s), CLOSING);
}

static void fd_abort(struct stream *s)
{
    struct fd_stream *f = of(s);
    begin_ending(f, f->is_tcp ? ABORTING : CLOSING);
}

static const struct stream_ops fd_ops = {
    .read = fd_read,
    .try_write = fd_try_write,
    .write = fd_write,
    .reading = fd_reading,
    .want_writable = fd_want_writable,
    .queued = fd_queued,
    .limit = fd_limit,
    .shut_write = fd_shut_write,
    .close = fd_close,
    .abort = fd_abort,
};

/* ---- making one ---- */

static int socket_option(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

/* Watches fd, of any kind; *restore: it was blocking, and others may share the open file. */
static struct loop_watch *watch(struct fd_stream *f, int fd, bool *restore)
{
    *restore = false;
    if (fd < 0)
        return NULL;
    int flags = fcntl(fd, F_GETFL);
    struct loop_watch *w = loop_watch_new(f->loop, fd, combined_ready, f);
    *restore = w && flags >= 0 && !(flags & O_NONBLOCK) && socket_option(fd, SO_TYPE) < 0;
    return w;
}

static struct fd_stream *new_fd_stream(struct loop *l, int read_fd, int write_fd, size_t cap,
                                       stream_owner *event, void *owner)
{
    struct fd_stream *f = NEW(struct fd_stream);
    f->base = (struct stream){&fd_ops, event, owner};
    f->loop = l;
    f->read_fd = read_fd;
    f->write_fd = write_fd;
    f->turn.callback = turn_ended;
    f->turn.owner = f;
    buf_init(&f->queue, cap);
    loop_keep(l, &f->item, drop, f);
    return f;
}

struct stream *stream_new(struct loop *l, int read_fd, int write_fd, size_t cap,
                          stream_owner *event, void *owner)
{
    struct fd_stream *f = new_fd_stream(l, read_fd, write_fd, cap, event, owner);
    f->is_socket = socket_option(write_fd, SO_TYPE) >= 0;
    f->is_tcp =
        f->is_socket && read_fd == write_fd && socket_option(read_fd, SO_PROTOCOL) == IPPROTO_TCP;
    f->read_watch = watch(f, read_fd, &f->restore_read);
    f->write_watch = f->read_watch;
    if (read_fd != write_fd)
        f->write_watch = watch(f, write_fd, &f->restore_write);
    return &f->base;
}

struct stream *stream_new_socket(struct loop *l, int fd, const char *peer, size_t cap,
                                 stream_owner *event, void *owner)
{
    struct fd_stream *f = new_fd_stream(l, fd, fd, cap, event, owner);
    f->is_socket = true;
    f->is_tcp = peer[0] != '\0';
    f->read_watch = f->write_watch = loop_watch_new_socket(l, fd, combined_ready, f);
    return &f->base;
}

void stream_reset_on_death(struct stream *s)
{
    if (s->ops != &fd_ops || !of(s)->is_tcp)
        return;
    of(s)->reset_on_death = true;
    set_linger(of(s), true);
}

int stream_error(const struct stream *s)
{
    return of_const(s)->error;
}

int stream_read_fd(const struct stream *s)
{
    return of_const(s)->read_fd;
}

int stream_write_fd(const struct stream *s)
{
    return of_const(s)->write_fd;
}

bool stream_is_socket(const struct stream *s)
{
    return of_const(s)->is_socket;
}

int stream_tcp_fd(const struct stream *s)
{
    const struct fd_stream *f = of_const(s);
    return s->ops == &fd_ops && f->is_tcp ? f->read_fd : -1;
}

static void set_option(struct stream *s, int level, int option, int value)
{
    int fd = stream_tcp_fd(s);
    if (fd >= 0)
        (void)setsockopt(fd, level, option, &value, sizeof(value));
}

void stream_set_nodelay(struct stream *s)
{
    set_option(s, IPPROTO_TCP, TCP_NODELAY, 1);
}

void stream_set_quick_acks(struct stream *s, unsigned reads)
{
    if (s->ops == &fd_ops && of(s)->is_tcp)
        of(s)->quick_acks = reads;
}

void stream_set_keepalive(struct stream *s, bool on)
{
    set_option(s, SOL_SOCKET, SO_KEEPALIVE, on);
}

/* A socket has one of both; the other is refused. */
void stream_set_tos(struct stream *s, int tos)
{
    if (tos < 0)
        return;
    set_option(s, IPPROTO_IP, IP_TOS, tos);
    set_option(s, IPPROTO_IPV6, IPV6_TCLASS, tos);
}

void stream_set_notsent_lowat(struct stream *s, uint32_t bytes)
{
    set_option(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, (int)MIN(bytes, (uint32_t)INT_MAX));
}
