/* Answering direct-tcpip. */
#include "tunnel/accept_direct.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/log.h"
#include "io/dial.h"
#include "wire/msg_conn.h"
#include "wire/numbers.h"

#define DIAL_DEADLINE_MS 60000

struct accept_direct {
    struct link *link;
    const struct policy *policy;
    struct list pending;
};

/* One open that is being dialled. It is the channel's user, so that it hears of the link's loss. */
struct pending {
    struct channel_user user;
    struct list link;
    struct dial *dial;
    char host[256];
    uint16_t port;
};

struct accept_direct *accept_direct_new(struct link *l, const struct policy *policy)
{
    struct accept_direct *a = NEW(struct accept_direct);
    a->link = l;
    a->policy = policy;
    list_init(&a->pending);
    return a;
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
    if (result->stage == DIAL_RESOLVE)
        snprintf(text, sizeof(text), "name %s not found on the server (%s)", p->host, reason);
    else
        snprintf(text, sizeof(text), "%s by %s:%u", reason, p->host, p->port);
    log_verbose("direct-tcpip to %s:%u failed: %s", p->host, p->port, reason);
    link_refuse(p->user.link, p->user.channel, SSH_OPEN_CONNECT_FAILED, text);
}

static void on_dialled(void *owner, const struct dial_result *result)
{
    struct pending *p = owner;
    struct link *l = p->user.link;
    if (result->fd < 0) {
        refuse(p, result);
    } else {
        struct stream *s =
            stream_new(link_loop(l), result->fd, result->fd, SPLICE_QUEUE_CAP, NULL, NULL);
        splice_accept(l, p->user.channel, s, NULL, NULL);
    }
    pending_free(p);
}

void accept_direct_open(struct accept_direct *a, struct channel *ch, struct slice body)
{
    struct body_tcpip_open b;
    struct policy_refusal why;
    if (body_tcpip_open_decode(body, &b) != OK || b.address.len > 255) {
        link_refuse(a->link, ch, SSH_OPEN_CONNECT_FAILED,
                    "malformed direct-tcpip request, or a port above 65535");
        return;
    }
    log_debug("direct-tcpip to %s:%u from %s", ESCAPED(b.address), b.port, ESCAPED(b.originator));
    if (!policy_may_open(a->policy, b.address, b.port, &why)) {
        log_info("%s", why.text);
        link_refuse(a->link, ch, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, why.text);
        return;
    }
    struct pending *p = NEW(struct pending);
    memcpy(p->host, b.address.ptr, b.address.len);
    p->port = (uint16_t)b.port;
    list_append(&a->pending, &p->link);
    channel_user_init(&p->user, &pending_ops, a->link, ch);
    p->dial = dial_new(link_loop(a->link), p->host, p->port, AF_UNSPEC, NULL, DIAL_DEADLINE_MS,
                       on_dialled, p);
}
