/*
 * What session adit is to have, by the command line and the configuration: none (-N, -W), a shell,
 * a command or a subsystem, with a terminal or without, and which variables go along. Pure but for
 * the environment that is passed in.
 */
#ifndef ADIT_CLIENT_SESSION_CHOICE_H
#define ADIT_CLIENT_SESSION_CHOICE_H

#include "client/args.h"
#include "client/session.h"

struct session_choice {
    bool is_wanted;
    enum session_kind kind;
    char *command; /* NULL for a shell */
    bool wants_tty;
    bool tty_was_denied; /* asked for, and stdin is no terminal: said once */
};

/* -N, -W: only forwards are wanted. */
bool session_is_declined(const struct args *a, const struct client_options *o);

/*
 * is_terminal: stdin is one.
 * ERR_CONFIG: *fault is one sentence (static).
 */
enum err session_choose(const struct args *a, const struct client_options *o, bool is_terminal,
                        struct session_choice *out, const char **fault) MUST_USE;
void session_choice_done(struct session_choice *choice);

/*
 * Appends NAME=VALUE of what SendEnv's patterns pick from the environment, then SetEnv's, so that
 * these win there. environment: as environ.
 */
void session_environment(const struct client_options *o, char *const *environment,
                         struct string_list *out);

#endif
