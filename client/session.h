/*
 * A session channel of ours (RFC 4254 6): a shell, a command or a subsystem on the other side,
 * joined to three descriptors here. adit's own has the process' standard ones; a session of a
 * shared connection has those that its process passed over. It knows no terminal's modes and
 * prints nothing: what happens comes to its owner as values.
 */
#ifndef ADIT_CLIENT_SESSION_H
#define ADIT_CLIENT_SESSION_H

#include "client/escape.h"
#include "client/tty.h"
#include "config/string_list.h"
#include "tunnel/link.h"

enum session_kind {
    RUN_SHELL,
    RUN_EXEC,
    RUN_SUBSYSTEM,
};

/* Everything is borrowed for the call, but for the descriptors. */
struct session_spec {
    enum session_kind kind;
    const char *command; /* EXEC: the command; SUBSYSTEM_NAMED: its name */
    bool wants_tty;
    const char *term; /* with wants_tty */
    struct tty_size size;
    struct slice modes;                    /* encoded */
    const struct string_list *environment; /* NAME=VALUE, or NULL */
    const char *agent_request; /* "auth-agent-req@openssh.com" goes out first; NULL: none */
    bool peer_knows_eow;       /* OpenSSH, and our own server */
    int escape;                /* the escape character, with wants_tty; -1: none */
    int in, out, error;        /* taken over, in every case; -1: none, as if it were /dev/null */
};

enum session_event_kind {
    SESSION_OPENED,      /* the other side has it; what runs is asked for */
    SESSION_TTY_REFUSED, /* no terminal there: it goes on without */
    SESSION_STARTED,     /* what was asked for runs */
    SESSION_REFUSED,     /* the channel (text says why) or what was to run; ENDED follows */
    SESSION_ESCAPED,     /* action; the functions below may be called */
    SESSION_TYPED,       /* text: one byte, while session_divert is on */
    SESSION_ENDED,       /* once, last; the session is gone afterwards */
};
struct session_event {
    enum session_event_kind kind;
    struct slice text;    /* REFUSED: the server's reason, or "shell", "exec", "subsystem" */
    bool is_open_refused; /* REFUSED: no channel at all */
    enum escape_action action;
    bool has_status; /* ENDED: an exit status came */
    uint32_t status;
    const char *signal; /* ENDED: killed by this one ("TERM"); NULL: none */
    bool is_lost;       /* ENDED: with the link */
};
struct session;
typedef void session_owner(void *owner, struct session *s, const struct session_event *e);

/* NULL: the link takes no more channels (nothing is heard then; the descriptors are closed). */
struct session *session_open(struct link *l, const struct session_spec *spec, session_owner *event,
                             void *owner) MUST_USE;
/* Ends it from here (~. and the like): ENDED comes, at the end of the turn. */
void session_end(struct session *s);
/* At once, and without ENDED. NULL allowed. */
void session_free(struct session *s);

/* Text for the person, in front of what comes from the other side: to the error descriptor. */
void session_say(struct session *s, const char *text);
/* Tells the other side how large the terminal of its input is now. */
void session_resize(struct session *s);
void session_send_break(struct session *s);
/* What is typed goes to the owner instead of the other side: a line of its own (~C). */
void session_divert(struct session *s, bool on);
const struct escape *session_escape(const struct session *s);
bool session_has_tty(const struct session *s);
uint32_t session_channel_id(const struct session *s);

#endif
