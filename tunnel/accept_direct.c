/* Answering direct-tcpip and its sibling for Unix sockets. */
#include "tunnel/accept_direct.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/log.h"
#include "io/dial.h"
#include "wire/msg_conn.h"
#include "wire/numbers.h"

#define DIAL_DEADLINE_MS 60000
#define HOST_MAX         255

struct accept_direct {
    struct link *link;
    const struct policy *policy;
    struct audit audit;
    struct list pending;
    struct tally tally;
};

/* One open that is being dialled. It is the channel's user, so that it hears of the link's loss. */
struct pending {
    struct channel_user user;
    struct list link;
    struct accept_direct *all;
    struct dial *dial;
    char name[HOST_MAX + 1];         /* host, or a socket's path */
    uint16_t port;                   /* 0: a path */
    struct policy_refusal forbidden; /* the last address that was left out, if any */
};

/* One that is joined, for its last line. */
struct joined {
    struct visit visit;
    struct accept_direct *all; /* valid while visit.tally is there */
    char *name;
    uint16_t port; /* 0: a path */
    uint64_t since_ms;
};

struct accept_direct *accept_direct_new(struct link *l, const struct policy *policy)
{
    struct accept_direct *a = NEW(struct accept_direct);
    a->link = l;
    a->policy = policy;
    list_init(&a->pending);
    tally_init(&a->tally);
    return a;
}

struct tally_sum accept_direct_sum(const struct accept_direct *a)
{
    return tally_sum(&a->tally);
}

void accept_direct_set_who(struct accept_direct *a, const struct audit_who *who)
{
    a->audit.who = *who;
}

static void tell(struct accept_direct *a, bool is_path, struct slice target, uint32_t port,
                 enum audit_result result, const char *reason)
{
    const struct audit_forward f = {is_path ? "local-unix" : "local", target, port, result, reason};
    audit_forward(&a->audit, &f, loop_now(link_loop(a->link)));
}

static void tell_of(struct pending *p, enum audit_result result, const char *reason)
{
    tell(p->all, p->port == 0, slice_text(p->name), p->port, result, reason);
}

static void tell_end(const struct joined *j, const struct splice_report *report, const char *why)
{
    uint64_t now_ms = loop_now(link_loop(j->all->link));
    const struct audit_use use = {report->bytes_to_stream, report->bytes_to_channel, 1,
                                  now_ms - j->since_ms};
    const struct audit_forward what = {j->port ? "local" : "local-unix", slice_text(j->name),
                                       j->port, AUDIT_CLOSED, why};
    audit_forward_end(&j->all->audit, &what, &use, now_ms);
}

static void on_joined_done(void *owner, const struct splice_report *report)
{
    struct joined *j = owner;
    if (j->visit.tally)
        tell_end(j, report, report->aborted ? "cut short" : NULL);
    visit_end(&j->visit, report);
    mem_free(j->name);
    mem_free(j);
}

static void join(struct pending *p, struct stream *s)
{
    struct joined *j = NEW(struct joined);
    j->all = p->all;
    j->name = mem_strdup(p->name);
    j->port = p->port;
    j->since_ms = loop_now(link_loop(p->all->link));
    struct splice *sp = splice_accept(p->user.link, p->user.channel, s, on_joined_done, j);
    visit_begin(&j->visit, &p->all->tally, sp);
}

static void pending_free(struct pending *p)
{
    list_remove(&p->link);
    mem_free(p);
}

void accept_direct_free(struct accept_direct *a)
{
    if (!a)
        return;
    LIST_FOR (p, &a->pending, struct pending, link) {
        dial_cancel(p->dial);
        pending_free(p);
    }
    LIST_FOR (v, &a->tally.open, struct visit, link)
        tell_end(container_of(v, struct joined, visit), splice_so_far(v->splice),
                 "the connection ended");
    tally_done(&a->tally);
    mem_free(a);
}

/* The link died while we dialled. */
static void on_lost(struct channel_user *u)
{
    struct pending *p = container_of(u, struct pending, user);
    dial_cancel(p->dial);
    pending_free(p);
}

static const struct channel_ops pending_ops = {.lost = on_lost};

