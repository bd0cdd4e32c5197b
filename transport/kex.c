/*
 * Key exchange (RFC 4253 7 and 8, RFC 5656 4, RFC 8731): KEXINIT, negotiation, exchange hash, key
 * derivation, NEWKEYS, OpenSSH's strict KEX, and when new keys are due. Knows nothing of payloads
 * beyond its own messages; who trusts a key or signs a hash is asked through transport_next.
 */
#include "base/algo_names.h"
#include "base/log.h"
#include "crypto/cert.h"
#include "crypto/legacy.h"
#include "transport/internal.h"
#include "wire/namelist.h"
#include "wire/numbers.h"

#define STRICT_CLIENT   "kex-strict-c-v00@openssh.com"
#define STRICT_SERVER   "kex-strict-s-v00@openssh.com"
#define EXT_INFO_CLIENT "ext-info-c"
#define EXT_INFO_SERVER "ext-info-s"
#define KEXINIT_MAX     65536

static const char bad_message[] = "malformed key exchange message";
static const char out_of_order[] = "key exchange message out of order";
static const char not_first[] = "strict KEX: KEXINIT was not the first packet";
static const char no_kex[] = "no key exchange algorithm in common";
static const char no_host_key[] = "no host key algorithm in common";
static const char no_cipher[] = "no cipher in common";
static const char no_mac[] = "no MAC in common";
static const char no_compression[] = "no compression in common";
static const char bad_public[] =
    "the peer's key exchange value is not valid (RFC 8731 3, RFC 5656 4)";
static const char bad_signature[] = "the server's signature over the key exchange does not hold";
static const char bad_host_key[] = "the server's host key cannot be used";
static const char changed_host_key[] = "the server's host key changed during the connection";
static const char not_trusted[] = "Host key verification failed.";
static const char not_signed[] = "the host key could not sign";
static const char no_keys[] = "libcrypto refused the new keys";

static bool is_server(const struct transport *t)
{
    return t->config.role == TRANSPORT_SERVER;
}

static void protocol_error(struct transport *t, enum err code, const char *text)
{
    transport_fail(t, code, SSH_DISCONNECT_PROTOCOL_ERROR, text);
}

static void exchange_failed(struct transport *t, enum err code, const char *text)
{
    transport_fail(t, code, SSH_DISCONNECT_KEY_EXCHANGE_FAILED, text);
}

/* ---- our KEXINIT ---- */

void kex_start(struct transport *t)
{
    struct kex *k = &t->kex;
    CHECK(k->state == KEX_IDLE);
    uint8_t cookie[KEXINIT_COOKIE_LEN];
    rng_bytes(t->config.rng, cookie, sizeof(cookie));
    /* Pseudo-algorithms ride in the first KEXINIT only. */
    const char *extra = t->exchanges   ? ""
                        : is_server(t) ? "," EXT_INFO_SERVER "," STRICT_SERVER
                                       : "," EXT_INFO_CLIENT "," STRICT_CLIENT;
    CLEANUP(mem_cleanup) char *kex_names = mem_printf("%s%s", t->config.kex, extra);
    struct slice cipher = slice_text(t->config.cipher);
    struct slice mac = slice_text(t->config.mac);
    struct slice packing = slice_text(t->config.compression ? t->config.compression : "none");
    struct msg_kexinit m = {
        .cookie = slice_of(cookie, sizeof(cookie)),
        .lists = {slice_text(kex_names), slice_text(t->config.host_key), cipher, cipher, mac, mac,
                  packing, packing, SLICE_NONE, SLICE_NONE},
    };
    struct writer w;
    buf_clear(&k->our_init);
    writer_init(&w, &k->our_init);
    msg_kexinit_encode(&w, &m);
    CHECK(writer_done(&w) == OK);
    k->state = KEX_SENT_INIT;
    k->deadline_ms = t->now_ms + KEX_DEADLINE_MS;
    transport_seal(t, buf_slice(&k->our_init));
    log_debug("SSH2_MSG_KEXINIT sent");
}

