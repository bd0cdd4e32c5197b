/*
 * Two links and their splices over streams that misbehave: short reads and writes, AGAIN, and a
 * failure at each call in turn. What an application sees is all bytes and an end, or a reset; never
 * a short clean end.
 */
#include "crypto/privkey.h"
#include "server/login.h"
#include "tests/fake_stream.h"
#include "tests/unit.h"
#include "tunnel/link.h"
#include "tunnel/socks.h"
#include "tunnel/splice.h"

#define KEX       "curve25519-sha256"
#define SIGN      "ssh-ed25519"
#define TURNS_MAX 200000

struct app { /* what lies beyond a splice: sends `to_send` bytes, counts what comes */
    struct fake_stream *near, *far; /* near belongs to the splice, far to the application */
    size_t to_send, sent, received;
    bool shut, ended, reset, bad;
};

struct world {
    struct fake_world fakes;
    struct crypto *crypto;
    struct rng *rng;
    struct privkey *host_key, *user_key;
    struct transport_host_key host_row;
    struct transport_config client_config, server_config;
    struct link *client, *server;
    struct login_config login_config;
    struct login *login; /* the server's, before its link */
    bool is_logged_in;
    struct fake_stream *wire_a, *wire_b;
    struct app client_app, server_app;
    struct loop_turn idle;
    unsigned turns;
    bool client_down, server_down, timed_out;
};

static uint8_t pattern(size_t at, bool from_server)
{
    return (uint8_t)(at * 11 + at / 255 + (from_server ? 77 : 0));
}

static void app_send(struct world *w, struct app *a)
{
    uint8_t bytes[12000];
    (void)w;
    while (a->sent < a->to_send) {
        size_t n = MIN(sizeof(bytes), a->to_send - a->sent);
        size_t taken;
        for (size_t i = 0; i < n; i++)
            bytes[i] = pattern(a->sent + i, a == &w->server_app);
        struct iovec v = {bytes, n};
        if (stream_try_write(fake_as_stream(a->far), &v, 1, &taken) != OK) {
            a->reset = true;
            return;
        }
        a->sent += taken;
        if (taken < n) {
            stream_want_writable(fake_as_stream(a->far));
            return;
        }
    }
    if (!a->shut) {
        a->shut = true;
        stream_shut_write(fake_as_stream(a->far));
    }
}

static void app_receive(struct world *w, struct app *a)
{
    uint8_t bytes[12000];
    struct iovec v = {bytes, sizeof(bytes)};
    size_t n;
    enum err err = stream_read(fake_as_stream(a->far), &v, 1, &n);
    for (size_t i = 0; i < n; i++)
        a->bad |= bytes[i] != pattern(a->received + i, a == &w->client_app);
    a->received += n;
    a->ended |= err == ERR_EOF;
    a->reset |= err == ERR_IO;
}

static struct world *current; /* the fakes' owners are struct app: they find their world here */

static void on_app(void *owner, enum stream_event event, size_t n)
{
    struct app *a = owner;
    (void)n;
    if (event == STREAM_WRITABLE)
        app_send(current, a);
    else if (event == STREAM_READABLE)
        app_receive(current, a);
}

static void app_init(struct world *w, struct app *a, size_t to_send)
{
    a->to_send = to_send;
    fake_pair(&w->fakes, 100000, &a->near, &a->far);
    stream_set_owner(fake_as_stream(a->far), on_app, a);
    stream_reading(fake_as_stream(a->far), true);
}

static void sign_for(struct world *w, struct slice hash, struct buf *signature)
{
    buf_init(signature, 1000);
    assert_ok(privkey_sign(w->host_key, algo_sign_find(slice_text(SIGN)), hash, signature));
}

static void on_server(void *owner, const struct link_event *e)
{
    struct world *w = owner;
    if (e->kind == LINK_NEED_SIGNATURE) {
        struct buf signature;
        sign_for(w, e->text, &signature);
        link_give_signature(w->server, buf_slice(&signature));
        buf_done(&signature);
    } else if (e->kind == LINK_OPEN_REQUEST) {
        splice_accept(w->server, e->channel, fake_as_stream(w->server_app.near), NULL, NULL);
        app_send(w, &w->server_app);
    } else if (e->kind == LINK_DOWN) {
        w->server_down = true;
    }
}

/* ---- the login before the server's link, as aditd-pre does it ---- */

