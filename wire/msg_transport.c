/* Transport messages. */
#include "wire/msg_transport.h"

#include "wire/namelist.h"
#include "wire/numbers.h"

#define EXTENSIONS_MAX     1024
#define EXTENSION_NAME_MAX 256
#define HOST_KEY_MAX       65536

enum err msg_disconnect_decode(struct slice payload, struct msg_disconnect *m)
{
    struct reader r = reader_open(payload, SSH_MSG_DISCONNECT);
    m->reason = reader_u32(&r);
    m->description = reader_string_max(&r, MSG_TEXT_MAX);
    /* Some peers leave the language tag out; it says nothing we use. */
    if (reader_left(&r))
        reader_string_max(&r, MSG_TEXT_MAX);
    return reader_done(&r);
}

void msg_disconnect_encode(struct writer *w, const struct msg_disconnect *m)
{
    writer_u8(w, SSH_MSG_DISCONNECT);
    writer_u32(w, m->reason);
    writer_string(w, m->description);
    writer_text(w, "");
}

enum err msg_debug_decode(struct slice payload, struct msg_debug *m)
{
    struct reader r = reader_open(payload, SSH_MSG_DEBUG);
    m->always_display = reader_bool(&r);
    m->message = reader_string_max(&r, MSG_TEXT_MAX);
    reader_string_max(&r, MSG_TEXT_MAX); /* language tag */
    return reader_done(&r);
}

void msg_debug_encode(struct writer *w, const struct msg_debug *m)
{
    writer_u8(w, SSH_MSG_DEBUG);
    writer_bool(w, m->always_display);
    writer_string(w, m->message);
    writer_text(w, "");
}

void msg_ignore_encode(struct writer *w, struct slice data)
{
    writer_u8(w, SSH_MSG_IGNORE);
    writer_string(w, data);
}

enum err msg_unimplemented_decode(struct slice payload, uint32_t *sequence)
{
    struct reader r = reader_open(payload, SSH_MSG_UNIMPLEMENTED);
    *sequence = reader_u32(&r);
    return reader_done(&r);
}

void msg_unimplemented_encode(struct writer *w, uint32_t sequence)
{
    writer_u8(w, SSH_MSG_UNIMPLEMENTED);
    writer_u32(w, sequence);
}

enum err msg_service_decode(struct slice payload, struct slice *service)
{
    struct reader r;
    reader_init(&r, payload);
    uint8_t number = reader_u8(&r);
    if (number != SSH_MSG_SERVICE_REQUEST && number != SSH_MSG_SERVICE_ACCEPT)
        reader_fail(&r, ERR_FORMAT);
    *service = reader_text(&r, 64);
    return reader_done(&r);
}

void msg_service_encode(struct writer *w, uint8_t number, const char *service)
{
    writer_u8(w, number);
    writer_text(w, service);
}

enum err msg_kexinit_decode(struct slice payload, struct msg_kexinit *m)
{
    struct reader r = reader_open(payload, SSH_MSG_KEXINIT);
    m->cookie = reader_bytes(&r, KEXINIT_COOKIE_LEN);
    for (size_t i = 0; i < KEXINIT_LISTS; i++) {
        m->lists[i] = reader_string(&r);
        enum err err = namelist_check(m->lists[i]);
        if (err != OK)
            reader_fail(&r, err);
    }
    m->first_kex_packet_follows = reader_bool(&r);
    reader_u32(&r); /* reserved */
    return reader_done(&r);
}

void msg_kexinit_encode(struct writer *w, const struct msg_kexinit *m)
{
    CHECK(m->cookie.len == KEXINIT_COOKIE_LEN);
    writer_u8(w, SSH_MSG_KEXINIT);
    writer_bytes(w, m->cookie);
    for (size_t i = 0; i < KEXINIT_LISTS; i++)
        writer_string(w, m->lists[i]);
    writer_bool(w, m->first_kex_packet_follows);
    writer_u32(w, 0);
}

enum err msg_newkeys_decode(struct slice payload)
{
    struct reader r = reader_open(payload, SSH_MSG_NEWKEYS);
    return reader_done(&r);
}

void msg_newkeys_encode(struct writer *w)
{
    writer_u8(w, SSH_MSG_NEWKEYS);
}

static enum err init_decode(struct slice payload, uint8_t number, struct slice *client_public)
{
    struct reader r = reader_open(payload, number);
    *client_public = reader_string_max(&r, MSG_KEX_PUBLIC_MAX);
    return reader_done(&r);
}

static void init_encode(struct writer *w, uint8_t number, struct slice client_public)
{
    writer_u8(w, number);
    writer_string(w, client_public);
}

static enum err reply_decode(struct slice payload, uint8_t number, struct msg_kex_ecdh_reply *m)
{
    struct reader r = reader_open(payload, number);
    m->host_key = reader_string_max(&r, HOST_KEY_MAX);
    m->server_public = reader_string_max(&r, MSG_KEX_PUBLIC_MAX);
    m->signature = reader_string_max(&r, HOST_KEY_MAX);
    return reader_done(&r);
}

static void reply_encode(struct writer *w, uint8_t number, const struct msg_kex_ecdh_reply *m)
{
    writer_u8(w, number);
    writer_string(w, m->host_key);
    writer_string(w, m->server_public);
    writer_string(w, m->signature);
}

enum err msg_kex_ecdh_init_decode(struct slice payload, struct slice *client_public)
{
    return init_decode(payload, SSH_MSG_KEX_ECDH_INIT, client_public);
}

void msg_kex_ecdh_init_encode(struct writer *w, struct slice client_public)
{
    init_encode(w, SSH_MSG_KEX_ECDH_INIT, client_public);
}

