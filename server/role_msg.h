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
    ROLE_AUTHZ,
    ROLE_WORK,
    ROLE_SESSION,
    ROLE_COUNT,
};

enum role_msg_kind {
    ROLE_MSG_HOST_KEY = 1, /* a host key's public half: type, key */
    ROLE_MSG_READY,        /* aditd-sign: all keys were told */
    ROLE_MSG_START,        /* to a worker, behind its HOST_KEYs: who connected to where */
    ROLE_MSG_SIGN,         /* question: sign hash with key by algorithm */
    ROLE_MSG_SIGNATURE,    /* its answer; empty: refused */
    ROLE_MSG_AUTH,         /* a worker's question: may this key log this user in? */
    ROLE_MSG_AUTHZ,        /* the same from the supervisor, with what it knows itself */
    ROLE_MSG_ANSWER,       /* the answer to both */
    ROLE_MSG_SESSION,      /* a worker's question, with a descriptor: start this session */
    ROLE_MSG_LAUNCH,       /* the same to aditd-session, with what the supervisor knows itself */
    ROLE_MSG_STARTED,      /* to the worker: its descriptors (terminal; or stdin, stdout, stderr) */
    ROLE_MSG_SIGNAL,       /* a worker's wish: this signal to the session's processes */
    ROLE_MSG_EXITED,       /* to the worker: how the command ended. The last message */
};

#define ROLE_MSG_MAX           65536
#define ROLE_MSG_KEY_MAX       16384
#define ROLE_MSG_SIGNATURE_MAX 4096
#define ROLE_MSG_USER_MAX      255
#define ROLE_MSG_NAME_MAX      64
#define ROLE_MSG_HASH_MAX      64
#define ROLE_MSG_ADDRESS_MAX   64
#define ROLE_MSG_OPTIONS_MAX   8192
#define ROLE_MSG_TEXT_MAX      1024
#define ROLE_MSG_COMMAND_MAX   24576
#define ROLE_MSG_MODES_MAX     1024
#define ROLE_MSG_ENVIRON_MAX   8192

enum role_session_kind { ROLE_SESSION_SHELL, ROLE_SESSION_EXEC, ROLE_SESSION_SUBSYSTEM };

/* Fields that a kind does not have are empty. Slices borrow from the bytes that were decoded. */
struct role_msg {
    enum role_msg_kind kind;
    uint32_t connection;    /* the supervisor's number */
    struct slice key;       /* a public key blob: the host's, or the one offered */
    struct slice name;      /* key type or signature algorithm */
    struct slice hash;      /* 32, 48 or 64 bytes */
    struct slice signature; /* empty: none */
    struct slice user, service;
    uint32_t is_hostbound, has_signature; /* 0 or 1 */
    struct slice host_key;                /* AUTHZ: the key this connection was signed with */
    struct slice session_id;
    struct slice address, local_address; /* numeric text, or "UNKNOWN" */
    uint32_t port, local_port;
    uint32_t is_allowed;      /* 0 or 1 */
    struct slice options;     /* ANSWER: the options of the authorized_keys line */
    struct slice fingerprint; /* ANSWER: "ED25519 SHA256:..." */
    struct slice text;        /* ANSWER: why not, for the log */
    /* SESSION, LAUNCH. LAUNCH has the login's user, key, options and addresses, too. */
    uint32_t session_kind; /* enum role_session_kind */
    struct slice command;  /* EXEC: the command; SUBSYSTEM: its name */
    uint32_t has_pty;      /* 0 or 1 */
    struct slice term;
    uint32_t columns, rows, width_px, height_px;
    struct slice modes;       /* RFC 4254 8 */
    struct slice environment; /* NAME=VALUE, each with a NUL behind it */
    uint32_t signal_number;   /* SIGNAL */
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
