/*
 * The protocol's part of a tunnel without sockets, for counting instructions: both ends in memory,
 * transport, login and connection protocol as link.c joins them.
 *
 * usage: path bulk CIPHER MB       one channel, so many MB from client to server
 *        path logins N             N times key exchange, login and a channel's opening
 *
 * What is to be counted happens inside of counted(), and the rest outside, so that a profiler can
 * be told to look at it alone (bench/quick.py).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth_blob.h"
#include "auth/auth_client.h"
#include "auth/auth_server.h"
#include "bench/tool.h"
#include "conn/conn.h"
#include "crypto/privkey.h"
#include "transport/transport.h"
#include "wire/msg_conn.h"

#define KEX       "curve25519-sha256"
#define SIGN      "ssh-ed25519"
#define MAC       "hmac-sha2-256-etm@openssh.com"
#define USER      "somebody"
#define READ_SIZE (512 * 1024)
#define BATCH     (256 * 1024) /* what a turn of the loop seals, and a read opens */
#define SLOTS     16

struct side {
    bool is_server, is_up;
    struct transport_config config;
    struct transport *transport;
    struct auth_client *auth_client;
    struct auth_server *auth_server;
    struct conn *conn;
    struct channel *channel;
    uint64_t received;
};

static struct {
    struct crypto *crypto;
    struct rng *rng;
    struct privkey *host_key, *user_key;
    struct transport_host_key host_row;
    struct side client, server;
    const char *cipher;
    uint64_t now_ms, bytes, logins;
} path;

static NORETURN void die(const char *what)
{
    fprintf(stderr, "path: %s\n", what);
    exit(1);
}

static void must(enum err err, const char *what)
{
    if (err != OK)
        die(what);
}

/* ---- both ends ---- */

static void side_begin(struct side *s, bool is_server)
{
    *s = (struct side){.is_server = is_server};
    s->config = (struct transport_config){
        .role = is_server ? TRANSPORT_SERVER : TRANSPORT_CLIENT,
        .crypto = path.crypto,
        .rng = path.rng,
        .ident = "SSH-2.0-path",
        .kex = KEX,
        .host_key = SIGN,
        .cipher = path.cipher,
        .mac = MAC,
        .host_keys = is_server ? &path.host_row : NULL,
        .host_key_count = is_server,
        .server_sig_algs = SIGN,
        .hold_rekey = true,
    };
    struct conn_config conn = {0};
    s->transport = transport_new(&s->config, path.now_ms);
    s->conn = conn_new(&conn);
    transport_begin(s->transport);
}

static void side_end(struct side *s)
{
    transport_free(s->transport);
    auth_client_free(s->auth_client);
    auth_server_free(s->auth_server);
    conn_free(s->conn);
}

static void give_host_signature(struct side *s, struct slice hash)
{
    struct buf signature;
    buf_init(&signature, 4096);
    must(privkey_sign(path.host_key, algo_sign_find(slice_text(SIGN)), hash, &signature), "sign");
    transport_give_signature(s->transport, buf_slice(&signature), path.now_ms);
    buf_done(&signature);
}

/* ---- login ---- */

static void begin_login(struct side *s)
{
    if (s->is_server) {
        struct auth_server_config config = {transport_session_id(s->transport),
                                            transport_server_key(s->transport), SIGN, 6};
        s->auth_server = auth_server_new(&config);
        return;
    }
    struct auth_client_config config = {.user = USER,
                                        .accepted = SIGN,
                                        .methods = "publickey",
                                        .may_hostbound = true,
                                        .session_id = transport_session_id(s->transport),
                                        .server_key = transport_server_key(s->transport)};
    struct auth_client_key key = {
        .type = SIGN, .blob = pubkey_blob(privkey_pubkey(path.user_key)), .is_at_hand = true};
    s->auth_client = auth_client_new(&config);
    if (!auth_client_add_key(s->auth_client, &key))
        die("the key is not taken");
    auth_client_begin(s->auth_client);
}

static void learn_extensions(struct side *s)
{
    const struct transport_peer_info *info = transport_peer_ext_info(s->transport);
    auth_client_set_extensions(s->auth_client, info->has_server_sig_algs, info->server_sig_algs,
                               info->publickey_hostbound);
}

