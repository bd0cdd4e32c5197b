/*
 * The machine: bytes in, legality, events out, packets out, life. What is said in an exchange is
 * kex.c's; how a packet looks is packet.c's.
 */
#include "base/log.h"
#include "transport/internal.h"
#include "wire/numbers.h"

#define LIMIT_BYTES_EARLY   (1024 * 1024)
#define LIMIT_PACKETS_EARLY 1000

static const char flooded[] = "too much before authentication";
static const char illegal[] = "a message that is not legal now (RFC 4253 7.1, RFC 4252 6)";
static const char malformed[] = "malformed transport message";
static const char ident_timeout[] = "Timeout, no SSH identification within 60 seconds";
static const char kex_timeout[] = "Timeout, key exchange not finished within 60 seconds";
static const char not_read[] = "the peer does not read what it provokes";
static const char seal_failed[] = "sealing a packet failed";

/* ---- making and freeing ---- */

struct transport *transport_new(const struct transport_config *config, uint64_t now_ms)
{
    struct transport *t = NEW(struct transport);
    t->config = *config;
    t->now_ms = now_ms;
    CHECK(strlen(config->ident) + 2 <= IDENT_LINE_MAX);
    buf_init(&t->in, INPUT_MAX_EARLY);
    buf_init(&t->out, OUTPUT_MAX);
    buf_init(&t->held, HELD_MAX);
    buf_init(&t->server_key, PUBKEY_BLOB_MAX);
    buf_init(&t->host_signature, PUBKEY_BLOB_MAX);
    packing_init(&t->packing);
    kex_done(&t->kex);
    return t;
}

struct transport *transport_new_bare(const struct transport_config *config, uint64_t now_ms)
{
    static const char none[] = "none";
    struct transport *t = transport_new(config, now_ms);
    t->send.is_bare = t->recv.is_bare = true;
    t->ident = IDENT_DONE;
    t->send_secured = t->recv_secured = true;
    t->names = (struct transport_names){none, none, none, none, none, none, none, none};
    transport_set_authenticated(t);
    return t;
}

bool transport_is_bare(const struct transport *t)
{
    return t->send.is_bare;
}

void transport_set_codec(struct transport *t, const struct transport_codec *codec)
{
    t->packing.codec = codec;
}

void transport_begin(struct transport *t)
{
    enum err err = buf_append_slice(&t->out, slice_text(t->config.ident));
    CHECK(err == OK);
    err = buf_append_slice(&t->out, slice_text("\r\n"));
    CHECK(err == OK);
    kex_start(t);
}

void transport_free(struct transport *t)
{
    if (!t)
        return;
    kex_done(&t->kex);
    packet_state_done(&t->send);
    packet_state_done(&t->recv);
    packing_done(&t->packing);
    buf_done(&t->in);
    buf_done(&t->out);
    buf_done(&t->held);
    buf_done(&t->server_key);
    buf_done(&t->host_signature);
    mem_free(t->peer_sig_algs);
    mem_wipe(t, sizeof(*t));
    mem_free(t);
}

/* ---- bytes in ---- */

enum err transport_recv_room(struct transport *t, size_t want, struct iovec *room)
{
    size_t length = buf_len(&t->in);
    if (length >= t->in.cap)
        return ERR_LIMIT;
    size_t n = MAX(MIN(want, t->in.cap - length), 1);
    uint8_t *at;
    buf_clear(&t->packing.unpacked);
    TRY(buf_reserve(&t->in, n, &at));
    *room = (struct iovec){at, n};
    return OK;
}

void transport_recv_commit(struct transport *t, size_t n)
{
    buf_commit(&t->in, n);
}

void transport_trim(struct transport *t)
{
    if (buf_len(&t->in) == 0) {
        buf_done(&t->in);
        packing_trim(&t->packing);
    }
    if (buf_len(&t->out) == 0)
        buf_done(&t->out);
}

/* ---- payloads of our own ---- */

void transport_seal(struct transport *t, struct slice payload)
{
    uint8_t *at;
    t->slots = 0; /* a reservation of the data path does not outlive another packet */
    if (t->failed)
        return;
    if (packing_sends(t)) {
        packing_seal(t, payload);
        return;
    }
    if (buf_reserve(&t->out, packet_wire_len(&t->send, payload.len), &at) != OK) {
        transport_fail(t, ERR_LIMIT, SSH_DISCONNECT_NONE, not_read);
        return;
    }
    size_t wire_len = packet_wire_len(&t->send, payload.len);
    if (payload.len)
        memcpy(at + PACKET_HEAD, payload.ptr, payload.len);
    if (packet_seal(&t->send, t->config.rng, at, payload.len) != OK) {
        transport_fail(t, ERR_CRYPTO, SSH_DISCONNECT_NONE, seal_failed);
        return;
    }
    buf_commit(&t->out, wire_len);
}

