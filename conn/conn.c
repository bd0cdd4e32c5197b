/* The multiplexer. */
#include "conn/conn.h"

#include "base/log.h"
#include "conn/internal.h"
#include "wire/numbers.h"

#define MAX_CHANNELS        16384
#define CONTROL_CAP         (1024 * 1024)
#define SCRATCH_CAP         (CHANNEL_BODY_MAX + 1024)
#define CREDIT_LENGTH       9            /* of a WINDOW_ADJUST */
#define PASSED_ON_RESERVE   (256 * 1024) /* of CONTROL_CAP: what is our own to say has room */
#define OWED_MAX            256 /* global requests of the peer's that wait for our answer */
#define SURPLUS_REPLIES_MAX 64  /* security.md D13: counted and ignored */

static const char malformed[] = "malformed connection message (RFC 4254)";
static const char no_channel[] = "a message for a channel that never existed (RFC 4254 5)";
static const char window_overrun[] = "data beyond the window that was granted (RFC 4254 5.2)";
static const char window_overflow[] = "a window beyond 2^32-1 (RFC 4254 5.2)";
static const char bad_order[] = "a channel message out of order (RFC 4254 5)";
static const char too_many_replies[] = "replies to global requests that were never made";
static const char too_many_requests[] = "too many global requests waiting for an answer";
static const char too_many_asked[] = "too many channel requests waiting for an answer";
static const char bad_max_packet[] = "a maximum packet size of 0 (RFC 4254 5.1)";
static const char flooded[] = "the peer provokes more replies than it reads";
static const char unasked_reply[] = "a reply to a channel request that was never made";

struct conn *conn_new(const struct conn_config *config)
{
    struct conn *c = NEW(struct conn);
    c->config = *config;
    c->config.max_channels = config->max_channels ? config->max_channels : MAX_CHANNELS;
    c->config.window = config->window ? config->window : WINDOW_FIRST;
    c->budget.parent = config->budget;
    conn_set_window(c, config->window_most, config->window_total);
    idmap_init(&c->channels, c->config.max_channels);
    buf_init(&c->control, config->control_cap ? config->control_cap : CONTROL_CAP);
    buf_init(&c->scratch, SCRATCH_CAP);
    buf_init(&c->credit, CREDIT_LENGTH);
    list_init(&c->credits);
    list_init(&c->owed);
    list_init(&c->asked);
    return c;
}

void conn_free(struct conn *c)
{
    if (!c)
        return;
    for (uint32_t id = 0; id < c->channels.size; id++) {
        struct channel *ch = idmap_get(&c->channels, id);
        if (!ch)
            continue;
        window_done(&ch->recv_window);
        channel_free(ch);
    }
    LIST_FOR (o, &c->owed, struct owed_reply, link) {
        buf_done(&o->body);
        mem_free(o);
    }
    LIST_FOR (a, &c->asked, struct asked, link) {
        mem_free(a);
    }
    idmap_done(&c->channels);
    buf_done(&c->control);
    buf_done(&c->scratch);
    buf_done(&c->credit);
    mem_free(c);
}

void conn_set_time(struct conn *c, uint64_t now_us, uint64_t round_trip_us, uint64_t last_us)
{
    c->terms.now_us = now_us;
    c->terms.round_trip_us = round_trip_us;
    c->terms.last_round_trip_us = last_us;
}

void conn_set_peer_hoards(struct conn *c, bool hoards)
{
    c->terms.sender_hoards = hoards;
}

void conn_set_window(struct conn *c, uint32_t most, uint64_t total)
{
    c->terms.most = most ? most : WINDOW_MOST;
    c->budget.limit = total ? total : WINDOW_CONNECTION;
}

struct fault conn_fault(const struct conn *c)
{
    return c->fault;
}

static enum err broken(struct conn *c, enum err code, const char *text)
{
    c->fault = (struct fault){code, SSH_DISCONNECT_PROTOCOL_ERROR, text};
    return code;
}

/* ---- the outgoing queue ---- */

