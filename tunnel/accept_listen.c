/* Listening for a peer. */
#include "tunnel/accept_listen.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "tunnel/bind.h"
#include "wire/msg_conn.h"

#define PRIVILEGED_MAX 1023

/* A request whose port somebody else binds, or has: its reply waits. */
struct asked {
    struct list link;
    uint32_t tag;
    char *address;
    uint16_t port;
    struct policy_listen what;
    uint64_t request;
    bool want_reply;
    bool is_join, is_chosen;
    bool is_cancelled; /* meanwhile: what comes is not kept */
};

struct accept_listen {
    struct link *link;
    const struct policy *policy;
    struct audit audit;
    accept_listen_changed *changed;
    void *owner;
    struct list forwards;
    size_t count;
    accept_listen_ask *ask;   /* NULL: nobody binds for us */
    accept_listen_join *join; /* NULL: nobody is asked */
    void *ask_owner, *join_owner;
    struct list asked;
    uint32_t last_tag;
    uint64_t last_id;
};

struct served {
    struct accept_listen *all;
    struct list link;
    char *address; /* as asked for; the path of a Unix socket */
    bool is_path;
    uint16_t port; /* the real one */
    struct listener *listener;
    bool is_chosen; /* the server chose the port: rules that name ports do not permit it */
    bool narrowed;
    uint64_t id;
    char *where; /* for people: what is bound, and who can reach it */
    uint64_t since_ms;
    struct tally tally;
};

struct accept_listen *accept_listen_new(struct link *l, const struct policy *policy,
                                        accept_listen_changed *changed, void *owner)
{
    struct accept_listen *a = NEW(struct accept_listen);
    *a = (struct accept_listen){.link = l, .policy = policy, .changed = changed, .owner = owner};
    list_init(&a->forwards);
    list_init(&a->asked);
    return a;
}

void accept_listen_set_who(struct accept_listen *a, const struct audit_who *who)
{
    a->audit.who = *who;
}

static void tell_log(struct accept_listen *a, bool is_path, struct slice address, uint32_t port,
                     enum audit_result result, const char *reason)
{
    const struct audit_forward f = {is_path ? "remote-unix" : "remote", address, port, result,
                                    reason};
    audit_forward(&a->audit, &f, loop_now(link_loop(a->link)));
}

static void tell_log_of(const struct served *f, enum audit_result result, const char *reason)
{
    tell_log(f->all, f->is_path, slice_text(f->address), f->port, result, reason);
}

static void tell_end(struct served *f, const char *reason)
{
    uint64_t now_ms = loop_now(link_loop(f->all->link));
    struct tally_sum sum = tally_sum(&f->tally);
    const struct audit_use use = {sum.bytes_in, sum.bytes_out, sum.connections,
                                  now_ms - f->since_ms};
    const struct audit_forward what = {f->is_path ? "remote-unix" : "remote",
                                       slice_text(f->address), f->port, AUDIT_CLOSED, reason};
    audit_forward_end(&f->all->audit, &what, &use, now_ms);
}

static void asked_free(struct asked *q)
{
    list_remove(&q->link);
    mem_free(q->address);
    mem_free(q);
}

static void served_free(struct served *f)
{
    listener_close(f->listener);
    list_remove(&f->link);
    f->all->count--;
    tally_done(&f->tally);
    mem_free(f->where);
    mem_free(f->address);
    mem_free(f);
}

void accept_listen_free(struct accept_listen *a)
{
    if (!a)
        return;
    LIST_FOR (f, &a->forwards, struct served, link) {
        tell_end(f, "the connection ended");
        served_free(f);
    }
    LIST_FOR (q, &a->asked, struct asked, link)
        asked_free(q);
    mem_free(a);
}

static void changed(struct accept_listen *a)
{
    if (a->changed)
        a->changed(a->owner);
}

