/*
 * For the tests of io/: a real loop with a guard that fails the test when it takes too long, a way
 * to see whether the loop spins, and connected sockets. No test waits by sleeping for a guess.
 */
#ifndef ADIT_IO_FIXTURE_H
#define ADIT_IO_FIXTURE_H

/* clang-format off: the house's MIN and MAX must come before those of the system's headers. */
#include "io/watch.h"
/* clang-format on */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "tests/unit.h"

#define GUARD_MS 20000

struct fixture {
    struct loop *l;
    struct loop_timer *guard;
};

static inline void fixture_guard_fired(void *owner)
{
    (void)owner;
    fputs("the test hangs\n", stderr);
    abort(); /* a jump out of the loop's own code would leave it broken for the next test */
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->l = loop_new();
    f->guard = loop_timer_new(f->l, fixture_guard_fired, f);
    loop_timer_start(f->guard, GUARD_MS);
    *state = f;
    return 0;
}

/* The guard must not keep a loop running that a test expects to end by itself. */
static inline void fixture_run_to_end(struct fixture *f)
{
    loop_timer_stop(f->guard);
    loop_run(f->l);
    loop_timer_start(f->guard, GUARD_MS);
}

static inline void fixture_stop(void *owner)
{
    struct fixture *f = owner;
    loop_stop(f->l);
}

/* Runs for a while and tells how many rounds the loop made in it. */
static inline uint64_t fixture_rounds(struct fixture *f, uint64_t time_ms)
{
    struct loop_timer *end = loop_timer_new(f->l, fixture_stop, f);
    uint64_t before = loop_round_count(f->l);
    loop_timer_start(end, time_ms);
    loop_run(f->l);
    loop_timer_close(end);
    return loop_round_count(f->l) - before;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    loop_free(f->l);
    mem_free(f);
    return 0;
}

#define IO_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

static inline void fixture_socketpair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

/* A connected pair over 127.0.0.1. */
static inline void fixture_tcp_pair(int fds[2])
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t len = sizeof(sa);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&sa, &len), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&sa, len), 0);
    fds[1] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fds[1] >= 0);
    close(listening);
}

static inline void fixture_small_buffers(int fd)
{
    int size = 4096;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

#endif
