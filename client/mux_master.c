/* The master of a shared connection. */
#include "client/mux_master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "client/mux_conn.h"
#include "client/prompt.h"

#define CONNS_MAX 1024

/* ---- the end of a client ---- */

static void close_fds(struct mux_conn *n)
{
    for (size_t i = 0; i < n->fd_count; i++)
        close(n->fds[i]);
    n->fd_count = 0;
}

static void conn_drop(struct mux_conn *n)
{
    struct mux_master *m = n->master;
    loop_turn_cancel(&n->turn);
    session_free(n->session);
    if (n->has_stdio)
        channel_user_close(&n->stdio);
    if (n->asking) {
        child_kill(n->asking, SIGTERM);
        child_forget(n->asking);
    }
    close_fds(n);
    mux_proxy_free(n->proxy);
    frames_close(n->frames);
    buf_done(&n->ask);
    list_remove(&n->link);
    m->count--;
    mem_free(n);
    if (m->client->mux)
        client_look_for_end(m->client);
}

static void on_turn(void *owner)
{
    conn_drop(owner);
}

/* At the end of the turn, so that nobody is freed under a running caller. */
void mux_conn_end(struct mux_conn *n)
{
    n->is_ending = true;
    loop_turn_request(n->master->client->loop, &n->turn);
}

/* ---- what a client says ---- */

/* What a request needs before it is served: descriptors, and a person's yes to a question. */
static size_t fds_of(enum mux_type type)
{
    return type == MUX_NEW_SESSION ? 3 : type == MUX_NEW_STDIO ? 2 : 0;
}

static bool must_ask(const struct client *c, enum mux_type type)
{
    bool asks =
        c->options->control_master == CONTROL_ASK || c->options->control_master == CONTROL_AUTO_ASK;
    return asks && (fds_of(type) || type == MUX_OPEN_FORWARD || type == MUX_PROXY ||
                    type == MUX_TERMINATE || type == MUX_STOP_LISTENING);
}

/* Serves what was kept; the connection may have gone down meanwhile. */
static void serve_kept(struct mux_conn *n, bool is_allowed)
{
    struct mux_msg m;
    struct buf kept = n->ask;
    buf_init(&n->ask, MUX_FRAME_MAX);
    CHECK(mux_msg_decode(buf_slice(&kept), &m) == OK); /* it was once */
    n->is_kept = false;
    if (is_allowed && link_is_up(n->master->client->link)) {
        mux_serve(n, &m);
    } else {
        close_fds(n);
        mux_answer_text(n, MUX_DENIED, m.request, "Permission denied");
    }
    buf_done(&kept);
}

static void on_answered(void *owner, int status, int signal_number UNUSED)
{
    struct mux_conn *n = owner;
    n->asking = NULL;
    serve_kept(n, status == 0);
}

/* The process' own, and the hint that a yes or no is wanted (ssh-agent's confirmations have it). */
static char **askpass_environment(char *hint)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **list = mem_new(count + 2, sizeof(*list));
    memcpy(list, environ, count * sizeof(*list));
    list[count] = hint;
    return list;
}

/* By the askpass program, beside the loop: nothing else waits for the person. */
static void ask_person(struct mux_conn *n)
{
    const struct client *c = n->master->client;
    struct prompt_config config = prompt_config_from_environment(c->options->batch_mode);
    char *text CLEANUP(mem_cleanup) =
        mem_printf("Allow shared connection to %s? ", c->options->host_name);
    char *file CLEANUP(mem_cleanup) = mem_strdup(config.askpass ? config.askpass : "");
    char *arguments[] = {file, text, NULL};
    int fds[] = {-1, -1, STDERR_FILENO};
    char hint[] = "SSH_ASKPASS_PROMPT=confirm";
    char **environment = askpass_environment(hint);
    struct child_spec spec = {.file = file,
                              .arguments = arguments,
                              .environment = environment,
                              .fds = fds,
                              .fd_count = ARRAY_LEN(fds)};
    if (config.is_batch || child_new(&n->asking, c->loop, &spec, on_answered, n) != OK) {
        log_error("nobody can be asked whether the connection may be shared (SSH_ASKPASS)");
        serve_kept(n, false);
    }
    mem_free(environment);
}

static void proceed(struct mux_conn *n, enum mux_type type)
{
    if (must_ask(n->master->client, type))
        ask_person(n);
    else
        serve_kept(n, true);
}

static void keep(struct mux_conn *n, struct slice frame, const struct mux_msg *m)
{
    if (n->is_kept || n->session || n->splice || n->has_stdio || n->forward) {
        mux_refuse(n, m->request, "Multiple sessions not supported");
        mux_conn_end(n);
        return;
    }
    n->is_kept = true;
    n->kept_type = m->type;
    n->request = m->request;
    CHECK(buf_append_slice(&n->ask, frame) == OK);
    if (fds_of(m->type))
        frames_want_fds(n->frames, fds_of(m->type));
    else
        proceed(n, m->type);
}

