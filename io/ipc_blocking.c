/*
 * Records with descriptors over SOCK_SEQPACKET. It carries bytes and closes what it must not hand
 * on. No loop and no libuv here: aditd-pre and aditd-authz link this file only.
 */
#include "io/ipc_blocking.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

/* Aligned room for one control message with descriptors. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

/* ---- one record, one system call ---- */

void ipc_close_fds(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static ssize_t send_with_fds(int fd, struct slice bytes, const int *fds, size_t fd_count, int flags)
{
    union control control = {0};
    struct iovec iov = {(void *)(uintptr_t)bytes.ptr, bytes.len};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = CMSG_SPACE(sizeof(int) * fd_count)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    return sendmsg(fd, &m, flags);
}

/* sendmsg only where a descriptor travels: the sandboxes of roles that pass none kill for it. */
enum err ipc_record_send(int fd, struct slice bytes, const int *fds, size_t fd_count, int flags)
{
    ssize_t sent;
    do
        sent = fd_count ? send_with_fds(fd, bytes, fds, fd_count, MSG_NOSIGNAL | flags)
                        : send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | flags);
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
 * Our side may be told of a reset (the other closed
 * with records of ours unread) before what it sent is read: that error is passed over, and what
 * follows is read up to the real end.
 */
enum err ipc_record_receive(int fd, uint8_t *room, size_t size, size_t *length,
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
    ipc_close_fds(fds, *fd_count);
    *fd_count = 0;
    return got == 0 && ok && !(m.msg_flags & MSG_CTRUNC) ? ERR_EOF : ERR_FORMAT;
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
    while ((err = ipc_record_send(fd, bytes, fds, fd_count, 0)) == ERR_AGAIN)
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
    while ((err = ipc_record_receive(fd, room, size, &length, fds, fd_count, 0)) == ERR_AGAIN)
        wait_for(fd, POLLIN);
    TRY(err);
    buf_commit(bytes, length);
    return OK;
}

static enum err make_way(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? OK : ERR_IO;
    if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
        return ERR_EXISTS;
    return unlink(path) == 0 ? OK : ERR_IO;
}

enum err ipc_bind(const char *path, unsigned mode, int *fd)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(at.sun_path))
        return ERR_LIMIT;
    memcpy(at.sun_path, path, strlen(path));
    TRY(make_way(path));
    *fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return ERR_IO;
    mode_t before = umask(0777 & ~mode);
    int bound = bind(*fd, (const struct sockaddr *)&at, sizeof(at));
    (void)umask(before);
    if (bound == 0 && listen(*fd, BACKLOG) == 0)
        return OK;
    close(*fd);
    *fd = -1;
    return ERR_IO;
}

enum err ipc_connect(const char *path, int *fd)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(to.sun_path))
        return ERR_LIMIT;
    memcpy(to.sun_path, path, strlen(path));
    /* Non-blocking while it connects: a full backlog must not stop a loop. */
    *fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return ERR_IO;
    if (connect(*fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
        return OK;
    close(*fd);
    return ERR_IO;
}
