/* Promises of the machines together, held over every algorithm and every way of delivery. */
#include "tests/pair.h"
#include "tests/unit.h"
#include "tunnel/compress.h"
#include "wire/numbers.h"

static const struct pair_options plain = {.user_key = KEY_ED25519, .seed = 42};

static void assert_all_streams_arrived(const struct pair *p, size_t channels)
{
    assert_false(p->client.ended);
    assert_false(p->server.ended);
    assert_int_equal(p->client.channels_closed, channels);
    assert_int_equal(p->server.channels_closed, channels);
    for (size_t i = 0; i < channels; i++) {
        assert_int_equal(p->client.streams[i].received, p->options.stream_bytes);
        assert_int_equal(p->server.streams[i].received, p->options.stream_bytes);
    }
    assert_int_equal(conn_channel_count(p->client.conn), 0);
    assert_int_equal(conn_channel_count(p->server.conn), 0);
}

static void run_streams(const struct pair_options *options, size_t channels)
{
    struct pair p;
    pair_init(&p, options);
    pair_run(&p);
    assert_true(p.client.is_up && p.server.is_up);
    pair_open_channels(&p, channels);
    pair_run(&p);
    assert_all_streams_arrived(&p, channels);
    if (options->rekey_bytes == 1)
        assert_true(transport_exchanges(p.client.transport) > 5);
    /* A context has no place in a record. */
    if (options->hand_over)
        assert_true(options->codec ? p.server.exports > 0 : p.server.exports > 5);
    pair_done(&p);
}

static void every_cipher_and_mac_carries_streams(void **state)
{
    (void)state;
    const struct algo_cipher *cipher;
    const struct algo_mac *mac;
    for (size_t i = 0; (cipher = algo_cipher_at(i)); i++) {
        for (size_t k = 0; (mac = algo_mac_at(k)); k++) {
            struct pair_options o = plain;
            o.cipher = cipher->name;
            o.mac = mac->name;
            o.pieces = PAIR_RANDOM;
            o.stream_bytes = 150000;
            o.rekey_bytes = 60000;
            run_streams(&o, 2);
            if (cipher->tag_len)
                break;
        }
    }
}

static void every_key_exchange_carries_streams(void **state)
{
    (void)state;
    const struct algo_kex *kex;
    for (size_t i = 0; (kex = algo_kex_at(i)); i++) {
        struct pair_options o = plain;
        o.kex = kex->name;
        o.stream_bytes = 100000;
        o.rekey_bytes = 30000;
        run_streams(&o, 1);
    }
}

static void every_user_key_logs_in(void **state)
{
    (void)state;
    static const enum key_kind kinds[] = {KEY_ED25519, KEY_ECDSA256, KEY_ECDSA384, KEY_ECDSA521,
                                          KEY_RSA};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct pair_options o = plain;
        o.user_key = kinds[i];
        o.stream_bytes = 100;
        run_streams(&o, 1);
    }
}

static void bytes_may_come_one_at_a_time(void **state)
{
    (void)state;
    static const char *const ciphers[] = {"chacha20-poly1305@openssh.com", "aes128-ctr",
                                          "aes256-gcm@openssh.com"};
    for (size_t i = 0; i < ARRAY_LEN(ciphers); i++) {
        struct pair_options o = plain;
        o.cipher = ciphers[i];
        o.mac = "hmac-sha2-256";
        o.pieces = PAIR_BYTES;
        o.stream_bytes = 20000;
        run_streams(&o, 1);
    }
}

static void new_keys_after_every_packet(void **state)
{
    (void)state;
    struct pair_options o = plain;
    o.rekey_bytes = 1;
    o.stream_bytes = 300000;
    o.pieces = PAIR_RANDOM;
    run_streams(&o, 3);
}

static void compressed_streams_arrive(void **state)
{
    (void)state;
    struct pair_options o = plain;
    o.codec = &compress_codec;
    o.stream_bytes = 3000000;
    run_streams(&o, 2);
    o.stream_bytes = 200000;
    o.pieces = PAIR_RANDOM;
    o.hand_over = true;
    run_streams(&o, 2);
    o.rekey_bytes = 1; /* a context lives as long as its keys */
    run_streams(&o, 2);
}

static void the_transport_survives_hand_over_at_every_moment(void **state)
{
    (void)state;
    const struct algo_cipher *cipher;
    for (size_t i = 0; (cipher = algo_cipher_at(i)); i++) {
        struct pair_options o = plain;
        o.cipher = cipher->name;
        o.mac = i % 2 ? "hmac-sha2-512" : "hmac-sha2-256-etm@openssh.com";
        o.hand_over = true;
        o.pieces = PAIR_RANDOM;
        o.rekey_bytes = 50000;
        o.stream_bytes = 200000;
        run_streams(&o, 2);
    }
}

static void a_small_window_is_kept_and_never_stalls(void **state)
{
    (void)state;
    for (uint32_t window = 1; window <= 4096; window *= 8) {
        struct pair_options o = plain;
        o.window = window;
        o.stream_bytes = window == 1 ? 300 : 20000;
        run_streams(&o, 1);
    }
}

static void large_streams_keep_the_output_bounded(void **state)
{
    (void)state;
    struct pair_options o = plain;
    struct pair p;
    o.stream_bytes = 8 * 1024 * 1024;
    pair_init(&p, &o);
    pair_run(&p);
    pair_open_channels(&p, 4);
    pair_run(&p);
    assert_all_streams_arrived(&p, 4);
    assert_true(p.largest_output <= 768 * 1024);
    pair_done(&p);
}