/* ---- negotiation (RFC 4253 7.1) ---- */

static bool choose(const struct transport *t, const struct msg_kexinit *ours,
                   const struct msg_kexinit *peers, enum kexinit_list list, struct slice *name)
{
    if (is_server(t))
        return namelist_first_common(peers->lists[list], ours->lists[list], name);
    return namelist_first_common(ours->lists[list], peers->lists[list], name);
}

static bool choose_direction(struct transport *t, const struct msg_kexinit *ours,
                             const struct msg_kexinit *peers, bool c2s)
{
    struct kex *k = &t->kex;
    struct slice name;
    if (!choose(t, ours, peers, c2s ? KEXINIT_CIPHER_C2S : KEXINIT_CIPHER_S2C, &name)) {
        exchange_failed(t, ERR_NO_COMMON, no_cipher);
        return false;
    }
    const struct algo_cipher *cipher = algo_cipher_find(name);
    const struct algo_mac *mac = NULL;
    CHECK(cipher);
    if (cipher->tag_len == 0) {
        if (!choose(t, ours, peers, c2s ? KEXINIT_MAC_C2S : KEXINIT_MAC_S2C, &name)) {
            exchange_failed(t, ERR_NO_COMMON, no_mac);
            return false;
        }
        mac = algo_mac_find(name);
        CHECK(mac);
    }
    if (!choose(t, ours, peers, c2s ? KEXINIT_COMPRESSION_C2S : KEXINIT_COMPRESSION_S2C, &name)) {
        exchange_failed(t, ERR_NO_COMMON, no_compression);
        return false;
    }
    *(c2s ? &k->cipher_c2s : &k->cipher_s2c) = cipher;
    *(c2s ? &k->mac_c2s : &k->mac_s2c) = mac;
    bool packs = !slice_is(name, "none");
    *(c2s ? &k->packs_c2s : &k->packs_s2c) = packs;
    log_debug("kex: %s cipher: %s MAC: %s compression: %s",
              c2s ? "client->server" : "server->client", cipher->name,
              mac ? mac->name : "<implicit>", packing_name(packs));
    return true;
}

static bool first_names_equal(struct slice a, struct slice b)
{
    struct slice x, y;
    return namelist_next(&a, &x) && namelist_next(&b, &y) && slice_equal(x, y);
}

/*
 * A name is a plain algorithm's, or one of a key with its certificate, or an old one that the
 * configuration has to have spelt out. own and type are static.
 */
static const struct algo_sign *find_host_key(struct slice name, const char **own, const char **type)
{
    const struct algo_sign *algo = algo_sign_find(name);
    if (!algo)
        algo = legacy_sign_find(name);
    if (algo) {
        *own = algo->name;
        *type = algo->key_type;
        return algo;
    }
    if (cert_algo_names(name, own, type))
        return cert_algo_sign(name);
    algo = legacy_cert_sign(name, own);
    *type = *own;
    return algo;
}

static bool is_certificates(struct slice name)
{
    return cert_algo_sign(name) || cert_is_type(name);
}

static bool note_host_key(struct transport *t, struct slice name)
{
    struct kex *k = &t->kex;
    k->host_key_algo = find_host_key(name, &k->host_key_name, &k->host_key_type);
    return k->host_key_algo != NULL;
}

char *transport_host_key_algorithms(const struct transport_host_key *keys, size_t count,
                                    const char *wanted)
{
    struct slice rest = slice_text(wanted), name;
    const char *own, *type;
    char *chosen = mem_strdup("");
    while (namelist_next(&rest, &name)) {
        size_t i = 0;
        if (!find_host_key(name, &own, &type))
            continue;
        while (i < count && strcmp(type, keys[i].key_type) != 0)
            i++;
        if (i == count)
            continue;
        char *longer = mem_printf("%s%s%s", chosen, *chosen ? "," : "", own);
        mem_free(chosen);
        chosen = longer;
    }
    return chosen;
}