enum err msg_kex_ecdh_reply_decode(struct slice payload, struct msg_kex_ecdh_reply *m)
{
    return reply_decode(payload, SSH_MSG_KEX_ECDH_REPLY, m);
}

void msg_kex_ecdh_reply_encode(struct writer *w, const struct msg_kex_ecdh_reply *m)
{
    reply_encode(w, SSH_MSG_KEX_ECDH_REPLY, m);
}

enum err msg_kex_gex_request_decode(struct slice payload, uint32_t *min, uint32_t *wanted,
                                    uint32_t *max)
{
    struct reader r = reader_open(payload, SSH_MSG_KEX_DH_GEX_REQUEST);
    *min = reader_u32(&r);
    *wanted = reader_u32(&r);
    *max = reader_u32(&r);
    return reader_done(&r);
}

void msg_kex_gex_request_encode(struct writer *w, uint32_t min, uint32_t wanted, uint32_t max)
{
    writer_u8(w, SSH_MSG_KEX_DH_GEX_REQUEST);
    writer_u32(w, min);
    writer_u32(w, wanted);
    writer_u32(w, max);
}

enum err msg_kex_gex_group_decode(struct slice payload, struct slice *prime,
                                  struct slice *generator)
{
    struct reader r = reader_open(payload, SSH_MSG_KEX_DH_GEX_GROUP);
    *prime = reader_mpint(&r, MSG_KEX_PUBLIC_MAX);
    *generator = reader_mpint(&r, MSG_KEX_PUBLIC_MAX);
    return reader_done(&r);
}

void msg_kex_gex_group_encode(struct writer *w, struct slice prime, struct slice generator)
{
    writer_u8(w, SSH_MSG_KEX_DH_GEX_GROUP);
    writer_mpint(w, prime);
    writer_mpint(w, generator);
}

enum err msg_kex_gex_init_decode(struct slice payload, struct slice *client_public)
{
    return init_decode(payload, SSH_MSG_KEX_DH_GEX_INIT, client_public);
}

void msg_kex_gex_init_encode(struct writer *w, struct slice client_public)
{
    init_encode(w, SSH_MSG_KEX_DH_GEX_INIT, client_public);
}

enum err msg_kex_gex_reply_decode(struct slice payload, struct msg_kex_ecdh_reply *m)
{
    return reply_decode(payload, SSH_MSG_KEX_DH_GEX_REPLY, m);
}

void msg_kex_gex_reply_encode(struct writer *w, const struct msg_kex_ecdh_reply *m)
{
    reply_encode(w, SSH_MSG_KEX_DH_GEX_REPLY, m);
}

enum err msg_ext_info_decode(struct slice payload, struct msg_ext_info *m)
{
    *m = (struct msg_ext_info){0};
    struct reader r = reader_open(payload, SSH_MSG_EXT_INFO);
    uint32_t count = reader_u32(&r);
    /* The loop is bound by the bytes left, the count only caps it (RFC 8308 2.3). */
    if (count > EXTENSIONS_MAX)
        reader_fail(&r, ERR_LIMIT);
    for (uint32_t i = 0; i < count && reader_is_ok(&r); i++) {
        struct slice name = reader_string_max(&r, EXTENSION_NAME_MAX);
        struct slice value = reader_string(&r);
        if (slice_is(name, "server-sig-algs")) {
            m->has_server_sig_algs = true;
            m->server_sig_algs = value;
        } else if (slice_is(name, "publickey-hostbound@openssh.com")) {
            m->publickey_hostbound = slice_is(value, "0");
        } else if (slice_is(name, "ping@openssh.com")) {
            m->ping = slice_is(value, "0");
        } else if (slice_is(name, "agent-forward")) {
            m->agent_forward = slice_is(value, "0");
        } else if (slice_is(name, "abort@adit")) {
            m->abort = slice_is(value, "0");
        } else if (slice_is(name, "tcpip-forward-join@adit")) {
            m->forward_join = slice_is(value, "0");
        }
    }
    enum err err = reader_done(&r);
    if (err == OK && m->has_server_sig_algs)
        err = namelist_check(m->server_sig_algs);
    return err;
}

void msg_ext_info_encode(struct writer *w, const struct msg_ext_info *m)
{
    const struct {
        bool present;
        const char *name;
        struct slice value;
    } rows[] = {
        {m->has_server_sig_algs, "server-sig-algs", m->server_sig_algs},
        {m->publickey_hostbound, "publickey-hostbound@openssh.com", slice_text("0")},
        {m->ping, "ping@openssh.com", slice_text("0")},
        {m->agent_forward, "agent-forward", slice_text("0")},
        {m->abort, "abort@adit", slice_text("0")},
        {m->forward_join, "tcpip-forward-join@adit", slice_text("0")},
    };
    uint32_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        count += rows[i].present;
    writer_u8(w, SSH_MSG_EXT_INFO);
    writer_u32(w, count);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!rows[i].present)
            continue;
        writer_text(w, rows[i].name);
        writer_string(w, rows[i].value);
    }
}

enum err msg_ping_decode(struct slice payload, struct slice *data)
{
    struct reader r;
    reader_init(&r, payload);
    uint8_t number = reader_u8(&r);
    if (number != SSH_MSG_PING && number != SSH_MSG_PONG)
        reader_fail(&r, ERR_FORMAT);
    *data = reader_string(&r);
    return reader_done(&r);
}

void msg_ping_encode(struct writer *w, uint8_t number, struct slice data)
{
    writer_u8(w, number);
    writer_string(w, data);
}