static void make_server_link(struct world *w)
{
    struct buf record;
    struct link_config config = {
        .loop = w->fakes.loop, .transport = &w->server_config, .event = on_server, .owner = w};
    buf_init(&record, 100000);
    assert_ok(transport_export(login_transport(w->login), &record));
    assert_ok(transport_import(&config.adopted, &w->server_config, buf_slice(&record),
                               loop_now(w->fakes.loop)));
    buf_done(&record);
    w->server = link_new(&config, fake_as_stream(w->wire_b));
}

static void lose_login(struct world *w)
{
    w->server_down = true;
    stream_close(fake_as_stream(w->wire_b));
}

static void serve_login(struct world *w)
{
    struct login_event e;
    uint64_t now = loop_now(w->fakes.loop);
    do {
        login_next(w->login, &e, now);
        if (e.kind == LOGIN_SIGN) {
            struct buf signature;
            sign_for(w, e.text, &signature);
            login_give_signature(w->login, buf_slice(&signature), now);
            buf_done(&signature);
        } else if (e.kind == LOGIN_ASK && e.auth.kind == AUTH_SERVER_WHO) {
            login_answer_who(w->login, slice_text("publickey"), SLICE_NONE);
        } else if (e.kind == LOGIN_ASK) {
            login_answer(w->login, AUTH_VERDICT_YES, SLICE_NONE);
        } else if (e.kind == LOGIN_DONE) {
            w->is_logged_in = true;
        } else if (e.kind == LOGIN_ENDED) {
            lose_login(w);
        }
    } while (e.kind != LOGIN_NONE && !w->server_down);
}

/* False: the wire is broken. */
static bool write_login(struct world *w)
{
    struct transport *t = login_transport(w->login);
    struct slice out = transport_output(t);
    size_t n = 0;
    struct iovec bytes = {(void *)(uintptr_t)out.ptr, out.len};
    if (out.len == 0)
        return true;
    if (stream_try_write(fake_as_stream(w->wire_b), &bytes, 1, &n) != OK)
        return false;
    transport_output_taken(t, n);
    if (n < out.len)
        stream_want_writable(fake_as_stream(w->wire_b));
    return true;
}

static void on_login(void *owner, enum stream_event event, size_t n UNUSED)
{
    struct world *w = owner;
    struct transport *t = login_transport(w->login);
    struct iovec room;
    size_t got;
    if (event == STREAM_READABLE && !w->is_logged_in) {
        assert_ok(transport_recv_room(t, 16384, &room));
        enum err err = stream_read(fake_as_stream(w->wire_b), &room, 1, &got);
        if (err != OK && err != ERR_AGAIN) {
            lose_login(w);
            return;
        }
        transport_recv_commit(t, got);
        serve_login(w);
    }
    if (!w->server_down && !write_login(w))
        lose_login(w);
    if (!w->server_down && w->is_logged_in && transport_output(t).len == 0)
        make_server_link(w);
}

static void begin_login(struct world *w)
{
    w->login_config =
        (struct login_config){.transport = &w->server_config, .accepted = SIGN, .max_tries = 6};
    w->login = login_new(&w->login_config, loop_now(w->fakes.loop));
    stream_set_owner(fake_as_stream(w->wire_b), on_login, w);
    stream_reading(fake_as_stream(w->wire_b), true);
    if (!write_login(w))
        lose_login(w);
}

static void on_client(void *owner, const struct link_event *e)
{
    struct world *w = owner;
    const struct pubkey *key = privkey_pubkey(w->user_key);
    if (e->kind == LINK_SERVER_KEY) {
        link_trust(w->client, true);
    } else if (e->kind == LINK_SECURED) {
        struct auth_client_config config = {
            .user = "u", .accepted = SIGN, .methods = "publickey", .may_hostbound = true};
        struct auth_client_key k = {pubkey_type_name(key), pubkey_blob(key), false, false};
        assert_true(auth_client_add_key(link_auth_client(w->client, &config), &k));
        link_start_auth_client(w->client);
    } else if (e->kind == LINK_AUTH && e->auth_client->kind == AUTH_CLIENT_SIGN) {
        struct buf signature;
        buf_init(&signature, 1000);
        assert_ok(
            privkey_sign(w->user_key, e->auth_client->algorithm, e->auth_client->data, &signature));
        link_answer_auth(w->client, &(struct auth_client_answer){.text = buf_slice(&signature)});
        buf_done(&signature);
    } else if (e->kind == LINK_UP) {
        if (splice_open(w->client, "direct-tcpip", SLICE_NONE, fake_as_stream(w->client_app.near),
                        NULL, NULL, NULL, NULL) == OK)
            app_send(w, &w->client_app);
    } else if (e->kind == LINK_DOWN) {
        w->client_down = true;
    }
}

