/* The master of a shared connection. */
#include "client/mux_master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "client/internal.h"
#include "client/mux_msg.h"
#include "client/mux_proxy.h"
#include "client/prompt.h"
#include "client/status.h"
#include "io/frames.h"
#include "io/listener.h"
#include "tunnel/splice.h"

#define REPLY_MAX (128 * 1024)
#define CONNS_MAX 1024

struct mux_master {
    struct client *client;
    struct frames_place place;
    struct listener *listener; /* NULL: stopped */
    struct loop_signal *winch; /* a client's terminal has another size */
    struct list conns;
    unsigned count;
};

struct mux_conn {
    struct mux_master *master;
    struct list link;
    struct loop_turn turn;
    struct frames *frames;
    bool got_hello, is_ending;
    bool is_kept; /* `ask` holds a request of kept_type */
    enum mux_type kept_type;
    uint32_t request;
    struct buf ask; /* the request that waits for descriptors, or for the person's yes */
    int fds[FRAMES_FDS_MAX];
    size_t fd_count;
    struct child *asking; /* ControlMaster ask */
    struct session *session;
    uint32_t session_id;
    struct channel_user stdio; /* -W, until it is open */
    bool has_stdio;
    struct splice *splice;
    const struct forward *forward; /* whose answer it waits for */
    struct mux_proxy *proxy;       /* it speaks the connection protocol now */
};

/* ---- answers ---- */

static void answer(struct mux_conn *n, struct mux_msg m)
{
    struct buf frame;
    buf_init(&frame, REPLY_MAX);
    if (mux_msg_encode(&m, &frame) == OK)
        frames_send(n->frames, buf_slice(&frame));
    else
        log_debug("an answer is too long for a shared connection's client");
    buf_done(&frame);
}

static void answer_ok(struct mux_conn *n, uint32_t request)
{
    answer(n, (struct mux_msg){.type = MUX_OK, .request = request});
}

static void answer_text(struct mux_conn *n, enum mux_type type, uint32_t request, const char *text)
{
    answer(n, (struct mux_msg){.type = type, .request = request, .text = slice_text(text)});
}

static void refuse(struct mux_conn *n, uint32_t request, const char *why)
{
    log_debug("shared connection: request refused: %s", why);
    answer_text(n, MUX_FAILURE, request, why);
}

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
static void end_conn(struct mux_conn *n)
{
    n->is_ending = true;
    loop_turn_request(n->master->client->loop, &n->turn);
}

/* ---- sessions ---- */

static void on_session(void *owner, struct session *s, const struct session_event *e)
{
    struct mux_conn *n = owner;
    struct client *c = n->master->client;
    char *text CLEANUP(mem_cleanup) = NULL;
    switch (e->kind) {
    case SESSION_OPENED:
        n->session_id = session_channel_id(s);
        answer(n, (struct mux_msg){
                      .type = MUX_SESSION_OPENED, .request = n->request, .session = n->session_id});
        break;
    case SESSION_TTY_REFUSED:
        answer(n, (struct mux_msg){.type = MUX_TTY_FAILED, .session = n->session_id});
        break;
    case SESSION_REFUSED:
        if (e->is_open_refused) {
            text = mem_printf("Session open refused by peer: %s", ESCAPED(e->text));
            refuse(n, n->request, text);
        } else {
            text =
                mem_printf("%s request failed on channel %u\r\n", ESCAPED(e->text), n->session_id);
            session_say(s, text);
        }
        break;
    case SESSION_ESCAPED:
        escape_serve(c, s, e->action, true);
        break;
    case SESSION_STARTED:
    case SESSION_TYPED:
        break;
    case SESSION_ENDED:
        n->session = NULL;
        answer(n, (struct mux_msg){.type = MUX_EXIT,
                                   .session = n->session_id,
                                   .value = e->has_status ? e->status : EXIT_FAILED});
        end_conn(n);
        break;
    }
}

static enum session_kind kind_of(const struct mux_msg *m)
{
    if (m->is_subsystem)
        return RUN_SUBSYSTEM;
    return m->command.len ? RUN_EXEC : RUN_SHELL;
}

