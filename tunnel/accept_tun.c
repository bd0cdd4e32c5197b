/* Answering tun@openssh.com. */
#include "tunnel/accept_tun.h"

#include <errno.h>
#include <stdio.h>

#include "tunnel/tun_channel.h"
#include "wire/msg_conn.h"
#include "wire/numbers.h"

struct accept_tun {
    struct link *link;
    const struct policy *policy;
    struct audit audit;
    struct list tunnels;
    size_t count;
};

struct tunnel {
    struct list link;
    struct accept_tun *all;
    struct tun_channel *channel;
    char name[TUN_NAME_MAX];
};

struct accept_tun *accept_tun_new(struct link *l, const struct policy *policy)
{
    struct accept_tun *a = NEW(struct accept_tun);
    a->link = l;
    a->policy = policy;
    list_init(&a->tunnels);
    return a;
}

void accept_tun_set_who(struct accept_tun *a, const struct audit_who *who)
{
    a->audit.who = *who;
}

static void tell(struct accept_tun *a, const char *target, enum audit_result result,
                 const char *reason)
{
    const struct audit_forward f = {"tun", slice_text(target), 0, result, reason};
    audit_forward(&a->audit, &f, loop_now(link_loop(a->link)));
}

static void tunnel_free(struct tunnel *t)
{
    list_remove(&t->link);
    t->all->count--;
    mem_free(t);
}

static void on_ended(void *owner, const char *reason)
{
    struct tunnel *t = owner;
    tell(t->all, t->name, AUDIT_CLOSED, reason);
    tunnel_free(t);
}

static const struct tun_channel_events tunnel_events = {.ended = on_ended};

void accept_tun_free(struct accept_tun *a)
{
    if (!a)
        return;
    LIST_FOR (t, &a->tunnels, struct tunnel, link) {
        tun_channel_free(t->channel);
        tunnel_free(t);
    }
    mem_free(a);
}

/* ---- opening ---- */

static void refuse(struct accept_tun *a, struct channel *ch, const char *target, uint32_t reason,
                   const char *text)
{
    bool is_policy = reason == SSH_OPEN_ADMINISTRATIVELY_PROHIBITED;
    tell(a, target, is_policy ? AUDIT_REFUSED : AUDIT_FAILED, text);
    link_refuse(a->link, ch, reason, text);
}

static void open_device(struct accept_tun *a, struct channel *ch, enum tun_mode mode, uint32_t unit,
                        const char *target)
{
    struct tunnel *t = NEW(struct tunnel);
    t->all = a;
    if (tun_channel_new(&t->channel, a->link, mode, unit, &tunnel_events, t) != OK) {
        char text[128];
        snprintf(text, sizeof(text), "the server cannot open %s: %s", target, strerror(errno));
        mem_free(t);
        refuse(a, ch, target, SSH_OPEN_CONNECT_FAILED, text);
        return;
    }
    list_append(&a->tunnels, &t->link);
    a->count++;
    snprintf(t->name, sizeof(t->name), "%s", tun_channel_name(t->channel));
    tell(a, t->name, AUDIT_OPEN, NULL);
    tun_channel_accept(t->channel, ch);
}

bool accept_tun_open(struct accept_tun *a, const struct link_event *e)
{
    uint32_t mode, unit;
    struct policy_refusal why;
    char target[32];
    if (!slice_is(e->name, TUN_CHANNEL_TYPE))
        return false;
    if (body_tun_decode(e->body, &mode, &unit) != OK) {
        link_refuse(a->link, e->channel, SSH_OPEN_CONNECT_FAILED, "malformed tun request");
        return true;
    }
    const char *kind = mode == TUN_ETHERNET ? "ethernet" : "point-to-point";
    if (unit == POLICY_TUN_ANY)
        snprintf(target, sizeof(target), "%s any", kind);
    else
        snprintf(target, sizeof(target), "%s %u", kind, unit);
    if (!policy_may_tun(a->policy, mode, &unit, &why))
        refuse(a, e->channel, target, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, why.text);
    else if (a->count == ACCEPT_TUN_MAX)
        refuse(a, e->channel, target, SSH_OPEN_RESOURCE_SHORTAGE, "too many tun devices");
    else
        open_device(a, e->channel, (enum tun_mode)mode, unit, target);
    return true;
}
