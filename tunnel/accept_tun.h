/*
 * The server's side of tun@openssh.com (OpenSSH's PROTOCOL 2.3): policy and audit; the
 * packets are tun_channel.c's.
 */
#ifndef ADIT_TUNNEL_ACCEPT_TUN_H
#define ADIT_TUNNEL_ACCEPT_TUN_H

#include "tunnel/audit.h"
#include "tunnel/link.h"
#include "tunnel/policy.h"

#define ACCEPT_TUN_MAX 16 /* devices of a link */

struct accept_tun; /* the devices of one link */

/* policy is borrowed and may change between opens. */
struct accept_tun *accept_tun_new(struct link *l, const struct policy *policy) MUST_USE;
/* Whom the lines of the log name; the strings are borrowed. */
void accept_tun_set_who(struct accept_tun *a, const struct audit_who *who);
/* Closes the devices; before link_free. NULL allowed. */
void accept_tun_free(struct accept_tun *a);

/* Deals with a LINK_OPEN_REQUEST to its end, if it is of this type: true then. */
bool accept_tun_open(struct accept_tun *a, const struct link_event *e) MUST_USE;

#endif
