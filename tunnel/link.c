/* One SSH connection. */
#include "tunnel/link.h"

#include "base/list.h"
#include "base/log.h"
#include "tunnel/compress.h"
#include "tunnel/pace.h"
#include "tunnel/round_trip.h"
#include "wire/msg_conn.h"
#include "wire/msg_transport.h"
#include "wire/numbers.h"

#define READ_MIN         (16 * 1024)
#define READ_MAX         (512 * 1024)
#define BATCH_MIN        (32 * 1024)
#define BATCH_MAX        (512 * 1024)
#define TURN_BATCHES     2           /* of a link, before others of the loop have their turn */
#define NEWCOMER_CREDIT  (16 * 1024) /* what one that was idle may say before the others */
#define QUANTUM_MIN      (16 * 1024)
#define SLOTS_MAX        16
#define SMALL            4096 /* who says less at a time is interactive */
#define GOODBYE_MS       2000
#define WRITE_FAILED_MS  1000 /* how long the reading side may look for the cause */
#define KEEPALIVE        "keepalive@openssh.com"
#define COOKIE_KEEPALIVE UINT64_MAX
#define COOKIE_MEASURE   (UINT64_MAX - 2) /* client/host_keys_update.c has the one between */
#define PING_LENGTH      5                /* without data */

static const char lost_connection[] = "connection lost";
static const char closed_by_peer[] = "Connection closed by remote host";
static const char not_responding[] = "Timeout, the other side is not responding.";

struct link {
    struct link_config config;
    struct loop *loop;
    struct stream *stream;
    struct transport *transport;
    struct auth_client *auth_client;
    struct conn *conn;
    struct loop_turn turn;
    struct loop_timer *timer;
    struct schedule schedule; /* users that have something to send */
    struct list gathering;    /* users whose `flush` is due */
    size_t read_size;
    size_t batch; /* what is sealed before it is written */
    struct pace pace;
    bool up;
    bool is_fresh; /* adopted, and not gone up yet */
    bool blocked;  /* the socket did not take all: nothing more is sealed until it has */
    bool serving;  /* inside the drain of events */
    bool giving;   /* turns: what is sealed now is written behind them */
    bool asking;   /* an authentication question is out: nothing more is fed */
    bool leaving;  /* link_disconnect: send what is queued, then go */
    bool dead, said_down;
    bool by_peer;
    bool had_channels; /* at the end of the last turn */
    struct fault fault;
    char *peer_text;
    uint64_t last_heard_ms, leaving_until_ms;
    uint64_t alive_due_ms;
    uint64_t write_failed_ms; /* when a broken write ends the link, if reading has not; 0: none */
    unsigned alive_unanswered;
    struct round_trip round_trip;
};

static void flush(struct link *l);
static void serve_input(struct link *l);

/* ---- channel users ---- */

void channel_user_init(struct channel_user *u, const struct channel_ops *ops, struct link *link,
                       struct channel *channel)
{
    u->ops = ops;
    u->link = link;
    u->channel = channel;
    u->is_starved = false;
    schedule_item_init(&u->turn);
    list_init(&u->gathering);
    if (channel)
        channel_set_user(channel, u);
}

void channel_user_leave(struct channel_user *u)
{
    schedule_remove(&u->link->schedule, &u->turn);
    list_remove(&u->gathering);
    u->channel = NULL;
}

void channel_user_close(struct channel_user *u)
{
    struct channel *ch = u->channel;
    channel_user_leave(u);
    if (!ch)
        return;
    channel_close(ch);
    link_touch(u->link);
}

bool channel_user_waits(const struct channel_user *u)
{
    return u->turn.is_ready || u->is_starved;
}

void link_gather(struct channel_user *u)
{
    if (list_is_empty(&u->gathering))
        list_append(&u->link->gathering, &u->gathering);
}

/* ---- events up ---- */

static void say(struct link *l, struct link_event event)
{
    l->config.event(l->config.owner, &event);
}

/* ---- death, once ---- */

static void die(struct link *l, struct fault fault)
{
    if (l->dead)
        return;
    l->dead = true;
    l->fault = fault;
    stream_reading(l->stream, false);
    loop_turn_request(l->loop, &l->turn);
}

void link_fail(struct link *l, enum err code, uint32_t reason, const char *text)
{
    if (l->dead)
        return;
    transport_fail(l->transport, code, reason, text);
    die(l, (struct fault){code, reason, text});
}