bool transport_may_send(const struct transport *t)
{
    bool own_exchange = t->kex.state != KEX_IDLE && t->kex.state != KEX_WAIT_NEWKEYS;
    return t->send_secured && !own_exchange && !t->failed && !t->disconnected;
}

static void rekey_if_due(struct transport *t)
{
    if (kex_is_due(t))
        kex_start(t);
}

enum err transport_send(struct transport *t, struct slice payload)
{
    if (!transport_may_send(t))
        return ERR_AGAIN;
    size_t more = packing_sends(t) ? PACKING_SLACK : 0;
    if (buf_len(&t->out) + packet_wire_len(&t->send, payload.len + more) > t->out.cap)
        return ERR_LIMIT;
    transport_seal(t, payload);
    rekey_if_due(t);
    return t->failed ? t->fault.code : OK;
}

/* A reply of the transport's own that an exchange may hold back. */
static void send_or_hold(struct transport *t, struct slice payload)
{
    if (transport_may_send(t)) {
        transport_seal(t, payload);
        return;
    }
    uint8_t length[4];
    put_u32(length, (uint32_t)payload.len);
    if (buf_append(&t->held, length, 4) != OK || buf_append_slice(&t->held, payload) != OK)
        transport_fail(t, ERR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR, not_read);
}

static void send_held(struct transport *t)
{
    while (buf_len(&t->held) && transport_may_send(t)) {
        struct slice s = buf_slice(&t->held);
        uint32_t length = get_u32(s.ptr);
        transport_seal(t, slice_of(s.ptr + 4, length));
        buf_consume(&t->held, 4 + (size_t)length);
    }
    if (buf_len(&t->held) == 0)
        buf_done(&t->held);
}

/* ---- the data path ---- */

/* Sealed in place, or packed from somewhere else. */
static struct buf *slots_of(struct transport *t)
{
    return packing_sends(t) ? &t->packing.plain : &t->out;
}

int transport_data_room(struct transport *t, size_t head, size_t max_data, size_t total,
                        struct iovec *room, int count)
{
    t->slots = 0;
    if (!transport_may_send(t) || max_data == 0 || total == 0)
        return 0;
    size_t stride = packet_wire_len(&t->send, head + max_data);
    size_t used = buf_len(&t->out);
    size_t most = OUTPUT_MAX - OUTPUT_CONTROL_RESERVE;
    size_t free_bytes = used < most ? most - used : 0;
    size_t fit = free_bytes / stride;
    size_t slots = (total + max_data - 1) / max_data;
    slots = MIN(MIN(slots, fit), (size_t)MIN(count, DATA_SLOTS_MAX));
    uint8_t *at;
    struct buf *where = slots_of(t);
    if (slots == 0 || buf_reserve(where, slots * stride, &at) != OK)
        return 0;
    size_t left = total;
    for (size_t i = 0; i < slots; i++) {
        size_t n = MIN(left, max_data);
        room[i] = (struct iovec){at + i * stride + PACKET_HEAD + head, n};
        left -= n;
    }
    t->slots = (int)slots;
    t->slot_head = head;
    t->slot_data = max_data;
    t->slot_stride = stride;
    return t->slots;
}

uint8_t *transport_data_head(struct transport *t, int i)
{
    CHECK(i >= 0 && i < t->slots);
    const struct buf *where = slots_of(t);
    return where->data + where->end + (size_t)i * t->slot_stride + PACKET_HEAD;
}

/* Seals in place what is in slot 0 behind the output's end. */
static enum err seal_slot(struct transport *t, size_t payload_len)
{
    uint8_t *at = t->out.data + t->out.end;
    size_t wire_len = packet_wire_len(&t->send, payload_len);
    if (packet_seal(&t->send, t->config.rng, at, payload_len) != OK) {
        transport_fail(t, ERR_CRYPTO, SSH_DISCONNECT_NONE, seal_failed);
        return ERR_CRYPTO;
    }
    buf_commit(&t->out, wire_len);
    return OK;
}

