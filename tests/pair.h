/*
 * Both ends of an SSH connection in one process, no socket: transport, auth and conn of a client
 * and of a server joined by a carrier that delivers bytes one at a time, in random pieces or whole.
 * Fixed seed, fake clock.
 */
#ifndef ADIT_TESTS_PAIR_H
#define ADIT_TESTS_PAIR_H

#include "auth/auth_blob.h"
#include "auth/auth_client.h"
#include "auth/auth_server.h"
#include "conn/conn.h"
#include "crypto/privkey.h"
#include "transport/transport.h"

#define PAIR_CHANNELS 4

enum pair_pieces { PAIR_WHOLE, PAIR_RANDOM, PAIR_BYTES };

struct pair_options {
    const char *kex, *cipher, *mac, *host_key; /* NULL: all that is built */
    enum key_kind user_key;
    enum pair_pieces pieces;
    uint64_t rekey_bytes; /* 1: new keys after every packet */
    bool hand_over;       /* the server's transport is exported and imported whenever it may be */
    bool refuse_key;      /* the server answers "no" to every question */
    bool distrust;        /* the client does not trust the host key */
    size_t stream_bytes;  /* sent each way on each channel */
    uint32_t window;      /* 0: the default */
    const struct transport_codec *codec; /* NULL: nothing is compressed */
    uint64_t seed;
};

struct pair_stream { /* one direction of one channel */
    size_t to_send, sent, received, taken;
    bool sent_eof, got_eof;
};

struct pair_end {
    struct pair *pair;
    bool is_server;
    struct transport_config config;
    struct transport *transport;
    struct auth_client *auth_client;
    struct auth_server *auth_server;
    struct conn *conn;
    struct channel *channels[PAIR_CHANNELS];
    size_t channel_count, channels_closed;
    struct pair_stream streams[PAIR_CHANNELS]; /* by channel: what this end sends and receives */
    uint64_t exports;
    bool is_up, ended;
    struct fault fault;
};

struct pair {
    struct pair_options options;
    struct crypto *crypto;
    struct rng *rng;  /* the machines' */
    struct rng *dice; /* the carrier's */
    struct privkey *host_key, *user_key;
    struct transport_host_key host_key_row;
    uint64_t now_ms;
    struct pair_end client, server;
    size_t largest_output; /* most bytes one end held sealed */
};

void pair_init(struct pair *p, const struct pair_options *options);
void pair_done(struct pair *p);

/* Carries until nothing moves any more. */
void pair_run(struct pair *p);
/* One round: each end's output to the other, events served. True if anything moved. */
bool pair_step(struct pair *p);

/* The client opens n channels and both ends send options.stream_bytes on each, EOF, CLOSE. */
void pair_open_channels(struct pair *p, size_t n);

#endif
