/*
 * Signing through an ssh-agent (draft-ietf-sshm-ssh-agent): the request and its answer as bytes,
 * without the length in front. Who carries them, and to which agent, is not known here.
 */
#ifndef ADIT_CRYPTO_AGENT_MSG_H
#define ADIT_CRYPTO_AGENT_MSG_H

#include "crypto/algo.h"

#define AGENT_MSG_MAX (256 * 1024) /* OpenSSH's AGENT_MAX_LEN */

enum err agent_msg_sign(struct slice key_blob, const struct algo_sign *algo, struct slice data,
                        struct buf *request) MUST_USE;

/* Appends the signature blob. ERR_DENIED: the agent or its owner refused. */
enum err agent_msg_signature(struct slice answer, struct buf *signature) MUST_USE;

#endif