/* As the policy stands now. */
static bool is_permitted(const struct served *f, struct policy_refusal *why)
{
    const struct policy *policy = f->all->policy;
    struct slice address = slice_text(f->address);
    struct policy_listen what;
    if (f->is_path)
        return policy_may_listen_path(policy, address, why);
    return policy_may_listen(policy, address, f->is_chosen ? 0 : f->port, &what, why) &&
           (!f->is_chosen || policy_may_keep(policy, address, f->port, &what, why));
}

void accept_listen_review(struct accept_listen *a)
{
    struct policy_refusal why;
    bool is_changed = false;
    LIST_FOR (f, &a->forwards, struct served, link) {
        if (is_permitted(f, &why))
            continue;
        tell_end(f, why.text);
        served_free(f);
        is_changed = true;
    }
    if (is_changed)
        changed(a);
}

static void on_visit_done(void *owner, const struct splice_report *report)
{
    struct visit *v = owner;
    visit_end(v, report);
    mem_free(v);
}

static void join(struct served *f, const char *type, struct slice body, struct stream *s)
{
    struct visit *v = NEW(struct visit);
    struct splice *sp;
    if (splice_open(f->all->link, type, body, s, NULL, on_visit_done, v, &sp) == OK) {
        visit_begin(v, &f->tally, sp);
        return;
    }
    mem_free(v);
    tell_log_of(f, AUDIT_FAILED, "a visitor was dropped: too many channels");
}

/* A visitor. What the peer's side makes of it, it tells; we only join. */
static void on_accepted(void *owner, int fd, const char *from, uint16_t from_port)
{
    struct served *f = owner;
    struct link *l = f->all->link;
    struct policy_refusal why;
    struct buf body;
    if (!is_permitted(f, &why)) {
        tell_log_of(f, AUDIT_REFUSED, why.text);
        close(fd);
        return;
    }
    struct writer w;
    struct body_tcpip_open open = {slice_text(f->address), f->port, slice_text(from), from_port};
    const char *type = f->is_path ? "forwarded-streamlocal@openssh.com" : "forwarded-tcpip";
    struct stream *s = stream_new_socket(link_loop(l), fd, from, SPLICE_QUEUE_CAP, NULL, NULL);
    buf_init(&body, 2048);
    writer_init(&w, &body);
    if (f->is_path)
        body_forwarded_streamlocal_encode(&w, slice_text(f->address));
    else
        body_tcpip_open_encode(&w, &open);
    CHECK(writer_done(&w) == OK);
    log_verbose("connection from %s port %u to %s port %u", from, from_port, f->address, f->port);
    join(f, type, buf_slice(&body), s);
    buf_done(&body);
}

static struct served *find(struct accept_listen *a, bool is_path, struct slice address,
                           uint32_t port)
{
    LIST_FOR (f, &a->forwards, struct served, link) {
        if (f->is_path == is_path && f->port == port && slice_is(address, f->address))
            return f;
    }
    return NULL;
}

static void describe_one(const struct served *f, const char *machine, struct buf *out)
{
    enum err err = buf_append_slice(out, slice_text("listening on "));
    if (err == OK && f->is_path)
        err = buf_append_slice(out, slice_text(ESCAPED(slice_text(f->address))));
    else
        bind_describe(f->listener, machine, out);
    if (err == OK && f->narrowed)
        err = buf_append_slice(out, slice_text(" (GatewayPorts no here)"));
    if (err != OK)
        buf_clear(out);
}

/* What was really bound, to the log. */
static void log_active(const struct served *f)
{
    struct buf text;
    buf_init(&text, 4096);
    describe_one(f, "this machine", &text);
    CLEANUP(mem_cleanup) char *line = buf_strdup(&text);
    tell_log_of(f, AUDIT_OPEN, line);
    buf_done(&text);
}

/*
 * And to the peer: nobody should have to guess. Our own client hears it always, others only where
 * they get something else than they asked for.
 */
