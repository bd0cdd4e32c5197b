/*
 * What a session runs and with which environment: pure, from the options of the user, those of the
 * key, and what was asked. Opens nothing and starts nothing.
 */
#ifndef ADIT_SERVER_SESSION_PLAN_H
#define ADIT_SERVER_SESSION_PLAN_H

#include "auth/authorized_keys.h"
#include "config/sshd_config.h"
#include "server/account.h"
#include "server/role_msg.h"

/* The command that replaces what was asked (ForceCommand, else command= of the key); NULL: none. */
const char *session_forced_command(const struct server_options *o, const struct key_options *key);

/* The command of a subsystem, borrowed from o; NULL: there is none of that name. */
const char *session_subsystem_command(const struct server_options *o, struct slice name);

/* May a client set this variable (AcceptEnv)? */
bool session_may_set(const struct server_options *o, const char *name);

/* What runs. Strings are owned; session_plan_done frees them. */
struct session_plan {
    char *command;     /* NULL: the login shell */
    char *original;    /* what a forced command replaced; NULL: nothing */
    bool is_subsystem; /* no ~/.ssh/rc */
    bool is_sftp;      /* internal-sftp: run whatever the account's shell is */
    bool has_pty, has_rc;
};

/* ERR_NOT_FOUND: no such subsystem. */
enum err session_plan_make(const struct server_options *o, const struct key_options *key,
                           const struct role_msg *asked, struct session_plan *plan) MUST_USE;
void session_plan_done(struct session_plan *plan);

/* Sets NAME=value, in place of an older value of the name. */
void session_set(struct string_list *environment, const char *name, const char *value);

/*
 * Adds the lines of ~/.ssh/environment (NAME=value, blank, or a comment) that PermitUserEnvironment
 * lets in; SetEnv and what OpenSSH sets itself behind it are not replaced.
 */
void session_add_lines(const struct server_options *o, struct slice text,
                       struct string_list *environment);

struct session_facts {
    const struct account *account;
    const char *time_zone; /* TZ of the server; NULL: none */
    const char *tty;       /* its device; NULL: none */
    const char *auth_file; /* ExposeAuthInfo; NULL: none */
};

/*
 * Fills environment in OpenSSH's order: what the client may set first, so that all the rest is
 * stronger; SetEnv near the end. asked must be a LAUNCH.
 */
void session_environment(const struct server_options *o, const struct key_options *key,
                         const struct role_msg *asked, const struct session_plan *plan,
                         const struct session_facts *facts, struct string_list *environment);

#endif
