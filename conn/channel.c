/* One channel's two half-machines. Receiving is driven by conn.c. */
#include "conn/channel.h"

#include "base/log.h"
#include "conn/internal.h"
#include "wire/numbers.h"

static const char *const half_names[] = {"open", "eof", "closed"};

/* A half only moves on: open, eof, closed; open to closed directly is legal (RFC 4254 5.3). */
static void set_half(const struct channel *ch, enum channel_half *half, enum channel_half to,
                     const char *which)
{
    CHECK(to > *half);
    log_debug3("channel %u: %s %s -> %s", ch->our_id, which, half_names[*half], half_names[to]);
    *half = to;
}

void channel_set_sending(struct channel *ch, enum channel_half to)
{
    set_half(ch, &ch->sending, to, "sending");
}

void channel_set_receiving(struct channel *ch, enum channel_half to)
{
    set_half(ch, &ch->receiving, to, "receiving");
}

void channel_settle(struct channel *ch)
{
    struct conn *c = ch->conn;
    bool never_lived = ch->opening == CHANNEL_REFUSED;
    bool both_closed = ch->sending == HALF_CLOSED && ch->receiving == HALF_CLOSED;
    if (!ch->is_released || !(never_lived || both_closed))
        return;
    list_remove(&ch->credit_link);
    window_done(&ch->recv_window);
    idmap_remove(&c->channels, ch->our_id);
    channel_free(ch);
}

void channel_set_user(struct channel *ch, void *user)
{
    ch->user = user;
}

void *channel_user(const struct channel *ch)
{
    return ch->user;
}

uint32_t channel_id(const struct channel *ch)
{
    return ch->our_id;
}

const char *channel_type(const struct channel *ch)
{
    return ch->type;
}

/* Ten thousand channels of one kind share its name. */
void channel_note_type(struct channel *ch, struct slice type)
{
    static const char *const common[] = {
        "direct-tcpip",
        "forwarded-tcpip",
        "direct-streamlocal@openssh.com",
        "forwarded-streamlocal@openssh.com",
        "session",
        "",
    };
    mem_free(ch->own_type);
    ch->own_type = NULL;
    for (size_t i = 0; i < ARRAY_LEN(common); i++) {
        ch->type = common[i];
        if (slice_is(type, common[i]))
            return;
    }
    type.len = MIN(type.len, (size_t)CHANNEL_TYPE_MAX - 1);
    ch->type = ch->own_type = slice_strdup(type);
}

void channel_set_type(struct channel *ch, const char *type)
{
    channel_note_type(ch, slice_text(type));
}

void channel_free(struct channel *ch)
{
    if (!ch)
        return;
    mem_free(ch->own_type);
    mem_free(ch);
}

uint64_t channel_idle_ms(struct channel *ch, uint64_t now_ms)
{
    if (ch->idle_from_ms == 0 || ch->moved != ch->idle_moved) {
        ch->idle_from_ms = now_ms;
        ch->idle_moved = ch->moved;
    }
    return now_ms - ch->idle_from_ms;
}

bool channel_is_open(const struct channel *ch)
{
    return ch->opening == CHANNEL_LIVE && ch->sending != HALF_CLOSED &&
           ch->receiving != HALF_CLOSED;
}

uint32_t channel_may_send(const struct channel *ch)
{
    if (ch->opening != CHANNEL_LIVE || ch->sending != HALF_OPEN || ch->receiving == HALF_CLOSED)
        return 0;
    return ch->send_window;
}

/* An eighth of the largest window seen: a peer that waits for more before it credits would stall.
 */
bool channel_is_worth_sending(const struct channel *ch)
{
    uint32_t enough = MAX(ch->peak_window / 8, 1u);
    return channel_may_send(ch) >= MIN(enough, (uint32_t)WORTH_SENDING);
}

uint32_t channel_max_data(const struct channel *ch)
{
    return MIN(ch->peer_max_packet, CHANNEL_MAX_PACKET);
}

