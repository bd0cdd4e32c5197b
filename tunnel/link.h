/*
 * One SSH connection: stream + transport + auth + conn. It carries payloads between the machines,
 * flushes once a turn, keeps the connection alive, and dies once, with one reason. Here, and only
 * in this floor, the protocol meets sockets.
 *
 * What happens comes to the owner as values through one function. Inside it the owner may call
 * anything here but link_free. Channels speak to their users through struct channel_ops.
 */
#ifndef ADIT_TUNNEL_LINK_H
#define ADIT_TUNNEL_LINK_H

#include "auth/auth_client.h"
#include "conn/conn.h"
#include "io/stream.h"
#include "transport/transport.h"
#include "tunnel/schedule.h"

struct link;

/*
 * Who uses a channel: a splice, the SOCKS handshake before it, a session. The user's struct begins
 * with struct channel_user. A NULL function is an event the user does not care for. The second of
 * the house's two tables of function pointers.
 */
struct channel_user;
struct channel_ops {
    void (*opened)(struct channel_user *u);
    void (*open_failed)(struct channel_user *u, uint32_t reason, struct slice text);
    /* Bytes that live until `flush`, which comes once all packets that were read are served. */
    void (*data)(struct channel_user *u, struct slice bytes);
    void (*extended_data)(struct channel_user *u, uint32_t code, struct slice bytes);
    void (*flush)(struct channel_user *u);
    /* Its turn to send: after link_want_turn, or when what link_fill or link_has_room missed is
     * there. */
    void (*writable)(struct channel_user *u);
    void (*eof)(struct channel_user *u);
    void (*closed)(struct channel_user *u);
    /* True: success, if the peer wants a reply. */
    bool (*request)(struct channel_user *u, struct slice type, struct slice body);
    /* In its place, for who answers later: channel_reply, in order, to those that want one. */
    void (*request_later)(struct channel_user *u, struct slice type, struct slice body,
                          bool want_reply);
    void (*reply)(struct channel_user *u, bool success);
    /* The link is dead: the channel is gone already; the user frees itself. Last event. */
    void (*lost)(struct channel_user *u);
};
struct channel_user {
    const struct channel_ops *ops;
    struct link *link;
    struct channel *channel;
    struct schedule_item turn; /* in the link's schedule while it has something to send */
    bool is_starved;           /* it had something, but no window: WINDOW_ADJUST gives it a turn */
    struct list gathering;     /* in the link's list while `flush` is due */
};
void channel_user_init(struct channel_user *u, const struct channel_ops *ops, struct link *link,
                       struct channel *channel);
/* channel_close, and out of the link's lists. u may be freed afterwards. */
void channel_user_close(struct channel_user *u);
/* Out of the link's lists, but the channel lives on: another user has it. */
void channel_user_leave(struct channel_user *u);
/* It waits for its turn, or for window. */
bool channel_user_waits(const struct channel_user *u);

enum link_event_kind {
    LINK_IDENT,          /* text = the peer's identification */
    LINK_STRAY_LINE,     /* client: text = a line before it */
    LINK_BANNER,         /* client: text = the authentication banner, lines */
    LINK_SERVER_KEY,     /* client: question: link_trust */
    LINK_NEED_SIGNATURE, /* server: question: link_give_signature; text = exchange hash */
    LINK_SECURED,        /* client: link_start_auth_client is due */
    LINK_AUTH,           /* auth_client: a question (link_answer_auth), or what happened. Behind
                            AUTH_CLIENT_FAILED the link ends. */
    LINK_UP,             /* authentication succeeded; of an adopted link: its first turn */
    LINK_REKEYED,
    LINK_GLOBAL_REQUEST, /* name, body; if want_reply: link_reply(request) */
    LINK_GLOBAL_REPLY,   /* cookie, success, body */
    LINK_OPEN_REQUEST,   /* channel, name = type, body: link_accept or link_refuse */
    LINK_NO_CHANNELS,    /* the last channel is gone: both sides have closed it */
    LINK_DEBUG,          /* text = the peer's DEBUG message; always_display */
    LINK_DOWN,           /* fault; by_peer: text = its DISCONNECT. Once, last. Free it later. */
};
struct link_event {
    enum link_event_kind kind;
    struct slice text, name, body;
    struct channel *channel;
    const struct auth_client_event *auth_client;
    bool want_reply, success, by_peer, always_display;
    uint64_t request, cookie;
    struct fault fault;
};
typedef void link_owner(void *owner, const struct link_event *event);

