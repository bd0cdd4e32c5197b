/*
 * From a policy's decision to listening sockets, and from listening sockets to plain words: what is
 * bound, and who can reach it. For both sides' listeners.
 */
#ifndef ADIT_TUNNEL_BIND_H
#define ADIT_TUNNEL_BIND_H

#include "io/listener.h"
#include "tunnel/policy.h"

/*
 * Binds what the policy says, all or nothing. family: AF_UNSPEC, or one that was asked for (-4).
 * Errors as listener_new_tcp; ERR_NOT_FOUND: the address is none of this host.
 */
enum err bind_listen(struct listener **out, struct loop *l, const struct policy_listen *what,
                     int family, uint16_t port, listener_accepted *accepted, void *owner,
                     int *error_number) MUST_USE;

/* True if no more can connect to li than to what the policy would bind. */
bool bind_is_within(const struct listener *li, const struct policy_listen *what);

/*
 * "127.0.0.1:4406 and [::1]:4406, this machine only"; "0.0.0.0:80, anyone who reaches this
 * machine". machine: how the reader calls the machine that listens: "this machine", "the server".
 */
void bind_describe(const struct listener *li, const char *machine, struct buf *out);
/* True if nobody but this machine can connect. */
bool bind_is_loopback(const struct listener *li);

#endif
