/*
 * Proxy mode of a shared connection (PROTOCOL.mux 9): a client that speaks the connection protocol
 * itself, over its socket to us. Its channels are relayed; it may ask for forwards at the server,
 * whose visitors are relayed back to it.
 */
#ifndef ADIT_CLIENT_MUX_PROXY_H
#define ADIT_CLIENT_MUX_PROXY_H

#include "tunnel/link.h"

struct client;
struct mux_proxy;

typedef void mux_proxy_ended(void *owner);
/* Takes over fd. ended comes once, when it is over; then mux_proxy_free is due. */
struct mux_proxy *mux_proxy_new(struct client *c, int fd, mux_proxy_ended *ended,
                                void *owner) MUST_USE;
/* Not inside ended. NULL allowed. */
void mux_proxy_free(struct mux_proxy *p);

/* True: the server's answer, or its visitor, was this one's. */
bool mux_proxy_reply(struct mux_proxy *p, const struct link_event *e);
bool mux_proxy_takes(struct mux_proxy *p, const struct link_event *e);

#endif
