/*
 * aditd-resolve: names to addresses, for processes that may not look them up: name services open
 * files and sockets, load modules and hang. It sees names and nothing else, under an account of
 * its own. It lives as long as the supervisor or one who asks.
 */
#include <stdlib.h>
#include <unistd.h>

#include "io/ipc.h"
#include "io/resolver.h"
#include "server/role.h"
#include "server/role_sandbox.h"

#define THREADS "128" /* look-ups that hang keep one each */

struct service {
    struct loop *loop;
    struct ipc *supervisor; /* NULL: gone */
    unsigned askers;
};

static void end_if_alone(struct service *s)
{
    if (!s->supervisor && s->askers == 0)
        loop_stop(s->loop);
}

static void asker_ended(void *owner)
{
    struct service *s = owner;
    s->askers--;
    end_if_alone(s);
}

static void supervisor_message(void *owner, enum err err, struct slice bytes, const int *fds,
                               size_t fd_count)
{
    struct service *s = owner;
    struct role_msg m;
    if (err == OK)
        err = role_msg_decode(bytes, ROLE_SUPERVISOR, ROLE_RESOLVE, &m);
    if (err == OK && m.kind == ROLE_MSG_RESOLVER && fd_count == 1) {
        s->askers++;
        resolver_serve(s->loop, fds[0], asker_ended, s);
        return;
    }
    ipc_close_fds(fds, fd_count);
    if (err == OK)
        return;
    ipc_close(s->supervisor);
    s->supervisor = NULL;
    end_if_alone(s);
}

/* Modules that name services load are loaded before the door is locked. */
static void warm_up(void)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    if (getaddrinfo("localhost", NULL, &hints, &list) == 0)
        freeaddrinfo(list);
}

int main(int argc, char **argv)
{
    struct service s = {.askers = 0};
    (void)role_start(argc, argv, "aditd-resolve");
    CHECK(setenv("UV_THREADPOOL_SIZE", THREADS, 1) == 0);
    struct sandbox *sandbox = sandbox_prepare(SANDBOX_RESOLVE);
    warm_up();
    enum err err = sandbox ? role_enter_sandbox(ROLE_IPC_FD, ROLE_RESOLVE, sandbox) : ERR_IO;
    sandbox_free(sandbox);
    if (err != OK)
        return err == ERR_EOF ? 0 : 1;
    s.loop = loop_new();
    s.supervisor = ipc_new(s.loop, ROLE_IPC_FD, supervisor_message, &s);
    loop_run(s.loop);
    ipc_close(s.supervisor);
    loop_free(s.loop);
    return 0;
}
