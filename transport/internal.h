/*
 * The transport's inside, shared by the rooms of this floor alone: transport.c (the machine),
 * ident.c, packet.c, kex.c and resume.c.
 */
#ifndef ADIT_TRANSPORT_INTERNAL_H
#define ADIT_TRANSPORT_INTERNAL_H

#include "crypto/cipher.h"
#include "crypto/digest.h"
#include "crypto/kex_ecdh.h"
#include "crypto/pubkey.h"
#include "transport/transport.h"
#include "wire/msg_transport.h"

#define IDENT_LINE_MAX          255         /* RFC 4253 4.2, CR LF included */
#define BANNER_LINE_MAX         8192        /* a line before the server's identification */
#define BANNER_BYTES_MAX        (32 * 1024) /* all of them */
#define BANNER_LINES_MAX        1024        /* OpenSSH's limit too */
#define PACKET_LENGTH_MAX_EARLY 35000       /* RFC 4253 6.1, before authentication */
#define PACKET_LENGTH_MAX       262144      /* OpenSSH's cap */
#define PACKET_MIN_PADDING      4
#define PACKET_HEAD             5 /* length and padding length */
#define TAG_MAX                 64

#define INPUT_MAX              (1024 * 1024)
#define INPUT_MAX_EARLY        (40 * 1024) /* so that a hand-over record fits one message */
#define OUTPUT_MAX             (768 * 1024)
#define OUTPUT_CONTROL_RESERVE (192 * 1024) /* what the data path leaves for control messages */
#define HELD_MAX               (64 * 1024)
#define DATA_SLOTS_MAX         64
#define UNPACKED_MAX           (1024 * 1024) /* payloads of one FLUSH */
#define PACKING_SLACK          1024          /* more than packing can make a payload grow */

#define KEX_DEADLINE_MS 60000
#define REKEY_PACKETS   (1u << 31)

/* One direction. cipher NULL: plain text, before the first NEWKEYS. */
struct packet_state {
    struct cipher *cipher;
    bool is_bare; /* between processes: no padding, no keys, no end of them (PROTOCOL.mux 9) */
    uint32_t sequence;
    uint64_t packets; /* since these keys came into use */
    uint64_t bytes;
    size_t discard; /* a CBC packet was bad: this much is read before that is said; 0: none */
};

enum kex_state {
    KEX_IDLE,
    KEX_SENT_INIT,      /* our KEXINIT is out, the peer's is awaited */
    KEX_WAIT_ECDH,      /* server: KEX_ECDH_INIT; client: KEX_ECDH_REPLY */
    KEX_WAIT_GEX_GROUP, /* client, group exchange: the group; then KEX_WAIT_ECDH */
    KEX_WAIT_GEX_INIT,  /* server, group exchange: the client's value in the group it was given */
    KEX_WAIT_TRUST,     /* client: the question about the host key is out */
    KEX_WAIT_SIGNATURE, /* server: the question to the signer is out */
    KEX_WAIT_NEWKEYS,   /* our NEWKEYS is out, the peer's is awaited */
};

struct kex {
    enum kex_state state;
    uint64_t deadline_ms;           /* of the running exchange */
    struct buf our_init, peer_init; /* KEXINIT payloads, as hashed */
    bool got_peer_init;
    bool skip_guess; /* the peer's guessed packet was wrong and is to be passed over */
    const struct algo_kex *algo;
    const struct algo_sign *host_key_algo; /* of the signature */
    const char *host_key_name;             /* as agreed: with a certificate another than that */
    const char *host_key_type;             /* inside the blob */
    const struct algo_cipher *cipher_c2s, *cipher_s2c;
    const struct algo_mac *mac_c2s, *mac_s2c;
    bool packs_c2s, packs_s2c; /* zlib@openssh.com was agreed */
    struct kex_client *client;
    uint32_t asked_bits;                     /* client, group exchange: the size it wished */
    struct buf prime, generator, group_text; /* of a group exchange; the text is hashed */
    struct buf server_public;                /* kept between question and answer */
    struct buf secret;                       /* K, encoded */
    uint8_t hash[DIGEST_MAX];                /* H */
    size_t hash_len;
    struct packet_state next_recv; /* keys that the peer's NEWKEYS will switch on */
};

enum ident_state { IDENT_WAIT, IDENT_DONE };

/* Compression (packing.c). It runs from the login on, in the directions that agreed to it. */
struct packing {
    const struct transport_codec *codec;
    bool send, recv;     /* agreed, under the keys in use */
    void *pack, *unpack; /* NULL: no packet needed them yet */
    struct buf plain;    /* the data path's slots, to be packed into the output */
    struct buf unpacked; /* of fixed size while in use: payload slices point into it */
    bool is_full;        /* FLUSH was said: `unpacked` is begun anew */
};

