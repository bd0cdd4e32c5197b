/* The descriptor stream over sockets, pipes and files. */
#include "io/fixture.h"
#include "io/stream.h"

/* One side: sends `total` bytes of a pattern, or reads and checks them. */
struct side {
    struct fixture *f;
    struct stream *s;
    size_t total, sent, received, drained, most_queued;
    int limits, failures, writable, readable, ends;
    enum err end; /* what reading ended with */
    bool close_at_readable, stop_at_end;
    bool echo; /* answers the end with its own bytes and a close */
};

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

/* Queues as much as the cap allows. */
static void send_more(struct side *x)
{
    uint8_t bytes[3000];
    while (x->sent < x->total) {
        size_t n;
        size_t size = MIN(sizeof(bytes), x->total - x->sent);
        for (size_t i = 0; i < size; i++)
            bytes[i] = pattern(x->sent + i);
        struct iovec iov[2] = {{bytes, size / 3}, {bytes + size / 3, size - size / 3}};
        enum err err = stream_write(x->s, iov, 2, &n);
        if (err == ERR_LIMIT) {
            x->limits++;
            return;
        }
        assert_ok(err);
        x->sent += size;
        x->drained += n;
        x->most_queued = MAX(x->most_queued, stream_queued(x->s));
    }
}

static void read_some(struct side *x)
{
    uint8_t a[1000], b[3000];
    const struct iovec room[2] = {{a, sizeof(a)}, {b, sizeof(b)}};
    size_t n;
    enum err err = stream_read(x->s, room, 2, &n);
    if (err == ERR_AGAIN)
        return;
    if (err != OK) {
        x->ends++;
        x->end = err;
        if (x->echo)
            send_more(x);
        if (x->echo)
            stream_shut_write(x->s);
        if (x->stop_at_end)
            loop_stop(x->f->l);
        return;
    }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(i < sizeof(a) ? a[i] : b[i - sizeof(a)], pattern(x->received + i));
    x->received += n;
}

static void side_event(void *owner, enum stream_event event, size_t n)
{
    struct side *x = owner;
    switch (event) {
    case STREAM_READABLE:
        x->readable++;
        if (x->close_at_readable)
            stream_close(x->s);
        else
            read_some(x);
        break;
    case STREAM_WRITABLE:
        x->writable++;
        loop_stop(x->f->l);
        break;
    case STREAM_DRAINED:
        assert_true(n > 0);
        x->drained += n;
        send_more(x);
        break;
    case STREAM_FAILED:
        x->failures++;
        loop_stop(x->f->l);
        break;
    }
}

static void open_side(struct side *x, struct fixture *f, int fd, size_t cap)
{
    x->f = f;
    x->s = stream_new(f->l, fd, fd, cap, side_event, x);
}

static void bytes_pass_small_kernel_buffers_and_the_cap_holds(void **state)
{
    struct side a = {.total = 1 << 20};
    struct side b = {0};
    int fds[2];
    fixture_socketpair(fds);
    fixture_small_buffers(fds[0]);
    open_side(&a, *state, fds[0], 20000);
    open_side(&b, *state, fds[1], 0);
    stream_reading(b.s, true);
    b.stop_at_end = true;
    send_more(&a);
    assert_true(a.limits > 0);
    while (a.drained < a.total)
        loop_round(a.f->l);
    assert_int_equal(a.sent, a.total);
    assert_true(a.most_queued <= 20000 && a.most_queued > 10000);
    stream_close(a.s);
    loop_run(b.f->l);
    assert_int_equal(b.received, a.total);
    assert_int_equal(b.end, ERR_EOF);
    stream_close(b.s);
}

static void a_write_beyond_the_cap_takes_nothing(void **state)
{
    struct side a = {0};
    uint8_t bytes[101] = {0};
    const struct iovec iov = {bytes, sizeof(bytes)};
    size_t n = 7;
    int fds[2];
    fixture_socketpair(fds);
    open_side(&a, *state, fds[0], 100);
    assert_int_equal(stream_write(a.s, &iov, 1, &n), ERR_LIMIT);
    assert_int_equal(n, 0);
    assert_int_equal(recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT), -1);
    stream_close(a.s);
    close(fds[1]);
}

static void try_write_gives_back_what_the_kernel_refuses(void **state)
{
    struct side a = {0};
    static uint8_t bytes[300000];
    const struct iovec iov = {bytes, sizeof(bytes)};
    size_t n, taken = 0;
    int fds[2];
    fixture_socketpair(fds);
    fixture_small_buffers(fds[0]);
    open_side(&a, *state, fds[0], 0);
    do {
        assert_ok(stream_try_write(a.s, &iov, 1, &n));
        taken += n;
    } while (n > 0);
    assert_int_equal(stream_queued(a.s), 0);
    stream_want_writable(a.s);
    while (taken > 0)
        taken -= (size_t)read(fds[1], bytes, MIN(taken, sizeof(bytes)));
    loop_run(a.f->l);
    assert_int_equal(a.writable, 1);
    assert_true(fixture_rounds(a.f, 20) < 5); /* one shot: nobody polls for it any more */
    assert_int_equal(a.writable, 1);
    stream_close(a.s);
    close(fds[1]);
}

