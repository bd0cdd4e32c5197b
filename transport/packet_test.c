/* Framing under every cipher: lengths and paddings that must be refused before they are believed.
 */
#include "tests/unit.h"
#include "transport/internal.h"
#include "wire/numbers.h"

struct fixture {
    struct crypto *crypto;
    struct rng *rng;
};

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->crypto = crypto_new();
    f->rng = rng_new_seeded(3);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    rng_free(f->rng);
    crypto_free(f->crypto);
    mem_free(f);
    return 0;
}

/* A sender and a receiver under the same keys; algo NULL: no keys yet. */
struct two {
    struct packet_state send, recv;
    size_t block, aad;
    struct buf in;
};

static void two_init(struct two *w, struct fixture *f, const struct algo_cipher *algo,
                     const struct algo_mac *mac)
{
    *w = (struct two){.block = 8, .aad = 0};
    buf_init(&w->in, INPUT_MAX);
    if (!algo)
        return;
    struct cipher_keys keys = {.key.len = algo->key_len, .iv.len = algo->iv_len};
    keys.mac.len = mac ? mac->key_len : 0;
    memset(keys.key.bytes, 'k', keys.key.len);
    memset(keys.iv.bytes, 'i', keys.iv.len);
    memset(keys.mac.bytes, 'm', keys.mac.len);
    assert_ok(cipher_new(&w->send.cipher, f->crypto, algo, mac, &keys));
    assert_ok(cipher_new(&w->recv.cipher, f->crypto, algo, mac, &keys));
    w->block = cipher_block_len(w->send.cipher);
    w->aad = cipher_aad_len(w->send.cipher);
}

static void two_done(struct two *w)
{
    packet_state_done(&w->send);
    packet_state_done(&w->recv);
    buf_done(&w->in);
}

/* Calls check for plain text and each pair of cipher and mac. */
static void for_each(struct fixture *f, void (*check)(struct two *w, struct fixture *f))
{
    struct two w;
    const struct algo_cipher *cipher;
    const struct algo_mac *mac;
    two_init(&w, f, NULL, NULL);
    check(&w, f);
    two_done(&w);
    for (size_t i = 0; (cipher = algo_cipher_at(i)); i++) {
        for (size_t k = 0; (mac = algo_mac_at(k)); k++) {
            two_init(&w, f, cipher, cipher->tag_len ? NULL : mac);
            check(&w, f);
            two_done(&w);
            if (cipher->tag_len)
                break;
        }
    }
}

static bool is_whole(const struct two *w, uint32_t length)
{
    return ((size_t)length + 4 - w->aad) % w->block == 0;
}

/*
 * What packet_open says of a packet that claims this length and padding, of which body bytes (a
 * whole number of blocks) are there. Sealed truly, so that only the claim is wrong.
 */
static enum err claim(struct two *w, uint32_t length, uint8_t padding, size_t body,
                      struct fault *fault)
{
    uint8_t packet[512] = {0};
    struct slice payload;
    size_t len = w->aad + body;
    put_u32(packet, length);
    packet[4] = padding;
    if (w->send.cipher)
        assert_ok(cipher_seal(w->send.cipher, w->send.sequence, packet, len));
    size_t tag = w->send.cipher ? cipher_tag_len(w->send.cipher) : 0;
    buf_clear(&w->in);
    assert_ok(buf_append(&w->in, packet, len + tag));
    *fault = (struct fault){0};
    return packet_open(&w->recv, &w->in, PACKET_LENGTH_MAX_EARLY, &payload, fault);
}

/* A direction whose packet was refused is at its end: each claim gets its own. */
static enum err claim_alone(const struct two *like, struct fixture *f, uint32_t length,
                            uint8_t padding, size_t body, struct fault *fault)
{
    struct two w;
    const struct cipher *k = like->send.cipher;
    two_init(&w, f, k ? cipher_algo(k) : NULL, k ? cipher_mac(k) : NULL);
    enum err err = claim(&w, length, padding, body, fault);
    two_done(&w);
    return err;
}

/* Bytes that are taken after a refused packet before the refusal is said. */
static size_t taken_until_refused(struct two *w, struct fault *fault)
{
    static const uint8_t zeros[1000];
    struct slice payload;
    size_t taken = 0;
    enum err err = ERR_AGAIN;
    while (err == ERR_AGAIN && taken < 2 * PACKET_LENGTH_MAX) {
        size_t before = buf_len(&w->in);
        assert_ok(buf_append(&w->in, zeros, sizeof(zeros)));
        err = packet_open(&w->recv, &w->in, PACKET_LENGTH_MAX_EARLY, &payload, fault);
        taken += before + sizeof(zeros) - buf_len(&w->in);
    }
    assert_int_equal(err, ERR_CRYPTO);
    return taken;
}