static enum err pack_slot(struct transport *t, int i, size_t payload_len)
{
    const struct buf *plain = &t->packing.plain;
    const uint8_t *at = plain->data + plain->end + (size_t)i * t->slot_stride + PACKET_HEAD;
    packing_seal(t, slice_of(at, payload_len));
    return t->failed ? t->fault.code : OK;
}

enum err transport_data_commit(struct transport *t, size_t n)
{
    int slots = t->slots;
    t->slots = 0;
    CHECK(transport_may_send(t));
    for (int i = 0; i < slots && n; i++) {
        size_t data = MIN(n, t->slot_data);
        if (packing_sends(t))
            TRY(pack_slot(t, i, t->slot_head + data));
        else
            TRY(seal_slot(t, t->slot_head + data));
        n -= data;
    }
    CHECK(n == 0);
    rekey_if_due(t);
    return OK;
}

struct slice transport_output(const struct transport *t)
{
    return buf_slice(&t->out);
}

void transport_output_taken(struct transport *t, size_t n)
{
    t->slots = 0;
    buf_consume(&t->out, n);
}

/* ---- messages for the transport itself ---- */

static void on_ext_info(struct transport *t, struct slice payload)
{
    struct msg_ext_info m;
    if (msg_ext_info_decode(payload, &m) != OK) {
        transport_fail(t, ERR_FORMAT, SSH_DISCONNECT_PROTOCOL_ERROR, malformed);
        return;
    }
    struct transport_peer_info *info = &t->peer_info;
    if (m.has_server_sig_algs) {
        mem_free(t->peer_sig_algs);
        t->peer_sig_algs = slice_strdup(m.server_sig_algs);
        info->has_server_sig_algs = true;
        info->server_sig_algs = slice_text(t->peer_sig_algs);
    }
    info->publickey_hostbound |= m.publickey_hostbound;
    info->ping |= m.ping;
    info->agent_forward |= m.agent_forward;
    info->abort |= m.abort;
    info->forward_join |= m.forward_join;
}

static void on_ping(struct transport *t, struct slice payload)
{
    struct slice data;
    struct buf pong;
    struct writer w;
    if (msg_ping_decode(payload, &data) != OK) {
        transport_fail(t, ERR_FORMAT, SSH_DISCONNECT_PROTOCOL_ERROR, malformed);
        return;
    }
    buf_init(&pong, payload.len);
    writer_init(&w, &pong);
    msg_ping_encode(&w, SSH_MSG_PONG, data);
    CHECK(writer_done(&w) == OK);
    send_or_hold(t, buf_slice(&pong));
    buf_done(&pong);
}

/* Fills event if the message is one for the owner to know. */
static void own_message(struct transport *t, struct slice payload, struct transport_event *event)
{
    struct msg_disconnect bye;
    struct msg_debug debug;
    switch (payload.ptr[0]) {
    case SSH_MSG_DISCONNECT:
        t->disconnected = t->said_end = true;
        event->kind = TRANSPORT_DISCONNECTED;
        if (msg_disconnect_decode(payload, &bye) == OK) {
            event->reason = bye.reason;
            event->text = bye.description;
        }
        break;
    case SSH_MSG_DEBUG:
        if (msg_debug_decode(payload, &debug) == OK) {
            event->kind = TRANSPORT_DEBUG;
            event->text = debug.message;
            event->always_display = debug.always_display;
        }
        break;
    case SSH_MSG_EXT_INFO:
        on_ext_info(t, payload);
        event->kind = TRANSPORT_EXT_INFO;
        break;
    case SSH_MSG_PING:
        on_ping(t, payload);
        break;
    case SSH_MSG_PONG: /* who did not ask does not care */
        event->kind = TRANSPORT_PONG;
        break;
    default: /* IGNORE and UNIMPLEMENTED: nothing to do */
        break;
    }
}

static void answer_unimplemented(struct transport *t, uint32_t sequence)
{
    uint8_t payload[5] = {SSH_MSG_UNIMPLEMENTED};
    put_u32(payload + 1, sequence);
    /* Legal at any moment of an exchange (RFC 4253 7.1), so never held. */
    transport_seal(t, slice_of(payload, sizeof(payload)));
}

/* ---- one packet ---- */

enum message_phase transport_recv_phase(const struct transport *t)
{
    if (!t->recv_secured)
        return t->strict && t->kex.got_peer_init ? PHASE_FIRST_KEX_STRICT : PHASE_FIRST_KEX;
    if (t->kex.got_peer_init)
        return PHASE_REKEY;
    return t->authenticated ? PHASE_CONNECTED : PHASE_AUTH;
}