static void lose_channels(struct link *l)
{
    uint32_t id = 0;
    struct channel *ch;
    while ((ch = conn_next_channel(l->conn, &id))) {
        struct channel_user *u = channel_user(ch);
        channel_close(ch);
        if (!u)
            continue;
        channel_user_leave(u);
        if (u->ops->lost)
            u->ops->lost(u);
    }
}

/* Last words: DISCONNECT goes out if the socket takes it at once. */
static void say_down(struct link *l)
{
    struct slice out = transport_output(l->transport);
    size_t n = 0;
    l->said_down = true;
    if (out.len && stream_queued(l->stream) == 0) {
        struct iovec bytes = {(void *)(uintptr_t)out.ptr, out.len};
        if (stream_try_write(l->stream, &bytes, 1, &n) == OK)
            transport_output_taken(l->transport, n);
    }
    loop_timer_stop(l->timer);
    lose_channels(l);
    say(l, (struct link_event){.kind = LINK_DOWN,
                               .fault = l->fault,
                               .by_peer = l->by_peer,
                               .text = slice_text(l->peer_text ? l->peer_text : "")});
}

void link_disconnect(struct link *l, const char *text)
{
    if (l->dead || l->leaving)
        return;
    l->leaving = true;
    l->fault = (struct fault){ERR_CANCELLED, SSH_DISCONNECT_BY_APPLICATION, text};
    l->leaving_until_ms = loop_now(l->loop) + GOODBYE_MS;
    link_touch(l);
}

/* ---- payloads out ---- */

static bool next_payload(struct link *l, struct slice *payload)
{
    if (l->auth_client && auth_client_next_payload(l->auth_client, payload))
        return true;
    return l->up && conn_next_payload(l->conn, payload);
}

static void payload_taken(struct link *l)
{
    struct slice ignored;
    if (l->auth_client && auth_client_next_payload(l->auth_client, &ignored))
        auth_client_payload_taken(l->auth_client);
    else
        conn_payload_taken(l->conn);
}

/*
 * ServerAliveInterval, ClientAliveInterval: the clock runs on "nothing received"; any byte answers
 * a probe (RFC 4254 4: an unknown request gets REQUEST_FAILURE).
 */
static void keep_alive(struct link *l, uint64_t now)
{
    uint64_t interval_ms = (uint64_t)l->config.alive_interval_s * MS_PER_S;
    if (interval_ms == 0 || !l->up)
        return;
    uint64_t due = l->last_heard_ms + interval_ms * (1 + l->alive_unanswered);
    if (now >= due) {
        if (l->alive_unanswered >= l->config.alive_count_max) {
            link_fail(l, ERR_TIMEOUT, SSH_DISCONNECT_NONE, not_responding);
            return;
        }
        l->alive_unanswered++;
        link_global_request(l, KEEPALIVE, true, SLICE_NONE, COOKIE_KEEPALIVE);
        due += interval_ms;
    }
    l->alive_due_ms = due;
}

void link_set_alive(struct link *l, uint32_t interval_s, uint32_t count_max)
{
    l->config.alive_interval_s = interval_s;
    l->config.alive_count_max = count_max;
    l->alive_due_ms = 0;
    if (!l->dead)
        keep_alive(l, loop_now(l->loop));
    link_touch(l);
}

/* ---- the round trip ---- */

static void tell_time(struct link *l)
{
    conn_set_time(l->conn, loop_now_us(), round_trip_us(&l->round_trip));
}

static void send_ping(struct link *l)
{
    struct buf payload;
    struct writer w;
    buf_init(&payload, PING_LENGTH);
    writer_init(&w, &payload);
    msg_ping_encode(&w, SSH_MSG_PING, SLICE_NONE);
    if (writer_done(&w) != OK || transport_send(l->transport, buf_slice(&payload)) != OK)
        link_global_request(l, KEEPALIVE, true, SLICE_NONE, COOKIE_MEASURE);
    buf_done(&payload);
}

/*
 * Windows grow by the round trip, and only the SSH level sees all of it: the socket's own ends at
 * the next relay. Who knows no PING answers a request it does not know, too (RFC 4254 4).
 */
