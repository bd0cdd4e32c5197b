/*
 * The further links of one tunnel (AditConnections): connections to the same server that only carry
 * channels, so that one lost packet does not stop all streams, and one user is served by several of
 * the server's processes. The first link is client.c's: sessions, questions, the master and the
 * forwards' states are on it, and its end is the run's.
 *
 * The others are dialled one after the other (servers count logins that are under way), as soon as
 * something could go over them: for a command alone there are none. They must show the very host
 * key of the first, and log in without asking a person; where they cannot, the run goes on with
 * fewer. One that is lost is dialled again after a pause that doubles from 1 s to 60 s.
 */
#ifndef ADIT_CLIENT_LINKS_H
#define ADIT_CLIENT_LINKS_H

#include "tunnel/forward.h"

struct client;
struct links;

/* The first link is up, or its forwards have changed: perhaps others are dialled now. */
void links_look(struct client *c);
/* A forward has changed: what it means for the links is told, and then looked at. */
void links_forward_changed(struct client *c, const struct forward *f);
/* A channel begins that may go over any of them. */
void links_want(struct client *c);
/* The run ends: each takes its leave, and none is dialled any more. */
void links_leave(struct client *c);
void links_done(struct client *c);

/* Number i (0: the first) of those that AditConnections asks for; NULL: it is not up now. */
struct link *links_at(const struct client *c, unsigned i);
/* Open channels of all of them. */
uint32_t links_channels(const struct client *c);
/* New keys for each. */
void links_rekey(struct client *c);

#endif
