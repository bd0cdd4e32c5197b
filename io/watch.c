/*
 * One polled descriptor. Hides two habits of the event library: a poll that reports an error has
 * stopped itself, and changing what is polled costs system calls, even if nothing changes. So what
 * is no longer wanted stays polled until it is ready: who turns reading off and on again within a
 * turn, or before anything comes, pays nothing.
 */
#include "io/watch.h"

#include <fcntl.h>
#include <uv.h>

struct loop_watch {
    uv_poll_t uv;
    loop_watch_callback *callback;
    void *owner;
    unsigned wanted;
    unsigned polled; /* what the event library looks for: wanted, and perhaps more */
};

static void start(struct loop_watch *w);

static void ready(uv_poll_t *handle, int status, int events)
{
    struct loop_watch *w = handle->data;
    unsigned wanted = w->wanted;
    unsigned what = wanted;
    if (status == 0)
        what = (events & UV_READABLE ? WATCH_READ : 0u) | (events & UV_WRITABLE ? WATCH_WRITE : 0u);
    if (!uv_is_active((uv_handle_t *)handle))
        w->polled = 0;
    if (what & wanted)
        w->callback(w->owner, what & wanted);
    /* The memory is there until the close callback, even if the owner closed the watch. */
    if (uv_is_closing((uv_handle_t *)handle))
        return;
    /* What came though nobody wanted it would come again at once. */
    if (what & ~wanted & ~w->wanted || w->wanted & ~w->polled)
        start(w);
}

/* Polls what is wanted, and nothing else. */
static void start(struct loop_watch *w)
{
    int events =
        (w->wanted & WATCH_READ ? UV_READABLE : 0) | (w->wanted & WATCH_WRITE ? UV_WRITABLE : 0);
    w->polled = w->wanted;
    if (events)
        CHECK(uv_poll_start(&w->uv, events, ready) == 0);
    else
        CHECK(uv_poll_stop(&w->uv) == 0);
}

/*
 * Descriptors may come from another process, and be of any kind: one that only names a file
 * (O_PATH) is no open file for the kernel, and epolls can be nested too deep.
 */
static bool is_of_a_kind_without_polls(int fd, int result)
{
    int flags = fcntl(fd, F_GETFL);
    return result == UV_EPERM || result == UV_ELOOP ||
           (result == UV_EBADF && flags >= 0 && (flags & O_PATH));
}

struct loop_watch *loop_watch_new(struct loop *l, int fd, loop_watch_callback *callback,
                                  void *owner)
{
    struct loop_watch *w = NEW(struct loop_watch);
    int result = uv_poll_init(loop_native(l), &w->uv, fd);
    if (result != 0 && is_of_a_kind_without_polls(fd, result)) {
        mem_free(w);
        return NULL;
    }
    CHECK(result == 0);
    w->callback = callback;
    w->owner = owner;
    w->uv.data = w;
    return w;
}

void loop_watch_set(struct loop_watch *w, unsigned what)
{
    w->wanted = what;
    /* What is polled but not wanted shall not keep the loop running. */
    if (what)
        uv_ref((uv_handle_t *)&w->uv);
    else
        uv_unref((uv_handle_t *)&w->uv);
    if (what & ~w->polled)
        start(w);
}

void loop_watch_close(struct loop_watch *w)
{
    if (w)
        loop_close_handle(&w->uv);
}