static void refuse(struct pending *p, const struct dial_result *result)
{
    char text[384];
    const char *reason = dial_reason(result);
    if (p->port == 0)
        snprintf(text, sizeof(text), "%s by the socket %s", reason, p->name);
    else if (result->stage == DIAL_RESOLVE)
        snprintf(text, sizeof(text), "name %s not found on the server (%s)", p->name, reason);
    else
        snprintf(text, sizeof(text), "%s by %s:%u", reason, p->name, p->port);
    tell_of(p, AUDIT_FAILED, text);
    link_refuse(p->user.link, p->user.channel, SSH_OPEN_CONNECT_FAILED, text);
}

static void prohibit(struct accept_direct *a, struct channel *ch, const struct policy_refusal *why)
{
    link_refuse(a->link, ch, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, why->text);
}

/* The name came to this address: the policy is asked again, as it stands now. */
static bool may_dial(void *owner, const char *address)
{
    struct pending *p = owner;
    return policy_may_dial(p->all->policy, slice_text(p->name), p->port, address, &p->forbidden);
}

static void on_dialled(void *owner, const struct dial_result *result)
{
    struct pending *p = owner;
    struct link *l = p->user.link;
    if (result->fd < 0 && result->error_number == EACCES && p->forbidden.text[0] != '\0') {
        tell_of(p, AUDIT_REFUSED, p->forbidden.text);
        prohibit(p->all, p->user.channel, &p->forbidden);
    } else if (result->fd < 0) {
        refuse(p, result);
    } else {
        struct stream *s = stream_new_socket(link_loop(l), result->fd, result->address,
                                             SPLICE_QUEUE_CAP, NULL, NULL);
        tell_of(p, AUDIT_OPEN, NULL);
        join(p, s);
    }
    pending_free(p);
}

static struct pending *pending_new(struct accept_direct *a, struct channel *ch, struct slice name)
{
    struct pending *p = NEW(struct pending);
    CHECK(name.len < sizeof(p->name));
    memcpy(p->name, name.ptr, name.len);
    p->all = a;
    list_append(&a->pending, &p->link);
    channel_user_init(&p->user, &pending_ops, a->link, ch);
    return p;
}

static void open_tcp(struct accept_direct *a, struct channel *ch, struct slice body)
{
    struct body_tcpip_open b;
    struct policy_refusal why;
    if (body_tcpip_open_decode(body, &b) != OK || b.address.len > HOST_MAX) {
        link_refuse(a->link, ch, SSH_OPEN_CONNECT_FAILED,
                    "malformed direct-tcpip request, or a port above 65535");
        return;
    }
    log_debug("direct-tcpip to %s:%u from %s", ESCAPED(b.address), b.port, ESCAPED(b.originator));
    if (!policy_may_open(a->policy, b.address, b.port, &why)) {
        tell(a, false, b.address, b.port, AUDIT_REFUSED, why.text);
        prohibit(a, ch, &why);
        return;
    }
    struct pending *p = pending_new(a, ch, b.address);
    p->port = (uint16_t)b.port;
    p->dial = dial_new(link_loop(a->link), p->name, p->port, AF_UNSPEC, NULL, DIAL_DEADLINE_MS,
                       on_dialled, p);
    dial_set_may(p->dial, may_dial);
}

static void open_path(struct accept_direct *a, struct channel *ch, struct slice body)
{
    struct slice path;
    struct policy_refusal why;
    if (body_direct_streamlocal_decode(body, &path) != OK) {
        link_refuse(a->link, ch, SSH_OPEN_CONNECT_FAILED, "malformed direct-streamlocal request");
        return;
    }
    log_debug("direct-streamlocal to %s", ESCAPED(path));
    if (!policy_may_open_path(a->policy, path, &why)) {
        tell(a, true, path, 0, AUDIT_REFUSED, why.text);
        prohibit(a, ch, &why);
        return;
    }
    struct pending *p = pending_new(a, ch, path);
    p->dial = dial_new_unix(link_loop(a->link), p->name, on_dialled, p);
}

bool accept_direct_open(struct accept_direct *a, const struct link_event *e)
{
    if (slice_is(e->name, "direct-tcpip"))
        open_tcp(a, e->channel, e->body);
    else if (slice_is(e->name, "direct-streamlocal@openssh.com"))
        open_path(a, e->channel, e->body);
    else
        return false;
    return true;
}
