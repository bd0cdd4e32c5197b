/*
 * The master of a shared connection (ControlMaster): listens at ControlPath and lets other ssh and
 * adit processes have sessions, forwards and a say. One request of a client that is bad ends that
 * client alone.
 */
#ifndef ADIT_CLIENT_MUX_MASTER_H
#define ADIT_CLIENT_MUX_MASTER_H

#include <stdbool.h>

struct client;
struct forward;
struct link_event;
struct mux_master;

/* The link is up: listens, if ControlMaster asks for it. Failing is said, and goes on without. */
void mux_master_start(struct client *c);
void mux_master_done(struct client *c);
/* True: the forward was asked for by a client of ours, which has its answer. */
bool mux_master_forward_changed(struct client *c, const struct forward *f);
/* True: the server's answer or visitor was for a client in proxy mode. */
bool mux_master_reply(struct client *c, const struct link_event *e);
bool mux_master_takes(struct client *c, const struct link_event *e);
/* Nobody may come any more (-O stop): sessions and connections that are there go on. */
void mux_master_stop(struct client *c);
/* Whether clients are connected. */
bool mux_master_is_busy(const struct client *c);
/* Whether one of them has a session, perhaps with something to deliver still. */
bool mux_master_has_sessions(const struct client *c);

#endif
