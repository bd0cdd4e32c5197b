/* The supervisor's side of aditd-resolve: started with the server, and again if it died. */
#include <unistd.h>

#include "server/supervisor_internal.h"

#define LIVED_MS 1000

static void lost(struct supervisor *s)
{
    ipc_close(s->resolve_ipc);
    s->resolve_ipc = NULL;
    child_forget(s->resolve); /* it is reaped all the same, and no news of it meet its successor */
    s->resolve = NULL;
}

/* One that cannot live is not started over and over: the next worker tries again. */
static void on_end(struct supervisor *s)
{
    bool has_lived = loop_now(s->loop) - s->resolve_began_ms >= LIVED_MS;
    lost(s);
    log_error("aditd-resolve has ended%s",
              has_lived ? "" : " at once: workers that are there look up no names");
    LIST_FOR (w, &s->workers, struct worker, link) {
        if (has_lived && !s->is_ending && !w->is_leaving && resolver_introduce(s, w) != OK)
            log_error("the worker of %s looks up no names", w->user);
    }
}

static void resolve_message(void *owner, enum err err, struct slice bytes UNUSED, const int *fds,
                            size_t fd_count)
{
    ipc_close_fds(fds, fd_count);
    if (err != OK)
        on_end(owner); /* it has nothing to say but that it ended */
}

static void resolve_exited(void *owner, int status, int signal_number)
{
    struct supervisor *s = owner;
    s->resolve = NULL; /* the end of its descriptor says the rest */
    log_verbose("aditd-resolve: %s %d", signal_number ? "signal" : "status",
                signal_number ? signal_number : status);
}

enum err resolver_start(struct supervisor *s)
{
    int ipc_fd;
    const char *arguments[12] = {NULL};
    supervisor_child_arguments(s, PROGRAM_RESOLVE, s->options.log_level, arguments);
    TRY(programs_spawn(s->setup.programs, PROGRAM_RESOLVE, s->loop, arguments, NULL, 0,
                       resolve_exited, s, &s->resolve, &ipc_fd));
    s->resolve_ipc = ipc_new(s->loop, ipc_fd, resolve_message, s);
    struct role_msg m = {.kind = ROLE_MSG_SANDBOX};
    supervisor_role_sandbox(s, &m);
    m.root = SLICE_NONE; /* name services read files */
    return role_ipc_send(s->resolve_ipc, &m, NULL, 0);
}

enum err resolver_introduce(struct supervisor *s, struct worker *w)
{
    int pair[2];
    const struct role_msg m = {.kind = ROLE_MSG_RESOLVER};
    if (!s->resolve_ipc)
        TRY(resolver_start(s));
    TRY(ipc_pair(pair));
    enum err err = role_ipc_send(s->resolve_ipc, &m, &pair[0], 1);
    if (err == OK)
        err = worker_send(w, &m, &pair[1], 1);
    close(pair[0]);
    close(pair[1]);
    return err;
}

void resolver_end(struct supervisor *s)
{
    lost(s); /* it ends when nobody asks it any more */
}
