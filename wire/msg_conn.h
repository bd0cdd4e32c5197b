/*
 * Connection messages (RFC 4254 4 to 7) and the bodies of the channel types and requests that
 * forwarding uses. Conventions as in msg_transport.h. Ports arrive as uint32: above 65535 is
 * ERR_LIMIT (never truncated).
 */
#ifndef ADIT_WIRE_MSG_CONN_H
#define ADIT_WIRE_MSG_CONN_H

#include "wire/reader.h"
#include "wire/writer.h"

#define MSG_HOST_MAX 1024
#define MSG_TYPE_MAX (256 * 1024) /* an unknown name is refused by who looks it up, not here */

struct msg_global_request {
    struct slice name;
    bool want_reply;
    struct slice body; /* request-specific data, parsed by the functions below */
};
enum err msg_global_request_decode(struct slice payload, struct msg_global_request *m) MUST_USE;
void msg_global_request_encode(struct writer *w, const struct msg_global_request *m);

/* REQUEST_SUCCESS with its body (the allocated port, or nothing); REQUEST_FAILURE has none. */
enum err msg_request_success_decode(struct slice payload, struct slice *body) MUST_USE;
void msg_request_success_encode(struct writer *w, struct slice body);
void msg_request_failure_encode(struct writer *w);

/* "tcpip-forward", "cancel-tcpip-forward" (RFC 4254 7.1). */
struct body_tcpip_forward {
    struct slice address;
    uint32_t port;
};
enum err body_tcpip_forward_decode(struct slice body, struct body_tcpip_forward *b) MUST_USE;
void body_tcpip_forward_encode(struct writer *w, const struct body_tcpip_forward *b);
/*
 * "tcpip-forward-join@adit" (doc/PROTOCOL.md): the same pair, and the session identifier of the
 * connection that it was asked for on. An identifier is the hash of an exchange: 20 to 64 bytes.
 */
#define SESSION_ID_MIN 20
#define SESSION_ID_MAX 64
struct body_forward_join {
    struct slice session_id;
    struct slice address;
    uint32_t port; /* the real one; not 0 */
};
enum err body_forward_join_decode(struct slice body, struct body_forward_join *b) MUST_USE;
void body_forward_join_encode(struct writer *w, const struct body_forward_join *b);

enum err body_allocated_port_decode(struct slice body, uint32_t *port) MUST_USE;
void body_allocated_port_encode(struct writer *w, uint32_t port);

struct msg_channel_open {
    struct slice type;
    uint32_t sender;
    uint32_t window;
    uint32_t max_packet;
    struct slice body;
};
enum err msg_channel_open_decode(struct slice payload, struct msg_channel_open *m) MUST_USE;
void msg_channel_open_encode(struct writer *w, const struct msg_channel_open *m);

/* "direct-tcpip" and "forwarded-tcpip" (RFC 4254 7.2) have the same fields. */
struct body_tcpip_open {
    struct slice address; /* to connect to, or that was connected to */
    uint32_t port;
    struct slice originator;
    uint32_t originator_port; /* not held to 65535: it is only shown */
};
enum err body_tcpip_open_decode(struct slice body, struct body_tcpip_open *b) MUST_USE;
void body_tcpip_open_encode(struct writer *w, const struct body_tcpip_open *b);

/* OpenSSH's PROTOCOL 2.3: mode 1 is point-to-point, 2 ethernet. */
enum err body_tun_decode(struct slice body, uint32_t *mode, uint32_t *unit) MUST_USE;
void body_tun_encode(struct writer *w, uint32_t mode, uint32_t unit);

/*
 * Unix sockets (OpenSSH's PROTOCOL 2.4): "streamlocal-forward@openssh.com" and its cancel have the
 * path alone; "direct-streamlocal@openssh.com" and "forwarded-streamlocal@openssh.com" have
 * reserved fields behind it. An empty path, or one with NUL bytes (Linux' abstract names), is
 * ERR_FORMAT.
 */
enum err body_streamlocal_forward_decode(struct slice body, struct slice *path) MUST_USE;
void body_streamlocal_forward_encode(struct writer *w, struct slice path);
enum err body_direct_streamlocal_decode(struct slice body, struct slice *path) MUST_USE;
void body_direct_streamlocal_encode(struct writer *w, struct slice path);
enum err body_forwarded_streamlocal_decode(struct slice body, struct slice *path) MUST_USE;
void body_forwarded_streamlocal_encode(struct writer *w, struct slice path);

struct msg_channel_open_confirmation {
    uint32_t recipient, sender, window, max_packet;
};
enum err msg_channel_open_confirmation_decode(struct slice payload,
                                              struct msg_channel_open_confirmation *m) MUST_USE;
void msg_channel_open_confirmation_encode(struct writer *w,
                                          const struct msg_channel_open_confirmation *m);

struct msg_channel_open_failure {
    uint32_t recipient, reason;
    struct slice description;
};
enum err msg_channel_open_failure_decode(struct slice payload,
                                         struct msg_channel_open_failure *m) MUST_USE;
void msg_channel_open_failure_encode(struct writer *w, const struct msg_channel_open_failure *m);

struct msg_channel_window_adjust {
    uint32_t recipient, bytes;
};
enum err msg_channel_window_adjust_decode(struct slice payload,
                                          struct msg_channel_window_adjust *m) MUST_USE;
void msg_channel_window_adjust_encode(struct writer *w, const struct msg_channel_window_adjust *m);

/* DATA, and EXTENDED_DATA with its type code. */
struct msg_channel_data {
    uint32_t recipient;
    uint32_t code; /* EXTENDED_DATA only */
    struct slice data;
};
enum err msg_channel_data_decode(struct slice payload, struct msg_channel_data *m) MUST_USE;
enum err msg_channel_extended_data_decode(struct slice payload,
                                          struct msg_channel_data *m) MUST_USE;
void msg_channel_extended_data_encode(struct writer *w, const struct msg_channel_data *m);
/* The 9 bytes in front of DATA's payload, written in place by the data path. */
#define CHANNEL_DATA_HEAD 9
void msg_channel_data_head(uint8_t head[CHANNEL_DATA_HEAD], uint32_t recipient, uint32_t length);

/* EOF, CLOSE, CHANNEL_SUCCESS, CHANNEL_FAILURE: a number and a recipient. */
enum err msg_channel_plain_decode(struct slice payload, uint32_t *recipient) MUST_USE;
void msg_channel_plain_encode(struct writer *w, uint8_t number, uint32_t recipient);

struct msg_channel_request {
    uint32_t recipient;
    struct slice type;
    bool want_reply;
    struct slice body;
};
enum err msg_channel_request_decode(struct slice payload, struct msg_channel_request *m) MUST_USE;
void msg_channel_request_encode(struct writer *w, const struct msg_channel_request *m);

#endif
