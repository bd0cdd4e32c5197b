/*
 * The inside of a link, shared by its rooms alone: link.c (life, death, the owner's calls),
 * link_send.c (payloads out, whose turn it is, the data path), link_events.c (what comes in) and
 * link_alive.c (probes: is the peer there, how far is it).
 */
#ifndef ADIT_TUNNEL_LINK_INTERNAL_H
#define ADIT_TUNNEL_LINK_INTERNAL_H

#include "base/list.h"
#include "tunnel/link.h"
#include "tunnel/pace.h"
#include "tunnel/round_trip.h"

#define LINK_READ_MIN  (16 * 1024)
#define LINK_READ_MAX  (512 * 1024)
#define LINK_BATCH_MIN (32 * 1024)
#define LINK_BATCH_MAX (512 * 1024)

/* Cookies of global requests; client/host_keys_update.c has the one between. */
#define COOKIE_KEEPALIVE UINT64_MAX
#define COOKIE_MEASURE   (UINT64_MAX - 2)

struct link {
    struct link_config config;
    struct loop *loop;
    struct stream *stream;
    struct transport *transport;
    struct auth_client *auth_client;
    struct conn *conn;
    struct loop_turn turn;
    struct loop_timer *timer;
    struct schedule schedule; /* users that have something to send */
    struct list gathering;    /* users whose `flush` is due */
    size_t read_size;
    size_t batch;     /* what is sealed before it is written */
    uint64_t written; /* bytes the socket ever took */
    struct pace pace;
    bool up;
    bool is_fresh; /* adopted, and not gone up yet */
    bool blocked;  /* the socket did not take all: nothing more is sealed until it has */
    bool serving;  /* inside the drain of events */
    bool giving;   /* turns: what is sealed now is written behind them */
    bool asking;   /* an authentication question is out: nothing more is fed */
    bool leaving;  /* link_disconnect: send what is queued, then go */
    bool dead, said_down;
    bool by_peer;
    bool had_channels; /* at the end of the last turn */
    struct fault fault;
    char *peer_text;
    uint64_t last_heard_ms, leaving_until_ms;
    uint64_t alive_due_ms;
    uint64_t write_failed_ms; /* when a broken write ends the link, if reading has not; 0: none */
    unsigned alive_unanswered;
    struct round_trip round_trip;
};

/* ---- link.c ---- */
extern const char link_closed_by_peer[];
/* Ends it, once, at the end of this turn; what the transport sends as last words was sealed. */
void link_die(struct link *l, struct fault fault);
void link_tell(struct link *l, struct link_event event); /* to the owner */
/* The login succeeded: channels may come. */
void link_go_up(struct link *l);

/* ---- link_send.c ---- */
/* The next control payload, of authentication or of channels; false: none. */
bool link_next_payload(struct link *l, struct slice *payload);
/* Seals what there is of control: before each fill and at the end of the turn. */
void link_send_control(struct link *l);
/* Nothing stands against sealing data now: not the socket, not an exchange, not the end. */
bool link_may_seal(const struct link *l);
/* Seals a batch of whoever is ready, writes it, and so on while the socket takes all. */
void link_give_turns(struct link *l);
/* Gives the socket what is sealed. False: it takes no more now. */
bool link_write_output(struct link *l);

/* ---- link_events.c ---- */
/* Drains the events of what was read. */
void link_serve_input(struct link *l);
void link_serve_auth_client(struct link *l);

/* ---- link_alive.c ---- */
void link_keep_alive(struct link *l, uint64_t now);
/* Tells conn the time, and how far the peer is. */
void link_tell_time(struct link *l);
void link_ask_round_trip(struct link *l);
void link_on_round_trip(struct link *l); /* an answer came */

#endif