static bool count_early(struct transport *t, size_t bytes)
{
    uint64_t max_bytes = t->config.limit_bytes_before_auth;
    uint64_t max_packets = t->config.limit_packets_before_auth;
    if (t->authenticated)
        return true;
    t->bytes_before_auth += bytes;
    t->packets_before_auth++;
    if (t->bytes_before_auth <= (max_bytes ? max_bytes : LIMIT_BYTES_EARLY) &&
        t->packets_before_auth <= (max_packets ? max_packets : LIMIT_PACKETS_EARLY))
        return true;
    transport_fail(t, ERR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR, flooded);
    return false;
}

/* A server whose key is trusted may show a long banner; what comes before the login is counted. */
static bool may_be_long(const struct transport *t)
{
    return t->authenticated || (t->config.role == TRANSPORT_CLIENT && t->recv_secured);
}

/* Opens the next packet and sends it where the table says. False: no whole packet is there. */
static bool take_packet(struct transport *t, struct transport_event *event)
{
    struct slice payload;
    struct fault fault;
    uint32_t sequence = t->recv.sequence;
    size_t max = may_be_long(t) ? PACKET_LENGTH_MAX : PACKET_LENGTH_MAX_EARLY;
    enum err err = packet_open(&t->recv, &t->in, max, &payload, &fault);
    if (err == ERR_AGAIN)
        return false;
    if (err != OK) {
        transport_fail(t, fault.code, fault.disconnect_reason, fault.text);
        return true;
    }
    if (!count_early(t, payload.len))
        return true;
    if (packing_receives(t) && !packing_open(t, &payload))
        return true;
    enum transport_role peer =
        t->config.role == TRANSPORT_CLIENT ? TRANSPORT_SERVER : TRANSPORT_CLIENT;
    uint8_t number = payload.ptr[0];
    enum message_to to = message_lookup(number, peer, transport_recv_phase(t));
    switch (to) {
    case MESSAGE_ILLEGAL:
        log_debug("%s (%u) is not legal now", message_name(number), number);
        transport_fail(t, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, illegal);
        break;
    case MESSAGE_UNIMPLEMENTED:
        answer_unimplemented(t, sequence);
        break;
    case MESSAGE_TO_TRANSPORT:
        own_message(t, payload, event);
        break;
    case MESSAGE_TO_KEX:
        if (t->recv.is_bare)
            transport_fail(t, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, illegal);
        else
            kex_message(t, number, payload, sequence);
        break;
    case MESSAGE_TO_AUTH:
    case MESSAGE_TO_CONN:
        event->kind = TRANSPORT_PAYLOAD;
        event->text = payload;
        event->to = to;
        break;
    case MESSAGE_IGNORED:
        break;
    }
    return true;
}

