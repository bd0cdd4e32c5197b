/* A forked child's first step: become what the supervisor says, and lock the door behind. */
#ifndef ADIT_SERVER_ROLE_SANDBOX_H
#define ADIT_SERVER_ROLE_SANDBOX_H

#include "server/role_msg.h"
#include "server/sandbox.h"

/*
 * Receives the SANDBOX message for a process of that role over fd and applies it. An error is
 * final: the process must end. ERR_EOF: nobody needs it.
 */
enum err role_enter_sandbox(int fd, enum role role, const struct sandbox *sandbox) MUST_USE;

#endif
