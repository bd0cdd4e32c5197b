/* One SSH connection: its life, its end, and what its owner asks of it. */
#include "base/log.h"
#include "tunnel/compress.h"
#include "tunnel/link_internal.h"
#include "wire/msg_transport.h"
#include "wire/numbers.h"

#define GOODBYE_MS 2000

static const char lost_connection[] = "connection lost";
const char link_closed_by_peer[] = "Connection closed by remote host";

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

void link_tell(struct link *l, struct link_event event)
{
    l->config.event(l->config.owner, &event);
}

/* ---- death, once ---- */

void link_die(struct link *l, struct fault fault)
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
    link_die(l, (struct fault){code, reason, text});
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
    link_tell(l, (struct link_event){.kind = LINK_DOWN,
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

void link_set_window(struct link *l, uint32_t most, uint64_t total)
{
    conn_set_window(l->conn, most, total);
}

static bool peer_hoards(const struct link *l)
{
    static const char openssh[] = "SSH-2.0-OpenSSH_";
    struct slice ident = transport_peer_ident(l->transport);
    return slice_is(slice_of(ident.ptr, MIN(ident.len, sizeof(openssh) - 1)), openssh);
}

void link_go_up(struct link *l)
{
    bool hoards = peer_hoards(l);
    if (hoards)
        log_debug2("the peer reads ahead of the line (OpenSSH): windows stay near the flow");
    conn_set_peer_hoards(l->conn, hoards);
    transport_set_authenticated(l->transport);
    transport_hold_rekey(l->transport, false);
    auth_client_free(l->auth_client);
    l->auth_client = NULL;
    l->up = true;
    l->last_heard_ms = loop_now(l->loop);
    link_keep_alive(l, l->last_heard_ms);
    link_tell(l, (struct link_event){.kind = LINK_UP});
}

static bool nothing_queued(struct link *l)
{
    struct slice payload;
    return !link_next_payload(l, &payload);
}

static void leave_if_done(struct link *l)
{
    bool patience = loop_now(l->loop) < l->leaving_until_ms;
    if (patience && (transport_output(l->transport).len || !nothing_queued(l)))
        return;
    struct fault fault = l->fault;
    transport_disconnect(l->transport, fault.disconnect_reason, fault.text);
    link_die(l, fault);
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
        link_tell(l, (struct link_event){.kind = LINK_NO_CHANNELS});
}

/* The end of the turn: control first, then data of those whose turn it is. */
static void flush(struct link *l)
{
    if (!l->dead) {
        link_ask_round_trip(l);
        link_send_control(l);
        link_give_turns(l);
        link_send_control(l);
        if (!l->dead && !l->blocked)
            (void)link_write_output(l);
        if (transport_is_ended(l->transport) && !l->dead)
            link_serve_input(l); /* a failure found while sending: the event says which */
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
    else if (link_may_seal(l))
        link_touch(l);
    arm_timer(l);
}

/* An adopted link begins where another process stopped: with what that one had read already. */
static void on_turn(void *owner)
{
    struct link *l = owner;
    if (l->is_fresh) {
        l->is_fresh = false;
        link_go_up(l);
        link_serve_input(l);
    }
    flush(l);
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
        link_serve_input(l);
        link_die(l, err == ERR_EOF
                        ? (struct fault){ERR_EOF, SSH_DISCONNECT_NONE, link_closed_by_peer}
                        : (struct fault){ERR_IO, SSH_DISCONNECT_NONE, lost_connection});
        return;
    }
    if (n == room.iov_len)
        l->read_size = MIN(l->read_size * 2, (size_t)LINK_READ_MAX);
    else if (n < l->read_size / 4)
        l->read_size = MAX(l->read_size / 2, (size_t)LINK_READ_MIN);
    transport_recv_commit(l->transport, n);
    l->last_heard_ms = loop_now(l->loop);
    l->alive_unanswered = 0;
    link_serve_input(l);
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
        (void)link_write_output(l);
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
        link_die(l, (struct fault){ERR_IO, SSH_DISCONNECT_NONE, lost_connection});
    transport_tick(l->transport, now);
    link_keep_alive(l, now);
    link_serve_input(l);
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
    l->read_size = LINK_READ_MIN;
    l->batch = LINK_BATCH_MIN;
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
        link_serve_input(l);
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
        link_serve_auth_client(l);
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
