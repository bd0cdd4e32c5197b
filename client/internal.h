/*
 * One run of the client, as its rooms share it: client.c (the life), reach.c (getting there),
 * login.c (authentication), links.c (further connections), own_session.c (the session it was
 * started for), mux_master.c (the sessions of others), tell.c (what a person is told).
 */
#ifndef ADIT_CLIENT_INTERNAL_H
#define ADIT_CLIENT_INTERNAL_H

#include "client/agent_forward.h"
#include "client/client.h"
#include "client/mux_master.h"
#include "client/own_session.h"
#include "client/way.h"
#include "tunnel/forward.h"
#include "tunnel/tun_channel.h"

#define CLIENT_SIGNALS 3

struct host_keys_update;

struct client {
    const struct client_request *request;
    const struct client_options *options;
    struct crypto *crypto;
    struct rng *rng;
    struct loop *loop;
    struct window_budget windows; /* of all links */
    struct loop_signal *signals[CLIENT_SIGNALS];
    struct loop_timer *connect_timer, *retry_timer;
    struct way way;
    struct loop_turn prepare;      /* crypto and all that needs it, once the dial is on its way */
    struct loop_turn use_the_wait; /* the rest of it, once the key exchange is on its way */
    struct link *link;             /* the first, whose life is the run's */
    struct links *links;           /* the others (AditConnections); NULL: none is wanted */
    char *address;                 /* of the server, numeric; NULL through a proxy */
    struct transport_config transport;
    char *host_key_algorithms;            /* known types first */
    struct host_keys_update *keys_update; /* NULL: the server told nothing yet */
    bool may_learn_keys; /* UpdateHostKeys may build on how the server was trusted */
    char *ident;         /* with VersionAddendum */
    struct agent_forward *agent_forward; /* -A; NULL: none */
    struct login *login;                 /* login.c's own */
    struct forward_set forwards;
    struct tun_channel *tun; /* -w; NULL: none, or gone */
    char *tun_name;          /* of our device (%T), NULL: none */
    bool tun_asked;          /* and the server has not answered */
    char *stray_line;        /* the first line before the identification, escaped */
    char *methods;           /* what the server still took when authentication failed */
    struct own_session *own;
    struct mux_master *mux;           /* NULL: the connection is not shared */
    struct loop_timer *persist_timer; /* ControlPersist, while nobody uses it */
    bool ends_when_idle;              /* -O stop */
    uint64_t next_proxy_cookie;       /* mux_proxy.c's */
    int attempts_left;
    bool identified, ready, ending;
    bool has_waited; /* use_the_wait has let one turn pass */
    bool is_told;    /* why it ends: the link's fault says no more */
    bool has_begun;  /* all that the run is for is on its way: -f may settle */
    bool is_down;    /* the link is: what a session still has to deliver is waited for */
    bool has_left;   /* the server closed it, in order: a session that had its status keeps it */
    bool stdio_done; /* -W: both directions have ended here */
    int status;
};

/* ---- client.c ---- */

/* Ends the run with this exit status; politely, where there is a link. Acts once. */
void client_finish(struct client *c, int status);
/* The way is there: takes over the descriptors (the same number for a socket). */
void client_start_link(struct client *c, int read_fd, int write_fd);
/* A link over these descriptors by the run's options, whose events go to owner. */
struct link *client_new_link(struct client *c, int read_fd, int write_fd, link_owner *event,
                             void *owner) MUST_USE;
/* What windows of a link of ours may grow to. */
struct link_window client_window(struct client *c);
/* The session has its descriptors, and a master listens. */
void client_begun(struct client *c);
/* -f: goes to the background, once all that was asked for is settled. */
void client_settled(struct client *c);

/* A session, a client of ours or the last channel has gone: perhaps the run ends with it. */
void client_look_for_end(struct client *c);
/* Nobody may join any more: without a session of its own, the run ends with its last channel. */
void client_end_when_idle(struct client *c);
/* OpenSSH, or our own server: they know eow@openssh.com and no-more-sessions@openssh.com. */
bool client_peer_is_openssh(const struct client *c);

/* ---- reach.c ---- */

void reach_init(struct client *c);  /* its timers; c->loop is there */
void reach_begin(struct client *c); /* dials, or starts the proxy; ends in client_start_link */
void reach_done(struct client *c);
/* The key exchange is as good as done: ConnectTimeout no longer counts. */
void reach_arrived(struct client *c);

/* ---- login.c ---- */

void login_init(struct client *c); /* reads the keys, once, before login_start */
void login_done(struct client *c);
void login_start(struct client *c); /* the link is secured */
void login_event(struct client *c, const struct auth_client_event *e);
void login_tell_offered(const struct client *c);
/* The server ended it: if that was in the middle of a login, why that may be. */
void login_tell_cut(const struct client *c);

/* ---- login_again.c: the logins of further connections; nobody is asked ---- */

void login_again_start(struct client *c, struct link *link); /* the link is secured */
void login_again_event(struct client *c, struct link *link, const struct auth_client_event *e);
/* There are no further connections: what the login was done with is wiped. */
void login_forget(struct client *c);

/* ---- tell.c ---- */

void tell_down(struct client *c, const struct link_event *e);
void tell_debug(const struct link_event *e); /* LINK_DEBUG */
void tell_remote_refused(const struct forward *f, bool fatal);
/* RFC 4252 5.4: a text of the server's, line by line, with control bytes made harmless. */
void tell_banner(struct slice text);

/* ---- tun.c ---- */

void tun_begin(struct client *c); /* the link is up */
void tun_done(struct client *c);  /* before link_free */

/* ---- weak_crypto.c ---- */

void weak_crypto_tell(const struct client *c); /* the link is secured */

#endif
