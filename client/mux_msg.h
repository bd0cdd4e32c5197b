/*
 * The messages of OpenSSH's multiplexing protocol, version 4 (PROTOCOL.mux): bytes <-> struct, one
 * table of forms for both directions. Pure.
 *
 * Three things are as OpenSSH's programs have them and its document does not: flags are 32 bits
 * wide, a port is a number, and -O conninfo and -O channels (10.3 and later) are the request
 * 0x20000001, answered by 0x90000001, announced by the extension "info".
 */
#ifndef ADIT_CLIENT_MUX_MSG_H
#define ADIT_CLIENT_MUX_MSG_H

#include "config/forward_spec.h"
#include "config/string_list.h"
#include "wire/writer.h"

#define MUX_VERSION   4
#define MUX_FRAME_MAX (256 * 1024)
#define MUX_PORT_UNIX 0xfffffffeu /* the host beside it is a path */
#define MUX_NO_ESCAPE 0xffffffffu
#define MUX_ENV_MAX   1024

/* Their numbers are in the table. */
enum mux_type {
    MUX_HELLO,
    MUX_NEW_SESSION,
    MUX_ALIVE_CHECK,
    MUX_TERMINATE,
    MUX_OPEN_FORWARD,
    MUX_CLOSE_FORWARD,
    MUX_NEW_STDIO,
    MUX_STOP_LISTENING,
    MUX_PROXY,
    MUX_ASK_INFO,
    MUX_OK,
    MUX_DENIED,
    MUX_FAILURE,
    MUX_EXIT,
    MUX_ALIVE,
    MUX_SESSION_OPENED,
    MUX_REMOTE_PORT,
    MUX_TTY_FAILED,
    MUX_PROXY_READY,
    MUX_INFO,
};

enum mux_forward { MUX_FORWARD_LOCAL = 1, MUX_FORWARD_REMOTE = 2, MUX_FORWARD_DYNAMIC = 3 };

/* Which fields a message has is its row in the table. Slices borrow from what was decoded. */
struct mux_msg {
    enum mux_type type;
    uint32_t request;  /* its id; HELLO: the version */
    uint32_t session;  /* SESSION_OPENED, EXIT, TTY_FAILED */
    uint32_t value;    /* EXIT: status; ALIVE: pid; REMOTE_PORT: port; NEW_STDIO: port */
    struct slice text; /* FAILURE, DENIED: why; NEW_STDIO: host; ASK_INFO, INFO */
    /* NEW_SESSION */
    bool wants_tty, wants_x11, wants_agent, is_subsystem;
    uint32_t escape;
    struct slice term, command;
    struct slice environment; /* strings, one behind the other: mux_environment */
    /* OPEN_FORWARD, CLOSE_FORWARD */
    uint32_t forward;
    struct slice listen_host, connect_host;
    uint32_t listen_port, connect_port;
};

/* ERR_UNSUPPORTED: nobody knows the type (*m has it, and the request id, if there is one);
 * ERR_FORMAT, ERR_TRUNCATED. */
enum err mux_msg_decode(struct slice frame, struct mux_msg *m) MUST_USE;
/* Appends. ERR_LIMIT. */
enum err mux_msg_encode(const struct mux_msg *m, struct buf *out) MUST_USE;

/* NAME=VALUE strings; ERR_LIMIT: more than MUX_ENV_MAX. */
enum err mux_environment(const struct mux_msg *m, struct string_list *out) MUST_USE;
void mux_environment_put(struct buf *to, const struct string_list *from);

/* A forward as a message has it. ERR_FORMAT: no such kind, a port above 65535, a NUL in a name. */
enum err mux_forward_spec(const struct mux_msg *m, struct forward_spec *spec) MUST_USE;
/* Borrows from spec. */
void mux_forward_put(struct mux_msg *m, const struct forward_spec *spec);

#endif
