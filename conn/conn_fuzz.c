/* Payloads to the multiplexer: each is u8 length and bytes; a user that keeps the contract. */
#include "conn/conn.h"
#include "wire/reader.h"

#define CONTROL_CAP 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct conn *c, const struct conn_event *event, unsigned turn)
{
    switch (event->kind) {
    case CONN_OPEN_REQUEST:
        if (turn % 3)
            conn_accept(c, event->channel);
        else
            conn_refuse(c, event->channel, 1, "no");
        break;
    case CONN_DATA:
    case CONN_EXTENDED_DATA:
        channel_consumed(event->channel, event->body.len);
        break;
    case CONN_CHANNEL_REQUEST:
        channel_reply(event->channel, turn % 2);
        break;
    case CONN_GLOBAL_REQUEST:
        if (event->want_reply && turn % 4)
            conn_reply(c, event->request, turn % 2, SLICE_NONE);
        break;
    case CONN_OPEN_FAILED:
    case CONN_CLOSED:
        channel_close(event->channel);
        break;
    case CONN_EOF:
        channel_send_eof(event->channel);
        break;
    case CONN_NONE:
    case CONN_OPENED:
    case CONN_WINDOW:
    case CONN_GLOBAL_REPLY:
    case CONN_CHANNEL_REPLY:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct conn_config config = {
        .window = 300, .max_channels = 8, .control_cap = CONTROL_CAP};
    struct conn *c = conn_new(&config);
    struct channel *ours;
    struct reader r;
    enum err err = conn_open(c, "direct-tcpip", SLICE_NONE, NULL, &ours);
    CHECK(err == OK);
    conn_global_request(c, "tcpip-forward", true, SLICE_NONE, 1);
    reader_init(&r, slice_of(data, size));
    for (unsigned turn = 0; err == OK && reader_left(&r) > 1; turn++) {
        struct conn_event event;
        struct slice payload;
        size_t length = reader_u8(&r);
        err = conn_recv(c, reader_bytes(&r, MIN(length, reader_left(&r))), &event);
        if (err == OK)
            use(c, &event, turn);
        CHECK(conn_channel_count(c) <= config.max_channels);
        if (turn % 5 == 0 && conn_next_payload(c, &payload)) {
            CHECK(payload.len > 0);
            conn_payload_taken(c);
        }
    }
    CHECK(err == OK || conn_fault(c).text);
    conn_free(c);
    return 0;
}
