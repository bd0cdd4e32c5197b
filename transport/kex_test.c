/*
 * Key exchange against peers that do not keep to it: raw bytes to a server without keys, and whole
 * transports of which one misbehaves.
 */
#include "crypto/cert.h"
#include "transport/duo.h"

#define CURVE "curve25519-sha256"

static void server_failed(struct duo *d, enum err code)
{
    assert_true(transport_is_ended(d->server));
    assert_int_equal(transport_fault(d->server).code, code);
}

/* Terrapin (CVE-2023-48795) needs packets where nobody counts them: strict KEX leaves no room. */
static void strict_kex_takes_nothing_unexpected(void **state)
{
    (void)state;
    static const uint8_t extra[] = {SSH_MSG_IGNORE,
                                    SSH_MSG_UNIMPLEMENTED,
                                    SSH_MSG_DEBUG,
                                    8,
                                    19,
                                    22,
                                    29,
                                    32,
                                    49,
                                    50,
                                    80,
                                    192,
                                    255};
    for (size_t i = 0; i < ARRAY_LEN(extra); i++) {
        for (int before = 0; before < 2; before++) {
            struct duo d;
            duo_raw_begin(&d);
            if (before)
                duo_raw_number(&d, extra[i]);
            duo_raw_kexinit(&d, CURVE "," DUO_STRICT, false);
            if (!before)
                duo_raw_number(&d, extra[i]);
            duo_raw_deliver(&d);
            server_failed(&d, ERR_PROTOCOL);
            assert_int_equal(d.signatures_asked, 0);
            duo_done(&d);
        }
    }
}

static void without_strict_kex_such_messages_are_passed_over(void **state)
{
    (void)state;
    static const uint8_t extra[] = {SSH_MSG_IGNORE, SSH_MSG_UNIMPLEMENTED, SSH_MSG_DEBUG, 8, 49};
    struct duo d;
    duo_raw_begin(&d);
    for (size_t i = 0; i < ARRAY_LEN(extra); i++)
        duo_raw_number(&d, extra[i]);
    duo_raw_kexinit(&d, CURVE, false);
    for (size_t i = 0; i < ARRAY_LEN(extra); i++)
        duo_raw_number(&d, extra[i]);
    duo_raw_deliver(&d);
    assert_false(transport_is_ended(d.server));
    duo_done(&d);
}

static void messages_out_of_order_end_the_exchange(void **state)
{
    (void)state;
    enum step { INIT = 1, STRICT_INIT, NEWKEYS, ECDH, REPLY };
    static const enum step rows[][3] = {
        {INIT, INIT},    {STRICT_INIT, STRICT_INIT}, {NEWKEYS},
        {INIT, NEWKEYS}, {STRICT_INIT, NEWKEYS},     {ECDH},
        {INIT, REPLY},   {INIT, ECDH, ECDH},
    };
    static const uint8_t share[32] = {9};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct duo d;
        duo_raw_begin(&d);
        for (size_t k = 0; k < 3 && rows[i][k]; k++) {
            if (rows[i][k] == INIT || rows[i][k] == STRICT_INIT)
                duo_raw_kexinit(&d, rows[i][k] == INIT ? CURVE : CURVE "," DUO_STRICT, false);
            else if (rows[i][k] == ECDH)
                duo_raw_ecdh_init(&d, share, sizeof(share));
            else
                duo_raw_number(&d,
                               rows[i][k] == NEWKEYS ? SSH_MSG_NEWKEYS : SSH_MSG_KEX_ECDH_REPLY);
        }
        duo_raw_deliver(&d);
        server_failed(&d, ERR_PROTOCOL);
        duo_done(&d);
    }
}