static void open_session(struct mux_conn *n, const struct mux_msg *m)
{
    struct client *c = n->master->client;
    struct buf modes;
    struct string_list environment;
    buf_init(&modes, 4096);
    string_list_init(&environment);
    char *command CLEANUP(mem_cleanup) = slice_strdup(m->command);
    char *term CLEANUP(mem_cleanup) = slice_strdup(m->term);
    if (m->wants_tty)
        tty_encode_modes(n->fds[0], &modes);
    struct session_spec spec = {
        .kind = kind_of(m),
        .command = command,
        .wants_tty = m->wants_tty,
        .term = term,
        .size = tty_get_size(n->fds[0]),
        .modes = buf_slice(&modes),
        .environment = &environment,
        .agent_request = m->wants_agent && c->options->forward_agent != AGENT_FORWARD_NO
                             ? "auth-agent-req@openssh.com"
                             : NULL,
        .peer_knows_eow = client_peer_is_openssh(c),
        .escape = m->escape <= UINT8_MAX ? (int)m->escape : -1,
        .in = n->fds[0],
        .out = n->fds[1],
        .error = n->fds[2],
    };
    if (mux_environment(m, &environment) != OK) {
        refuse(n, m->request, "bad environment");
        end_conn(n);
    } else {
        n->fd_count = 0; /* the session's */
        n->session = session_open(c->link, &spec, on_session, n);
        if (!n->session) {
            refuse(n, m->request, "no more channels");
            end_conn(n);
        }
    }
    string_list_done(&environment);
    buf_done(&modes);
}

/* ---- -W ---- */

static void on_stdio_done(void *owner, const struct splice_report *report UNUSED)
{
    struct mux_conn *n = owner;
    n->splice = NULL;
    end_conn(n);
}

static void stdio_opened(struct channel_user *u)
{
    struct mux_conn *n = container_of(u, struct mux_conn, stdio);
    struct client *c = n->master->client;
    uint32_t id = channel_id(u->channel);
    struct stream *s = stream_new(c->loop, n->fds[0], n->fds[1], SPLICE_QUEUE_CAP, NULL, NULL);
    n->fd_count = 0;
    n->has_stdio = false;
    n->splice = splice_take_over(u, s, on_stdio_done, n);
    answer(n, (struct mux_msg){.type = MUX_SESSION_OPENED, .request = n->request, .session = id});
}

static void stdio_failed(struct channel_user *u, uint32_t reason UNUSED, struct slice text)
{
    struct mux_conn *n = container_of(u, struct mux_conn, stdio);
    char *why CLEANUP(mem_cleanup) = mem_printf("open failed: %s", ESCAPED(text));
    refuse(n, n->request, why);
    end_conn(n);
}

static void stdio_lost(struct channel_user *u)
{
    end_conn(container_of(u, struct mux_conn, stdio));
}

static const struct channel_ops stdio_ops = {
    .opened = stdio_opened,
    .open_failed = stdio_failed,
    .lost = stdio_lost,
};

static void open_stdio(struct mux_conn *n, const struct mux_msg *m)
{
    struct client *c = n->master->client;
    struct buf body;
    char *host CLEANUP(mem_cleanup) = slice_strdup(m->text);
    enum err err = m->value > UINT16_MAX || !*host ? ERR_FORMAT : OK;
    buf_init(&body, 1);
    if (err == OK)
        err = forward_direct_body(host, (uint16_t)m->value, "127.0.0.1", 65535, &body);
    if (err == OK)
        err = link_open(c->link, "direct-tcpip", buf_slice(&body), &n->stdio, &stdio_ops);
    n->has_stdio = err == OK;
    buf_done(&body);
    if (err != OK) {
        refuse(n, m->request, "stdio forwarding failed");
        end_conn(n);
    }
}

/* ---- forwards ---- */

static void forward_answer(struct mux_conn *n, const struct forward *f)
{
    char *why CLEANUP(mem_cleanup) = NULL;
    bool is_remote = forward_spec_is_remote(&f->spec);
    n->forward = NULL;
    if (f->state == FORWARD_CANCELLED) {
        refuse(n, n->request, "cancelled before the server answered");
        return;
    }
    if (f->state == FORWARD_ACTIVE) {
        if (is_remote && f->spec.listen.port == 0 && !f->spec.listen.path)
            answer(n, (struct mux_msg){
                          .type = MUX_REMOTE_PORT, .request = n->request, .value = f->port});
        else
            answer_ok(n, n->request);
        return;
    }
    char *listen CLEANUP(mem_cleanup) = forward_describe_listen(f);
    why = is_remote ? mem_printf("remote port forwarding failed for listen %s: %s", listen,
                                 f->reason ? f->reason : "refused")
                    : mem_printf("Port forwarding failed: %s: %s", listen,
                                 f->reason ? f->reason : "refused");
    refuse(n, n->request, why);
}

bool mux_master_forward_changed(struct client *c, const struct forward *f)
{
    if (!c->mux)
        return false;
    bool was_asked_for = false;
    LIST_FOR (n, &c->mux->conns, struct mux_conn, link) {
        if (n->forward != f)
            continue;
        forward_answer(n, f);
        was_asked_for = true;
    }
    return was_asked_for;
}

static void open_forward(struct mux_conn *n, const struct mux_msg *m)
{
    struct client *c = n->master->client;
    struct forward_spec spec;
    if (mux_forward_spec(m, &spec) != OK) {
        refuse(n, m->request, "Port forwarding failed: this is no forward");
        return;
    }
    if (n->forward) {
        forward_spec_done(&spec);
        refuse(n, m->request, "one at a time");
        return;
    }
    n->request = m->request;
    struct forward *f = forward_set_find(&c->forwards, &spec);
    if (!f)
        f = forward_set_launch(&c->forwards, &spec);
    forward_spec_done(&spec);
    n->forward = f;
    if (f->state == FORWARD_ACTIVE || f->state == FORWARD_REFUSED)
        forward_answer(n, f);
}

