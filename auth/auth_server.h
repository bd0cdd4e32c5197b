/*
 * The server's side of authentication (RFC 4252, 4256): parses requests and asks. Who the user is,
 * may this key, is this password right: all are questions; it looks nothing up and verifies
 * nothing. While a question is out the carrier feeds nothing more.
 */
#ifndef ADIT_AUTH_AUTH_SERVER_H
#define ADIT_AUTH_AUTH_SERVER_H

#include "crypto/algo.h"

struct auth_server;

/* Borrowed for the life of the machine. */
struct auth_server_config {
    struct slice session_id;
    struct slice host_key; /* the key this connection was signed with */
    const char *accepted;  /* comma list of signature algorithms; NULL: all that are built */
    unsigned max_tries;    /* failures that end the connection (MaxAuthTries) */
};

/*
 * What EXT_INFO tells clients (RFC 8308 3.1): all that a signature is verified by, in OpenSSH's
 * order. Not what is accepted: a certificate's algorithm is told by its signature's name, and a
 * Match block may accept other ones for this user.
 */
#define AUTH_SERVER_SIG_ALGS                                                                       \
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"                     \
    "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256"

#define AUTH_SERVER_BANNER_MAX  (1u << 20)
#define AUTH_SERVER_METHODS_MAX 1024

struct auth_server *auth_server_new(const struct auth_server_config *config) MUST_USE;
void auth_server_free(struct auth_server *a); /* NULL allowed */

enum auth_server_event_kind {
    AUTH_SERVER_NONE,
    AUTH_SERVER_WHO, /* question, the first of all: who is this user? answer_who */
    /* These want auth_server_answer: */
    AUTH_SERVER_KEY,    /* may this key log this user in? (query, nothing is signed) */
    AUTH_SERVER_SIGNED, /* may it, and does signature hold over auth_blob's bytes? */
    AUTH_SERVER_PASSWORD,
    /* These want it too, or auth_server_prompt: */
    AUTH_SERVER_INTERACTIVE, /* keyboard-interactive begins */
    AUTH_SERVER_RESPONSES,   /* the user answered the prompt */
};
struct auth_server_event {
    enum auth_server_event_kind kind;
    /* The user left a prompt unanswered and asks something else: who waits for RESPONSES is to be
     * let go. Set with any kind, NONE too; it counted as a failure. */
    bool abandoned;
    struct slice user, service;       /* not of RESPONSES */
    struct slice algorithm, key_blob; /* KEY, SIGNED */
    bool hostbound;
    struct slice signature;
    struct slice password;   /* PASSWORD: at most MSG_PASSWORD_MAX bytes; wiped once answered */
    struct slice submethods; /* INTERACTIVE: a hint */
    struct slice body;       /* RESPONSES: RFC 4256 3.4, checked; wiped once answered */
    /* all valid until the question is answered */
};

/* Eats a payload that the transport routed to auth. An error is fatal: auth_server_fault. */
enum err auth_server_recv(struct auth_server *a, struct slice payload,
                          struct auth_server_event *event) MUST_USE;
/*
 * Answers WHO: methods is the comma list that FAILURE names from now on ("publickey,password", may
 * be empty: nothing helps), banner is shown before the first answer (empty: none). The request
 * that raised WHO goes on, so *event may be the next question at once. Both are copied; methods
 * beyond AUTH_SERVER_METHODS_MAX and a banner beyond AUTH_SERVER_BANNER_MAX are cut off (none).
 */
enum err auth_server_answer_who(struct auth_server *a, struct slice methods, struct slice banner,
                                struct auth_server_event *event) MUST_USE;

/*
 * NO: one failure more. YES: SUCCESS, or PK_OK to a query. PARTIAL: that was right and is not
 * enough: methods is the list from now on, and nothing is counted; PK_OK to a query, too. methods
 * is looked at with PARTIAL only. ERR_LIMIT: that was one failure too many, fatal.
 */
enum auth_verdict { AUTH_VERDICT_NO, AUTH_VERDICT_YES, AUTH_VERDICT_PARTIAL };
enum err auth_server_answer(struct auth_server *a, enum auth_verdict verdict,
                            struct slice methods) MUST_USE;

/*
 * Answers INTERACTIVE or RESPONSES by another question to the user: body is INFO_REQUEST behind
 * its number (RFC 4256 3.2). Then an INFO_RESPONSE may come, or another request.
 */
enum err auth_server_prompt(struct auth_server *a, struct slice body) MUST_USE;
struct fault auth_server_fault(const struct auth_server *a);

/* True once SUCCESS is queued; nothing more is fed. */
bool auth_server_is_done(const struct auth_server *a);
bool auth_server_is_asking(const struct auth_server *a);
/* The user name of the first request, "" before. Lives as long as the machine. */
const char *auth_server_user(const struct auth_server *a);

bool auth_server_next_payload(struct auth_server *a, struct slice *payload);
void auth_server_payload_taken(struct auth_server *a);

#endif
