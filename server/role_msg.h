/*
 * The fixed-format messages between the roles of aditd: struct <-> bytes. A message is its number
 * and the fields its row names; each field has a cap, and a row says who may send it to whom. Who
 * reads treats the bytes as hostile. It has its own small encoding, as the supervisor, who uses
 * it, links no protocol floor.
 */
#ifndef ADIT_SERVER_ROLE_MSG_H
#define ADIT_SERVER_ROLE_MSG_H

#include "base/buf.h"

enum role {
    ROLE_SUPERVISOR,
    ROLE_SIGN,
    ROLE_PRE,
    ROLE_AUTHZ,
    ROLE_WORK,
    ROLE_SESSION,
    ROLE_RESOLVE,
    ROLE_ZYGOTE,
    ROLE_STORE, /* a sealed file that the supervisor wrote: see ROLE_MSG_TICKET */
    ROLE_COUNT,
};

enum role_msg_kind {
    ROLE_MSG_HOST_KEY = 1, /* a host key's public half: type, key */
    ROLE_MSG_READY,        /* aditd-sign: all keys were told; aditd-pre: warm and locked in */
    ROLE_MSG_FORK,         /* to a zygote, with a descriptor: make a child that speaks over it */
    ROLE_MSG_FORKED,       /* its answer: tag, pid; pid 0: it could not */
    ROLE_MSG_ENDED,        /* a zygote's child ended: pid, status, signal_number */
    ROLE_MSG_KILL,         /* to a zygote: end this child of yours; to aditd-sign: end */
    ROLE_MSG_SANDBOX,      /* to a zygote's child, first of all: what to become */
    ROLE_MSG_START,        /* to aditd-pre, behind its HOST_KEYs: who connected to where */
    ROLE_MSG_SIGN,         /* question: sign hash with key by algorithm */
    ROLE_MSG_SIGNATURE,    /* its answer; empty: refused */
    ROLE_MSG_PROVE,        /* question: prove that we hold key (hostkeys-prove-00@openssh.com) */
    ROLE_MSG_PROOF,        /* its answer; empty signature: refused */
    ROLE_MSG_WHO,          /* question: who is this user? */
    ROLE_MSG_ACCOUNT,      /* aditd-authz's answer, before it reads any file of the account's */
    ROLE_MSG_METHODS,      /* to aditd-pre: what the user may log in by (text), and the banner */
    ROLE_MSG_AUTH,         /* aditd-pre's question: does this log the user in? */
    ROLE_MSG_AUTHZ,        /* the same from the supervisor, with what it knows itself */
    ROLE_MSG_PROMPT,       /* the answer is another question, to the user: body */
    ROLE_MSG_RESPONSE,     /* what the user said to it: body */
    ROLE_MSG_ANSWER,       /* the answer to AUTH and AUTHZ */
    ROLE_MSG_HANDOVER,     /* aditd-pre's last: the transport's state after USERAUTH_SUCCESS */
    ROLE_MSG_ADOPT,        /* to a worker, with socket, options and ticket: this one is yours */
    ROLE_MSG_ADOPTED,      /* its answer: it has the descriptors */
    ROLE_MSG_TICKET,       /* what the supervisor knows of a login, in a file sealed by it */
    ROLE_MSG_REGISTER,     /* to a supervisor that was started anew: a worker, aditd-sign */
    ROLE_MSG_HELD,         /* behind a worker's REGISTER, with its ticket: a connection it has */
    ROLE_MSG_CLOSED,       /* a worker's: this connection has ended */
    ROLE_MSG_OPTIONS,      /* to a worker, with a descriptor: a connection's options are new */
    ROLE_MSG_BIND,         /* a worker's question: a privileged port to listen on */
    ROLE_MSG_BOUND,        /* its answer, with the descriptor; error_number: why not */
    ROLE_MSG_RESOLVER,     /* to aditd-resolve or a worker, with a descriptor: speak over this */
    ROLE_MSG_SESSION,      /* a worker's question, with a descriptor: start this session */
    ROLE_MSG_LAUNCH,       /* the same to aditd-session, with what the supervisor knows itself */
    ROLE_MSG_STARTED,      /* to the worker: its descriptors (terminal; or stdin, stdout, stderr) */
    ROLE_MSG_SIGNAL,       /* a worker's wish: this signal to the session's processes */
    ROLE_MSG_EXITED,       /* to the worker: how the command ended. The last message */
    ROLE_MSG_JOIN,         /* a worker's question: to share the listener that the connection with
                              session_id has; then the same to that one's worker: lend it.
                              The answer is BOUND */
    ROLE_MSG_LENT,         /* its answer, with the descriptors; error_number: why not */
};

