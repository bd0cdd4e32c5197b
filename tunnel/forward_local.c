/*
 * -L, -D and -W: a local stream and a target become direct-tcpip (RFC 4254 7.2). For -D the target
 * comes by SOCKS first; the SOCKS answer waits for the server's, so that it is true.
 */
#include <errno.h>

#include "base/log.h"
#include "tunnel/bind.h"
#include "tunnel/forward.h"
#include "tunnel/socks.h"
#include "wire/msg_conn.h"
#include "wire/numbers.h"

#define SOCKS_QUEUE_CAP SPLICE_QUEUE_CAP

static enum err direct_body(const char *host, uint16_t port, const char *from, uint16_t from_port,
                            struct buf *body)
{
    struct writer w;
    struct body_tcpip_open open = {slice_text(host), port, slice_text(from), from_port};
    buf_init(body, 4096);
    writer_init(&w, body);
    body_tcpip_open_encode(&w, &open);
    return writer_done(&w);
}

enum err forward_open_direct(struct link *l, const char *host, uint16_t port, const char *from,
                             uint16_t from_port, struct stream *s, splice_refused *refused,
                             splice_done *done, void *owner)
{
    struct buf body;
    enum err err = direct_body(host, port, from, from_port, &body);
    CHECK(err == OK);
    err = splice_open(l, "direct-tcpip", buf_slice(&body), s, refused, done, owner);
    buf_done(&body);
    return err;
}

static enum err open_path(struct link *l, const char *path, struct stream *s,
                          splice_refused *refused, void *owner)
{
    struct buf body;
    struct writer w;
    buf_init(&body, 4096);
    writer_init(&w, &body);
    body_direct_streamlocal_encode(&w, slice_text(path));
    CHECK(writer_done(&w) == OK);
    enum err err =
        splice_open(l, "direct-streamlocal@openssh.com", buf_slice(&body), s, refused, NULL, owner);
    buf_done(&body);
    return err;
}

/* ---- why the server refused, in words that name the side ---- */

static const char *reason_words(uint32_t reason)
{
    switch (reason) {
    case SSH_OPEN_ADMINISTRATIVELY_PROHIBITED:
        return "administratively prohibited";
    case SSH_OPEN_CONNECT_FAILED:
        return "connect failed";
    case SSH_OPEN_UNKNOWN_CHANNEL_TYPE:
        return "unknown channel type";
    case SSH_OPEN_RESOURCE_SHORTAGE:
        return "resource shortage";
    default:
        return "open failed";
    }
}

static void tell_refused(const char *target, uint32_t reason, struct slice text)
{
    log_info("open to %s failed on the server's side: %s: %s", target, reason_words(reason),
             ESCAPED(text));
}

static void on_refused(void *owner, uint32_t reason, struct slice text)
{
    struct forward *f = owner;
    CLEANUP(mem_cleanup) char *target = forward_describe(f);
    tell_refused(target, reason, text);
}

/* ---- the SOCKS handshake ---- */

struct socks_visitor {
    struct channel_user user;
    struct forward *forward;
    struct stream *stream;
    struct socks socks;
    char from[64];
    uint16_t from_port;
};

static void visitor_end(struct socks_visitor *v)
{
    channel_user_close(&v->user);
    stream_close(v->stream);
    mem_free(v);
}

static bool say_reply(struct socks_visitor *v)
{
    struct iovec bytes = {v->socks.reply, v->socks.reply_len};
    size_t n;
    return v->socks.reply_len == 0 || stream_write(v->stream, &bytes, 1, &n) == OK;
}

static void visitor_opened(struct channel_user *u)
{
    struct socks_visitor *v = container_of(u, struct socks_visitor, user);
    socks_result(&v->socks, SOCKS_CONNECTED);
    /* A reply of a few bytes into an empty socket: it goes at once or the visitor has gone. */
    if (!say_reply(v) || stream_queued(v->stream)) {
        visitor_end(v);
        return;
    }
    splice_take_over(u, v->stream, NULL, NULL);
    mem_free(v);
}

static void visitor_refused(struct channel_user *u, uint32_t reason, struct slice text)
{
    struct socks_visitor *v = container_of(u, struct socks_visitor, user);
    CLEANUP(mem_cleanup) char *target = mem_printf("%s:%u", v->socks.host, v->socks.port);
    tell_refused(target, reason, text);
    socks_result(&v->socks, reason == SSH_OPEN_ADMINISTRATIVELY_PROHIBITED ? SOCKS_NOT_ALLOWED
                            : reason == SSH_OPEN_CONNECT_FAILED            ? SOCKS_REFUSED
                                                                           : SOCKS_FAILED);
    if (!say_reply(v))
        log_debug("SOCKS visitor from %s has gone", v->from);
    visitor_end(v);
}

static void visitor_lost(struct channel_user *u)
{
    struct socks_visitor *v = container_of(u, struct socks_visitor, user);
    stream_abort(v->stream);
    mem_free(v);
}

static const struct channel_ops visitor_ops = {
    .opened = visitor_opened,
    .open_failed = visitor_refused,
    .lost = visitor_lost,
};

static void visitor_ask(struct socks_visitor *v)
{
    struct forward_set *set = v->forward->set;
    struct buf body;
    enum err err = direct_body(v->socks.host, v->socks.port, v->from, v->from_port, &body);
    CHECK(err == OK);
    stream_reading(v->stream, false);
    log_debug("SOCKS %u: connect to %s:%u", v->socks.version, v->socks.host, v->socks.port);
    if (!set->link ||
        link_open(set->link, "direct-tcpip", buf_slice(&body), &v->user, &visitor_ops) != OK) {
        socks_result(&v->socks, SOCKS_FAILED);
        if (!say_reply(v))
            log_debug("SOCKS visitor from %s has gone", v->from);
        visitor_end(v);
    }
    buf_done(&body);
}

