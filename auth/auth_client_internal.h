/* What the rooms of the client's authentication share; nobody else includes it. */
#ifndef ADIT_AUTH_AUTH_CLIENT_INTERNAL_H
#define ADIT_AUTH_AUTH_CLIENT_INTERNAL_H

#include "auth/auth_client.h"

#define EVENTS_MAX 8

enum client_state {
    STATE_NEW,
    STATE_SERVICE,     /* the service was asked for; the first request is due */
    STATE_ASKING,      /* a question is out */
    STATE_NONE,        /* the request `none` is out */
    STATE_QUERY,       /* a key's query is out */
    STATE_SIGNED,      /* a signed request is out */
    STATE_PASSWORD,    /* a password is out */
    STATE_INTERACTIVE, /* a request or response of keyboard-interactive is out */
    STATE_DONE,
};

struct client_key {
    struct buf blob;
    char *type; /* NULL: not loaded yet */
    bool is_spare, is_at_hand;
    const char *algorithm; /* chosen when it is tried */
    const struct algo_sign *sign;
    bool hostbound; /* chosen when it signs */
};

struct auth_client {
    struct auth_client_config config;
    enum client_state state;
    enum auth_client_event_kind question; /* STATE_ASKING: which */
    struct client_key keys[AUTH_CLIENT_KEYS_MAX];
    size_t key_count;
    size_t key;         /* being tried; key_count: none left */
    unsigned exhausted; /* bits of enum userauth_method */
    unsigned passwords, interactives, infos, failures, steps;
    uint32_t info_count;
    bool has_seen_info; /* of the keyboard-interactive attempt that runs */
    bool asked_none, knows_methods;
    bool knows_extensions, has_sig_algs, hostbound, service_accepted;
    char *sig_algs;
    struct buf out;     /* u32 length + payload, again and again */
    struct buf blob;    /* what is to be signed */
    struct buf methods; /* what the server would take */
    struct auth_client_event events[EVENTS_MAX];
    size_t event_first, event_count;
    struct fault fault;
};

/* ---- auth_client.c ---- */

struct auth_client_event *auth_client_push(struct auth_client *a, enum auth_client_event_kind kind);
/* A question: nothing happens before its answer. */
struct auth_client_event *auth_client_ask(struct auth_client *a, enum auth_client_event_kind kind);
struct msg_userauth_request auth_client_request(const struct auth_client *a,
                                                enum userauth_method method);
void auth_client_queue(struct auth_client *a, const struct msg_userauth_request *m);

/* ---- auth_client_try.c ---- */

/* The request of the key that is being tried. */
struct msg_userauth_request auth_client_key_request(const struct auth_client *a);
/* False: it is larger than any key. */
bool auth_client_key_set(struct client_key *k, const char *type, struct slice blob) MUST_USE;
/* The question to sign by the key that is being tried. */
void auth_client_ask_signature(struct auth_client *a, bool is_unasked);
/* Takes the next step: a request is queued, a question is out, or FAILED is. */
void auth_client_proceed(struct auth_client *a);
/* Whether the first step can be taken. */
bool auth_client_may_start(const struct auth_client *a);

#endif
