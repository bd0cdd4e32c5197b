/* The carrier and the two users of the machines. */
#include "tests/pair.h"

#include "crypto/pubkey.h"
#include "tests/unit.h"
#include "wire/msg_conn.h"
#include "wire/numbers.h"

#define ALL_KEX                                                                                    \
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"        \
    "ecdh-sha2-nistp521"
#define ALL_SIGN                                                                                   \
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,"        \
    "rsa-sha2-256"
#define ALL_CIPHERS "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com"
#define ALL_MACS    "hmac-sha2-256-etm@openssh.com"
#define USER        "nobody-special"
#define READ_SIZE   (64 * 1024)

static const struct algo_sign *sign_algo_for(enum key_kind kind)
{
    for (size_t i = 0;; i++) {
        const struct algo_sign *algo = algo_sign_at(i);
        assert_non_null(algo);
        if (algo->kind == kind)
            return algo;
    }
}

static void end_start(struct pair_end *e, struct pair *p, bool is_server)
{
    const struct pair_options *o = &p->options;
    e->pair = p;
    e->is_server = is_server;
    e->config = (struct transport_config){
        .role = is_server ? TRANSPORT_SERVER : TRANSPORT_CLIENT,
        .crypto = p->crypto,
        .rng = p->rng,
        .ident = is_server ? "SSH-2.0-pair_server" : "SSH-2.0-pair_client",
        .kex = o->kex ? o->kex : ALL_KEX,
        .host_key = o->host_key ? o->host_key : ALL_SIGN,
        .cipher = o->cipher ? o->cipher : ALL_CIPHERS,
        .mac = o->mac ? o->mac : ALL_MACS,
        .compression = o->codec ? "zlib@openssh.com" : NULL,
        .host_keys = is_server ? &p->host_key_row : NULL,
        .host_key_count = is_server ? 1 : 0,
        .server_sig_algs = ALL_SIGN,
        .rekey_bytes = o->rekey_bytes,
        /* New keys while SUCCESS travels would begin compression in the wrong packet. */
        .hold_rekey = is_server || o->codec,
    };
    if (is_server)
        e->config.host_key = sign_algo_for(pubkey_kind(privkey_pubkey(p->host_key)))->name;
    e->transport = transport_new(&e->config, p->now_ms);
    transport_set_codec(e->transport, o->codec);
    transport_begin(e->transport);
    struct conn_config conn = {.window = o->window};
    e->conn = conn_new(&conn);
    for (size_t i = 0; i < PAIR_CHANNELS; i++)
        e->streams[i].to_send = o->stream_bytes;
}

void pair_init(struct pair *p, const struct pair_options *options)
{
    *p = (struct pair){.options = *options, .now_ms = 1000000};
    p->crypto = crypto_new();
    assert_non_null(p->crypto);
    p->rng = rng_new_seeded(options->seed);
    p->dice = rng_new_seeded(options->seed + 1);
    assert_ok(privkey_generate(&p->host_key, p->crypto, KEY_ED25519, 0));
    assert_ok(privkey_generate(&p->user_key, p->crypto, options->user_key, 2048));
    const struct pubkey *host = privkey_pubkey(p->host_key);
    p->host_key_row = (struct transport_host_key){pubkey_type_name(host), pubkey_blob(host)};
    end_start(&p->client, p, false);
    end_start(&p->server, p, true);
}

static void end_done(struct pair_end *e)
{
    transport_free(e->transport);
    auth_client_free(e->auth_client);
    auth_server_free(e->auth_server);
    conn_free(e->conn);
}

void pair_done(struct pair *p)
{
    end_done(&p->client);
    end_done(&p->server);
    privkey_free(p->host_key);
    privkey_free(p->user_key);
    rng_free(p->rng);
    rng_free(p->dice);
    crypto_free(p->crypto);
}

