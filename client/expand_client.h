/*
 * Tokens, variables and ~ for the rooms of the client: the facts of this machine and account,
 * looked up once, and one function that puts them into a text. Which option has which tokens is
 * config/client_expand.h's.
 */
#ifndef ADIT_CLIENT_EXPAND_CLIENT_H
#define ADIT_CLIENT_EXPAND_CLIENT_H

#include "config/client_expand.h"
#include "config/ssh_config.h"

/* Facts with the memory they stand in. home may be NULL; all is copied. Free with the other. */
struct client_facts *client_facts_new(const char *local_user, const char *home) MUST_USE;
void client_facts_free(struct client_facts *facts);

/*
 * Text with its tokens put in; more (which win) are those of this option alone, e.g. {'T', "tun0"}.
 * NULL: it cannot be expanded, and an error line said why, beginning with keyword. The caller owns
 * the result.
 */
char *expand_client(const struct client_facts *facts, const struct client_options *o,
                    const char *keyword, enum client_expand kind, const char *text,
                    const struct expand_token *more, size_t more_count) MUST_USE;

/* The account's shell, as ssh takes it: $SHELL, else the account's own. Static or of the
 * environment; "/bin/sh" if there is neither. */
const char *client_shell(void);

#endif
