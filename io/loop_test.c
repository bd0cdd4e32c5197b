/* Turns, timers, signals, and what a loop leaves behind. */
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "io/fixture.h"
#include "io/loop.h"

struct trace {
    struct fixture *f;
    char text[64];
    struct loop_turn turn, other;
    struct loop_timer *timer;
    int left;
};

static void note(struct trace *t, char what)
{
    size_t used = strlen(t->text);
    assert_true(used + 1 < sizeof(t->text));
    t->text[used] = what;
}

static void turn_notes(void *owner)
{
    struct trace *t = owner;
    note(t, 'E');
}

static void timer_requests(void *owner)
{
    struct trace *t = owner;
    note(t, 't');
    for (int i = 0; i < 10; i++)
        loop_turn_request(t->f->l, &t->turn);
}

static void ready_requests(void *owner, unsigned ready)
{
    struct trace *t = owner;
    (void)ready;
    note(t, 'r');
    if (--t->left == 0)
        loop_stop(t->f->l);
    loop_turn_request(t->f->l, &t->turn);
}

static void many_requests_of_timers_run_once_after_them(void **state)
{
    struct trace t = {.f = *state, .turn = {.callback = turn_notes, .owner = &t}};
    struct loop_timer *a = loop_timer_new(t.f->l, timer_requests, &t);
    struct loop_timer *b = loop_timer_new(t.f->l, timer_requests, &t);
    loop_timer_start(a, 0);
    loop_timer_start(b, 0);
    fixture_run_to_end(t.f);
    assert_string_equal(t.text, "ttE");
    loop_timer_close(a);
    loop_timer_close(b);
}

