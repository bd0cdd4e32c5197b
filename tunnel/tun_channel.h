/*
 * A tun or tap device joined to a channel of type tun@openssh.com (OpenSSH's PROTOCOL 2.3), on
 * either side: one packet is one message; what finds no window is lost, as packets may be.
 */
#ifndef ADIT_TUNNEL_TUN_CHANNEL_H
#define ADIT_TUNNEL_TUN_CHANNEL_H

#include "io/tun.h"
#include "tunnel/link.h"

#define TUN_CHANNEL_ANY  0x7fffffffu /* whichever unit is free (PROTOCOL 2.3) */
#define TUN_CHANNEL_TYPE "tun@openssh.com"

struct tun_channel;

/* All go to the owner given. None comes before tun_channel_accept or tun_channel_open. */
struct tun_channel_events {
    void (*opened)(void *owner);                                      /* after tun_channel_open */
    void (*refused)(void *owner, uint32_t reason, struct slice text); /* the channel is no more */
    /* The last, device and channel are gone: by the peer (NULL), the link, or a reason here. */
    void (*ended)(void *owner, const char *reason);
};

/* Opens the device. ERR_IO: errno says why. */
enum err tun_channel_new(struct tun_channel **out, struct link *l, enum tun_mode mode,
                         uint32_t unit, const struct tun_channel_events *events,
                         void *owner) MUST_USE;
/* Ends channel and device; no event comes. Not after `refused` or `ended`. NULL allowed. */
void tun_channel_free(struct tun_channel *t);

/* Answers a LINK_OPEN_REQUEST. */
void tun_channel_accept(struct tun_channel *t, struct channel *ch);
/* Asks the peer for its device; as link_open fails. */
enum err tun_channel_open(struct tun_channel *t, uint32_t peer_unit) MUST_USE;

const char *tun_channel_name(const struct tun_channel *t); /* of the device: "tun0" */

/*
 * What goes in front of a packet in point-to-point mode: the family in OpenBSD's numbers, by the
 * packet's own version. False: it is neither IPv4 nor IPv6.
 */
bool tun_family_of(struct slice packet, uint8_t head[4]);

#endif
