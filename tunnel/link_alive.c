/* Probes of a link: whether the peer is there, and how long a round trip takes. */
#include "tunnel/link_internal.h"
#include "wire/msg_transport.h"
#include "wire/numbers.h"

#define KEEPALIVE   "keepalive@openssh.com"
#define PING_LENGTH 5 /* without data */

static const char not_responding[] = "Timeout, the other side is not responding.";

/*
 * ServerAliveInterval, ClientAliveInterval: the clock runs on "nothing received"; any byte answers
 * a probe (RFC 4254 4: an unknown request gets REQUEST_FAILURE).
 */
void link_keep_alive(struct link *l, uint64_t now)
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
        link_keep_alive(l, loop_now(l->loop));
    link_touch(l);
}

/* ---- the round trip ---- */

void link_tell_time(struct link *l)
{
    conn_set_time(l->conn, loop_now_us(), round_trip_us(&l->round_trip),
                  round_trip_now_us(&l->round_trip));
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
void link_ask_round_trip(struct link *l)
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

void link_on_round_trip(struct link *l)
{
    round_trip_answered(&l->round_trip, loop_now_us(), conn_data_in(l->conn));
}
