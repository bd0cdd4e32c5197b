/*
 * What a transport of the server needs: the host keys' public halves, as the supervisor told them,
 * and the options. The same for aditd-pre, which begins a connection, and for aditd-work, which
 * goes on with it.
 */
#ifndef ADIT_SERVER_SERVER_TRANSPORT_H
#define ADIT_SERVER_SERVER_TRANSPORT_H

#include "config/sshd_config.h"
#include "server/role_msg.h"
#include "transport/transport.h"

#define SERVER_HOST_KEYS_MAX 32

struct server_keys {
    struct transport_host_key keys[SERVER_HOST_KEYS_MAX]; /* owned */
    size_t count;
};

/* A HOST_KEY message; what is beyond the cap is passed over. */
void server_keys_add(struct server_keys *k, const struct role_msg *m);
void server_keys_done(struct server_keys *k);

/* A transport_config and what it borrows. */
struct server_transport {
    struct transport_config config;
    char *ident;    /* with VersionAddendum */
    char *host_key; /* HostKeyAlgorithms, as far as there are keys that can sign so; may be "" */
};

/* keys, options, crypto and rng are borrowed. */
void server_transport_init(struct server_transport *t, const struct server_keys *keys,
                           const struct server_options *options, const struct crypto *crypto,
                           struct rng *rng);
void server_transport_done(struct server_transport *t);

#endif
