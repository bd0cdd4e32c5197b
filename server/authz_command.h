/*
 * AuthorizedKeysCommand and AuthorizedPrincipalsCommand: a program of the administrator's, run
 * without a shell under the account it is configured for, with an environment of our own, and what
 * it prints. Whatever goes wrong, its output counts for nothing.
 */
#ifndef ADIT_SERVER_AUTHZ_COMMAND_H
#define ADIT_SERVER_AUTHZ_COMMAND_H

#include "base/buf.h"
#include "config/expand.h"

#define COMMAND_OUTPUT_MAX (4u << 20)
#define COMMAND_TIME_S     60

struct command {
    const char *keyword; /* "AuthorizedKeysCommand": for the log */
    const char *line;    /* path and arguments, as configured */
    const char *user;    /* whose uid; "none" or NULL: refused */
    const struct expand_token *tokens;
    size_t token_count;
    const char *only_argument; /* where the line has no arguments */
    unsigned time_s;           /* 0: COMMAND_TIME_S */
};

/*
 * Runs it and appends what it printed (out's cap: COMMAND_OUTPUT_MAX + 1). As root the program and
 * every folder above it must be root's and not writable by others; as somebody else the user must
 * be that one. ERR_CONFIG, ERR_DENIED: it may not run; ERR_IO: it ended with a status other than 0
 * or by a signal; ERR_TIMEOUT; ERR_LIMIT. The log says which; out is empty then.
 */
enum err command_run(const struct command *c, struct buf *out) MUST_USE;

#endif
