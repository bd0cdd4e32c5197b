/*
 * The multiplexer (RFC 4254): global requests answered in order, channel opens, dispatch, and one
 * outgoing queue of control payloads with a cap. Eats payloads, yields events; DATA does not pass
 * through its queue (the data path writes it in place: channel_put_data_head).
 */
#ifndef ADIT_CONN_CONN_H
#define ADIT_CONN_CONN_H

#include "conn/channel.h"
#include "conn/window.h"

#define CHANNEL_MAX_PACKET 32768
/* Bytes behind the name of a request, or of an open, that still make a packet of the 256 KiB that
 * OpenSSH and aditd take. More ends the connection: who passes on what others said asks first. */
#define CHANNEL_BODY_MAX (254 * 1024)

struct conn;

struct conn_config {
    uint32_t max_channels;        /* 0: 16384 */
    uint32_t window;              /* granted to the peer per channel at first; 0: WINDOW_FIRST */
    uint32_t window_most;         /* and at most, where the line needs it; 0: WINDOW_MOST */
    uint64_t window_total;        /* of all channels; 0: WINDOW_CONNECTION */
    struct window_budget *budget; /* of the process; borrowed, outlives the conn; NULL: none */
    size_t control_cap;           /* bytes of queued control payloads; 0: 1 MiB */
};

struct conn *conn_new(const struct conn_config *config) MUST_USE;
void conn_free(struct conn *c); /* all channels too; NULL allowed */

/*
 * What time it is, and what a round trip to the peer takes without queues and did the last time (0:
 * not known): windows grow by them. Before payloads are fed and taken; monotonic microseconds.
 */
void conn_set_time(struct conn *c, uint64_t now_us, uint64_t round_trip_us, uint64_t last_us);
/* The peer reads ahead of the line as much as windows allow: window.h, sender_hoards. */
void conn_set_peer_hoards(struct conn *c, bool hoards);
/* window_most and window_total from now on; what was granted stays granted. */
void conn_set_window(struct conn *c, uint32_t most, uint64_t total);

enum conn_event_kind {
    CONN_NONE,
    CONN_GLOBAL_REQUEST,  /* name, body, want_reply; if so: conn_reply(request) once, any time */
    CONN_GLOBAL_REPLY,    /* cookie, success, body */
    CONN_OPEN_REQUEST,    /* channel, name = type, body: conn_accept or conn_refuse, any time */
    CONN_OPENED,          /* channel: the peer confirmed it */
    CONN_OPEN_FAILED,     /* channel, reason, body = the peer's text; channel_close is still due */
    CONN_DATA,            /* channel, body; channel_consumed when it was taken */
    CONN_EXTENDED_DATA,   /* channel, reason = code, body; channel_consumed likewise */
    CONN_WINDOW,          /* channel: the send window opened (it was 0) */
    CONN_EOF,             /* channel */
    CONN_CLOSED,          /* channel: the peer closed; channel_close is due when all is drained */
    CONN_CHANNEL_REQUEST, /* channel, name, body, want_reply: channel_reply, in order, any time */
    CONN_CHANNEL_REPLY,   /* channel, success */
};
/* Slices borrow from the payload. */
struct conn_event {
    enum conn_event_kind kind;
    struct channel *channel;
    struct slice name, body;
    bool want_reply, success;
    uint32_t reason;
    uint64_t request; /* GLOBAL_REQUEST: pass it to conn_reply */
    uint64_t cookie;
};

/*
 * Eats one payload of the connection protocol; at most one event comes of it. Failure is fatal to
 * the connection: conn_fault tells.
 */
enum err conn_recv(struct conn *c, struct slice payload, struct conn_event *event) MUST_USE;
struct fault conn_fault(const struct conn *c);

/* ---- ours to the peer ---- */

/* With want_reply, CONN_GLOBAL_REPLY brings the cookie back; replies come in order of asking. */
void conn_global_request(struct conn *c, const char *name, bool want_reply, struct slice body,
                         uint64_t cookie);
void conn_reply(struct conn *c, uint64_t request, bool success, struct slice body);

/* ERR_LIMIT: too many channels, or windows. body: type-specific data of CHANNEL_OPEN. */
enum err conn_open(struct conn *c, const char *type, struct slice body, void *user,
                   struct channel **channel) MUST_USE;
void conn_accept(struct conn *c, struct channel *ch);
/* Lets go of the channel. reason: RFC 4250 4.3. */
void conn_refuse(struct conn *c, struct channel *ch, uint32_t reason, const char *text);

/* ---- the outgoing queue ---- */

/* The next control payload, valid until any other call; false if none waits. */
bool conn_next_payload(struct conn *c, struct slice *payload);
/* It was sent. */
void conn_payload_taken(struct conn *c);
/* The queue passed its cap: the peer provokes more than it reads. Fatal: conn_fault tells. */
bool conn_is_flooded(const struct conn *c);
/*
 * Whether a request, or an open, with a body of this length may be passed on that somebody else
 * made: it makes a packet, and what is our own to say still has room behind it.
 */
bool conn_may_pass_on(const struct conn *c, size_t body_len);

/* Channels that still have a user, from *id on; NULL at the end. For the end of a link. */
struct channel *conn_next_channel(const struct conn *c, uint32_t *id);
uint32_t conn_channel_count(const struct conn *c);
/* What the windows of all channels hold now. */
uint64_t conn_window_held(const struct conn *c);
/* Bytes of data, of all channels that ever were: from the peer, to it. */
uint64_t conn_data_in(const struct conn *c);
uint64_t conn_data_out(const struct conn *c);

#endif