void conn_write_begin(struct conn *c, struct writer *w)
{
    buf_clear(&c->scratch);
    writer_init(w, &c->scratch);
}

void conn_write_end(struct conn *c, struct writer *w)
{
    struct slice payload = buf_slice(&c->scratch);
    uint8_t length[4];
    put_u32(length, (uint32_t)payload.len);
    bool fits = writer_done(w) == OK && buf_append(&c->control, length, 4) == OK &&
                buf_append_slice(&c->control, payload) == OK;
    if (fits || c->flooded)
        return;
    c->flooded = true;
    c->fault = (struct fault){ERR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR, flooded};
}

bool conn_is_flooded(const struct conn *c)
{
    return c->flooded;
}

bool conn_may_pass_on(const struct conn *c, size_t body_len)
{
    size_t free = c->control.cap - buf_len(&c->control);
    return body_len <= CHANNEL_BODY_MAX && free >= body_len + PASSED_ON_RESERVE;
}

static void tell_window(const struct channel *ch, uint32_t before)
{
    uint32_t now = ch->recv_window.target;
    if (MAX(now, before) - MIN(now, before) > before / 8)
        log_debug2("channel %u: window %u -> %u, round trip %llu us", ch->our_id, before,
                   ch->recv_window.target, (unsigned long long)ch->conn->terms.round_trip_us);
}

static uint32_t take_credit(struct conn *c, struct channel *ch)
{
    uint32_t before = ch->recv_window.target;
    uint32_t bytes = window_take_credit(&ch->recv_window, &c->terms);
    tell_window(ch, before);
    return bytes;
}

/* Credits go first: they are what keeps the peer sending. */
static bool next_credit(struct conn *c, struct slice *payload)
{
    while (!list_is_empty(&c->credits)) {
        struct channel *ch = container_of(c->credits.next, struct channel, credit_link);
        list_remove(&ch->credit_link);
        uint32_t bytes = take_credit(c, ch);
        if (bytes == 0)
            continue;
        struct writer w;
        struct msg_channel_window_adjust m = {ch->peer_id, bytes};
        buf_clear(&c->credit);
        writer_init(&w, &c->credit);
        msg_channel_window_adjust_encode(&w, &m);
        CHECK(writer_done(&w) == OK);
        c->gave_credit = true;
        *payload = buf_slice(&c->credit);
        return true;
    }
    return false;
}

bool conn_next_payload(struct conn *c, struct slice *payload)
{
    if (c->gave_credit) { /* handed out before, not taken yet */
        *payload = buf_slice(&c->credit);
        return true;
    }
    if (next_credit(c, payload))
        return true;
    struct slice queued = buf_slice(&c->control);
    if (queued.len == 0)
        return false;
    *payload = slice_of(queued.ptr + 4, get_u32(queued.ptr));
    return true;
}

void conn_payload_taken(struct conn *c)
{
    if (c->gave_credit) {
        c->gave_credit = false;
        return;
    }
    struct slice queued = buf_slice(&c->control);
    buf_consume(&c->control, 4 + (size_t)get_u32(queued.ptr));
    if (buf_len(&c->control) == 0)
        buf_done(&c->control);
}

/* ---- global requests ---- */

void conn_global_request(struct conn *c, const char *name, bool want_reply, struct slice body,
                         uint64_t cookie)
{
    struct writer w;
    struct msg_global_request m = {slice_text(name), want_reply, body};
    conn_write_begin(c, &w);
    msg_global_request_encode(&w, &m);
    conn_write_end(c, &w);
    if (!want_reply)
        return;
    struct asked *a = NEW(struct asked);
    a->cookie = cookie;
    list_append(&c->asked, &a->link);
    c->asked_count++;
}

/* RFC 4254 4: replies go out in the order of the requests, whenever they were answered. */
static void send_answered(struct conn *c)
{
    LIST_FOR (o, &c->owed, struct owed_reply, link) {
        if (!o->answered)
            return;
        struct writer w;
        conn_write_begin(c, &w);
        if (o->success)
            msg_request_success_encode(&w, buf_slice(&o->body));
        else
            msg_request_failure_encode(&w);
        conn_write_end(c, &w);
        list_remove(&o->link);
        c->owed_count--;
        buf_done(&o->body);
        mem_free(o);
    }
}

