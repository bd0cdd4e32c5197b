/*
 * The server's side of direct-tcpip (RFC 4254 7.2) and direct-streamlocal@openssh.com (OpenSSH's
 * PROTOCOL 2.4): policy, dial, splice. It decides nothing about who may log in.
 */
#ifndef ADIT_TUNNEL_ACCEPT_DIRECT_H
#define ADIT_TUNNEL_ACCEPT_DIRECT_H

#include "tunnel/audit.h"
#include "tunnel/policy.h"
#include "tunnel/tally.h"

struct accept_direct; /* the opens of one link that are being dialled */

/* policy is borrowed and may change between opens. */
struct accept_direct *accept_direct_new(struct link *l, const struct policy *policy) MUST_USE;
/* Whom the lines of the log name; the strings are borrowed. */
void accept_direct_set_who(struct accept_direct *a, const struct audit_who *who);
/* What all opens of the link have carried. */
struct tally_sum accept_direct_sum(const struct accept_direct *a);
/* Gives up what is being dialled, and tells of what is joined as if it ended; before link_free.
 * NULL allowed. */
void accept_direct_free(struct accept_direct *a);

/* Deals with a LINK_OPEN_REQUEST to its end, if it is of one of the two types: true then. */
bool accept_direct_open(struct accept_direct *a, const struct link_event *e) MUST_USE;

#endif