static bool negotiate(struct transport *t, const struct msg_kexinit *ours,
                      const struct msg_kexinit *peers)
{
    struct kex *k = &t->kex;
    struct slice name;
    k->algo = choose(t, ours, peers, KEXINIT_KEX, &name) ? algo_kex_find(name) : NULL;
    if (!k->algo) {
        exchange_failed(t, ERR_NO_COMMON, no_kex);
        return false;
    }
    if (!choose(t, ours, peers, KEXINIT_HOST_KEY, &name) || !note_host_key(t, name)) {
        exchange_failed(t, ERR_NO_COMMON, no_host_key);
        return false;
    }
    log_debug("kex: algorithm: %s", k->algo->name);
    log_debug("kex: host key algorithm: %s", k->host_key_name);
    if (!choose_direction(t, ours, peers, false) || !choose_direction(t, ours, peers, true))
        return false;
    /* RFC 4253 7: a wrong guess of the peer's is passed over. */
    k->skip_guess =
        peers->first_kex_packet_follows &&
        !(first_names_equal(ours->lists[KEXINIT_KEX], peers->lists[KEXINIT_KEX]) &&
          first_names_equal(ours->lists[KEXINIT_HOST_KEY], peers->lists[KEXINIT_HOST_KEY]));
    return true;
}

static bool is_exchange(const struct kex *k)
{
    return k->algo->kind == KEX_DH_EXCHANGE;
}

static void send_ecdh_init(struct transport *t)
{
    struct kex *k = &t->kex;
    struct kex_group group = kex_gex_group(k);
    struct buf public_value, payload;
    struct writer w;
    buf_init(&public_value, MSG_KEX_PUBLIC_MAX);
    buf_init(&payload, MSG_KEX_PUBLIC_MAX + 16);
    writer_init(&w, &payload);
    if (kex_client_new(&k->client, t->config.crypto, k->algo, is_exchange(k) ? &group : NULL,
                       &public_value) != OK) {
        exchange_failed(t, ERR_CRYPTO, no_keys);
    } else {
        if (is_exchange(k))
            msg_kex_gex_init_encode(&w, buf_slice(&public_value));
        else
            msg_kex_ecdh_init_encode(&w, buf_slice(&public_value));
        CHECK(writer_done(&w) == OK);
        transport_seal(t, buf_slice(&payload));
        if (is_exchange(k))
            kex_gex_tell_bits(k, buf_slice(&public_value));
        /* The value is hashed later: Q_C. */
        buf_clear(&k->server_public);
        enum err err = buf_append_slice(&k->server_public, buf_slice(&public_value));
        CHECK(err == OK);
    }
    buf_done(&public_value);
    buf_done(&payload);
}

static bool has_post_quantum(struct slice names)
{
    struct slice name;
    while (namelist_next(&names, &name)) {
        if (algo_names_is_post_quantum(name))
            return true;
    }
    return false;
}

static void on_kexinit(struct transport *t, struct slice payload, uint32_t sequence)
{
    struct kex *k = &t->kex;
    struct msg_kexinit ours, peers;
    log_debug("SSH2_MSG_KEXINIT received");
    if (k->state == KEX_IDLE)
        kex_start(t);
    if (k->state != KEX_SENT_INIT) {
        protocol_error(t, ERR_PROTOCOL, out_of_order);
        return;
    }
    buf_clear(&k->peer_init);
    if (buf_append_slice(&k->peer_init, payload) != OK ||
        msg_kexinit_decode(buf_slice(&k->peer_init), &peers) != OK) {
        protocol_error(t, ERR_FORMAT, bad_message);
        return;
    }
    enum err err = msg_kexinit_decode(buf_slice(&k->our_init), &ours);
    CHECK(err == OK);
    k->got_peer_init = true;
    if (t->exchanges == 0) {
        struct slice names = peers.lists[KEXINIT_KEX];
        t->strict = namelist_contains(names, is_server(t) ? STRICT_CLIENT : STRICT_SERVER);
        t->peer_info.post_quantum = has_post_quantum(names);
        t->peer_ext_info =
            namelist_contains(names, is_server(t) ? EXT_INFO_CLIENT : EXT_INFO_SERVER);
        if (t->strict && sequence != 0) {
            protocol_error(t, ERR_PROTOCOL, not_first);
            return;
        }
    }
    if (!negotiate(t, &ours, &peers))
        return;
    k->state = KEX_WAIT_ECDH;
    if (!is_server(t) && is_exchange(k))
        kex_gex_ask(t);
    else if (!is_server(t))
        send_ecdh_init(t);
}

