/*
 * -R at the client (RFC 4254 7): asks the server to listen, and answers forwarded-tcpip by dialling
 * the target that we named ourselves. The server never names a destination.
 */
#include <stdio.h>

#include "base/log.h"
#include "io/dial.h"
#include "tunnel/forward.h"
#include "wire/msg_conn.h"
#include "wire/numbers.h"

#define DIAL_DEADLINE_MS 60000

/* The address as it goes over the wire, by OpenSSH's rule. */
static const char *wire_address(const struct forward *f)
{
    const struct forward_listen *listen = &f->spec.listen;
    if (!listen->has_address)
        return "localhost";
    return strcmp(listen->address, "*") == 0 ? "" : listen->address;
}

/* To listen and not to have the same body (RFC 4254 7.1). */
static void ask(const struct forward *f, struct link *l, const char *tcp, const char *streamlocal,
                uint16_t port, bool want_reply)
{
    struct buf body;
    struct writer w;
    const char *path = f->spec.listen.path;
    buf_init(&body, 2048);
    writer_init(&w, &body);
    if (path) {
        body_streamlocal_forward_encode(&w, slice_text(path));
    } else {
        struct body_tcpip_forward b = {slice_text(wire_address(f)), port};
        body_tcpip_forward_encode(&w, &b);
    }
    CHECK(writer_done(&w) == OK);
    link_global_request(l, path ? streamlocal : tcp, want_reply, buf_slice(&body), f->cookie);
    buf_done(&body);
}

void forward_remote_start(struct forward *f)
{
    f->cookie = f->set->next_cookie++;
    f->state = FORWARD_ASKED;
    ask(f, f->set->link, "tcpip-forward", "streamlocal-forward@openssh.com", f->spec.listen.port,
        true);
}

static void cancel(const struct forward *f, struct link *l)
{
    ask(f, l, "cancel-tcpip-forward", "cancel-streamlocal-forward@openssh.com", f->port, false);
}

/* A port that the server chose is cancelled by the number that was told. */
void forward_remote_cancel(struct forward *f)
{
    const struct forward_set *set = f->set;
    if (!set->link)
        return;
    for (size_t i = 0; forward_may_join(f) && i < set->other_count; i++)
        cancel(f, set->others[i]);
    cancel(f, set->link);
}

/* The first link is named by what only its two ends know. */
void forward_remote_join(struct forward *f, struct link *l)
{
    struct buf body;
    struct writer w;
    if (!forward_may_join(f))
        return;
    const struct body_forward_join b = {
        .session_id = transport_session_id(link_transport(f->set->link)),
        .address = slice_text(wire_address(f)),
        .port = f->port,
    };
    buf_init(&body, 2048);
    writer_init(&w, &body);
    body_forward_join_encode(&w, &b);
    CHECK(writer_done(&w) == OK);
    link_global_request(l, "tcpip-forward-join@adit", true, buf_slice(&body), f->cookie);
    buf_done(&body);
}

/*
 * A stock server does not say what it bound. Ours does, by DEBUG messages; to others the words must
 * not promise more than is known.
 */
static void tell_active(const struct forward *f)
{
    CLEANUP(mem_cleanup) char *target = forward_describe(f);
    const struct forward_listen *listen = &f->spec.listen;
    bool wants_loopback = !listen->has_address || strcmp(listen->address, "localhost") == 0 ||
                          strcmp(listen->address, "127.0.0.1") == 0 ||
                          strcmp(listen->address, "::1") == 0;
    if (listen->path) {
        log_info("remote socket %s -> %s from this machine", listen->path, target);
        return;
    }
    bool ours = transport_peer_ext_info(link_transport(f->set->link))->abort;
    if (ours)
        log_info("remote port %u -> %s from this machine", f->port, target);
    else
        log_info("remote port %u -> %s from this machine; %s", f->port, target,
                 wants_loopback
                     ? "open on the server's loopback, more only if GatewayPorts yes is set there"
                     : "if the server has GatewayPorts no (the usual default), only its own "
                       "loopback can reach it: ask for GatewayPorts clientspecified there");
}

void forward_remote_reply(struct forward *f, bool success, struct slice body)
{
    CLEANUP(mem_cleanup) char *target = forward_describe(f);
    uint32_t port = 0;
    if (!success) {
        forward_set_state(f, FORWARD_REFUSED, "the server refused to listen");
        return;
    }
    if (f->spec.listen.port == 0 && !f->spec.listen.path) {
        if (body_allocated_port_decode(body, &port) != OK || port == 0) {
            forward_set_state(f, FORWARD_REFUSED, "the server did not tell the port it chose");
            return;
        }
        f->port = (uint16_t)port;
        log_info("Allocated port %u for remote forward to %s", port, target);
    }
    tell_active(f);
    forward_set_state(f, FORWARD_ACTIVE, NULL);
    for (size_t i = 0; i < f->set->other_count; i++)
        forward_remote_join(f, f->set->others[i]);
}