static void end_failed(struct pair_end *e, struct fault fault)
{
    if (e->ended)
        return;
    e->ended = true;
    e->fault = fault;
    transport_fail(e->transport, fault.code, fault.disconnect_reason, fault.text);
}

/* ---- the users of transport and auth ---- */

static void answer_server_question(struct pair_end *e, const struct auth_server_event *q)
{
    struct pair *p = e->pair;
    bool right_key = slice_equal(q->key_blob, pubkey_blob(privkey_pubkey(p->user_key)));
    bool allowed = right_key && slice_is(q->user, USER) && !p->options.refuse_key;
    if (q->kind == AUTH_SERVER_SIGNED && allowed) {
        struct buf blob;
        struct pubkey *key;
        buf_init(&blob, AUTH_BLOB_MAX);
        struct auth_blob b = {transport_session_id(e->transport),
                              q->user,
                              q->service,
                              q->algorithm,
                              q->key_blob,
                              q->hostbound ? transport_server_key(e->transport) : SLICE_NONE};
        assert_ok(auth_blob_build(&b, &blob));
        assert_ok(pubkey_parse(&key, p->crypto, q->key_blob));
        allowed =
            pubkey_verify(key, algo_sign_find(q->algorithm), q->signature, buf_slice(&blob)) == OK;
        pubkey_free(key);
        buf_done(&blob);
    }
    if (auth_server_answer(e->auth_server, allowed ? AUTH_VERDICT_YES : AUTH_VERDICT_NO,
                           SLICE_NONE) != OK)
        end_failed(e, auth_server_fault(e->auth_server));
}

static void client_auth_event(struct pair_end *e, struct auth_client_event *event)
{
    if (event->kind == AUTH_CLIENT_SIGN) {
        struct buf signature;
        buf_init(&signature, 4096);
        assert_ok(privkey_sign(e->pair->user_key, event->algorithm, event->data, &signature));
        auth_client_answer(e->auth_client,
                           &(struct auth_client_answer){.text = buf_slice(&signature)});
        buf_done(&signature);
    } else if (event->kind == AUTH_CLIENT_SUCCESS) {
        transport_set_authenticated(e->transport);
        transport_hold_rekey(e->transport, false);
        e->is_up = true;
    } else if (event->kind == AUTH_CLIENT_FAILED) {
        end_failed(e, (struct fault){ERR_DENIED, SSH_DISCONNECT_BY_APPLICATION, "no more keys"});
    }
}

static void serve_auth_client(struct pair_end *e)
{
    struct auth_client_event event;
    if (!e->auth_client || e->is_up)
        return;
    for (auth_client_next(e->auth_client, &event); event.kind;
         auth_client_next(e->auth_client, &event))
        client_auth_event(e, &event);
}

static void on_auth_payload(struct pair_end *e, struct slice payload)
{
    if (e->is_server) {
        struct auth_server_event q;
        enum err err = auth_server_recv(e->auth_server, payload, &q);
        if (err == OK && q.kind == AUTH_SERVER_WHO)
            err = auth_server_answer_who(e->auth_server, slice_text("publickey"), SLICE_NONE, &q);
        if (err != OK)
            end_failed(e, auth_server_fault(e->auth_server));
        else if (q.kind != AUTH_SERVER_NONE)
            answer_server_question(e, &q);
        return;
    }
    if (auth_client_recv(e->auth_client, payload) != OK)
        end_failed(e, auth_client_fault(e->auth_client));
    else
        serve_auth_client(e);
}

static void on_secured(struct pair_end *e)
{
    struct pair *p = e->pair;
    if (e->is_server) {
        struct auth_server_config config = {transport_session_id(e->transport),
                                            transport_server_key(e->transport), ALL_SIGN, 6};
        e->auth_server = auth_server_new(&config);
        return;
    }
    const struct pubkey *key = privkey_pubkey(p->user_key);
    struct auth_client_config config = {.user = USER,
                                        .accepted = ALL_SIGN,
                                        .methods = "publickey",
                                        .may_hostbound = true,
                                        .session_id = transport_session_id(e->transport),
                                        .server_key = transport_server_key(e->transport)};
    struct auth_client_key k = {pubkey_type_name(key), pubkey_blob(key), false, false};
    e->auth_client = auth_client_new(&config);
    assert_true(auth_client_add_key(e->auth_client, &k));
    auth_client_begin(e->auth_client);
}