static void close_within_the_event_is_the_last_event(void **state)
{
    struct side a = {.close_at_readable = true};
    int fds[2];
    fixture_socketpair(fds);
    open_side(&a, *state, fds[0], 0);
    stream_reading(a.s, true);
    stream_want_writable(a.s);
    assert_int_equal(write(fds[1], "x", 1), 1);
    fixture_run_to_end(a.f);
    fixture_run_to_end(a.f);
    assert_int_equal(a.readable, 1);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    close(fds[1]);
}

static void close_delivers_the_queue(void **state)
{
    struct side a = {.total = 500000};
    struct side b = {.stop_at_end = true};
    int fds[2];
    fixture_socketpair(fds);
    fixture_small_buffers(fds[0]);
    open_side(&a, *state, fds[0], a.total);
    open_side(&b, *state, fds[1], 0);
    send_more(&a);
    assert_true(stream_queued(a.s) > 400000);
    a.drained = 0;
    stream_close(a.s);
    stream_reading(b.s, true);
    loop_run(b.f->l);
    assert_int_equal(b.received, a.total);
    assert_int_equal(b.end, ERR_EOF);
    assert_int_equal(a.drained, 0);
    stream_close(b.s);
}

static void abort_delivers_everything_and_then_resets(void **state)
{
    struct side a = {.total = 3000000};
    struct side b = {.stop_at_end = true};
    int fds[2];
    fixture_tcp_pair(fds);
    open_side(&a, *state, fds[0], a.total);
    open_side(&b, *state, fds[1], 0);
    send_more(&a);
    stream_abort(a.s);
    stream_reading(b.s, true);
    loop_run(b.f->l);
    assert_int_equal(b.received, a.total);
    assert_int_equal(b.end, ERR_IO);
    assert_int_equal(stream_error(b.s), ECONNRESET);
    assert_int_equal(b.ends, 1);
    stream_close(b.s);
}

static void close_ends_tcp_with_fin_even_if_bytes_are_unread(void **state)
{
    for (int unread = 0; unread < 2; unread++) {
        struct side a = {.total = 600000};
        struct side b = {.stop_at_end = true};
        int fds[2];
        fixture_tcp_pair(fds);
        open_side(&a, *state, fds[0], a.total);
        open_side(&b, *state, fds[1], 0);
        if (unread)
            assert_int_equal(write(fds[1], "never read", 10), 10);
        send_more(&a);
        stream_close(a.s);
        stream_reading(b.s, true);
        loop_run(b.f->l);
        assert_int_equal(b.received, a.total);
        assert_int_equal(b.end, ERR_EOF);
        stream_close(b.s);
        fixture_run_to_end(*state);
        assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    }
}

static void each_direction_ends_by_itself(void **state)
{
    struct side a = {.total = 100000, .stop_at_end = true};
    struct side b = {.total = 70000, .echo = true};
    int fds[2];
    fixture_tcp_pair(fds);
    open_side(&a, *state, fds[0], a.total);
    open_side(&b, *state, fds[1], b.total);
    stream_reading(a.s, true);
    stream_reading(b.s, true);
    send_more(&a);
    stream_shut_write(a.s);
    loop_run(a.f->l);
    assert_int_equal(b.received, a.total);
    assert_int_equal(b.end, ERR_EOF);
    assert_int_equal(a.received, b.total);
    assert_int_equal(a.end, ERR_EOF);
    stream_close(a.s);
    stream_close(b.s);
}

static void two_pipes_are_one_stream(void **state)
{
    struct side a = {.total = 200000, .stop_at_end = true, .f = *state};
    struct side b = {.total = 150000, .echo = true, .f = *state};
    int there[2], back[2];
    assert_int_equal(pipe2(there, O_CLOEXEC), 0);
    assert_int_equal(pipe2(back, O_CLOEXEC), 0);
    a.s = stream_new(a.f->l, back[0], there[1], a.total, side_event, &a);
    b.s = stream_new(a.f->l, there[0], back[1], b.total, side_event, &b);
    assert_false(stream_is_socket(a.s));
    stream_reading(a.s, true);
    stream_reading(b.s, true);
    send_more(&a);
    stream_shut_write(a.s);
    loop_run(a.f->l);
    assert_int_equal(b.received, a.total);
    assert_int_equal(a.received, b.total);
    assert_int_equal(a.end, ERR_EOF);
    assert_int_equal(stream_write_fd(a.s), -1);
    stream_close(a.s);
    stream_close(b.s);
}

static void the_blocking_flag_comes_back(void **state)
{
    struct side a = {.f = *state};
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    int shared = dup(fds[0]);
    a.s = stream_new(a.f->l, fds[0], fds[1], 0, side_event, &a);
    assert_true(fcntl(shared, F_GETFL) & O_NONBLOCK);
    stream_close(a.s);
    assert_false(fcntl(shared, F_GETFL) & O_NONBLOCK);
    close(shared);
}