static void a_right_guess_is_used_and_a_wrong_one_passed_over(void **state)
{
    (void)state;
    static const uint8_t share[32] = {9};
    static const struct {
        const char *kex;
        bool follows, sends_garbage;
        unsigned asked;
    } rows[] = {
        {CURVE, true, false, 1},                        /* right: the guess is the message */
        {"ecdh-sha2-nistp256," CURVE, true, true, 1},   /* wrong: the second one counts */
        {"ecdh-sha2-nistp256," CURVE, true, false, 0},  /* wrong: it was passed over */
        {"ecdh-sha2-nistp256," CURVE, false, false, 1}, /* no guess */
        {"ecdh-sha2-nistp256," CURVE "," DUO_STRICT, true, true, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct duo d;
        duo_raw_begin(&d);
        d.no_answer = true;
        duo_raw_kexinit(&d, rows[i].kex, rows[i].follows);
        if (rows[i].sends_garbage)
            duo_raw_ecdh_init(&d, (const uint8_t *)"not a point", 11);
        duo_raw_ecdh_init(&d, share, sizeof(share));
        duo_raw_deliver(&d);
        assert_false(transport_is_ended(d.server));
        assert_int_equal(d.signatures_asked, rows[i].asked);
        duo_done(&d);
    }
}

static void shares_that_are_none_are_refused(void **state)
{
    (void)state;
    static const uint8_t zero[33] = {0}, one[32] = {1};
    static const struct {
        const uint8_t *share;
        size_t length;
    } rows[] = {{zero, 32}, {one, 32}, {zero, 0}, {zero, 31}, {zero, 33}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct duo d;
        duo_raw_begin(&d);
        duo_raw_kexinit(&d, CURVE, false);
        duo_raw_ecdh_init(&d, rows[i].share, rows[i].length);
        duo_raw_deliver(&d);
        server_failed(&d, ERR_CRYPTO);
        assert_int_equal(d.signatures_asked, 0);
        duo_done(&d);
    }
}

static void a_cut_kexinit_is_refused(void **state)
{
    (void)state;
    struct duo whole;
    duo_raw_begin(&whole);
    duo_raw_kexinit(&whole, CURVE, false);
    struct slice bytes = buf_slice(&whole.raw);
    bytes.ptr += strlen(DUO_IDENT) + PACKET_HEAD;
    bytes.len = get_u32(bytes.ptr - PACKET_HEAD) - 1 - bytes.ptr[-1];
    for (size_t length = 1; length < bytes.len; length += 1 + length / 24) {
        struct duo d;
        duo_raw_begin(&d);
        duo_raw_packet(&d, slice_of(bytes.ptr, length));
        duo_raw_deliver(&d);
        server_failed(&d, ERR_FORMAT);
        duo_done(&d);
    }
    duo_done(&whole);
}

static void what_comes_before_authentication_is_bounded(void **state)
{
    (void)state;
    struct duo d;
    duo_raw_begin(&d);
    for (unsigned i = 0; i < 1000; i++)
        duo_raw_number(&d, SSH_MSG_IGNORE);
    duo_raw_deliver(&d);
    assert_false(transport_is_ended(d.server));
    duo_raw_number(&d, SSH_MSG_IGNORE);
    duo_raw_deliver(&d);
    server_failed(&d, ERR_LIMIT);
    duo_done(&d);

    static uint8_t large[32768] = {SSH_MSG_IGNORE, 0, 0, 0x7f, 0xfb};
    duo_raw_begin(&d);
    for (unsigned i = 0; i < 32; i++)
        duo_raw_packet(&d, slice_of(large, sizeof(large)));
    duo_raw_deliver(&d);
    assert_false(transport_is_ended(d.server)); /* 1 MiB */
    duo_raw_number(&d, SSH_MSG_IGNORE);
    duo_raw_deliver(&d);
    server_failed(&d, ERR_LIMIT);
    duo_done(&d);
}

static void both_ends_agree(void **state)
{
    (void)state;
    struct duo d;
    duo_init(&d);
    duo_connect(&d);
    assert_true(d.client->strict && d.server->strict);
    assert_true(slice_equal(transport_session_id(d.client), transport_session_id(d.server)));
    assert_true(slice_equal(transport_server_key(d.client), d.row.blob));
    assert_true(transport_peer_ext_info(d.client)->has_server_sig_algs);
    assert_true(transport_peer_ext_info(d.client)->publickey_hostbound);
    assert_true(transport_peer_ext_info(d.client)->agent_forward);
    assert_true(transport_host_signature(d.client).len > 0);
    duo_done(&d);
}

/* Every method and every mac: a first exchange, a second under its keys, and a hand-over. */
static void every_algorithm_secures_rekeys_and_is_handed_over(void **state)
{
    (void)state;
    for (size_t i = 0; algo_kex_at(i) || algo_mac_at(i); i++) {
        struct duo d;
        struct buf record;
        struct transport *copy;
        duo_init(&d);
        const char *kex = algo_kex_at(i) ? algo_kex_at(i)->name : CURVE;
        const char *mac = algo_mac_at(i) ? algo_mac_at(i)->name : "hmac-sha2-256";
        d.client->config.kex = d.server->config.kex = d.server_config.kex = kex;
        d.client->config.mac = d.server->config.mac = d.server_config.mac = mac;
        d.client->config.cipher = d.server->config.cipher = d.server_config.cipher = "aes128-ctr";
        duo_connect(&d);
        assert_string_equal(d.client->names.kex, kex);
        assert_string_equal(d.server->names.recv_mac, mac);
        transport_rekey(d.client, 1);
        duo_run(&d);
        assert_int_equal(d.rekeyed, 2);
        buf_init_secret(&record, 65536);
        assert_ok(transport_export(d.server, &record));
        assert_ok(transport_import(&copy, &d.server_config, buf_slice(&record), 1));
        transport_free(d.server);
        d.server = copy;
        transport_rekey(d.server, 1);
        duo_run(&d);
        assert_int_equal(d.rekeyed, 4);
        assert_false(transport_is_ended(d.client) || transport_is_ended(d.server));
        buf_done(&record);
        duo_done(&d);
    }
}

static void a_wrong_signature_ends_the_exchange(void **state)
{
    (void)state;
    struct duo d;
    duo_init(&d);
    d.sign_wrongly = true;
    transport_begin(d.client);
    transport_begin(d.server);
    duo_run(&d);
    assert_int_equal(transport_fault(d.client).code, ERR_CRYPTO);
    assert_int_equal(transport_fault(d.client).disconnect_reason,
                     SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
    assert_int_equal(transport_exchanges(d.client), 0);
    duo_done(&d);
}

static void a_host_key_may_not_change_in_a_connection(void **state)
{
    (void)state;
    struct duo d;
    duo_init(&d);
    duo_connect(&d);
    d.row.blob = pubkey_blob(privkey_pubkey(d.other_key));
    d.sign_wrongly = true; /* truly, with the other key */
    transport_rekey(d.client, 1);
    duo_run(&d);
    assert_int_equal(transport_fault(d.client).code, ERR_CRYPTO);
    assert_int_equal(transport_exchanges(d.client), 1);
    duo_done(&d);
}

/* security.md D13: from its KEXINIT to its NEWKEYS a peer sends nothing else. */
static void other_messages_in_a_rekey_end_the_connection(void **state)
{
    (void)state;
    static const uint8_t numbers[] = {5, 6, 7, 20, 50, 52, 80, 90, 94, 192, 200};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct duo d;
        uint8_t payload[9] = {numbers[i]};
        duo_init(&d);
        duo_connect(&d);
        transport_rekey(d.server, 1);
        transport_seal(d.server, slice_of(payload, sizeof(payload)));
        duo_move(&d, d.server, d.client);
        assert_int_equal(transport_fault(d.client).code, ERR_PROTOCOL);
        duo_done(&d);
    }
}

static void harmless_messages_pass_in_a_rekey(void **state)
{
    (void)state;
    struct duo d;
    static const uint8_t ignore[5] = {SSH_MSG_IGNORE}, unknown[2] = {40};
    duo_init(&d);
    duo_connect(&d);
    transport_rekey(d.server, 1);
    transport_seal(d.server, slice_of(ignore, sizeof(ignore)));
    transport_seal(d.server, slice_of(unknown, sizeof(unknown)));
    duo_run(&d);
    assert_int_equal(d.rekeyed, 2);
    assert_false(transport_is_ended(d.client) || transport_is_ended(d.server));
    duo_done(&d);
}

static void many_rekeys_leave_nothing_behind(void **state)
{
    (void)state;
    struct duo d;
    duo_init(&d);
    duo_connect(&d);
    for (unsigned i = 1; i <= 200; i++) {
        transport_rekey(i % 2 ? d.client : d.server, 1);
        if (i % 3 == 0)
            transport_rekey(i % 2 ? d.server : d.client, 1); /* both at once */
        duo_run(&d);
        assert_int_equal(transport_exchanges(d.client), i + 1);
        assert_int_equal(transport_exchanges(d.server), i + 1);
        transport_trim(d.client);
        transport_trim(d.server);
        assert_int_equal(d.client->out.size + d.server->out.size, 0);
        assert_int_equal(d.client->in.size + d.server->in.size, 0);
        assert_null(d.client->kex.our_init.data);
        assert_null(d.server->kex.peer_init.data);
    }
    duo_done(&d);
}

static void send_pings(struct duo *d, unsigned count)
{
    uint8_t ping[1005] = {SSH_MSG_PING, 0, 0, 1000 >> 8, 1000 & 0xff};
    for (unsigned i = 0; i < count; i++)
        transport_seal(d->server, slice_of(ping, sizeof(ping)));
}

/* A PONG may not go out in an exchange of ours: what is held back for that is bounded. */
static void pings_in_a_rekey_are_held_up_to_a_bound(void **state)
{
    (void)state;
    struct duo d;
    duo_init(&d);
    duo_connect(&d);
    transport_rekey(d.client, 1);
    send_pings(&d, 50);
    duo_move(&d, d.server, d.client);
    assert_false(transport_is_ended(d.client));
    assert_true(buf_len(&d.client->held) >= 50 * 1000);
    duo_run(&d);
    assert_int_equal(d.rekeyed, 2);
    assert_int_equal(buf_len(&d.client->held), 0);
    assert_false(transport_is_ended(d.client) || transport_is_ended(d.server));

    transport_rekey(d.client, 1);
    send_pings(&d, 100);
    duo_move(&d, d.server, d.client);
    assert_int_equal(transport_fault(d.client).code, ERR_LIMIT);
    assert_true(buf_len(&d.client->held) <= HELD_MAX);
    duo_done(&d);
}

static void a_peer_that_does_not_read_its_pongs_is_ended(void **state)
{
    (void)state;
    struct duo d;
    duo_init(&d);
    duo_connect(&d);
    for (unsigned i = 0; i < 20 && !transport_is_ended(d.client); i++) {
        send_pings(&d, 100);
        duo_move(&d, d.server, d.client);
    }
    assert_int_equal(transport_fault(d.client).code, ERR_LIMIT);
    assert_true(transport_output(d.client).len <= OUTPUT_MAX);
    duo_done(&d);
}

/* CVE-2018-10933, CVE-2025-32433: refused by the machine, not only by its table. */
static void a_client_gets_nowhere_before_authentication(void **state)
{
    (void)state;
    static const uint8_t numbers[] = {SSH_MSG_USERAUTH_SUCCESS,
                                      SSH_MSG_GLOBAL_REQUEST,
                                      SSH_MSG_CHANNEL_OPEN,
                                      SSH_MSG_CHANNEL_REQUEST,
                                      127,
                                      192};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct duo d;
        uint8_t payload[9] = {numbers[i]};
        duo_init(&d);
        transport_begin(d.client);
        transport_begin(d.server);
        duo_run(&d);
        transport_seal(d.client, slice_of(payload, sizeof(payload)));
        duo_run(&d);
        server_failed(&d, ERR_PROTOCOL);
        assert_int_equal(d.payloads, 0);
        duo_done(&d);
    }
}

