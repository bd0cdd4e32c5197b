/*
 * What of struct client_options has tokens, which tokens each option knows (ssh_config(5) TOKENS),
 * and putting them in. The facts about this machine and its digest are passed in.
 */
#ifndef ADIT_CONFIG_CLIENT_EXPAND_H
#define ADIT_CONFIG_CLIENT_EXPAND_H

#include "config/expand.h"
#include "config/report.h"

struct client_options;

/* All strings are borrowed. A NULL string or function: what asks for it is refused in words. */
struct client_facts {
    void *arg;              /* of the functions */
    const char *local_user; /* %u */
    const char *home;       /* %d, ~ */
    const char *uid;        /* %i */
    const char *local_host; /* %l, as gethostname(2) has it; %L is its first label */
    /* %C: SHA-1 of the text in lower-case hexadecimal; the caller owns it. */
    char *(*sha1_hex)(void *arg, const char *text);
    const char *(*user_home)(void *arg, const char *user);   /* ~user; NULL: there is none */
    const char *(*environment)(void *arg, const char *name); /* ${NAME}; NULL: not set */
};

/* What a value may hold. */
enum client_expand {
    CLIENT_EXPAND_PATH,    /* all tokens, ${NAME} and a leading ~ */
    CLIENT_EXPAND_SOCKET,  /* all tokens and ${NAME}: a forward's path */
    CLIENT_EXPAND_COMMAND, /* all tokens; the shell does the rest */
    CLIENT_EXPAND_PROXY,   /* %h %n %p %r: ProxyCommand and ProxyJump */
    CLIENT_EXPAND_USER,    /* all but %r and %C, and ${NAME} */
};

/*
 * Puts tokens into one text; more are those that only this option knows (%T, %H, %K ...), which
 * win. Good before the options are loaded whole, too: what is not set yet has the value it would
 * get. The caller owns *out. Errors are those of expand_text.
 */
enum err client_token_expand(const struct client_options *o, const struct client_facts *facts,
                             enum client_expand kind, const struct expand_token *more,
                             size_t more_count, const char *text, char **out,
                             struct expand_fault *fault) MUST_USE;

/*
 * Expands, in place, what ssh -G shows expanded: User (unless a letter or the destination said it),
 * ControlPath, RemoteCommand, IdentityAgent, ForwardAgent's path, RevokedHostKeys,
 * UserKnownHostsFile, SetEnv and the Unix sockets of forwards. IdentityFile, CertificateFile,
 * LocalCommand, ProxyCommand and KnownHostsCommand stay as written until they are used.
 * ERR_CONFIG with an entry in report.
 */
enum err client_options_expand(struct client_options *o, const struct client_facts *facts,
                               struct report *report) MUST_USE;

#endif
