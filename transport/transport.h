/*
 * The transport machine (RFC 4253) without a socket, a clock or a question answered by itself.
 * It is given bytes, time and answers; it yields bytes to send and events. Identification,
 * packets, key exchange, strict KEX, EXT_INFO and rekeying are its own; payloads of other floors
 * pass through it by one table of what is legal now (message_table.h).
 *
 * The carrier's turn: room = transport_recv_room; read into it; transport_recv_commit; then
 * transport_next until TRANSPORT_NONE; then transport_output to the wire.
 */
#ifndef ADIT_TRANSPORT_TRANSPORT_H
#define ADIT_TRANSPORT_TRANSPORT_H

#include <sys/uio.h>

#include "base/clock.h"
#include "crypto/algo.h"
#include "crypto/rand.h"
#include "transport/message_table.h"

struct transport;

struct transport_host_key {
    const char *key_type; /* "ssh-ed25519", ... */
    struct slice blob;
};

/*
 * Of a comma list of host key algorithms those that one of the keys (certificates among them) can
 * sign by. The caller owns it; "": none.
 */
char *transport_host_key_algorithms(const struct transport_host_key *keys, size_t count,
                                    const char *wanted) MUST_USE;

/*
 * How zlib@openssh.com packs payloads (RFC 4253 6.2: one context a direction, begun anew by each
 * key exchange). It comes from above, so that a program which ends at the login holds no zlib. A
 * state belongs to the transport, which makes it when the first packet needs it.
 */
struct transport_codec {
    void *(*pack_new)(void);
    void (*pack_free)(void *state);
    /* The most that n bytes can become. */
    size_t (*pack_bound)(void *state, size_t n);
    /* Packs all of from, flushed. *n: bytes written to `to`, which has `room` >= the bound. */
    enum err (*pack)(void *state, struct slice from, uint8_t *to, size_t room, size_t *n);
    void *(*unpack_new)(void);
    void (*unpack_free)(void *state);
    /* Hostile bytes. ERR_LIMIT: more than room would come out; ERR_FORMAT: damaged. */
    enum err (*unpack)(void *state, struct slice from, uint8_t *to, size_t room, size_t *n);
};

/* Everything here is borrowed and outlives the transport. */
struct transport_config {
    enum transport_role role;
    const struct crypto *crypto;
    struct rng *rng;
    const char *ident; /* "SSH-2.0-...", no CR LF, at most 253 bytes */
    /* Comma lists in order of preference, the same for both directions. */
    const char *kex, *host_key, *cipher, *mac;
    const char *compression; /* "none", "zlib@openssh.com" or both; NULL: "none" */
    /* Server: the public host keys; host_key above names algorithms they can sign. */
    const struct transport_host_key *host_keys;
    size_t host_key_count;
    struct slice moduli;         /* server: text of moduli(5) for a group exchange; may be empty */
    const char *server_sig_algs; /* server: what EXT_INFO says; NULL: none is sent */
    uint64_t rekey_bytes;        /* each direction; 0: by the cipher (RFC 4344 3.2) */
    uint64_t rekey_interval_ms;  /* 0: none */
    bool hold_rekey;             /* start no exchange of our own (server before authentication) */
    uint64_t limit_bytes_before_auth;   /* received; 0: 1 MiB */
    uint64_t limit_packets_before_auth; /* received; 0: 1000 */
};

/* now_ms: of the monotonic clock that all later calls use. */
struct transport *transport_new(const struct transport_config *config, uint64_t now_ms) MUST_USE;
/*
 * One that carries the connection protocol between two processes of the same user, without
 * identification, keys or login, from its first byte on (OpenSSH's PROTOCOL.mux 9). Of config, role
 * and rng count. It never says DISCONNECT: closing the stream is the end.
 */
struct transport *transport_new_bare(const struct transport_config *config,
                                     uint64_t now_ms) MUST_USE;
bool transport_is_bare(const struct transport *t);
/* Before authentication succeeds, if compression other than "none" may have been agreed. */
void transport_set_codec(struct transport *t, const struct transport_codec *codec);
/* Puts our identification and KEXINIT into the output; not after transport_import. */
void transport_begin(struct transport *t);
void transport_free(struct transport *t); /* wipes; NULL allowed */

/* ---- bytes in ---- */

/*
 * Room for bytes from the wire: at least 1, about `want`. Payload slices of earlier events end
 * here. ERR_LIMIT: what is buffered already must be fetched by transport_next first.
 */
enum err transport_recv_room(struct transport *t, size_t want, struct iovec *room) MUST_USE;
void transport_recv_commit(struct transport *t, size_t n);
/* Gives memory back while nothing is buffered (an idle connection holds no buffer). */
void transport_trim(struct transport *t);

/* ---- events out ---- */

enum transport_event_kind {
    TRANSPORT_NONE,           /* more bytes, or an answer, are needed */
    TRANSPORT_BANNER,         /* client: text = a line the server sent before its identification */
    TRANSPORT_IDENT,          /* text = the peer's identification line */
    TRANSPORT_SERVER_KEY,     /* client: question: is text (a host key blob) the server's? */
    TRANSPORT_NEED_SIGNATURE, /* server: question: sign text (the exchange hash) */
    TRANSPORT_SECURED,        /* first keys are in use for sending; payloads may be sent */
    TRANSPORT_EXT_INFO,       /* the peer's extensions are known: transport_peer_ext_info */
    TRANSPORT_REKEYED,        /* a later exchange is complete in both directions */
    TRANSPORT_PAYLOAD,        /* text = a payload for `to` */
    TRANSPORT_FLUSH,          /* room for unpacked payloads is used up: those given end here */
    TRANSPORT_DEBUG,          /* text = the peer's DEBUG message; always_display */
    TRANSPORT_PONG,           /* the answer to a PING that the owner sent */
    TRANSPORT_DISCONNECTED,   /* the peer ended it: reason, text. Last event. */
    TRANSPORT_FAILED,         /* we ended it: transport_fault. Last event. */
};
struct transport_event {
    enum transport_event_kind kind;
    /* PAYLOAD: valid until transport_recv_room or FLUSH was served; else until transport_next */
    struct slice text;
    enum message_to to;
    uint32_t reason;
    bool always_display;
};

