/*
 * The ssh-agent protocol's client (draft-ietf-sshm-ssh-agent, OpenSSH's PROTOCOL.agent): which keys
 * it holds, signatures by them, and new keys for it. Blocks, but not for ever: a signature waits as
 * long as a server waits for a login (an agent may ask its owner first), the rest for seconds.
 * After ERR_TIMEOUT the agent answers nothing more (ERR_EOF). Answers are hostile bytes like any
 * others.
 */
#ifndef ADIT_CLIENT_AGENT_H
#define ADIT_CLIENT_AGENT_H

#include "base/buf.h"
#include "crypto/agent_msg.h"
#include "crypto/privkey.h"

struct agent;

/* path: of its socket. ERR_NOT_FOUND: nothing listens there; ERR_TIMEOUT: it does not accept. */
enum err agent_connect(struct agent **out, const char *path) MUST_USE;
void agent_free(struct agent *a); /* NULL allowed */

struct agent_key {
    struct buf blob;
    char *comment;
};
struct agent_keys {
    struct agent_key *items;
    size_t count;
};
#define AGENT_KEYS_MAX 1024
enum err agent_list(struct agent *a, struct agent_keys *keys) MUST_USE;
void agent_keys_done(struct agent_keys *keys);

/* Others wait for us: from now on a signature, too, waits for seconds only. */
void agent_hurry(struct agent *a);
/* Appends the SSH signature blob over data. ERR_DENIED: the agent or its owner refused. */
enum err agent_sign(struct agent *a, struct slice key_blob, const struct algo_sign *algo,
                    struct slice data, struct buf *signature) MUST_USE;

struct agent_constraints {
    uint32_t lifetime_s; /* 0: for ever */
    bool must_confirm;   /* the agent asks its owner before each use */
};
/* Gives the agent a key. ERR_DENIED: it does not take it. */
enum err agent_add(struct agent *a, const struct privkey *key, const char *comment,
                   const struct agent_constraints *constraints) MUST_USE;

/*
 * session-bind@openssh.com: tells which host this connection is with, so that keys restricted to
 * hosts can be used. ERR_UNSUPPORTED: the agent does not know the extension: no harm.
 */
enum err agent_bind_session(struct agent *a, const struct agent_session *session) MUST_USE;

#endif