/* ---- exchange hash and keys ---- */

static void hash_string(struct digest_context *d, struct slice s)
{
    uint8_t length[4];
    put_u32(length, (uint32_t)s.len);
    digest_add(d, slice_of(length, 4));
    digest_add(d, s);
}

/*
 * RFC 5656 4: H = hash(V_C, V_S, I_C, I_S, K_S, Q_C, Q_S, K); a group exchange has what was said of
 * the group behind K_S (RFC 4419 3).
 */
static void compute_hash(struct transport *t, struct slice host_key, struct slice client_public,
                         struct slice server_public)
{
    struct kex *k = &t->kex;
    struct slice our_ident = slice_text(t->config.ident);
    struct slice peer_ident = slice_text(t->peer_ident);
    struct slice our_init = buf_slice(&k->our_init);
    struct slice peer_init = buf_slice(&k->peer_init);
    struct digest_context *d = digest_context_new(t->config.crypto, k->algo->digest);
    digest_begin(d);
    hash_string(d, is_server(t) ? peer_ident : our_ident);
    hash_string(d, is_server(t) ? our_ident : peer_ident);
    hash_string(d, is_server(t) ? peer_init : our_init);
    hash_string(d, is_server(t) ? our_init : peer_init);
    hash_string(d, host_key);
    digest_add(d, buf_slice(&k->group_text));
    hash_string(d, client_public);
    hash_string(d, server_public);
    digest_add(d, buf_slice(&k->secret));
    digest_end(d, k->hash);
    k->hash_len = digest_len(k->algo->digest);
    digest_context_free(d);
    if (t->exchanges == 0) {
        memcpy(t->session_id, k->hash, k->hash_len);
        t->session_id_len = k->hash_len;
    }
}

/* RFC 4253 7.2: HASH(K || H || letter || session_id), then HASH(K || H || what there is). */
static void derive(struct transport *t, char letter, size_t need, struct secret *out)
{
    struct kex *k = &t->kex;
    size_t step = digest_len(k->algo->digest);
    CHECK(need + step <= SECRET_MAX + step && need <= SECRET_MAX);
    uint8_t bytes[SECRET_MAX + DIGEST_MAX];
    size_t have = 0;
    struct digest_context *d = digest_context_new(t->config.crypto, k->algo->digest);
    while (have < need) {
        digest_begin(d);
        digest_add(d, buf_slice(&k->secret));
        digest_add(d, slice_of(k->hash, k->hash_len));
        if (have == 0) {
            digest_add(d, slice_of(&letter, 1));
            digest_add(d, slice_of(t->session_id, t->session_id_len));
        } else {
            digest_add(d, slice_of(bytes, have));
        }
        digest_end(d, bytes + have);
        have += step;
    }
    digest_context_free(d);
    memcpy(out->bytes, bytes, need);
    out->len = need;
    mem_wipe(bytes, sizeof(bytes));
}

/* The state of one direction under the new keys; the sequence number is set at the switch. */
static bool new_direction(struct transport *t, bool c2s, struct packet_state *out)
{
    struct kex *k = &t->kex;
    const struct algo_cipher *cipher = c2s ? k->cipher_c2s : k->cipher_s2c;
    const struct algo_mac *mac = c2s ? k->mac_c2s : k->mac_s2c;
    struct cipher_keys keys;
    derive(t, c2s ? 'A' : 'B', cipher->iv_len, &keys.iv);
    derive(t, c2s ? 'C' : 'D', cipher->key_len, &keys.key);
    derive(t, c2s ? 'E' : 'F', mac ? mac->key_len : 0, &keys.mac);
    *out = (struct packet_state){0};
    enum err err = cipher_new(&out->cipher, t->config.crypto, cipher, mac, &keys);
    mem_wipe(&keys, sizeof(keys));
    if (err != OK)
        exchange_failed(t, err, no_keys);
    return err == OK;
}

