/*
 * adit's command line: OpenSSH's letters, bundled letters with a value behind them, options before
 * and after the destination. What is an option goes through the option table; the few letters that
 * are not are kept here. Opens nothing; looks whether the files of -i are there.
 */
#ifndef ADIT_CLIENT_ARGS_H
#define ADIT_CLIENT_ARGS_H

#include "config/ssh_config.h"

struct args {
    char *host;              /* without user@ and port; NULL: none was given */
    char *const *command;    /* words behind the destination; borrowed, end with NULL; NULL: none */
    const char *config_file; /* -F; NULL: the usual ones; "none" */
    const char *log_file;    /* -E */
    const char *query;       /* -Q */
    const char *mux_command; /* -O, one of args_mux_commands; NULL: none */
    char *stdio_host;        /* -W; owned */
    uint16_t stdio_port;
    bool print_config, show_version;
    bool explain;     /* "adit explain ...": say what the rest means, and do nothing */
    unsigned verbose; /* -v, up to 3; it is in the option LogLevel too */
    bool quiet;       /* -q behind the last -v; so is this */
    bool log_system;  /* -y */
};

/* What -O takes, by ssh(1); ends with NULL. */
extern const char *const args_mux_commands[];

void args_done(struct args *a);

/*
 * Reads argv into args and options. ERR_CONFIG: *fault is one sentence (owned by the caller), the
 * usage line is due if it is NULL.
 */
enum err args_parse(struct args *a, struct client_options *options, struct report *report, int argc,
                    char *const *argv, char **fault) MUST_USE;

/*
 * False for a host (user) name with bytes that a shell or an option parser would read
 * (CVE-2023-51385): such names never come from a command line or a jump list. A user name may have
 * a blank or a backslash in its middle.
 */
bool args_is_safe_name(const char *name);
bool args_is_safe_user(const char *name);

extern const char args_usage[];

#endif
