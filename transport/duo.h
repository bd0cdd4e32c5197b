/*
 * For this floor's tests: two transports, joined by hand, and raw packets for a server that has no
 * keys yet. The tests make one end misbehave by sealing what it should not (transport_seal).
 */
#ifndef ADIT_TRANSPORT_DUO_H
#define ADIT_TRANSPORT_DUO_H

#include "crypto/privkey.h"
#include "tests/unit.h"
#include "transport/internal.h"
#include "wire/numbers.h"

#define DUO_IDENT  "SSH-2.0-raw\r\n"
#define DUO_STRICT "kex-strict-c-v00@openssh.com"

struct duo {
    struct crypto *crypto;
    struct rng *rng;
    struct privkey *key, *other_key;
    struct transport_host_key row;
    struct transport_config client_config, server_config;
    struct transport *client, *server;
    bool sign_wrongly; /* with other_key */
    bool no_answer;    /* leave NEED_SIGNATURE open */
    unsigned secured, rekeyed, payloads, signatures_asked;
    struct buf raw; /* bytes of a peer without a transport */
    struct packet_state raw_state;
};

static inline void duo_init(struct duo *d)
{
    *d = (struct duo){.crypto = crypto_new(), .rng = rng_new_seeded(9)};
    assert_ok(privkey_generate(&d->key, d->crypto, KEY_ED25519, 0));
    assert_ok(privkey_generate(&d->other_key, d->crypto, KEY_ED25519, 0));
    d->row = (struct transport_host_key){"ssh-ed25519", pubkey_blob(privkey_pubkey(d->key))};
    struct transport_config config = {.role = TRANSPORT_CLIENT,
                                      .crypto = d->crypto,
                                      .rng = d->rng,
                                      .ident = "SSH-2.0-duo",
                                      .kex = "curve25519-sha256",
                                      .host_key = "ssh-ed25519",
                                      .cipher = "aes128-gcm@openssh.com",
                                      .mac = "hmac-sha2-256"};
    d->client_config = config;
    config.role = TRANSPORT_SERVER;
    config.host_keys = &d->row;
    config.host_key_count = 1;
    config.server_sig_algs = "ssh-ed25519";
    d->server_config = config;
    d->client = transport_new(&d->client_config, 1);
    d->server = transport_new(&d->server_config, 1);
    buf_init(&d->raw, 4 * 1024 * 1024);
}

static inline void duo_done(struct duo *d)
{
    transport_free(d->client);
    transport_free(d->server);
    privkey_free(d->key);
    privkey_free(d->other_key);
    rng_free(d->rng);
    crypto_free(d->crypto);
    buf_done(&d->raw);
}

static inline void duo_sign(struct duo *d, struct transport *t, struct slice hash)
{
    struct buf signature;
    buf_init(&signature, 4096);
    d->signatures_asked++;
    if (d->no_answer)
        return;
    assert_ok(privkey_sign(d->sign_wrongly ? d->other_key : d->key,
                           algo_sign_find(slice_text("ssh-ed25519")), hash, &signature));
    transport_give_signature(t, buf_slice(&signature), 1);
    buf_done(&signature);
}

static inline void duo_serve(struct duo *d, struct transport *t)
{
    struct transport_event event;
    do {
        transport_next(t, &event, 1);
        if (event.kind == TRANSPORT_SERVER_KEY)
            transport_trust_server_key(t, true, 1);
        else if (event.kind == TRANSPORT_NEED_SIGNATURE)
            duo_sign(d, t, event.text);
        d->secured += event.kind == TRANSPORT_SECURED ? 1 : 0;
        d->rekeyed += event.kind == TRANSPORT_REKEYED ? 1 : 0;
        d->payloads += event.kind == TRANSPORT_PAYLOAD ? 1 : 0;
    } while (event.kind != TRANSPORT_NONE);
}

