/*
 * adit's command line: OpenSSH's letters, bundled letters with a value behind them, options before
 * and after the destination. What is an option goes through the option table; the few letters that
 * are not are kept here. Opens nothing.
 */
#ifndef ADIT_CLIENT_ARGS_H
#define ADIT_CLIENT_ARGS_H

#include "config/ssh_config.h"

struct args {
    char *host;              /* without user@ and port; NULL: none was given */
    char *const *command;    /* words behind the destination; borrowed; NULL: none */
    const char *config_file; /* -F; NULL: the usual ones; "none" */
    const char *log_file;    /* -E */
    const char *query;       /* -Q */
    char *stdio_host;        /* -W; owned */
    uint16_t stdio_port;
    unsigned verbose; /* -v, counted up to 3 */
    bool quiet, print_config, show_version;
};

void args_done(struct args *a);

/*
 * Reads argv into args and options. ERR_CONFIG: *fault is one sentence (owned by the caller), the
 * usage line is due if it is NULL.
 */
enum err args_parse(struct args *a, struct client_options *options, struct report *report, int argc,
                    char *const *argv, char **fault) MUST_USE;

/*
 * False for a user or host name with bytes that a shell or an option parser would read
 * (CVE-2023-51385): such names never come from a command line or a jump list.
 */
bool args_is_safe_name(const char *name);

extern const char args_usage[];

#endif
