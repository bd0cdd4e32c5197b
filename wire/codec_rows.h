/*
 * For tests and fuzzers: every message of this floor as a codec. One table, so that a message that
 * is added is held to the same promises by adding its row.
 */
#ifndef ADIT_WIRE_CODEC_ROWS_H
#define ADIT_WIRE_CODEC_ROWS_H

#include "wire/codec_check.h"
#include "wire/msg_auth.h"
#include "wire/msg_conn.h"
#include "wire/msg_transport.h"
#include "wire/numbers.h"

/* Defines NAME_recode for a struct message with decode and encode functions. */
#define CODEC_STRUCT(name)                                                                         \
    static inline enum err name##_recode(struct slice payload, struct writer *w)                   \
    {                                                                                              \
        struct name m;                                                                             \
        TRY(name##_decode(payload, &m));                                                           \
        name##_encode(w, &m);                                                                      \
        return OK;                                                                                 \
    }

CODEC_STRUCT(msg_disconnect)
CODEC_STRUCT(msg_debug)
CODEC_STRUCT(msg_kexinit)
CODEC_STRUCT(msg_kex_ecdh_reply)
CODEC_STRUCT(msg_ext_info)
CODEC_STRUCT(msg_userauth_failure)
CODEC_STRUCT(msg_userauth_pk_ok)
CODEC_STRUCT(body_info_request)
CODEC_STRUCT(body_info_response)
CODEC_STRUCT(msg_global_request)
CODEC_STRUCT(body_tcpip_forward)
CODEC_STRUCT(body_forward_join)
CODEC_STRUCT(msg_channel_open)
CODEC_STRUCT(body_tcpip_open)
CODEC_STRUCT(msg_channel_open_confirmation)
CODEC_STRUCT(msg_channel_open_failure)
CODEC_STRUCT(msg_channel_window_adjust)
CODEC_STRUCT(msg_channel_request)

static inline enum err msg_unimplemented_recode(struct slice payload, struct writer *w)
{
    uint32_t sequence;
    TRY(msg_unimplemented_decode(payload, &sequence));
    msg_unimplemented_encode(w, sequence);
    return OK;
}

static inline enum err msg_service_recode(struct slice payload, struct writer *w)
{
    struct slice service;
    TRY(msg_service_decode(payload, &service));
    char *text CLEANUP(mem_cleanup) = slice_strdup(service);
    msg_service_encode(w, payload.ptr[0], text);
    return OK;
}

static inline enum err msg_newkeys_recode(struct slice payload, struct writer *w)
{
    TRY(msg_newkeys_decode(payload));
    msg_newkeys_encode(w);
    return OK;
}

static inline enum err msg_kex_ecdh_init_recode(struct slice payload, struct writer *w)
{
    struct slice client_public;
    TRY(msg_kex_ecdh_init_decode(payload, &client_public));
    msg_kex_ecdh_init_encode(w, client_public);
    return OK;
}

static inline enum err msg_kex_gex_request_recode(struct slice payload, struct writer *w)
{
    uint32_t min, wanted, max;
    TRY(msg_kex_gex_request_decode(payload, &min, &wanted, &max));
    msg_kex_gex_request_encode(w, min, wanted, max);
    return OK;
}

static inline enum err msg_kex_gex_group_recode(struct slice payload, struct writer *w)
{
    struct slice prime, generator;
    TRY(msg_kex_gex_group_decode(payload, &prime, &generator));
    msg_kex_gex_group_encode(w, prime, generator);
    return OK;
}

static inline enum err msg_kex_gex_init_recode(struct slice payload, struct writer *w)
{
    struct slice client_public;
    TRY(msg_kex_gex_init_decode(payload, &client_public));
    msg_kex_gex_init_encode(w, client_public);
    return OK;
}

static inline enum err msg_kex_gex_reply_recode(struct slice payload, struct writer *w)
{
    struct msg_kex_ecdh_reply m;
    TRY(msg_kex_gex_reply_decode(payload, &m));
    msg_kex_gex_reply_encode(w, &m);
    return OK;
}

static inline enum err body_tun_recode(struct slice payload, struct writer *w)
{
    uint32_t mode, unit;
    TRY(body_tun_decode(payload, &mode, &unit));
    body_tun_encode(w, mode, unit);
    return OK;
}

static inline enum err msg_ping_recode(struct slice payload, struct writer *w)
{
    struct slice data;
    TRY(msg_ping_decode(payload, &data));
    msg_ping_encode(w, payload.ptr[0], data);
    return OK;
}

/* What is decoded but never sent (a method's language, unknown methods) is not encoded: its bytes
 * are passed on. */
static inline enum err msg_userauth_request_recode(struct slice payload, struct writer *w)
{
    struct msg_userauth_request m;
    TRY(msg_userauth_request_decode(payload, &m));
    if (m.method == USERAUTH_INTERACTIVE || m.method == USERAUTH_OTHER)
        writer_bytes(w, payload);
    else
        msg_userauth_request_encode(w, &m);
    return OK;
}

static inline enum err msg_userauth_success_recode(struct slice payload, struct writer *w)
{
    TRY(msg_userauth_success_decode(payload));
    msg_userauth_success_encode(w);
    return OK;
}

static inline enum err msg_userauth_banner_recode(struct slice payload, struct writer *w)
{
    struct slice text;
    TRY(msg_userauth_banner_decode(payload, &text));
    msg_userauth_banner_encode(w, text);
    return OK;
}

static inline enum err msg_userauth_change_recode(struct slice payload, struct writer *w)
{
    struct slice prompt;
    TRY(msg_userauth_change_decode(payload, &prompt));
    msg_userauth_change_encode(w, prompt);
    return OK;
}

static inline enum err msg_request_success_recode(struct slice payload, struct writer *w)
{
    struct slice body;
    TRY(msg_request_success_decode(payload, &body));
    msg_request_success_encode(w, body);
    return OK;
}

static inline enum err body_allocated_port_recode(struct slice payload, struct writer *w)
{
    uint32_t port;
    TRY(body_allocated_port_decode(payload, &port));
    body_allocated_port_encode(w, port);
    return OK;
}

static inline enum err msg_channel_data_recode(struct slice payload, struct writer *w)
{
    struct msg_channel_data m;
    uint8_t head[CHANNEL_DATA_HEAD];
    TRY(msg_channel_data_decode(payload, &m));
    msg_channel_data_head(head, m.recipient, (uint32_t)m.data.len);
    writer_bytes(w, slice_of(head, sizeof(head)));
    writer_bytes(w, m.data);
    return OK;
}

static inline enum err msg_channel_extended_data_recode(struct slice payload, struct writer *w)
{
    struct msg_channel_data m;
    TRY(msg_channel_extended_data_decode(payload, &m));
    msg_channel_extended_data_encode(w, &m);
    return OK;
}

static inline enum err msg_channel_plain_recode(struct slice payload, struct writer *w)
{
    uint32_t recipient;
    TRY(msg_channel_plain_decode(payload, &recipient));
    msg_channel_plain_encode(w, payload.ptr[0], recipient);
    return OK;
}

/* ---- samples ---- */

static inline void disconnect_sample(struct writer *w)
{
    msg_disconnect_encode(w, &(struct msg_disconnect){2, slice_text("because")});
}

static inline void debug_sample(struct writer *w)
{
    msg_debug_encode(w, &(struct msg_debug){true, slice_text("look")});
}

static inline void unimplemented_sample(struct writer *w)
{
    msg_unimplemented_encode(w, 0x01020304);
}

static inline void service_sample(struct writer *w)
{
    msg_service_encode(w, SSH_MSG_SERVICE_REQUEST, "ssh-userauth");
}

static inline void kexinit_sample(struct writer *w)
{
    struct msg_kexinit m = {.cookie = slice_text("0123456789abcdef"),
                            .first_kex_packet_follows = true};
    static const char *const lists[KEXINIT_LISTS] = {"curve25519-sha256,kex",
                                                     "ssh-ed25519",
                                                     "c1,c2",
                                                     "c3",
                                                     "m1",
                                                     "m2",
                                                     "none",
                                                     "none",
                                                     "",
                                                     "de"};
    for (size_t i = 0; i < KEXINIT_LISTS; i++)
        m.lists[i] = slice_text(lists[i]);
    msg_kexinit_encode(w, &m);
}

static inline void kex_ecdh_init_sample(struct writer *w)
{
    msg_kex_ecdh_init_encode(w, slice_text("a public value"));
}

static inline void kex_ecdh_reply_sample(struct writer *w)
{
    msg_kex_ecdh_reply_encode(w, &(struct msg_kex_ecdh_reply){slice_text("host key"),
                                                              slice_text("public value"),
                                                              slice_text("signature")});
}

static inline void gex_request_sample(struct writer *w)
{
    msg_kex_gex_request_encode(w, 2048, 3072, 8192);
}

static inline void gex_group_sample(struct writer *w)
{
    msg_kex_gex_group_encode(w, slice_text("\x81 a prime"), slice_text("\x02"));
}

static inline void gex_init_sample(struct writer *w)
{
    msg_kex_gex_init_encode(w, slice_text("a public value"));
}

static inline void gex_reply_sample(struct writer *w)
{
    msg_kex_gex_reply_encode(w, &(struct msg_kex_ecdh_reply){slice_text("host key"),
                                                             slice_text("public value"),
                                                             slice_text("signature")});
}

static inline void tun_sample(struct writer *w)
{
    body_tun_encode(w, 1, 0x7fffffff);
}

static inline void ext_info_sample(struct writer *w)
{
    msg_ext_info_encode(w, &(struct msg_ext_info){true, slice_text("ssh-ed25519,rsa-sha2-256"),
                                                  true, true, true, true, true});
}

static inline void ping_sample(struct writer *w)
{
    msg_ping_encode(w, SSH_MSG_PING, slice_text("ping"));
}

static inline void userauth_none_sample(struct writer *w)
{
    msg_userauth_request_encode(
        w, &(struct msg_userauth_request){.user = slice_text("ada"),
                                          .service = slice_text("ssh-connection"),
                                          .method = USERAUTH_NONE});
}

static inline void userauth_query_sample(struct writer *w)
{
    msg_userauth_request_encode(
        w, &(struct msg_userauth_request){.user = slice_text("ada"),
                                          .service = slice_text("ssh-connection"),
                                          .method = USERAUTH_PUBLICKEY,
                                          .algorithm = slice_text("ssh-ed25519"),
                                          .key_blob = slice_text("blob")});
}

static inline void userauth_hostbound_sample(struct writer *w)
{
    msg_userauth_request_encode(
        w, &(struct msg_userauth_request){.user = slice_text("ada"),
                                          .service = slice_text("ssh-connection"),
                                          .method = USERAUTH_PUBLICKEY_HOSTBOUND,
                                          .has_signature = true,
                                          .algorithm = slice_text("ssh-ed25519"),
                                          .key_blob = slice_text("blob"),
                                          .host_key = slice_text("host key"),
                                          .signature = slice_text("signature")});
}

static inline void userauth_password_sample(struct writer *w)
{
    writer_u8(w, SSH_MSG_USERAUTH_REQUEST);
    writer_text(w, "ada");
    writer_text(w, "ssh-connection");
    writer_text(w, "password");
    writer_bool(w, true);
    writer_text(w, "old");
    writer_text(w, "new");
}

static inline void userauth_interactive_sample(struct writer *w)
{
    msg_userauth_request_encode(
        w, &(struct msg_userauth_request){.user = slice_text("ada"),
                                          .service = slice_text("ssh-connection"),
                                          .method = USERAUTH_INTERACTIVE,
                                          .submethods = slice_text("pam")});
}

static inline void info_request_sample(struct writer *w)
{
    static const uint8_t prompts[] = "\0\0\0\x09"
                                     "Password:"
                                     "\0"
                                     "\0\0\0\x04"
                                     "Pin:"
                                     "\1";
    body_info_request_encode(w,
                             &(struct body_info_request){slice_text("name"), slice_text("how"), 2,
                                                         slice_of(prompts, sizeof(prompts) - 1)});
}

static inline void info_response_sample(struct writer *w)
{
    static const uint8_t responses[] = "\0\0\0\x03"
                                       "one"
                                       "\0\0\0\0";
    body_info_response_encode(
        w, &(struct body_info_response){2, slice_of(responses, sizeof(responses) - 1)});
}

static inline void userauth_failure_sample(struct writer *w)
{
    msg_userauth_failure_encode(
        w, &(struct msg_userauth_failure){slice_text("publickey,password"), true});
}

static inline void userauth_banner_sample(struct writer *w)
{
    msg_userauth_banner_encode(w, slice_text("Welcome.\n"));
}

static inline void userauth_change_sample(struct writer *w)
{
    msg_userauth_change_encode(w, slice_text("Too old. New password: "));
}

static inline void userauth_pk_ok_sample(struct writer *w)
{
    msg_userauth_pk_ok_encode(
        w, &(struct msg_userauth_pk_ok){slice_text("ssh-ed25519"), slice_text("blob")});
}

static inline void global_request_sample(struct writer *w)
{
    msg_global_request_encode(
        w, &(struct msg_global_request){slice_text("tcpip-forward"), true, slice_text("body")});
}

static inline void request_success_sample(struct writer *w)
{
    msg_request_success_encode(w, slice_text("body"));
}

static inline void forward_join_sample(struct writer *w)
{
    body_forward_join_encode(
        w, &(struct body_forward_join){slice_text("0123456789abcdef0123456789abcdef"),
                                       slice_text("localhost"), 8080});
}

static inline void tcpip_forward_sample(struct writer *w)
{
    body_tcpip_forward_encode(w, &(struct body_tcpip_forward){slice_text("localhost"), 8080});
}

static inline void allocated_port_sample(struct writer *w)
{
    body_allocated_port_encode(w, 65535);
}

static inline void channel_open_sample(struct writer *w)
{
    msg_channel_open_encode(w, &(struct msg_channel_open){slice_text("direct-tcpip"), 7, 0x200000,
                                                          32768, slice_text("body")});
}

static inline void tcpip_open_sample(struct writer *w)
{
    body_tcpip_open_encode(
        w, &(struct body_tcpip_open){slice_text("db"), 3306, slice_text("127.0.0.1"), 40000});
}

static inline void confirmation_sample(struct writer *w)
{
    msg_channel_open_confirmation_encode(w, &(struct msg_channel_open_confirmation){1, 2, 3, 4});
}

static inline void open_failure_sample(struct writer *w)
{
    msg_channel_open_failure_encode(
        w, &(struct msg_channel_open_failure){1, SSH_OPEN_CONNECT_FAILED, slice_text("refused")});
}

static inline void window_adjust_sample(struct writer *w)
{
    msg_channel_window_adjust_encode(w, &(struct msg_channel_window_adjust){1, 0xffffffff});
}

static inline void data_sample(struct writer *w)
{
    uint8_t head[CHANNEL_DATA_HEAD];
    msg_channel_data_head(head, 3, 5);
    writer_bytes(w, slice_of(head, sizeof(head)));
    writer_bytes(w, slice_text("hello"));
}

static inline void extended_data_sample(struct writer *w)
{
    msg_channel_extended_data_encode(w, &(struct msg_channel_data){3, 1, slice_text("oops")});
}

static inline void plain_sample(struct writer *w)
{
    msg_channel_plain_encode(w, SSH_MSG_CHANNEL_EOF, 3);
}

static inline void channel_request_sample(struct writer *w)
{
    msg_channel_request_encode(
        w, &(struct msg_channel_request){3, slice_text("exec"), true, slice_text("body")});
}

/* fixed: bytes before an open end. also_valid: without the language tag some peers leave out. */
static const struct codec codecs[] = {
    /* clang-format off */
    {"DISCONNECT",        disconnect_sample,         msg_disconnect_recode,          0, 1 + 4 + 4 + 7},
    {"DEBUG",             debug_sample,              msg_debug_recode,               0, 0},
    {"UNIMPLEMENTED",     unimplemented_sample,      msg_unimplemented_recode,       0, 0},
    {"SERVICE_REQUEST",   service_sample,            msg_service_recode,             0, 0},
    {"KEXINIT",           kexinit_sample,            msg_kexinit_recode,             0, 0},
    {"NEWKEYS",           msg_newkeys_encode,        msg_newkeys_recode,             0, 0},
    {"KEX_ECDH_INIT",     kex_ecdh_init_sample,      msg_kex_ecdh_init_recode,       0, 0},
    {"KEX_ECDH_REPLY",    kex_ecdh_reply_sample,     msg_kex_ecdh_reply_recode,      0, 0},
    {"EXT_INFO",          ext_info_sample,           msg_ext_info_recode,            0, 0},
    {"PING",              ping_sample,               msg_ping_recode,                0, 0},
    {"none",              userauth_none_sample,      msg_userauth_request_recode,    0, 0},
    {"publickey query",   userauth_query_sample,     msg_userauth_request_recode,    0, 0},
    {"hostbound",         userauth_hostbound_sample, msg_userauth_request_recode,    0, 0},
    {"password",          userauth_password_sample,  msg_userauth_request_recode,    0, 0},
    {"interactive",       userauth_interactive_sample, msg_userauth_request_recode,  0, 0},
    {"INFO_REQUEST",      info_request_sample,       body_info_request_recode,       0, 0},
    {"INFO_RESPONSE",     info_response_sample,      body_info_response_recode,      0, 0},
    {"USERAUTH_FAILURE",  userauth_failure_sample,   msg_userauth_failure_recode,    0, 0},
    {"USERAUTH_SUCCESS",  msg_userauth_success_encode, msg_userauth_success_recode,  0, 0},
    {"USERAUTH_BANNER",   userauth_banner_sample,    msg_userauth_banner_recode,     0, 0},
    {"USERAUTH_PK_OK",    userauth_pk_ok_sample,     msg_userauth_pk_ok_recode,      0, 0},
    {"GLOBAL_REQUEST",    global_request_sample,     msg_global_request_recode,      1 + 4 + 13 + 1, 0},
    {"REQUEST_SUCCESS",   request_success_sample,    msg_request_success_recode,     1, 0},
    {"tcpip-forward",     tcpip_forward_sample,      body_tcpip_forward_recode,      0, 0},
    {"tcpip-forward-join", forward_join_sample,      body_forward_join_recode,       0, 0},
    {"allocated port",    allocated_port_sample,     body_allocated_port_recode,     0, 0},
    {"CHANNEL_OPEN",      channel_open_sample,       msg_channel_open_recode,        1 + 4 + 12 + 12, 0},
    {"direct-tcpip",      tcpip_open_sample,         body_tcpip_open_recode,         0, 0},
    {"CONFIRMATION",      confirmation_sample,       msg_channel_open_confirmation_recode, 1 + 16, 0},
    {"OPEN_FAILURE",      open_failure_sample,       msg_channel_open_failure_recode, 0, 1 + 8 + 4 + 7},
    {"WINDOW_ADJUST",     window_adjust_sample,      msg_channel_window_adjust_recode, 0, 0},
    {"DATA",              data_sample,               msg_channel_data_recode,        0, 0},
    {"EXTENDED_DATA",     extended_data_sample,      msg_channel_extended_data_recode, 0, 0},
    {"EOF",               plain_sample,              msg_channel_plain_recode,       0, 0},
    {"CHANNEL_REQUEST",   channel_request_sample,    msg_channel_request_recode,     1 + 4 + 4 + 4 + 1, 0},
    {"GEX_REQUEST",       gex_request_sample,        msg_kex_gex_request_recode,     0, 0},
    {"GEX_GROUP",         gex_group_sample,          msg_kex_gex_group_recode,       0, 0},
    {"GEX_INIT",          gex_init_sample,           msg_kex_gex_init_recode,        0, 0},
    {"GEX_REPLY",         gex_reply_sample,          msg_kex_gex_reply_recode,       0, 0},
    {"tun",               tun_sample,                body_tun_recode,                0, 0},
    {"PASSWD_CHANGEREQ",  userauth_change_sample,    msg_userauth_change_recode,     0, 0},
    /* clang-format on */
};

#endif