/* Keeps the loop turning: fakes have no descriptors to wake it. Stops when all is said. */
static void on_idle(void *owner)
{
    struct world *w = owner;
    const struct app *c = &w->client_app;
    const struct app *s = &w->server_app;
    bool done = (c->ended || c->reset) && (s->ended || s->reset);
    bool down = w->client_down && w->server_down;
    w->timed_out = ++w->turns > TURNS_MAX;
    if (done || w->timed_out || (down && w->turns % 64 == 0))
        loop_stop(w->fakes.loop);
    else
        loop_turn_request(w->fakes.loop, &w->idle);
}

static void world_run(struct world *w, size_t bytes)
{
    w->fakes.loop = loop_new();
    w->crypto = crypto_new();
    w->rng = rng_new_seeded(7);
    assert_ok(privkey_generate(&w->host_key, w->crypto, KEY_ED25519, 0));
    assert_ok(privkey_generate(&w->user_key, w->crypto, KEY_ED25519, 0));
    const struct pubkey *host = privkey_pubkey(w->host_key);
    w->host_row = (struct transport_host_key){SIGN, pubkey_blob(host)};
    w->client_config = (struct transport_config){.role = TRANSPORT_CLIENT,
                                                 .crypto = w->crypto,
                                                 .rng = w->rng,
                                                 .ident = "SSH-2.0-a",
                                                 .kex = KEX,
                                                 .host_key = SIGN,
                                                 .cipher = "aes128-gcm@openssh.com",
                                                 .mac = "hmac-sha2-256",
                                                 .rekey_bytes = 200000};
    w->server_config = w->client_config;
    w->server_config.role = TRANSPORT_SERVER;
    w->server_config.host_keys = &w->host_row;
    w->server_config.host_key_count = 1;
    w->server_config.server_sig_algs = SIGN;
    w->server_config.hold_rekey = true;
    current = w;
    fake_pair(&w->fakes, 70000, &w->wire_a, &w->wire_b);
    app_init(w, &w->client_app, bytes);
    app_init(w, &w->server_app, bytes);
    struct link_config client = {
        .loop = w->fakes.loop, .transport = &w->client_config, .event = on_client, .owner = w};
    w->client = link_new(&client, fake_as_stream(w->wire_a));
    begin_login(w);
    w->idle = (struct loop_turn){.callback = on_idle, .owner = w};
    loop_turn_request(w->fakes.loop, &w->idle);
    loop_run(w->fakes.loop);
}

static void world_done(struct world *w)
{
    link_free(w->client);
    link_free(w->server);
    login_free(w->login);
    loop_turn_cancel(&w->idle);
    fake_free_pair(w->wire_a);
    fake_free_pair(w->client_app.near);
    fake_free_pair(w->server_app.near);
    privkey_free(w->host_key);
    privkey_free(w->user_key);
    rng_free(w->rng);
    crypto_free(w->crypto);
    loop_free(w->fakes.loop);
}

static void assert_whole(const struct world *w)
{
    assert_false(w->timed_out);
    assert_int_equal(w->client_app.received, w->server_app.to_send);
    assert_int_equal(w->server_app.received, w->client_app.to_send);
    assert_true(w->client_app.ended && w->server_app.ended);
    assert_false(w->client_app.reset || w->server_app.reset);
    assert_false(w->client_app.bad || w->server_app.bad);
}

