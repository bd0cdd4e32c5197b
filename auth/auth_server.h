/*
 * The server's side of authentication (RFC 4252): parses requests and asks. Who the user is, may
 * this key, does this signature hold: all are questions; it looks nothing up and verifies nothing.
 * While a question is out the carrier feeds nothing more.
 */
#ifndef ADIT_AUTH_AUTH_SERVER_H
#define ADIT_AUTH_AUTH_SERVER_H

#include "crypto/algo.h"

struct auth_server;

/* Borrowed for the life of the machine. */
struct auth_server_config {
    struct slice session_id;
    struct slice host_key; /* the key this connection was signed with */
    const char *accepted;  /* comma list of signature algorithms */
    unsigned max_tries;    /* failures that end the connection (MaxAuthTries) */
    struct slice banner;   /* shown before the first answer; empty: none. At most 1 MiB */
};

struct auth_server *auth_server_new(const struct auth_server_config *config) MUST_USE;
void auth_server_free(struct auth_server *a); /* NULL allowed */

enum auth_server_event_kind {
    AUTH_SERVER_NONE,
    AUTH_SERVER_KEY,    /* question: may this key log this user in? (query, nothing is signed) */
    AUTH_SERVER_SIGNED, /* question: may it, and does signature hold over auth_blob's bytes? */
};
struct auth_server_event {
    enum auth_server_event_kind kind;
    struct slice user, service;
    struct slice algorithm, key_blob;
    bool hostbound;
    struct slice signature;
    /* all valid until the question is answered */
};

/* Eats a payload that the transport routed to auth. An error is fatal: auth_server_fault. */
enum err auth_server_recv(struct auth_server *a, struct slice payload,
                          struct auth_server_event *event) MUST_USE;
/* Answers the question. ERR_LIMIT: that was one failure too many, fatal. */
enum err auth_server_answer(struct auth_server *a, bool allowed) MUST_USE;
struct fault auth_server_fault(const struct auth_server *a);

/* True once SUCCESS is queued; nothing more is fed. */
bool auth_server_is_done(const struct auth_server *a);
bool auth_server_is_asking(const struct auth_server *a);
/* The user name of the first request, "" before. Lives as long as the machine. */
const char *auth_server_user(const struct auth_server *a);

bool auth_server_next_payload(struct auth_server *a, struct slice *payload);
void auth_server_payload_taken(struct auth_server *a);

#endif
