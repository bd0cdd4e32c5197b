/* Connection messages. */
#include "wire/msg_conn.h"

#include "wire/msg_transport.h"
#include "wire/numbers.h"

#define PORT_MAX 65535

static uint32_t read_port(struct reader *r)
{
    uint32_t port = reader_u32(r);
    if (port > PORT_MAX)
        reader_fail(r, ERR_LIMIT);
    return port;
}

enum err msg_global_request_decode(struct slice payload, struct msg_global_request *m)
{
    struct reader r = reader_open(payload, SSH_MSG_GLOBAL_REQUEST);
    m->name = reader_text(&r, MSG_TYPE_MAX);
    m->want_reply = reader_bool(&r);
    m->body = reader_rest(&r);
    return reader_done(&r);
}

void msg_global_request_encode(struct writer *w, const struct msg_global_request *m)
{
    writer_u8(w, SSH_MSG_GLOBAL_REQUEST);
    writer_string(w, m->name);
    writer_bool(w, m->want_reply);
    writer_bytes(w, m->body);
}

enum err msg_request_success_decode(struct slice payload, struct slice *body)
{
    struct reader r = reader_open(payload, SSH_MSG_REQUEST_SUCCESS);
    *body = reader_rest(&r);
    return reader_done(&r);
}

void msg_request_success_encode(struct writer *w, struct slice body)
{
    writer_u8(w, SSH_MSG_REQUEST_SUCCESS);
    writer_bytes(w, body);
}

void msg_request_failure_encode(struct writer *w)
{
    writer_u8(w, SSH_MSG_REQUEST_FAILURE);
}

enum err body_tcpip_forward_decode(struct slice body, struct body_tcpip_forward *b)
{
    struct reader r;
    reader_init(&r, body);
    b->address = reader_text(&r, MSG_HOST_MAX);
    b->port = read_port(&r);
    return reader_done(&r);
}

void body_tcpip_forward_encode(struct writer *w, const struct body_tcpip_forward *b)
{
    writer_string(w, b->address);
    writer_u32(w, b->port);
}

enum err body_forward_join_decode(struct slice body, struct body_forward_join *b)
{
    struct reader r;
    reader_init(&r, body);
    b->session_id = reader_string_max(&r, SESSION_ID_MAX);
    b->address = reader_text(&r, MSG_HOST_MAX);
    b->port = read_port(&r);
    if (reader_is_ok(&r) && (b->session_id.len < SESSION_ID_MIN || b->port == 0))
        reader_fail(&r, ERR_FORMAT);
    return reader_done(&r);
}

void body_forward_join_encode(struct writer *w, const struct body_forward_join *b)
{
    writer_string(w, b->session_id);
    writer_string(w, b->address);
    writer_u32(w, b->port);
}

enum err body_allocated_port_decode(struct slice body, uint32_t *port)
{
    struct reader r;
    reader_init(&r, body);
    *port = read_port(&r);
    return reader_done(&r);
}

void body_allocated_port_encode(struct writer *w, uint32_t port)
{
    writer_u32(w, port);
}

enum err msg_channel_open_decode(struct slice payload, struct msg_channel_open *m)
{
    struct reader r = reader_open(payload, SSH_MSG_CHANNEL_OPEN);
    m->type = reader_text(&r, MSG_TYPE_MAX);
    m->sender = reader_u32(&r);
    m->window = reader_u32(&r);
    m->max_packet = reader_u32(&r);
    m->body = reader_rest(&r);
    return reader_done(&r);
}

void msg_channel_open_encode(struct writer *w, const struct msg_channel_open *m)
{
    writer_u8(w, SSH_MSG_CHANNEL_OPEN);
    writer_string(w, m->type);
    writer_u32(w, m->sender);
    writer_u32(w, m->window);
    writer_u32(w, m->max_packet);
    writer_bytes(w, m->body);
}

enum err body_tcpip_open_decode(struct slice body, struct body_tcpip_open *b)
{
    struct reader r;
    reader_init(&r, body);
    b->address = reader_text(&r, MSG_HOST_MAX);
    b->port = read_port(&r);
    b->originator = reader_text(&r, MSG_HOST_MAX);
    b->originator_port = reader_u32(&r);
    return reader_done(&r);
}

void body_tcpip_open_encode(struct writer *w, const struct body_tcpip_open *b)
{
    writer_string(w, b->address);
    writer_u32(w, b->port);
    writer_string(w, b->originator);
    writer_u32(w, b->originator_port);
}

static struct slice read_path(struct reader *r)
{
    struct slice path = reader_text(r, MSG_HOST_MAX);
    if (path.len == 0)
        reader_fail(r, ERR_FORMAT);
    return path;
}

enum err body_tun_decode(struct slice body, uint32_t *mode, uint32_t *unit)
{
    struct reader r;
    reader_init(&r, body);
    *mode = reader_u32(&r);
    *unit = reader_u32(&r);
    return reader_done(&r);
}

void body_tun_encode(struct writer *w, uint32_t mode, uint32_t unit)
{
    writer_u32(w, mode);
    writer_u32(w, unit);
}

enum err body_streamlocal_forward_decode(struct slice body, struct slice *path)
{
    struct reader r;
    reader_init(&r, body);
    *path = read_path(&r);
    return reader_done(&r);
}

void body_streamlocal_forward_encode(struct writer *w, struct slice path)
{
    writer_string(w, path);
}

