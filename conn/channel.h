/*
 * One channel (RFC 4254 5): two half-machines, sending and receiving, with their windows. Made
 * by conn.c; a user holds the pointer and calls these functions. It does not know what its bytes
 * are or where they go.
 *
 * Life: after channel_close the user hears nothing more and must not use the pointer. The struct
 * itself goes when both CLOSEs have passed. Every channel ends with exactly one channel_close by
 * its user, also after CONN_OPEN_FAILED and CONN_CLOSED.
 */
#ifndef ADIT_CONN_CHANNEL_H
#define ADIT_CONN_CHANNEL_H

#include "base/buf.h"

struct channel;

void channel_set_user(struct channel *ch, void *user);
void *channel_user(const struct channel *ch);
uint32_t channel_id(const struct channel *ch);

/*
 * What kind of channel it is, clipped: "direct-tcpip", as it was opened, or what its user says more
 * exactly ("session:command").
 */
#define CHANNEL_TYPE_MAX 64
const char *channel_type(const struct channel *ch);
void channel_set_type(struct channel *ch, const char *type);
/* For how long no data has moved either way, as far as those who asked here could see. */
uint64_t channel_idle_ms(struct channel *ch, uint64_t now_ms);

/* Both directions may flow: confirmed, and neither side has closed. */
bool channel_is_open(const struct channel *ch);

/* ---- sending ---- */

/* Bytes that DATA may carry now: the send window; 0 after EOF, CLOSE or before the confirmation. */
uint32_t channel_may_send(const struct channel *ch);
/*
 * Whether the window is worth a packet: crumbs of window make crumbs of packets, and more is on its
 * way. Never false for long, however small the peer's window is.
 */
bool channel_is_worth_sending(const struct channel *ch);
/* The most bytes one DATA may carry (the peer's max packet, at most 32 KiB). */
uint32_t channel_max_data(const struct channel *ch);
/* Writes the 9 bytes in front of n bytes of data that go out now, and reduces the window. */
void channel_put_data_head(struct channel *ch, uint8_t *head, uint32_t n);

/* Copying paths for small things: queue DATA or EXTENDED_DATA; ERR_LIMIT: window or queue. */
enum err channel_send_data(struct channel *ch, struct slice data) MUST_USE;
enum err channel_send_stderr(struct channel *ch, struct slice data) MUST_USE;

/* Queues EOF, once; nothing after CLOSE. */
void channel_send_eof(struct channel *ch);
/* Queues a CHANNEL_REQUEST. With want_reply a CONN_CHANNEL_REPLY comes, in order. */
void channel_send_request(struct channel *ch, const char *type, bool want_reply, struct slice body);
/* Answers the oldest CONN_CHANNEL_REQUEST that wants a reply and has none (RFC 4254 4). */
void channel_reply(struct channel *ch, bool success);

/* ---- receiving ---- */

/* The consumer took n bytes of CONN_DATA or CONN_EXTENDED_DATA: credit that becomes due is queued.
 */
void channel_consumed(struct channel *ch, size_t n);
bool channel_got_eof(const struct channel *ch);
/*
 * Bytes that the peer may still send, or that came and were not consumed: no queue of the channel's
 * bytes becomes longer. It changes with channel_consumed and with what comes.
 */
uint32_t channel_window(const struct channel *ch);

/* ---- ending ---- */

/* Queues CLOSE (unless sent or never opened) and lets go of the channel. */
void channel_close(struct channel *ch);

#endif