static struct owed_reply *find_owed(struct conn *c, uint64_t request)
{
    LIST_FOR (o, &c->owed, struct owed_reply, link) {
        if (o->number == request)
            return o;
    }
    return NULL;
}

void conn_reply(struct conn *c, uint64_t request, bool success, struct slice body)
{
    struct owed_reply *o = find_owed(c, request);
    CHECK(o && !o->answered);
    o->answered = true;
    o->success = success;
    enum err err = buf_append_slice(&o->body, body);
    CHECK(err == OK);
    send_answered(c);
}

static enum err on_global_request(struct conn *c, struct slice payload, struct conn_event *event)
{
    struct msg_global_request m;
    if (msg_global_request_decode(payload, &m) != OK)
        return broken(c, ERR_FORMAT, malformed);
    *event = (struct conn_event){
        .kind = CONN_GLOBAL_REQUEST, .name = m.name, .body = m.body, .want_reply = m.want_reply};
    if (!m.want_reply)
        return OK;
    if (c->owed_count >= OWED_MAX)
        return broken(c, ERR_LIMIT, too_many_requests);
    struct owed_reply *o = NEW(struct owed_reply);
    buf_init(&o->body, 4096);
    o->number = event->request = ++c->next_request;
    list_append(&c->owed, &o->link);
    c->owed_count++;
    return OK;
}

static enum err on_request_reply(struct conn *c, struct slice payload, struct conn_event *event)
{
    bool success = payload.ptr[0] == SSH_MSG_REQUEST_SUCCESS;
    struct slice body = SLICE_NONE;
    if (success && msg_request_success_decode(payload, &body) != OK)
        return broken(c, ERR_FORMAT, malformed);
    struct list *first = list_take_first(&c->asked);
    if (!first) {
        if (++c->surplus_replies > SURPLUS_REPLIES_MAX)
            return broken(c, ERR_PROTOCOL, too_many_replies);
        return OK;
    }
    struct asked *a = container_of(first, struct asked, link);
    *event = (struct conn_event){
        .kind = CONN_GLOBAL_REPLY, .success = success, .body = body, .cookie = a->cookie};
    c->asked_count--;
    mem_free(a);
    return OK;
}

/* ---- opening ---- */

static enum err channel_new(struct conn *c, enum channel_opening opening, struct channel **out)
{
    struct channel *ch = NEW(struct channel);
    ch->conn = c;
    ch->opening = opening;
    list_init(&ch->credit_link);
    enum err err = window_init(&ch->recv_window, &c->budget, MIN(c->config.window, c->terms.most));
    if (err == OK) {
        err = idmap_add(&c->channels, ch, &ch->our_id);
        if (err != OK)
            window_done(&ch->recv_window);
    }
    if (err != OK) {
        mem_free(ch);
        return err;
    }
    *out = ch;
    return OK;
}

enum err conn_open(struct conn *c, const char *type, struct slice body, void *user,
                   struct channel **channel)
{
    struct channel *ch;
    TRY(channel_new(c, CHANNEL_ASKED, &ch));
    channel_set_type(ch, type);
    ch->user = user;
    struct writer w;
    struct msg_channel_open m = {slice_text(type), ch->our_id, ch->recv_window.left,
                                 CHANNEL_MAX_PACKET, body};
    conn_write_begin(c, &w);
    msg_channel_open_encode(&w, &m);
    conn_write_end(c, &w);
    *channel = ch;
    return OK;
}

static void send_open_failure(struct conn *c, uint32_t peer_id, uint32_t reason, const char *text)
{
    struct writer w;
    struct msg_channel_open_failure m = {peer_id, reason, slice_text(text)};
    conn_write_begin(c, &w);
    msg_channel_open_failure_encode(&w, &m);
    conn_write_end(c, &w);
}