static void sign_exchange(struct pair_end *e, struct slice hash)
{
    struct pair *p = e->pair;
    struct buf signature;
    buf_init(&signature, 4096);
    assert_ok(privkey_sign(p->host_key, sign_algo_for(pubkey_kind(privkey_pubkey(p->host_key))),
                           hash, &signature));
    transport_give_signature(e->transport, buf_slice(&signature), p->now_ms);
    buf_done(&signature);
}

/* ---- the user of conn: each channel carries a pattern both ways ---- */

static uint8_t pattern(size_t channel, bool from_server, size_t at)
{
    return (uint8_t)(at * 7 + at / 251 + channel * 13 + (from_server ? 101 : 0));
}

static size_t stream_index(const struct pair_end *e, const struct channel *ch)
{
    for (size_t i = 0; i < e->channel_count; i++) {
        if (e->channels[i] == ch)
            return i;
    }
    fail_msg("an event for a channel that is not ours");
    return 0;
}

static void on_conn_event(struct pair_end *e, const struct conn_event *event)
{
    struct pair_stream *s;
    size_t i;
    switch (event->kind) {
    case CONN_OPEN_REQUEST:
        assert_true(slice_is(event->name, "direct-tcpip"));
        assert_true(e->channel_count < PAIR_CHANNELS);
        e->channels[e->channel_count++] = event->channel;
        conn_accept(e->conn, event->channel);
        break;
    case CONN_DATA:
        i = stream_index(e, event->channel);
        s = &e->streams[i];
        for (size_t n = 0; n < event->body.len; n++)
            assert_int_equal(event->body.ptr[n], pattern(i, !e->is_server, s->received + n));
        s->received += event->body.len;
        break;
    case CONN_EOF:
        e->streams[stream_index(e, event->channel)].got_eof = true;
        break;
    case CONN_CLOSED:
        i = stream_index(e, event->channel);
        assert_true(e->streams[i].got_eof);
        channel_close(event->channel);
        e->channels[i] = NULL;
        e->channels_closed++;
        break;
    case CONN_GLOBAL_REQUEST:
        conn_reply(e->conn, event->request, slice_is(event->name, "yes"), SLICE_NONE);
        break;
    case CONN_NONE:
    case CONN_OPENED:
    case CONN_WINDOW:
    case CONN_GLOBAL_REPLY:
    case CONN_OPEN_FAILED:
    case CONN_EXTENDED_DATA:
    case CONN_CHANNEL_REQUEST:
    case CONN_CHANNEL_REPLY:
        break;
    }
}

void pair_open_channels(struct pair *p, size_t n)
{
    struct pair_end *e = &p->client;
    for (size_t i = 0; i < n; i++) {
        struct buf body;
        struct writer w;
        struct body_tcpip_open open = {slice_text("db"), 3306, slice_text("127.0.0.1"), 40000};
        buf_init(&body, 1024);
        writer_init(&w, &body);
        body_tcpip_open_encode(&w, &open);
        assert_ok(conn_open(e->conn, "direct-tcpip", buf_slice(&body), NULL, &e->channels[i]));
        buf_done(&body);
    }
    e->channel_count = n;
}