/* The next event, in order. After a question: NONE until it is answered. */
void transport_next(struct transport *t, struct transport_event *event, uint64_t now_ms);

/* Answer to SERVER_KEY. The signature over the exchange hash was verified before the question. */
void transport_trust_server_key(struct transport *t, bool trusted, uint64_t now_ms);
/*
 * While NEED_SIGNATURE is out: the algorithm of the running exchange, and the host key that is to
 * sign (which may differ from transport_server_key in a later exchange).
 */
struct transport_signing {
    const char *algorithm;
    struct slice host_key;
};
struct transport_signing transport_signing(const struct transport *t);
/* Answer to NEED_SIGNATURE: the signature blob; empty: the signer refused. */
void transport_give_signature(struct transport *t, struct slice signature, uint64_t now_ms);

/* ---- payloads out ---- */

/* False before SECURED, from our KEXINIT to our NEWKEYS, and after the end. */
bool transport_may_send(const struct transport *t);

/* Seals a copy of a payload. ERR_AGAIN: not now (may_send); ERR_LIMIT: the output is full. */
enum err transport_send(struct transport *t, struct slice payload) MUST_USE;

/*
 * The data path. Lays out packet slots at the tail of the output: each has `head` bytes for the
 * channel header and then up to max_data bytes of room, which go to room[]. At most count slots
 * and about `total` bytes in all; fewer where the output is fuller. 0: nothing can be sent now.
 * The reservation ends with transport_data_commit, or silently with any other call on t.
 */
int transport_data_room(struct transport *t, size_t head, size_t max_data, size_t total,
                        struct iovec *room, int count) MUST_USE;
/* Where the head of slot i goes. */
uint8_t *transport_data_head(struct transport *t, int i);
/* Seals, in place, the slots that n bytes filled (all full but the last; heads were written). */
enum err transport_data_commit(struct transport *t, size_t n) MUST_USE;

/* What is sealed and not yet taken by the wire. */
struct slice transport_output(const struct transport *t);
void transport_output_taken(struct transport *t, size_t n);

/* ---- life ---- */

/* Authentication succeeded: the connection protocol becomes legal, the first limits end. */
void transport_set_authenticated(struct transport *t);
void transport_hold_rekey(struct transport *t, bool hold);
/* Starts an exchange now, unless one runs. */
void transport_rekey(struct transport *t, uint64_t now_ms);

/* When transport_tick wants to run next (CLOCK_NEVER: not at all). */
uint64_t transport_deadline_ms(const struct transport *t);
void transport_tick(struct transport *t, uint64_t now_ms);

/*
 * Ends the connection for a reason of ours or of an upper floor's: queues DISCONNECT (reason 0:
 * none), then transport_next gives FAILED. Only the first call counts. text is constant.
 */
void transport_fail(struct transport *t, enum err code, uint32_t reason, const char *text);
/* A polite end: DISCONNECT BY_APPLICATION; nothing comes after. */
void transport_disconnect(struct transport *t, uint32_t reason, const char *text);
struct fault transport_fault(const struct transport *t);
bool transport_is_ended(const struct transport *t);

/* ---- what is known ---- */

struct slice transport_session_id(const struct transport *t);
struct slice transport_peer_ident(const struct transport *t);
/* Client: the server's key as verified in the first exchange. Server: the key it signed with. */
struct slice transport_server_key(const struct transport *t);
/* Client: that key's signature over the first exchange, whose hash is the session id. */
struct slice transport_host_signature(const struct transport *t);

struct transport_peer_info {
    bool has_server_sig_algs;
    struct slice server_sig_algs; /* lives as long as t */
    bool publickey_hostbound, ping, abort, agent_forward, forward_join;
    bool post_quantum; /* its first KEXINIT named such a key exchange, ours or not */
};
const struct transport_peer_info *transport_peer_ext_info(const struct transport *t);

struct transport_names {
    const char *kex, *host_key;
    const char *send_cipher, *send_mac, *recv_cipher, *recv_mac; /* mac: "<implicit>" for an AEAD */
    const char *send_compression, *recv_compression;
};
struct transport_names transport_algorithms(const struct transport *t);
uint64_t transport_exchanges(const struct transport *t); /* completed key exchanges */

/* ---- hand-over (resume.c) ---- */

/*
 * True between packets, without an exchange running and with an empty output; not once a packet
 * was compressed, whose context no record holds.
 */
bool transport_may_export(const struct transport *t);
/* Appends the whole state, keys included: record is secret. The transport must not be used after.
 */
enum err transport_export(struct transport *t, struct buf *record) MUST_USE;
/* A transport that goes on where the exported one stopped. The record is hostile. */
enum err transport_import(struct transport **out, const struct transport_config *config,
                          struct slice record, uint64_t now_ms) MUST_USE;

#endif
