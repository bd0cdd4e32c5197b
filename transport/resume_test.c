/* The hand-over record: goes round, and any damage to it is refused or harmless. */
#include "transport/duo.h"

#define RECORD_MAX (2 * 1024 * 1024)

/* A connected pair and the server's record, with one packet of the client's waiting unread. */
static void record_make(struct duo *d, const char *cipher, struct buf *record)
{
    static const uint8_t ignore[5] = {SSH_MSG_IGNORE};
    duo_init(d);
    d->client->config.cipher = d->server->config.cipher = d->server_config.cipher = cipher;
    duo_connect(d);
    transport_seal(d->client, slice_of(ignore, sizeof(ignore)));
    struct slice out = transport_output(d->client);
    struct iovec room;
    assert_ok(transport_recv_room(d->server, 4096, &room));
    memcpy(room.iov_base, out.ptr, out.len - 1); /* the last byte is still on the wire */
    transport_recv_commit(d->server, out.len - 1);
    duo_serve(d, d->server);
    buf_init_secret(record, RECORD_MAX);
    assert_true(transport_may_export(d->server));
    assert_ok(transport_export(d->server, record));
}

static const char *const ciphers[] = {"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com",
                                      "aes256-ctr"};

static void a_record_goes_round(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ciphers); i++) {
        struct duo d;
        struct buf record, again;
        struct transport *copy;
        record_make(&d, ciphers[i], &record);
        assert_ok(transport_import(&copy, &d.server_config, buf_slice(&record), 1));
        buf_init_secret(&again, RECORD_MAX);
        assert_ok(transport_export(copy, &again));
        assert_true(slice_equal(buf_slice(&record), buf_slice(&again)));
        transport_free(copy);
        /* The copy goes on: the rest of the packet, and a rekey. */
        assert_ok(transport_import(&copy, &d.server_config, buf_slice(&record), 1));
        transport_free(d.server);
        d.server = copy;
        struct slice out = transport_output(d.client);
        duo_feed(&d, d.server, slice_of(out.ptr + out.len - 1, 1));
        transport_output_taken(d.client, out.len);
        transport_rekey(d.server, 1);
        duo_run(&d);
        assert_int_equal(d.rekeyed, 2);
        assert_false(transport_is_ended(d.client) || transport_is_ended(d.server));
        buf_done(&record);
        buf_done(&again);
        duo_done(&d);
    }
}

static void a_cut_record_is_refused(void **state)
{
    (void)state;
    struct duo d;
    struct buf record;
    struct transport *copy;
    record_make(&d, ciphers[0], &record);
    for (size_t length = 0; length < buf_len(&record); length++) {
        uint8_t *cut = mem_new(length ? length : 1, 1);
        memcpy(cut, buf_slice(&record).ptr, length);
        assert_int_not_equal(transport_import(&copy, &d.server_config, slice_of(cut, length), 1),
                             OK);
        mem_free(cut);
    }
    assert_ok(buf_append(&record, "", 1));
    assert_int_not_equal(transport_import(&copy, &d.server_config, buf_slice(&record), 1), OK);
    buf_done(&record);
    duo_done(&d);
}

/* A damaged record is refused, or makes a transport that receives, sends and ends like any. */
static void a_damaged_record_harms_nobody(void **state)
{
    (void)state;
    static const uint8_t ignore[5] = {SSH_MSG_IGNORE};
    for (size_t i = 0; i < ARRAY_LEN(ciphers); i++) {
        struct duo d;
        struct buf record;
        size_t taken = 0, refused = 0;
        record_make(&d, ciphers[i], &record);
        uint8_t *bytes = record.data + record.start;
        struct slice out = transport_output(d.client);
        for (size_t at = 0; at < buf_len(&record); at++) {
            static const uint8_t changes[] = {0x01, 0x80, 0xff};
            for (size_t k = 0; k < ARRAY_LEN(changes); k++) {
                struct transport *copy;
                bytes[at] ^= changes[k];
                if (transport_import(&copy, &d.server_config, buf_slice(&record), 1) == OK) {
                    taken++;
                    duo_feed(&d, copy, slice_of(out.ptr + out.len - 1, 1));
                    if (transport_may_send(copy))
                        assert_true(transport_send(copy, slice_of(ignore, sizeof(ignore))) !=
                                    ERR_BUG);
                    transport_rekey(copy, 1);
                    transport_free(copy);
                } else {
                    refused++;
                }
                bytes[at] ^= changes[k];
            }
        }
        assert_true(taken > 0 && refused > 0);
        buf_done(&record);
        duo_done(&d);
    }
}

static void a_record_is_for_its_role_and_ident(void **state)
{
    (void)state;
    struct duo d;
    struct buf record;
    struct transport *copy;
    record_make(&d, ciphers[0], &record);
    assert_int_equal(transport_import(&copy, &d.client_config, buf_slice(&record), 1), ERR_FORMAT);
    d.server_config.ident = "SSH-2.0-other";
    assert_int_equal(transport_import(&copy, &d.server_config, buf_slice(&record), 1), ERR_FORMAT);
    buf_done(&record);
    duo_done(&d);
}

/* A count near its end would wrap to "no exchange yet", where a first one is not strict. */
static void a_count_of_exchanges_that_could_wrap_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t exchanges;
        enum err result;
    } cases[] = {
        {0, ERR_FORMAT},          {1, OK},
        {UINT64_C(1) << 32, OK},  {(UINT64_C(1) << 32) + 1, ERR_FORMAT},
        {UINT64_MAX, ERR_FORMAT},
    };
    struct duo d;
    struct buf record;
    record_make(&d, ciphers[0], &record);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct transport *copy;
        struct reader r;
        reader_init(&r, buf_slice(&record));
        (void)reader_u32(&r);
        (void)reader_bool(&r);
        for (int field = 0; field < 6; field++)
            (void)reader_string(&r);
        size_t at = buf_len(&record) - reader_left(&r);
        put_u32(record.data + record.start + at, (uint32_t)(cases[i].exchanges >> 32));
        put_u32(record.data + record.start + at + 4, (uint32_t)cases[i].exchanges);
        enum err result = transport_import(&copy, &d.server_config, buf_slice(&record), 1);
        assert_int_equal(result, cases[i].result);
        if (result == OK)
            transport_free(copy);
    }
    buf_done(&record);
    duo_done(&d);
}

static void nothing_is_exported_in_between(void **state)
{
    (void)state;
    struct duo d;
    duo_init(&d);
    assert_false(transport_may_export(d.server));
    duo_connect(&d);
    assert_true(transport_may_export(d.server));
    transport_rekey(d.server, 1);
    assert_false(transport_may_export(d.server));
    transport_output_taken(d.server, transport_output(d.server).len);
    assert_false(transport_may_export(d.server));
    transport_fail(d.client, ERR_IO, SSH_DISCONNECT_NONE, "gone");
    assert_false(transport_may_export(d.client));
    duo_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_goes_round),
        cmocka_unit_test(a_cut_record_is_refused),
        cmocka_unit_test(a_damaged_record_harms_nobody),
        cmocka_unit_test(a_record_is_for_its_role_and_ident),
        cmocka_unit_test(a_count_of_exchanges_that_could_wrap_is_refused),
        cmocka_unit_test(nothing_is_exported_in_between),
    };
    return RUN_TESTS(tests);
}
