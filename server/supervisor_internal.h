/*
 * What the supervisor's rooms share: supervisor.c (listeners, signals, life), signer.c
 * (aditd-sign), connection.c (a connection from accept to hand-over), connection_auth.c (its login
 * questions), connection_launch.c (its sessions), connection_join.c (listeners
 * of several connections), workers.c (aditd-work), comeback.c (workers that
 * outlived another supervisor), resolver.c (aditd-resolve).
 */
#ifndef ADIT_SERVER_SUPERVISOR_INTERNAL_H
#define ADIT_SERVER_SUPERVISOR_INTERNAL_H

#include "base/list.h"
#include "io/child.h"
#include "io/listener.h"
#include "server/admission.h"
#include "server/auth_methods.h"
#include "server/crash_guard.h"
#include "server/offspring.h"
#include "server/penalty.h"
#include "server/session_order.h"
#include "server/supervisor.h"

#define HOST_KEYS_MAX   32
#define PRE_READY       4   /* processes that wait for a connection */
#define CONNECTIONS_MAX 256 /* of one worker */
#define WORKERS_IDLE    8   /* that wait for their account to come again */
#define ID_CHAINS       1024

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
    struct loop_timer *sign_patience; /* while one that was there before is asked for */
    char *sign_path, *sign_text;      /* where it is found, and what its keys are known by */
    struct child *resolve;
    struct ipc *resolve_ipc; /* NULL: not started, or dead */
    uint64_t resolve_began_ms;
    struct host_key host_keys[HOST_KEYS_MAX];
    size_t host_key_count;
    struct zygotes *zygotes;
    uint32_t role_uid, role_gid; /* of unprivileged roles, if we are root */
    struct list ready;           /* struct pre_ready */
    unsigned ready_count;
    struct loop_timer *refill; /* of those */
    struct list workers;
    struct list idle_workers; /* those of them that wait, the longest first */
    unsigned idle_worker_count;
    struct list connections;
    struct list by_id[ID_CHAINS]; /* the same: every message names one */
    struct list waiting;          /* those that are not logged in */
    unsigned waiting_count;
    struct list joins; /* struct join, of connection_join.c */
    uint32_t last_join;
    struct list comers; /* processes that came by themselves and were not believed yet */
    unsigned comer_count;
    struct ipc_listener *comeback;
    char *comeback_path; /* NULL: none */
    struct crash_guard crashes;
    struct penalty_table *penalties;
    struct admission *sources; /* how many of each are not logged in */
    unsigned shards;           /* workers of one unit that share its connections: one a core */
    bool is_serving;           /* all keys are known, and it listens */
    bool is_ending, has_pid_file;
    int status;
    uint32_t last_id;
    struct log_limit drops;
    uint64_t open_files; /* the soft limit before it was raised; 0: it was not */
};

/* An aditd-pre that no connection has yet. */
struct pre_ready {
    struct list link;
    struct supervisor *supervisor;
    struct offspring *process;
};

/* An aditd-work: what tells its connections from those of others, and the way to it. */
struct worker {
    struct list link;
    struct supervisor *supervisor;
    struct buf identity; /* account, groups, unit */
    struct buf unit;
    char *user;
    uint32_t uid;
    struct offspring *process; /* NULL: it was there before this supervisor */
    struct ipc *ipc;           /* then */
    struct loop_turn end_turn; /* hangs up on one whose process is not ours to kill */
    unsigned connections;
    struct list members; /* the same, as struct connection */
    struct list idle_link;
    bool is_single;          /* for one connection: nobody else may come */
    struct loop_timer *idle; /* runs while it waits without a connection; NULL: it does not */
    bool is_leaving;         /* told to end */
};