static void note_names(struct transport *t)
{
    struct kex *k = &t->kex;
    bool c2s_is_send = !is_server(t);
    const struct algo_cipher *send = c2s_is_send ? k->cipher_c2s : k->cipher_s2c;
    const struct algo_cipher *recv = c2s_is_send ? k->cipher_s2c : k->cipher_c2s;
    const struct algo_mac *send_mac = c2s_is_send ? k->mac_c2s : k->mac_s2c;
    const struct algo_mac *recv_mac = c2s_is_send ? k->mac_s2c : k->mac_c2s;
    t->names = (struct transport_names){
        .kex = k->algo->name,
        .host_key = k->host_key_name,
        .send_cipher = send->name,
        .recv_cipher = recv->name,
        .send_mac = send_mac ? send_mac->name : "<implicit>",
        .recv_mac = recv_mac ? recv_mac->name : "<implicit>",
        .send_compression = packing_name(c2s_is_send ? k->packs_c2s : k->packs_s2c),
        .recv_compression = packing_name(c2s_is_send ? k->packs_s2c : k->packs_c2s),
    };
}

/*
 * RFC 8308 2.4: EXT_INFO is the next packet behind the first NEWKEYS. The client's has something to
 * say only to our own server, but any server that asked may get it.
 */
static char *plain_names(const char *list)
{
    struct slice rest = slice_text(list), name;
    char *plain = mem_strdup("");
    while (namelist_next(&rest, &name)) {
        if (is_certificates(name))
            continue;
        char *longer =
            mem_printf("%s%s%.*s", plain, *plain ? "," : "", (int)name.len, (const char *)name.ptr);
        mem_free(plain);
        plain = longer;
    }
    return plain;
}

static void send_ext_info(struct transport *t)
{
    if (!t->peer_ext_info || (is_server(t) && !t->config.server_sig_algs))
        return;
    struct msg_ext_info m = {.abort = true};
    /* RFC 8308 3.1 lists signature algorithms, and a certificate's signature has a plain one. */
    char *names CLEANUP(mem_cleanup) = is_server(t) ? plain_names(t->config.server_sig_algs) : NULL;
    if (is_server(t)) {
        m.has_server_sig_algs = true;
        m.server_sig_algs = slice_text(names);
        m.publickey_hostbound = m.agent_forward = true;
        m.ping = m.forward_join = true;
    }
    struct buf payload;
    struct writer w;
    buf_init(&payload, 4096);
    writer_init(&w, &payload);
    msg_ext_info_encode(&w, &m);
    CHECK(writer_done(&w) == OK);
    transport_seal(t, buf_slice(&payload));
    buf_done(&payload);
}

/* Sends NEWKEYS, switches sending over, makes ready what the peer's NEWKEYS will switch on. */
static void send_newkeys(struct transport *t)
{
    struct kex *k = &t->kex;
    struct packet_state send;
    if (!new_direction(t, !is_server(t), &send))
        return;
    if (!new_direction(t, is_server(t), &k->next_recv)) {
        packet_state_done(&send);
        return;
    }
    uint8_t payload[] = {SSH_MSG_NEWKEYS};
    transport_seal(t, slice_of(payload, 1));
    /* Strict KEX resets the number at every NEWKEYS; otherwise it counts on (RFC 4253 6.4). */
    send.sequence = t->strict ? 0 : t->send.sequence;
    packet_state_done(&t->send);
    t->send = send;
    packing_renew_send(t, is_server(t) ? k->packs_s2c : k->packs_c2s);
    log_debug("SSH2_MSG_NEWKEYS sent");
    note_names(t);
    buf_done(&k->secret);
    k->state = KEX_WAIT_NEWKEYS;
    if (!t->send_secured) {
        t->send_secured = true;
        send_ext_info(t);
        t->say_secured = true;
    }
}

