/*
 * Two channels of two links, joined: what comes on one goes out on the other, requests and their
 * answers included, with back-pressure both ways. It does not know what the channels carry. For
 * processes that speak the connection protocol through a connection that another holds
 * (PROTOCOL.mux 9).
 */
#ifndef ADIT_TUNNEL_RELAY_H
#define ADIT_TUNNEL_RELAY_H

#include "tunnel/link.h"

/*
 * The peer of `from` opens ch (LINK_OPEN_REQUEST): the same is asked of the peer of `to`, whose
 * answer ch gets. The relay stands in the list `all` and frees itself when either side has closed,
 * or a link is lost.
 */
void relay_open(struct link *from, struct channel *ch, struct link *to, struct slice type,
                struct slice body, struct list *all);
/* Ends all of them at once; before either link is freed. */
void relay_end_all(struct list *all);

#endif
