/* The inside of conn/, shared by conn.c and channel.c alone. */
#ifndef ADIT_CONN_INTERNAL_H
#define ADIT_CONN_INTERNAL_H

#include "base/idmap.h"
#include "base/list.h"
#include "conn/conn.h"
#include "conn/window.h"
#include "wire/msg_conn.h"

#define WORTH_SENDING 1024 /* bytes of window */

enum channel_opening {
    CHANNEL_ASKED,   /* we sent CHANNEL_OPEN */
    CHANNEL_OFFERED, /* the peer did, the answer is pending */
    CHANNEL_LIVE,
    CHANNEL_REFUSED, /* never came to life */
};
enum channel_half { HALF_OPEN, HALF_EOF, HALF_CLOSED };

struct channel {
    struct conn *conn;
    void *user;       /* NULL after channel_close */
    bool is_released; /* the user has let go */
    uint32_t our_id, peer_id;
    enum channel_opening opening;
    enum channel_half sending, receiving;
    uint32_t send_window;
    uint32_t peak_window; /* the largest send_window seen */
    uint32_t peer_max_packet;
    struct recv_window recv_window;
    uint32_t replies_due;  /* to requests of ours */
    unsigned replies_owed; /* to requests of the peer's */
    const char *type;      /* of a table; else own_type, which only odd ones have */
    char *own_type;
    uint64_t moved;                    /* bytes of data, both ways */
    uint64_t idle_moved, idle_from_ms; /* since when nothing moved; 0: nobody has looked yet */
    struct list credit_link;           /* in conn.credits while a WINDOW_ADJUST is due */
};

/* A global request of the peer's that wants a reply. */
struct owed_reply {
    struct list link;
    uint64_t number;
    bool answered, success;
    struct buf body;
};

/* A global request of ours that waits for its reply. */
struct asked {
    struct list link;
    uint64_t cookie;
};

struct conn {
    struct conn_config config;
    struct idmap channels;
    struct window_budget budget;
    struct window_terms terms;
    struct buf control; /* u32 length + payload, again and again */
    struct buf scratch; /* a payload in the making */
    struct buf
        credit;       /* a WINDOW_ADJUST for conn_next_payload, apart from what is made meanwhile */
    bool gave_credit; /* it was handed out, and is not taken yet */
    struct list credits;
    struct list owed, asked;
    uint64_t next_request;
    uint32_t owed_count, asked_count, surplus_replies, late_messages;
    bool flooded;
    uint64_t data_in, data_out; /* of all channels */
    struct fault fault;
};

/* Payload in the making: writer into scratch, then queue it. */
void conn_write_begin(struct conn *c, struct writer *w);
void conn_write_end(struct conn *c, struct writer *w);

/* What kind of channel it is, clipped; hostile bytes. */
void channel_note_type(struct channel *ch, struct slice type);
/* The memory alone: it is in no table and no list. NULL allowed. */
void channel_free(struct channel *ch);
/* Frees the channel if both halves are closed (or it never lived) and the user has let go. */
void channel_settle(struct channel *ch);

/* The one setter of each half-machine. */
void channel_set_sending(struct channel *ch, enum channel_half to);
void channel_set_receiving(struct channel *ch, enum channel_half to);

#endif
