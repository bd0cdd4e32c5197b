/*
 * The user's agent lent to the other side (ssh -A; OpenSSH's PROTOCOL.agent, draft-ietf-sshm-ssh-
 * agent): each connection that the server opens for it is joined to the agent's socket, once the
 * agent has been told through which host it comes. Its bytes are not looked at.
 */
#ifndef ADIT_CLIENT_AGENT_FORWARD_H
#define ADIT_CLIENT_AGENT_FORWARD_H

#include "tunnel/link.h"

struct agent_forward;

/* path: the agent's socket, copied. NULL: nobody answers there, so there is nothing to lend. */
struct agent_forward *agent_forward_new(const char *path) MUST_USE;
/* After link_free: what is being joined ends with the link. NULL allowed. */
void agent_forward_free(struct agent_forward *f);

/*
 * The channel request that asks for it on a session, static; from here on the server's connections
 * are taken. f may be NULL, and the answer is then.
 */
const char *agent_forward_request(struct agent_forward *f, struct link *l);

/* Whether a channel of this type is for an agent. */
bool agent_forward_is_type(struct slice type);
/* LINK_OPEN_REQUEST of such a type: joined or refused in the end. f may be NULL: refused. */
void agent_forward_open(struct agent_forward *f, struct link *l, const struct link_event *e);

#endif
