/*
 * Sessions that run something, at the worker's side: a channel joined to the pipes or the terminal
 * of a command. Who opens them and what runs there is aditd-session's matter; this room asks the
 * owner for one, moves the bytes both ways, and ends the channel when all output is delivered.
 */
#ifndef ADIT_SERVER_SESSION_RUN_H
#define ADIT_SERVER_SESSION_RUN_H

#include "auth/authorized_keys.h"
#include "config/sshd_config.h"
#include "server/role_msg.h"
#include "tunnel/accept_agent.h"
#include "tunnel/link.h"

/* Passes a ROLE_MSG_SESSION and the launcher's descriptor on; the descriptor stays the caller's. */
typedef enum err session_ask(void *owner, const struct role_msg *m, int fd);

/* What holds for the sessions of one link; borrowed. */
struct session_setup {
    const struct server_options *options; /* the user's */
    const struct key_options *key;
    struct accept_agent *agent; /* NULL: none is forwarded */
    bool is_openssh;            /* the client: it understands eow@openssh.com */
    session_ask *ask;
    void *owner;
};

struct session_runs {
    struct link *link;
    struct session_setup setup;
    struct list open;
    unsigned count;
};

void session_runs_init(struct session_runs *all, struct link *l, const struct session_setup *setup);
void session_runs_done(struct session_runs *all);

/* Accepts a channel of type "session". */
void session_runs_accept(struct session_runs *all, struct channel *ch);

#endif