static inline void duo_feed(struct duo *d, struct transport *t, struct slice bytes)
{
    while (bytes.len && !transport_is_ended(t)) {
        struct iovec room;
        assert_ok(transport_recv_room(t, 16384, &room));
        size_t n = MIN(bytes.len, room.iov_len);
        memcpy(room.iov_base, bytes.ptr, n);
        transport_recv_commit(t, n);
        bytes.ptr += n;
        bytes.len -= n;
        duo_serve(d, t);
    }
}

/* All that from has to say, to the other end. True if there was something. */
static inline bool duo_move(struct duo *d, struct transport *from, struct transport *to)
{
    struct slice out = transport_output(from);
    size_t n = out.len;
    duo_feed(d, to, out);
    transport_output_taken(from, n);
    return n > 0;
}

static inline void duo_run(struct duo *d)
{
    bool moved = true;
    while (moved) {
        moved = duo_move(d, d->client, d->server);
        moved |= duo_move(d, d->server, d->client);
    }
}

/* Both ends secured and authenticated. */
static inline void duo_connect(struct duo *d)
{
    transport_begin(d->client);
    transport_begin(d->server);
    duo_run(d);
    assert_int_equal(d->secured, 2);
    transport_set_authenticated(d->client);
    transport_set_authenticated(d->server);
}

/* ---- the peer without a transport ---- */

static inline void duo_raw_packet(struct duo *d, struct slice payload)
{
    uint8_t *at;
    size_t length = packet_wire_len(&d->raw_state, payload.len);
    assert_ok(buf_reserve(&d->raw, length, &at));
    memcpy(at + PACKET_HEAD, payload.ptr, payload.len);
    assert_ok(packet_seal(&d->raw_state, d->rng, at, payload.len));
    buf_commit(&d->raw, length);
}

static inline void duo_raw_number(struct duo *d, uint8_t number)
{
    uint8_t payload[16] = {number};
    /* IGNORE, DEBUG, UNIMPLEMENTED and NEWKEYS in their right length; others are not looked into */
    size_t length = number == SSH_MSG_NEWKEYS         ? 1
                    : number == SSH_MSG_DEBUG         ? 10
                    : number == SSH_MSG_IGNORE        ? 5
                    : number == SSH_MSG_UNIMPLEMENTED ? 5
                                                      : 9;
    duo_raw_packet(d, slice_of(payload, length));
}

static inline void duo_raw_kexinit(struct duo *d, const char *kex, bool follows)
{
    struct buf payload;
    struct writer w;
    const char *const lists[KEXINIT_LISTS] = {kex,
                                              "ssh-ed25519",
                                              d->client_config.cipher,
                                              d->client_config.cipher,
                                              "hmac-sha2-256",
                                              "hmac-sha2-256",
                                              "none",
                                              "none",
                                              "",
                                              ""};
    struct msg_kexinit m = {.cookie = slice_text("0123456789abcdef"),
                            .first_kex_packet_follows = follows};
    for (size_t i = 0; i < KEXINIT_LISTS; i++)
        m.lists[i] = slice_text(lists[i]);
    buf_init(&payload, 4096);
    writer_init(&w, &payload);
    msg_kexinit_encode(&w, &m);
    assert_ok(writer_done(&w));
    duo_raw_packet(d, buf_slice(&payload));
    buf_done(&payload);
}

static inline void duo_raw_ecdh_init(struct duo *d, const uint8_t *share, size_t length)
{
    struct buf payload;
    struct writer w;
    buf_init(&payload, 4096);
    writer_init(&w, &payload);
    msg_kex_ecdh_init_encode(&w, slice_of(share, length));
    assert_ok(writer_done(&w));
    duo_raw_packet(d, buf_slice(&payload));
    buf_done(&payload);
}

/* Gives what was made to the server. */
static inline void duo_raw_deliver(struct duo *d)
{
    duo_feed(d, d->server, buf_slice(&d->raw));
    buf_clear(&d->raw);
}

static inline void duo_raw_begin(struct duo *d)
{
    duo_init(d);
    transport_begin(d->server);
    assert_ok(buf_append_slice(&d->raw, slice_text(DUO_IDENT)));
}

#endif
