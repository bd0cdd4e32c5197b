#include <sys/socket.h>
#include <unistd.h>

#include "bench/load.h"

#define BLOCK  (256 * 1024)
#define SMALL  (16 * 1024)
#define IDLE_S 120

static const uint8_t zeroes[BLOCK];

int target_visit(const char *to, enum target_kind kind, uint64_t number)
{
    struct target_hello hello = {kind, number};
    int fd = tool_connect(to);
    if (fd < 0)
        return -1;
    tool_patience(fd, 60);
    if (tool_write(fd, &hello, sizeof hello))
        return fd;
    close(fd);
    return -1;
}

static void sink(int fd)
{
    uint8_t *room = mem_new(1, BLOCK);
    uint64_t count = 0;
    ssize_t n;
    while ((n = read(fd, room, BLOCK)) > 0)
        count += (uint64_t)n;
    if (n == 0 && !tool_write(fd, &count, sizeof count))
        count = 0;
    mem_free(room);
}

static void source(int fd, uint64_t number)
{
    uint64_t left = number ? number : UINT64_MAX;
    uint8_t ignored;
    while (left && recv(fd, &ignored, 1, MSG_DONTWAIT | MSG_PEEK) < 0) {
        ssize_t n = write(fd, zeroes, MIN(left, BLOCK));
        if (n <= 0)
            return;
        left -= (uint64_t)n;
    }
    shutdown(fd, SHUT_WR);
    while (read(fd, &ignored, 1) > 0)
        continue;
}

static void echo(int fd)
{
    uint8_t *room = mem_new(1, SMALL);
    ssize_t n;
    while ((n = read(fd, room, SMALL)) > 0 && tool_write(fd, room, (size_t)n))
        continue;
    mem_free(room);
}

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    struct target_hello hello;
    tool_nodelay(fd);
    tool_patience(fd, IDLE_S);
    if (tool_read(fd, &hello, sizeof hello)) {
        if (hello.kind == TARGET_SINK)
            sink(fd);
        else if (hello.kind == TARGET_SOURCE)
            source(fd, hello.number);
        else
            echo(fd);
    }
    close(fd);
    return NULL;
}

int load_target(char **words)
{
    int listener = tool_listen(words[0], 0);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            load_thread(serve, (void *)(intptr_t)fd, NULL);
    }
}