/* What windows may grow to, 0 for the usual: of a channel, of all of them, of the process. */
struct link_window {
    uint32_t most;
    uint64_t total;
    struct window_budget *process; /* borrowed, outlives the link; NULL: none */
};

struct link_config {
    struct loop *loop;
    const struct transport_config *transport; /* borrowed, outlives the link */
    struct transport *adopted; /* taken over, already authenticated (a server's); NULL: begin */
    link_owner *event;
    void *owner;
    uint32_t alive_interval_s; /* ServerAliveInterval, ClientAliveInterval; 0: off */
    uint32_t alive_count_max;
    struct link_window window;
};

/* What a TCP socket needs before it carries a link: no Nagle, a short queue in the kernel. */
void link_tune_stream(struct stream *s);
/* stream_set_tos of the link's own stream. */
void link_set_tos(struct link *l, int tos);

/* ServerAliveInterval, ClientAliveInterval from now on. */
void link_set_alive(struct link *l, uint32_t interval_s, uint32_t count_max);

/* The sizes from now on; the process stays the same. */
void link_set_window(struct link *l, uint32_t most, uint64_t total);

/* Takes over the stream (a descriptor stream, or a channel that behaves as one). */
struct link *link_new(const struct link_config *config, struct stream *stream) MUST_USE;
/* Ends what is left without ceremony; not inside the owner's event function. NULL allowed. */
void link_free(struct link *l);

/* ---- answers ---- */
void link_trust(struct link *l, bool trusted);
void link_give_signature(struct link *l, struct slice signature);
/* What config points to is borrowed until authentication ends; session_id and server_key are filled
 * in here. */
struct auth_client *link_auth_client(struct link *l, const struct auth_client_config *config);
void link_start_auth_client(struct link *l);
void link_answer_auth(struct link *l, const struct auth_client_answer *answer);
void link_reply(struct link *l, uint64_t request, bool success, struct slice body);

/* ---- the connection protocol ---- */
bool link_is_up(const struct link *l);
void link_global_request(struct link *l, const char *name, bool want_reply, struct slice body,
                         uint64_t cookie);
/* The user hears of the channel's life. ERR_LIMIT: too many channels; ERR_EOF: the link is down. */
enum err link_open(struct link *l, const char *type, struct slice body, struct channel_user *u,
                   const struct channel_ops *ops) MUST_USE;
void link_accept(struct link *l, struct channel *ch, struct channel_user *u,
                 const struct channel_ops *ops);
void link_refuse(struct link *l, struct channel *ch, uint32_t reason, const char *text);
/* Tells the peer something a person may read (DEBUG, always displayed). */
void link_say(struct link *l, const char *text);

/*
 * A stream of the user's is readable: at the end of this turn of the loop, or when the link takes
 * more, `writable` comes, in an order that is fair by bytes and serves newcomers first. s is not
 * polled until link_fill has read it.
 */
void link_want_turn(struct channel_user *u, struct stream *s);
/* The same for one whose bytes lie in memory: what it sends is told by schedule_spent. */
void link_user_wants_turn(struct channel_user *u);
/*
 * THE data path, in a turn of the user's: reads from s straight into packet slots, seals in place.
 * OK: *n bytes went; ERR_AGAIN, ERR_EOF, ERR_IO: as stream_read; ERR_LIMIT: no window, no room or
 * an exchange runs. Sees to it that s is polled again once it was read empty, and that else the
 * next turn comes by itself.
 */
enum err link_fill(struct channel_user *u, struct stream *s, size_t *n) MUST_USE;
/*
 * Whether something small may be queued on the channel now (channel_send_stderr), so that a source
 * that has no packet slots waits as those do. If not, `writable` comes when it is worth trying.
 */
bool link_has_room(struct channel_user *u);
/* Something was queued on a channel: the flush at the end of the turn sends it. */
void link_touch(struct link *l);
/* The user has bytes of this turn gathered: its flush comes. */
void link_gather(struct channel_user *u);

/* ---- the end ---- */

/* Ends it for a reason of the owner's. Acts once; LINK_DOWN comes at the end of the turn. */
void link_fail(struct link *l, enum err code, uint32_t reason, const char *text);
/* A polite end: all that is queued is sent first, then DISCONNECT; LINK_DOWN with ERR_CANCELLED. */
void link_disconnect(struct link *l, const char *text);

struct transport *link_transport(struct link *l);
struct conn *link_conn(struct link *l);
struct stream *link_stream(struct link *l);
struct loop *link_loop(struct link *l);
void *link_owner_of(const struct link *l);

#endif
