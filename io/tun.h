/*
 * A tun or tap device (Linux' /dev/net/tun) on a loop: packets in and out, whole, without any
 * header of the device's own. It takes the caller's rights: CAP_NET_ADMIN, or a device that an
 * administrator made for this account ("ip tuntap add ... user").
 */
#ifndef ADIT_IO_TUN_H
#define ADIT_IO_TUN_H

#include "base/buf.h"
#include "io/loop.h"

#define TUN_NAME_MAX   16
#define TUN_UNIT_ANY   0x7fffffffu
#define TUN_PACKET_MAX 32764 /* more fits no message of SSH */

enum tun_mode { TUN_POINT_TO_POINT = 1, TUN_ETHERNET = 2 };

struct tun;

struct tun_events {
    void (*packet)(void *owner, struct slice packet); /* lives until it returns */
    void (*gone)(void *owner, int error_number);      /* once, last: the device was taken away */
};

/* ERR_IO: errno says why. The owner may call tun_close in an event. */
enum err tun_open(struct tun **out, struct loop *l, enum tun_mode mode, uint32_t unit,
                  const struct tun_events *events, void *owner) MUST_USE;
void tun_close(struct tun *t); /* NULL allowed */

const char *tun_name(const struct tun *t); /* "tun0" */

/* Reads no more packets, or again: the kernel's queue holds some, and drops the rest. */
void tun_pause(struct tun *t, bool paused);

/* ERR_AGAIN: the device's queue is full; ERR_IO: it is down, or this is no packet. Lost then. */
enum err tun_write(struct tun *t, struct slice packet) MUST_USE;

#endif