static void on_frame(struct mux_conn *n, struct slice frame)
{
    struct mux_msg m;
    enum err err = mux_msg_decode(frame, &m);
    if (err == ERR_UNSUPPORTED) {
        mux_refuse(n, m.request, "unsupported request");
    } else if (err != OK || n->got_hello != (m.type != MUX_HELLO)) {
        log_debug("shared connection: a client sent what is no message");
        mux_conn_end(n);
    } else if (!n->got_hello) {
        n->got_hello = true;
        if (m.request != MUX_VERSION)
            mux_conn_end(n);
    } else if (fds_of(m.type) || must_ask(n->master->client, m.type)) {
        keep(n, frame, &m);
    } else if (!link_is_up(n->master->client->link)) {
        mux_answer_text(n, MUX_DENIED, m.request, "the connection is down");
    } else {
        mux_serve(n, &m);
    }
}

static void on_fds(struct mux_conn *n, const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        n->fds[i] = fds[i];
    n->fd_count = count;
    if (!n->is_ending)
        proceed(n, n->kept_type);
}

/* Who goes without a word (killed, ^C) takes its session along. */
static void on_ended(struct mux_conn *n, const char *fault)
{
    if (fault)
        log_debug("shared connection: a client is cut off: %s", fault);
    if (n->session)
        session_end(n->session);
    else if (n->splice)
        splice_cut(n->splice);
    else
        mux_conn_end(n);
}

static void on_frames(void *owner, const struct frames_event *e)
{
    struct mux_conn *n = owner;
    if (n->is_ending && e->kind != FRAMES_FDS)
        return;
    switch (e->kind) {
    case FRAMES_FRAME:
        on_frame(n, e->frame);
        break;
    case FRAMES_FDS:
        on_fds(n, e->fds, e->fd_count);
        break;
    case FRAMES_ENDED:
        on_ended(n, e->fault);
        break;
    }
}

static void on_accepted(void *owner, int fd, const char *from UNUSED, uint16_t port UNUSED)
{
    struct mux_master *m = owner;
    struct ucred who;
    socklen_t length = sizeof(who);
    /* The file's mode keeps others out; a folder that was moved about does not. */
    bool is_known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 &&
                    (who.uid == geteuid() || who.uid == 0);
    if (!is_known || m->count == CONNS_MAX) {
        log_error("%s", is_known
                            ? "too many clients share the connection: one more is refused"
                            : "a client of another user asked to share the connection: refused");
        close(fd);
        return;
    }
    struct mux_conn *n = NEW(struct mux_conn);
    n->master = m;
    n->turn = (struct loop_turn){.callback = on_turn, .owner = n};
    buf_init(&n->ask, MUX_FRAME_MAX);
    list_append(&m->conns, &n->link);
    m->count++;
    n->frames = frames_new(m->client->loop, fd, MUX_FRAME_MAX, on_frames, n);
    mux_answer(n, (struct mux_msg){.type = MUX_HELLO, .request = MUX_VERSION});
    client_look_for_end(m->client);
}

/* ---- life ---- */

static void tell_not_listening(const char *path, enum err err, int error_number)
{
    if (err == ERR_EXISTS)
        log_error("ControlSocket %s already exists, disabling multiplexing", path);
    else
        log_error("ControlPath %s: %s: this connection is not shared", path,
                  strerror(error_number));
}

static void on_winch(void *owner, int signal_number UNUSED)
{
    struct mux_master *m = owner;
    LIST_FOR (n, &m->conns, struct mux_conn, link) {
        if (n->session)
            session_resize(n->session);
    }
}

void mux_master_start(struct client *c)
{
    const char *path = c->request->control_path;
    int error_number;
    if (c->options->control_master == CONTROL_NO || !path || c->mux)
        return;
    struct mux_master *m = NEW(struct mux_master);
    enum err err = frames_listen(path, &m->place, &error_number);
    if (err != OK) {
        tell_not_listening(path, err, error_number);
        mem_free(m);
        return;
    }
    m->client = c;
    list_init(&m->conns);
    m->winch = loop_signal_new(c->loop, SIGWINCH, on_winch, m);
    m->listener = listener_new_fds(c->loop, &m->place.fd, 1, on_accepted, m);
    c->mux = m;
    log_debug("ControlPath %s: listening", path);
}

void mux_master_stop(struct client *c)
{
    struct mux_master *m = c->mux;
    if (!m || !m->listener)
        return;
    frames_leave(&m->place);
    listener_close(m->listener);
    m->listener = NULL;
    client_end_when_idle(c);
}

void mux_master_done(struct client *c)
{
    struct mux_master *m = c->mux;
    if (!m)
        return;
    frames_leave(&m->place);
    if (m->listener)
        listener_close(m->listener);
    m->listener = NULL;
    loop_signal_close(m->winch);
    c->mux = NULL;
    LIST_FOR (n, &m->conns, struct mux_conn, link) {
        if (n->splice) {
            splice_cut(n->splice);
            loop_turn_cancel(&n->turn);
        }
        conn_drop(n);
    }
    mem_free(m);
}

bool mux_master_is_busy(const struct client *c)
{
    return c->mux && c->mux->count > 0;
}

bool mux_master_has_sessions(const struct client *c)
{
    if (!c->mux)
        return false;
    LIST_FOR (n, &c->mux->conns, struct mux_conn, link) {
        if (n->session)
            return true;
    }
    return false;
}
