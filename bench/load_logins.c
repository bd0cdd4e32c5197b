/*
 * Logins: a client that carries its standard input and output to the target (-W) is started, and
 * the time runs until the first byte has come back through it. Then its input ends, and so does it.
 */
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/load.h"

#define AT_ONCE_MAX 64
#define PATIENCE_S  30

extern char **environ;

static struct {
    char **command;
    size_t count;
    uint64_t end_ns;
    _Atomic size_t started, failed;
    double *ms;
} logins;

static bool start(int fd, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    bool ok = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO) == 0 &&
              posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO) == 0 &&
              posix_spawnp(pid, logins.command[0], &actions, NULL, logins.command, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    return ok;
}

static bool log_in(double *ms)
{
    int ends[2];
    pid_t pid;
    uint8_t byte = 'x';
    struct target_hello hello = {TARGET_ECHO, 0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    uint64_t begin = tool_now_ns();
    bool started = start(ends[1], &pid);
    close(ends[1]);
    tool_patience(ends[0], PATIENCE_S);
    bool ok = started && tool_write(ends[0], &hello, sizeof hello) &&
              tool_write(ends[0], &byte, 1) && tool_read(ends[0], &byte, 1);
    *ms = (double)(tool_now_ns() - begin) / 1e6;
    shutdown(ends[0], SHUT_WR);
    if (ok)
        ok = read(ends[0], &byte, 1) == 0; /* until it has ended by itself */
    close(ends[0]);
    if (started && !ok)
        kill(pid, SIGTERM);
    if (started)
        waitpid(pid, NULL, 0);
    return ok;
}

static void *log_in_again(void *unused)
{
    while (tool_now_ns() < logins.end_ns) {
        size_t number = logins.started++;
        if (number >= logins.count)
            break;
        if (!log_in(&logins.ms[number])) {
            logins.ms[number] = 0;
            logins.failed++;
        }
    }
    return unused;
}

static double children_cpu_ms(void)
{
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

int load_logins(char **words)
{
    pthread_t threads[AT_ONCE_MAX];
    size_t at_once = (size_t)MIN(tool_number(words, "at_once", 1), AT_ONCE_MAX);
    logins.command = words;
    while (*logins.command && strcmp(*logins.command, "--") != 0)
        logins.command++;
    if (!logins.command[0] || !logins.command[1])
        return 2;
    *logins.command++ = NULL; /* the command's own words are no options of ours */
    logins.count = (size_t)tool_number(words, "count", 24);
    logins.ms = mem_new(logins.count, sizeof *logins.ms);
    uint64_t begin = tool_now_ns();
    logins.end_ns = begin + tool_number(words, "seconds", 10) * 1000000000;
    for (size_t i = 0; i < at_once; i++)
        load_thread(log_in_again, NULL, &threads[i]);
    for (size_t i = 0; i < at_once; i++)
        pthread_join(threads[i], NULL);
    double seconds = (double)(tool_now_ns() - begin) / 1e9;
    size_t n = MIN(logins.started, logins.count), failed = logins.failed;
    if (n == failed) {
        puts("{\"error\": \"no login came through\"}");
        return 1;
    }
    tool_sort(logins.ms, n);
    const double *good = logins.ms + failed;
    printf("{\"n\": %zu, \"failed\": %zu, \"per second\": %.2f, \"median ms\": %.3f, "
           "\"p99 ms\": %.3f, \"client cpu ms\": %.3f}\n",
           n - failed, failed, (double)(n - failed) / seconds, tool_quantile(good, n - failed, 0.5),
           tool_quantile(good, n - failed, 0.99), children_cpu_ms() / (double)n);
    mem_free(logins.ms);
    return 0;
}