/* Events that stand between packets. */
static bool take_waiting(struct transport *t, struct transport_event *event)
{
    const struct {
        bool *flag;
        enum transport_event_kind kind;
        struct slice text;
    } waiting[] = {
        {&t->say_server_key, TRANSPORT_SERVER_KEY, buf_slice(&t->server_key)},
        {&t->say_need_signature, TRANSPORT_NEED_SIGNATURE, slice_of(t->kex.hash, t->kex.hash_len)},
        {&t->say_secured, TRANSPORT_SECURED, SLICE_NONE},
        {&t->say_rekeyed, TRANSPORT_REKEYED, SLICE_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(waiting); i++) {
        if (!*waiting[i].flag)
            continue;
        *waiting[i].flag = false;
        event->kind = waiting[i].kind;
        event->text = waiting[i].text;
        return true;
    }
    return false;
}

static bool is_asking(const struct transport *t)
{
    return t->kex.state == KEX_WAIT_TRUST || t->kex.state == KEX_WAIT_SIGNATURE;
}

/* A little input may unpack to much: in bounded pieces, each served before the next. */
static bool say_flush(struct transport *t, struct transport_event *event)
{
    struct packing *p = &t->packing;
    if (p->is_full)
        buf_clear(&p->unpacked);
    p->is_full = !packing_has_room(p);
    if (p->is_full)
        event->kind = TRANSPORT_FLUSH;
    return p->is_full;
}

void transport_next(struct transport *t, struct transport_event *event, uint64_t now_ms)
{
    t->now_ms = now_ms;
    t->slots = 0;
    *event = (struct transport_event){.kind = TRANSPORT_NONE};
    while (event->kind == TRANSPORT_NONE) {
        if (t->failed) {
            event->kind = t->said_end ? TRANSPORT_NONE : TRANSPORT_FAILED;
            t->said_end = true;
            return;
        }
        if (t->disconnected)
            return;
        if (take_waiting(t, event) || is_asking(t))
            return;
        if (t->ident == IDENT_WAIT) {
            if (ident_parse(t, event) == ERR_AGAIN)
                return;
            continue;
        }
        if (packing_receives(t) && say_flush(t, event))
            return;
        if (!take_packet(t, event))
            break;
    }
    send_held(t);
    rekey_if_due(t);
}

void transport_trust_server_key(struct transport *t, bool trusted, uint64_t now_ms)
{
    t->now_ms = now_ms;
    if (!t->failed)
        kex_trusted(t, trusted);
}

void transport_give_signature(struct transport *t, struct slice signature, uint64_t now_ms)
{
    t->now_ms = now_ms;
    if (!t->failed)
        kex_signed(t, signature);
}

/* ---- life ---- */

void transport_set_authenticated(struct transport *t)
{
    t->authenticated = true;
    t->in.cap = INPUT_MAX;
}

void transport_hold_rekey(struct transport *t, bool hold)
{
    t->config.hold_rekey = hold;
}

void transport_rekey(struct transport *t, uint64_t now_ms)
{
    t->now_ms = now_ms;
    if (t->kex.state == KEX_IDLE && t->exchanges && !t->failed && !t->disconnected)
        kex_start(t);
}

uint64_t transport_deadline_ms(const struct transport *t)
{
    if (t->failed || t->disconnected)
        return CLOCK_NEVER;
    if (t->kex.state != KEX_IDLE)
        return t->kex.deadline_ms;
    return kex_due_ms(t);
}

void transport_tick(struct transport *t, uint64_t now_ms)
{
    t->now_ms = now_ms;
    if (now_ms < transport_deadline_ms(t))
        return;
    if (t->kex.state != KEX_IDLE)
        transport_fail(t, ERR_TIMEOUT, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
                       t->ident == IDENT_WAIT ? ident_timeout : kex_timeout);
    else
        kex_start(t);
}

/* Before the peer's identification a packet would only confuse it. */
static void send_disconnect(struct transport *t, uint32_t reason, const char *text)
{
    struct buf payload;
    struct writer w;
    struct msg_disconnect m = {reason, slice_text(text)};
    if (t->ident != IDENT_DONE || t->send.is_bare)
        return;
    buf_init(&payload, MSG_TEXT_MAX + 64);
    writer_init(&w, &payload);
    msg_disconnect_encode(&w, &m);
    CHECK(writer_done(&w) == OK);
    transport_seal(t, buf_slice(&payload));
    buf_done(&payload);
}

void transport_fail(struct transport *t, enum err code, uint32_t reason, const char *text)
{
    if (t->failed || t->disconnected)
        return;
    t->fault = (struct fault){code, reason, text};
    /* If even this packet cannot be sealed, that failure must not replace the first. */
    if (reason != SSH_DISCONNECT_NONE)
        send_disconnect(t, reason, text);
    t->fault = (struct fault){code, reason, text};
    t->failed = true;
}

void transport_disconnect(struct transport *t, uint32_t reason, const char *text)
{
    if (t->failed || t->disconnected)
        return;
    send_disconnect(t, reason, text);
    t->disconnected = true;
}

struct fault transport_fault(const struct transport *t)
{
    return t->fault;
}

bool transport_is_ended(const struct transport *t)
{
    return t->failed || t->disconnected;
}

/* ---- what is known ---- */

struct slice transport_session_id(const struct transport *t)
{
    return slice_of(t->session_id, t->session_id_len);
}

struct slice transport_peer_ident(const struct transport *t)
{
    return slice_text(t->peer_ident);
}

struct slice transport_server_key(const struct transport *t)
{
    return buf_slice(&t->server_key);
}

struct slice transport_host_signature(const struct transport *t)
{
    return buf_slice(&t->host_signature);
}

const struct transport_peer_info *transport_peer_ext_info(const struct transport *t)
{
    return &t->peer_info;
}

struct transport_names transport_algorithms(const struct transport *t)
{
    return t->names;
}

uint64_t transport_exchanges(const struct transport *t)
{
    return t->exchanges;
}