/* ---- certificates of hosts (PROTOCOL.certkeys) ---- */

/* The server's key, certified by the other one. */
static void certify(struct duo *d, struct buf *blob)
{
    struct reader r;
    struct writer w;
    struct buf signature;
    static const uint8_t nonce[32] = {1};
    reader_init(&r, pubkey_blob(privkey_pubkey(d->key)));
    (void)reader_string(&r); /* the plain type */
    buf_init(blob, PUBKEY_BLOB_MAX);
    buf_init(&signature, 4096);
    writer_init(&w, blob);
    writer_text(&w, "ssh-ed25519-cert-v01@openssh.com");
    writer_string(&w, slice_of(nonce, sizeof(nonce)));
    writer_string(&w, reader_string(&r));
    writer_u64(&w, 7);
    writer_u32(&w, CERT_HOST);
    writer_text(&w, "id");
    writer_string(&w, SLICE_NONE); /* principals */
    writer_u64(&w, 0);
    writer_u64(&w, UINT64_MAX);
    writer_string(&w, SLICE_NONE); /* critical options, extensions, reserved */
    writer_string(&w, SLICE_NONE);
    writer_string(&w, SLICE_NONE);
    writer_string(&w, pubkey_blob(privkey_pubkey(d->other_key)));
    assert_ok(privkey_sign(d->other_key, algo_sign_find(slice_text("ssh-ed25519")), buf_slice(blob),
                           &signature));
    writer_string(&w, buf_slice(&signature));
    assert_ok(writer_done(&w));
    buf_done(&signature);
}

