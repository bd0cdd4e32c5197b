/*
 * Group exchange (RFC 4419): the client says which sizes it takes, the server names a group, and
 * then things go on as in any Diffie-Hellman exchange, under other numbers. What was asked for and
 * named is hashed, too.
 */
#include "base/log.h"
#include "crypto/moduli.h"
#include "transport/internal.h"
#include "wire/numbers.h"

/* What our client asks for: OpenSSH's bounds, and a size about as strong as what it protects. */
#define ASK_MIN 2048
#define ASK_MAX 8192

static const char bad_message[] = "malformed group exchange message";
static const char bad_sizes[] = "group exchange with sizes that no group has";
static const char bad_group[] = "the server's group cannot be used";

static void failed(struct transport *t, enum err code, const char *text)
{
    transport_fail(t, code, SSH_DISCONNECT_KEY_EXCHANGE_FAILED, text);
}

/* RFC 4419 3: min || n || max || p || g go between K_S and e. */
static enum err note(struct kex *k, const struct moduli_wish *raw)
{
    struct writer w;
    buf_clear(&k->group_text);
    writer_init(&w, &k->group_text);
    writer_u32(&w, raw->min);
    writer_u32(&w, raw->wanted);
    writer_u32(&w, raw->max);
    writer_mpint(&w, buf_slice(&k->prime));
    writer_mpint(&w, buf_slice(&k->generator));
    return writer_done(&w);
}

struct kex_group kex_gex_group(const struct kex *k)
{
    return (struct kex_group){buf_slice(&k->prime), buf_slice(&k->generator)};
}

/* ---- the server ---- */

static void send_group(struct transport *t)
{
    struct buf payload;
    struct writer w;
    buf_init(&payload, 2 * MSG_KEX_PUBLIC_MAX);
    writer_init(&w, &payload);
    msg_kex_gex_group_encode(&w, buf_slice(&t->kex.prime), buf_slice(&t->kex.generator));
    CHECK(writer_done(&w) == OK);
    transport_seal(t, buf_slice(&payload));
    buf_done(&payload);
}

void kex_gex_request(struct transport *t, struct slice payload)
{
    struct kex *k = &t->kex;
    struct moduli_wish raw;
    if (msg_kex_gex_request_decode(payload, &raw.min, &raw.wanted, &raw.max) != OK) {
        transport_fail(t, ERR_FORMAT, SSH_DISCONNECT_PROTOCOL_ERROR, bad_message);
        return;
    }
    struct moduli_wish wish = raw;
    if (!moduli_wish_narrow(&wish) ||
        moduli_choose(t->config.moduli, &wish, t->config.rng, &k->prime, &k->generator) != OK ||
        note(k, &raw) != OK) {
        failed(t, ERR_NO_COMMON, bad_sizes);
        return;
    }
    k->state = KEX_WAIT_GEX_INIT;
    send_group(t);
}

/* ---- the client ---- */

static uint32_t direction_bits(const struct algo_cipher *cipher, const struct algo_mac *mac)
{
    /* Three keys of DES are worth 112 bits (NIST SP 800-57). */
    uint32_t bytes = strcmp(cipher->name, "3des-cbc") == 0 ? 14 : cipher->key_len;
    bytes = MAX(bytes, MAX(cipher->iv_len, cipher->block_len));
    return 8 * MAX(bytes, mac ? mac->key_len : 0u);
}

/* NIST SP 800-57, table 2: bits of a prime as strong as the keys, as OpenSSH asks. */
static uint32_t bits_to_ask(const struct kex *k)
{
    static const struct {
        uint32_t strength, bits;
    } rows[] = {{112, 2048}, {128, 3072}, {192, 7680}};
    uint32_t strength =
        MAX(direction_bits(k->cipher_c2s, k->mac_c2s), direction_bits(k->cipher_s2c, k->mac_s2c));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strength <= rows[i].strength)
            return rows[i].bits;
    }
    return ASK_MAX;
}

void kex_gex_tell_bits(const struct kex *k, struct slice public_value)
{
    unsigned set = 0, length = (unsigned)buf_len(&k->prime) * 8;
    struct slice prime = buf_slice(&k->prime);
    while (prime.len && prime.ptr[0] == 0) {
        prime = slice_of(prime.ptr + 1, prime.len - 1);
        length -= 8;
    }
    for (unsigned top = prime.len ? prime.ptr[0] : 0x80; top < 0x80; top <<= 1)
        length--;
    for (size_t i = 0; i < 8 * public_value.len; i++)
        set += public_value.ptr[i / 8] >> i % 8 & 1;
    log_debug2("bits set: %u/%u", set, length);
}

void kex_gex_ask(struct transport *t)
{
    struct buf payload;
    struct writer w;
    buf_init(&payload, 32);
    writer_init(&w, &payload);
    t->kex.asked_bits = bits_to_ask(&t->kex);
    msg_kex_gex_request_encode(&w, ASK_MIN, t->kex.asked_bits, ASK_MAX);
    CHECK(writer_done(&w) == OK);
    t->kex.state = KEX_WAIT_GEX_GROUP;
    transport_seal(t, buf_slice(&payload));
    buf_done(&payload);
    log_debug("SSH2_MSG_KEX_DH_GEX_REQUEST(%u<%u<%u) sent", ASK_MIN, t->kex.asked_bits, ASK_MAX);
}

bool kex_gex_given(struct transport *t, struct slice payload)
{
    struct kex *k = &t->kex;
    const struct moduli_wish asked = {ASK_MIN, k->asked_bits, ASK_MAX};
    struct slice prime, generator;
    if (msg_kex_gex_group_decode(payload, &prime, &generator) != OK) {
        transport_fail(t, ERR_FORMAT, SSH_DISCONNECT_PROTOCOL_ERROR, bad_message);
        return false;
    }
    if (buf_append_slice(&k->prime, prime) != OK ||
        buf_append_slice(&k->generator, generator) != OK || note(k, &asked) != OK) {
        failed(t, ERR_LIMIT, bad_group);
        return false;
    }
    return true;
}
