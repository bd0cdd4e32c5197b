/*
 * Spawning a program with chosen descriptors and nothing else: no descriptor of ours and no
 * changed signal disposition reaches it (the library resets all of them, SIGPIPE too, before exec).
 */
#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "io/watch.h"

#define SIGNAL_STATUS 128 /* what shells add to a signal's number */

struct child {
    uv_process_t uv;
    struct loop_item item;
    child_exited *exited; /* NULL: forgotten */
    void *owner;
    bool over;
};

static void drop(void *owner)
{
    struct child *c = owner;
    c->exited = NULL; /* the handle itself is closed with all others of the loop */
}

static void process_ended(uv_process_t *handle, int64_t status, int signal_number)
{
    struct child *c = handle->data;
    c->over = true;
    if (c->exited)
        c->exited(c->owner, signal_number ? SIGNAL_STATUS + signal_number : (int)status,
                  signal_number);
    loop_unkeep(&c->item);
    loop_close_handle(handle);
}

/*
 * Descriptors that we inherited without close-on-exec would pass through us. Every one we open has
 * the flag, so marking all changes nothing else; the passed ones lose it again in the child.
 */
static void mark_close_on_exec(void)
{
    (void)close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
}

static enum err err_of(int result)
{
    if (result == 0)
        return OK;
    return result == UV_ENOENT || result == UV_ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
}

/* stdio[i] says what becomes descriptor i; null_fd stands in for the missing ones. */
static uv_stdio_container_t *new_stdio(const struct child_spec *spec, size_t count, int null_fd)
{
    uv_stdio_container_t *stdio = mem_new(count, sizeof(stdio[0]));
    for (size_t i = 0; i < count; i++) {
        int fd = i < spec->fd_count ? spec->fds[i] : -1;
        stdio[i].flags = UV_INHERIT_FD;
        stdio[i].data.fd = fd >= 0 ? fd : null_fd;
    }
    return stdio;
}

static bool has_room_for_a_pipe(void)
{
    int fds[2];
    if (child_pipe(fds) != OK)
        return false;
    close(fds[0]);
    close(fds[1]);
    return true;
}

/*
 * The limit is inherited as it is at the fork, so it is set around it. Where more is open here than
 * it allows, the library's pipe cannot be had; then the child gets it a moment later.
 */
static int spawn(struct loop *l, struct child *c, const uv_process_options_t *options)
{
    const struct rlimit *files = loop_child_files(l);
    struct rlimit ours;
    if (!files || getrlimit(RLIMIT_NOFILE, &ours) != 0 || setrlimit(RLIMIT_NOFILE, files) != 0)
        return uv_spawn(loop_native(l), &c->uv, options);
    bool is_late = !has_room_for_a_pipe();
    if (is_late)
        CHECK(setrlimit(RLIMIT_NOFILE, &ours) == 0);
    int result = uv_spawn(loop_native(l), &c->uv, options);
    if (!is_late)
        CHECK(setrlimit(RLIMIT_NOFILE, &ours) == 0);
    else if (result == 0)
        (void)prlimit(child_pid(c), RLIMIT_NOFILE, files, NULL);
    return result;
}

enum err child_new(struct child **out, struct loop *l, const struct child_spec *spec,
                   child_exited *exited, void *owner)
{
    /* 0 to 2 always exist in the child: a program without them writes into what it opens first. */
    size_t count = MAX(spec->fd_count, (size_t)STDERR_FILENO + 1);
    *out = NULL;
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0)
        return ERR_IO;
    struct child *c = NEW(struct child);
    uv_stdio_container_t *stdio = new_stdio(spec, count, null_fd);
    /* The library's option struct has no const; it does not write there. */
    const uv_process_options_t options = {.exit_cb = process_ended,
                                          .file = spec->file,
                                          .args = (char **)(uintptr_t)spec->arguments,
                                          .env = (char **)(uintptr_t)spec->environment,
                                          .stdio_count = (int)count,
                                          .stdio = stdio};
    c->exited = exited;
    c->owner = owner;
    c->uv.data = c;
    mark_close_on_exec();
    int result = spawn(l, c, &options);
    mem_free(stdio);
    close(null_fd);
    if (result != 0) {
        loop_close_handle(&c->uv);
        return err_of(result);
    }
    loop_keep(l, &c->item, drop, c);
    *out = c;
    return OK;
}

int child_pid(const struct child *c)
{
    return c->uv.pid;
}

void child_kill(struct child *c, int signal_number)
{
    if (!c->over)
        (void)uv_process_kill(&c->uv, signal_number);
}

void child_forget(struct child *c)
{
    if (!c)
        return;
    c->exited = NULL;
    uv_unref((uv_handle_t *)&c->uv);
}

enum err child_pipe(int fds[2])
{
    return pipe2(fds, O_CLOEXEC) == 0 ? OK : ERR_IO;
}

enum err child_socketpair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0 ? OK : ERR_IO;
}