static void serve_auth_client(struct side *s)
{
    struct auth_client_event event;
    if (!s->auth_client || s->is_up)
        return;
    for (auth_client_next(s->auth_client, &event); event.kind != AUTH_CLIENT_NONE;
         auth_client_next(s->auth_client, &event)) {
        struct buf signature;
        buf_init(&signature, 4096);
        if (event.kind == AUTH_CLIENT_SIGN) {
            must(privkey_sign(path.user_key, event.algorithm, event.data, &signature), "sign");
            auth_client_answer(s->auth_client,
                               &(struct auth_client_answer){.text = buf_slice(&signature)});
        } else if (event.kind == AUTH_CLIENT_SUCCESS) {
            transport_set_authenticated(s->transport);
            s->is_up = true;
        } else if (event.kind == AUTH_CLIENT_FAILED) {
            die("the login is refused");
        }
        buf_done(&signature);
    }
}

/* As aditd-authz would: the signature is verified. */
static enum auth_verdict verdict(struct side *s, const struct auth_server_event *q)
{
    struct buf blob;
    struct pubkey *key;
    if (q->kind != AUTH_SERVER_SIGNED)
        return AUTH_VERDICT_YES;
    struct auth_blob b = {transport_session_id(s->transport),
                          q->user,
                          q->service,
                          q->algorithm,
                          q->key_blob,
                          q->hostbound ? transport_server_key(s->transport) : SLICE_NONE};
    buf_init(&blob, AUTH_BLOB_MAX);
    must(auth_blob_build(&b, &blob), "the signed bytes");
    must(pubkey_parse(&key, path.crypto, q->key_blob), "the key");
    must(pubkey_verify(key, algo_sign_find(q->algorithm), q->signature, buf_slice(&blob)),
         "the signature");
    pubkey_free(key);
    buf_done(&blob);
    return AUTH_VERDICT_YES;
}

static void on_auth(struct side *s, struct slice payload)
{
    struct auth_server_event q;
    if (!s->is_server) {
        must(auth_client_recv(s->auth_client, payload), "the server's login message");
        return;
    }
    must(auth_server_recv(s->auth_server, payload, &q), "the client's login message");
    if (q.kind == AUTH_SERVER_WHO)
        must(auth_server_answer_who(s->auth_server, slice_text("publickey"), SLICE_NONE, &q),
             "the user");
    if (q.kind != AUTH_SERVER_NONE)
        must(auth_server_answer(s->auth_server, verdict(s, &q), SLICE_NONE), "the verdict");
}

/* ---- connection ---- */

static void open_channel(struct side *s)
{
    struct buf body;
    struct writer w;
    struct body_tcpip_open open = {slice_text("localhost"), 80, slice_text("127.0.0.1"), 40000};
    buf_init(&body, 1024);
    writer_init(&w, &body);
    body_tcpip_open_encode(&w, &open);
    must(conn_open(s->conn, "direct-tcpip", buf_slice(&body), NULL, &s->channel), "a channel");
    buf_done(&body);
}

static void on_conn(struct side *s, struct slice payload)
{
    struct conn_event event;
    must(conn_recv(s->conn, payload, &event), "a message of the connection");
    if (event.kind == CONN_OPEN_REQUEST) {
        s->channel = event.channel;
        conn_accept(s->conn, event.channel);
    } else if (event.kind == CONN_DATA) {
        s->received += event.body.len;
        channel_consumed(event.channel, event.body.len);
    }
}

/* ---- the carrier ---- */

static void serve(struct side *s, const struct transport_event *event)
{
    if (event->kind == TRANSPORT_SERVER_KEY)
        transport_trust_server_key(s->transport, true, path.now_ms);
    else if (event->kind == TRANSPORT_NEED_SIGNATURE)
        give_host_signature(s, event->text);
    else if (event->kind == TRANSPORT_SECURED)
        begin_login(s);
    else if (event->kind == TRANSPORT_EXT_INFO && !s->is_server)
        learn_extensions(s);
    else if (event->kind == TRANSPORT_FAILED || event->kind == TRANSPORT_DISCONNECTED)
        die("the connection ended");
    else if (event->kind == TRANSPORT_PAYLOAD && event->to == MESSAGE_TO_AUTH)
        on_auth(s, event->text);
    else if (event->kind == TRANSPORT_PAYLOAD)
        on_conn(s, event->text);
}

static void deliver(struct side *to, struct slice bytes)
{
    while (bytes.len) {
        struct transport_event event;
        struct iovec room;
        must(transport_recv_room(to->transport, MIN(bytes.len, READ_SIZE), &room), "room");
        size_t n = MIN(bytes.len, room.iov_len);
        memcpy(room.iov_base, bytes.ptr, n);
        transport_recv_commit(to->transport, n);
        bytes = slice_of(bytes.ptr + n, bytes.len - n);
        do {
            transport_next(to->transport, &event, path.now_ms);
            serve(to, &event);
        } while (event.kind != TRANSPORT_NONE);
        serve_auth_client(to);
    }
}

