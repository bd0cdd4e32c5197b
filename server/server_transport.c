/* The transport of a server: keys and options. */
#include "server/server_transport.h"

#include "auth/auth_server.h"

#define IDENT "SSH-2.0-adit_" ADIT_VERSION

void server_keys_add(struct server_keys *k, const struct role_msg *m)
{
    if (k->count >= ARRAY_LEN(k->keys))
        return;
    uint8_t *blob = mem_new(m->key.len, 1);
    if (m->key.len)
        memcpy(blob, m->key.ptr, m->key.len);
    k->keys[k->count++] = (struct transport_host_key){.key_type = slice_strdup(m->name),
                                                      .blob = slice_of(blob, m->key.len)};
}

void server_keys_done(struct server_keys *k)
{
    for (size_t i = 0; i < k->count; i++) {
        mem_free((void *)(uintptr_t)k->keys[i].key_type);
        mem_free((void *)(uintptr_t)k->keys[i].blob.ptr);
    }
    k->count = 0;
}

void server_transport_init(struct server_transport *t, const struct server_keys *keys,
                           const struct server_options *options, const struct crypto *crypto,
                           struct rng *rng)
{
    t->ident = strcmp(options->version_addendum, "none") == 0
                   ? mem_strdup(IDENT)
                   : mem_printf("%s %s", IDENT, options->version_addendum);
    t->host_key =
        transport_host_key_algorithms(keys->keys, keys->count, options->host_key_algorithms);
    t->config = (struct transport_config){
        .role = TRANSPORT_SERVER,
        .crypto = crypto,
        .rng = rng,
        .ident = t->ident,
        .kex = options->kex_algorithms,
        .host_key = t->host_key,
        .cipher = options->ciphers,
        .mac = options->macs,
        .compression = options->compression == COMPRESSION_NO ? "none" : "none,zlib@openssh.com",
        .host_keys = keys->keys,
        .host_key_count = keys->count,
        .server_sig_algs = AUTH_SERVER_SIG_ALGS,
        .rekey_bytes = options->rekey_limit.bytes,
        .rekey_interval_ms = (uint64_t)options->rekey_limit.seconds * MS_PER_S,
        .hold_rekey = true,
    };
}

void server_transport_done(struct server_transport *t)
{
    mem_free(t->ident);
    mem_free(t->host_key);
}
