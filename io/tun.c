/* Packets of a tun device. */
#include "io/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "io/watch.h"

#define DEVICE        "/dev/net/tun"
#define RECEIVE_BATCH 32 /* packets taken before others get their turn */

struct tun {
    struct loop *loop;
    struct loop_item item;
    struct loop_watch *watch;
    int fd;
    const struct tun_events *events;
    void *owner;
    char name[IFNAMSIZ];
    bool paused, in_event, closed;
    uint8_t packet[TUN_PACKET_MAX + 1]; /* one more: what fills it was cut, and is lost */
};

static void update_interest(struct tun *t)
{
    loop_watch_set(t->watch, t->paused ? 0u : (unsigned)WATCH_READ);
}

static void receive(struct tun *t)
{
    for (int n = 0; n < RECEIVE_BATCH && !t->closed && !t->paused; n++) {
        ssize_t got = read(t->fd, t->packet, sizeof(t->packet));
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            t->paused = true; /* a device that was removed is readable for ever */
            t->events->gone(t->owner, got < 0 ? errno : 0);
            return;
        }
        if ((size_t)got <= TUN_PACKET_MAX)
            t->events->packet(t->owner, slice_of(t->packet, (size_t)got));
    }
}

static void device_ready(void *owner, unsigned ready UNUSED)
{
    struct tun *t = owner;
    t->in_event = true;
    receive(t);
    t->in_event = false;
    if (t->closed)
        mem_free(t);
    else
        update_interest(t);
}

static void drop(void *owner)
{
    tun_close(owner);
}

/* The flags are the exact ones that a worker's filter lets pass: see server/sandbox.c. */
static enum err attach(struct tun *t, enum tun_mode mode, uint32_t unit)
{
    struct ifreq request = {.ifr_flags = IFF_NO_PI};
    const char *stem = mode == TUN_ETHERNET ? "tap" : "tun";
    request.ifr_flags |= mode == TUN_ETHERNET ? IFF_TAP : IFF_TUN;
    if (unit == TUN_UNIT_ANY)
        snprintf(request.ifr_name, sizeof(request.ifr_name), "%s%%d", stem);
    else
        snprintf(request.ifr_name, sizeof(request.ifr_name), "%s%u", stem, unit);
    t->fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (t->fd < 0 || ioctl(t->fd, TUNSETIFF, &request) != 0)
        return ERR_IO;
    memcpy(t->name, request.ifr_name, sizeof(t->name));
    return OK;
}

enum err tun_open(struct tun **out, struct loop *l, enum tun_mode mode, uint32_t unit,
                  const struct tun_events *events, void *owner)
{
    struct tun *t = NEW(struct tun);
    t->loop = l;
    t->events = events;
    t->owner = owner;
    if (attach(t, mode, unit) != OK || !(t->watch = loop_watch_new(l, t->fd, device_ready, t))) {
        int error_number = errno;
        if (t->fd >= 0)
            close(t->fd);
        mem_free(t);
        errno = error_number;
        return ERR_IO;
    }
    loop_keep(l, &t->item, drop, t);
    update_interest(t);
    *out = t;
    return OK;
}

void tun_close(struct tun *t)
{
    if (!t)
        return;
    CHECK(!t->closed);
    t->closed = true;
    loop_unkeep(&t->item);
    loop_watch_close(t->watch);
    close(t->fd);
    if (!t->in_event)
        mem_free(t);
}

const char *tun_name(const struct tun *t)
{
    return t->name;
}

void tun_pause(struct tun *t, bool paused)
{
    t->paused = paused;
    if (!t->in_event)
        update_interest(t);
}

enum err tun_write(struct tun *t, struct slice packet)
{
    ssize_t sent;
    do
        sent = write(t->fd, packet.ptr, packet.len);
    while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)packet.len)
        return OK;
    return sent < 0 && (errno == EAGAIN || errno == ENOBUFS) ? ERR_AGAIN : ERR_IO;
}
