/*
 * Hand-over: the whole state of a transport at a packet boundary as one flat record, and back. The
 * reader of a record trusts nothing in it: names must be built, sizes must fit.
 *
 * Record: u32 version, then fields in the order of write_record. Keys are inside: it is secret.
 */
#include "crypto/cert.h"
#include "crypto/legacy.h"
#include "transport/internal.h"

#define RECORD_VERSION 2
#define EXCHANGES_MAX                                                                              \
    (UINT64_C(1) << 32) /* a rekey a second for a century: above it the count could wrap */

bool transport_may_export(const struct transport *t)
{
    return t->ident == IDENT_DONE && t->kex.state == KEX_IDLE && t->exchanges > 0 &&
           buf_len(&t->out) == 0 && buf_len(&t->held) == 0 && !t->failed && !t->disconnected &&
           !t->say_secured && !t->say_rekeyed && !t->packing.pack && !t->packing.unpack;
}

static void write_direction(struct writer *w, const struct packet_state *s)
{
    struct cipher_keys keys;
    const struct algo_mac *mac = cipher_mac(s->cipher);
    cipher_export(s->cipher, &keys);
    writer_text(w, cipher_algo(s->cipher)->name);
    writer_text(w, mac ? mac->name : "");
    writer_string(w, slice_of(keys.key.bytes, keys.key.len));
    writer_string(w, slice_of(keys.iv.bytes, keys.iv.len));
    writer_string(w, slice_of(keys.mac.bytes, keys.mac.len));
    writer_u32(w, s->sequence);
    writer_u64(w, s->packets);
    writer_u64(w, s->bytes);
    mem_wipe(&keys, sizeof(keys));
}

enum err transport_export(struct transport *t, struct buf *record)
{
    struct writer w;
    CHECK(transport_may_export(t));
    writer_init(&w, record);
    writer_u32(&w, RECORD_VERSION);
    writer_bool(&w, t->config.role == TRANSPORT_SERVER);
    writer_text(&w, t->config.ident);
    writer_text(&w, t->peer_ident);
    writer_string(&w, transport_session_id(t));
    writer_string(&w, buf_slice(&t->server_key));
    writer_text(&w, t->names.kex);
    writer_text(&w, t->names.host_key);
    writer_u64(&w, t->exchanges);
    writer_u64(&w, t->now_ms - t->last_exchange_ms);
    writer_bool(&w, t->strict);
    writer_bool(&w, t->authenticated);
    writer_bool(&w, t->peer_info.publickey_hostbound);
    writer_bool(&w, t->peer_info.ping);
    writer_bool(&w, t->peer_info.abort);
    writer_text(&w, t->peer_sig_algs ? t->peer_sig_algs : "");
    write_direction(&w, &t->send);
    write_direction(&w, &t->recv);
    writer_bool(&w, t->packing.send);
    writer_bool(&w, t->packing.recv);
    writer_string(&w, buf_slice(&t->in)); /* not decrypted yet */
    return writer_done(&w);
}

static void read_secret(struct reader *r, struct secret *s, size_t expected)
{
    struct slice bytes = reader_string_max(r, SECRET_MAX);
    if (bytes.len != expected)
        reader_fail(r, ERR_FORMAT);
    else if (bytes.len)
        memcpy(s->bytes, bytes.ptr, bytes.len);
    s->len = expected;
}

static void read_direction(struct transport *t, struct reader *r, struct packet_state *s,
                           const char **cipher_name, const char **mac_name)
{
    const struct algo_cipher *cipher = algo_cipher_find(reader_string_max(r, 64));
    struct slice name = reader_string_max(r, 64);
    const struct algo_mac *mac = name.len ? algo_mac_find(name) : NULL;
    bool aead = cipher && cipher->tag_len;
    if (!cipher || aead != !mac) {
        reader_fail(r, ERR_FORMAT);
        return;
    }
    struct cipher_keys keys = {0};
    read_secret(r, &keys.key, cipher->key_len);
    read_secret(r, &keys.iv, cipher->iv_len);
    read_secret(r, &keys.mac, mac ? mac->key_len : 0);
    s->sequence = reader_u32(r);
    s->packets = reader_u64(r);
    s->bytes = reader_u64(r);
    if (reader_is_ok(r) && cipher_new(&s->cipher, t->config.crypto, cipher, mac, &keys) != OK)
        reader_fail(r, ERR_CRYPTO);
    mem_wipe(&keys, sizeof(keys));
    *cipher_name = cipher->name;
    *mac_name = mac ? mac->name : "<implicit>";
}

