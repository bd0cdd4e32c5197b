/* One question, one answer. */
#include "io/frame_blocking.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A backlog that is full makes connect wait as long as a send would (unix(7)). */
static void set_timeout(int fd, unsigned timeout_ms)
{
    struct timeval timeout = {.tv_sec = timeout_ms / 1000,
                              .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
    /* Without it the wait is longer, nothing worse. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

enum err frame_connect(const char *path, unsigned timeout_ms, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return ERR_LIMIT;
    memcpy(address.sun_path, path, strlen(path));
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return ERR_IO;
    set_timeout(*fd, timeout_ms);
    if (connect(*fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return OK;
    enum err err = errno == EAGAIN ? ERR_TIMEOUT : ERR_NOT_FOUND;
    close(*fd);
    *fd = -1;
    return err;
}

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* deadline_ms: UINT64_MAX: none. */
static enum err wait_for(int fd, short events, uint64_t deadline_ms)
{
    for (;;) {
        uint64_t now = now_ms();
        uint64_t left = deadline_ms > now ? deadline_ms - now : 0;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, deadline_ms == UINT64_MAX ? -1 : (int)MIN(left, (uint64_t)INT32_MAX));
        if (n > 0)
            return OK;
        if (n == 0)
            return ERR_TIMEOUT;
        if (errno != EINTR)
            return ERR_IO;
    }
}

static enum err send_all(int fd, struct slice bytes, uint64_t deadline_ms)
{
    while (bytes.len) {
        TRY(wait_for(fd, POLLOUT, deadline_ms));
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return ERR_IO;
        bytes = slice_of(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return OK;
}

static enum err receive_exactly(int fd, uint8_t *room, size_t size, uint64_t deadline_ms)
{
    while (size) {
        TRY(wait_for(fd, POLLIN, deadline_ms));
        ssize_t n = recv(fd, room, size, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return n == 0 ? ERR_EOF : ERR_IO;
        room += n;
        size -= (size_t)n;
    }
    return OK;
}

enum err frame_ask(int fd, struct slice request, unsigned timeout_ms, struct buf *answer)
{
    uint8_t head[4] = {(uint8_t)(request.len >> 24), (uint8_t)(request.len >> 16),
                       (uint8_t)(request.len >> 8), (uint8_t)request.len};
    uint64_t deadline_ms = timeout_ms == FRAME_FOR_EVER ? UINT64_MAX : now_ms() + timeout_ms;
    uint8_t *room;
    TRY(send_all(fd, slice_of(head, sizeof(head)), deadline_ms));
    TRY(send_all(fd, request, deadline_ms));
    TRY(receive_exactly(fd, head, sizeof(head), deadline_ms));
    size_t size =
        (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | (size_t)head[3];
    if (size == 0 || size > answer->cap)
        return ERR_LIMIT;
    buf_clear(answer);
    TRY(buf_reserve(answer, size, &room));
    TRY(receive_exactly(fd, room, size, deadline_ms));
    buf_commit(answer, size);
    return OK;
}