/* Where transport_next stands with events that are not simply the next packet. */
struct transport {
    struct transport_config config;
    uint64_t now_ms;

    struct buf in, out;
    struct buf held; /* control messages of our own (PONG) that an exchange holds back */
    struct packet_state send, recv;
    struct packing packing;

    enum ident_state ident;
    unsigned banner_lines;
    size_t banner_bytes;
    char peer_ident[IDENT_LINE_MAX + 1];

    struct kex kex;
    uint64_t exchanges;
    uint64_t last_exchange_ms;
    struct transport_names names;
    uint8_t session_id[DIGEST_MAX];
    size_t session_id_len;
    struct buf server_key;
    struct buf host_signature; /* client: over the first exchange, by server_key */
    bool strict;               /* agreed in the first exchange */
    bool peer_ext_info;        /* the peer asked for EXT_INFO in its first KEXINIT */
    bool recv_secured;         /* the peer's first NEWKEYS came */
    bool send_secured;
    bool authenticated;
    bool ext_info_seen;

    struct transport_peer_info peer_info;
    char *peer_sig_algs;

    uint64_t bytes_before_auth, packets_before_auth;

    /* One-step events that wait to be fetched. */
    bool say_secured, say_rekeyed, say_server_key, say_need_signature;
    struct fault fault;
    bool failed, said_end, disconnected;

    /* The data path's reservation. */
    int slots;
    size_t slot_head, slot_data, slot_stride;
};

/* ident.c: takes the peer's identification out of t->in. OK: done; ERR_AGAIN; else failed. */
enum err ident_parse(struct transport *t, struct transport_event *event) MUST_USE;

/* packet.c */
/* Bytes a packet of this payload takes on the wire, tag included. */
size_t packet_wire_len(const struct packet_state *s, size_t payload_len);
/*
 * at: PACKET_HEAD bytes of room, then the payload, then room up to packet_wire_len. Writes length
 * and padding, seals, counts. ERR_LIMIT: the sequence number would wrap (keys too old).
 */
enum err packet_seal(struct packet_state *s, struct rng *rng, uint8_t *at,
                     size_t payload_len) MUST_USE;
/*
 * The next whole packet at the front of in: opens it in place and consumes it. *payload borrows
 * from in's memory. ERR_AGAIN: more bytes are needed. Else *fault tells.
 */
enum err packet_open(struct packet_state *s, struct buf *in, size_t max_length,
                     struct slice *payload, struct fault *fault) MUST_USE;
void packet_state_done(struct packet_state *s);

/* packing.c */
void packing_init(struct packing *p);
void packing_done(struct packing *p);
void packing_trim(struct packing *p);
bool packing_sends(const struct transport *t); /* what is sent now goes through pack */
bool packing_receives(const struct transport *t);
/* New keys came into use: a direction's context ends with the old ones. */
void packing_renew_send(struct transport *t, bool agreed);
void packing_renew_recv(struct transport *t, bool agreed);
/* Packs the payload and seals it at the output's end. Failure ends the transport. */
void packing_seal(struct transport *t, struct slice payload);
/* Whether another payload fits in before FLUSH. */
bool packing_has_room(const struct packing *p);
/* Replaces the payload by what was packed in it. False: the transport has failed. */
bool packing_open(struct transport *t, struct slice *payload);
const char *packing_name(bool agreed);

/* kex.c */
void kex_start(struct transport *t); /* our KEXINIT */
/* A message of the exchange; faults go to transport_fail. */
void kex_message(struct transport *t, uint8_t number, struct slice payload, uint32_t sequence);
void kex_trusted(struct transport *t, bool trusted);
void kex_signed(struct transport *t, struct slice signature);
bool kex_is_due(const struct transport *t); /* volume or time asks for new keys */
uint64_t kex_due_ms(const struct transport *t);
void kex_done(struct kex *k);

/* kex_gex.c */
void kex_gex_request(struct transport *t, struct slice payload); /* server: names the group */
void kex_gex_ask(struct transport *t);                           /* client: asks for one */
bool kex_gex_given(struct transport *t, struct slice payload) MUST_USE; /* client: got one */
struct kex_group kex_gex_group(const struct kex *k);
/* One value of the exchange in OpenSSH's words, which its suite reads. */
void kex_gex_tell_bits(const struct kex *k, struct slice public_value);

/* transport.c, for the others */
/* Seals a payload whatever the state: the exchange's own messages. Failure ends the transport. */
void transport_seal(struct transport *t, struct slice payload);
enum message_phase transport_recv_phase(const struct transport *t);

#endif
