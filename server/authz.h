/*
 * aditd-authz: one login attempt, then it ends. It looks the account up, reads the files and runs
 * the commands that may let it in, verifies signature or password itself over what the supervisor
 * told it, and says which rule forbids the login or what restricts it. It believes nothing of the
 * connection's worker. An account that may not log in takes the same path over decoy data.
 */
#ifndef ADIT_SERVER_AUTHZ_H
#define ADIT_SERVER_AUTHZ_H

#include "crypto/algo.h"

/*
 * Speaks over fd with blocking calls: WHO -> ACCOUNT, AUTHZ with the effective options' descriptor
 * -> PROMPT and RESPONSE as often as it takes -> ANSWER. As root it ends as the account's uid or
 * as nobody's, so the process is good for one attempt. An error: no answer was sent, and that is
 * a refusal. ERR_EOF: the other side wanted none.
 */
enum err authz_run(int fd, const struct crypto *crypto) MUST_USE;

#endif