/*
 * CBC in the order encrypt-and-mac: whether the length or the tag was bad, it is said after as many
 * bytes, in the same words (Albrecht, Paterson, Watson 2009).
 */
static void refuse_silently(const struct two *like, struct fixture *f, uint32_t length)
{
    struct two w;
    struct fault fault;
    two_init(&w, f, cipher_algo(like->send.cipher), cipher_mac(like->send.cipher));
    size_t sent = 64 + w.aad + cipher_tag_len(w.send.cipher);
    assert_int_equal(claim(&w, length, 4, 64, &fault), ERR_AGAIN);
    size_t taken = sent - buf_len(&w.in) + taken_until_refused(&w, &fault);
    assert_int_equal(taken, PACKET_LENGTH_MAX);
    assert_string_equal(fault.text, "Corrupted MAC on input.");
    assert_int_equal(fault.disconnect_reason, SSH_DISCONNECT_MAC_ERROR);
    two_done(&w);
}

/* The same of a packet whose length is good. */
static void check_bad_tag(struct two *w, struct fixture *f UNUSED)
{
    struct fault fault;
    struct slice payload;
    uint8_t packet[256] = {0};
    if (!w->send.cipher || !cipher_must_hide_lengths(w->send.cipher))
        return;
    size_t len = 64, tag = cipher_tag_len(w->send.cipher);
    put_u32(packet, (uint32_t)len - 4);
    packet[4] = 4;
    assert_ok(cipher_seal(w->send.cipher, w->send.sequence, packet, len));
    packet[len + tag - 1] ^= 1;
    buf_clear(&w->in);
    assert_ok(buf_append(&w->in, packet, len + tag));
    assert_int_equal(packet_open(&w->recv, &w->in, PACKET_LENGTH_MAX_EARLY, &payload, &fault),
                     ERR_AGAIN);
    assert_int_equal(buf_len(&w->in), 0);
    assert_int_equal(len + tag + taken_until_refused(w, &fault), PACKET_LENGTH_MAX);
    assert_string_equal(fault.text, "Corrupted MAC on input.");
}

static void a_bad_cbc_packet_is_said_late_and_in_few_words(void **state)
{
    for_each(*state, check_bad_tag);
}

static void refuse_length(const struct two *w, struct fixture *f, uint32_t length)
{
    struct fault fault;
    if (w->send.cipher && cipher_must_hide_lengths(w->send.cipher)) {
        refuse_silently(w, f, length);
        return;
    }
    if (claim_alone(w, f, length, 4, 64, &fault) != ERR_FORMAT)
        fail_msg("length %u was not refused", length);
    assert_string_equal(fault.text, "Bad packet length.");
}

static void check_lengths(struct two *w, struct fixture *f)
{
    static const uint32_t always_bad[] = {
        0, 1, 2, 3, 4, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, 0xfffffff8};
    for (size_t i = 0; i < ARRAY_LEN(always_bad); i++)
        refuse_length(w, f, always_bad[i]);
    for (uint32_t length = 5; length < 80; length++) {
        if (!is_whole(w, length))
            refuse_length(w, f, length);
    }
    /* The largest that may be is waited for; the next one is refused. */
    uint32_t most = PACKET_LENGTH_MAX_EARLY;
    while (!is_whole(w, most))
        most--;
    struct fault fault;
    assert_int_equal(claim_alone(w, f, most, 4, 64, &fault), ERR_AGAIN);
    refuse_length(w, f, most + (uint32_t)w->block);
    refuse_length(w, f, PACKET_LENGTH_MAX_EARLY + 1);
}

static void bad_lengths_are_refused_under_every_cipher(void **state)
{
    for_each(*state, check_lengths);
}

