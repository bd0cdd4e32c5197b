/* What a master does for its clients: sessions, -W, forwards, information. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "client/links.h"
#include "client/mux_conn.h"
#include "client/status.h"

#define REPLY_MAX (128 * 1024)

/* ---- answers ---- */

void mux_answer(struct mux_conn *n, struct mux_msg m)
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
    mux_answer(n, (struct mux_msg){.type = MUX_OK, .request = request});
}

void mux_answer_text(struct mux_conn *n, enum mux_type type, uint32_t request, const char *text)
{
    mux_answer(n, (struct mux_msg){.type = type, .request = request, .text = slice_text(text)});
}

void mux_refuse(struct mux_conn *n, uint32_t request, const char *why)
{
    log_debug("shared connection: request refused: %s", why);
    mux_answer_text(n, MUX_FAILURE, request, why);
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
        mux_answer(n, (struct mux_msg){.type = MUX_SESSION_OPENED,
                                       .request = n->request,
                                       .session = n->session_id});
        break;
    case SESSION_TTY_REFUSED:
        mux_answer(n, (struct mux_msg){.type = MUX_TTY_FAILED, .session = n->session_id});
        break;
    case SESSION_REFUSED:
        if (e->is_open_refused) {
            text = mem_printf("Session open refused by peer: %s", ESCAPED(e->text));
            mux_refuse(n, n->request, text);
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
        mux_answer(n, (struct mux_msg){.type = MUX_EXIT,
                                       .session = n->session_id,
                                       .value = e->has_status ? e->status : EXIT_FAILED});
        mux_conn_end(n);
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
        mux_refuse(n, m->request, "bad environment");
        mux_conn_end(n);
    } else {
        n->fd_count = 0; /* the session's */
        n->session = session_open(c->link, &spec, on_session, n);
        if (!n->session) {
            mux_refuse(n, m->request, "no more channels");
            mux_conn_end(n);
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
    mux_conn_end(n);
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
    mux_answer(n,
               (struct mux_msg){.type = MUX_SESSION_OPENED, .request = n->request, .session = id});
}

static void stdio_failed(struct channel_user *u, uint32_t reason UNUSED, struct slice text)
{
    struct mux_conn *n = container_of(u, struct mux_conn, stdio);
    char *why CLEANUP(mem_cleanup) = mem_printf("open failed: %s", ESCAPED(text));
    mux_refuse(n, n->request, why);
    mux_conn_end(n);
}

static void stdio_lost(struct channel_user *u)
{
    mux_conn_end(container_of(u, struct mux_conn, stdio));
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
    links_want(c);
    struct link *l = forward_set_pick(&c->forwards);
    if (err == OK)
        err = forward_direct_body(host, (uint16_t)m->value, "127.0.0.1", 65535, &body);
    if (err == OK)
        err = l ? link_open(l, "direct-tcpip", buf_slice(&body), &n->stdio, &stdio_ops) : ERR_EOF;
    n->has_stdio = err == OK;
    buf_done(&body);
    if (err != OK) {
        mux_refuse(n, m->request, "stdio forwarding failed");
        mux_conn_end(n);
    }
}

/* ---- forwards ---- */

static void forward_answer(struct mux_conn *n, const struct forward *f)
{
    char *why CLEANUP(mem_cleanup) = NULL;
    bool is_remote = forward_spec_is_remote(&f->spec);
    n->forward = NULL;
    if (f->state == FORWARD_CANCELLED) {
        mux_refuse(n, n->request, "cancelled before the server answered");
        return;
    }
    if (f->state == FORWARD_ACTIVE) {
        if (is_remote && f->spec.listen.port == 0 && !f->spec.listen.path)
            mux_answer(n, (struct mux_msg){
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
    mux_refuse(n, n->request, why);
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
        mux_refuse(n, m->request, "Port forwarding failed: this is no forward");
        return;
    }
    if (n->forward) {
        forward_spec_done(&spec);
        mux_refuse(n, m->request, "one at a time");
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
        mux_refuse(n, m->request, "port not forwarded");
}

/* ---- what is asked ---- */

static void tell_info(struct mux_conn *n, const struct mux_msg *m)
{
    const struct client *c = n->master->client;
    char *text CLEANUP(mem_cleanup) = slice_is(m->text, "connection") ? status_connection(c)
                                      : slice_is(m->text, "channels") ? status_channels(c)
                                                                      : NULL;
    if (text)
        mux_answer_text(n, MUX_INFO, m->request, text);
    else
        mux_refuse(n, m->request, "no such information");
}

static void on_proxy_ended(void *owner)
{
    mux_conn_end(owner);
}

static void start_proxy(struct mux_conn *n, uint32_t request)
{
    struct client *c = n->master->client;
    if (n->session || n->splice || n->has_stdio || n->is_kept) {
        mux_refuse(n, request, "Multiple sessions not supported");
        return;
    }
    mux_answer(n, (struct mux_msg){.type = MUX_PROXY_READY, .request = request});
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

void mux_serve(struct mux_conn *n, const struct mux_msg *m)
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
        mux_answer(n, (struct mux_msg){
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
        mux_refuse(n, m->request, "this is not for a client to say");
        break;
    }
}
