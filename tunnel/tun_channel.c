/* Packets between a device and a channel. */
#include "tunnel/tun_channel.h"

#include <string.h>

#include "wire/msg_conn.h"

#define FAMILY_LEN   4
#define FAMILY_INET  2 /* OpenBSD's AF_INET and AF_INET6: what travels */
#define FAMILY_INET6 24

struct tun_channel {
    struct channel_user user;
    struct link *link;
    struct tun *device;
    enum tun_mode mode;
    const struct tun_channel_events *events;
    void *owner;
    uint8_t message[FAMILY_LEN + TUN_PACKET_MAX];
};

void tun_channel_free(struct tun_channel *t)
{
    if (!t)
        return;
    if (t->user.ops)
        channel_user_close(&t->user);
    tun_close(t->device);
    mem_free(t);
}

static void end(struct tun_channel *t, const char *reason)
{
    const struct tun_channel_events *events = t->events;
    void *owner = t->owner;
    link_touch(t->link);
    tun_channel_free(t);
    events->ended(owner, reason);
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
    struct tun_channel *t = owner;
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
    link_touch(t->link);
}

static void on_gone(void *owner, int error_number)
{
    end(owner, strerror(error_number));
}

static const struct tun_events device_events = {.packet = on_packet, .gone = on_gone};

/* ---- from the peer ---- */

static void on_data(struct channel_user *u, struct slice bytes)
{
    struct tun_channel *t = container_of(u, struct tun_channel, user);
    size_t head = t->mode == TUN_POINT_TO_POINT ? FAMILY_LEN : 0;
    /* The device looks at the packet itself; whatever it does not take is lost. */
    if (bytes.len > head)
        (void)!tun_write(t->device, slice_of(bytes.ptr + head, bytes.len - head));
    channel_consumed(u->channel, bytes.len);
    link_touch(t->link);
}

static void on_opened(struct channel_user *u)
{
    struct tun_channel *t = container_of(u, struct tun_channel, user);
    tun_pause(t->device, false);
    t->events->opened(t->owner);
}

static void on_open_failed(struct channel_user *u, uint32_t reason, struct slice text)
{
    struct tun_channel *t = container_of(u, struct tun_channel, user);
    const struct tun_channel_events *events = t->events;
    void *owner = t->owner;
    tun_channel_free(t);
    events->refused(owner, reason, text);
}

static void on_writable(struct channel_user *u)
{
    tun_pause(container_of(u, struct tun_channel, user)->device, false);
}

static void on_end(struct channel_user *u)
{
    end(container_of(u, struct tun_channel, user), NULL);
}

static const struct channel_ops ops = {.opened = on_opened,
                                       .open_failed = on_open_failed,
                                       .data = on_data,
                                       .writable = on_writable,
                                       .eof = on_end,
                                       .closed = on_end,
                                       .lost = on_end};

/* ---- opening ---- */

enum err tun_channel_new(struct tun_channel **out, struct link *l, enum tun_mode mode,
                         uint32_t unit, const struct tun_channel_events *events, void *owner)
{
    struct tun_channel *t = NEW(struct tun_channel);
    t->link = l;
    t->mode = mode;
    t->events = events;
    t->owner = owner;
    enum err err = tun_open(&t->device, link_loop(l), mode, unit, &device_events, t);
    if (err != OK) {
        mem_free(t);
        return err;
    }
    *out = t;
    return OK;
}

void tun_channel_accept(struct tun_channel *t, struct channel *ch)
{
    link_accept(t->link, ch, &t->user, &ops);
}

enum err tun_channel_open(struct tun_channel *t, uint32_t peer_unit)
{
    struct buf body;
    struct writer w;
    buf_init(&body, 16);
    writer_init(&w, &body);
    body_tun_encode(&w, t->mode, peer_unit);
    CHECK(writer_done(&w) == OK);
    enum err err = link_open(t->link, TUN_CHANNEL_TYPE, buf_slice(&body), &t->user, &ops);
    buf_done(&body);
    if (err == OK)
        tun_pause(t->device, true); /* until the peer has its device, too */
    return err;
}

const char *tun_channel_name(const struct tun_channel *t)
{
    return tun_name(t->device);
}
