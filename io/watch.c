/*
 * One polled descriptor. Hides two habits of the event library: a poll that reports an error has
 * stopped itself, and changing what is polled costs system calls even if nothing changes.
 */
#include "io/watch.h"

#include <fcntl.h>
#include <uv.h>

struct loop_watch {
    uv_poll_t uv;
    loop_watch_callback *callback;
    void *owner;
    unsigned wanted;
};

static void start(struct loop_watch *w);

static void polled(uv_poll_t *handle, int status, int events)
{
    struct loop_watch *w = handle->data;
    unsigned ready = w->wanted;
    if (status == 0)
        ready =
            (events & UV_READABLE ? WATCH_READ : 0u) | (events & UV_WRITABLE ? WATCH_WRITE : 0u);
    w->callback(w->owner, ready);
    /* The memory is there until the close callback, even if the owner closed the watch. */
    if (!uv_is_closing((uv_handle_t *)handle) && w->wanted && !uv_is_active((uv_handle_t *)handle))
        start(w);
}

static void start(struct loop_watch *w)
{
    int events =
        (w->wanted & WATCH_READ ? UV_READABLE : 0) | (w->wanted & WATCH_WRITE ? UV_WRITABLE : 0);
    CHECK(uv_poll_start(&w->uv, events, polled) == 0);
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
    if (w->wanted == what)
        return;
    w->wanted = what;
    if (what)
        start(w);
    else
        CHECK(uv_poll_stop(&w->uv) == 0);
}

void loop_watch_close(struct loop_watch *w)
{
    if (w)
        loop_close_handle(&w->uv);
}
