/*
 * The polled descriptors of a loop: an epoll of our own, which the loop sleeps in; the event
 * library's is one descriptor in it. The library's own polls cost seven system calls for a socket
 * that is used once; these cost one to begin, one to end, and one for each change that matters:
 * what is no longer wanted stays polled until it is ready, so that who turns reading off and on
 * again within a turn, or before anything comes, pays nothing.
 */
#include "io/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EVENTS_MAX 1024 /* of one sleep; more come with the next, and none starves */

struct watches {
    int epoll_fd;
    struct list all;
    struct list closed; /* of this batch: an event that is still to be served may name one */
    size_t wanted;      /* how many want anything: what keeps the loop running */
    bool in_batch;
    int count; /* of events */
    struct epoll_event events[EVENTS_MAX];
};

struct loop_watch {
    struct list link;
    struct watches *set;
    int fd;
    loop_watch_callback *callback;
    void *owner;
    unsigned wanted;
    unsigned polled; /* what the kernel looks for: wanted, and perhaps more */
    bool is_added;   /* the kernel knows it */
    bool is_closed;
};

/* ---- what is polled ---- */

static int control(struct loop_watch *w, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = w};
    return epoll_ctl(w->set->epoll_fd, operation, w->fd, &event) == 0 ? 0 : errno;
}

static void stop(struct loop_watch *w)
{
    w->polled = 0;
    if (w->is_added)
        CHECK(control(w, EPOLL_CTL_DEL, 0) == 0);
    w->is_added = false;
}

/* Polls what is wanted, and nothing else; an end or an error is told of a polled one unasked. */
static void start(struct loop_watch *w)
{
    uint32_t events =
        (w->wanted & WATCH_READ ? EPOLLIN : 0u) | (w->wanted & WATCH_WRITE ? EPOLLOUT : 0u);
    if (!w->wanted) {
        stop(w);
        return;
    }
    CHECK(control(w, w->is_added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, events) == 0);
    w->is_added = true;
    w->polled = w->wanted;
}

/* An event may come again, and a descriptor in an error state is ready for everything. */
static void serve(struct loop_watch *w, uint32_t events)
{
    unsigned before = w->wanted;
    unsigned seen = (events & EPOLLIN ? WATCH_READ : 0u) | (events & EPOLLOUT ? WATCH_WRITE : 0u);
    if (events & (EPOLLERR | EPOLLHUP))
        seen = WATCH_READ | WATCH_WRITE;
    if (seen & before)
        w->callback(w->owner, seen & before);
    if (w->is_closed)
        return;
    /* What came though nobody wanted it would come again at once. */
    if (seen & w->polled & ~before & ~w->wanted || w->wanted & ~w->polled)
        start(w);
}

/* ---- the set ---- */

struct watches *watches_new(int native_fd)
{
    struct watches *set = NEW(struct watches);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    list_init(&set->all);
    list_init(&set->closed);
    set->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(set->epoll_fd >= 0);
    CHECK(epoll_ctl(set->epoll_fd, EPOLL_CTL_ADD, native_fd, &event) == 0);
    return set;
}

void watches_free(struct watches *set)
{
    while (!list_is_empty(&set->all))
        loop_watch_close(container_of(set->all.next, struct loop_watch, link));
    close(set->epoll_fd);
    mem_free(set);
}

bool watches_are_wanted(const struct watches *set)
{
    return set->wanted > 0;
}

void watches_sleep(struct watches *set, int timeout_ms)
{
    int count = epoll_pwait(set->epoll_fd, set->events, EVENTS_MAX, timeout_ms, NULL);
    CHECK(count >= 0 || errno == EINTR);
    set->count = MAX(count, 0);
}

bool watches_serve(struct watches *set)
{
    bool is_native_ready = false;
    struct list *first;
    set->in_batch = true;
    for (int i = 0; i < set->count; i++) {
        struct loop_watch *w = set->events[i].data.ptr;
        if (!w)
            is_native_ready = true;
        else if (!w->is_closed)
            serve(w, set->events[i].events);
    }
    set->in_batch = false;
    set->count = 0;
    while ((first = list_take_first(&set->closed)))
        mem_free(container_of(first, struct loop_watch, link));
    return is_native_ready;
}

/* ---- one descriptor ---- */

struct loop_watch *loop_watch_new_socket(struct loop *l, int fd, loop_watch_callback *callback,
                                         void *owner)
{
    struct loop_watch *w = NEW(struct loop_watch);
    w->set = loop_watches(l);
    w->fd = fd;
    w->callback = callback;
    w->owner = owner;
    list_append(&w->set->all, &w->link);
    return w;
}

/*
 * Descriptors may come from another process, and be of any kind: one that only names a file
 * (O_PATH) is no open file for the kernel, and epolls can be nested too deep.
 */
static bool is_of_a_kind_without_polls(int fd, int error)
{
    int flags = fcntl(fd, F_GETFL);
    return error == EPERM || error == ELOOP || (error == EBADF && flags >= 0 && (flags & O_PATH));
}

/* Only the kernel knows what it can poll: it is asked to look for nothing, and once. */
struct loop_watch *loop_watch_new(struct loop *l, int fd, loop_watch_callback *callback,
                                  void *owner)
{
    struct loop_watch *w = loop_watch_new_socket(l, fd, callback, owner);
    int on = 1;
    int error = control(w, EPOLL_CTL_ADD, EPOLLET);
    if (error && is_of_a_kind_without_polls(fd, error)) {
        loop_watch_close(w);
        return NULL;
    }
    CHECK(error == 0);
    w->is_added = true;
    CHECK(ioctl(fd, FIONBIO, &on) == 0);
    return w;
}

void loop_watch_set(struct loop_watch *w, unsigned what)
{
    w->set->wanted += (what != 0);
    w->set->wanted -= (w->wanted != 0);
    w->wanted = what;
    if (what & ~w->polled)
        start(w);
}

void loop_watch_close(struct loop_watch *w)
{
    if (!w)
        return;
    w->set->wanted -= (w->wanted != 0);
    stop(w);
    list_remove(&w->link);
    w->is_closed = true;
    if (w->set->in_batch)
        list_append(&w->set->closed, &w->link);
    else
        mem_free(w);
}