/* ---- a visitor at the server ---- */

struct dialling {
    struct channel_user user;
    struct forward *forward;
    struct dial *dial;
};

static void on_lost(struct channel_user *u)
{
    struct dialling *d = container_of(u, struct dialling, user);
    dial_cancel(d->dial);
    mem_free(d);
}

static const struct channel_ops dialling_ops = {.lost = on_lost};

static void on_dialled(void *owner, const struct dial_result *result)
{
    struct dialling *d = owner;
    struct link *l = d->user.link;
    if (result->fd < 0) {
        char text[384];
        const char *reason = dial_reason(result);
        CLEANUP(mem_cleanup) char *target = forward_describe(d->forward);
        log_info("connect to %s on this machine failed: %s", target, reason);
        snprintf(text, sizeof(text), "%s by %s on the client's side", reason, target);
        link_refuse(l, d->user.channel, SSH_OPEN_CONNECT_FAILED, text);
    } else {
        struct stream *s = stream_new_socket(link_loop(l), result->fd, result->address,
                                             SPLICE_QUEUE_CAP, NULL, NULL);
        splice_accept(l, d->user.channel, s, NULL, NULL);
    }
    mem_free(d);
}

/* Also before the answer is here: a master of OpenSSH's gives none to who goes through it. */
static bool is_expected(const struct forward *f)
{
    return forward_spec_is_remote(&f->spec) &&
           (f->state == FORWARD_ACTIVE || f->state == FORWARD_ASKED);
}

/*
 * The pair (address, port) among our own forwards. Without an address of ours any text is
 * the server's own affair (OpenSSH does the same); port 0 comes from peers that forget which port
 * they chose, and is taken if it can mean one forward only.
 */
static struct forward *find(struct forward_set *set, const struct body_tcpip_open *b)
{
    struct forward *zero = NULL;
    size_t zeros = 0;
    LIST_FOR (f, &set->forwards, struct forward, item) {
        if (!is_expected(f) || f->spec.listen.path)
            continue;
        bool address = !f->spec.listen.has_address || slice_is(b->address, wire_address(f));
        if (address && f->port == b->port)
            return f;
        if (b->port == 0 && f->spec.listen.port == 0) {
            zero = f;
            zeros++;
        }
    }
    return zeros == 1 ? zero : NULL;
}

static struct forward *find_path(struct forward_set *set, struct slice path)
{
    LIST_FOR (f, &set->forwards, struct forward, item) {
        if (is_expected(f) && f->spec.listen.path && slice_is(path, f->spec.listen.path))
            return f;
    }
    return NULL;
}

static struct forward *find_asked(struct forward_set *set, const struct link_event *e)
{
    struct body_tcpip_open b;
    struct slice path;
    if (slice_is(e->name, "forwarded-streamlocal@openssh.com"))
        return body_forwarded_streamlocal_decode(e->body, &path) == OK ? find_path(set, path)
                                                                       : NULL;
    if (body_tcpip_open_decode(e->body, &b) != OK)
        return NULL;
    log_debug("visitor of remote port %u from %s port %u", b.port, ESCAPED(b.originator),
              b.originator_port);
    return find(set, &b);
}

void forward_remote_open(struct forward_set *set, struct link *l, const struct link_event *e)
{
    struct forward *f = find_asked(set, e);
    if (!f) {
        log_info("the server opened a forwarded connection that was never asked for: refused");
        link_refuse(l, e->channel, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED,
                    "no such forward was asked for");
        return;
    }
    f->connections++;
    if (f->spec.kind == FORWARD_REMOTE_DYNAMIC) {
        forward_dynamic_open(f, l, e->channel);
        return;
    }
    const struct forward_target *t = &f->spec.target;
    struct dialling *d = NEW(struct dialling);
    d->forward = f;
    channel_user_init(&d->user, &dialling_ops, l, e->channel);
    if (t->path)
        d->dial = dial_new_unix(set->loop, t->path, on_dialled, d);
    else
        d->dial = dial_new(set->loop, t->host, t->port, set->family, NULL, DIAL_DEADLINE_MS,
                           on_dialled, d);
}