static void send_control(struct side *s)
{
    struct slice payload;
    struct transport *t = s->transport;
    while (s->auth_client && transport_may_send(t) &&
           auth_client_next_payload(s->auth_client, &payload) && transport_send(t, payload) == OK)
        auth_client_payload_taken(s->auth_client);
    while (s->auth_server && transport_may_send(t) &&
           auth_server_next_payload(s->auth_server, &payload) && transport_send(t, payload) == OK)
        auth_server_payload_taken(s->auth_server);
    if (s->auth_server && !s->is_up && auth_server_is_done(s->auth_server)) {
        transport_set_authenticated(t);
        s->is_up = true;
    }
    while (s->is_up && transport_may_send(t) && conn_next_payload(s->conn, &payload) &&
           transport_send(t, payload) == OK)
        conn_payload_taken(s->conn);
}

static bool carry(struct side *from, struct side *to)
{
    send_control(from);
    struct slice out = transport_output(from->transport);
    deliver(to, out);
    transport_output_taken(from->transport, out.len);
    return out.len > 0;
}

static void carry_all(void)
{
    bool moved = true;
    while (moved) {
        path.now_ms++;
        conn_set_time(path.client.conn, path.now_ms * 1000, 1000, 1000);
        conn_set_time(path.server.conn, path.now_ms * 1000, 1000, 1000);
        moved = carry(&path.client, &path.server);
        moved |= carry(&path.server, &path.client);
    }
}

/* ---- what is counted ---- */

static void connect_both(void)
{
    side_begin(&path.client, false);
    side_begin(&path.server, true);
    carry_all();
    if (!path.client.is_up || !path.server.is_up)
        die("no login");
    open_channel(&path.client);
    carry_all();
    if (!path.server.channel || !channel_is_open(path.client.channel))
        die("no channel");
}

/* The data path of link_fill: slots, heads, and a seal in place. The bytes are what lies there. */
static uint64_t send_batch(struct side *s, uint64_t most)
{
    struct iovec room[SLOTS];
    struct channel *ch = s->channel;
    size_t want = (size_t)MIN(MIN(most, BATCH), channel_may_send(ch)), used = 0;
    int slots = transport_data_room(s->transport, CHANNEL_DATA_HEAD, channel_max_data(ch), want,
                                    room, SLOTS);
    for (int i = 0; i < slots; i++) {
        uint32_t n = (uint32_t)MIN(room[i].iov_len, want - used);
        channel_put_data_head(ch, transport_data_head(s->transport, i), n);
        used += n;
    }
    must(used ? transport_data_commit(s->transport, used) : OK, "seal");
    return used;
}

static void carry_bulk(void)
{
    for (uint64_t sent = 0; sent < path.bytes;) {
        sent += send_batch(&path.client, path.bytes - sent);
        carry_all();
    }
    if (path.server.received != path.bytes)
        die("not all bytes came");
}

static void carry_logins(void)
{
    for (uint64_t i = 0; i < path.logins; i++) {
        connect_both();
        side_end(&path.client);
        side_end(&path.server);
    }
}

/* Named, and not part of anything else: what a profiler is told to look at. */
void counted(void (*what)(void));
__attribute__((noinline)) void counted(void (*what)(void))
{
    what();
}

static void setup(void)
{
    path.now_ms = 1000;
    path.crypto = crypto_new();
    if (!path.crypto)
        die("no libcrypto");
    path.rng = rng_new_seeded(1);
    must(privkey_generate(&path.host_key, path.crypto, KEY_ED25519, 0), "a key");
    must(privkey_generate(&path.user_key, path.crypto, KEY_ED25519, 0), "a key");
    path.host_row = (struct transport_host_key){SIGN, pubkey_blob(privkey_pubkey(path.host_key))};
}

int main(int argc, char **argv)
{
    bool is_bulk = argc == 4 && strcmp(argv[1], "bulk") == 0;
    if (!is_bulk && (argc != 3 || strcmp(argv[1], "logins") != 0)) {
        fputs("usage: path bulk CIPHER MB | path logins N\n", stderr);
        return 2;
    }
    setup();
    path.cipher = is_bulk ? argv[2] : "aes128-gcm@openssh.com";
    path.bytes = is_bulk ? tool_parse(argv[3]) * 1000000 : 0;
    path.logins = is_bulk ? 0 : tool_parse(argv[2]);
    connect_both(); /* first pages, and libcrypto's own beginnings */
    counted(is_bulk ? carry_bulk : carry_logins);
    return 0;
}