void conn_accept(struct conn *c, struct channel *ch)
{
    CHECK(ch->opening == CHANNEL_OFFERED);
    struct writer w;
    struct msg_channel_open_confirmation m = {ch->peer_id, ch->our_id, ch->recv_window.left,
                                              CHANNEL_MAX_PACKET};
    conn_write_begin(c, &w);
    msg_channel_open_confirmation_encode(&w, &m);
    conn_write_end(c, &w);
    ch->opening = CHANNEL_LIVE;
}

void conn_refuse(struct conn *c, struct channel *ch, uint32_t reason, const char *text)
{
    CHECK(ch->opening == CHANNEL_OFFERED);
    send_open_failure(c, ch->peer_id, reason, text);
    ch->opening = CHANNEL_REFUSED;
    channel_close(ch);
}

static enum err on_open(struct conn *c, struct slice payload, struct conn_event *event)
{
    struct msg_channel_open m;
    struct channel *ch;
    if (msg_channel_open_decode(payload, &m) != OK)
        return broken(c, ERR_FORMAT, malformed);
    if (m.max_packet == 0)
        return broken(c, ERR_PROTOCOL, bad_max_packet);
    if (channel_new(c, CHANNEL_OFFERED, &ch) != OK) {
        send_open_failure(c, m.sender, SSH_OPEN_RESOURCE_SHORTAGE, "too many channels");
        return OK;
    }
    channel_note_type(ch, m.type);
    ch->peer_id = m.sender;
    ch->send_window = ch->peak_window = m.window;
    ch->peer_max_packet = m.max_packet;
    *event = (struct conn_event){
        .kind = CONN_OPEN_REQUEST, .channel = ch, .name = m.type, .body = m.body};
    return OK;
}

/*
 * The channel a message is for. *ch is NULL, with OK, for a channel that existed and is gone: such
 * messages cross a CLOSE on the wire and say nothing (security.md D13).
 */
static enum err find(struct conn *c, uint32_t id, struct channel **ch)
{
    *ch = idmap_get(&c->channels, id);
    if (*ch)
        return OK;
    if (!idmap_was_used(&c->channels, id))
        return broken(c, ERR_PROTOCOL, no_channel);
    c->late_messages++;
    return OK;
}

static enum err on_open_confirmation(struct conn *c, struct slice payload, struct conn_event *event)
{
    struct msg_channel_open_confirmation m;
    struct channel *ch;
    if (msg_channel_open_confirmation_decode(payload, &m) != OK)
        return broken(c, ERR_FORMAT, malformed);
    TRY(find(c, m.recipient, &ch));
    if (!ch || ch->opening != CHANNEL_ASKED)
        return broken(c, ERR_PROTOCOL, bad_order);
    if (m.max_packet == 0)
        return broken(c, ERR_PROTOCOL, bad_max_packet);
    ch->peer_id = m.sender;
    ch->send_window = ch->peak_window = m.window;
    ch->peer_max_packet = m.max_packet;
    ch->opening = CHANNEL_LIVE;
    if (ch->is_released) { /* the user gave up while it was pending */
        ch->is_released = false;
        channel_close(ch);
        return OK;
    }
    *event = (struct conn_event){.kind = CONN_OPENED, .channel = ch};
    return OK;
}

static enum err on_open_failure(struct conn *c, struct slice payload, struct conn_event *event)
{
    struct msg_channel_open_failure m;
    struct channel *ch;
    if (msg_channel_open_failure_decode(payload, &m) != OK)
        return broken(c, ERR_FORMAT, malformed);
    TRY(find(c, m.recipient, &ch));
    if (!ch || ch->opening != CHANNEL_ASKED)
        return broken(c, ERR_PROTOCOL, bad_order);
    ch->opening = CHANNEL_REFUSED;
    if (ch->is_released) {
        channel_settle(ch);
        return OK;
    }
    *event = (struct conn_event){
        .kind = CONN_OPEN_FAILED, .channel = ch, .reason = m.reason, .body = m.description};
    return OK;
}

