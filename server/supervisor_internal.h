/*
 * What supervisor.c (listeners, signals, life), signer.c (aditd-sign) and connection.c (a worker
 * and its questions) share.
 */
#ifndef ADIT_SERVER_SUPERVISOR_INTERNAL_H
#define ADIT_SERVER_SUPERVISOR_INTERNAL_H

#include "base/list.h"
#include "io/child.h"
#include "io/ipc.h"
#include "io/listener.h"
#include "server/role_msg.h"
#include "server/session_order.h"
#include "server/supervisor.h"

#define HOST_KEYS_MAX 32

struct host_key {
    struct buf type, blob;
};

struct supervisor {
    struct supervisor_setup setup;
    struct sshd_config *config;
    struct server_options options; /* the global ones */
    struct loop *loop;
    struct loop_signal *signals[3];
    struct loop_timer *end_timer;
    struct listener **listeners;
    size_t listener_count;
    struct child *sign;
    struct ipc *sign_ipc;
    struct host_key host_keys[HOST_KEYS_MAX];
    size_t host_key_count;
    bool is_serving; /* all keys are known, and it listens */
    bool is_ending, has_pid_file;
    int status;
    struct list connections;
    uint32_t last_id;
    uint64_t drops;
};

/* A connection: its worker, and the question that is out. */
struct connection {
    struct list link;
    struct supervisor *supervisor;
    uint32_t id;
    char address[ROLE_MSG_ADDRESS_MAX], local_address[ROLE_MSG_ADDRESS_MAX];
    uint16_t port, local_port;
    struct session_order order;
    struct child *worker;
    struct ipc *ipc;
    struct loop_timer *grace;
    /* The login question that is out. */
    struct child *authz;
    struct ipc *authz_ipc;
    bool has_signature, is_first_refusal_said;
    int config_fd; /* effective for this user; -1 before the first question */
    char *login;   /* the name as it came, fixed by the first question; NULL before */
    char *user;    /* the account it names */
    /* Of the login that was allowed, for its sessions. */
    struct buf login_key, key_options;
    struct list launches;
    unsigned launch_count, max_sessions;
    /* From what aditd-sign signed. */
    struct buf signing_hash, signing_key;
    struct buf session_id, host_key;
};

/* One session's launcher: its end is watched, so that they can be counted. */
struct launch {
    struct list link;
    struct connection *connection;
    struct child *child;
};

/* supervisor.c */
void supervisor_end(struct supervisor *s, int status);
void supervisor_child_arguments(const struct supervisor *s, enum program program,
                                enum log_level level, const char *arguments[8]);

/* signer.c: starts aditd-sign; supervisor_keys_known comes, or the supervisor ends. */
enum err signer_start(struct supervisor *s) MUST_USE;
void signer_end(struct supervisor *s);
enum err signer_ask(struct supervisor *s, const struct role_msg *m) MUST_USE;
void supervisor_keys_known(struct supervisor *s);

/* connection.c */
/* in and out stay the caller's. from is "UNKNOWN" where there is no socket. */
void connection_start(struct supervisor *s, int in, int out, const char *from, uint16_t port);
void connection_signed(struct supervisor *s, uint32_t id, struct slice signature);
/* The server ends: who is logged in is told, the others are cut. */
void connection_tell_end(struct connection *c);
void connection_free(struct connection *c);
unsigned connections_waiting(const struct supervisor *s);

#endif
