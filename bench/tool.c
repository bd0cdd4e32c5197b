#include "bench/tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 1024

void tool_die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static NORETURN void die_of_usage(const char *what, const char *word)
{
    fprintf(stderr, "%s: \"%s\"\n", what, word);
    exit(2);
}

static struct sockaddr_in parse_address(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN];
    uint64_t port = colon ? tool_parse(colon + 1) : 0;
    size_t length = colon ? (size_t)(colon - text) : sizeof host;
    if (length < sizeof host && port > 0 && port <= UINT16_MAX) {
        memcpy(host, text, length);
        host[length] = '\0';
        address.sin_port = htons((uint16_t)port);
        if (inet_pton(AF_INET, host, &address.sin_addr) == 1)
            return address;
    }
    die_of_usage("not an address like 127.0.0.1:8080", text);
}

static void set(int fd, int level, int name, int value)
{
    if (setsockopt(fd, level, name, &value, sizeof value) != 0)
        tool_die("setsockopt");
}

int tool_listen(const char *at, int receive_buffer)
{
    struct sockaddr_in address = parse_address(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        tool_die("socket");
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (receive_buffer)
        set(fd, SOL_SOCKET, SO_RCVBUF, receive_buffer);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0)
        tool_die(at);
    return fd;
}

int tool_connect(const char *to)
{
    struct sockaddr_in address = parse_address(to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    tool_nodelay(fd);
    return fd;
}

void tool_nodelay(int fd)
{
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void tool_patience(int fd, unsigned seconds)
{
    struct timeval limit = {.tv_sec = seconds};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        tool_die("setsockopt");
}

bool tool_write(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n) {
        ssize_t did = write(fd, at, n);
        if (did < 0 && errno == EINTR)
            continue;
        if (did <= 0)
            return false;
        at += did;
        n -= (size_t)did;
    }
    return true;
}

bool tool_read(int fd, void *bytes, size_t n)
{
    char *at = bytes;
    while (n) {
        ssize_t did = read(fd, at, n);
        if (did < 0 && errno == EINTR)
            continue;
        if (did <= 0)
            return false;
        at += did;
        n -= (size_t)did;
    }
    return true;
}

uint64_t tool_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const char *tool_word(char **words, const char *name)
{
    size_t length = strlen(name);
    for (; *words; words++) {
        if (strncmp(*words, name, length) == 0 && (*words)[length] == '=')
            return *words + length + 1;
    }
    return NULL;
}

uint64_t tool_parse(const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-')
        die_of_usage("not a number", text);
    return value;
}

uint64_t tool_number(char **words, const char *name, uint64_t otherwise)
{
    const char *text = tool_word(words, name);
    return text ? tool_parse(text) : otherwise;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void tool_sort(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
}

double tool_quantile(const double *sorted, size_t n, double part)
{
    if (n == 0)
        return 0;
    size_t at = (size_t)((double)n * part);
    return sorted[MIN(at, n - 1)];
}