static void a_regular_file_is_always_ready_but_never_spins(void **state)
{
    struct side a = {.total = 50000};
    struct side b = {.stop_at_end = true};
    char name[] = "/tmp/adit-stream-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    open_side(&a, *state, dup(fd), 0x10000);
    send_more(&a);
    stream_want_writable(a.s);
    loop_run(a.f->l);
    assert_int_equal(a.writable, 1);
    stream_close(a.s);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    open_side(&b, *state, fd, 0);
    assert_true(fixture_rounds(b.f, 20) < 5);
    assert_int_equal(b.readable, 0);
    stream_reading(b.s, true);
    loop_run(b.f->l);
    assert_int_equal(b.received, a.total);
    assert_int_equal(b.end, ERR_EOF);
    assert_true(fixture_rounds(b.f, 20) < 5); /* the end was told: no more events */
    assert_int_equal(b.ends, 1);
    stream_close(b.s);
}

static void a_hangup_does_not_spin_while_reading_is_off(void **state)
{
    struct side a = {.stop_at_end = true};
    int fds[2];
    fixture_tcp_pair(fds);
    const struct linger reset = {1, 0};
    open_side(&a, *state, fds[0], 0);
    stream_reading(a.s, true);
    stream_reading(a.s, false);
    assert_int_equal(write(fds[1], "\0\7\16", 3), 3);
    setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fds[1]);
    assert_true(fixture_rounds(a.f, 30) < 5);
    assert_int_equal(a.readable, 0);
    stream_reading(a.s, true);
    loop_run(a.f->l);
    assert_int_equal(a.received, 3); /* what came before the reset is not lost */
    assert_int_equal(a.end, ERR_IO);
    assert_int_equal(stream_error(a.s), ECONNRESET);
    assert_true(fixture_rounds(a.f, 30) < 5);
    stream_abort(a.s);
}

static void a_queued_write_fails_once(void **state)
{
    struct side a = {.total = 500000};
    uint8_t byte = 0;
    const struct iovec iov = {&byte, 1};
    size_t n;
    int fds[2];
    fixture_socketpair(fds);
    fixture_small_buffers(fds[0]);
    open_side(&a, *state, fds[0], a.total);
    send_more(&a);
    assert_true(stream_queued(a.s) > 0);
    close(fds[1]);
    loop_run(a.f->l);
    assert_int_equal(a.failures, 1);
    assert_int_equal(stream_error(a.s), EPIPE);
    assert_int_equal(stream_queued(a.s), 0);
    assert_int_equal(stream_write(a.s, &iov, 1, &n), ERR_IO);
    assert_true(fixture_rounds(a.f, 20) < 5);
    assert_int_equal(a.failures, 1);
    stream_close(a.s);
}

static void loop_free_puts_away_open_and_ending_streams(void **state)
{
    struct fixture *f;
    struct side a = {.total = 400000};
    struct side b = {0};
    int fds[2];
    (void)state;
    fixture_setup((void **)&f);
    fixture_tcp_pair(fds);
    fixture_small_buffers(fds[0]);
    open_side(&a, f, fds[0], a.total);
    open_side(&b, f, fds[1], 10);
    send_more(&a);
    stream_close(a.s);
    fixture_teardown((void **)&f);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    assert_int_equal(fcntl(fds[1], F_GETFD), -1);
}

/* A command's stdin and stdout as two streams, each of one pipe's end. */
static void a_stream_may_have_one_direction_only(void **state)
{
    struct fixture *f = *state;
    struct side writer = {.f = f, .total = 300000}, reader = {.f = f, .stop_at_end = true};
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    writer.s = stream_new(f->l, -1, fds[1], 400000, side_event, &writer);
    reader.s = stream_new(f->l, fds[0], -1, 0, side_event, &reader);
    stream_reading(reader.s, true);
    send_more(&writer);
    stream_shut_write(writer.s);
    loop_run(f->l);
    assert_int_equal(reader.received, writer.total);
    assert_int_equal(reader.end, ERR_EOF);
    assert_int_equal(writer.drained, writer.total);
    stream_close(writer.s);
    stream_close(reader.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IO_TEST(bytes_pass_small_kernel_buffers_and_the_cap_holds),
        IO_TEST(a_write_beyond_the_cap_takes_nothing),
        IO_TEST(try_write_gives_back_what_the_kernel_refuses),
        IO_TEST(close_within_the_event_is_the_last_event),
        IO_TEST(close_delivers_the_queue),
        IO_TEST(abort_delivers_everything_and_then_resets),
        IO_TEST(close_ends_tcp_with_fin_even_if_bytes_are_unread),
        IO_TEST(each_direction_ends_by_itself),
        IO_TEST(two_pipes_are_one_stream),
        IO_TEST(a_stream_may_have_one_direction_only),
        IO_TEST(the_blocking_flag_comes_back),
        IO_TEST(a_regular_file_is_always_ready_but_never_spins),
        IO_TEST(a_hangup_does_not_spin_while_reading_is_off),
        IO_TEST(a_queued_write_fails_once),
        IO_TEST(loop_free_puts_away_open_and_ending_streams),
    };
    return RUN_TESTS(tests);
}