static void on_newkeys(struct transport *t, struct slice payload)
{
    struct kex *k = &t->kex;
    if (k->state != KEX_WAIT_NEWKEYS || msg_newkeys_decode(payload) != OK) {
        protocol_error(t, ERR_PROTOCOL, out_of_order);
        return;
    }
    log_debug("SSH2_MSG_NEWKEYS received");
    k->next_recv.sequence = t->strict ? 0 : t->recv.sequence;
    packet_state_done(&t->recv);
    t->recv = k->next_recv;
    k->next_recv = (struct packet_state){0};
    packing_renew_recv(t, is_server(t) ? k->packs_c2s : k->packs_s2c);
    t->recv_secured = true;
    if (!is_server(t))
        t->in.cap = INPUT_MAX;
    t->exchanges++;
    t->last_exchange_ms = t->now_ms;
    if (t->exchanges > 1)
        t->say_rekeyed = true;
    kex_done(k);
}

/* ---- the client's half ---- */

/* The key that signs: a plain one, or the one in a certificate. Both must be what was agreed. */
struct shown_key {
    struct pubkey *plain;
    struct cert *cert;
    const struct pubkey *key; /* in one of them */
};

static enum err shown_key_init(struct shown_key *s, const struct transport *t, struct slice blob)
{
    struct reader r;
    *s = (struct shown_key){0};
    reader_init(&r, blob);
    struct slice type = reader_string(&r);
    if (!slice_is(type, t->kex.host_key_type))
        return ERR_FORMAT;
    if (!cert_is_type(type)) {
        TRY(pubkey_parse(&s->plain, t->config.crypto, blob));
        s->key = s->plain;
        return OK;
    }
    TRY(cert_parse(&s->cert, t->config.crypto, blob));
    s->key = cert_info(s->cert)->key;
    return OK;
}

static void shown_key_done(struct shown_key *s)
{
    pubkey_free(s->plain);
    cert_free(s->cert);
}

static bool verify_reply(struct transport *t, const struct msg_kex_ecdh_reply *m)
{
    struct kex *k = &t->kex;
    struct shown_key shown;
    struct slice first = buf_slice(&t->server_key);
    if (t->exchanges && !slice_equal(first, m->host_key)) {
        exchange_failed(t, ERR_CRYPTO, changed_host_key);
        return false;
    }
    if (shown_key_init(&shown, t, m->host_key) != OK) {
        exchange_failed(t, ERR_CRYPTO, bad_host_key);
        return false;
    }
    bool verified = pubkey_kind(shown.key) == k->host_key_algo->kind &&
                    pubkey_verify(shown.key, k->host_key_algo, m->signature,
                                  slice_of(k->hash, k->hash_len)) == OK;
    shown_key_done(&shown);
    if (!verified)
        exchange_failed(t, ERR_CRYPTO, bad_signature);
    return verified;
}

static void on_ecdh_reply(struct transport *t, struct slice payload)
{
    struct kex *k = &t->kex;
    struct msg_kex_ecdh_reply m;
    if ((is_exchange(k) ? msg_kex_gex_reply_decode(payload, &m)
                        : msg_kex_ecdh_reply_decode(payload, &m)) != OK) {
        protocol_error(t, ERR_FORMAT, bad_message);
        return;
    }
    if (is_exchange(k))
        kex_gex_tell_bits(k, m.server_public);
    if (kex_client_finish(k->client, m.server_public, &k->secret) != OK) {
        exchange_failed(t, ERR_CRYPTO, bad_public);
        return;
    }
    compute_hash(t, m.host_key, buf_slice(&k->server_public), m.server_public);
    if (!verify_reply(t, &m))
        return;
    if (t->exchanges) {
        send_newkeys(t);
        return;
    }
    if (buf_append_slice(&t->server_key, m.host_key) != OK ||
        buf_append_slice(&t->host_signature, m.signature) != OK) {
        exchange_failed(t, ERR_LIMIT, bad_host_key);
        return;
    }
    k->state = KEX_WAIT_TRUST;
    t->say_server_key = true;
}