static void a_certificate_counts_where_it_was_agreed_and_holds(void **state)
{
    (void)state;
    static const char plain[] = "ssh-ed25519", certified[] = "ssh-ed25519-cert-v01@openssh.com";
    static const struct {
        const char *agreed; /* and what the server says its key is */
        bool is_shown, is_damaged, holds;
    } rows[] = {
        {certified, true, false, true},   {certified, true, true, false},
        {certified, false, false, false}, /* the key alone */
        {plain, true, false, false},      /* a certificate that nobody asked for */
        {plain, false, false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct duo d;
        struct buf blob;
        duo_init(&d);
        certify(&d, &blob);
        if (rows[i].is_damaged)
            blob.data[blob.end - 1] ^= 1;
        d.row.key_type = d.client_config.host_key = d.server_config.host_key = rows[i].agreed;
        if (rows[i].is_shown)
            d.row.blob = buf_slice(&blob);
        transport_free(d.client);
        transport_free(d.server);
        d.client = transport_new(&d.client_config, 1);
        d.server = transport_new(&d.server_config, 1);
        transport_begin(d.client);
        transport_begin(d.server);
        duo_run(&d);
        assert_int_equal(d.secured == 2, rows[i].holds);
        assert_int_equal(transport_is_ended(d.client), !rows[i].holds);
        if (rows[i].holds)
            assert_true(slice_equal(transport_server_key(d.client), d.row.blob));
        duo_done(&d);
        buf_done(&blob);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_kex_takes_nothing_unexpected),
        cmocka_unit_test(without_strict_kex_such_messages_are_passed_over),
        cmocka_unit_test(messages_out_of_order_end_the_exchange),
        cmocka_unit_test(a_right_guess_is_used_and_a_wrong_one_passed_over),
        cmocka_unit_test(shares_that_are_none_are_refused),
        cmocka_unit_test(a_cut_kexinit_is_refused),
        cmocka_unit_test(what_comes_before_authentication_is_bounded),
        cmocka_unit_test(both_ends_agree),
        cmocka_unit_test(every_algorithm_secures_rekeys_and_is_handed_over),
        cmocka_unit_test(a_wrong_signature_ends_the_exchange),
        cmocka_unit_test(a_host_key_may_not_change_in_a_connection),
        cmocka_unit_test(other_messages_in_a_rekey_end_the_connection),
        cmocka_unit_test(harmless_messages_pass_in_a_rekey),
        cmocka_unit_test(many_rekeys_leave_nothing_behind),
        cmocka_unit_test(pings_in_a_rekey_are_held_up_to_a_bound),
        cmocka_unit_test(a_peer_that_does_not_read_its_pongs_is_ended),
        cmocka_unit_test(a_client_gets_nowhere_before_authentication),
        cmocka_unit_test(a_certificate_counts_where_it_was_agreed_and_holds),
    };
    return RUN_TESTS(tests);
}
