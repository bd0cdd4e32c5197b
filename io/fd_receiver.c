/* One descriptor from another process. */
#include "io/fd_receiver.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/address.h"
#include "io/watch.h"

struct fd_receiver {
    struct loop_item item;
    struct loop_watch *watch;
    int socket;
    fd_received *received;
    void *owner;
};

void fd_receiver_cancel(struct fd_receiver *r)
{
    if (!r)
        return;
    loop_unkeep(&r->item);
    loop_watch_close(r->watch);
    close(r->socket);
    mem_free(r);
}

static void drop(void *owner)
{
    fd_receiver_cancel(owner);
}

static void finish(struct fd_receiver *r, int fd, int error_number)
{
    fd_received *received = r->received;
    void *owner = r->owner;
    fd_receiver_cancel(r);
    received(owner, fd, error_number);
}

/* The first descriptor of a message; one that came along unasked is closed. */
static int take_fd(struct msghdr *message)
{
    int taken = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (taken < 0)
                taken = fd;
            else
                close(fd);
        }
    }
    return taken;
}

static void on_ready(void *owner, unsigned ready)
{
    struct fd_receiver *r = owner;
    char bytes[16];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec iov = {bytes, sizeof(bytes)};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof(control.room)};
    (void)ready;
    ssize_t n = recvmsg(r->socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    int error_number = n < 0 ? errno : 0;
    int fd = n > 0 ? take_fd(&message) : -1;
    if (n > 0 && fd < 0)
        return; /* bytes alone: what was wanted may still come */
    finish(r, fd, error_number);
}

struct fd_receiver *fd_receiver_new(struct loop *l, int socket, fd_received *received, void *owner)
{
    struct fd_receiver *r = NEW(struct fd_receiver);
    r->socket = socket;
    r->received = received;
    r->owner = owner;
    r->watch = loop_watch_new(l, socket, on_ready, r);
    CHECK(r->watch);
    loop_keep(l, &r->item, drop, r);
    loop_watch_set(r->watch, WATCH_READ);
    return r;
}

char *fd_peer_address(int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t length = sizeof(peer);
    char text[ADDRESS_TEXT_MAX];
    if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0)
        return NULL;
    address_text(&peer, text);
    return text[0] ? mem_strdup(text) : NULL;
}
