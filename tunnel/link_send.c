/*
 * What a link sends: control payloads first, then data of those whose turn it is, sealed in place a
 * batch at a time and written at once. Nothing is sealed that the socket does not take.
 */
#include "tunnel/link_internal.h"
#include "wire/msg_conn.h"
#include "wire/numbers.h"

#define TURN_BATCHES    2           /* of a link, before others of the loop have their turn */
#define NEWCOMER_CREDIT (16 * 1024) /* what one that was idle may say before the others */
#define QUANTUM_MIN     (16 * 1024)
#define SLOTS_MAX       16
#define SMALL           4096 /* who says less at a time is interactive */
#define WRITE_FAILED_MS 1000 /* how long the reading side may look for the cause */

/* ---- control ---- */

bool link_next_payload(struct link *l, struct slice *payload)
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

/* Control goes ahead of data: called before each fill and at the end of the turn. */
void link_send_control(struct link *l)
{
    struct slice payload;
    link_tell_time(l);
    while (!l->dead && transport_may_send(l->transport) && link_next_payload(l, &payload)) {
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

void link_user_wants_turn(struct channel_user *u)
{
    schedule_add(&u->link->schedule, &u->turn, NEWCOMER_CREDIT);
    link_touch(u->link);
}

void link_want_turn(struct channel_user *u, struct stream *s)
{
    stream_reading(s, false);
    link_user_wants_turn(u);
}

bool link_may_seal(const struct link *l)
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
    if (link_may_seal(l))
        slots =
            transport_data_room(l->transport, CHANNEL_DATA_HEAD, max_data, total, room, SLOTS_MAX);
    if (slots == 0)
        link_user_wants_turn(u);
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
        link_die(l, transport_fault(l->transport));
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
    link_send_control(l);
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
    link_send_control(l);
    bool has_window = channel_may_send(u->channel) > 0;
    if (!has_window)
        u->is_starved = true; /* and stays so if it was: link_fill may wait for more than we do */
    if (has_window && link_may_seal(l) && !link_next_payload(l, &waiting))
        return true;
    if (has_window)
        link_user_wants_turn(u);
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
bool link_write_output(struct link *l)
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
    l->written += n;
    bool is_full = n < out.len;
    if (!is_full && n >= l->batch)
        l->batch = MIN(l->batch * 2, (size_t)LINK_BATCH_MAX);
    measure(l, n, is_full);
    if (is_full) {
        l->blocked = true;
        l->batch = MAX(l->batch / 2, (size_t)LINK_BATCH_MIN);
        stream_want_writable(l->stream);
    }
    return !is_full;
}

/* Bytes that ever went out or are about to: with small packets many times the data. */
static uint64_t sealed(const struct link *l)
{
    return l->written + transport_output(l->transport).len;
}

/* Seals a batch of whoever is ready, writes it, and so on while the socket takes all. */
void link_give_turns(struct link *l)
{
    uint64_t end = sealed(l) + TURN_BATCHES * l->batch;
    unsigned in_vain = 0; /* turns in a row that sent nothing */
    l->giving = true;
    while (link_may_seal(l) && sealed(l) < end && in_vain <= l->schedule.ready) {
        uint64_t sent = conn_data_out(l->conn);
        struct schedule_item *item = schedule_next(&l->schedule, quantum(l));
        if (!item)
            break;
        struct channel_user *u = container_of(item, struct channel_user, turn);
        if (u->ops->writable)
            u->ops->writable(u);
        in_vain = conn_data_out(l->conn) == sent ? in_vain + 1 : 0;
        if (transport_output(l->transport).len >= l->batch)
            (void)link_write_output(l);
    }
    l->giving = false;
}
