/* The multiplexer and its channels, fed payloads: windows, order, ids, replies, caps. */
#include "conn/conn.h"
#include "conn/internal.h"
#include "tests/unit.h"
#include "wire/numbers.h"

#define WINDOW 1000

struct bed {
    struct conn *c;
    struct conn_event event;
    struct buf payload;
};

static void bed_init(struct bed *b, const struct conn_config *config)
{
    const struct conn_config usual = {.window = WINDOW};
    *b = (struct bed){.c = conn_new(config ? config : &usual)};
    buf_init(&b->payload, 65536);
}

static void bed_done(struct bed *b)
{
    conn_free(b->c);
    buf_done(&b->payload);
}

static struct writer begin(struct bed *b)
{
    struct writer w;
    buf_clear(&b->payload);
    writer_init(&w, &b->payload);
    return w;
}

static enum err end(struct bed *b, struct writer *w)
{
    assert_ok(writer_done(w));
    return conn_recv(b->c, buf_slice(&b->payload), &b->event);
}

static enum err recv_open(struct bed *b, uint32_t sender, uint32_t window, uint32_t max_packet)
{
    struct writer w = begin(b);
    const struct msg_channel_open m = {slice_text("direct-tcpip"), sender, window, max_packet,
                                       slice_text("body")};
    msg_channel_open_encode(&w, &m);
    return end(b, &w);
}

static enum err recv_confirmation(struct bed *b, uint32_t id, uint32_t window, uint32_t max_packet)
{
    struct writer w = begin(b);
    const struct msg_channel_open_confirmation m = {id, 77, window, max_packet};
    msg_channel_open_confirmation_encode(&w, &m);
    return end(b, &w);
}

static enum err recv_failure(struct bed *b, uint32_t id)
{
    struct writer w = begin(b);
    const struct msg_channel_open_failure m = {id, SSH_OPEN_CONNECT_FAILED, slice_text("no")};
    msg_channel_open_failure_encode(&w, &m);
    return end(b, &w);
}

static enum err recv_data(struct bed *b, uint32_t id, size_t n, bool is_stderr)
{
    static const uint8_t zeros[40000];
    struct writer w = begin(b);
    const struct msg_channel_data m = {id, SSH_EXTENDED_DATA_STDERR, slice_of(zeros, n)};
    if (is_stderr) {
        msg_channel_extended_data_encode(&w, &m);
    } else {
        uint8_t head[CHANNEL_DATA_HEAD];
        msg_channel_data_head(head, id, (uint32_t)n);
        writer_bytes(&w, slice_of(head, sizeof(head)));
        writer_bytes(&w, m.data);
    }
    return end(b, &w);
}

static enum err recv_adjust(struct bed *b, uint32_t id, uint32_t bytes)
{
    struct writer w = begin(b);
    const struct msg_channel_window_adjust m = {id, bytes};
    msg_channel_window_adjust_encode(&w, &m);
    return end(b, &w);
}

/* EOF, CLOSE, CHANNEL_SUCCESS, CHANNEL_FAILURE. */
static enum err recv_plain(struct bed *b, uint8_t number, uint32_t id)
{
    struct writer w = begin(b);
    msg_channel_plain_encode(&w, number, id);
    return end(b, &w);
}

static enum err recv_request(struct bed *b, uint32_t id, bool want_reply)
{
    struct writer w = begin(b);
    const struct msg_channel_request m = {id, slice_text("exec"), want_reply, SLICE_NONE};
    msg_channel_request_encode(&w, &m);
    return end(b, &w);
}

static enum err recv_global(struct bed *b, bool want_reply)
{
    struct writer w = begin(b);
    const struct msg_global_request m = {slice_text("any"), want_reply, SLICE_NONE};
    msg_global_request_encode(&w, &m);
    return end(b, &w);
}

static enum err recv_reply(struct bed *b, bool success)
{
    struct writer w = begin(b);
    if (success)
        msg_request_success_encode(&w, slice_text("port"));
    else
        msg_request_failure_encode(&w);
    return end(b, &w);
}

/* The next payload's number, taken off the queue; 0: none. */
static uint8_t sent(struct bed *b)
{
    struct slice payload;
    if (!conn_next_payload(b->c, &payload))
        return 0;
    uint8_t number = payload.ptr[0];
    conn_payload_taken(b->c);
    return number;
}