static void tell(const struct served *f, const struct policy_listen *what)
{
    struct link *l = f->all->link;
    bool is_ours = transport_peer_ext_info(link_transport(l))->abort;
    CLEANUP(mem_cleanup) char *say = NULL;
    if (what->narrowed) {
        say = mem_printf("remote %u is open on the server's loopback only (GatewayPorts no there). "
                         "Visitors from outside get \"connection refused\". Ask for: GatewayPorts "
                         "clientspecified",
                         f->port);
    } else if (what->widened) {
        say = mem_printf("remote %u is open to anyone who reaches the server (GatewayPorts yes "
                         "there), whatever address was asked for",
                         f->port);
    } else if (is_ours) {
        struct buf text;
        buf_init(&text, 4096);
        bind_describe(f->listener, "the server", &text);
        CLEANUP(mem_cleanup) char *bound = buf_strdup(&text);
        say = mem_printf("remote %u is open on %s", f->port, bound);
        buf_done(&text);
    }
    if (say)
        link_say(l, say);
}

/* Room for one more; NULL with the reason. */
static struct served *served_new(struct accept_listen *a, struct slice address, char *why,
                                 size_t why_size)
{
    if (a->count >= ACCEPT_LISTEN_MAX) {
        snprintf(why, why_size, "more than %d listeners on one connection", ACCEPT_LISTEN_MAX);
        return NULL;
    }
    struct served *f = NEW(struct served);
    f->all = a;
    f->address = slice_strdup(address);
    f->id = ++a->last_id;
    f->since_ms = loop_now(link_loop(a->link));
    tally_init(&f->tally);
    return f;
}

/* The words for a page. A path stays as the peer wrote it. */
static char *where_of(const struct served *f)
{
    struct buf text;
    if (f->is_path)
        return mem_printf("%s, this machine only", f->address);
    buf_init(&text, 4096);
    bind_describe(f->listener, bind_is_loopback(f->listener) ? "this machine" : "this host", &text);
    char *where = buf_strdup(&text);
    buf_done(&text);
    return where;
}

static void keep(struct accept_listen *a, struct served *f, const struct policy_listen *what)
{
    list_append(&a->forwards, &f->link);
    a->count++;
    f->where = where_of(f);
    log_active(f);
    if (what)
        tell(f, what);
}

static void served_discard(struct served *f)
{
    tally_done(&f->tally);
    mem_free(f->address);
    mem_free(f);
}

static enum err drop(struct served *f, enum err err, int error_number, char *why, size_t why_size)
{
    snprintf(why, why_size, "cannot listen on %s: %s", ESCAPED(slice_text(f->address)),
             strerror(error_number));
    served_discard(f);
    return err;
}

/* An address that was left out is "localhost" on the wire: narrowing it is no surprise. */
static enum err listen_tcp(struct accept_listen *a, const struct body_tcpip_forward *b,
                           struct served **out, char *why, size_t why_size)
{
    struct policy_refusal refusal;
    struct policy_listen what;
    int error_number = 0;
    if (!policy_may_listen(a->policy, b->address, b->port, &what, &refusal)) {
        snprintf(why, why_size, "%s", refusal.text);
        return ERR_DENIED;
    }
    struct served *f = served_new(a, b->address, why, why_size);
    if (!f)
        return ERR_LIMIT;
    enum err err = bind_listen(&f->listener, link_loop(a->link), &what, AF_UNSPEC,
                               (uint16_t)b->port, on_accepted, f, &error_number);
    if (err != OK)
        return drop(f, err, error_number, why, why_size);
    f->port = listener_port(f->listener);
    f->narrowed = what.narrowed;
    f->is_chosen = b->port == 0;
    if (f->is_chosen && !policy_may_keep(a->policy, b->address, f->port, &what, &refusal)) {
        snprintf(why, why_size, "%s", refusal.text);
        listener_close(f->listener);
        served_discard(f);
        return ERR_DENIED;
    }
    keep(a, f, &what);
    *out = f;
    return OK;
}