enum err body_direct_streamlocal_decode(struct slice body, struct slice *path)
{
    struct reader r;
    reader_init(&r, body);
    *path = read_path(&r);
    reader_string_max(&r, MSG_HOST_MAX); /* reserved */
    reader_u32(&r);                      /* reserved */
    return reader_done(&r);
}

void body_direct_streamlocal_encode(struct writer *w, struct slice path)
{
    writer_string(w, path);
    writer_text(w, "");
    writer_u32(w, 0);
}

enum err body_forwarded_streamlocal_decode(struct slice body, struct slice *path)
{
    struct reader r;
    reader_init(&r, body);
    *path = read_path(&r);
    reader_string_max(&r, MSG_HOST_MAX); /* reserved */
    return reader_done(&r);
}

void body_forwarded_streamlocal_encode(struct writer *w, struct slice path)
{
    writer_string(w, path);
    writer_text(w, "");
}

enum err msg_channel_open_confirmation_decode(struct slice payload,
                                              struct msg_channel_open_confirmation *m)
{
    struct reader r = reader_open(payload, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
    m->recipient = reader_u32(&r);
    m->sender = reader_u32(&r);
    m->window = reader_u32(&r);
    m->max_packet = reader_u32(&r);
    reader_rest(&r); /* channel-type-specific data: none is defined for ours */
    return reader_done(&r);
}

void msg_channel_open_confirmation_encode(struct writer *w,
                                          const struct msg_channel_open_confirmation *m)
{
    writer_u8(w, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
    writer_u32(w, m->recipient);
    writer_u32(w, m->sender);
    writer_u32(w, m->window);
    writer_u32(w, m->max_packet);
}

enum err msg_channel_open_failure_decode(struct slice payload, struct msg_channel_open_failure *m)
{
    struct reader r = reader_open(payload, SSH_MSG_CHANNEL_OPEN_FAILURE);
    m->recipient = reader_u32(&r);
    m->reason = reader_u32(&r);
    m->description = reader_string_max(&r, MSG_TEXT_MAX);
    if (reader_left(&r)) /* some peers leave the language tag out */
        reader_string_max(&r, MSG_TEXT_MAX);
    return reader_done(&r);
}

void msg_channel_open_failure_encode(struct writer *w, const struct msg_channel_open_failure *m)
{
    writer_u8(w, SSH_MSG_CHANNEL_OPEN_FAILURE);
    writer_u32(w, m->recipient);
    writer_u32(w, m->reason);
    writer_string(w, m->description);
    writer_text(w, "");
}

enum err msg_channel_window_adjust_decode(struct slice payload, struct msg_channel_window_adjust *m)
{
    struct reader r = reader_open(payload, SSH_MSG_CHANNEL_WINDOW_ADJUST);
    m->recipient = reader_u32(&r);
    m->bytes = reader_u32(&r);
    return reader_done(&r);
}

void msg_channel_window_adjust_encode(struct writer *w, const struct msg_channel_window_adjust *m)
{
    writer_u8(w, SSH_MSG_CHANNEL_WINDOW_ADJUST);
    writer_u32(w, m->recipient);
    writer_u32(w, m->bytes);
}

enum err msg_channel_data_decode(struct slice payload, struct msg_channel_data *m)
{
    struct reader r = reader_open(payload, SSH_MSG_CHANNEL_DATA);
    m->recipient = reader_u32(&r);
    m->code = 0;
    m->data = reader_string(&r);
    return reader_done(&r);
}

void msg_channel_data_head(uint8_t head[CHANNEL_DATA_HEAD], uint32_t recipient, uint32_t length)
{
    head[0] = SSH_MSG_CHANNEL_DATA;
    put_u32(head + 1, recipient);
    put_u32(head + 5, length);
}

enum err msg_channel_extended_data_decode(struct slice payload, struct msg_channel_data *m)
{
    struct reader r = reader_open(payload, SSH_MSG_CHANNEL_EXTENDED_DATA);
    m->recipient = reader_u32(&r);
    m->code = reader_u32(&r);
    m->data = reader_string(&r);
    return reader_done(&r);
}

void msg_channel_extended_data_encode(struct writer *w, const struct msg_channel_data *m)
{
    writer_u8(w, SSH_MSG_CHANNEL_EXTENDED_DATA);
    writer_u32(w, m->recipient);
    writer_u32(w, m->code);
    writer_string(w, m->data);
}

enum err msg_channel_plain_decode(struct slice payload, uint32_t *recipient)
{
    struct reader r;
    reader_init(&r, payload);
    reader_u8(&r); /* the number was looked at by the dispatcher */
    *recipient = reader_u32(&r);
    return reader_done(&r);
}

void msg_channel_plain_encode(struct writer *w, uint8_t number, uint32_t recipient)
{
    writer_u8(w, number);
    writer_u32(w, recipient);
}

enum err msg_channel_request_decode(struct slice payload, struct msg_channel_request *m)
{
    struct reader r = reader_open(payload, SSH_MSG_CHANNEL_REQUEST);
    m->recipient = reader_u32(&r);
    m->type = reader_text(&r, MSG_TYPE_MAX);
    m->want_reply = reader_bool(&r);
    m->body = reader_rest(&r);
    return reader_done(&r);
}

void msg_channel_request_encode(struct writer *w, const struct msg_channel_request *m)
{
    writer_u8(w, SSH_MSG_CHANNEL_REQUEST);
    writer_u32(w, m->recipient);
    writer_string(w, m->type);
    writer_bool(w, m->want_reply);
    writer_bytes(w, m->body);
}