void kex_trusted(struct transport *t, bool trusted)
{
    CHECK(t->kex.state == KEX_WAIT_TRUST);
    if (trusted)
        send_newkeys(t);
    else
        transport_fail(t, ERR_DENIED, SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE, not_trusted);
}

/* ---- the server's half ---- */

static const struct transport_host_key *our_host_key(const struct transport *t)
{
    for (size_t i = 0; i < t->config.host_key_count; i++) {
        if (strcmp(t->config.host_keys[i].key_type, t->kex.host_key_type) == 0)
            return &t->config.host_keys[i];
    }
    return NULL;
}

struct transport_signing transport_signing(const struct transport *t)
{
    CHECK(t->kex.state == KEX_WAIT_SIGNATURE);
    return (struct transport_signing){t->kex.host_key_algo->name, our_host_key(t)->blob};
}

static void on_ecdh_init(struct transport *t, struct slice payload)
{
    struct kex *k = &t->kex;
    struct kex_group group = kex_gex_group(k);
    struct slice client_public;
    if ((is_exchange(k) ? msg_kex_gex_init_decode(payload, &client_public)
                        : msg_kex_ecdh_init_decode(payload, &client_public)) != OK) {
        protocol_error(t, ERR_FORMAT, bad_message);
        return;
    }
    const struct transport_host_key *key = our_host_key(t);
    if (!key) {
        exchange_failed(t, ERR_NO_COMMON, no_host_key);
        return;
    }
    buf_clear(&k->server_public);
    if (kex_server(t->config.crypto, k->algo, is_exchange(k) ? &group : NULL, client_public,
                   &k->server_public, &k->secret) != OK) {
        exchange_failed(t, ERR_CRYPTO, bad_public);
        return;
    }
    compute_hash(t, key->blob, client_public, buf_slice(&k->server_public));
    if (t->exchanges == 0 && buf_append_slice(&t->server_key, key->blob) != OK) {
        exchange_failed(t, ERR_LIMIT, bad_host_key);
        return;
    }
    k->state = KEX_WAIT_SIGNATURE;
    t->say_need_signature = true;
}

void kex_signed(struct transport *t, struct slice signature)
{
    struct kex *k = &t->kex;
    CHECK(k->state == KEX_WAIT_SIGNATURE);
    if (signature.len == 0) {
        exchange_failed(t, ERR_CRYPTO, not_signed);
        return;
    }
    const struct transport_host_key *key = our_host_key(t);
    struct msg_kex_ecdh_reply m = {key->blob, buf_slice(&k->server_public), signature};
    struct buf payload;
    struct writer w;
    buf_init(&payload, KEXINIT_MAX);
    writer_init(&w, &payload);
    if (is_exchange(k))
        msg_kex_gex_reply_encode(&w, &m);
    else
        msg_kex_ecdh_reply_encode(&w, &m);
    if (writer_done(&w) == OK)
        transport_seal(t, buf_slice(&payload));
    else
        exchange_failed(t, ERR_LIMIT, not_signed);
    buf_done(&payload);
    if (!t->failed)
        send_newkeys(t);
}

/* ---- dispatch and due time ---- */

/* What the agreed method does next: one row a message that may come. */
static const struct step {
    bool is_exchange;
    enum transport_role role; /* ours */
    enum kex_state state;
    uint8_t number;
} steps[] = {
    {false, TRANSPORT_SERVER, KEX_WAIT_ECDH, SSH_MSG_KEX_ECDH_INIT},
    {false, TRANSPORT_CLIENT, KEX_WAIT_ECDH, SSH_MSG_KEX_ECDH_REPLY},
    {true, TRANSPORT_SERVER, KEX_WAIT_ECDH, SSH_MSG_KEX_DH_GEX_REQUEST},
    {true, TRANSPORT_CLIENT, KEX_WAIT_GEX_GROUP, SSH_MSG_KEX_DH_GEX_GROUP},
    {true, TRANSPORT_SERVER, KEX_WAIT_GEX_INIT, SSH_MSG_KEX_DH_GEX_INIT},
    {true, TRANSPORT_CLIENT, KEX_WAIT_ECDH, SSH_MSG_KEX_DH_GEX_REPLY},
};

