/*
 * Bulk: N streams at once, until each has passed its bytes or the time is over. What is counted was
 * received: the target's word upwards, our own downwards. Shares are taken when the first stream is
 * through, while all still compete.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/load.h"

#define BLOCK       (256 * 1024)
#define STREAMS_MAX 256

struct stream {
    pthread_t thread;
    int fd;
    _Atomic uint64_t moved; /* as seen here */
    uint64_t received;      /* as the receiver says */
    bool failed;
};

static struct {
    bool is_up;
    uint64_t bytes, end_ns; /* of each stream; 0: until end_ns */
    struct stream streams[STREAMS_MAX];
    size_t count;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool first_done;
} bulk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const uint8_t zeroes[BLOCK];

static void say_done(void)
{
    pthread_mutex_lock(&bulk.lock);
    bulk.first_done = true;
    pthread_cond_signal(&bulk.wake);
    pthread_mutex_unlock(&bulk.lock);
}

static bool is_over(const struct stream *s)
{
    return (bulk.bytes && s->moved >= bulk.bytes) || tool_now_ns() >= bulk.end_ns;
}

static void send_all(struct stream *s)
{
    while (!is_over(s)) {
        size_t want = bulk.bytes ? (size_t)MIN(bulk.bytes - s->moved, BLOCK) : BLOCK;
        ssize_t n = write(s->fd, zeroes, want);
        if (n <= 0) {
            s->failed = true;
            break;
        }
        s->moved += (uint64_t)n;
    }
    say_done();
    shutdown(s->fd, SHUT_WR);
    if (!tool_read(s->fd, &s->received, sizeof s->received) || s->received != s->moved)
        s->failed = true;
}

/* Past the time the source is told to stop, and what is on the way still counts: it cost something.
 */
static void receive_all(struct stream *s)
{
    uint8_t *room = mem_new(1, BLOCK);
    bool stopped = false;
    ssize_t n;
    while ((n = read(s->fd, room, BLOCK)) > 0) {
        s->moved += (uint64_t)n;
        if (!stopped && is_over(s)) {
            say_done();
            shutdown(s->fd, SHUT_WR);
            stopped = true;
        }
    }
    say_done();
    s->received = s->moved;
    s->failed = n < 0 || (bulk.bytes && !stopped && s->moved != bulk.bytes);
    mem_free(room);
}

static void *run(void *argument)
{
    struct stream *s = argument;
    if (bulk.is_up)
        send_all(s);
    else
        receive_all(s);
    return NULL;
}

/* True: the first stream is through; false: the time came. */
static bool wait_first(uint64_t until_ns)
{
    struct timespec at = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};
    pthread_mutex_lock(&bulk.lock);
    while (!bulk.first_done && tool_now_ns() < until_ns)
        (void)pthread_cond_timedwait(&bulk.wake, &bulk.lock, &at);
    bool done = bulk.first_done;
    pthread_mutex_unlock(&bulk.lock);
    return done;
}

static uint64_t moved_by_all(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bulk.count; i++)
        sum += bulk.streams[i].moved;
    return sum;
}

static double least_share(void)
{
    uint64_t least = UINT64_MAX, most = 1;
    for (size_t i = 0; i < bulk.count; i++) {
        uint64_t moved = bulk.streams[i].moved;
        least = MIN(least, moved);
        most = MAX(most, moved);
    }
    return (double)least / (double)most;
}

static bool begin(const char *to)
{
    for (size_t i = 0; i < bulk.count; i++) {
        struct stream *s = &bulk.streams[i];
        s->fd = target_visit(to, bulk.is_up ? TARGET_SINK : TARGET_SOURCE, bulk.bytes);
        if (s->fd < 0)
            return false;
    }
    for (size_t i = 0; i < bulk.count; i++)
        load_thread(run, &bulk.streams[i], &bulk.streams[i].thread);
    return true;
}

int load_bulk(char **words)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&bulk.wake, &monotonic);
    bulk.is_up = strcmp(words[1], "up") == 0;
    bulk.bytes = tool_number(words, "bytes", 0);
    bulk.count = (size_t)MIN(tool_number(words, "streams", 1), STREAMS_MAX);
    uint64_t start = tool_now_ns();
    bulk.end_ns = start + tool_number(words, "seconds", 20) * 1000000000;
    uint64_t skip_ns = start + tool_number(words, "skip", 0) * 1000000000;
    if (!begin(words[0])) {
        puts("{\"error\": \"the target is not reached\"}");
        return 1;
    }
    bool too_short = wait_first(skip_ns);
    uint64_t skipped = too_short ? 0 : moved_by_all(), from_ns = too_short ? start : tool_now_ns();
    wait_first(UINT64_MAX / 2);
    double steady = (double)(moved_by_all() - skipped) / (double)(tool_now_ns() - from_ns) * 1e3;
    double share = least_share();
    uint64_t sum = 0, failed = 0;
    for (size_t i = 0; i < bulk.count; i++) {
        pthread_join(bulk.streams[i].thread, NULL);
        sum += bulk.streams[i].received;
        failed += bulk.streams[i].failed;
    }
    double seconds = (double)(tool_now_ns() - start) / 1e9;
    if (failed) {
        printf("{\"error\": \"%llu streams failed\"}\n", (unsigned long long)failed);
        return 1;
    }
    printf("{\"bytes\": %llu, \"seconds\": %.4f, \"MB/s\": %.2f, \"steady MB/s\": %.2f, "
           "\"least share\": %.3f}\n",
           (unsigned long long)sum, seconds, (double)sum / seconds / 1e6, steady, share);
    return 0;
}
