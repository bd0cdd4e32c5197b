/*
 * UpdateHostKeys: after the login a server of ours or OpenSSH's tells all its host keys
 * (hostkeys-00@openssh.com, OpenSSH's PROTOCOL 2.5). Those we do not know yet it has to prove
 * (hostkeys-prove-00@openssh.com); then known_hosts gets them, and loses what the server no longer
 * has. Nothing is learned where the server was not trusted by a plain key of a user's file, or by a
 * person.
 */
#ifndef ADIT_CLIENT_HOST_KEYS_UPDATE_H
#define ADIT_CLIENT_HOST_KEYS_UPDATE_H

#include "client/internal.h"

/* The body of hostkeys-00@openssh.com; hostile. Only the first one of a connection counts. */
void host_keys_update_told(struct client *c, struct slice body);
/* LINK_GLOBAL_REPLY: true if it was ours. */
bool host_keys_update_reply(struct client *c, const struct link_event *e);
void host_keys_update_done(struct client *c);

#endif