static void ask_round_trip(struct link *l)
{
    uint64_t now_us = loop_now_us();
    uint64_t received = conn_data_in(l->conn);
    if (!l->up || !transport_may_send(l->transport) || transport_is_bare(l->transport) ||
        !round_trip_is_due(&l->round_trip, now_us, received))
        return;
    round_trip_asked(&l->round_trip, now_us, received);
    if (transport_peer_ext_info(l->transport)->ping)
        send_ping(l);
    else
        link_global_request(l, KEEPALIVE, true, SLICE_NONE, COOKIE_MEASURE);
}

static void on_round_trip(struct link *l)
{
    round_trip_answered(&l->round_trip, loop_now_us(), conn_data_in(l->conn));
}

void link_set_window(struct link *l, uint32_t most, uint64_t total)
{
    conn_set_window(l->conn, most, total);
}

static void go_up(struct link *l)
{
    transport_set_authenticated(l->transport);
    transport_hold_rekey(l->transport, false);
    auth_client_free(l->auth_client);
    l->auth_client = NULL;
    l->up = true;
    l->last_heard_ms = loop_now(l->loop);
    keep_alive(l, l->last_heard_ms);
    say(l, (struct link_event){.kind = LINK_UP});
}

/* Control goes ahead of data: called before each fill and at the end of the turn. */
static void send_control(struct link *l)
{
    struct slice payload;
    tell_time(l);
    while (!l->dead && transport_may_send(l->transport) && next_payload(l, &payload)) {
        enum err err = transport_send(l->transport, payload);
        if (err == ERR_LIMIT || err == ERR_AGAIN)
            break; /* the socket must take something first, or an exchange end */
        payload_taken(l);
    }
    if (conn_is_flooded(l->conn))
        link_fail(l, conn_fault(l->conn).code, conn_fault(l->conn).disconnect_reason,
                  conn_fault(l->conn).text);
}

/* ---- the data path ---- */

/*
 * What a round gives each. A turn may take a whole batch all the same, as a debt for the rounds
 * that follow: a source that is read empty at once costs half of one whose bytes go in crumbs, and
 * one with little to read has its share by coming more often.
 */
static uint32_t quantum(const struct link *l)
{
    return (uint32_t)MAX(l->batch / 8, (size_t)QUANTUM_MIN);
}

static void want_turn(struct channel_user *u)
{
    schedule_add(&u->link->schedule, &u->turn, NEWCOMER_CREDIT);
    link_touch(u->link);
}

void link_want_turn(struct channel_user *u, struct stream *s)
{
    stream_reading(s, false);
    want_turn(u);
}

static bool may_seal(const struct link *l)
{
    return !l->dead && !l->blocked && !l->leaving && transport_may_send(l->transport);
}

/*
 * Packet slots for what the user may send now: its window and the rest of the batch, but a packet
 * at least. 0: none; then the user waits for whatever is missing.
 */
static int slots_for(struct channel_user *u, struct iovec *room)
{
    struct link *l = u->link;
    uint32_t max_data = channel_max_data(u->channel);
    size_t sealed = transport_output(l->transport).len;
    size_t ahead = sealed < l->batch ? l->batch - sealed : 0;
    size_t total = MAX(ahead, (size_t)max_data);
    int slots = 0;
    /* Crumbs of window make crumbs of packets: wait for more, it is on its way. */
    u->is_starved = !channel_is_worth_sending(u->channel);
    if (u->is_starved)
        return 0;
    total = MIN(total, (size_t)channel_may_send(u->channel));
    if (may_seal(l))
        slots =
            transport_data_room(l->transport, CHANNEL_DATA_HEAD, max_data, total, room, SLOTS_MAX);
    if (slots == 0)
        want_turn(u);
    return slots;
}

static size_t total_of(const struct iovec *room, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += room[i].iov_len;
    return total;
}

static void seal(struct channel_user *u, const struct iovec *room, int slots, size_t n)
{
    struct link *l = u->link;
    size_t left = n;
    for (int i = 0; i < slots && left; i++) {
        size_t used = MIN(left, room[i].iov_len);
        channel_put_data_head(u->channel, transport_data_head(l->transport, i), (uint32_t)used);
        left -= used;
    }
    if (transport_data_commit(l->transport, n) != OK)
        die(l, transport_fault(l->transport));
    schedule_spent(&u->turn, n);
    link_touch(l);
}

