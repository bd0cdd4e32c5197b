/* Listening for a peer. */
#include "tunnel/accept_listen.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/log.h"
#include "tunnel/bind.h"
#include "wire/msg_conn.h"

struct accept_listen {
    struct link *link;
    const struct policy *policy;
    accept_listen_changed *changed;
    void *owner;
    struct list forwards;
    size_t count;
};

struct served {
    struct accept_listen *all;
    struct list link;
    char *address; /* as asked for */
    uint16_t port; /* the real one */
    struct listener *listener;
    uint64_t connections;
    bool narrowed;
};

struct accept_listen *accept_listen_new(struct link *l, const struct policy *policy,
                                        accept_listen_changed *changed, void *owner)
{
    struct accept_listen *a = NEW(struct accept_listen);
    *a = (struct accept_listen){.link = l, .policy = policy, .changed = changed, .owner = owner};
    list_init(&a->forwards);
    return a;
}

static void served_free(struct served *f)
{
    listener_close(f->listener);
    list_remove(&f->link);
    f->all->count--;
    mem_free(f->address);
    mem_free(f);
}

void accept_listen_free(struct accept_listen *a)
{
    if (!a)
        return;
    LIST_FOR (f, &a->forwards, struct served, link) {
        served_free(f);
    }
    mem_free(a);
}

/* A visitor. What the peer's side makes of it, it tells; we only join. */
static void on_accepted(void *owner, int fd, const char *from, uint16_t from_port)
{
    struct served *f = owner;
    struct link *l = f->all->link;
    struct buf body;
    struct writer w;
    struct body_tcpip_open open = {slice_text(f->address), f->port, slice_text(from), from_port};
    struct stream *s = stream_new(link_loop(l), fd, fd, SPLICE_QUEUE_CAP, NULL, NULL);
    buf_init(&body, 2048);
    writer_init(&w, &body);
    body_tcpip_open_encode(&w, &open);
    CHECK(writer_done(&w) == OK);
    f->connections++;
    log_verbose("connection from %s port %u to port %u", from, from_port, f->port);
    if (splice_open(l, "forwarded-tcpip", buf_slice(&body), s, NULL, NULL, NULL) != OK)
        log_info("connection from %s to port %u dropped: too many channels", from, f->port);
    buf_done(&body);
}

static struct served *find(struct accept_listen *a, struct slice address, uint32_t port)
{
    LIST_FOR (f, &a->forwards, struct served, link) {
        if (f->port == port && slice_is(address, f->address))
            return f;
    }
    return NULL;
}

static void changed(struct accept_listen *a)
{
    if (a->changed)
        a->changed(a->owner);
}

static void describe_one(const struct served *f, struct buf *out)
{
    enum err err = buf_append_slice(out, slice_text("listening on "));
    bind_describe(f->listener, out);
    if (err == OK && f->narrowed)
        err = buf_append_slice(out, slice_text(" (GatewayPorts no here)"));
    if (err != OK)
        buf_clear(out);
}

/* What was really bound, to the log and to the peer: nobody should have to guess. */
static void tell(struct served *f, const struct policy_listen *what)
{
    struct buf text;
    buf_init(&text, 4096);
    describe_one(f, &text);
    CLEANUP(mem_cleanup) char *line = buf_strdup(&text);
    log_info("forward=R:%u state=active %s", f->port, line);
    if (what->narrowed) {
        CLEANUP(mem_cleanup)
        char *say = mem_printf("remote %u is open on the server's loopback only (GatewayPorts no "
                               "there). Visitors from outside get \"connection refused\". Ask for: "
                               "GatewayPorts clientspecified",
                               f->port);
        link_say(f->all->link, say);
    } else if (what->widened) {
        CLEANUP(mem_cleanup)
        char *say = mem_printf("remote %u is open to anyone who reaches the server (GatewayPorts "
                               "yes there), whatever address was asked for",
                               f->port);
        link_say(f->all->link, say);
    }
    buf_done(&text);
}

