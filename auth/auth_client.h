/*
 * The client's side of authentication (RFC 4252), fed with payloads and answers: the order of
 * keys, what is asked of the server, and the question "sign this". It holds no private key and
 * looks nothing up.
 */
#ifndef ADIT_AUTH_AUTH_CLIENT_H
#define ADIT_AUTH_AUTH_CLIENT_H

#include "crypto/algo.h"

#define AUTH_CLIENT_KEYS_MAX 64

struct auth_client;

/* Borrowed for the life of the machine. */
struct auth_client_config {
    const char *user;
    const char *accepted; /* comma list: signature algorithms we may use, in order */
    struct slice session_id;
    struct slice server_key; /* for publickey-hostbound */
};

struct auth_client *auth_client_new(const struct auth_client_config *config) MUST_USE;
void auth_client_free(struct auth_client *a); /* NULL allowed */

/*
 * Another key to try, in order; before auth_client_begin. type: the name inside the blob. False:
 * no accepted algorithm fits it, it is not tried.
 */
bool auth_client_add_key(struct auth_client *a, const char *type, struct slice blob);

/* The server's EXT_INFO (RFC 8308 3.1). sig_algs is used when has_sig_algs. */
void auth_client_set_extensions(struct auth_client *a, bool has_sig_algs, struct slice sig_algs,
                                bool hostbound);

/* The transport is secured: asks for the service. */
void auth_client_begin(struct auth_client *a);

enum auth_client_event_kind {
    AUTH_CLIENT_NONE,
    AUTH_CLIENT_SIGN,    /* question: sign data with key `key` by algorithm */
    AUTH_CLIENT_REFUSED, /* key `key` was refused; methods = what the server still takes */
    AUTH_CLIENT_BANNER,  /* data = the server's text */
    AUTH_CLIENT_SUCCESS,
    AUTH_CLIENT_FAILED, /* nothing left to try; methods = what the server would take */
};
struct auth_client_event {
    enum auth_client_event_kind kind;
    size_t key; /* index in the order of auth_client_add_key's successes */
    const struct algo_sign *algorithm;
    struct slice data;    /* valid until the next call */
    struct slice methods; /* valid until the next call */
};

/* Eats a payload that the transport routed to auth. ERR_PROTOCOL, ERR_FORMAT: fatal. */
enum err auth_client_recv(struct auth_client *a, struct slice payload,
                          struct auth_client_event *event) MUST_USE;
struct fault auth_client_fault(const struct auth_client *a);

/* Answer to SIGN. Empty: the key cannot sign, the next one is tried (FAILED comes as an event). */
void auth_client_give_signature(struct auth_client *a, struct slice signature,
                                struct auth_client_event *event);

/* The next payload for the transport; false if there is none. Taken when it was sent. */
bool auth_client_next_payload(struct auth_client *a, struct slice *payload);
void auth_client_payload_taken(struct auth_client *a);

#endif
