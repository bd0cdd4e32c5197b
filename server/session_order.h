/*
 * What the worker of one connection may ask now: NEW, then KEX once an exchange hash was signed,
 * then OK once a login was allowed; GONE at the end. Pure: a table and a counter.
 */
#ifndef ADIT_SERVER_SESSION_ORDER_H
#define ADIT_SERVER_SESSION_ORDER_H

#include "base/err.h"

enum session_phase {
    SESSION_NEW,
    SESSION_KEX, /* the session id is known */
    SESSION_OK,  /* logged in */
    SESSION_GONE,
    SESSION_PHASES,
};

enum session_step {
    SESSION_ASK_SIGN,
    SESSION_SIGNED,
    SESSION_ASK_AUTH,
    SESSION_REFUSED,     /* also: a query was answered, whatever the answer */
    SESSION_ALLOWED,     /* a verified signature let the user in */
    SESSION_ASK_SESSION, /* a shell, a command or a subsystem */
    SESSION_ENDED,
    SESSION_STEPS,
};

struct session_order {
    enum session_phase phase;
    bool is_signing, is_asking;        /* a question is out: the next one waits for its answer */
    unsigned questions, questions_max; /* AUTH */
};

/* max_auth_tries: each try may be a query and a signed request. */
void session_order_init(struct session_order *o, unsigned max_auth_tries);

/* Takes the step, or ERR_PROTOCOL (nothing changed); ERR_LIMIT: one AUTH question too many. */
enum err session_order_step(struct session_order *o, enum session_step step) MUST_USE;

const char *session_phase_name(enum session_phase phase);

#endif