static enum err listen_path(struct accept_listen *a, struct slice path, char *why, size_t why_size)
{
    struct policy_refusal refusal;
    int error_number = 0;
    if (!policy_may_listen_path(a->policy, path, &refusal)) {
        snprintf(why, why_size, "%s", refusal.text);
        return ERR_DENIED;
    }
    struct served *f = served_new(a, path, why, why_size);
    if (!f)
        return ERR_LIMIT;
    f->is_path = true;
    enum err err = listener_new_unix(&f->listener, link_loop(a->link), f->address,
                                     (mode_t)a->policy->bind_mask, a->policy->bind_unlink,
                                     on_accepted, f, &error_number);
    if (err != OK)
        return drop(f, err, error_number, why, why_size);
    keep(a, f, NULL);
    return OK;
}

static void refuse(struct accept_listen *a, const struct link_event *e, const char *why)
{
    link_say(a->link, why);
    if (e->want_reply)
        link_reply(a->link, e->request, false, SLICE_NONE);
}

/* ---- ports that somebody else binds ---- */

void accept_listen_set_binder(struct accept_listen *a, accept_listen_ask *ask, void *owner)
{
    a->ask = ask;
    a->ask_owner = owner;
}

/* By the tag that was given last. */
static struct asked *asked_new(struct accept_listen *a, struct slice address, uint32_t port,
                               const struct policy_listen *what, const struct link_event *e)
{
    struct asked *q = NEW(struct asked);
    q->tag = a->last_tag;
    q->address = slice_strdup(address);
    q->port = (uint16_t)port;
    q->what = *what;
    q->request = e->request;
    q->want_reply = e->want_reply;
    list_append(&a->asked, &q->link);
    return q;
}

/* True: asked, and the answer comes. */
static bool ask_binder(struct accept_listen *a, const struct body_tcpip_forward *b,
                       const struct link_event *e)
{
    struct policy_refusal refusal;
    struct policy_listen what;
    if (!a->ask || b->port == 0 || b->port > PRIVILEGED_MAX ||
        !policy_may_listen(a->policy, b->address, b->port, &what, &refusal) ||
        !a->ask(a->ask_owner, ++a->last_tag, b->address, (uint16_t)b->port))
        return false;
    asked_new(a, b->address, b->port, &what, e);
    return true;
}