/* ---- a living channel ---- */

/* find, for messages that only a confirmed channel may get. */
static enum err find_live(struct conn *c, uint32_t id, struct channel **ch)
{
    TRY(find(c, id, ch));
    if (*ch && (*ch)->opening != CHANNEL_LIVE)
        return broken(c, ERR_PROTOCOL, bad_order);
    return OK;
}

static enum err on_data(struct conn *c, struct slice payload, struct conn_event *event)
{
    struct msg_channel_data m;
    struct channel *ch;
    bool extended = payload.ptr[0] == SSH_MSG_CHANNEL_EXTENDED_DATA;
    enum err err = extended ? msg_channel_extended_data_decode(payload, &m)
                            : msg_channel_data_decode(payload, &m);
    if (err != OK)
        return broken(c, ERR_FORMAT, malformed);
    TRY(find_live(c, m.recipient, &ch));
    if (!ch)
        return OK;
    if (ch->receiving != HALF_OPEN) {
        /* Some peers send stderr behind the EOF of stdout; it is dropped, not punished. */
        return extended && ch->receiving == HALF_EOF ? OK : broken(c, ERR_PROTOCOL, bad_order);
    }
    uint32_t before = ch->recv_window.target;
    if (window_received(&ch->recv_window, m.data.len, &c->terms) != OK)
        return broken(c, ERR_PROTOCOL, window_overrun);
    tell_window(ch, before);
    ch->moved += m.data.len;
    c->data_in += m.data.len;
    if (ch->is_released || m.data.len == 0)
        return OK; /* nobody takes it, nobody credits it */
    *event = (struct conn_event){.kind = extended ? CONN_EXTENDED_DATA : CONN_DATA,
                                 .channel = ch,
                                 .body = m.data,
                                 .reason = m.code};
    return OK;
}

static enum err on_window_adjust(struct conn *c, struct slice payload, struct conn_event *event)
{
    struct msg_channel_window_adjust m;
    struct channel *ch;
    if (msg_channel_window_adjust_decode(payload, &m) != OK)
        return broken(c, ERR_FORMAT, malformed);
    TRY(find_live(c, m.recipient, &ch));
    if (!ch)
        return OK;
    if (window_adjusted(&ch->send_window, m.bytes) != OK)
        return broken(c, ERR_PROTOCOL, window_overflow);
    ch->peak_window = MAX(ch->peak_window, ch->send_window);
    if (!ch->is_released && channel_may_send(ch) > 0)
        *event = (struct conn_event){.kind = CONN_WINDOW, .channel = ch};
    return OK;
}

static enum err on_eof(struct conn *c, struct slice payload, struct conn_event *event)
{
    uint32_t id;
    struct channel *ch;
    if (msg_channel_plain_decode(payload, &id) != OK)
        return broken(c, ERR_FORMAT, malformed);
    TRY(find_live(c, id, &ch));
    if (!ch)
        return OK;
    if (ch->receiving != HALF_OPEN)
        return broken(c, ERR_PROTOCOL, bad_order);
    channel_set_receiving(ch, HALF_EOF);
    list_remove(&ch->credit_link);
    window_ended(&ch->recv_window);
    if (!ch->is_released)
        *event = (struct conn_event){.kind = CONN_EOF, .channel = ch};
    return OK;
}

static enum err on_close(struct conn *c, struct slice payload, struct conn_event *event)
{
    uint32_t id;
    struct channel *ch;
    if (msg_channel_plain_decode(payload, &id) != OK)
        return broken(c, ERR_FORMAT, malformed);
    TRY(find_live(c, id, &ch));
    if (!ch || ch->receiving == HALF_CLOSED)
        return broken(c, ERR_PROTOCOL, bad_order);
    channel_set_receiving(ch, HALF_CLOSED);
    list_remove(&ch->credit_link);
    window_ended(&ch->recv_window);
    if (ch->is_released)
        channel_settle(ch);
    else
        *event = (struct conn_event){.kind = CONN_CLOSED, .channel = ch};
    return OK;
}