/* A connection, from accept to its end. */
struct connection {
    struct list link;
    struct list id_link, waiting_link, member_link; /* of the lists that it is in, too */
    struct supervisor *supervisor;
    uint32_t id;
    char address[ROLE_MSG_ADDRESS_MAX], local_address[ROLE_MSG_ADDRESS_MAX];
    char *host; /* the peer's name, or its address */
    uint16_t port, local_port;
    struct session_order order;
    /* Before the hand-over. */
    struct offspring *pre;
    int in_fd, out_fd; /* ours until a worker has them; may be one; -1: none */
    struct loop_timer *grace;
    struct buf record; /* aditd-pre's, until a worker is told */
    bool is_cut;
    /* The login. */
    struct offspring *authz;
    bool is_authz_ready;   /* made while the keys are exchanged, and asked nothing yet */
    bool is_account_known; /* authz has said who it is: it waits for the question */
    struct buf question;   /* AUTHZ, until then */
    bool is_login;         /* the question that is out would log the user in */
    const char *method;    /* its name */
    bool is_first_refusal_said, has_tried;
    bool has_failed;         /* a try to log in was refused */
    enum penalty_kind fault; /* how it misbehaved, if it is not logged in at its end */
    struct source source;    /* counted until it is */
    bool is_counted;
    struct loop_timer *refusal; /* refusals leave on a grid of time */
    uint64_t asked_ms;
    int config_fd;                 /* effective for this user; -1 before WHO is answered */
    struct server_options options; /* the same */
    char *login;                   /* the name as it came, fixed by WHO; NULL before */
    char *user;                    /* the account it names */
    bool is_user_known;
    uint32_t uid, gid;
    struct buf groups; /* u32 each */
    struct string_list group_names;
    struct string_list steps; /* AuthenticationMethods: what was done */
    struct buf used_keys;
    /* Of the login that was allowed. */
    struct buf login_key, key_options, fingerprint;
    int ticket_fd;
    uint64_t ticket_number; /* tells it from every other ticket; 0: none yet */
    struct worker *worker;
    struct list launches;
    unsigned launch_count;
    uint64_t proved; /* a bit for each host key: each is proved once */
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
                                enum log_level level, const char *arguments[12]);
/* The account that unprivileged roles run as: SANDBOX for them. Borrows static text. */
void supervisor_role_sandbox(const struct supervisor *s, struct role_msg *m);
/* Each host key as a HOST_KEY message. */
enum err supervisor_tell_keys(const struct supervisor *s,
                              enum err (*send)(void *to, const struct role_msg *m),
                              void *to) MUST_USE;

/* signer.c: starts aditd-sign; supervisor_keys_known comes, or the supervisor ends. */
enum err signer_start(struct supervisor *s) MUST_USE;
/* is_kept: it waits for the next supervisor. */
void signer_end(struct supervisor *s, bool is_kept);
void signer_forget_keys(struct supervisor *s);
void signer_free(struct supervisor *s); /* after signer_end */
enum err signer_ask(struct supervisor *s, const struct role_msg *m) MUST_USE;
void supervisor_keys_known(struct supervisor *s);

/* connection.c */
/* in and out stay the caller's. from is "UNKNOWN" where there is no socket. */
void connection_start(struct supervisor *s, int in, int out, const char *from, uint16_t port);
struct connection *connection_new(struct supervisor *s, uint32_t id);
void connection_fill_ready(struct supervisor *s);
/* The same, as a timer's callback. */
void connection_refill(void *supervisor);
void connection_empty_ready(struct supervisor *s);
void connection_signed(struct supervisor *s, const struct role_msg *m);
void connection_proved(struct supervisor *s, const struct role_msg *m);
/* What its worker asks; the descriptors stay the caller's. */
void connection_worker_message(struct connection *c, const struct role_msg *m, const int *fds,
                               size_t fd_count);