/* An address that was left out is "localhost" on the wire: narrowing it is no surprise. */
static enum err listen_for(struct accept_listen *a, const struct body_tcpip_forward *b,
                           struct served **out, char *why, size_t why_size)
{
    struct policy_refusal refusal;
    struct policy_listen what;
    int error_number = 0;
    if (!policy_may_listen(a->policy, b->address, b->port, &what, &refusal)) {
        snprintf(why, why_size, "%s", refusal.text);
        return ERR_DENIED;
    }
    if (a->count >= ACCEPT_LISTEN_MAX) {
        snprintf(why, why_size, "more than %d listeners on one connection", ACCEPT_LISTEN_MAX);
        return ERR_LIMIT;
    }
    struct served *f = NEW(struct served);
    f->all = a;
    enum err err = bind_listen(&f->listener, link_loop(a->link), &what, AF_UNSPEC,
                               (uint16_t)b->port, on_accepted, f, &error_number);
    if (err != OK) {
        snprintf(why, why_size, "cannot listen on %s:%u: %s", ESCAPED(b->address), b->port,
                 strerror(error_number));
        mem_free(f);
        return err;
    }
    f->address = slice_strdup(b->address);
    f->port = listener_port(f->listener);
    f->narrowed = what.narrowed;
    list_append(&a->forwards, &f->link);
    a->count++;
    tell(f, &what);
    *out = f;
    return OK;
}

static void on_forward(struct accept_listen *a, const struct link_event *e)
{
    struct body_tcpip_forward b;
    struct served *f;
    char why[384] = "malformed tcpip-forward request, or a port above 65535";
    if (body_tcpip_forward_decode(e->body, &b) != OK ||
        listen_for(a, &b, &f, why, sizeof(why)) != OK) {
        log_info("forward refused: %s", why);
        link_say(a->link, why);
        if (e->want_reply)
            link_reply(a->link, e->request, false, SLICE_NONE);
        return;
    }
    struct buf body;
    struct writer w;
    buf_init(&body, 16);
    writer_init(&w, &body);
    if (b.port == 0) /* RFC 4254 7.1: the port is told if it was ours to choose */
        body_allocated_port_encode(&w, f->port);
    if (e->want_reply)
        link_reply(a->link, e->request, true, buf_slice(&body));
    buf_done(&body);
    changed(a);
}

static void on_cancel(struct accept_listen *a, const struct link_event *e)
{
    struct body_tcpip_forward b;
    struct served *f = NULL;
    if (body_tcpip_forward_decode(e->body, &b) == OK)
        f = find(a, b.address, b.port);
    if (e->want_reply)
        link_reply(a->link, e->request, f != NULL, SLICE_NONE);
    if (!f)
        return;
    log_info("forward=R:%u state=cancelled", f->port);
    served_free(f);
    changed(a);
}

bool accept_listen_request(struct accept_listen *a, const struct link_event *e)
{
    if (slice_is(e->name, "tcpip-forward"))
        on_forward(a, e);
    else if (slice_is(e->name, "cancel-tcpip-forward"))
        on_cancel(a, e);
    else
        return false;
    return true;
}

void accept_listen_describe(const struct accept_listen *a, const char *newline, struct buf *out)
{
    LIST_FOR (f, &a->forwards, struct served, link) {
        struct buf text;
        char count[64];
        buf_init(&text, 4096);
        describe_one(f, &text);
        snprintf(count, sizeof(count), "; %llu connection%s%s", (unsigned long long)f->connections,
                 f->connections == 1 ? "" : "s", newline);
        if (buf_append_slice(out, buf_slice(&text)) != OK ||
            buf_append_slice(out, slice_text(count)) != OK)
            buf_clear(&text);
        buf_done(&text);
    }
}

size_t accept_listen_count(const struct accept_listen *a)
{
    return a->count;
}
