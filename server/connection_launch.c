/* Sessions of a connection: each gets a launcher. */
#include <stdio.h>
#include <unistd.h>

#include "server/supervisor_internal.h"

#define LAUNCHES_SPARE 16 /* those that are about to end */

static void launcher_exited(void *owner, int status, int signal_number)
{
    struct launch *l = owner;
    if (signal_number)
        log_error("aditd-session died of signal %d", signal_number);
    log_debug("aditd-session ended with status %d", status);
    l->connection->launch_count--;
    list_remove(&l->link);
    mem_free(l);
}

static enum err spawn_launcher(struct connection *c, int worker_fd, int *ipc_fd)
{
    struct supervisor *s = c->supervisor;
    const char *arguments[12] = {NULL};
    size_t n = 0;
    char *open_files CLEANUP(mem_cleanup) = mem_printf("%llu", (unsigned long long)s->open_files);
    supervisor_child_arguments(s, PROGRAM_SESSION, s->options.log_level, arguments);
    while (arguments[n])
        n++;
    arguments[n] = open_files;
    const int more[] = {c->config_fd, worker_fd};
    struct launch *l = NEW(struct launch);
    l->connection = c;
    enum err err = programs_spawn(s->setup.programs, PROGRAM_SESSION, s->loop, arguments, more,
                                  ARRAY_LEN(more), launcher_exited, l, &l->child, ipc_fd);
    if (err != OK) {
        mem_free(l);
        return err;
    }
    list_append(&c->launches, &l->link);
    c->launch_count++;
    return OK;
}

/* What the worker asked, and what only the supervisor says: who, from where, with which key. */
static enum err launch(struct connection *c, const struct role_msg *asked, int worker_fd)
{
    struct buf bytes;
    struct role_msg m = *asked;
    int ipc_fd;
    m.kind = ROLE_MSG_LAUNCH;
    m.user = slice_text(c->user);
    m.key = buf_slice(&c->login_key);
    m.options = buf_slice(&c->key_options);
    connection_add_ends(c, &m);
    buf_init(&bytes, ROLE_MSG_MAX);
    enum err err = role_msg_encode(&m, &bytes);
    if (err == OK)
        err = spawn_launcher(c, worker_fd, &ipc_fd);
    if (err == OK) {
        err = ipc_send_blocking(ipc_fd, buf_slice(&bytes), NULL, 0); /* the first: never full */
        close(ipc_fd);
    }
    buf_done(&bytes);
    return err;
}

void connection_on_session(struct connection *c, const struct role_msg *m, const int *fds,
                           size_t fd_count)
{
    if (fd_count != 1) {
        connection_cut(c, "a session was asked for without its descriptor");
        return;
    }
    /* Without an answer the worker sees its descriptor end, and the session with it. */
    if (c->launch_count >= (unsigned)c->options.max_sessions + LAUNCHES_SPARE)
        log_error("too many sessions of %s port %u at once", c->address, c->port);
    else if (launch(c, m, fds[0]) != OK)
        log_error("a session of %s port %u cannot be launched", c->address, c->port);
}