static bool is_next(const struct transport *t, uint8_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        const struct step *s = &steps[i];
        if (s->is_exchange == is_exchange(&t->kex) && s->role == t->config.role &&
            s->state == t->kex.state && s->number == number)
            return true;
    }
    return false;
}

static void on_gex_group(struct transport *t, struct slice payload)
{
    if (!kex_gex_given(t, payload))
        return;
    t->kex.state = KEX_WAIT_ECDH;
    send_ecdh_init(t);
}

void kex_message(struct transport *t, uint8_t number, struct slice payload, uint32_t sequence)
{
    struct kex *k = &t->kex;
    if (number == SSH_MSG_KEXINIT) {
        on_kexinit(t, payload, sequence);
        return;
    }
    if (number == SSH_MSG_NEWKEYS) {
        on_newkeys(t, payload);
        return;
    }
    bool is_agreed = k->state == KEX_WAIT_ECDH || k->state == KEX_WAIT_GEX_GROUP ||
                     k->state == KEX_WAIT_GEX_INIT;
    if (is_agreed && k->skip_guess) {
        k->skip_guess = false;
        return;
    }
    if (!is_agreed || !is_next(t, number))
        protocol_error(t, ERR_PROTOCOL, out_of_order);
    else if (number == SSH_MSG_KEX_DH_GEX_REQUEST)
        kex_gex_request(t, payload);
    else if (k->state == KEX_WAIT_GEX_GROUP)
        on_gex_group(t, payload);
    else if (is_server(t))
        on_ecdh_init(t, payload);
    else
        on_ecdh_reply(t, payload);
}

/* RFC 4344 3.2: 2^(block bits / 4) blocks of at least 128 bits; 1 GiB for smaller ones. */
static uint64_t default_bytes(const struct packet_state *s)
{
    return cipher_block_len(s->cipher) >= 16 ? (uint64_t)16 << 32 : (uint64_t)1 << 30;
}

static bool is_worn(const struct transport *t, const struct packet_state *s)
{
    uint64_t limit = t->config.rekey_bytes;
    limit = limit ? MIN(limit, default_bytes(s)) : default_bytes(s);
    return s->bytes >= limit || s->packets >= REKEY_PACKETS;
}

static bool may_start(const struct transport *t)
{
    return t->kex.state == KEX_IDLE && t->exchanges && !t->config.hold_rekey && !t->failed &&
           !t->disconnected;
}

bool kex_is_due(const struct transport *t)
{
    return may_start(t) && (is_worn(t, &t->send) || is_worn(t, &t->recv));
}

uint64_t kex_due_ms(const struct transport *t)
{
    if (!may_start(t) || t->config.rekey_interval_ms == 0)
        return CLOCK_NEVER;
    return t->last_exchange_ms + t->config.rekey_interval_ms;
}

void kex_done(struct kex *k)
{
    kex_client_free(k->client);
    packet_state_done(&k->next_recv);
    buf_done(&k->our_init);
    buf_done(&k->peer_init);
    buf_done(&k->prime);
    buf_done(&k->generator);
    buf_done(&k->group_text);
    buf_done(&k->server_public);
    buf_done(&k->secret);
    *k = (struct kex){.state = KEX_IDLE};
    buf_init(&k->our_init, KEXINIT_MAX);
    buf_init(&k->peer_init, KEXINIT_MAX);
    buf_init(&k->prime, MSG_KEX_PUBLIC_MAX);
    buf_init(&k->generator, MSG_KEX_PUBLIC_MAX);
    buf_init(&k->group_text, 3 * MSG_KEX_PUBLIC_MAX);
    buf_init(&k->server_public, MSG_KEX_PUBLIC_MAX);
    buf_init_secret(&k->secret, MSG_KEX_PUBLIC_MAX);
}