enum err link_fill(struct channel_user *u, struct stream *s, size_t *n)
{
    struct link *l = u->link;
    struct iovec room[SLOTS_MAX];
    *n = 0;
    if (l->dead || !u->channel)
        return ERR_LIMIT;
    send_control(l);
    int slots = slots_for(u, room);
    if (slots == 0) {
        stream_reading(s, false);
        return ERR_LIMIT;
    }
    enum err err = stream_read(s, room, slots, n);
    if (err != OK) {
        stream_reading(s, true);
        return err;
    }
    size_t offered = total_of(room, slots);
    if (*n < SMALL && u->turn.place == SCHEDULE_FRESH)
        pace_company(&l->pace, loop_now(l->loop));
    seal(u, room, slots, *n);
    if (*n < offered) {
        stream_reading(s, true);
        return OK;
    }
    /* A source that fills what it is offered has more, without being asked first. */
    link_want_turn(u, s);
    return OK;
}

bool link_has_room(struct channel_user *u)
{
    struct link *l = u->link;
    struct slice waiting;
    if (l->dead || !u->channel)
        return false;
    send_control(l);
    u->is_starved = channel_may_send(u->channel) == 0;
    if (!u->is_starved && may_seal(l) && !next_payload(l, &waiting))
        return true;
    if (!u->is_starved)
        want_turn(u);
    return false;
}

void link_touch(struct link *l)
{
    if (!l->said_down && !l->giving)
        loop_turn_request(l->loop, &l->turn);
}

/* What the socket took says how fast the path is. */
static void measure(struct link *l, size_t n, bool is_full)
{
    struct stream_path path;
    struct pace_path seen;
    uint64_t now = loop_now(l->loop);
    if (pace_wrote(&l->pace, n, is_full, now))
        stream_set_notsent_lowat(l->stream, l->pace.lowat);
    if (!is_full || !pace_should_look(&l->pace, now) || !stream_look_at_path(l->stream, &path))
        return;
    seen = (struct pace_path){path.round_trip_us, path.least_round_trip_us, path.delivered};
    if (pace_looked(&l->pace, &seen, now))
        stream_limit_pace(l->stream, l->pace.limit);
}

/* False: the socket takes no more now. */
static bool write_output(struct link *l)
{
    struct slice out = transport_output(l->transport);
    if (out.len == 0)
        return true;
    struct iovec bytes = {(void *)(uintptr_t)out.ptr, out.len};
    size_t n = 0;
    if (stream_try_write(l->stream, &bytes, 1, &n) != OK) {
        /* What the peer sent before it went may say why: the reading side finds the end, soon. */
        if (!l->write_failed_ms)
            l->write_failed_ms = loop_now(l->loop) + WRITE_FAILED_MS;
        l->blocked = true;
        stream_reading(l->stream, true);
        return false;
    }
    transport_output_taken(l->transport, n);
    bool is_full = n < out.len;
    if (!is_full && n >= l->batch)
        l->batch = MIN(l->batch * 2, (size_t)BATCH_MAX);
    measure(l, n, is_full);
    if (is_full) {
        l->blocked = true;
        l->batch = MAX(l->batch / 2, (size_t)BATCH_MIN);
        stream_want_writable(l->stream);
    }
    return !is_full;
}

/* Seals a batch of whoever is ready, writes it, and so on while the socket takes all. */
static void give_turns(struct link *l)
{
    uint64_t sent = conn_data_out(l->conn);
    uint64_t end = sent + TURN_BATCHES * l->batch;
    unsigned in_vain = 0; /* turns in a row that sent nothing */
    l->giving = true;
    while (may_seal(l) && sent < end && in_vain <= l->schedule.ready) {
        struct schedule_item *item = schedule_next(&l->schedule, quantum(l));
        if (!item)
            break;
        struct channel_user *u = container_of(item, struct channel_user, turn);
        if (u->ops->writable)
            u->ops->writable(u);
        in_vain = conn_data_out(l->conn) == sent ? in_vain + 1 : 0;
        sent = conn_data_out(l->conn);
        if (transport_output(l->transport).len >= l->batch)
            (void)write_output(l);
    }
    l->giving = false;
}

static bool nothing_queued(struct link *l)
{
    struct slice payload;
    return !next_payload(l, &payload);
}

