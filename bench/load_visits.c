/* Round trips, connections a second, and connections that do nothing. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bench/load.h"

#define SIZE_MAX_PING 65536
#define AT_ONCE_MAX   512
#define IDLE_MAX      16384

static int say_error(const char *what)
{
    printf("{\"error\": \"%s\"}\n", what);
    return 1;
}

/* ---- round trips ---- */

static bool round_trip(int fd, uint8_t *room, size_t size, double *us)
{
    uint64_t start = tool_now_ns();
    if (!tool_write(fd, room, size) || !tool_read(fd, room, size))
        return false;
    *us = (double)(tool_now_ns() - start) / 1e3;
    return true;
}

int load_ping(char **words)
{
    size_t size = (size_t)MIN(tool_number(words, "size", 64), SIZE_MAX_PING);
    size_t count = (size_t)tool_number(words, "count", 8000), n = 0;
    uint64_t end_ns = tool_now_ns() + tool_number(words, "seconds", 4) * 1000000000;
    uint64_t gap = tool_number(words, "gap_us", 0);
    struct timespec pause = {(time_t)(gap / 1000000), (long)(gap % 1000000 * 1000)};
    double *us = mem_new(count ? count : 1, sizeof *us);
    uint8_t *room = mem_new(1, SIZE_MAX_PING);
    int fd = target_visit(words[0], TARGET_ECHO, 0);
    if (fd < 0)
        return say_error("the target is not reached");
    for (; n < count && tool_now_ns() < end_ns; n++) {
        if (!round_trip(fd, room, size, &us[n]))
            return say_error("a round trip failed");
        if (gap)
            nanosleep(&pause, NULL);
    }
    tool_sort(us, n);
    printf("{\"n\": %zu, \"median us\": %.2f, \"p99 us\": %.2f, \"longest us\": %.2f}\n", n,
           tool_quantile(us, n, 0.5), tool_quantile(us, n, 0.99), tool_quantile(us, n, 1));
    close(fd);
    mem_free(us);
    mem_free(room);
    return 0;
}

/* ---- connections ---- */

static struct {
    const char *to;
    size_t count;
    uint64_t end_ns;
    _Atomic size_t started, failed;
    double *us; /* by number; 0: it failed */
} visits;

/* One byte there and back shows that it is a connection to the target. */
static bool visit(double *us)
{
    uint64_t start = tool_now_ns();
    uint8_t byte = 'x';
    int fd = target_visit(visits.to, TARGET_ECHO, 0);
    if (fd < 0)
        return false;
    bool ok = tool_write(fd, &byte, 1) && tool_read(fd, &byte, 1);
    close(fd);
    *us = (double)(tool_now_ns() - start) / 1e3;
    return ok;
}

static void *visit_again(void *unused)
{
    while (tool_now_ns() < visits.end_ns) {
        size_t number = visits.started++;
        if (number >= visits.count)
            break;
        if (!visit(&visits.us[number])) {
            visits.us[number] = 0;
            visits.failed++;
        }
    }
    return unused;
}

int load_visits(char **words)
{
    pthread_t threads[AT_ONCE_MAX];
    size_t at_once = (size_t)MIN(tool_number(words, "at_once", 1), AT_ONCE_MAX);
    uint64_t start = tool_now_ns();
    visits.to = words[0];
    visits.count = (size_t)tool_number(words, "count", 1000);
    visits.end_ns = start + tool_number(words, "seconds", 4) * 1000000000;
    visits.us = mem_new(visits.count, sizeof *visits.us);
    for (size_t i = 0; i < at_once; i++)
        load_thread(visit_again, NULL, &threads[i]);
    for (size_t i = 0; i < at_once; i++)
        pthread_join(threads[i], NULL);
    double seconds = (double)(tool_now_ns() - start) / 1e9;
    size_t n = MIN(visits.started, visits.count), failed = visits.failed;
    if (n == failed)
        return say_error("no connection came through");
    tool_sort(visits.us, n); /* what failed is in front */
    const double *good = visits.us + failed;
    printf("{\"n\": %zu, \"failed\": %zu, \"per second\": %.1f, \"median us\": %.1f, "
           "\"p99 us\": %.1f}\n",
           n - failed, failed, (double)(n - failed) / seconds, tool_quantile(good, n - failed, 0.5),
           tool_quantile(good, n - failed, 0.99));
    mem_free(visits.us);
    return 0;
}

/* ---- idle ---- */

int load_idle(char **words)
{
    size_t count = (size_t)MIN(tool_number(words, "count", 1000), IDLE_MAX);
    uint8_t byte = 'x';
    for (size_t i = 0; i < count; i++) {
        int fd = target_visit(words[0], TARGET_ECHO, 0);
        if (fd < 0 || !tool_write(fd, &byte, 1) || !tool_read(fd, &byte, 1))
            return say_error("an idle connection failed"); /* the process ends with the others */
    }
    printf("{\"open\": %zu}\n", count);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    return 0;
}