static void many_ready_descriptors_are_served_before_the_turn_ends(void **state)
{
    struct trace t = {.f = *state, .turn = {.callback = turn_notes, .owner = &t}, .left = 6};
    int fds[3][2];
    struct loop_watch *watches[3];
    for (int i = 0; i < 3; i++) {
        fixture_socketpair(fds[i]);
        watches[i] = loop_watch_new(t.f->l, fds[i][0], ready_requests, &t);
        loop_watch_set(watches[i], WATCH_READ);
        assert_int_equal(write(fds[i][1], "x", 1), 1);
    }
    loop_run(t.f->l);
    assert_string_equal(t.text, "rrrErrrE");
    for (int i = 0; i < 3; i++) {
        loop_watch_close(watches[i]);
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

struct pair_watch {
    struct trace *trace;
    struct loop_watch *watch;
    int served;
};

static void one_byte_is_enough(void *owner, unsigned ready)
{
    struct pair_watch *p = owner;
    assert_int_equal(ready, WATCH_READ);
    p->served++;
    loop_watch_set(p->watch, 0); /* its byte is left unread: it stays ready */
    loop_timer_start(p->trace->timer, 20);
}

static void timer_notes(void *owner)
{
    note(owner, 't');
}

/* Not heard of, no busy loop, and the loop ends although the descriptor is still there. */
static void a_watch_that_wants_nothing_is_quiet(void **state)
{
    struct trace t = {.f = *state};
    struct pair_watch p = {.trace = &t};
    int fds[2];
    fixture_socketpair(fds);
    t.timer = loop_timer_new(t.f->l, timer_notes, &t);
    p.watch = loop_watch_new(t.f->l, fds[0], one_byte_is_enough, &p);
    loop_watch_set(p.watch, WATCH_READ);
    loop_watch_set(p.watch, 0);
    loop_watch_set(p.watch, WATCH_READ);
    assert_int_equal(write(fds[1], "x", 1), 1);
    fixture_run_to_end(t.f);
    assert_int_equal(p.served, 1);
    assert_string_equal(t.text, "t");
    loop_watch_set(p.watch, WATCH_READ | WATCH_WRITE);
    loop_watch_set(p.watch, WATCH_READ);
    fixture_run_to_end(t.f);
    assert_int_equal(p.served, 2);
    loop_timer_close(t.timer);
    loop_watch_close(p.watch);
    close(fds[0]);
    close(fds[1]);
}

static void first_asks_again(void *owner)
{
    struct trace *t = owner;
    note(t, 'A');
    if (t->left-- == 0)
        return;
    loop_turn_request(t->f->l, &t->turn);
    loop_turn_request(t->f->l, &t->other);
}

static void other_asks_first(void *owner)
{
    struct trace *t = owner;
    note(t, 'B');
    loop_turn_request(t->f->l, &t->turn);
}

static void a_request_within_the_pass_runs_now_or_in_the_next_turn_without_sleep(void **state)
{
    struct trace t = {.f = *state,
                      .turn = {.callback = first_asks_again, .owner = &t},
                      .other = {.callback = other_asks_first, .owner = &t},
                      .left = 2};
    loop_turn_request(t.f->l, &t.turn);
    /* Without the guard nothing else could wake the loop: a sleep would last for ever. */
    fixture_run_to_end(t.f);
    assert_string_equal(t.text, "ABABA");
}

static void a_cancelled_request_does_not_run_nor_keep_the_loop(void **state)
{
    struct trace t = {.f = *state, .turn = {.callback = turn_notes, .owner = &t}};
    loop_turn_request(t.f->l, &t.turn);
    loop_turn_cancel(&t.turn);
    loop_turn_cancel(&t.turn);
    fixture_run_to_end(t.f);
    assert_string_equal(t.text, "");
}

static void stops_and_requests(void *owner)
{
    struct trace *t = owner;
    loop_stop(t->f->l);
    loop_turn_request(t->f->l, &t->turn);
}

static void the_turn_of_a_stop_is_still_ended(void **state)
{
    struct trace t = {.f = *state, .turn = {.callback = turn_notes, .owner = &t}};
    struct loop_timer *timer = loop_timer_new(t.f->l, stops_and_requests, &t);
    loop_timer_start(timer, 1);
    loop_run(t.f->l);
    assert_string_equal(t.text, "E");
    loop_timer_close(timer);
}

static void timer_restarts(void *owner)
{
    struct trace *t = owner;
    note(t, 't');
    if (--t->left > 0)
        loop_timer_at(t->timer, loop_now(t->f->l) + 2);
    else
        loop_timer_close(t->timer);
}

static void a_timer_fires_once_and_may_restart_or_close_itself(void **state)
{
    struct trace t = {.f = *state, .left = 3};
    struct loop_timer *never = loop_timer_new(t.f->l, timer_requests, &t);
    uint64_t before = loop_now(t.f->l);
    t.timer = loop_timer_new(t.f->l, timer_restarts, &t);
    loop_timer_at(t.timer, before + 2);
    loop_timer_at(never, before + 1);
    loop_timer_at(never, CLOCK_NEVER);
    fixture_run_to_end(t.f);
    assert_string_equal(t.text, "ttt");
    assert_true(loop_now(t.f->l) >= before + 6);
    loop_timer_close(never);
    loop_timer_close(NULL);
}

static void signal_stops(void *owner, int signal_number)
{
    struct trace *t = owner;
    assert_int_equal(signal_number, SIGUSR1);
    note(t, 's');
    loop_stop(t->f->l);
}

static void a_signal_comes_in_a_turn(void **state)
{
    struct trace t = {.f = *state};
    struct loop_signal *s = loop_signal_new(t.f->l, SIGUSR1, signal_stops, &t);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_string_equal(t.text, "");
    loop_run(t.f->l);
    assert_string_equal(t.text, "s");
    loop_signal_close(s);
    loop_signal_close(NULL);
}

static void a_signal_that_is_ignored_stays_so_where_that_is_asked_for(void **state)
{
    struct trace t = {.f = *state};
    assert_ptr_not_equal(signal(SIGUSR1, SIG_IGN), SIG_ERR);
    assert_null(loop_signal_unless_ignored(t.f->l, SIGUSR1, signal_stops, &t));
    assert_ptr_equal(signal(SIGUSR1, SIG_DFL), SIG_IGN);
    struct loop_signal *s = loop_signal_unless_ignored(t.f->l, SIGUSR1, signal_stops, &t);
    assert_non_null(s);
    assert_int_equal(raise(SIGUSR1), 0);
    loop_run(t.f->l);
    assert_string_equal(t.text, "s");
    loop_signal_close(s);
}

static void loop_free_closes_what_was_left_open(void **state)
{
    struct trace t = {.f = *state, .turn = {.callback = turn_notes, .owner = &t}};
    struct loop *l = loop_new();
    int fds[2];
    fixture_socketpair(fds);
    loop_timer_start(loop_timer_new(l, timer_requests, &t), 100000);
    assert_non_null(loop_signal_new(l, SIGUSR2, signal_stops, &t));
    loop_watch_set(loop_watch_new(l, fds[0], ready_requests, &t), WATCH_READ);
    loop_turn_request(l, &t.turn);
    loop_stop(l);
    loop_free(l);
    loop_free(NULL);
    assert_string_equal(t.text, "");
    close(fds[0]);
    close(fds[1]);
}

/* Another process may pass any of these; each would do as a session's input. */
static void what_cannot_be_polled_is_told_and_left_alone(void **state)
{
    struct trace t = {.f = *state};
    int fds[8];
    fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
    fds[1] = open("/", O_PATH | O_CLOEXEC);
    assert_null(loop_watch_new(t.f->l, fds[0], ready_requests, &t));
    assert_null(loop_watch_new(t.f->l, fds[1], ready_requests, &t));
    for (int i = 2; i < 8; i++) { /* more than the kernel lets nest, with the loop's own */
        struct epoll_event event = {.events = EPOLLIN};
        fds[i] = epoll_create1(EPOLL_CLOEXEC);
        assert_true(fds[i] >= 0);
        if (i > 2)
            (void)epoll_ctl(fds[i], EPOLL_CTL_ADD, fds[i - 1], &event);
    }
    for (int i = 2; i < 8; i++)
        loop_watch_close(loop_watch_new(t.f->l, fds[i], ready_requests, &t));
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

static void the_process_ignores_sigpipe_and_declines_io_uring(void **state)
{
    struct sigaction action;
    (void)state;
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_ptr_equal(action.sa_handler, SIG_IGN);
    assert_string_equal(getenv("UV_USE_IO_URING"), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IO_TEST(many_requests_of_timers_run_once_after_them),
        IO_TEST(a_watch_that_wants_nothing_is_quiet),
        IO_TEST(many_ready_descriptors_are_served_before_the_turn_ends),
        IO_TEST(a_request_within_the_pass_runs_now_or_in_the_next_turn_without_sleep),
        IO_TEST(a_cancelled_request_does_not_run_nor_keep_the_loop),
        IO_TEST(the_turn_of_a_stop_is_still_ended),
        IO_TEST(a_timer_fires_once_and_may_restart_or_close_itself),
        IO_TEST(a_signal_comes_in_a_turn),
        IO_TEST(a_signal_that_is_ignored_stays_so_where_that_is_asked_for),
        IO_TEST(loop_free_closes_what_was_left_open),
        IO_TEST(what_cannot_be_polled_is_told_and_left_alone),
        IO_TEST(the_process_ignores_sigpipe_and_declines_io_uring),
    };
    return RUN_TESTS(tests);
}
