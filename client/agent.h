/*
 * The ssh-agent protocol's client (draft-ietf-sshm-ssh-agent, OpenSSH's PROTOCOL.agent): which keys
 * it holds, and signatures by them. Blocks: an agent may ask its owner before it signs. Answers are
 * hostile bytes like any others.
 */
#ifndef ADIT_CLIENT_AGENT_H
#define ADIT_CLIENT_AGENT_H

#include "base/buf.h"
#include "crypto/algo.h"

struct agent;

/* path: of its socket. ERR_NOT_FOUND: nothing listens there. */
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

/* Appends the SSH signature blob over data. ERR_DENIED: the agent or its owner refused. */
enum err agent_sign(struct agent *a, struct slice key_blob, const struct algo_sign *algo,
                    struct slice data, struct buf *signature) MUST_USE;

/*
 * session-bind@openssh.com: tells which host this connection is with, so that keys restricted to
 * hosts can be used. ERR_UNSUPPORTED: the agent does not know the extension: no harm.
 */
enum err agent_bind_session(struct agent *a, struct slice host_key, struct slice session_id,
                            struct slice signature, bool is_forwarding) MUST_USE;

#endif