static void streams_arrive_whole_however_the_wire_cuts_them(void **state)
{
    (void)state;
    static const struct {
        size_t most;
        unsigned again_every;
        size_t bytes;
    } cases[] = {{0, 0, 3000000}, {1, 0, 3000}, {777, 3, 300000}, {33000, 2, 1000000}, {0, 2, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w = {.fakes = {.most = cases[i].most, .again_every = cases[i].again_every}};
        world_run(&w, cases[i].bytes);
        assert_whole(&w);
        world_done(&w);
    }
}

/* An application that got an end got everything; one that did not was reset. */
static void assert_no_short_clean_end(const struct app *a, size_t expected)
{
    assert_false(a->bad);
    if (a->ended && !a->reset)
        assert_int_equal(a->received, expected);
}

static void a_failing_call_never_looks_like_an_end(void **state)
{
    (void)state;
    struct world clean = {.fakes = {.most = 9000}};
    world_run(&clean, 150000);
    assert_whole(&clean);
    unsigned calls = clean.fakes.calls;
    world_done(&clean);
    assert_true(calls > 50);
    for (unsigned n = 1; n <= calls; n++) {
        struct world w = {.fakes = {.most = 9000, .fail_at = n}};
        world_run(&w, 150000);
        assert_false(w.timed_out);
        assert_no_short_clean_end(&w.client_app, 150000);
        assert_no_short_clean_end(&w.server_app, 150000);
        world_done(&w);
    }
}

/* ---- SOCKS, without a stream at all ---- */

static enum socks_step feed(struct socks *s, const char *bytes, size_t length)
{
    enum socks_step step = SOCKS_MORE;
    size_t used = 0;
    while (used < length && (step == SOCKS_MORE || step == SOCKS_SAY)) {
        size_t n = MIN(s->want, length - used);
        memcpy(s->in + s->have, bytes + used, n);
        used += n;
        step = socks_feed(s, n);
    }
    assert_int_equal(used, length); /* and never more: what follows belongs to the channel */
    return step;
}

static void socks_requests_are_read_to_the_byte(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        enum socks_step step;
        const char *host;
        uint16_t port;
    } cases[] = {
        {"\4\1\x0c\xea\x7f\0\0\1me\0", 11, SOCKS_REQUEST, "127.0.0.1", 3306},
        {"\4\1\0\x50\0\0\0\7\0db.example\0", 20, SOCKS_REQUEST, "db.example", 80},
        {"\5\1\0\5\1\0\1\x0a\0\0\1\0\x16", 13, SOCKS_REQUEST, "10.0.0.1", 22},
        {"\5\2\2\0\5\1\0\3\2db\x0c\xea", 13, SOCKS_REQUEST, "db", 3306},
        {"\5\1\0\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb", 25, SOCKS_REQUEST, "::1", 443},
        {"\5\1\2", 3, SOCKS_BAD, NULL, 0},
        {"\5\1\0\5\2\0\1", 7, SOCKS_BAD, NULL, 0},
        {"\5\1\0\5\1\0\7", 7, SOCKS_BAD, NULL, 0},
        {"\4\2\0\x50\x7f\0\0\1\0", 9, SOCKS_BAD, NULL, 0},
        {"G", 1, SOCKS_BAD, NULL, 0},
        {"\5\1\0\5\1\0\3\1 \0\x50", 11, SOCKS_BAD, NULL, 0},
        {"\5\1\0\5\1\0\3\0\0\x50", 10, SOCKS_BAD, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct socks s;
        socks_init(&s);
        assert_int_equal(feed(&s, cases[i].bytes, cases[i].length), cases[i].step);
        if (cases[i].step != SOCKS_REQUEST)
            continue;
        assert_string_equal(s.host, cases[i].host);
        assert_int_equal(s.port, cases[i].port);
        socks_result(&s, SOCKS_REFUSED);
        assert_int_equal(s.reply[1], s.version == 4 ? 91 : 5);
    }
}

static void socks_never_asks_beyond_its_room(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        struct socks s;
        socks_init(&s);
        uint32_t seed = first * 2654435761u;
        enum socks_step step = SOCKS_MORE;
        for (size_t at = 0; step == SOCKS_MORE || step == SOCKS_SAY; at++) {
            assert_true(s.want >= 1 && s.have + s.want <= SOCKS_MAX);
            seed = seed * 1664525u + 1013904223u;
            s.in[s.have] = at == 0 ? (uint8_t)first : (uint8_t)(1 + (seed >> 24) % 255);
            step = socks_feed(&s, 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_arrive_whole_however_the_wire_cuts_them),
        cmocka_unit_test(a_failing_call_never_looks_like_an_end),
        cmocka_unit_test(socks_requests_are_read_to_the_byte),
        cmocka_unit_test(socks_never_asks_beyond_its_room),
    };
    return RUN_TESTS(tests);
}
