/*
 * Transport messages (RFC 4253 7 to 12, RFC 5656 4, RFC 8308, OpenSSH's PROTOCOL): struct <->
 * bytes, one pair of functions a message. A payload starts with the message number. Decoded slices
 * borrow from the payload. Decode: ERR_TRUNCATED, ERR_FORMAT, ERR_LIMIT; trailing bytes are
 * ERR_FORMAT. Encode: appends through the writer, whose sticky error tells.
 */
#ifndef ADIT_WIRE_MSG_TRANSPORT_H
#define ADIT_WIRE_MSG_TRANSPORT_H

#include "wire/reader.h"
#include "wire/writer.h"

#define MSG_TEXT_MAX 8192

struct msg_disconnect {
    uint32_t reason;
    struct slice description;
};
enum err msg_disconnect_decode(struct slice payload, struct msg_disconnect *m) MUST_USE;
void msg_disconnect_encode(struct writer *w, const struct msg_disconnect *m);

struct msg_debug {
    bool always_display;
    struct slice message;
};
enum err msg_debug_decode(struct slice payload, struct msg_debug *m) MUST_USE;
void msg_debug_encode(struct writer *w, const struct msg_debug *m);

void msg_ignore_encode(struct writer *w, struct slice data);

enum err msg_unimplemented_decode(struct slice payload, uint32_t *sequence) MUST_USE;
void msg_unimplemented_encode(struct writer *w, uint32_t sequence);

/* SERVICE_REQUEST and SERVICE_ACCEPT: number tells which. */
enum err msg_service_decode(struct slice payload, struct slice *service) MUST_USE;
void msg_service_encode(struct writer *w, uint8_t number, const char *service);

enum kexinit_list {
    KEXINIT_KEX,
    KEXINIT_HOST_KEY,
    KEXINIT_CIPHER_C2S,
    KEXINIT_CIPHER_S2C,
    KEXINIT_MAC_C2S,
    KEXINIT_MAC_S2C,
    KEXINIT_COMPRESSION_C2S,
    KEXINIT_COMPRESSION_S2C,
    KEXINIT_LANGUAGE_C2S,
    KEXINIT_LANGUAGE_S2C,
    KEXINIT_LISTS,
};
#define KEXINIT_COOKIE_LEN 16
struct msg_kexinit {
    struct slice cookie;
    struct slice lists[KEXINIT_LISTS]; /* each checked by namelist_check */
    bool first_kex_packet_follows;
};
enum err msg_kexinit_decode(struct slice payload, struct msg_kexinit *m) MUST_USE;
void msg_kexinit_encode(struct writer *w, const struct msg_kexinit *m);

enum err msg_newkeys_decode(struct slice payload) MUST_USE;
void msg_newkeys_encode(struct writer *w);

#define MSG_KEX_PUBLIC_MAX 8192
enum err msg_kex_ecdh_init_decode(struct slice payload, struct slice *client_public) MUST_USE;
void msg_kex_ecdh_init_encode(struct writer *w, struct slice client_public);

struct msg_kex_ecdh_reply {
    struct slice host_key, server_public, signature;
};
enum err msg_kex_ecdh_reply_decode(struct slice payload, struct msg_kex_ecdh_reply *m) MUST_USE;
void msg_kex_ecdh_reply_encode(struct writer *w, const struct msg_kex_ecdh_reply *m);

/* RFC 4419 3. INIT and REPLY are ECDH's under other numbers, their values bodies of mpints. */
enum err msg_kex_gex_request_decode(struct slice payload, uint32_t *min, uint32_t *wanted,
                                    uint32_t *max) MUST_USE;
void msg_kex_gex_request_encode(struct writer *w, uint32_t min, uint32_t wanted, uint32_t max);
enum err msg_kex_gex_group_decode(struct slice payload, struct slice *prime,
                                  struct slice *generator) MUST_USE;
void msg_kex_gex_group_encode(struct writer *w, struct slice prime, struct slice generator);
enum err msg_kex_gex_init_decode(struct slice payload, struct slice *client_public) MUST_USE;
void msg_kex_gex_init_encode(struct writer *w, struct slice client_public);
enum err msg_kex_gex_reply_decode(struct slice payload, struct msg_kex_ecdh_reply *m) MUST_USE;
void msg_kex_gex_reply_encode(struct writer *w, const struct msg_kex_ecdh_reply *m);

/* EXT_INFO: the extensions this house knows; unknown ones are passed over (RFC 8308 2.5). */
struct msg_ext_info {
    bool has_server_sig_algs;
    struct slice server_sig_algs;
    bool publickey_hostbound; /* publickey-hostbound@openssh.com=0 */
    bool ping;                /* ping@openssh.com=0 */
    bool agent_forward;       /* agent-forward=0: draft-ietf-sshm-ssh-agent, not @openssh.com's */
    bool abort;               /* abort@adit=0: CHANNEL_REQUEST "abort@adit" is understood */
    bool forward_join;        /* tcpip-forward-join@adit=0: that GLOBAL_REQUEST is understood */
};
enum err msg_ext_info_decode(struct slice payload, struct msg_ext_info *m) MUST_USE;
void msg_ext_info_encode(struct writer *w, const struct msg_ext_info *m);

/* PING and PONG: number tells which; a PONG returns the PING's data. */
enum err msg_ping_decode(struct slice payload, struct slice *data) MUST_USE;
void msg_ping_encode(struct writer *w, uint8_t number, struct slice data);

#endif