void channel_put_data_head(struct channel *ch, uint8_t *head, uint32_t n)
{
    CHECK(n <= channel_may_send(ch));
    msg_channel_data_head(head, ch->peer_id, n);
    ch->send_window -= n;
    ch->moved += n;
    ch->conn->data_out += n;
}

/* number: DATA or EXTENDED_DATA (stderr), in pieces of the peer's max packet. */
static enum err send_copy(struct channel *ch, bool is_stderr, struct slice data)
{
    if (data.len > channel_may_send(ch))
        return ERR_LIMIT;
    while (data.len) {
        struct writer w;
        struct slice piece = {data.ptr, MIN(data.len, channel_max_data(ch))};
        conn_write_begin(ch->conn, &w);
        if (is_stderr) {
            struct msg_channel_data m = {ch->peer_id, SSH_EXTENDED_DATA_STDERR, piece};
            msg_channel_extended_data_encode(&w, &m);
        } else {
            uint8_t head[CHANNEL_DATA_HEAD];
            msg_channel_data_head(head, ch->peer_id, (uint32_t)piece.len);
            writer_bytes(&w, slice_of(head, sizeof(head)));
            writer_bytes(&w, piece);
        }
        conn_write_end(ch->conn, &w);
        ch->send_window -= (uint32_t)piece.len;
        ch->moved += piece.len;
        ch->conn->data_out += piece.len;
        data.ptr += piece.len;
        data.len -= piece.len;
    }
    return OK;
}

enum err channel_send_data(struct channel *ch, struct slice data)
{
    return send_copy(ch, false, data);
}

enum err channel_send_stderr(struct channel *ch, struct slice data)
{
    return send_copy(ch, true, data);
}

static void send_plain(struct channel *ch, uint8_t number)
{
    struct writer w;
    conn_write_begin(ch->conn, &w);
    msg_channel_plain_encode(&w, number, ch->peer_id);
    conn_write_end(ch->conn, &w);
}

void channel_send_eof(struct channel *ch)
{
    if (ch->opening != CHANNEL_LIVE || ch->sending != HALF_OPEN)
        return;
    send_plain(ch, SSH_MSG_CHANNEL_EOF);
    channel_set_sending(ch, HALF_EOF);
}

void channel_send_request(struct channel *ch, const char *type, bool want_reply, struct slice body)
{
    if (ch->opening != CHANNEL_LIVE || ch->sending == HALF_CLOSED)
        return;
    struct writer w;
    struct msg_channel_request m = {ch->peer_id, slice_text(type), want_reply, body};
    conn_write_begin(ch->conn, &w);
    msg_channel_request_encode(&w, &m);
    conn_write_end(ch->conn, &w);
    ch->replies_due += want_reply;
}

void channel_reply(struct channel *ch, bool success)
{
    if (!ch->replies_owed)
        return;
    ch->replies_owed--;
    if (ch->sending != HALF_CLOSED)
        send_plain(ch, success ? SSH_MSG_CHANNEL_SUCCESS : SSH_MSG_CHANNEL_FAILURE);
}

void channel_consumed(struct channel *ch, size_t n)
{
    if (window_consumed(&ch->recv_window, n) && ch->receiving == HALF_OPEN &&
        ch->sending != HALF_CLOSED && list_is_empty(&ch->credit_link))
        list_append(&ch->conn->credits, &ch->credit_link);
}

bool channel_got_eof(const struct channel *ch)
{
    return ch->receiving != HALF_OPEN;
}

uint32_t channel_window(const struct channel *ch)
{
    return ch->recv_window.held;
}

void channel_close(struct channel *ch)
{
    CHECK(!ch->is_released);
    ch->is_released = true;
    ch->user = NULL;
    list_remove(&ch->credit_link);
    /* A channel that was asked for gets its CLOSE when the confirmation comes. */
    if (ch->opening == CHANNEL_LIVE && ch->sending != HALF_CLOSED) {
        send_plain(ch, SSH_MSG_CHANNEL_CLOSE);
        channel_set_sending(ch, HALF_CLOSED);
    }
    channel_settle(ch);
}