static void close_forward(struct mux_conn *n, const struct mux_msg *m)
{
    struct client *c = n->master->client;
    struct forward_spec spec;
    enum err err = mux_forward_spec(m, &spec);
    if (err == OK) {
        err = forward_set_cancel(&c->forwards, &spec);
        forward_spec_done(&spec);
    }
    if (err == OK)
        answer_ok(n, m->request);
    else
        refuse(n, m->request, "port not forwarded");
}

/* ---- what a client says ---- */

static void tell_info(struct mux_conn *n, const struct mux_msg *m)
{
    const struct client *c = n->master->client;
    char *text CLEANUP(mem_cleanup) = slice_is(m->text, "connection") ? status_connection(c)
                                      : slice_is(m->text, "channels") ? status_channels(c)
                                                                      : NULL;
    if (text)
        answer_text(n, MUX_INFO, m->request, text);
    else
        refuse(n, m->request, "no such information");
}

static void on_proxy_ended(void *owner)
{
    end_conn(owner);
}

static void start_proxy(struct mux_conn *n, uint32_t request)
{
    struct client *c = n->master->client;
    if (n->session || n->splice || n->has_stdio || n->is_kept) {
        refuse(n, request, "Multiple sessions not supported");
        return;
    }
    answer(n, (struct mux_msg){.type = MUX_PROXY_READY, .request = request});
    n->proxy = mux_proxy_new(c, frames_release(n->frames), on_proxy_ended, n);
}

bool mux_master_reply(struct client *c, const struct link_event *e)
{
    if (!c->mux)
        return false;
    LIST_FOR (n, &c->mux->conns, struct mux_conn, link) {
        if (n->proxy && mux_proxy_reply(n->proxy, e))
            return true;
    }
    return false;
}

bool mux_master_takes(struct client *c, const struct link_event *e)
{
    if (!c->mux)
        return false;
    LIST_FOR (n, &c->mux->conns, struct mux_conn, link) {
        if (n->proxy && mux_proxy_takes(n->proxy, e))
            return true;
    }
    return false;
}

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

static void serve(struct mux_conn *n, const struct mux_msg *m)
{
    struct client *c = n->master->client;
    switch (m->type) {
    case MUX_NEW_SESSION:
        open_session(n, m);
        break;
    case MUX_NEW_STDIO:
        open_stdio(n, m);
        break;
    case MUX_ALIVE_CHECK:
        answer(n, (struct mux_msg){
                      .type = MUX_ALIVE, .request = m->request, .value = (uint32_t)getpid()});
        break;
    case MUX_TERMINATE:
        answer_ok(n, m->request);
        client_finish(c, EXIT_SUCCESS);
        break;
    case MUX_OPEN_FORWARD:
        open_forward(n, m);
        break;
    case MUX_CLOSE_FORWARD:
        close_forward(n, m);
        break;
    case MUX_STOP_LISTENING:
        answer_ok(n, m->request);
        mux_master_stop(c);
        break;
    case MUX_ASK_INFO:
        tell_info(n, m);
        break;
    case MUX_PROXY:
        start_proxy(n, m->request);
        break;
    case MUX_HELLO:
    case MUX_OK:
    case MUX_DENIED:
    case MUX_FAILURE:
    case MUX_EXIT:
    case MUX_ALIVE:
    case MUX_SESSION_OPENED:
    case MUX_REMOTE_PORT:
    case MUX_TTY_FAILED:
    case MUX_PROXY_READY:
    case MUX_INFO:
        refuse(n, m->request, "this is not for a client to say");
        break;
    }
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
        serve(n, &m);
    } else {
        close_fds(n);
        answer_text(n, MUX_DENIED, m.request, "Permission denied");
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
        refuse(n, m->request, "Multiple sessions not supported");
        end_conn(n);
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
        refuse(n, m.request, "unsupported request");
    } else if (err != OK || n->got_hello != (m.type != MUX_HELLO)) {
        log_debug("shared connection: a client sent what is no message");
        end_conn(n);
    } else if (!n->got_hello) {
        n->got_hello = true;
        if (m.request != MUX_VERSION)
            end_conn(n);
    } else if (fds_of(m.type) || must_ask(n->master->client, m.type)) {
        keep(n, frame, &m);
    } else if (!link_is_up(n->master->client->link)) {
        answer_text(n, MUX_DENIED, m.request, "the connection is down");
    } else {
        serve(n, &m);
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
        end_conn(n);
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
    answer(n, (struct mux_msg){.type = MUX_HELLO, .request = MUX_VERSION});
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