static void leave_if_done(struct link *l)
{
    bool patience = loop_now(l->loop) < l->leaving_until_ms;
    if (patience && (transport_output(l->transport).len || !nothing_queued(l)))
        return;
    struct fault fault = l->fault;
    transport_disconnect(l->transport, fault.disconnect_reason, fault.text);
    die(l, fault);
}

static void arm_timer(struct link *l)
{
    uint64_t due = transport_deadline_ms(l->transport);
    if (l->alive_due_ms)
        due = MIN(due, l->alive_due_ms);
    if (l->leaving)
        due = MIN(due, l->leaving_until_ms);
    if (l->write_failed_ms)
        due = MIN(due, l->write_failed_ms);
    loop_timer_at(l->timer, due);
}

static void tell_no_channels(struct link *l)
{
    bool has = conn_channel_count(l->conn) > 0;
    bool had = l->had_channels;
    l->had_channels = has;
    if (had && !has && !l->dead)
        say(l, (struct link_event){.kind = LINK_NO_CHANNELS});
}

/* The end of the turn: control first, then data of those whose turn it is. */
static void flush(struct link *l)
{
    if (!l->dead) {
        ask_round_trip(l);
        send_control(l);
        give_turns(l);
        send_control(l);
        if (!l->dead && !l->blocked)
            (void)write_output(l);
        if (transport_is_ended(l->transport) && !l->dead)
            serve_input(l); /* a failure found while sending: the event says which */
    }
    tell_no_channels(l);
    if (!l->dead && l->leaving)
        leave_if_done(l);
    if (l->dead) {
        if (!l->said_down)
            say_down(l);
        return;
    }
    if (transport_output(l->transport).len == 0)
        transport_trim(l->transport);
    if (l->schedule.ready == 0)
        pace_idle(&l->pace);
    else if (may_seal(l))
        link_touch(l);
    arm_timer(l);
}

/* An adopted link begins where another process stopped: with what that one had read already. */
static void on_turn(void *owner)
{
    struct link *l = owner;
    if (l->is_fresh) {
        l->is_fresh = false;
        go_up(l);
        serve_input(l);
    }
    flush(l);
}

/* ---- events of the machines ---- */

static void fail_by(struct link *l, struct fault fault)
{
    link_fail(l, fault.code, fault.disconnect_reason, fault.text);
}

static void auth_client_event(struct link *l, const struct auth_client_event *e)
{
    struct link_event event = {.kind = LINK_AUTH, .auth_client = e};
    l->asking = auth_client_is_question(e->kind);
    if (e->kind == AUTH_CLIENT_BANNER) {
        event.kind = LINK_BANNER;
        event.text = e->data;
    }
    say(l, event);
    if (e->kind == AUTH_CLIENT_FAILED)
        link_fail(l, ERR_DENIED, SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE,
                  "Permission denied");
    else if (e->kind == AUTH_CLIENT_SUCCESS)
        go_up(l);
}

/* Answers given meanwhile are found by the same loop. */
static void serve_auth_client(struct link *l)
{
    struct auth_client_event event;
    while (l->auth_client && !l->asking && !l->dead) {
        auth_client_next(l->auth_client, &event);
        if (event.kind == AUTH_CLIENT_NONE)
            break;
        auth_client_event(l, &event);
    }
}

static void on_auth_payload(struct link *l, struct slice payload)
{
    if (!l->auth_client) {
        link_fail(l, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                  "authentication message out of order (RFC 4252)");
        return;
    }
    if (auth_client_recv(l->auth_client, payload) != OK)
        fail_by(l, auth_client_fault(l->auth_client));
    else
        serve_auth_client(l);
}

