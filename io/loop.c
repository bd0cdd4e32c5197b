/*
 * The loop itself: timers, signals and the end-of-turn pass. It sleeps in the descriptors (watch.c)
 * and calls the event library only when that has something to do: a timer is due, a signal came, a
 * child ended, a name was found. The pass runs after both, just before the next sleep.
 */
#include "io/loop.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <uv.h>

#include "io/watch.h"

struct loop {
    uv_loop_t uv;
    /* Always active: without any, the library takes every question for the next timer as a stop. */
    uv_prepare_t presence;
    struct watches *watches;
    bool is_native_ready;
    bool is_stopped;
    uint64_t rounds;
    struct list turns; /* to run in this pass, or in the next one that begins */
    struct list later; /* asked for again by entries that ran in this pass */
    struct list items;
    uint64_t pass; /* from 1 on */
    bool in_pass;
    struct resolver *resolver;
    struct rlimit files; /* before we took all */
    bool has_taken_files;
};

void loop_set_resolver(struct loop *l, struct resolver *r)
{
    l->resolver = r;
}

struct resolver *loop_resolver(struct loop *l)
{
    return l->resolver;
}

struct loop_timer {
    uv_timer_t uv;
    struct loop *loop;
    bool is_known; /* to the event library: many are never started, and those cost nothing */
    loop_timer_callback *callback;
    void *owner;
};

struct loop_signal {
    uv_signal_t uv;
    loop_signal_callback *callback;
    void *owner;
};

/*
 * What is large goes back to the system when it is freed: the queue of a consumer that stalled. The
 * C library would keep up to twice of the largest piece ever freed. Batches stay below, so that
 * they are not mapped anew with each turn.
 */
#define LARGE_PIECE (4 * 1024 * 1024)
#define KEPT_FREE   LARGE_PIECE

void loop_process_setup(void)
{
    /* Other allocators (a sanitizer's, a preloaded one) have no such thing, and need none. */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_PIECE);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_FREE);
    CHECK(setenv("UV_USE_IO_URING", "0", 1) == 0);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

void *loop_native(struct loop *l)
{
    return &l->uv;
}

struct watches *loop_watches(struct loop *l)
{
    return l->watches;
}

void loop_take_all_descriptors(struct loop *l)
{
    struct rlimit all;
    if (l->has_taken_files || getrlimit(RLIMIT_NOFILE, &l->files) != 0)
        return;
    all = l->files;
    all.rlim_cur = all.rlim_max;
    l->has_taken_files = setrlimit(RLIMIT_NOFILE, &all) == 0;
}

const struct rlimit *loop_child_files(const struct loop *l)
{
    return l->has_taken_files ? &l->files : NULL;
}

uint64_t loop_round_count(const struct loop *l)
{
    return l->rounds;
}

void loop_keep(struct loop *l, struct loop_item *item, void (*drop)(void *owner), void *owner)
{
    item->drop = drop;
    item->owner = owner;
    list_append(&l->items, &item->link);
}

static void free_data(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void loop_close_handle(void *handle)
{
    uv_close(handle, free_data);
}

/* ---- end of turn ---- */

static void run_turns(struct loop *l)
{
    struct list *first;
    l->pass++;
    l->in_pass = true;
    while ((first = list_take_first(&l->turns))) {
        struct loop_turn *turn = container_of(first, struct loop_turn, link);
        turn->requested = false;
        turn->ran_in = l->pass;
        turn->callback(turn->owner);
    }
    l->in_pass = false;
    while ((first = list_take_first(&l->later)))
        list_append(&l->turns, first);
}

void loop_turn_request(struct loop *l, struct loop_turn *turn)
{
    if (turn->requested)
        return;
    turn->requested = true;
    list_append(l->in_pass && turn->ran_in == l->pass ? &l->later : &l->turns, &turn->link);
}

void loop_turn_cancel(struct loop_turn *turn)
{
    if (!turn->requested)
        return;
    turn->requested = false;
    list_remove(&turn->link);
}

/* ---- the loop ---- */

static void be_there(uv_prepare_t *handle)
{
    (void)handle; /* being active is all it is for */
}

struct loop *loop_new(void)
{
    struct loop *l = NEW(struct loop);
    loop_process_setup();
    list_init(&l->turns);
    list_init(&l->later);
    list_init(&l->items);
    CHECK(uv_loop_init(&l->uv) == 0);
    CHECK(uv_prepare_init(&l->uv, &l->presence) == 0);
    CHECK(uv_prepare_start(&l->presence, be_there) == 0);
    l->watches = watches_new(uv_backend_fd(&l->uv));
    return l;
}

static void close_left(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        loop_close_handle(handle);
}

void loop_free(struct loop *l)
{
    struct list *first;
    if (!l)
        return;
    while ((first = list_take_first(&l->items))) {
        struct loop_item *item = container_of(first, struct loop_item, link);
        item->drop(item->owner);
    }
    watches_free(l->watches);
    uv_walk(&l->uv, close_left, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&l->uv) == 0);
    mem_free(l);
}

