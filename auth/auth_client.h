/*
 * The client's side of authentication (RFC 4252, RFC 4256), fed with payloads and answers: the
 * order of methods and keys, what is asked of the server, and questions to whoever has keys and
 * passwords. It holds no private key and looks nothing up.
 */
#ifndef ADIT_AUTH_AUTH_CLIENT_H
#define ADIT_AUTH_AUTH_CLIENT_H

#include "crypto/algo.h"
#include "wire/msg_auth.h"

#define AUTH_CLIENT_KEYS_MAX 64
#define AUTH_CLIENT_NO_KEY   SIZE_MAX

struct auth_client;

/* Borrowed for the life of the machine. */
struct auth_client_config {
    const char *user;
    const char *accepted; /* comma list: signature algorithms we may use, in order */
    const char *methods;  /* comma list: what may be tried, in order; unknown names are skipped */
    const char *devices;  /* keyboard-interactive: a hint for the server; NULL: none */
    unsigned prompts;     /* tries a person has for a password; the same for keyboard-interactive */
    bool may_hostbound;   /* publickey-hostbound-v00@openssh.com where it is announced */
    struct slice session_id;
    struct slice server_key; /* for publickey-hostbound */
};

struct auth_client *auth_client_new(const struct auth_client_config *config) MUST_USE;
void auth_client_free(struct auth_client *a); /* NULL allowed; wipes */

/* Copied. */
struct auth_client_key {
    const char *type;  /* the name inside the blob; NULL: not known before AUTH_CLIENT_LOAD_KEY */
    struct slice blob; /* of a key or a certificate */
    bool is_spare;     /* nobody named it: not worth the last try that a password could have */
    bool is_at_hand;   /* signing costs nothing: the only key signs without asking first */
};
/*
 * Another key to try, in order; before auth_client_begin. False: no accepted algorithm fits it, or
 * there are too many: it is not tried.
 */
bool auth_client_add_key(struct auth_client *a, const struct auth_client_key *key);

/* The server's EXT_INFO (RFC 8308 3.1). sig_algs is used when has_sig_algs. */
void auth_client_set_extensions(struct auth_client *a, bool has_sig_algs, struct slice sig_algs,
                                bool hostbound);

/* The transport is secured: asks for the service. */
void auth_client_begin(struct auth_client *a);

enum auth_client_event_kind {
    AUTH_CLIENT_NONE,
    AUTH_CLIENT_OFFER,   /* key `key` is shown to the server */
    AUTH_CLIENT_REFUSED, /* `method`, and if it was a key's, `key`; is_partial: it was right, and is
                            not enough; methods = what the server takes from here on */
    AUTH_CLIENT_BANNER,  /* data = the server's text */
    AUTH_CLIENT_SUCCESS, /* by `method` */
    AUTH_CLIENT_FAILED,  /* nothing left to try; methods = what the server would take */
    /* Questions: nothing is fed before auth_client_answer. */
    AUTH_CLIENT_SIGN,            /* data with key `key` by algorithm */
    AUTH_CLIENT_LOAD_KEY,        /* key `key`: its type and blob */
    AUTH_CLIENT_PASSWORD,        /* attempt: 1, 2, ... */
    AUTH_CLIENT_CHANGE_PASSWORD, /* data = what the server says; the old one and a new one */
    AUTH_CLIENT_INFO_REQUEST,    /* info: an answer for each prompt */
};
bool auth_client_is_question(enum auth_client_event_kind kind);

/* Slices are the server's bytes: valid until the next call of recv or answer. */
struct auth_client_event {
    enum auth_client_event_kind kind;
    size_t key; /* index in the order of auth_client_add_key's successes, or AUTH_CLIENT_NO_KEY */
    enum userauth_method method;
    bool is_partial;
    bool is_unasked; /* SIGN: the server has not said whether it takes the key */
    unsigned attempt;
    const struct algo_sign *algorithm;
    struct slice data;
    struct slice methods;
    struct body_info_request info;
};

/*
 * Eats a payload that the transport routed to auth; then auth_client_next is due. ERR_PROTOCOL,
 * ERR_FORMAT, ERR_LIMIT: fatal.
 */
enum err auth_client_recv(struct auth_client *a, struct slice payload) MUST_USE;
struct fault auth_client_fault(const struct auth_client *a);

/*
 * The next event, in order; NONE at their end. To be called once all that was received is served:
 * what is known of the server by then decides how the first request looks.
 */
void auth_client_next(struct auth_client *a, struct auth_client_event *event);

struct auth_client_answer {
    bool is_declined;              /* nobody there, or no: this key or method is left */
    struct slice text;             /* the signature; the blob; the password, or the old one */
    struct slice new_password;     /* CHANGE_PASSWORD */
    const char *key_type;          /* LOAD_KEY */
    const struct slice *responses; /* INFO_REQUEST: info.count of them */
};
/* To the question that is out (CHECK); then auth_client_next is due. */
void auth_client_answer(struct auth_client *a, const struct auth_client_answer *answer);

/* The next payload for the transport; false if there is none. Taken when it was sent. */
bool auth_client_next_payload(struct auth_client *a, struct slice *payload);
void auth_client_payload_taken(struct auth_client *a);

#endif