static void channel_event(struct link *l, const struct conn_event *e)
{
    struct channel_user *u = channel_user(e->channel);
    if (!u)
        return;
    const struct channel_ops *ops = u->ops;
    switch (e->kind) {
    case CONN_OPENED:
        if (ops->opened)
            ops->opened(u);
        break;
    case CONN_OPEN_FAILED:
        if (ops->open_failed)
            ops->open_failed(u, e->reason, e->body);
        break;
    case CONN_DATA:
        if (ops->data)
            ops->data(u, e->body);
        else
            channel_consumed(e->channel, e->body.len);
        break;
    case CONN_EXTENDED_DATA:
        if (ops->extended_data)
            ops->extended_data(u, e->reason, e->body);
        else
            channel_consumed(e->channel, e->body.len);
        break;
    case CONN_WINDOW:
        if (u->is_starved)
            want_turn(u);
        break;
    case CONN_EOF:
        if (ops->eof)
            ops->eof(u);
        break;
    case CONN_CLOSED:
        if (ops->closed)
            ops->closed(u);
        break;
    case CONN_CHANNEL_REQUEST: {
        if (ops->request_later) {
            ops->request_later(u, e->name, e->body, e->want_reply);
            break;
        }
        bool success = ops->request && ops->request(u, e->name, e->body);
        if (e->want_reply && u->channel)
            channel_reply(u->channel, success);
        break;
    }
    case CONN_CHANNEL_REPLY:
        if (ops->reply)
            ops->reply(u, e->success);
        break;
    case CONN_NONE:
    case CONN_GLOBAL_REQUEST:
    case CONN_GLOBAL_REPLY:
    case CONN_OPEN_REQUEST:
        break;
    }
    link_touch(l);
}

static void on_conn_payload(struct link *l, struct slice payload)
{
    struct conn_event e;
    if (conn_recv(l->conn, payload, &e) != OK) {
        fail_by(l, conn_fault(l->conn));
        return;
    }
    struct link_event event = {.name = e.name,
                               .body = e.body,
                               .want_reply = e.want_reply,
                               .success = e.success,
                               .request = e.request,
                               .cookie = e.cookie,
                               .channel = e.channel};
    switch (e.kind) {
    case CONN_GLOBAL_REQUEST:
        event.kind = LINK_GLOBAL_REQUEST;
        say(l, event);
        break;
    case CONN_GLOBAL_REPLY:
        if (e.cookie == COOKIE_KEEPALIVE)
            break; /* that it came is all it says */
        if (e.cookie == COOKIE_MEASURE) {
            on_round_trip(l);
            break;
        }
        event.kind = LINK_GLOBAL_REPLY;
        say(l, event);
        break;
    case CONN_OPEN_REQUEST:
        event.kind = LINK_OPEN_REQUEST;
        round_trip_want(&l->round_trip, loop_now_us());
        say(l, event);
        break;
    case CONN_NONE:
        break;
    case CONN_OPENED:
    case CONN_OPEN_FAILED:
    case CONN_DATA:
    case CONN_EXTENDED_DATA:
    case CONN_WINDOW:
    case CONN_EOF:
    case CONN_CLOSED:
    case CONN_CHANNEL_REQUEST:
    case CONN_CHANNEL_REPLY:
        channel_event(l, &e);
        break;
    }
    link_touch(l);
}

static void on_disconnected(struct link *l, const struct transport_event *e)
{
    l->by_peer = true;
    l->peer_text = slice_strdup(e->text);
    die(l, (struct fault){ERR_EOF, e->reason, closed_by_peer});
}

static void flush_gathered(struct link *l)
{
    while (!list_is_empty(&l->gathering)) {
        struct channel_user *u =
            container_of(list_take_first(&l->gathering), struct channel_user, gathering);
        u->ops->flush(u);
    }
}

static void serve(struct link *l, const struct transport_event *e)
{
    struct link_event event = {.text = e->text, .always_display = e->always_display};
    switch (e->kind) {
    case TRANSPORT_PAYLOAD:
        if (e->to == MESSAGE_TO_AUTH)
            on_auth_payload(l, e->text);
        else
            on_conn_payload(l, e->text);
        break;
    case TRANSPORT_BANNER:
        event.kind = LINK_STRAY_LINE;
        say(l, event);
        break;
    case TRANSPORT_IDENT:
        event.kind = LINK_IDENT;
        say(l, event);
        break;
    case TRANSPORT_SERVER_KEY:
        event.kind = LINK_SERVER_KEY;
        say(l, event);
        break;
    case TRANSPORT_NEED_SIGNATURE:
        event.kind = LINK_NEED_SIGNATURE;
        say(l, event);
        break;
    case TRANSPORT_SECURED:
        event.kind = LINK_SECURED;
        say(l, event);
        break;
    case TRANSPORT_EXT_INFO: {
        const struct transport_peer_info *info = transport_peer_ext_info(l->transport);
        if (l->auth_client)
            auth_client_set_extensions(l->auth_client, info->has_server_sig_algs,
                                       info->server_sig_algs, info->publickey_hostbound);
        break;
    }
    case TRANSPORT_REKEYED:
        event.kind = LINK_REKEYED;
        say(l, event);
        break;
    case TRANSPORT_DEBUG:
        event.kind = LINK_DEBUG;
        say(l, event);
        break;
    case TRANSPORT_DISCONNECTED:
        on_disconnected(l, e);
        break;
    case TRANSPORT_FAILED:
        die(l, transport_fault(l->transport));
        break;
    case TRANSPORT_FLUSH:
        flush_gathered(l);
        break;
    case TRANSPORT_PONG:
        on_round_trip(l);
        break;
    case TRANSPORT_NONE:
        break;
    }
}

