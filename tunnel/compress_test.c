/* zlib@openssh.com between two transports, and what a hostile end can do with it. */
#include <zlib.h>

#include "transport/duo.h"
#include "tunnel/compress.h"

#define PAYLOAD_LEN 200000 /* legal, and far more than what goes over the wire */

static void connect_packing(struct duo *d, const struct transport_codec *clients)
{
    duo_init(d);
    d->client_config.compression = "zlib@openssh.com,none";
    d->server_config.compression = "none,zlib@openssh.com";
    transport_free(d->client);
    transport_free(d->server);
    d->client = transport_new(&d->client_config, 1);
    d->server = transport_new(&d->server_config, 1);
    transport_set_codec(d->client, clients);
    transport_set_codec(d->server, &compress_codec);
    duo_connect(d);
}

/* A CHANNEL_DATA payload of zeros, which the server's transport only hands on. */
static void send_zeros(struct transport *t, size_t n)
{
    uint8_t *bytes = mem_new(n, 1);
    bytes[0] = SSH_MSG_CHANNEL_DATA;
    assert_ok(transport_send(t, slice_of(bytes, n)));
    mem_free(bytes);
}

static void nothing_is_packed_before_the_login(void **state)
{
    (void)state;
    struct duo d;
    duo_init(&d);
    d.client_config.compression = d.server_config.compression = "zlib@openssh.com";
    transport_free(d.client);
    transport_free(d.server);
    d.client = transport_new(&d.client_config, 1);
    d.server = transport_new(&d.server_config, 1);
    /* Without a codec a packed packet would be a failure. */
    transport_begin(d.client);
    transport_begin(d.server);
    duo_run(&d);
    assert_int_equal(d.secured, 2);
    assert_string_equal(transport_algorithms(d.client).send_compression, "zlib@openssh.com");
    assert_string_equal(transport_algorithms(d.server).recv_compression, "zlib@openssh.com");
    assert_true(transport_may_export(d.server));
    duo_done(&d);
}

static void payloads_arrive_packed_across_new_keys(void **state)
{
    (void)state;
    struct duo d;
    connect_packing(&d, &compress_codec);
    for (int round = 0; round < 3; round++) {
        send_zeros(d.client, 30000);
        assert_true(transport_output(d.client).len < 1000);
        duo_run(&d);
        send_zeros(d.server, 30000);
        duo_run(&d);
        assert_false(transport_may_export(d.server)); /* a context has no place in a record */
        transport_rekey(round % 2 ? d.client : d.server, 1);
        duo_run(&d);
    }
    assert_int_equal(d.payloads, 6);
    assert_int_equal(d.rekeyed, 6);
    assert_false(transport_is_ended(d.client) || transport_is_ended(d.server));
    duo_done(&d);
}

static void much_from_little_comes_in_bounded_pieces(void **state)
{
    (void)state;
    struct duo d;
    struct transport_event event;
    unsigned flushes = 0, payloads = 0;
    struct iovec room;
    connect_packing(&d, &compress_codec);
    for (int i = 0; i < 40; i++)
        send_zeros(d.client, PAYLOAD_LEN);
    struct slice out = transport_output(d.client);
    assert_true(out.len < 16384);
    assert_ok(transport_recv_room(d.server, out.len, &room));
    memcpy(room.iov_base, out.ptr, out.len);
    transport_recv_commit(d.server, out.len);
    do {
        transport_next(d.server, &event, 1);
        flushes += event.kind == TRANSPORT_FLUSH;
        if (event.kind == TRANSPORT_PAYLOAD) {
            payloads++;
            assert_int_equal(event.text.len, PAYLOAD_LEN);
            assert_int_equal(event.text.ptr[0], SSH_MSG_CHANNEL_DATA);
            assert_int_equal(event.text.ptr[PAYLOAD_LEN - 1], 0);
        }
        assert_true(d.server->packing.unpacked.size <= 2 * UNPACKED_MAX);
    } while (event.kind != TRANSPORT_NONE);
    assert_int_equal(payloads, 40);
    assert_true(flushes >= 40 / (UNPACKED_MAX / PAYLOAD_LEN) - 1);
    duo_done(&d);
}

/* Packs far more than it was given. */
static enum err pack_bomb(void *state, struct slice from, uint8_t *to, size_t room, size_t *n)
{
    uint8_t *zeros = mem_new(1, PACKET_LENGTH_MAX + 1);
    (void)from;
    enum err err = compress_codec.pack(state, slice_of(zeros, PACKET_LENGTH_MAX + 1), to, room, n);
    mem_free(zeros);
    return err;
}

