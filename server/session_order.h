/*
 * What a connection's processes may ask now: NEW, then KEX once an exchange hash was signed, NAMED
 * once it is known who wants to log in, OK once the login was allowed, WORK once a worker has it;
 * GONE at the end. Pure: a table and a few flags.
 */
#ifndef ADIT_SERVER_SESSION_ORDER_H
#define ADIT_SERVER_SESSION_ORDER_H

#include "base/err.h"

enum session_phase {
    SESSION_NEW,
    SESSION_KEX,   /* the session id is known */
    SESSION_NAMED, /* the user is fixed */
    SESSION_OK,    /* allowed; the hand-over is due */
    SESSION_WORK,  /* a worker has it */
    SESSION_GONE,
    SESSION_PHASES,
};

enum session_step {
    SESSION_ASK_SIGN,
    SESSION_SIGNED,
    SESSION_ASK_WHO,
    SESSION_KNOWN, /* who it is; also: nobody */
    SESSION_ASK_AUTH,
    SESSION_PROMPTED,  /* the answer is a question to the user */
    SESSION_RESPONDED, /* what the user said to it */
    SESSION_REFUSED,   /* also: a query was answered, or one step of several is done */
    SESSION_ALLOWED,
    SESSION_HANDED_OVER,
    SESSION_ASK_WORK, /* what only a worker asks: sessions, ports, proofs of host keys */
    SESSION_ENDED,
    SESSION_STEPS,
};

struct session_order {
    enum session_phase phase;
    bool is_signing, is_asking;        /* a question is out: the next one waits for its answer */
    bool is_prompting;                 /* the user is asked; he may ask for something else, too */
    unsigned questions, questions_max; /* AUTH, RESPONDED */
};

/* max_auth_tries: each try may be a query and a signed request, or a prompt and its answer. */
void session_order_init(struct session_order *o, unsigned max_auth_tries);

/* Takes the step, or ERR_PROTOCOL (nothing changed); ERR_LIMIT: one question too many. */
enum err session_order_step(struct session_order *o, enum session_step step) MUST_USE;

const char *session_phase_name(enum session_phase phase);

#endif