static void check_paddings(struct two *w, struct fixture *f)
{
    size_t body = 64;
    uint32_t length = (uint32_t)(w->aad + body - 4);
    const struct {
        uint8_t padding;
        enum err err;
    } rows[] = {
        {0, ERR_FORMAT},
        {3, ERR_FORMAT},
        {4, OK},
        {(uint8_t)(length - 2), OK}, /* a payload of one byte */
        {(uint8_t)(length - 1), ERR_FORMAT},
        {(uint8_t)length, ERR_FORMAT},
        {255, ERR_FORMAT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fault fault;
        if (claim_alone(w, f, length, rows[i].padding, body, &fault) != rows[i].err)
            fail_msg("padding %u", rows[i].padding);
    }
}

static void paddings_that_do_not_fit_are_refused(void **state)
{
    for_each(*state, check_paddings);
}

static void check_round(struct two *w, struct fixture *f)
{
    for (size_t n = 1; n < 70; n++) {
        uint8_t packet[512];
        struct slice payload;
        struct fault fault;
        size_t len = packet_wire_len(&w->send, n);
        assert_true(len <= sizeof(packet));
        memset(packet + PACKET_HEAD, (int)n, n);
        assert_ok(packet_seal(&w->send, f->rng, packet, n));
        for (size_t have = 0; have < len; have++) {
            assert_int_equal(packet_open(&w->recv, &w->in, PACKET_LENGTH_MAX, &payload, &fault),
                             ERR_AGAIN);
            assert_ok(buf_append(&w->in, packet + have, 1));
        }
        assert_ok(packet_open(&w->recv, &w->in, PACKET_LENGTH_MAX, &payload, &fault));
        assert_int_equal(payload.len, n);
        assert_int_equal(payload.ptr[0], n);
        assert_int_equal(payload.ptr[n - 1], n);
        assert_int_equal(buf_len(&w->in), 0);
        assert_int_equal(w->send.sequence, n);
        assert_int_equal(w->recv.sequence, n);
    }
}

static void packets_go_round_byte_by_byte(void **state)
{
    for_each(*state, check_round);
}

static void check_worn(struct two *w, struct fixture *f)
{
    uint8_t packet[512];
    struct slice payload;
    struct fault fault;
    assert_ok(packet_seal(&w->send, f->rng, packet, 1));
    assert_ok(buf_append(&w->in, packet, packet_wire_len(&w->send, 1)));
    w->send.packets = w->recv.packets = UINT32_MAX;
    assert_int_equal(packet_seal(&w->send, f->rng, packet, 1), ERR_LIMIT);
    assert_int_equal(packet_open(&w->recv, &w->in, PACKET_LENGTH_MAX, &payload, &fault), ERR_LIMIT);
}

static void a_number_never_repeats_under_the_same_keys(void **state)
{
    for_each(*state, check_worn);
}

/* PROTOCOL.mux 9: a length, a 0, the payload; short ones are filled up, as OpenSSH wants them. */
static void bare_packets_have_no_padding(void **state)
{
    static const uint8_t wire[] = {0, 0, 0, 6, 0, SSH_MSG_CHANNEL_EOF, 0, 0, 0, 9};
    static const uint8_t success[] = {0, 0, 0, 5, 3, SSH_MSG_REQUEST_SUCCESS};
    static const uint8_t bad[][5] = {{0, 0, 0, 0, 0}, {1, 0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff, 0}};
    struct fixture *f = *state;
    struct packet_state send = {.is_bare = true}, recv = {.is_bare = true};
    struct slice payload;
    struct fault fault;
    struct buf in;
    uint8_t out[32] = {[PACKET_HEAD] = SSH_MSG_CHANNEL_EOF, [PACKET_HEAD + 4] = 9};
    buf_init(&in, INPUT_MAX);
    assert_ok(packet_seal(&send, f->rng, out, 5));
    assert_int_equal(packet_wire_len(&send, 5), sizeof(wire));
    assert_memory_equal(out, wire, sizeof(wire));
    out[PACKET_HEAD] = SSH_MSG_REQUEST_SUCCESS;
    assert_ok(packet_seal(&send, f->rng, out, 1));
    assert_memory_equal(out, success, sizeof(success));
    assert_int_equal(packet_wire_len(&send, 1), 9);
    assert_ok(buf_append(&in, out, 9));
    assert_ok(buf_append(&in, wire, sizeof(wire)));
    assert_ok(packet_open(&recv, &in, PACKET_LENGTH_MAX, &payload, &fault));
    assert_int_equal(payload.len, 1);
    assert_ok(packet_open(&recv, &in, PACKET_LENGTH_MAX, &payload, &fault));
    assert_memory_equal(payload.ptr, wire + PACKET_HEAD, 5);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        buf_clear(&in);
        assert_ok(buf_append(&in, bad[i], sizeof(bad[i])));
        assert_int_equal(packet_open(&recv, &in, PACKET_LENGTH_MAX, &payload, &fault), ERR_FORMAT);
    }
    buf_done(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_cbc_packet_is_said_late_and_in_few_words),
        cmocka_unit_test(bad_lengths_are_refused_under_every_cipher),
        cmocka_unit_test(paddings_that_do_not_fit_are_refused),
        cmocka_unit_test(packets_go_round_byte_by_byte),
        cmocka_unit_test(a_number_never_repeats_under_the_same_keys),
        cmocka_unit_test(bare_packets_have_no_padding),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