static enum err pack_noise(void *state, struct slice from, uint8_t *to, size_t room, size_t *n)
{
    (void)state;
    memset(to, 0xff, MIN(room, from.len));
    *n = MIN(room, from.len);
    return OK;
}

static enum err pack_nothing(void *state, struct slice from, uint8_t *to, size_t room, size_t *n)
{
    (void)from;
    return compress_codec.pack(state, SLICE_NONE, to, room, n);
}

/* A stream that says it has ended, which is nothing SSH knows. */
static enum err pack_end(void *state, struct slice from, uint8_t *to, size_t room, size_t *n)
{
    z_stream *z = state;
    z->next_in = (uint8_t *)(uintptr_t)from.ptr;
    z->avail_in = (uInt)from.len;
    z->next_out = to;
    z->avail_out = (uInt)room;
    assert_int_equal(deflate(z, Z_FINISH), Z_STREAM_END);
    *n = room - z->avail_out;
    return OK;
}

static void what_is_hostile_ends_the_connection(void **state)
{
    (void)state;
    static const struct {
        enum err (*pack)(void *, struct slice, uint8_t *, size_t, size_t *);
        enum err code;
    } rows[] = {{pack_bomb, ERR_LIMIT},
                {pack_noise, ERR_FORMAT},
                {pack_nothing, ERR_FORMAT},
                {pack_end, ERR_FORMAT}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct duo d;
        struct transport_codec hostile = compress_codec;
        hostile.pack = rows[i].pack;
        connect_packing(&d, &hostile);
        send_zeros(d.client, 4000);
        duo_run(&d);
        assert_true(transport_is_ended(d.server));
        assert_int_equal(transport_fault(d.server).code, rows[i].code);
        assert_int_equal(transport_fault(d.server).disconnect_reason,
                         SSH_DISCONNECT_COMPRESSION_ERROR);
        assert_int_equal(d.payloads, 0);
        duo_done(&d);
    }
}

/* Noise, and every bit of a good packet turned: whatever comes out stays in its room. */
static void no_bytes_leave_the_room(void **state)
{
    (void)state;
    struct rng *rng = rng_new_seeded(6);
    uint8_t text[600], packed[1024], noise[300];
    size_t packed_len, n;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * i / 7);
    void *z = compress_codec.pack_new();
    assert_ok(
        compress_codec.pack(z, slice_of(text, sizeof(text)), packed, sizeof(packed), &packed_len));
    compress_codec.pack_free(z);
    for (size_t i = 0; i < 8 * packed_len + 500; i++) {
        struct slice from = slice_of(packed, packed_len);
        uint8_t *room = mem_new(sizeof(text) + 1, 1); /* its end is its end, for a sanitizer */
        bool is_flip = i < 8 * packed_len;
        if (is_flip)
            packed[i / 8] ^= (uint8_t)(1 << i % 8);
        else
            rng_bytes(rng, noise, sizeof(noise));
        if (!is_flip)
            from = slice_of(noise, 1 + i % sizeof(noise));
        z = compress_codec.unpack_new();
        for (int again = 0; again < 3; again++) {
            enum err err = compress_codec.unpack(z, from, room, sizeof(text) + 1, &n);
            assert_true(err == OK || err == ERR_FORMAT || err == ERR_LIMIT);
            assert_true(n <= sizeof(text) + 1);
        }
        compress_codec.unpack_free(z);
        mem_free(room);
        if (is_flip)
            packed[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    rng_free(rng);
}

/* What does not shrink grows by less than the output keeps free for it. */
static void noise_grows_by_less_than_the_slack(void **state)
{
    (void)state;
    struct rng *rng = rng_new_seeded(5);
    void *z = compress_codec.pack_new();
    uint8_t *from = mem_new(PACKET_LENGTH_MAX, 1);
    rng_bytes(rng, from, PACKET_LENGTH_MAX);
    for (size_t length = 1; length <= PACKET_LENGTH_MAX; length = length * 3 + 1) {
        size_t n, bound = compress_codec.pack_bound(z, length);
        uint8_t *to = mem_new(bound, 1);
        assert_true(bound <= length + PACKING_SLACK);
        assert_ok(compress_codec.pack(z, slice_of(from, length), to, bound, &n));
        mem_free(to);
    }
    compress_codec.pack_free(z);
    mem_free(from);
    rng_free(rng);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_packed_before_the_login),
        cmocka_unit_test(payloads_arrive_packed_across_new_keys),
        cmocka_unit_test(much_from_little_comes_in_bounded_pieces),
        cmocka_unit_test(what_is_hostile_ends_the_connection),
        cmocka_unit_test(no_bytes_leave_the_room),
        cmocka_unit_test(noise_grows_by_less_than_the_slack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
