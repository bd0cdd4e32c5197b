/*
 * Percent tokens, ${ENV} and ~ in configuration values. All facts are passed in; this room looks
 * up no user, host or variable itself.
 */
#ifndef ADIT_CONFIG_EXPAND_H
#define ADIT_CONFIG_EXPAND_H

#include "base/err.h"

struct expand_token {
    char letter;
    const char *value; /* NULL: known, but not available here (an error if used) */
};

struct expand_facts {
    const struct expand_token *tokens; /* "%%" needs no row */
    size_t token_count;
    /* For "~/...": the home directory; NULL: a leading ~ stays as it is, or is an error. */
    const char *home;
    bool has_tilde; /* without a home, "~" is an error */
    /* For "~user/...": that account's home, or NULL if there is none; NULL: an error if used. */
    const char *(*user_home)(void *arg, const char *user);
    /* For "${NAME}": its value or NULL; NULL: "${" is ordinary text. */
    const char *(*environment)(void *arg, const char *name);
    void *arg; /* of both */
};

#define EXPAND_MAX (64u << 10) /* bytes of a result */

struct expand_fault {
    char text[160]; /* one sentence naming the token, variable or user */
};

/*
 * Expands text into *out, which the caller owns. A value put in is not expanded again. ERR_CONFIG
 * with *fault filled: an unknown token, variable or user, a lone '%' at the end, or a result
 * beyond EXPAND_MAX (ERR_LIMIT).
 */
enum err expand_text(const char *text, const struct expand_facts *facts, char **out,
                     struct expand_fault *fault) MUST_USE;

#endif