/* Drains the events of what was read. Answers given meanwhile are found by the same drain. */
static void serve_input(struct link *l)
{
    struct transport_event event;
    if (l->serving)
        return;
    l->serving = true;
    tell_time(l);
    do {
        if (l->asking || l->dead)
            break;
        transport_next(l->transport, &event, loop_now(l->loop));
        serve(l, &event);
    } while (event.kind != TRANSPORT_NONE);
    serve_auth_client(l); /* the first request: all that came with NEWKEYS is known now */
    flush_gathered(l);
    l->serving = false;
    if (!l->dead)
        stream_reading(l->stream, !l->asking);
    link_touch(l);
}

/* ---- the socket ---- */

static void on_readable(struct link *l)
{
    struct iovec room;
    size_t n;
    if (transport_recv_room(l->transport, l->read_size, &room) != OK) {
        stream_reading(l->stream, false); /* a question is out, and the buffer is full */
        return;
    }
    enum err err = stream_read(l->stream, &room, 1, &n);
    if (err == ERR_AGAIN)
        return;
    if (err != OK) {
        serve_input(l);
        die(l, err == ERR_EOF ? (struct fault){ERR_EOF, SSH_DISCONNECT_NONE, closed_by_peer}
                              : (struct fault){ERR_IO, SSH_DISCONNECT_NONE, lost_connection});
        return;
    }
    if (n == room.iov_len)
        l->read_size = MIN(l->read_size * 2, (size_t)READ_MAX);
    else if (n < l->read_size / 4)
        l->read_size = MAX(l->read_size / 2, (size_t)READ_MIN);
    transport_recv_commit(l->transport, n);
    l->last_heard_ms = loop_now(l->loop);
    l->alive_unanswered = 0;
    serve_input(l);
}

static void on_stream(void *owner, enum stream_event event, size_t n)
{
    struct link *l = owner;
    (void)n;
    if (l->dead)
        return;
    if (event == STREAM_READABLE) {
        on_readable(l);
    } else if (event == STREAM_WRITABLE) {
        l->blocked = false;
        (void)write_output(l);
        link_touch(l);
    }
}

/* ---- time ---- */

static void on_timer(void *owner)
{
    struct link *l = owner;
    uint64_t now = loop_now(l->loop);
    if (l->dead)
        return;
    if (l->write_failed_ms && now >= l->write_failed_ms)
        die(l, (struct fault){ERR_IO, SSH_DISCONNECT_NONE, lost_connection});
    transport_tick(l->transport, now);
    keep_alive(l, now);
    serve_input(l);
    link_touch(l);
}

/* ---- life ---- */

struct link *link_new(const struct link_config *config, struct stream *stream)
{
    struct link *l = NEW(struct link);
    const struct conn_config conn = {.window_most = config->window.most,
                                     .window_total = config->window.total,
                                     .budget = config->window.process};
    l->config = *config;
    l->loop = config->loop;
    l->stream = stream;
    l->read_size = READ_MIN;
    l->batch = BATCH_MIN;
    schedule_init(&l->schedule);
    pace_init(&l->pace);
    list_init(&l->gathering);
    l->turn = (struct loop_turn){.callback = on_turn, .owner = l};
    l->timer = loop_timer_new(l->loop, on_timer, l);
    l->conn = conn_new(&conn);
    stream_set_owner(stream, on_stream, l);
    l->is_fresh = config->adopted != NULL;
    if (config->adopted) {
        l->transport = config->adopted;
    } else {
        l->transport = transport_new(config->transport, loop_now(l->loop));
        transport_begin(l->transport);
        stream_reading(stream, true);
    }
    transport_set_codec(l->transport, &compress_codec);
    link_touch(l);
    return l;
}