static bool has_native_work(struct loop *l)
{
    uv_unref((uv_handle_t *)&l->presence);
    bool is_alive = uv_loop_alive(&l->uv);
    uv_ref((uv_handle_t *)&l->presence);
    return is_alive;
}

static bool may_go_on(struct loop *l)
{
    return !l->is_stopped &&
           (watches_are_wanted(l->watches) || !list_is_empty(&l->turns) || has_native_work(l));
}

void loop_round(struct loop *l)
{
    l->rounds++;
    uv_update_time(&l->uv);
    if (l->is_native_ready || uv_backend_timeout(&l->uv) == 0)
        uv_run(&l->uv, UV_RUN_NOWAIT);
    l->is_native_ready = false;
    if (!list_is_empty(&l->turns))
        run_turns(l);
    if (!may_go_on(l))
        return;
    watches_sleep(l->watches, list_is_empty(&l->turns) ? uv_backend_timeout(&l->uv) : 0);
    uv_update_time(&l->uv);
    l->is_native_ready = watches_serve(l->watches);
}

void loop_run(struct loop *l)
{
    while (may_go_on(l))
        loop_round(l);
    l->is_stopped = false;
    if (!list_is_empty(&l->turns))
        run_turns(l);
}

void loop_stop(struct loop *l)
{
    l->is_stopped = true;
}

uint64_t loop_now(const struct loop *l)
{
    return uv_now(&l->uv);
}

uint64_t loop_now_us(void)
{
    return uv_hrtime() / 1000;
}

uint64_t loop_wall_clock_s(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (uint64_t)MAX(now.tv_sec, 0);
}

/* ---- timers ---- */

static void timer_fired(uv_timer_t *handle)
{
    struct loop_timer *t = handle->data;
    t->callback(t->owner);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_timer_callback *callback, void *owner)
{
    struct loop_timer *t = NEW(struct loop_timer);
    t->loop = l;
    t->callback = callback;
    t->owner = owner;
    return t;
}

void loop_timer_start(struct loop_timer *t, uint64_t delay_ms)
{
    if (!t->is_known) {
        CHECK(uv_timer_init(&t->loop->uv, &t->uv) == 0);
        t->uv.data = t;
        t->is_known = true;
    }
    CHECK(uv_timer_start(&t->uv, timer_fired, delay_ms, 0) == 0);
}

void loop_timer_at(struct loop_timer *t, uint64_t when_ms)
{
    uint64_t now = loop_now(t->loop);
    if (when_ms == CLOCK_NEVER)
        loop_timer_stop(t);
    else
        loop_timer_start(t, when_ms > now ? when_ms - now : 0);
}

void loop_timer_stop(struct loop_timer *t)
{
    if (t->is_known)
        uv_timer_stop(&t->uv);
}

void loop_timer_close(struct loop_timer *t)
{
    if (t && t->is_known)
        loop_close_handle(&t->uv);
    else
        mem_free(t);
}

/* ---- signals ---- */

static void signal_came(uv_signal_t *handle, int signal_number)
{
    struct loop_signal *s = handle->data;
    s->callback(s->owner, signal_number);
}

struct loop_signal *loop_signal_new(struct loop *l, int signal_number,
                                    loop_signal_callback *callback, void *owner)
{
    struct loop_signal *s = NEW(struct loop_signal);
    s->callback = callback;
    s->owner = owner;
    CHECK(uv_signal_init(&l->uv, &s->uv) == 0);
    s->uv.data = s;
    CHECK(uv_signal_start(&s->uv, signal_came, signal_number) == 0);
    return s;
}

struct loop_signal *loop_signal_unless_ignored(struct loop *l, int signal_number,
                                               loop_signal_callback *callback, void *owner)
{
    struct sigaction now;
    CHECK(sigaction(signal_number, NULL, &now) == 0);
    return now.sa_handler == SIG_IGN ? NULL : loop_signal_new(l, signal_number, callback, owner);
}

void loop_signal_close(struct loop_signal *s)
{
    if (s)
        loop_close_handle(&s->uv);
}