struct connection *connection_find(struct supervisor *s, uint32_t id);
/* Who is at its two ends, into a message; borrows. */
void connection_add_ends(const struct connection *c, struct role_msg *m);
/* A connection that breaks the rules, or cannot be served. */
void connection_cut(struct connection *c, const char *why);
/* Its end, told to inetd mode and to an ending supervisor. */
void connection_ended(struct connection *c, int status);
/* The configuration is new. */
void connection_reload(struct connection *c);
void connection_free(struct connection *c);
/* How many are not logged in. */
unsigned connections_waiting(const struct supervisor *s);
void connections_init(struct supervisor *s);
/* session_order_step, and what follows from it. */
enum err connection_step(struct connection *c, enum session_step step) MUST_USE;
/* MaxStartups would drop a newcomer: one of a source that crowds the others out ends instead. */
bool connection_make_room(struct supervisor *s, const struct source *newcomer) MUST_USE;
bool connection_is_at_work(const struct connection *c);

/* connection_auth.c */
/* A process for the question that the key exchange will be followed by. */
void connection_prepare_question(struct connection *c);
void connection_on_who(struct connection *c, const struct role_msg *m);
void connection_on_auth(struct connection *c, const struct role_msg *m);
void connection_on_response(struct connection *c, const struct role_msg *m);
void connection_end_question(struct connection *c);
/* Names with a NUL behind each; what follows the last NUL is none. */
void connection_keep_groups(struct connection *c, struct slice names);
/* Facts and options of the user: config_fd and options. */
enum err connection_resolve(struct connection *c) MUST_USE;
enum err connection_keep(struct buf *to, struct slice bytes) MUST_USE;

/* connection_launch.c */
void connection_on_session(struct connection *c, const struct role_msg *m, const int *fds,
                           size_t fd_count);

/* connection_bind.c */
void connection_on_bind(struct connection *c, const struct role_msg *m);

/*
 * What it asks for, and the rest of its login's rights, permit that the supervisor listens at this
 * privileged port for it.
 */
bool connection_may_bind(const struct connection *c, const char *address, uint16_t port) MUST_USE;
/* Whether fd is bound to the port, at one of the addresses that GatewayPorts makes of `address`. */
bool connection_may_hold(const struct connection *c, const char *address, uint16_t port,
                         int fd) MUST_USE;

/* connection_join.c: a connection shares a listener of another one of the same login. */
void connection_on_join(struct connection *c, const struct role_msg *m);
void connection_on_lent(struct connection *c, const struct role_msg *m, const int *fds,
                        size_t fd_count);
/* It ends: what it asked for is dropped, what it was asked for is answered. */
void connection_leave_joins(struct connection *c);

/* workers.c */
/* Finds or makes the worker for a login, and gives the connection to it. */
enum err workers_adopt(struct connection *c) MUST_USE;
enum err worker_send(struct worker *w, const struct role_msg *m, const int *fds,
                     size_t fd_count) MUST_USE;
void worker_identity(uint32_t uid, uint32_t gid, struct slice groups, const char *user,
                     struct slice unit, struct buf *out);
/* One that came by itself. */
struct worker *worker_new(struct supervisor *s, const char *user, uint32_t uid);
void worker_message(struct worker *w, const struct role_msg *m, const int *fds, size_t fd_count);
/* It has the connection from here on. */
void worker_add(struct worker *w, struct connection *c);
/* A connection of it has ended: without any it waits for a while, or is let go. */
void worker_release(struct worker *w);
void worker_lost(struct worker *w, uint32_t status, uint32_t signal_number);
/* It is there until its end is told, in a later turn. */
void worker_kill(struct worker *w, int signal_number);
void worker_free(struct worker *w);

/* resolver.c: before any worker wants it. */
enum err resolver_start(struct supervisor *s) MUST_USE;
/* Joins a worker to aditd-resolve. */
enum err resolver_introduce(struct supervisor *s, struct worker *w) MUST_USE;
void resolver_end(struct supervisor *s);

/* comeback.c */
enum err comeback_listen(struct supervisor *s) MUST_USE;
void comeback_close(struct supervisor *s);

#endif