/* The data path as tunnel/link.c walks it: room, head, commit. */
static bool send_some(struct pair_end *e, size_t i)
{
    struct pair_stream *s = &e->streams[i];
    struct channel *ch = e->channels[i];
    struct iovec room[4];
    size_t want = MIN(s->to_send - s->sent, channel_may_send(ch));
    size_t most = rng_below(e->pair->dice, 100000) + 1;
    want = MIN(want, most);
    if (want == 0)
        return false;
    int slots =
        transport_data_room(e->transport, CHANNEL_DATA_HEAD, channel_max_data(ch), want, room, 4);
    size_t used = 0;
    for (int k = 0; k < slots; k++) {
        uint8_t *bytes = room[k].iov_base;
        for (size_t n = 0; n < room[k].iov_len; n++)
            bytes[n] = pattern(i, e->is_server, s->sent + used + n);
        channel_put_data_head(ch, transport_data_head(e->transport, k), (uint32_t)room[k].iov_len);
        used += room[k].iov_len;
    }
    if (used == 0)
        return false;
    assert_ok(transport_data_commit(e->transport, used));
    s->sent += used;
    return true;
}

/* The consumer takes some of what came, sometimes nothing: windows fill and are credited. */
static bool take_some(struct pair_end *e, size_t i)
{
    struct pair_stream *s = &e->streams[i];
    size_t n = s->received - s->taken;
    size_t most = rng_below(e->pair->dice, 200000);
    n = MIN(n, most);
    if (n == 0)
        return s->received > s->taken;
    s->taken += n;
    channel_consumed(e->channels[i], n);
    return true;
}

static bool drive_channels(struct pair_end *e)
{
    bool moved = false;
    for (size_t i = 0; i < e->channel_count; i++) {
        struct pair_stream *s = &e->streams[i];
        struct channel *ch = e->channels[i];
        if (!ch || !channel_is_open(ch))
            continue;
        moved |= send_some(e, i);
        moved |= take_some(e, i);
        if (s->sent == s->to_send && !s->sent_eof) {
            channel_send_eof(ch);
            s->sent_eof = moved = true;
        }
        if (!e->is_server && s->sent_eof && s->got_eof) {
            channel_close(ch);
            e->channels[i] = NULL;
            e->channels_closed++;
            moved = true;
        }
    }
    return moved;
}

/* ---- one turn of one end ---- */

static void serve(struct pair_end *e, struct transport_event *event)
{
    struct conn_event conn_event;
    switch (event->kind) {
    case TRANSPORT_SERVER_KEY:
        transport_trust_server_key(e->transport, !e->pair->options.distrust, e->pair->now_ms);
        break;
    case TRANSPORT_NEED_SIGNATURE:
        sign_exchange(e, event->text);
        break;
    case TRANSPORT_SECURED:
        on_secured(e);
        break;
    case TRANSPORT_EXT_INFO: {
        const struct transport_peer_info *info = transport_peer_ext_info(e->transport);
        if (!e->is_server)
            auth_client_set_extensions(e->auth_client, info->has_server_sig_algs,
                                       info->server_sig_algs, info->publickey_hostbound);
        break;
    }
    case TRANSPORT_PAYLOAD:
        if (event->to == MESSAGE_TO_AUTH) {
            on_auth_payload(e, event->text);
        } else if (conn_recv(e->conn, event->text, &conn_event) != OK) {
            end_failed(e, conn_fault(e->conn));
        } else {
            on_conn_event(e, &conn_event);
        }
        break;
    case TRANSPORT_FAILED:
        end_failed(e, transport_fault(e->transport));
        break;
    case TRANSPORT_DISCONNECTED:
        e->ended = true;
        break;
    case TRANSPORT_NONE:
    case TRANSPORT_BANNER:
    case TRANSPORT_IDENT:
    case TRANSPORT_REKEYED:
    case TRANSPORT_DEBUG:
    case TRANSPORT_PONG:
    case TRANSPORT_FLUSH:
        break;
    }
}

static bool next_control(struct pair_end *e, struct slice *payload)
{
    if (e->auth_client && auth_client_next_payload(e->auth_client, payload))
        return true;
    if (e->auth_server && auth_server_next_payload(e->auth_server, payload))
        return true;
    return e->is_up && conn_next_payload(e->conn, payload);
}

