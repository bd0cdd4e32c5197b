/*
 * Where a channel's bytes go: gathers the payload slices of one turn, writes them to a stream in
 * one piece, and credits the channel's window for what the kernel took, never before. Once the
 * stream takes no more, what still comes is credited and thrown away, so that the channel's other
 * direction lives on. For users of channels whose two directions are not one stream (sessions).
 */
#ifndef ADIT_TUNNEL_SINK_H
#define ADIT_TUNNEL_SINK_H

#include "tunnel/link.h"

/*
 * Bytes a sink's stream may have to queue: what the peer may send, and a turn on top. At first; it
 * follows the channel's window.
 */
#define SINK_QUEUE_SLACK (512 * 1024)
#define SINK_QUEUE_CAP   (WINDOW_FIRST + SINK_QUEUE_SLACK)

/* Embedded; zeroed but for what sink_init sets. */
struct sink {
    struct channel_user *user;
    struct stream *stream;  /* NULL: not there yet (see sink_join) */
    struct buf early;       /* what came before the stream */
    struct iovec *gathered; /* of this turn; NULL while there is none */
    int gathered_count;
    size_t queued;        /* the stream has it and the kernel has not: not credited yet */
    bool is_dead;         /* the stream broke */
    bool is_shut, is_due; /* its end was passed on; is due behind what is queued */
};

/* The stream may be NULL; user is borrowed and outlives the sink. */
void sink_init(struct sink *k, struct channel_user *user, struct stream *stream);
/* The stream is not touched. */
void sink_done(struct sink *k);
/* The stream has come: it gets what came before it. Not owned. */
void sink_join(struct sink *k, struct stream *stream);

/* From the user's channel_ops: data, or extended_data; flush; what STREAM_DRAINED said. */
void sink_data(struct sink *k, struct slice bytes);
void sink_flush(struct sink *k);
void sink_drained(struct sink *k, size_t n);
/* STREAM_FAILED, or a write that failed: from here on nothing is kept. */
void sink_die(struct sink *k);

/* The end comes after what is there: stream_shut_write, once; at once for a dead one. */
void sink_shut(struct sink *k);
/* All that came was given to the kernel, or cannot be. */
bool sink_is_drained(const struct sink *k);

#endif