void link_free(struct link *l)
{
    if (!l)
        return;
    l->dead = l->said_down = true;
    lose_channels(l);
    loop_turn_cancel(&l->turn);
    loop_timer_close(l->timer);
    stream_close(l->stream);
    auth_client_free(l->auth_client);
    conn_free(l->conn);
    transport_free(l->transport);
    mem_free(l->peer_text);
    mem_free(l);
}

/* ---- answers ---- */

/* An answer may come inside the drain or later: later, the drain goes on from here. */
static void answered(struct link *l)
{
    if (!l->serving)
        serve_input(l);
    link_touch(l);
}

void link_trust(struct link *l, bool trusted)
{
    if (l->dead)
        return;
    transport_trust_server_key(l->transport, trusted, loop_now(l->loop));
    answered(l);
}

void link_give_signature(struct link *l, struct slice signature)
{
    if (l->dead)
        return;
    transport_give_signature(l->transport, signature, loop_now(l->loop));
    answered(l);
}

struct auth_client *link_auth_client(struct link *l, const struct auth_client_config *config)
{
    if (!l->auth_client) {
        struct auth_client_config own = *config;
        own.session_id = transport_session_id(l->transport);
        own.server_key = transport_server_key(l->transport);
        l->auth_client = auth_client_new(&own);
    }
    return l->auth_client;
}

void link_start_auth_client(struct link *l)
{
    auth_client_begin(l->auth_client);
    answered(l);
}

void link_answer_auth(struct link *l, const struct auth_client_answer *answer)
{
    if (l->dead)
        return;
    l->asking = false;
    auth_client_answer(l->auth_client, answer);
    if (!l->serving)
        serve_auth_client(l);
    answered(l);
}

void link_reply(struct link *l, uint64_t request, bool success, struct slice body)
{
    if (l->dead)
        return;
    conn_reply(l->conn, request, success, body);
    link_touch(l);
}

/* ---- the connection protocol ---- */

bool link_is_up(const struct link *l)
{
    return l->up && !l->dead;
}

void link_global_request(struct link *l, const char *name, bool want_reply, struct slice body,
                         uint64_t cookie)
{
    if (l->dead)
        return;
    conn_global_request(l->conn, name, want_reply, body, cookie);
    link_touch(l);
}

enum err link_open(struct link *l, const char *type, struct slice body, struct channel_user *u,
                   const struct channel_ops *ops)
{
    struct channel *ch;
    if (l->dead || l->leaving)
        return ERR_EOF;
    TRY(conn_open(l->conn, type, body, u, &ch));
    channel_user_init(u, ops, l, ch);
    round_trip_want(&l->round_trip, loop_now_us());
    link_touch(l);
    return OK;
}

void link_accept(struct link *l, struct channel *ch, struct channel_user *u,
                 const struct channel_ops *ops)
{
    channel_user_init(u, ops, l, ch);
    conn_accept(l->conn, ch);
    link_touch(l);
}

void link_refuse(struct link *l, struct channel *ch, uint32_t reason, const char *text)
{
    conn_refuse(l->conn, ch, reason, text);
    link_touch(l);
}

void link_say(struct link *l, const char *text)
{
    struct buf payload;
    struct writer w;
    struct msg_debug m = {true, slice_text(text)};
    if (l->dead || !transport_may_send(l->transport))
        return;
    buf_init(&payload, MSG_TEXT_MAX);
    writer_init(&w, &payload);
    msg_debug_encode(&w, &m);
    if (writer_done(&w) == OK && transport_send(l->transport, buf_slice(&payload)) == OK)
        link_touch(l);
    buf_done(&payload);
}

void link_tune_stream(struct stream *s)
{
    stream_set_nodelay(s);
    stream_set_notsent_lowat(s, PACE_LOWAT_FIRST);
}

void link_set_tos(struct link *l, int tos)
{
    if (l->stream)
        stream_set_tos(l->stream, tos);
}

struct conn *link_conn(struct link *l)
{
    return l->conn;
}

struct transport *link_transport(struct link *l)
{
    return l->transport;
}

struct stream *link_stream(struct link *l)
{
    return l->stream;
}

struct loop *link_loop(struct link *l)
{
    return l->loop;
}

void *link_owner_of(const struct link *l)
{
    return l->config.owner;
}
