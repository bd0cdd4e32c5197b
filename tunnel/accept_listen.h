/*
 * The server's side of tcpip-forward and cancel-tcpip-forward (RFC 4254 7.1) and of their siblings
 * for Unix sockets (OpenSSH's PROTOCOL 2.4): policy, bind, and a forwarded-tcpip or
 * forwarded-streamlocal channel for each connection that comes. A forward is known by the address
 * text that was asked for and its real port: the pair the peer knows it by, too.
 */
#ifndef ADIT_TUNNEL_ACCEPT_LISTEN_H
#define ADIT_TUNNEL_ACCEPT_LISTEN_H

#include "tunnel/audit.h"
#include "tunnel/policy.h"
#include "tunnel/tally.h"

#define ACCEPT_LISTEN_MAX 256 /* listeners of one connection */

struct accept_listen;

/* changed (may be NULL): a forward came or went. policy is borrowed. */
typedef void accept_listen_changed(void *owner);
struct accept_listen *accept_listen_new(struct link *l, const struct policy *policy,
                                        accept_listen_changed *changed, void *owner) MUST_USE;
/* Whom the lines of the log name; the strings are borrowed. */
void accept_listen_set_who(struct accept_listen *a, const struct audit_who *who);
/* Closes all listeners; connections that are spliced go on. NULL allowed. */
void accept_listen_free(struct accept_listen *a);

/*
 * Ports below 1024, which only a privileged process binds: asked for where our own bind was denied.
 * address: as the peer wrote it. False: there is nobody to ask. The answer is accept_listen_bound.
 */
typedef bool accept_listen_ask(void *owner, uint32_t tag, struct slice address, uint16_t port);
void accept_listen_set_binder(struct accept_listen *a, accept_listen_ask *ask, void *owner);
/* fds listen, and are taken over; count 0: error_number says why not. */
void accept_listen_bound(struct accept_listen *a, uint32_t tag, const int *fds, size_t count,
                         int error_number);

/*
 * "tcpip-forward-join@adit" (doc/PROTOCOL.md): a listener beside one that another connection of the
 * same login has, known by that one's session identifier. Asked for it; the answer is
 * accept_listen_bound, with descriptors for listener_new_beside. False: nobody can be asked.
 */
typedef bool accept_listen_join(void *owner, uint32_t tag, struct slice session_id,
                                struct slice address, uint16_t port);
void accept_listen_set_joiner(struct accept_listen *a, accept_listen_join *ask, void *owner);
/* The other side of it: the descriptors of a listener that is here, which may be shared from now
 * on; borrowed. 0: there is none like that. */
size_t accept_listen_lend(struct accept_listen *a, struct slice address, uint16_t port, int *fds,
                          size_t max);

/* Who was asked is gone: what is out is refused. */
void accept_listen_lost(struct accept_listen *a);

/* True if it was one of the five requests: it is answered then. */
bool accept_listen_request(struct accept_listen *a, const struct link_event *e) MUST_USE;

/* After the policy has changed: forwards that it no longer permits end. */
void accept_listen_review(struct accept_listen *a);

/* A forward as a person may see it. */
struct accept_listen_view {
    uint64_t id;       /* never used again on this connection */
    const char *where; /* borrowed until a forward comes or goes. A path is the peer's text */
    struct tally_sum sum;
};
/* At most max of them; returns how many. */
size_t accept_listen_views(const struct accept_listen *a, struct accept_listen_view *out,
                           size_t max);
size_t accept_listen_count(const struct accept_listen *a);

#endif
