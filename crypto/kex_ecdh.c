/*
 * Elliptic-curve Diffie-Hellman over libcrypto: X25519 and the three NIST curves, and the
 * door to the groups of kex_dh. Peer's points are checked here before they meet our key. Does not
 * know the exchange hash or who signs it.
 */
#include "crypto/kex_ecdh.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/crypto_internal.h"
#include "crypto/rand.h"
#include "wire/writer.h"

#define FIELD_MAX  66   /* nistp521 */
#define PUBLIC_MAX 1025 /* group18, with a zero byte in front */

struct kex_client {
    EVP_PKEY *pkey; /* NULL for a group */
    struct kex_dh *group;
    const struct algo_kex *algo;
};

static const struct kex_type {
    const char *group; /* NULL: X25519 */
    uint16_t field_len;
    uint16_t public_len;
} types[] = {
    [KEX_CURVE25519] = {NULL, 32, 32},
    [KEX_NISTP256] = {"P-256", 32, 65},
    [KEX_NISTP384] = {"P-384", 48, 97},
    [KEX_NISTP521] = {"P-521", 66, 133},
};

static const struct kex_type *type_of(const struct algo_kex *algo)
{
    CHECK((size_t)algo->kind < ARRAY_LEN(types));
    return &types[algo->kind];
}

/* RFC 7748 5: any 32 bytes are a private key. */
static EVP_PKEY *x25519_generate(void)
{
    uint8_t private_key[32];
    random_fill(private_key, sizeof(private_key));
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, private_key, sizeof(private_key));
    mem_wipe(private_key, sizeof(private_key));
    return pkey;
}

/* NULL if libcrypto refuses. */
static EVP_PKEY *key_generate(const struct kex_type *type)
{
    if (!type->group)
        return x25519_generate();
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)type->group,
                                         0),
        OSSL_PARAM_construct_end(),
    };
    if (!ctx || EVP_PKEY_keygen_init(ctx) != 1 || EVP_PKEY_CTX_set_params(ctx, params) != 1 ||
        EVP_PKEY_generate(ctx, &pkey) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static enum err public_append(const struct kex_type *type, const EVP_PKEY *pkey, struct buf *out)
{
    uint8_t *room;
    size_t length;
    TRY(buf_reserve(out, type->public_len, &room));
    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, room,
                                        type->public_len, &length) != 1 ||
        length != type->public_len)
        return ERR_CRYPTO;
    buf_commit(out, length);
    return OK;
}

/* RFC 8731 3, RFC 5656 4: a value of the wrong length or not on the curve ends the exchange. */
static EVP_PKEY *peer_new(const struct kex_type *type, struct slice value)
{
    if (type->group)
        return crypto_ec_public(type->group, type->field_len, value);
    if (value.len != type->public_len)
        return NULL;
    return EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, value.ptr, value.len);
}

static bool is_all_zero(const uint8_t *bytes, size_t n)
{
    static const uint8_t zeros[FIELD_MAX];
    return mem_equal_secret(bytes, zeros, n);
}

/* The shared secret without encoding: field_len bytes. */
static enum err derive(const struct kex_type *type, EVP_PKEY *own, EVP_PKEY *peer, uint8_t *shared)
{
    enum err err = OK;
    size_t length = type->field_len;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    if (!ctx || EVP_PKEY_derive_init(ctx) != 1)
        err = ERR_CRYPTO;
    else if (EVP_PKEY_derive_set_peer_ex(ctx, peer, 1) != 1)
        err = ERR_FORMAT;
    else if (EVP_PKEY_derive(ctx, shared, &length) != 1 || length != type->field_len)
        err = ERR_CRYPTO;
    else if (!type->group && is_all_zero(shared, length))
        err = ERR_CRYPTO;
    EVP_PKEY_CTX_free(ctx);
    return err;
}

static enum err agree(const struct kex_type *type, EVP_PKEY *own, struct slice peer_public,
                      struct buf *secret)
{
    EVP_PKEY *peer = peer_new(type, peer_public);
    if (!peer)
        return ERR_FORMAT;
    uint8_t shared[FIELD_MAX];
    enum err err = derive(type, own, peer, shared);
    if (err == OK) {
        struct writer w;
        writer_init(&w, secret);
        writer_mpint(&w, slice_of(shared, type->field_len));
        err = writer_done(&w);
    }
    mem_wipe(shared, sizeof(shared));
    EVP_PKEY_free(peer);
    return err;
}

static struct kex_client *client_make(const struct algo_kex *algo, EVP_PKEY *pkey,
                                      struct kex_dh *group)
{
    struct kex_client *k = NEW(struct kex_client);
    *k = (struct kex_client){.pkey = pkey, .group = group, .algo = algo};
    return k;
}

static enum err group_new(struct kex_dh **out, const struct algo_kex *algo,
                          const struct kex_group *group, struct buf *public_out)
{
    CHECK((algo->kind == KEX_DH_EXCHANGE) == (group != NULL));
    return group ? kex_dh_new_in(out, group, public_out) : kex_dh_new(out, algo->kind, public_out);
}

static bool is_group(const struct algo_kex *algo)
{
    return algo->kind == KEX_DH_EXCHANGE || kex_dh_is_for(algo->kind);
}

enum err kex_client_new(struct kex_client **out, const struct crypto *c UNUSED,
                        const struct algo_kex *algo, const struct kex_group *group,
                        struct buf *public_out)
{
    if (is_group(algo)) {
        struct kex_dh *dh;
        TRY(group_new(&dh, algo, group, public_out));
        *out = client_make(algo, NULL, dh);
        return OK;
    }
    EVP_PKEY *pkey = key_generate(type_of(algo));
    enum err err = pkey ? public_append(type_of(algo), pkey, public_out) : ERR_CRYPTO;
    if (err != OK) {
        EVP_PKEY_free(pkey);
        return crypto_fail(err);
    }
    *out = client_make(algo, pkey, NULL);
    return OK;
}

void kex_client_free(struct kex_client *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    kex_dh_free(k->group);
    mem_free(k);
}

enum err kex_client_finish(struct kex_client *k, struct slice server_public, struct buf *secret)
{
    if (k->group)
        return kex_dh_finish(k->group, server_public, secret);
    enum err err = agree(type_of(k->algo), k->pkey, server_public, secret);
    return err == OK ? OK : crypto_fail(err);
}

/* Nothing is appended unless both parts are there: a value in range is the only condition. */
static enum err group_server(const struct algo_kex *algo, const struct kex_group *named,
                             struct slice client_public, struct buf *public_out, struct buf *secret)
{
    struct kex_dh *group;
    struct buf value;
    buf_init(&value, PUBLIC_MAX);
    enum err err = group_new(&group, algo, named, &value);
    if (err == OK) {
        err = kex_dh_finish(group, client_public, secret);
        if (err == OK)
            err = buf_append_slice(public_out, buf_slice(&value));
        kex_dh_free(group);
    }
    buf_done(&value);
    return err;
}

enum err kex_server(const struct crypto *c UNUSED, const struct algo_kex *algo,
                    const struct kex_group *group, struct slice client_public,
                    struct buf *public_out, struct buf *secret)
{
    if (is_group(algo))
        return group_server(algo, group, client_public, public_out, secret);
    const struct kex_type *type = type_of(algo);
    EVP_PKEY *own = key_generate(type);
    enum err err = own ? agree(type, own, client_public, secret) : ERR_CRYPTO;
    if (err == OK)
        err = public_append(type, own, public_out);
    EVP_PKEY_free(own);
    return err == OK ? OK : crypto_fail(err);
}
