/*
 * Questions to an ssh-agent (draft-ietf-sshm-ssh-agent) and their answers as bytes, without the
 * length in front. Who carries them, and to which agent, is not known here.
 */
#ifndef ADIT_CRYPTO_AGENT_MSG_H
#define ADIT_CRYPTO_AGENT_MSG_H

#include "crypto/algo.h"

#define AGENT_MSG_MAX (256 * 1024) /* OpenSSH's AGENT_MAX_LEN */

enum err agent_msg_sign(struct slice key_blob, const struct algo_sign *algo, struct slice data,
                        struct buf *request) MUST_USE;

/* Appends the signature blob. ERR_DENIED: the agent or its owner refused. */
enum err agent_msg_signature(struct slice answer, struct buf *signature) MUST_USE;

/*
 * session-bind@openssh.com (PROTOCOL.agent 1): to which host the agent's connection leads. The
 * agent verifies the signature, so all three are of the first exchange.
 */
struct agent_session {
    struct slice host_key, session_id, signature;
    bool is_forwarding; /* what comes over it was forwarded to that host; else: a login there */
};
enum err agent_msg_bind(const struct agent_session *session, struct buf *request) MUST_USE;

/* Whether an answer is plain success. */
bool agent_msg_is_success(struct slice answer);

#endif
