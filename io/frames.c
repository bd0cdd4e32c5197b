/* Frames and descriptors on a Unix stream. */
#include "io/frames.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/watch.h"

#define QUEUE_MAX     (256 * 1024)
#define FDS_QUEUE_MAX 32
#define HEAD          4
#define BACKLOG       64
#define TURN_CALLS    64 /* of recvmsg, before others get their turn */

/* A descriptor in the queue: it goes along the byte at this place of all that was ever sent. */
struct passing {
    uint64_t at;
    int fd;
};

struct frames {
    struct loop *loop;
    struct loop_item item;
    struct loop_watch *watch;
    int fd;
    size_t max;
    frames_owner *event;
    void *owner;
    struct buf in; /* of the frame that comes, its head included */
    struct buf out;
    uint64_t sent; /* bytes that left `out` */
    struct passing passing[FDS_QUEUE_MAX];
    size_t passing_count;
    int fds[FRAMES_FDS_MAX];
    size_t fd_count, fds_wanted;
    bool over, in_event, closed;
};

static void update_interest(struct frames *f)
{
    if (!f->closed && f->watch)
        loop_watch_set(f->watch, f->over            ? 0u
                                 : buf_len(&f->out) ? WATCH_READ | WATCH_WRITE
                                                    : (unsigned)WATCH_READ);
}

/* ---- the end ---- */

static void drop_fds(struct frames *f)
{
    for (size_t i = 0; i < f->fd_count; i++)
        close(f->fds[i]);
    for (size_t i = 0; i < f->passing_count; i++)
        close(f->passing[i].fd);
    f->fd_count = f->passing_count = 0;
}

static void finish(struct frames *f)
{
    if (f->watch)
        loop_watch_close(f->watch);
    loop_unkeep(&f->item);
    if (f->fd >= 0)
        close(f->fd);
    drop_fds(f);
    buf_done(&f->in);
    buf_done(&f->out);
    mem_free(f);
}

static void say(struct frames *f, const struct frames_event *e)
{
    bool was = f->in_event;
    f->in_event = true;
    f->event(f->owner, e);
    f->in_event = was;
}

static void end(struct frames *f, const char *fault)
{
    if (f->over || f->closed)
        return;
    f->over = true;
    say(f, &(struct frames_event){.kind = FRAMES_ENDED, .fault = fault});
}

/* ---- sending ---- */

/* How much may go in one call: up to, or with, the next byte that carries a descriptor. */
static size_t piece_of(const struct frames *f, const struct passing **with)
{
    *with = NULL;
    if (f->passing_count == 0)
        return buf_len(&f->out);
    if (f->passing[0].at > f->sent)
        return f->passing[0].at - f->sent;
    *with = &f->passing[0];
    return 1;
}

