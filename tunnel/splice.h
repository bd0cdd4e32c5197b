/*
 * A stream and a channel, joined: the data path of every forward, in both roles and directions.
 * Knows nothing of why the two were joined.
 */
#ifndef ADIT_TUNNEL_SPLICE_H
#define ADIT_TUNNEL_SPLICE_H

#include "tunnel/link.h"

/* What a spliced connection has carried so far, and how it ended; for logs and counters. */
struct splice_report {
    uint64_t bytes_to_channel, bytes_to_stream;
    bool aborted; /* at its end: by a reset on either side, or by the loss of the link */
};
typedef void splice_done(void *owner, const struct splice_report *report);

struct splice;

/* Moves as bytes move; valid until done has returned. */
const struct splice_report *splice_so_far(const struct splice *sp);

/*
 * Joins a stream to a channel that the peer offered: accepts it. The splice owns the stream and
 * frees itself; done (may be NULL) comes once, at its end: what is returned lives until then.
 */
struct splice *splice_accept(struct link *l, struct channel *ch, struct stream *s,
                             splice_done *done, void *owner);

/*
 * Opens a channel of `type` and joins it to the stream when the peer confirms. If the peer refuses,
 * refused (may be NULL) hears why and the stream is reset. ERR_LIMIT, ERR_EOF: could not even ask;
 * the stream is reset, and done does not come. *out (out may be NULL) lives until done.
 */
typedef void splice_refused(void *owner, uint32_t reason, struct slice text);
enum err splice_open(struct link *l, const char *type, struct slice body, struct stream *s,
                     splice_refused *refused, splice_done *done, void *owner,
                     struct splice **out) MUST_USE;

/*
 * Joins a stream to a channel that is open already and has another user (the SOCKS handshake):
 * takes the channel over from that user, who is out of the link's lists afterwards.
 */
struct splice *splice_take_over(struct channel_user *from, struct stream *s, splice_done *done,
                                void *owner);
/* Ends it now, with a reset; done comes inside. */
void splice_cut(struct splice *sp);

/*
 * Bytes a splice's stream may have to queue: what the peer may send, and a turn on top. At first;
 * it follows the channel's window.
 */
#define SPLICE_QUEUE_SLACK (512 * 1024)
#define SPLICE_QUEUE_CAP   (WINDOW_FIRST + SPLICE_QUEUE_SLACK)

#endif
