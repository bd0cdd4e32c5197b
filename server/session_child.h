/*
 * The last steps of a session's own process, between fork and exec: descriptors, session and
 * terminal, account, environment, home, what runs first (rc, motd), and the shell. It never comes
 * back.
 */
#ifndef ADIT_SERVER_SESSION_CHILD_H
#define ADIT_SERVER_SESSION_CHILD_H

#include <sys/resource.h>

#include "server/session_plan.h"

struct session_child {
    const struct server_options *options;
    const struct account *account;
    const struct session_plan *plan;
    const struct string_list *environment;
    int fds[3]; /* become 0, 1 and 2; a terminal three times, and then it controls the session */
    struct rlimit files;
    struct rlimit core;
};

NORETURN void session_child_run(const struct session_child *c);

#endif
