/*
 * A master of a shared connection and its clients, as mux_master.c (who comes, what is asked) and
 * mux_serve.c (what is done about it) share them.
 */
#ifndef ADIT_CLIENT_MUX_CONN_H
#define ADIT_CLIENT_MUX_CONN_H

#include "client/internal.h"
#include "client/mux_msg.h"
#include "client/mux_proxy.h"
#include "io/frames.h"
#include "io/listener.h"
#include "tunnel/splice.h"

struct mux_master {
    struct client *client;
    struct frames_place place;
    struct listener *listener; /* NULL: stopped */
    struct loop_signal *winch; /* a client's terminal has another size */
    struct list conns;
    unsigned count;
};

struct mux_conn {
    struct mux_master *master;
    struct list link;
    struct loop_turn turn;
    struct frames *frames;
    bool got_hello, is_ending;
    bool is_kept; /* `ask` holds a request of kept_type */
    enum mux_type kept_type;
    uint32_t request;
    struct buf ask; /* the request that waits for descriptors, or for the person's yes */
    int fds[FRAMES_FDS_MAX];
    size_t fd_count;
    struct child *asking; /* ControlMaster ask */
    struct session *session;
    uint32_t session_id;
    struct channel_user stdio; /* -W, until it is open */
    bool has_stdio;
    struct splice *splice;
    const struct forward *forward; /* whose answer it waits for */
    struct mux_proxy *proxy;       /* it speaks the connection protocol now */
};

/* ---- mux_master.c ---- */

/* At the end of the turn, so that nobody is freed under a running caller. */
void mux_conn_end(struct mux_conn *n);

/* ---- mux_serve.c ---- */

/* A request that is allowed and has its descriptors (n->fds). */
void mux_serve(struct mux_conn *n, const struct mux_msg *m);
void mux_answer(struct mux_conn *n, struct mux_msg m);
void mux_answer_text(struct mux_conn *n, enum mux_type type, uint32_t request, const char *text);
/* FAILURE, with the reason. */
void mux_refuse(struct mux_conn *n, uint32_t request, const char *why);

#endif
