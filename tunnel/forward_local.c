/*
 * -L, -D and -W: a local stream and a target become direct-tcpip (RFC 4254 7.2), or
 * direct-streamlocal. Where SOCKS names the target first (-D) is forward_dynamic.c.
 */
#include <errno.h>

#include "base/log.h"
#include "tunnel/bind.h"
#include "tunnel/forward.h"
#include "wire/msg_conn.h"
#include "wire/numbers.h"

enum err forward_direct_body(const char *host, uint16_t port, const char *from, uint16_t from_port,
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
    enum err err = forward_direct_body(host, port, from, from_port, &body);
    CHECK(err == OK);
    err = splice_open(l, "direct-tcpip", buf_slice(&body), s, refused, done, owner, NULL);
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
    enum err err = splice_open(l, "direct-streamlocal@openssh.com", buf_slice(&body), s, refused,
                               NULL, owner, NULL);
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

void forward_tell_refused(const char *target, uint32_t reason, struct slice text)
{
    log_info("open to %s failed on the server's side: %s: %s", target, reason_words(reason),
             ESCAPED(text));
}

static void on_refused(void *owner, uint32_t reason, struct slice text)
{
    struct forward *f = owner;
    CLEANUP(mem_cleanup) char *target = forward_describe(f);
    forward_tell_refused(target, reason, text);
}

/* ---- the listener ---- */

static void on_accepted(void *owner, int fd, const char *from, uint16_t from_port)
{
    struct forward *f = owner;
    f->connections++;
    log_debug("connection to port %u from %s port %u", f->port, from, from_port);
    if (f->spec.kind == FORWARD_DYNAMIC) {
        forward_dynamic_accept(f, fd, from, from_port);
        return;
    }
    struct stream *s = stream_new_socket(f->set->loop, fd, from, SPLICE_QUEUE_CAP, NULL, NULL);
    struct link *l = forward_set_pick(f->set);
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

/* What failed before the link was there is tried again with it; the same failure is told once. */
static bool is_news(const struct forward *f, int error_number)
{
    return f->state != FORWARD_REFUSED || strcmp(f->reason, strerror(error_number)) != 0;
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
    if (is_news(f, error_number))
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
    if (is_news(f, error_number))
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
        bind_describe(f->listener, "this machine", &text);
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