static void read_text(struct reader *r, char *out, size_t size)
{
    struct slice s = reader_text(r, size - 1);
    if (s.len)
        memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
}

static void read_names(struct transport *t, struct reader *r)
{
    const struct algo_kex *kex = algo_kex_find(reader_string_max(r, 64));
    struct slice name = reader_string_max(r, 64);
    const struct algo_sign *sign = algo_sign_find(name);
    const char *type;
    sign = sign ? sign : legacy_sign_find(name);
    if (sign)
        t->names.host_key = sign->name;
    if (!kex || (!sign && !cert_algo_names(name, &t->names.host_key, &type) &&
                 !legacy_cert_sign(name, &t->names.host_key))) {
        reader_fail(r, ERR_FORMAT);
        return;
    }
    t->names.kex = kex->name;
}

static void read_record(struct transport *t, struct reader *r)
{
    if (reader_u32(r) != RECORD_VERSION || reader_bool(r) != (t->config.role == TRANSPORT_SERVER) ||
        !slice_is(reader_string_max(r, IDENT_LINE_MAX), t->config.ident))
        reader_fail(r, ERR_FORMAT);
    read_text(r, t->peer_ident, sizeof(t->peer_ident));
    struct slice id = reader_string_max(r, DIGEST_MAX);
    if (id.len < 20)
        reader_fail(r, ERR_FORMAT);
    else
        memcpy(t->session_id, id.ptr, id.len);
    t->session_id_len = id.len;
    if (buf_append_slice(&t->server_key, reader_string(r)) != OK)
        reader_fail(r, ERR_LIMIT);
    read_names(t, r);
    t->exchanges = reader_u64(r);
    uint64_t age_ms = reader_u64(r);
    t->last_exchange_ms = age_ms < t->now_ms ? t->now_ms - age_ms : 0;
    t->strict = reader_bool(r);
    t->authenticated = reader_bool(r);
    t->peer_info.publickey_hostbound = reader_bool(r);
    t->peer_info.ping = reader_bool(r);
    t->peer_info.abort = reader_bool(r);
    struct slice algs = reader_text(r, 4096);
    if (algs.len) {
        t->peer_sig_algs = slice_strdup(algs);
        t->peer_info.has_server_sig_algs = true;
        t->peer_info.server_sig_algs = slice_text(t->peer_sig_algs);
    }
    read_direction(t, r, &t->send, &t->names.send_cipher, &t->names.send_mac);
    read_direction(t, r, &t->recv, &t->names.recv_cipher, &t->names.recv_mac);
    packing_renew_send(t, reader_bool(r));
    packing_renew_recv(t, reader_bool(r));
    if (t->authenticated)
        t->in.cap = INPUT_MAX;
    if (buf_append_slice(&t->in, reader_string(r)) != OK)
        reader_fail(r, ERR_LIMIT);
    if (t->exchanges == 0 || t->exchanges > EXCHANGES_MAX)
        reader_fail(r, ERR_FORMAT);
}

enum err transport_import(struct transport **out, const struct transport_config *config,
                          struct slice record, uint64_t now_ms)
{
    struct transport *t = transport_new(config, now_ms);
    struct reader r;
    reader_init(&r, record);
    read_record(t, &r);
    enum err err = reader_done(&r);
    if (err != OK) {
        transport_free(t);
        return err;
    }
    t->ident = IDENT_DONE;
    t->send_secured = t->recv_secured = true;
    *out = t;
    return OK;
}
