/*
 * A connection until its user is logged in, at the server's side: transport and auth_server
 * joined, without a socket. It is given bytes, time and answers; it yields bytes and questions.
 * After USERAUTH_SUCCESS it touches nothing more: what is left in the buffers belongs to whoever
 * takes the transport over.
 */
#ifndef ADIT_SERVER_LOGIN_H
#define ADIT_SERVER_LOGIN_H

#include "auth/auth_server.h"
#include "transport/transport.h"

struct login;

/* Borrowed for the life of the login. */
struct login_config {
    const struct transport_config *transport;
    const char *accepted; /* of auth_server_config */
    unsigned max_tries;   /* MaxAuthTries */
};

struct login *login_new(const struct login_config *config, uint64_t now_ms) MUST_USE;
void login_free(struct login *l); /* NULL allowed */

enum login_event_kind {
    LOGIN_NONE,  /* more bytes, or an answer, are needed */
    LOGIN_IDENT, /* text = the peer's identification */
    LOGIN_SIGN,  /* question: login_give_signature; text = the exchange hash */
    LOGIN_ASK,   /* question: login_answer_who, login_prompt or login_answer; auth says which */
    LOGIN_DONE,  /* SUCCESS is sealed: once login_output is empty, the transport may be exported */
    LOGIN_DEBUG, /* text = the peer's DEBUG message */
    LOGIN_ENDED, /* fault; by_peer: text = its DISCONNECT. Last event. */
};
struct login_event {
    enum login_event_kind kind;
    struct slice text; /* lives until the next call */
    struct auth_server_event auth;
    bool by_peer;
    struct fault fault;
};

/* The next event, in order; NONE until a question is answered. */
void login_next(struct login *l, struct login_event *event, uint64_t now_ms);

void login_give_signature(struct login *l, struct slice signature, uint64_t now_ms);
void login_answer_who(struct login *l, struct slice methods, struct slice banner);
void login_answer(struct login *l, enum auth_verdict verdict, struct slice methods);
void login_prompt(struct login *l, struct slice body);

/* Bytes: through the transport itself. */
struct transport *login_transport(struct login *l);

/* The name that was asked for, "" before. Lives as long as the login. */
const char *login_user(const struct login *l);

#endif
