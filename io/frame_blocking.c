/* One question, one answer. */
#include "io/frame_blocking.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum err frame_connect(const char *path, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return ERR_LIMIT;
    memcpy(address.sun_path, path, strlen(path));
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return ERR_IO;
    if (connect(*fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return OK;
    close(*fd);
    *fd = -1;
    return ERR_NOT_FOUND;
}

static enum err send_all(int fd, struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        bytes = slice_of(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return OK;
}

static enum err receive_exactly(int fd, uint8_t *room, size_t size)
{
    while (size) {
        ssize_t n = recv(fd, room, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? ERR_EOF : ERR_IO;
        room += n;
        size -= (size_t)n;
    }
    return OK;
}

enum err frame_ask(int fd, struct slice request, struct buf *answer)
{
    uint8_t head[4] = {(uint8_t)(request.len >> 24), (uint8_t)(request.len >> 16),
                       (uint8_t)(request.len >> 8), (uint8_t)request.len};
    uint8_t *room;
    TRY(send_all(fd, slice_of(head, sizeof(head))));
    TRY(send_all(fd, request));
    TRY(receive_exactly(fd, head, sizeof(head)));
    size_t size =
        (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | (size_t)head[3];
    if (size == 0 || size > answer->cap)
        return ERR_LIMIT;
    buf_clear(answer);
    TRY(buf_reserve(answer, size, &room));
    TRY(receive_exactly(fd, room, size));
    buf_commit(answer, size);
    return OK;
}