static struct asked *find_asked(struct accept_listen *a, uint32_t tag)
{
    LIST_FOR (q, &a->asked, struct asked, link) {
        if (q->tag == tag)
            return q;
    }
    return NULL;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

/* A listener of ours beside the one that fds are of, if that is no wider than ours might be. */
static enum err listen_beside(struct served *f, const struct asked *q, const int *fds, size_t count,
                              char *why, size_t why_size)
{
    int error_number = 0;
    enum err err = listener_new_beside(&f->listener, link_loop(f->all->link), fds, count,
                                       on_accepted, f, &error_number);
    if (err != OK) {
        snprintf(why, why_size, "cannot share port %u: %s", q->port, strerror(error_number));
        return err;
    }
    if (listener_port(f->listener) == q->port && bind_is_within(f->listener, &q->what))
        return OK;
    snprintf(why, why_size, "port %u is open to more than this connection may listen to", q->port);
    listener_close(f->listener);
    return ERR_DENIED;
}

/* fds are taken over. ERR_LIMIT, or as listen_beside. */
static enum err take_bound(struct accept_listen *a, const struct asked *q, const int *fds,
                           size_t count, char *why, size_t why_size)
{
    struct served *f = served_new(a, slice_text(q->address), why, why_size);
    enum err err = OK;
    if (!f) {
        close_all(fds, count);
        return ERR_LIMIT;
    }
    if (q->is_join)
        err = listen_beside(f, q, fds, count, why, why_size);
    else
        f->listener = listener_new_fds(link_loop(a->link), fds, count, on_accepted, f);
    if (err != OK) {
        served_discard(f);
        return err;
    }
    f->port = q->port;
    f->narrowed = q->what.narrowed;
    f->is_chosen = q->is_chosen;
    keep(a, f, q->is_join ? NULL : &q->what); /* the first one's words hold for all */
    changed(a);
    return OK;
}

static void tell_not_bound(const struct asked *q, int error_number, char *why, size_t why_size)
{
    const char *cause = q->is_join && error_number == ENOENT
                            ? "no other connection of this login has it"
                        : error_number == EACCES ? "a port below 1024 wants a PermitListen that "
                                                   "names it"
                                                 : strerror(error_number);
    snprintf(why, why_size, "cannot %s %s port %u: %s", q->is_join ? "share" : "listen on",
             ESCAPED(slice_text(q->address)), q->port, cause);
}

void accept_listen_bound(struct accept_listen *a, uint32_t tag, const int *fds, size_t count,
                         int error_number)
{
    struct asked *q = find_asked(a, tag);
    char why[384] = "cancelled before it was there";
    enum err err = ERR_CANCELLED;
    if (!q || q->is_cancelled) {
        close_all(fds, count);
    } else if (count > 0) {
        err = take_bound(a, q, fds, count, why, sizeof(why));
    } else {
        err = error_number == EACCES ? ERR_DENIED : ERR_IO;
        tell_not_bound(q, error_number, why, sizeof(why));
    }
    if (!q)
        return;
    if (err != OK && err != ERR_CANCELLED) {
        tell_log(a, false, slice_text(q->address), q->port,
                 err == ERR_DENIED ? AUDIT_REFUSED : AUDIT_FAILED, why);
        link_say(a->link, why);
    }
    if (q->want_reply)
        link_reply(a->link, q->request, err == OK, SLICE_NONE);
    asked_free(q);
}

/* ---- listeners of another connection of the same login ---- */

void accept_listen_set_joiner(struct accept_listen *a, accept_listen_join *ask, void *owner)
{
    a->join = ask;
    a->join_owner = owner;
}

size_t accept_listen_lend(struct accept_listen *a, struct slice address, uint16_t port, int *fds,
                          size_t max)
{
    const struct served *f = find(a, false, address, port);
    if (!f || listener_count(f->listener) > max || listener_share(f->listener) != 0)
        return 0;
    return listener_fds(f->listener, fds, max);
}

/* As for a listener of its own: at this port, or at one that the server chose. */
static bool may_join(const struct policy *policy, const struct body_forward_join *b,
                     struct policy_listen *what, bool *is_chosen, struct policy_refusal *refusal)
{
    *is_chosen = !policy_may_listen(policy, b->address, b->port, what, refusal);
    if (!*is_chosen)
        return true;
    return policy_may_listen(policy, b->address, 0, what, refusal) &&
           policy_may_keep(policy, b->address, (uint16_t)b->port, what, refusal);
}

static void on_join(struct accept_listen *a, const struct link_event *e)
{
    struct body_forward_join b;
    struct policy_listen what;
    struct policy_refusal refusal;
    bool is_chosen;
    if (body_forward_join_decode(e->body, &b) != OK) {
        refuse(a, e, "malformed tcpip-forward-join@adit request");
    } else if (!may_join(a->policy, &b, &what, &is_chosen, &refusal)) {
        tell_log(a, false, b.address, b.port, AUDIT_REFUSED, refusal.text);
        refuse(a, e, refusal.text);
    } else if (find(a, false, b.address, b.port)) {
        refuse(a, e, "this connection listens there already");
    } else if (!a->join ||
               !a->join(a->join_owner, ++a->last_tag, b.session_id, b.address, (uint16_t)b.port)) {
        refuse(a, e, "nobody can be asked for another connection's listener now");
    } else {
        struct asked *q = asked_new(a, b.address, b.port, &what, e);
        q->is_join = true;
        q->is_chosen = is_chosen;
    }
}

void accept_listen_lost(struct accept_listen *a)
{
    LIST_FOR (q, &a->asked, struct asked, link) {
        link_say(a->link, "a port could not be asked for: the server was started anew meanwhile");
        if (q->want_reply)
            link_reply(a->link, q->request, false, SLICE_NONE);
        asked_free(q);
    }
}

/* ---- requests ---- */

static void on_forward(struct accept_listen *a, const struct link_event *e)
{
    struct body_tcpip_forward b;
    struct served *f = NULL;
    char why[384] = "malformed tcpip-forward request, or a port above 65535";
    enum err err = body_tcpip_forward_decode(e->body, &b);
    if (err != OK)
        b = (struct body_tcpip_forward){SLICE_NONE, 0};
    else
        err = listen_tcp(a, &b, &f, why, sizeof(why));
    if (err == ERR_DENIED && ask_binder(a, &b, e))
        return;
    if (err != OK) {
        tell_log(a, false, b.address, b.port, err == ERR_DENIED ? AUDIT_REFUSED : AUDIT_FAILED,
                 why);
        refuse(a, e, why);
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

static void on_forward_path(struct accept_listen *a, const struct link_event *e)
{
    struct slice path = SLICE_NONE;
    char why[384] = "malformed streamlocal-forward request";
    enum err err = body_streamlocal_forward_decode(e->body, &path);
    if (err == OK)
        err = listen_path(a, path, why, sizeof(why));
    if (err != OK) {
        tell_log(a, true, path, 0, err == ERR_DENIED ? AUDIT_REFUSED : AUDIT_FAILED, why);
        refuse(a, e, why);
        return;
    }
    if (e->want_reply)
        link_reply(a->link, e->request, true, SLICE_NONE);
    changed(a);
}

static void cancel(struct accept_listen *a, const struct link_event *e, struct served *f)
{
    if (e->want_reply)
        link_reply(a->link, e->request, f != NULL, SLICE_NONE);
    if (!f)
        return;
    tell_end(f, "cancelled by the client");
    served_free(f);
    changed(a);
}

/* One that is still waited for. */
static void cancel_asked(struct accept_listen *a, const struct body_tcpip_forward *b)
{
    LIST_FOR (q, &a->asked, struct asked, link) {
        if (q->port == b->port && slice_is(b->address, q->address))
            q->is_cancelled = true;
    }
}

static void on_cancel(struct accept_listen *a, const struct link_event *e)
{
    struct body_tcpip_forward b;
    bool whole = body_tcpip_forward_decode(e->body, &b) == OK;
    if (whole)
        cancel_asked(a, &b);
    cancel(a, e, whole ? find(a, false, b.address, b.port) : NULL);
}

static void on_cancel_path(struct accept_listen *a, const struct link_event *e)
{
    struct slice path;
    bool whole = body_streamlocal_forward_decode(e->body, &path) == OK;
    cancel(a, e, whole ? find(a, true, path, 0) : NULL);
}

bool accept_listen_request(struct accept_listen *a, const struct link_event *e)
{
    static const struct {
        const char *name;
        void (*serve)(struct accept_listen *a, const struct link_event *e);
    } rows[] = {
        {"tcpip-forward", on_forward},
        {"cancel-tcpip-forward", on_cancel},
        {"tcpip-forward-join@adit", on_join},
        {"streamlocal-forward@openssh.com", on_forward_path},
        {"cancel-streamlocal-forward@openssh.com", on_cancel_path},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!slice_is(e->name, rows[i].name))
            continue;
        rows[i].serve(a, e);
        return true;
    }
    return false;
}

size_t accept_listen_views(const struct accept_listen *a, struct accept_listen_view *out,
                           size_t max)
{
    size_t count = 0;
    LIST_FOR (f, &a->forwards, struct served, link) {
        if (count < max)
            out[count++] = (struct accept_listen_view){f->id, f->where, tally_sum(&f->tally)};
    }
    return count;
}

size_t accept_listen_count(const struct accept_listen *a)
{
    return a->count;
}
