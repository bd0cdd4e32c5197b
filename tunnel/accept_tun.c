/* Answering tun@openssh.com. */
#include "tunnel/accept_tun.h"

#include <errno.h>
#include <stdio.h>

#include "io/tun.h"
#include "wire/msg_conn.h"
#include "wire/numbers.h"

#define TYPE_TUN     "tun@openssh.com"
#define FAMILY_LEN   4
#define FAMILY_INET  2 /* OpenBSD's AF_INET and AF_INET6: what travels */
#define FAMILY_INET6 24

struct accept_tun {
    struct link *link;
    const struct policy *policy;
    struct audit audit;
    struct list tunnels;
    size_t count;
};

struct tunnel {
    struct channel_user user;
    struct list link;
    struct accept_tun *all;
    struct tun *device;
    enum tun_mode mode;
    uint8_t message[FAMILY_LEN + TUN_PACKET_MAX];
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
    tun_close(t->device);
    list_remove(&t->link);
    t->all->count--;
    mem_free(t);
}

/* Ends the channel, and with it the device. */
static void tunnel_end(struct tunnel *t, const char *reason)
{
    tell(t->all, tun_name(t->device), AUDIT_CLOSED, reason);
    channel_user_close(&t->user);
    link_touch(t->all->link);
    tunnel_free(t);
}

void accept_tun_free(struct accept_tun *a)
{
    if (!a)
        return;
    LIST_FOR (t, &a->tunnels, struct tunnel, link) {
        channel_user_close(&t->user);
        tunnel_free(t);
    }
    mem_free(a);
}

/* ---- from the device ---- */

bool tun_family_of(struct slice packet, uint8_t head[FAMILY_LEN])
{
    unsigned version = packet.len ? packet.ptr[0] >> 4 : 0;
    memset(head, 0, FAMILY_LEN);
    head[FAMILY_LEN - 1] = version == 4 ? FAMILY_INET : FAMILY_INET6;
    return version == 4 || version == 6;
}

/* No room: the device waits. No window, or larger than the peer takes: this packet is lost. */
static void on_packet(void *owner, struct slice packet)
{
    struct tunnel *t = owner;
    size_t head = t->mode == TUN_POINT_TO_POINT ? FAMILY_LEN : 0;
    if (head && !tun_family_of(packet, t->message))
        return;
    if (!link_has_room(&t->user)) {
        tun_pause(t->device, true);
        return;
    }
    memcpy(t->message + head, packet.ptr, packet.len);
    struct slice whole = slice_of(t->message, head + packet.len);
    if (whole.len > channel_max_data(t->user.channel) ||
        channel_send_data(t->user.channel, whole) != OK)
        return;
    link_touch(t->all->link);
}

static void on_gone(void *owner, int error_number)
{
    struct tunnel *t = owner;
    tunnel_end(t, strerror(error_number));
}

static const struct tun_events device_events = {.packet = on_packet, .gone = on_gone};

/* ---- from the peer ---- */

static void on_data(struct channel_user *u, struct slice bytes)
{
    struct tunnel *t = container_of(u, struct tunnel, user);
    size_t head = t->mode == TUN_POINT_TO_POINT ? FAMILY_LEN : 0;
    /* The device looks at the packet itself; whatever it does not take is lost. */
    if (bytes.len > head)
        (void)!tun_write(t->device, slice_of(bytes.ptr + head, bytes.len - head));
    channel_consumed(u->channel, bytes.len);
    link_touch(t->all->link);
}

static void on_writable(struct channel_user *u)
{
    tun_pause(container_of(u, struct tunnel, user)->device, false);
}

static void on_end(struct channel_user *u)
{
    tunnel_end(container_of(u, struct tunnel, user), NULL);
}

static void on_lost(struct channel_user *u)
{
    struct tunnel *t = container_of(u, struct tunnel, user);
    tell(t->all, tun_name(t->device), AUDIT_CLOSED, NULL);
    tunnel_free(t);
}

static const struct channel_ops tunnel_ops = {
    .data = on_data, .writable = on_writable, .eof = on_end, .closed = on_end, .lost = on_lost};

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
    t->mode = mode;
    if (tun_open(&t->device, link_loop(a->link), mode, unit, &device_events, t) != OK) {
        char text[128];
        snprintf(text, sizeof(text), "the server cannot open %s: %s", target, strerror(errno));
        mem_free(t);
        refuse(a, ch, target, SSH_OPEN_CONNECT_FAILED, text);
        return;
    }
    list_append(&a->tunnels, &t->link);
    a->count++;
    tell(a, tun_name(t->device), AUDIT_OPEN, NULL);
    link_accept(a->link, ch, &t->user, &tunnel_ops);
}

bool accept_tun_open(struct accept_tun *a, const struct link_event *e)
{
    uint32_t mode, unit;
    struct policy_refusal why;
    char target[32];
    if (!slice_is(e->name, TYPE_TUN))
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