static void taken(struct pair_end *e)
{
    struct slice ignored;
    if (e->auth_client && auth_client_next_payload(e->auth_client, &ignored))
        auth_client_payload_taken(e->auth_client);
    else if (e->auth_server && auth_server_next_payload(e->auth_server, &ignored))
        auth_server_payload_taken(e->auth_server);
    else
        conn_payload_taken(e->conn);
}

static bool send_control(struct pair_end *e)
{
    struct slice payload;
    bool moved = false;
    while (transport_may_send(e->transport) && next_control(e, &payload)) {
        if (transport_send(e->transport, payload) != OK)
            break;
        taken(e);
        moved = true;
    }
    if (e->is_server && !e->is_up && e->auth_server && auth_server_is_done(e->auth_server)) {
        transport_set_authenticated(e->transport);
        transport_hold_rekey(e->transport, false);
        e->is_up = true;
    }
    return moved;
}

static void hand_over(struct pair_end *e)
{
    struct buf record;
    struct transport *copy;
    if (!e->pair->options.hand_over || !e->is_server || !e->is_up ||
        !transport_may_export(e->transport))
        return;
    buf_init_secret(&record, 2 * 1024 * 1024);
    assert_ok(transport_export(e->transport, &record));
    assert_ok(transport_import(&copy, &e->config, buf_slice(&record), e->pair->now_ms));
    transport_free(e->transport);
    e->transport = copy;
    transport_set_codec(copy, e->pair->options.codec);
    transport_hold_rekey(e->transport, false);
    buf_done(&record);
    e->exports++;
}

static void deliver(struct pair_end *to, struct slice bytes)
{
    struct transport_event event;
    while (bytes.len) {
        struct iovec room;
        assert_ok(transport_recv_room(to->transport, READ_SIZE, &room));
        size_t n = MIN(bytes.len, room.iov_len);
        memcpy(room.iov_base, bytes.ptr, n);
        transport_recv_commit(to->transport, n);
        bytes.ptr += n;
        bytes.len -= n;
        do {
            transport_next(to->transport, &event, to->pair->now_ms);
            serve(to, &event);
        } while (event.kind != TRANSPORT_NONE);
        serve_auth_client(to);
    }
}

static size_t piece_size(struct pair *p, size_t length)
{
    size_t most;
    switch (p->options.pieces) {
    case PAIR_BYTES:
        return 1;
    case PAIR_RANDOM:
        most = rng_below(p->dice, rng_below(p->dice, 8) ? 300 : 50000) + 1;
        return MIN(length, most);
    case PAIR_WHOLE:
        break;
    }
    return length;
}

static bool carry(struct pair_end *from, struct pair_end *to)
{
    struct pair *p = from->pair;
    bool moved = false;
    send_control(from);
    struct slice out = transport_output(from->transport);
    p->largest_output = MAX(p->largest_output, out.len);
    while (out.len && !to->ended) {
        size_t n = piece_size(p, out.len);
        deliver(to, slice_of(out.ptr, n));
        transport_output_taken(from->transport, n);
        out = transport_output(from->transport);
        moved = true;
    }
    if (to->ended)
        transport_output_taken(from->transport, out.len);
    hand_over(from);
    hand_over(to);
    return moved;
}

bool pair_step(struct pair *p)
{
    bool moved = false;
    p->now_ms += 10;
    if (p->client.is_up && p->server.is_up) {
        moved |= drive_channels(&p->client);
        moved |= drive_channels(&p->server);
    }
    moved |= carry(&p->client, &p->server);
    moved |= carry(&p->server, &p->client);
    return moved;
}

void pair_run(struct pair *p)
{
    for (int idle = 0; idle < 3;)
        idle = pair_step(p) ? 0 : idle + 1;
}