static void forget_sent(struct bed *b)
{
    while (sent(b))
        continue;
}

/* A channel of the peer's, accepted. */
static struct channel *live(struct bed *b, uint32_t peer_id)
{
    assert_ok(recv_open(b, peer_id, WINDOW, 32768));
    assert_int_equal(b->event.kind, CONN_OPEN_REQUEST);
    struct channel *ch = b->event.channel;
    conn_accept(b->c, ch);
    assert_int_equal(sent(b), SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
    return ch;
}

static void data_beyond_the_window_ends_the_connection(void **state)
{
    (void)state;
    for (int is_stderr = 0; is_stderr < 2; is_stderr++) {
        struct bed b;
        bed_init(&b, NULL);
        struct channel *ch = live(&b, 0);
        assert_ok(recv_data(&b, 0, WINDOW, is_stderr));
        assert_int_equal(b.event.kind, is_stderr ? CONN_EXTENDED_DATA : CONN_DATA);
        assert_int_equal(b.event.body.len, WINDOW);
        assert_ok(recv_data(&b, 0, 0, is_stderr)); /* nothing is not too much */
        assert_int_equal(b.event.kind, CONN_NONE);
        assert_int_equal(recv_data(&b, 0, 1, is_stderr), ERR_PROTOCOL);
        assert_string_equal(conn_fault(b.c).text,
                            "data beyond the window that was granted (RFC 4254 5.2)");
        (void)ch;
        bed_done(&b);
    }
}

static void what_was_consumed_is_credited(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    struct channel *ch = live(&b, 5);
    assert_ok(recv_data(&b, 0, WINDOW, false));
    channel_consumed(ch, WINDOW / 8 - 1);
    assert_int_equal(sent(&b), 0); /* not worth a message yet */
    channel_consumed(ch, 1);
    struct slice payload;
    struct msg_channel_window_adjust m;
    assert_true(conn_next_payload(b.c, &payload));
    assert_ok(msg_channel_window_adjust_decode(payload, &m));
    assert_int_equal(m.recipient, 5);
    assert_int_equal(m.bytes, WINDOW / 8);
    conn_payload_taken(b.c);
    assert_ok(recv_data(&b, 0, WINDOW / 8, false));
    assert_int_equal(recv_data(&b, 0, 1, false), ERR_PROTOCOL);
    bed_done(&b);
}

/* The peer counts on every credit that we have counted. */
static void a_credit_that_the_transport_does_not_take_yet_is_not_lost(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    struct channel *ch = live(&b, 5);
    assert_ok(recv_data(&b, 0, WINDOW, false));
    channel_consumed(ch, WINDOW);
    struct slice payload;
    struct msg_channel_window_adjust m;
    assert_true(conn_next_payload(b.c, &payload));
    channel_send_eof(ch); /* queued while the socket takes nothing */
    assert_true(conn_next_payload(b.c, &payload));
    assert_ok(msg_channel_window_adjust_decode(payload, &m));
    assert_int_equal(m.bytes, WINDOW);
    conn_payload_taken(b.c);
    assert_true(conn_next_payload(b.c, &payload));
    assert_int_equal(payload.ptr[0], SSH_MSG_CHANNEL_EOF);
    bed_done(&b);
}

static void who_sends_no_more_holds_what_waits_and_nothing_else(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    struct channel *ch = live(&b, 5);
    assert_ok(recv_data(&b, 0, 300, false));
    assert_int_equal(conn_window_held(b.c), WINDOW);
    assert_ok(recv_plain(&b, SSH_MSG_CHANNEL_EOF, 0));
    assert_int_equal(conn_window_held(b.c), 300);
    channel_consumed(ch, 200);
    assert_int_equal(conn_window_held(b.c), 100);
    channel_consumed(ch, 100);
    assert_int_equal(conn_window_held(b.c), 0);
    assert_int_equal(sent(&b), 0); /* no credit for what cannot come */
    bed_done(&b);
}

static void a_window_beyond_32_bits_ends_the_connection(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    assert_ok(recv_open(&b, 0, UINT32_MAX - 1, 32768));
    struct channel *ch = b.event.channel;
    conn_accept(b.c, ch);
    assert_ok(recv_adjust(&b, 0, 1));
    assert_int_equal(channel_may_send(ch), UINT32_MAX);
    assert_ok(recv_adjust(&b, 0, 0));
    assert_int_equal(recv_adjust(&b, 0, 1), ERR_PROTOCOL);
    bed_done(&b);
}

static void packets_of_at_most_nothing_are_refused(void **state)
{
    (void)state;
    struct bed b;
    struct channel *ch;
    bed_init(&b, NULL);
    assert_int_equal(recv_open(&b, 0, WINDOW, 0), ERR_PROTOCOL);
    assert_int_equal(conn_channel_count(b.c), 0);
    bed_done(&b);
    bed_init(&b, NULL);
    assert_ok(conn_open(b.c, "direct-tcpip", SLICE_NONE, NULL, &ch));
    assert_int_equal(recv_confirmation(&b, channel_id(ch), WINDOW, 0), ERR_PROTOCOL);
    bed_done(&b);
}

static void a_window_of_nothing_waits_for_an_adjust(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    assert_ok(recv_open(&b, 9, 0, UINT32_MAX));
    struct channel *ch = b.event.channel;
    conn_accept(b.c, ch);
    assert_int_equal(channel_may_send(ch), 0);
    assert_false(channel_is_worth_sending(ch));
    assert_int_equal(channel_max_data(ch), 32768);
    assert_int_equal(channel_send_data(ch, slice_text("x")), ERR_LIMIT);
    assert_ok(recv_adjust(&b, 0, 1));
    assert_int_equal(b.event.kind, CONN_WINDOW);
    assert_true(channel_is_worth_sending(ch));
    assert_ok(channel_send_data(ch, slice_text("x")));
    assert_int_equal(channel_may_send(ch), 0);
    bed_done(&b);
}

static void ids_that_never_were_end_the_connection(void **state)
{
    (void)state;
    static const uint32_t ids[] = {0, 1, 16384, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        for (int kind = 0; kind < 8; kind++) {
            struct bed b;
            bed_init(&b, NULL);
            enum err err = kind == 0   ? recv_data(&b, ids[i], 1, false)
                           : kind == 1 ? recv_data(&b, ids[i], 1, true)
                           : kind == 2 ? recv_adjust(&b, ids[i], 1)
                           : kind == 3 ? recv_plain(&b, SSH_MSG_CHANNEL_EOF, ids[i])
                           : kind == 4 ? recv_plain(&b, SSH_MSG_CHANNEL_CLOSE, ids[i])
                           : kind == 5 ? recv_request(&b, ids[i], true)
                           : kind == 6 ? recv_confirmation(&b, ids[i], 1, 1)
                                       : recv_failure(&b, ids[i]);
            assert_int_equal(err, ERR_PROTOCOL);
            bed_done(&b);
        }
    }
}

static void messages_that_cross_a_close_are_passed_over(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    struct channel *ch = live(&b, 0);
    channel_close(ch); /* our CLOSE is out, the peer's not seen */
    assert_int_equal(sent(&b), SSH_MSG_CHANNEL_CLOSE);
    assert_ok(recv_data(&b, 0, 10, false));
    assert_int_equal(b.event.kind, CONN_NONE);
    assert_ok(recv_adjust(&b, 0, 10));
    assert_ok(recv_request(&b, 0, true));
    assert_int_equal(b.event.kind, CONN_NONE);
    assert_int_equal(sent(&b), 0); /* nothing after CLOSE */
    assert_ok(recv_plain(&b, SSH_MSG_CHANNEL_EOF, 0));
    assert_int_equal(conn_channel_count(b.c), 1);
    assert_ok(recv_plain(&b, SSH_MSG_CHANNEL_CLOSE, 0));
    assert_int_equal(conn_channel_count(b.c), 0);
    assert_ok(recv_data(&b, 0, 10, false)); /* gone, but it was */
    assert_ok(recv_plain(&b, SSH_MSG_CHANNEL_EOF, 0));
    assert_int_equal(recv_plain(&b, SSH_MSG_CHANNEL_CLOSE, 0), ERR_PROTOCOL); /* a second one */
    bed_done(&b);
}

static void halves_only_move_on(void **state)
{
    (void)state;
    static const struct {
        uint8_t steps[3];
        enum err err; /* of the last step */
    } rows[] = {
        {{SSH_MSG_CHANNEL_EOF, SSH_MSG_CHANNEL_EOF}, ERR_PROTOCOL},
        {{SSH_MSG_CHANNEL_EOF, SSH_MSG_CHANNEL_DATA}, ERR_PROTOCOL},
        {{SSH_MSG_CHANNEL_EOF, SSH_MSG_CHANNEL_EXTENDED_DATA}, OK},
        {{SSH_MSG_CHANNEL_EOF, SSH_MSG_CHANNEL_REQUEST}, OK},
        {{SSH_MSG_CHANNEL_EOF, SSH_MSG_CHANNEL_CLOSE}, OK},
        {{SSH_MSG_CHANNEL_CLOSE}, OK}, /* without EOF */
        {{SSH_MSG_CHANNEL_CLOSE, SSH_MSG_CHANNEL_CLOSE}, ERR_PROTOCOL},
        {{SSH_MSG_CHANNEL_CLOSE, SSH_MSG_CHANNEL_DATA}, ERR_PROTOCOL},
        {{SSH_MSG_CHANNEL_CLOSE, SSH_MSG_CHANNEL_EXTENDED_DATA}, ERR_PROTOCOL},
        {{SSH_MSG_CHANNEL_CLOSE, SSH_MSG_CHANNEL_EOF}, ERR_PROTOCOL},
        {{SSH_MSG_CHANNEL_CLOSE, SSH_MSG_CHANNEL_REQUEST}, ERR_PROTOCOL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bed b;
        enum err err = OK;
        bed_init(&b, NULL);
        live(&b, 0);
        for (size_t k = 0; k < 3 && rows[i].steps[k]; k++) {
            uint8_t step = rows[i].steps[k];
            assert_ok(err);
            err = step == SSH_MSG_CHANNEL_DATA            ? recv_data(&b, 0, 1, false)
                  : step == SSH_MSG_CHANNEL_EXTENDED_DATA ? recv_data(&b, 0, 1, true)
                  : step == SSH_MSG_CHANNEL_REQUEST       ? recv_request(&b, 0, true)
                                                          : recv_plain(&b, step, 0);
        }
        if (err != rows[i].err)
            fail_msg("row %zu: %s", i, err_name(err));
        bed_done(&b);
    }
}

static void our_halves_only_move_on_too(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    struct channel *ch = live(&b, 0);
    assert_true(channel_is_open(ch));
    channel_send_eof(ch);
    channel_send_eof(ch);
    assert_int_equal(sent(&b), SSH_MSG_CHANNEL_EOF);
    assert_int_equal(sent(&b), 0);
    assert_int_equal(channel_may_send(ch), 0);
    assert_int_equal(channel_send_data(ch, slice_text("x")), ERR_LIMIT);
    assert_ok(recv_plain(&b, SSH_MSG_CHANNEL_CLOSE, 0));
    assert_int_equal(b.event.kind, CONN_CLOSED);
    assert_false(channel_is_open(ch));
    channel_close(ch);
    assert_int_equal(sent(&b), SSH_MSG_CHANNEL_CLOSE);
    assert_int_equal(sent(&b), 0);
    assert_int_equal(conn_channel_count(b.c), 0);
    bed_done(&b);
}

static void replies_leave_in_the_order_of_the_requests(void **state)
{
    (void)state;
    struct bed b;
    uint64_t requests[3];
    bed_init(&b, NULL);
    for (size_t i = 0; i < 3; i++) {
        assert_ok(recv_global(&b, true));
        requests[i] = b.event.request;
        assert_ok(recv_global(&b, false)); /* asks for none and gets none */
    }
    conn_reply(b.c, requests[2], true, slice_text("c"));
    conn_reply(b.c, requests[1], false, SLICE_NONE);
    assert_int_equal(sent(&b), 0);
    conn_reply(b.c, requests[0], true, SLICE_NONE);
    assert_int_equal(sent(&b), SSH_MSG_REQUEST_SUCCESS);
    assert_int_equal(sent(&b), SSH_MSG_REQUEST_FAILURE);
    assert_int_equal(sent(&b), SSH_MSG_REQUEST_SUCCESS);
    assert_int_equal(sent(&b), 0);
    bed_done(&b);
}

static void replies_come_back_in_order_and_surplus_ones_are_bounded(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    conn_global_request(b.c, "a", true, SLICE_NONE, 11);
    conn_global_request(b.c, "b", false, SLICE_NONE, 12);
    conn_global_request(b.c, "c", true, SLICE_NONE, 13);
    assert_ok(recv_reply(&b, true));
    assert_int_equal(b.event.kind, CONN_GLOBAL_REPLY);
    assert_true(b.event.cookie == 11 && b.event.success && slice_is(b.event.body, "port"));
    assert_ok(recv_reply(&b, false));
    assert_true(b.event.cookie == 13 && !b.event.success);
    for (int i = 0; i < 64; i++) {
        assert_ok(recv_reply(&b, i % 2));
        assert_int_equal(b.event.kind, CONN_NONE);
    }
    assert_int_equal(recv_reply(&b, true), ERR_PROTOCOL);
    bed_done(&b);
}

static void unanswered_global_requests_are_bounded(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    for (int i = 0; i < 256; i++)
        assert_ok(recv_global(&b, true));
    assert_int_equal(recv_global(&b, true), ERR_LIMIT);
    bed_done(&b);
}

static void refused_opens_leave_nothing(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    for (uint32_t i = 0; i < 20000; i++) {
        assert_ok(recv_open(&b, i, WINDOW, 32768));
        conn_refuse(b.c, b.event.channel, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, "no");
        assert_int_equal(conn_channel_count(b.c), 0);
        assert_int_equal(sent(&b), SSH_MSG_CHANNEL_OPEN_FAILURE);
    }
    assert_true(b.c->channels.size <= 64);
    assert_int_equal(b.c->control.size, 0);
    bed_done(&b);
}

static void channels_are_capped(void **state)
{
    (void)state;
    struct bed b;
    struct channel *ch;
    bed_init(&b, NULL);
    for (uint32_t i = 0; i < 16384; i++) {
        assert_ok(recv_open(&b, i, WINDOW, 32768));
        assert_int_equal(b.event.kind, CONN_OPEN_REQUEST);
    }
    assert_ok(recv_open(&b, 99999, WINDOW, 32768));
    assert_int_equal(b.event.kind, CONN_NONE);
    struct slice payload;
    struct msg_channel_open_failure m;
    assert_true(conn_next_payload(b.c, &payload));
    assert_ok(msg_channel_open_failure_decode(payload, &m));
    assert_int_equal(m.recipient, 99999);
    assert_int_equal(m.reason, SSH_OPEN_RESOURCE_SHORTAGE);
    assert_int_equal(conn_open(b.c, "direct-tcpip", SLICE_NONE, NULL, &ch), ERR_LIMIT);
    assert_int_equal(conn_channel_count(b.c), 16384);
    bed_done(&b);
}

static void an_open_may_be_given_up_while_it_is_pending(void **state)
{
    (void)state;
    for (int confirmed = 0; confirmed < 2; confirmed++) {
        struct bed b;
        struct channel *ch;
        bed_init(&b, NULL);
        assert_ok(conn_open(b.c, "direct-tcpip", SLICE_NONE, NULL, &ch));
        uint32_t id = channel_id(ch);
        assert_int_equal(sent(&b), SSH_MSG_CHANNEL_OPEN);
        channel_close(ch);
        assert_int_equal(sent(&b), 0);
        assert_int_equal(conn_channel_count(b.c), 1);
        if (confirmed) {
            assert_ok(recv_confirmation(&b, id, WINDOW, 32768));
            assert_int_equal(sent(&b), SSH_MSG_CHANNEL_CLOSE);
            assert_ok(recv_plain(&b, SSH_MSG_CHANNEL_CLOSE, id));
        } else {
            assert_ok(recv_failure(&b, id));
        }
        assert_int_equal(b.event.kind, CONN_NONE);
        assert_int_equal(conn_channel_count(b.c), 0);
        bed_done(&b);
    }
}

static void a_failed_open_is_told_and_freed(void **state)
{
    (void)state;
    struct bed b;
    struct channel *ch;
    bed_init(&b, NULL);
    assert_ok(conn_open(b.c, "direct-tcpip", SLICE_NONE, &b, &ch));
    assert_ptr_equal(channel_user(ch), &b);
    assert_int_equal(recv_data(&b, channel_id(ch), 1, false), ERR_PROTOCOL); /* before its time */
    assert_ok(recv_failure(&b, channel_id(ch)));
    assert_int_equal(b.event.kind, CONN_OPEN_FAILED);
    assert_int_equal(b.event.reason, SSH_OPEN_CONNECT_FAILED);
    assert_true(slice_is(b.event.body, "no"));
    assert_int_equal(recv_failure(&b, channel_id(ch)), ERR_PROTOCOL);
    channel_close(ch);
    assert_int_equal(conn_channel_count(b.c), 0);
    bed_done(&b);
}

static void a_confirmation_comes_once(void **state)
{
    (void)state;
    struct bed b;
    struct channel *ch;
    bed_init(&b, NULL);
    assert_ok(conn_open(b.c, "direct-tcpip", SLICE_NONE, NULL, &ch));
    assert_ok(recv_confirmation(&b, channel_id(ch), WINDOW, 32768));
    assert_int_equal(b.event.kind, CONN_OPENED);
    assert_int_equal(recv_confirmation(&b, channel_id(ch), WINDOW, 32768), ERR_PROTOCOL);
    assert_int_equal(recv_failure(&b, channel_id(ch)), ERR_PROTOCOL);
    bed_done(&b);
}

static void channel_requests_are_answered_and_unasked_replies_refused(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    struct channel *ch = live(&b, 0);
    assert_ok(recv_request(&b, 0, true));
    assert_int_equal(b.event.kind, CONN_CHANNEL_REQUEST);
    assert_true(slice_is(b.event.name, "exec") && b.event.want_reply);
    channel_reply(ch, true);
    channel_reply(ch, true); /* only one is owed */
    assert_int_equal(sent(&b), SSH_MSG_CHANNEL_SUCCESS);
    assert_int_equal(sent(&b), 0);
    assert_ok(recv_request(&b, 0, false));
    channel_reply(ch, false);
    assert_int_equal(sent(&b), 0);
    channel_send_request(ch, "exec", true, SLICE_NONE);
    channel_send_request(ch, "env", false, SLICE_NONE);
    assert_ok(recv_plain(&b, SSH_MSG_CHANNEL_FAILURE, 0));
    assert_int_equal(b.event.kind, CONN_CHANNEL_REPLY);
    assert_false(b.event.success);
    assert_int_equal(recv_plain(&b, SSH_MSG_CHANNEL_SUCCESS, 0), ERR_PROTOCOL);
    bed_done(&b);
}

static void channel_requests_may_be_answered_later_in_order_and_are_bounded(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, NULL);
    struct channel *ch = live(&b, 0);
    for (int i = 0; i < 256; i++)
        assert_ok(recv_request(&b, 0, true));
    channel_reply(ch, false);
    assert_int_equal(sent(&b), SSH_MSG_CHANNEL_FAILURE);
    for (int i = 0; i < 255; i++) {
        channel_reply(ch, true);
        assert_int_equal(sent(&b), SSH_MSG_CHANNEL_SUCCESS);
    }
    channel_reply(ch, true);
    assert_int_equal(sent(&b), 0);
    for (int i = 0; i < 256; i++)
        assert_ok(recv_request(&b, 0, true));
    assert_int_equal(recv_request(&b, 0, true), ERR_LIMIT);
    bed_done(&b);
}

static void a_peer_that_provokes_and_does_not_read_is_ended(void **state)
{
    (void)state;
    struct bed b;
    const struct conn_config config = {.control_cap = 4096};
    enum err err = OK;
    bed_init(&b, &config);
    live(&b, 0);
    for (int i = 0; i < 1000 && err == OK; i++) {
        err = recv_request(&b, 0, true);
        if (err == OK)
            channel_reply(b.event.channel, false);
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_true(conn_is_flooded(b.c));
    assert_true(buf_len(&b.c->control) <= 4096);
    bed_done(&b);
}

static void what_others_ask_is_passed_on_while_our_own_has_room(void **state)
{
    (void)state;
    struct bed b;
    size_t passed = 0;
    char *long_one = mem_new(CHANNEL_BODY_MAX, 1);
    bed_init(&b, NULL);
    struct channel *ch = live(&b, 0);
    assert_false(conn_may_pass_on(b.c, CHANNEL_BODY_MAX + 1));
    while (conn_may_pass_on(b.c, CHANNEL_BODY_MAX) && passed++ < 100)
        channel_send_request(ch, "exec", false, slice_of(long_one, CHANNEL_BODY_MAX));
    assert_int_equal(passed, 3);
    for (int i = 0; i < 100; i++)
        conn_global_request(b.c, "keepalive@openssh.com", true, SLICE_NONE, 1);
    assert_false(conn_is_flooded(b.c));
    bed_done(&b);
    mem_free(long_one);
}

static uint32_t dice(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % below;
}

/* What a user does with an event, at random but within the contract. */
static void use_event(struct bed *b, uint64_t *seed)
{
    struct channel *ch = b->event.channel;
    switch (b->event.kind) {
    case CONN_OPEN_REQUEST:
        if (dice(seed, 3))
            conn_accept(b->c, ch);
        else
            conn_refuse(b->c, ch, SSH_OPEN_CONNECT_FAILED, "no");
        break;
    case CONN_DATA:
    case CONN_EXTENDED_DATA:
        channel_consumed(ch, dice(seed, (uint32_t)b->event.body.len + 1));
        break;
    case CONN_CHANNEL_REQUEST:
        channel_reply(ch, dice(seed, 2));
        break;
    case CONN_GLOBAL_REQUEST:
        if (b->event.want_reply)
            conn_reply(b->c, b->event.request, dice(seed, 2), SLICE_NONE);
        break;
    case CONN_OPEN_FAILED:
    case CONN_CLOSED:
        channel_close(ch);
        break;
    case CONN_OPENED:
    case CONN_WINDOW:
    case CONN_EOF:
        if (dice(seed, 4) == 0)
            channel_send_eof(ch);
        else if (dice(seed, 4) == 0)
            channel_close(ch);
        break;
    case CONN_NONE:
    case CONN_GLOBAL_REPLY:
    case CONN_CHANNEL_REPLY:
        break;
    }
}

/* Mostly what a peer may say now, so that sequences grow long before something illegal ends them.
 */
static enum err recv_anything(struct bed *b, uint64_t *seed)
{
    uint32_t count = conn_channel_count(b->c);
    uint32_t id = count && dice(seed, 200) ? dice(seed, count) : dice(seed, 12);
    uint32_t n = dice(seed, 30), what = dice(seed, 400);
    if (what < 60 || (count == 0 && what < 396))
        return recv_open(b, dice(seed, 100), n, n + 1);
    if (what < 360) {
        switch (what % 5) {
        case 0:
            return recv_data(b, id, n, false);
        case 1:
            return recv_data(b, id, n, true);
        case 2:
            return recv_adjust(b, id, n);
        case 3:
            return recv_request(b, id, n % 2);
        default:
            return recv_global(b, n % 2);
        }
    }
    switch (what % 6) {
    case 0:
        return recv_plain(b, SSH_MSG_CHANNEL_EOF, id);
    case 1:
        return recv_plain(b, SSH_MSG_CHANNEL_CLOSE, id);
    case 2:
        return recv_confirmation(b, id, n, n + 1);
    case 3:
        return recv_failure(b, id);
    case 4:
        return recv_plain(b, n % 2 ? SSH_MSG_CHANNEL_SUCCESS : SSH_MSG_CHANNEL_FAILURE, id);
    default:
        return recv_reply(b, n % 2);
    }
}

static void user_does_something(struct bed *b, uint64_t *seed)
{
    struct channel *ch;
    uint32_t id = dice(seed, 12);
    switch (dice(seed, 5)) {
    case 0:
        if (conn_channel_count(b->c) < 12)
            assert_ok(conn_open(b->c, "direct-tcpip", SLICE_NONE, NULL, &ch));
        break;
    case 1:
        ch = conn_next_channel(b->c, &id);
        if (ch)
            channel_send_request(ch, "exec", true, SLICE_NONE);
        break;
    case 2:
        ch = conn_next_channel(b->c, &id);
        if (ch && channel_may_send(ch))
            assert_ok(channel_send_data(ch, slice_text("x")));
        break;
    case 3:
        conn_global_request(b->c, "any", true, SLICE_NONE, 1);
        break;
    default:
        for (uint32_t n = dice(seed, 30); n > 0 && sent(b); n--)
            continue;
        break;
    }
}

/* Whatever comes in whatever order: no crash, and no more queued than the cap. */
static void a_channel_tells_its_type_and_how_long_nothing_moved(void **state)
{
    (void)state;
    struct bed b;
    uint8_t head[CHANNEL_DATA_HEAD];
    bed_init(&b, NULL);
    assert_ok(recv_open(&b, 5, WINDOW, 100));
    struct channel *ch = b.event.channel;
    assert_string_equal(channel_type(ch), "direct-tcpip");
    conn_accept(b.c, ch);
    assert_int_equal(channel_idle_ms(ch, 1000), 0); /* the first look */
    assert_int_equal(channel_idle_ms(ch, 4000), 3000);
    channel_put_data_head(ch, head, 10);
    assert_int_equal(channel_idle_ms(ch, 5000), 0);
    assert_int_equal(channel_idle_ms(ch, 5500), 500);
    assert_ok(channel_send_stderr(ch, slice_text("x")));
    assert_int_equal(channel_idle_ms(ch, 6000), 0);
    channel_set_type(ch, "session:subsystem:a-name-that-is-much-longer-than-there-is-room-for-one");
    assert_int_equal(strlen(channel_type(ch)), CHANNEL_TYPE_MAX - 1);
    bed_done(&b);
}

static void any_sequence_is_survived_within_the_cap(void **state)
{
    (void)state;
    uint64_t seed = 20261121;
    const struct conn_config config = {.window = WINDOW, .max_channels = 10, .control_cap = 8192};
    struct bed b;
    unsigned ends = 0, longest = 0, length = 0;
    bed_init(&b, &config);
    for (int i = 0; i < 200000; i++) {
        enum err err = recv_anything(&b, &seed);
        length++;
        assert_true(buf_len(&b.c->control) <= 8192);
        assert_true(conn_channel_count(b.c) <= 10);
        if (err == OK) {
            use_event(&b, &seed);
            if (dice(&seed, 3) == 0 && conn_channel_count(b.c) < 10)
                user_does_something(&b, &seed);
            continue;
        }
        assert_non_null(conn_fault(b.c).text);
        bed_done(&b);
        bed_init(&b, &config);
        longest = MAX(longest, length);
        length = 0;
        ends++;
    }
    assert_true(ends > 100 && longest > 20);
    forget_sent(&b);
    bed_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_tells_its_type_and_how_long_nothing_moved),
        cmocka_unit_test(data_beyond_the_window_ends_the_connection),
        cmocka_unit_test(what_was_consumed_is_credited),
        cmocka_unit_test(a_credit_that_the_transport_does_not_take_yet_is_not_lost),
        cmocka_unit_test(who_sends_no_more_holds_what_waits_and_nothing_else),
        cmocka_unit_test(a_window_beyond_32_bits_ends_the_connection),
        cmocka_unit_test(packets_of_at_most_nothing_are_refused),
        cmocka_unit_test(a_window_of_nothing_waits_for_an_adjust),
        cmocka_unit_test(ids_that_never_were_end_the_connection),
        cmocka_unit_test(messages_that_cross_a_close_are_passed_over),
        cmocka_unit_test(halves_only_move_on),
        cmocka_unit_test(our_halves_only_move_on_too),
        cmocka_unit_test(replies_leave_in_the_order_of_the_requests),
        cmocka_unit_test(replies_come_back_in_order_and_surplus_ones_are_bounded),
        cmocka_unit_test(unanswered_global_requests_are_bounded),
        cmocka_unit_test(refused_opens_leave_nothing),
        cmocka_unit_test(channels_are_capped),
        cmocka_unit_test(an_open_may_be_given_up_while_it_is_pending),
        cmocka_unit_test(a_failed_open_is_told_and_freed),
        cmocka_unit_test(a_confirmation_comes_once),
        cmocka_unit_test(channel_requests_are_answered_and_unasked_replies_refused),
        cmocka_unit_test(channel_requests_may_be_answered_later_in_order_and_are_bounded),
        cmocka_unit_test(a_peer_that_provokes_and_does_not_read_is_ended),
        cmocka_unit_test(what_others_ask_is_passed_on_while_our_own_has_room),
        cmocka_unit_test(any_sequence_is_survived_within_the_cap),
    };
    return RUN_TESTS(tests);
}