static void visitor_readable(struct socks_visitor *v)
{
    struct iovec room = {v->socks.in + v->socks.have, v->socks.want};
    size_t n = 0;
    enum err err = stream_read(v->stream, &room, 1, &n);
    if (err == ERR_AGAIN)
        return;
    if (err != OK) {
        visitor_end(v);
        return;
    }
    switch (socks_feed(&v->socks, n)) {
    case SOCKS_MORE:
        break;
    case SOCKS_SAY:
        if (!say_reply(v))
            visitor_end(v);
        break;
    case SOCKS_REQUEST:
        visitor_ask(v);
        break;
    case SOCKS_BAD:
        log_info("visitor of -D port %u from %s: %s", v->forward->port, v->from, v->socks.fault);
        if (!say_reply(v))
            log_debug("SOCKS visitor from %s has gone", v->from);
        visitor_end(v);
        break;
    }
}

static void visitor_stream(void *owner, enum stream_event event, size_t n)
{
    struct socks_visitor *v = owner;
    (void)n;
    if (event == STREAM_READABLE)
        visitor_readable(v);
    else if (event == STREAM_FAILED)
        visitor_end(v);
}

static void visitor_new(struct forward *f, int fd, const char *from, uint16_t from_port)
{
    struct socks_visitor *v = NEW(struct socks_visitor);
    v->forward = f;
    v->from_port = from_port;
    channel_user_init(&v->user, &visitor_ops, f->set->link, NULL);
    memcpy(v->from, from, MIN(strlen(from), sizeof(v->from) - 1));
    socks_init(&v->socks);
    v->stream = stream_new(f->set->loop, fd, fd, SOCKS_QUEUE_CAP, visitor_stream, v);
    stream_reading(v->stream, true);
}

/* ---- the listener ---- */

static void on_accepted(void *owner, int fd, const char *from, uint16_t from_port)
{
    struct forward *f = owner;
    struct link *l = f->set->link;
    f->connections++;
    log_debug("connection to port %u from %s port %u", f->port, from, from_port);
    if (f->spec.kind == FORWARD_DYNAMIC) {
        visitor_new(f, fd, from, from_port);
        return;
    }
    struct stream *s = stream_new(f->set->loop, fd, fd, SPLICE_QUEUE_CAP, NULL, NULL);
    if (!l) {
        stream_abort(s);
        return;
    }
    enum err err = f->spec.target.path
                       ? open_path(l, f->spec.target.path, s, on_refused, f)
                       : forward_open_direct(l, f->spec.target.host, f->spec.target.port, from,
                                             from_port, s, on_refused, NULL, f);
    if (err != OK) {
        CLEANUP(mem_cleanup) char *listen = forward_describe_listen(f);
        log_info("connection to %s dropped: too many channels", listen);
    }
}

/* OpenSSH's words first: scripts look for them. */
static void tell_bind_failure(const struct forward *f, const char *address, int error_number)
{
    log_error("bind [%s]:%u: %s", address, f->spec.listen.port, strerror(error_number));
    log_error("channel_setup_fwd_listener_tcpip: cannot listen to port: %u", f->spec.listen.port);
}

static void bind_tcp(struct forward *f)
{
    struct policy_listen what;
    int error_number = 0;
    const struct forward_listen *listen = &f->spec.listen;
    policy_local_bind(listen->has_address, listen->address, f->set->gateway_ports, &what);
    if (bind_listen(&f->listener, f->set->loop, &what, f->set->family, listen->port, on_accepted, f,
                    &error_number) == OK) {
        f->port = listener_port(f->listener);
        return;
    }
    f->listener = NULL;
    tell_bind_failure(f,
                      what.bind == POLICY_BIND_ADDRESS    ? what.address
                      : what.bind == POLICY_BIND_LOOPBACK ? "localhost"
                                                          : "*",
                      error_number);
    forward_set_state(f, FORWARD_REFUSED, strerror(error_number));
}

static void bind_path(struct forward *f)
{
    int error_number = 0;
    const char *path = f->spec.listen.path;
    if (listener_new_unix(&f->listener, f->set->loop, path, (mode_t)f->set->bind_mask,
                          f->set->bind_unlink, on_accepted, f, &error_number) == OK)
        return;
    f->listener = NULL;
    log_error("unix_listener: cannot bind to path %s: %s", path, strerror(error_number));
    forward_set_state(f, FORWARD_REFUSED, strerror(error_number));
}

void forward_local_bind(struct forward *f)
{
    if (f->listener)
        return;
    if (f->spec.listen.path)
        bind_path(f);
    else
        bind_tcp(f);
    if (f->listener)
        listener_accepting(f->listener, false); /* callers wait in the backlog for the link */
}

static void tell_active(const struct forward *f)
{
    struct buf text;
    buf_init(&text, 4096);
    if (!f->spec.listen.path)
        bind_describe(f->listener, &text);
    CLEANUP(mem_cleanup)
    char *bound = f->spec.listen.path ? forward_describe_listen(f) : buf_strdup(&text);
    CLEANUP(mem_cleanup) char *target = forward_describe(f);
    log_info("%s -> %s%s", bound, target,
             f->spec.kind == FORWARD_DYNAMIC ? " (SOCKS 4, 4a, 5), from the server's side"
                                             : " from the server's side");
    buf_done(&text);
}

void forward_local_start(struct forward *f)
{
    forward_local_bind(f);
    if (!f->listener)
        return;
    listener_accepting(f->listener, true);
    tell_active(f);
    forward_set_state(f, FORWARD_ACTIVE, NULL);
}

void forward_local_stop(struct forward *f)
{
    if (f->listener)
        listener_accepting(f->listener, false);
}