static void a_refused_key_ends_the_login(void **state)
{
    (void)state;
    struct pair_options o = plain;
    struct pair p;
    o.refuse_key = true;
    pair_init(&p, &o);
    pair_run(&p);
    assert_false(p.client.is_up);
    assert_false(p.server.is_up);
    assert_int_equal(p.client.fault.code, ERR_DENIED);
    pair_done(&p);
}

static void an_untrusted_host_key_ends_the_connection_before_authentication(void **state)
{
    (void)state;
    struct pair_options o = plain;
    struct pair p;
    o.distrust = true;
    pair_init(&p, &o);
    pair_run(&p);
    assert_int_equal(p.client.fault.code, ERR_DENIED);
    assert_int_equal(p.client.fault.disconnect_reason, SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE);
    assert_null(p.client.auth_client);
    assert_false(p.server.is_up);
    pair_done(&p);
}

static void nothing_in_common_names_what_is_missing(void **state)
{
    (void)state;
    struct pair_options o = plain;
    struct pair p;
    pair_init(&p, &o);
    pair_done(&p);
    o.host_key = "rsa-sha2-512"; /* the server's key is ed25519 */
    pair_init(&p, &o);
    pair_run(&p);
    assert_int_equal(p.client.fault.code, ERR_NO_COMMON);
    assert_string_equal(p.client.fault.text, "no host key algorithm in common");
    pair_done(&p);
}

/* One flipped bit in what is sealed: the connection ends, and no byte of it is delivered. */
static void a_flipped_bit_never_goes_through(void **state)
{
    (void)state;
    static uint8_t ignore[30000] = {SSH_MSG_IGNORE, 0, 0, (sizeof(ignore) - 5) >> 8,
                                    (sizeof(ignore) - 5) & 0xff};
    const struct algo_cipher *cipher;
    for (size_t i = 0; (cipher = algo_cipher_at(i)); i++) {
        for (size_t at = 0; at < sizeof(ignore); at = at < 40 ? at + 1 : at + 2999) {
            struct pair_options o = plain;
            struct pair p;
            o.cipher = cipher->name;
            o.mac = i % 2 ? "hmac-sha2-256" : "hmac-sha2-512-etm@openssh.com";
            pair_init(&p, &o);
            pair_run(&p);
            assert_ok(transport_send(p.client.transport, slice_of(ignore, sizeof(ignore))));
            uintptr_t out = (uintptr_t)transport_output(p.client.transport).ptr;
            ((uint8_t *)out)[at] ^= (uint8_t)(1 << (at % 8));
            /* a longer length than was sent is only found out when so much has come */
            for (int step = 0; step < 12 && !p.server.ended; step++) {
                pair_step(&p);
                if (transport_may_send(p.client.transport))
                    assert_ok(transport_send(p.client.transport, slice_of(ignore, sizeof(ignore))));
            }
            assert_true(p.server.ended);
            assert_int_equal(p.server.fault.disconnect_reason, SSH_DISCONNECT_MAC_ERROR);
            pair_done(&p);
        }
    }
}

static void hours_of_timed_rekeys_pass(void **state)
{
    (void)state;
    struct pair_options o = plain;
    struct pair p;
    pair_init(&p, &o);
    p.client.transport = (transport_free(p.client.transport), NULL);
    p.client.config.rekey_interval_ms = 3600 * 1000;
    p.client.transport = transport_new(&p.client.config, p.now_ms);
    transport_begin(p.client.transport);
    pair_run(&p);
    for (int hour = 0; hour < 24; hour++) {
        p.now_ms += 3600 * 1000;
        transport_tick(p.client.transport, p.now_ms);
        pair_run(&p);
    }
    assert_int_equal(transport_exchanges(p.client.transport), 25);
    assert_int_equal(transport_exchanges(p.server.transport), 25);
    pair_done(&p);
}

static void an_exchange_without_end_times_out(void **state)
{
    (void)state;
    struct pair_options o = plain;
    struct pair p;
    struct transport_event event;
    pair_init(&p, &o);
    pair_run(&p);
    transport_rekey(p.client.transport, p.now_ms);
    assert_int_equal(transport_deadline_ms(p.client.transport), p.now_ms + 60000);
    p.now_ms += 60000;
    transport_tick(p.client.transport, p.now_ms);
    transport_next(p.client.transport, &event, p.now_ms);
    assert_int_equal(event.kind, TRANSPORT_FAILED);
    assert_int_equal(transport_fault(p.client.transport).code, ERR_TIMEOUT);
    pair_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cipher_and_mac_carries_streams),
        cmocka_unit_test(every_key_exchange_carries_streams),
        cmocka_unit_test(every_user_key_logs_in),
        cmocka_unit_test(bytes_may_come_one_at_a_time),
        cmocka_unit_test(new_keys_after_every_packet),
        cmocka_unit_test(compressed_streams_arrive),
        cmocka_unit_test(the_transport_survives_hand_over_at_every_moment),
        cmocka_unit_test(a_small_window_is_kept_and_never_stalls),
        cmocka_unit_test(large_streams_keep_the_output_bounded),
        cmocka_unit_test(a_refused_key_ends_the_login),
        cmocka_unit_test(an_untrusted_host_key_ends_the_connection_before_authentication),
        cmocka_unit_test(nothing_in_common_names_what_is_missing),
        cmocka_unit_test(a_flipped_bit_never_goes_through),
        cmocka_unit_test(hours_of_timed_rekeys_pass),
        cmocka_unit_test(an_exchange_without_end_times_out),
    };
    return RUN_TESTS(tests);
}
