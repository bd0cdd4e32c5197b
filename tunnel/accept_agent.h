/*
 * The server's side of agent forwarding (OpenSSH's PROTOCOL.agent): a Unix socket in a folder that
 * only the account can enter; who connects to it reaches the client's agent through a channel. The
 * bytes are the agent's protocol and are not looked at. To which host a key may sign is told to the
 * agent by the clients at both ends (session-bind@openssh.com), not here.
 */
#ifndef ADIT_TUNNEL_ACCEPT_AGENT_H
#define ADIT_TUNNEL_ACCEPT_AGENT_H

#include "tunnel/audit.h"
#include "tunnel/link.h"
#include "tunnel/policy.h"

struct accept_agent; /* one socket a link, for all its sessions */

/* policy is borrowed and may change: it is asked for every visitor. */
struct accept_agent *accept_agent_new(struct link *l, const struct policy *policy) MUST_USE;
/* Whom the lines of the log name; the strings are borrowed. */
void accept_agent_set_who(struct accept_agent *a, const struct audit_who *who);
/* Removes socket and folder; what is spliced goes on. NULL allowed. */
void accept_agent_free(struct accept_agent *a);

/*
 * auth-agent-req@openssh.com, or agent-req (is_draft): false is its refusal. A second one gets what
 * the first one got, and its channels have the first one's type.
 */
bool accept_agent_request(struct accept_agent *a, bool is_draft) MUST_USE;

/* The socket, for SSH_AUTH_SOCK; "" before a request. Lives as long as a. */
const char *accept_agent_path(const struct accept_agent *a);

#endif