static ssize_t send_piece(struct frames *f, size_t n, const struct passing *with)
{
    struct slice out = buf_slice(&f->out);
    struct iovec bytes = {(void *)(uintptr_t)out.ptr, n};
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr m = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (with) {
        m.msg_control = control.room;
        m.msg_controllen = sizeof(control.room);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), &with->fd, sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(f->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent;
}

static void passed(struct frames *f)
{
    close(f->passing[0].fd);
    f->passing_count--;
    memmove(&f->passing[0], &f->passing[1], f->passing_count * sizeof(f->passing[0]));
}

/* A broken pipe is for the reading side to find: what the other side sent before still counts. */
static void write_out(struct frames *f)
{
    while (buf_len(&f->out) && !f->over) {
        const struct passing *with;
        size_t n = piece_of(f, &with);
        ssize_t sent = send_piece(f, n, with);
        if (sent <= 0) {
            if (errno != EAGAIN)
                buf_consume(&f->out, buf_len(&f->out));
            break;
        }
        if (with)
            passed(f);
        f->sent += (uint64_t)sent;
        buf_consume(&f->out, (size_t)sent);
    }
    update_interest(f);
}

void frames_send(struct frames *f, struct slice frame)
{
    uint8_t head[HEAD] = {(uint8_t)(frame.len >> 24), (uint8_t)(frame.len >> 16),
                          (uint8_t)(frame.len >> 8), (uint8_t)frame.len};
    if (f->over)
        return;
    CHECK(frame.len <= f->max);
    if (buf_len(&f->out) + HEAD + frame.len > QUEUE_MAX) {
        end(f, "it takes no answers");
        return;
    }
    CHECK(buf_append(&f->out, head, HEAD) == OK && buf_append_slice(&f->out, frame) == OK);
    write_out(f);
}

void frames_send_fd(struct frames *f, int fd)
{
    static const uint8_t along = 0;
    int copy = dup(fd);
    if (f->over || copy < 0 || f->passing_count == FDS_QUEUE_MAX || buf_len(&f->out) >= QUEUE_MAX) {
        if (copy >= 0)
            close(copy);
        end(f, "a descriptor cannot be passed");
        return;
    }
    f->passing[f->passing_count++] = (struct passing){f->sent + buf_len(&f->out), copy};
    CHECK(buf_append(&f->out, &along, 1) == OK);
    write_out(f);
}

/* ---- receiving ---- */

/* Every descriptor that came, wanted or not, is known afterwards. */
static void take_fds(struct frames *f, struct msghdr *m, bool wanted)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (wanted && f->fd_count < f->fds_wanted)
                f->fds[f->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

/* Never more than is due: a descriptor belongs to the byte that it comes along. */
static enum err receive(struct frames *f, uint8_t *room, size_t want, bool wants_fd, size_t *n)
{
    struct iovec bytes = {room, want};
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct msghdr m = {.msg_iov = &bytes,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    ssize_t got;
    do
        got = recvmsg(f->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? ERR_AGAIN : ERR_IO;
    take_fds(f, &m, wants_fd);
    *n = (size_t)got;
    return got == 0 ? ERR_EOF : OK;
}

static enum err receive_fd(struct frames *f)
{
    uint8_t along;
    size_t n, had = f->fd_count;
    TRY(receive(f, &along, 1, true, &n));
    if (f->fd_count == had)
        return ERR_FORMAT;
    if (f->fd_count < f->fds_wanted)
        return OK;
    struct frames_event e = {.kind = FRAMES_FDS, .fds = f->fds, .fd_count = f->fd_count};
    f->fds_wanted = f->fd_count = 0;
    say(f, &e);
    return OK;
}

static enum err receive_up_to(struct frames *f, size_t want)
{
    uint8_t piece[4096];
    size_t n;
    TRY(receive(f, piece, MIN(want - buf_len(&f->in), sizeof(piece)), false, &n));
    CHECK(buf_append(&f->in, piece, n) == OK);
    return OK;
}

static enum err receive_frame(struct frames *f)
{
    if (buf_len(&f->in) < HEAD) {
        TRY(receive_up_to(f, HEAD));
        if (buf_len(&f->in) < HEAD)
            return OK;
    }
    const uint8_t *head = buf_slice(&f->in).ptr;
    size_t length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (length > f->max)
        return ERR_LIMIT;
    if (buf_len(&f->in) < HEAD + length) {
        TRY(receive_up_to(f, HEAD + length));
        if (buf_len(&f->in) < HEAD + length)
            return OK;
    }
    struct buf whole = f->in;
    buf_init(&f->in, HEAD + f->max);
    struct slice in = buf_slice(&whole);
    say(f, &(struct frames_event){.kind = FRAMES_FRAME,
                                  .frame = slice_of(in.ptr + HEAD, in.len - HEAD)});
    buf_done(&whole);
    return OK;
}

static void on_ready(void *owner, unsigned ready)
{
    struct frames *f = owner;
    enum err err = OK;
    f->in_event = true; /* it is not freed under us */
    if (ready & WATCH_WRITE)
        write_out(f);
    for (int i = 0; i < TURN_CALLS && err == OK && (ready & WATCH_READ); i++) {
        if (f->closed || f->over)
            break;
        err = f->fds_wanted ? receive_fd(f) : receive_frame(f);
    }
    if (err == ERR_EOF || err == ERR_IO)
        end(f, NULL);
    else if (err == ERR_LIMIT)
        end(f, "a frame is too long");
    else if (err == ERR_FORMAT)
        end(f, "a descriptor was due and did not come");
    f->in_event = false;
    if (f->closed)
        finish(f);
    else
        update_interest(f);
}

/* ---- life ---- */

static void on_drop(void *owner)
{
    finish(owner);
}

struct frames *frames_new(struct loop *l, int fd, size_t max, frames_owner *event, void *owner)
{
    struct frames *f = NEW(struct frames);
    f->loop = l;
    f->fd = fd;
    f->max = max;
    f->event = event;
    f->owner = owner;
    buf_init(&f->in, HEAD + max);
    buf_init(&f->out, QUEUE_MAX + 1);
    loop_keep(l, &f->item, on_drop, f);
    f->watch = loop_watch_new(l, fd, on_ready, f);
    update_interest(f);
    return f;
}

void frames_close(struct frames *f)
{
    if (!f)
        return;
    write_out(f);
    f->closed = true;
    if (!f->in_event)
        finish(f);
}

int frames_release(struct frames *f)
{
    int fd = f->fd;
    f->fd = -1;
    loop_watch_close(f->watch);
    f->watch = NULL;
    f->over = true;
    return fd;
}

void frames_want_fds(struct frames *f, size_t n)
{
    CHECK(n <= FRAMES_FDS_MAX);
    f->fds_wanted = n;
}

/* ---- the place ---- */

static bool address_of(const char *path, struct sockaddr_un *sa)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    return snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", path) < (int)sizeof(sa->sun_path);
}

enum err frames_connect(const char *path, int *fd, int *error_number)
{
    struct sockaddr_un sa;
    *error_number = ENAMETOOLONG;
    if (!address_of(path, &sa))
        return ERR_IO;
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && connect(*fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return OK;
    *error_number = errno;
    if (*fd >= 0)
        close(*fd);
    return *error_number == ENOENT || *error_number == ECONNREFUSED ? ERR_NOT_FOUND : ERR_IO;
}

static enum err bind_and_link(int fd, const char *path, int *error_number)
{
    struct sockaddr_un sa;
    char *name CLEANUP(mem_cleanup) = mem_printf("%s.%d", path, (int)getpid());
    *error_number = ENAMETOOLONG;
    if (!address_of(name, &sa))
        return ERR_IO;
    mode_t mask = umask(0177);
    int failed = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
    *error_number = errno;
    (void)umask(mask);
    if (failed)
        return ERR_IO;
    /* Under its own name only once it listens: nobody ever finds a socket that does not answer. */
    failed = listen(fd, BACKLOG) || link(name, path);
    *error_number = errno;
    (void)unlink(name);
    return !failed ? OK : *error_number == EEXIST ? ERR_EXISTS : ERR_IO;
}

enum err frames_listen(const char *path, struct frames_place *place, int *error_number)
{
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *error_number = errno;
    *place = (struct frames_place){.fd = -1};
    enum err err = fd < 0 ? ERR_IO : bind_and_link(fd, path, error_number);
    if (err == OK && stat(path, &st) != 0) {
        *error_number = errno;
        err = ERR_IO;
    }
    if (err != OK && fd >= 0)
        close(fd);
    if (err == OK)
        *place = (struct frames_place){fd, mem_strdup(path), st.st_dev, st.st_ino};
    return err;
}

void frames_leave(struct frames_place *place)
{
    struct stat st;
    if (place->path && stat(place->path, &st) == 0 && st.st_dev == place->device &&
        st.st_ino == place->inode)
        (void)unlink(place->path);
    mem_free(place->path);
    place->path = NULL;
}