static enum err on_channel_request(struct conn *c, struct slice payload, struct conn_event *event)
{
    struct msg_channel_request m;
    struct channel *ch;
    if (msg_channel_request_decode(payload, &m) != OK)
        return broken(c, ERR_FORMAT, malformed);
    TRY(find_live(c, m.recipient, &ch));
    if (!ch)
        return OK;
    if (ch->receiving == HALF_CLOSED)
        return broken(c, ERR_PROTOCOL, bad_order);
    if (m.want_reply && ++ch->replies_owed > OWED_MAX)
        return broken(c, ERR_LIMIT, too_many_asked);
    if (ch->is_released) {
        channel_reply(ch, false);
        return OK;
    }
    *event = (struct conn_event){.kind = CONN_CHANNEL_REQUEST,
                                 .channel = ch,
                                 .name = m.type,
                                 .body = m.body,
                                 .want_reply = m.want_reply};
    return OK;
}

static enum err on_channel_reply(struct conn *c, struct slice payload, struct conn_event *event)
{
    uint32_t id;
    struct channel *ch;
    if (msg_channel_plain_decode(payload, &id) != OK)
        return broken(c, ERR_FORMAT, malformed);
    TRY(find_live(c, id, &ch));
    if (!ch)
        return OK;
    if (ch->replies_due == 0)
        return broken(c, ERR_PROTOCOL, unasked_reply);
    ch->replies_due--;
    if (!ch->is_released)
        *event = (struct conn_event){.kind = CONN_CHANNEL_REPLY,
                                     .channel = ch,
                                     .success = payload.ptr[0] == SSH_MSG_CHANNEL_SUCCESS};
    return OK;
}

/* ---- dispatch ---- */

typedef enum err handler(struct conn *c, struct slice payload, struct conn_event *event);

static handler *const handlers[] = {
    [SSH_MSG_GLOBAL_REQUEST] = on_global_request,
    [SSH_MSG_REQUEST_SUCCESS] = on_request_reply,
    [SSH_MSG_REQUEST_FAILURE] = on_request_reply,
    [SSH_MSG_CHANNEL_OPEN] = on_open,
    [SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = on_open_confirmation,
    [SSH_MSG_CHANNEL_OPEN_FAILURE] = on_open_failure,
    [SSH_MSG_CHANNEL_WINDOW_ADJUST] = on_window_adjust,
    [SSH_MSG_CHANNEL_DATA] = on_data,
    [SSH_MSG_CHANNEL_EXTENDED_DATA] = on_data,
    [SSH_MSG_CHANNEL_EOF] = on_eof,
    [SSH_MSG_CHANNEL_CLOSE] = on_close,
    [SSH_MSG_CHANNEL_REQUEST] = on_channel_request,
    [SSH_MSG_CHANNEL_SUCCESS] = on_channel_reply,
    [SSH_MSG_CHANNEL_FAILURE] = on_channel_reply,
};

enum err conn_recv(struct conn *c, struct slice payload, struct conn_event *event)
{
    *event = (struct conn_event){.kind = CONN_NONE};
    uint8_t number = payload.len ? payload.ptr[0] : 0;
    if (number >= ARRAY_LEN(handlers) || !handlers[number])
        return broken(c, ERR_PROTOCOL, malformed);
    TRY(handlers[number](c, payload, event));
    return c->flooded ? ERR_LIMIT : OK;
}

struct channel *conn_next_channel(const struct conn *c, uint32_t *id)
{
    while (*id < c->channels.size) {
        struct channel *ch = idmap_get(&c->channels, (*id)++);
        if (ch && !ch->is_released)
            return ch;
    }
    return NULL;
}

uint64_t conn_data_in(const struct conn *c)
{
    return c->data_in;
}

uint64_t conn_data_out(const struct conn *c)
{
    return c->data_out;
}

uint32_t conn_channel_count(const struct conn *c)
{
    return c->channels.used;
}

uint64_t conn_window_held(const struct conn *c)
{
    return c->budget.held;
}