#define ROLE_MSG_MAX           65536
#define ROLE_MSG_KEY_MAX       16384
#define ROLE_MSG_SIGNATURE_MAX 4096
#define ROLE_MSG_USER_MAX      255
#define ROLE_MSG_NAME_MAX      64
#define ROLE_MSG_HASH_MAX      64
#define ROLE_MSG_ADDRESS_MAX   64
#define ROLE_MSG_HOST_MAX      255
#define ROLE_MSG_PATH_MAX      1024
#define ROLE_MSG_OPTIONS_MAX   8192
#define ROLE_MSG_TEXT_MAX      1024
#define ROLE_MSG_COMMAND_MAX   24576
#define ROLE_MSG_MODES_MAX     1024
#define ROLE_MSG_ENVIRON_MAX   8192
#define ROLE_MSG_PASSWORD_MAX  1024
#define ROLE_MSG_BODY_MAX      16384
#define ROLE_MSG_GROUPS_MAX    4096  /* bytes: 1024 numbers */
#define ROLE_MSG_NAMES_MAX     16384 /* of groups, NUL behind each */
#define ROLE_MSG_USED_MAX      16384 /* keys that logged in already: u32 length, blob; each */
#define ROLE_MSG_RECORD_MAX    49152

enum role_session_kind { ROLE_SESSION_SHELL, ROLE_SESSION_EXEC, ROLE_SESSION_SUBSYSTEM };

enum role_auth_method { ROLE_AUTH_PUBLICKEY, ROLE_AUTH_PASSWORD, ROLE_AUTH_INTERACTIVE };

/* Fields that a kind does not have are empty. Slices borrow from the bytes that were decoded. */
struct role_msg {
    enum role_msg_kind kind;
    uint32_t connection;    /* the supervisor's number */
    uint32_t tag;           /* of a question, echoed by its answer */
    struct slice key;       /* a public key blob: the host's, or the one offered */
    struct slice name;      /* key type or signature algorithm; ANSWER: who asked interactively */
    struct slice hash;      /* 32, 48 or 64 bytes */
    struct slice signature; /* empty: none */
    struct slice user, service;
    uint32_t method;                      /* enum role_auth_method */
    uint32_t is_hostbound, has_signature; /* 0 or 1 */
    struct slice password;
    struct slice body;     /* PROMPT: the fields of RFC 4256 3.2, RESPONSE: those of 3.4 */
    struct slice host_key; /* AUTHZ: the key this connection was signed with */
    struct slice session_id;
    struct slice used_keys;              /* AUTHZ: keys of earlier steps (AuthenticationMethods) */
    struct slice address, local_address; /* numeric text, or "UNKNOWN" */
    struct slice host; /* the peer's name where UseDNS found one, or the address */
    uint32_t port, local_port;
    uint32_t is_allowed;      /* 0 or 1 */
    uint32_t is_partial;      /* ANSWER to aditd-pre: one step is done, text are the next methods */
    struct slice options;     /* ANSWER: what restricts the login, as options of authorized_keys;
                                 AUTHZ: the same of the steps before */
    struct slice fingerprint; /* ANSWER: "ED25519 SHA256:..." */
    struct slice text;        /* ANSWER: why not, for the log */
    /* ACCOUNT, SANDBOX, TICKET: whose uid. */
    uint32_t is_known; /* ACCOUNT: there is such an account, and it may be used at all */
    uint32_t has_uid;  /* SANDBOX: become uid, gid, groups. 0: stay who you are */
    uint32_t uid, gid;
    struct slice groups;      /* u32 each */
    struct slice group_names; /* with a NUL behind each */
    struct slice root;        /* SANDBOX: the new root directory; empty: stay */
    /* Processes. */
    uint32_t pid, status_ended; /* status_ended: exit status, where signal_number is 0 */
    struct slice record;        /* HANDOVER, ADOPT: transport_export's */
    struct slice unit;          /* TICKET, REGISTER: what shares a worker (Isolation) */
    uint32_t error_number;
    /* SESSION, LAUNCH. LAUNCH has the login's user, key, options and addresses, too. */
    uint32_t session_kind; /* enum role_session_kind */
    struct slice command;  /* EXEC: the command; SUBSYSTEM: its name */
    uint32_t has_pty;      /* 0 or 1 */
    struct slice term;
    uint32_t columns, rows, width_px, height_px;
    struct slice modes;       /* RFC 4254 8 */
    struct slice environment; /* NAME=VALUE, each with a NUL behind it */
    struct slice agent_path;  /* the forwarded agent's socket; empty: none */
    uint32_t signal_number;   /* SIGNAL; ENDED */
    uint32_t status;          /* EXITED: the exit status, if signal_name is empty */
    struct slice signal_name; /* EXITED: "TERM"; RFC 4254 6.10 */
    uint32_t is_core;         /* 0 or 1 */
};

/* Appends the message; ERR_LIMIT: a field beyond its cap, or out's cap. */
enum err role_msg_encode(const struct role_msg *m, struct buf *out) MUST_USE;

/*
 * ERR_FORMAT: no such message, a field that may not be so, bytes left over; ERR_TRUNCATED;
 * ERR_LIMIT: a field beyond its cap; ERR_PROTOCOL: not from this role to that one.
 */
enum err role_msg_decode(struct slice bytes, enum role from, enum role to,
                         struct role_msg *m) MUST_USE;

#endif
