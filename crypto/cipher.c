/*
 * One direction's keys and contexts, and the choice among the kinds of cipher. What each kind
 * does with a packet is in cipher_chachapoly.c, cipher_gcm.c, cipher_ctr.c and legacy_cbc.c. Knows
 * nothing of padding, of compression or of when keys must be renewed.
 */
#include "crypto/cipher.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/cipher_internal.h"
#include "crypto/digest.h"
#include "wire/writer.h"

/* libcrypto counts in int: far above any packet, and a multiple of every block. */
#define RUN_MAX (1U << 30)

EVP_CIPHER_CTX *cipher_context_new(const EVP_CIPHER *type, const uint8_t *key)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx && (EVP_EncryptInit_ex2(ctx, type, key, NULL, NULL) != 1 ||
                EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

bool cipher_run(EVP_CIPHER_CTX *ctx, uint8_t *to, const uint8_t *from, size_t len)
{
    int done;
    if (len > RUN_MAX)
        return false;
    return EVP_CipherUpdate(ctx, to, &done, from, (int)len) == 1 && (size_t)done == len;
}

bool cipher_tag_make(struct cipher *k, uint32_t sequence, struct slice bytes, uint8_t *out)
{
    uint8_t number[4], whole[DIGEST_MAX];
    size_t done;
    if (k->umac)
        return bytes.len <= UMAC_MESSAGE_MAX && umac_tag(k->umac, sequence, bytes, out);
    put_u32(number, sequence);
    if (EVP_MAC_init(k->tagger, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(k->tagger, number, sizeof(number)) != 1 ||
        EVP_MAC_update(k->tagger, bytes.ptr, bytes.len) != 1 ||
        EVP_MAC_final(k->tagger, whole, &done, sizeof(whole)) != 1 || done < k->mac->tag_len)
        return false;
    memcpy(out, whole, k->mac->tag_len); /* the "-96" ones are cut */
    return true;
}

bool cipher_tag_holds(struct cipher *k, uint32_t sequence, const uint8_t *packet, size_t len)
{
    uint8_t tag[DIGEST_MAX];
    return cipher_tag_make(k, sequence, slice_of(packet, len), tag) &&
           mem_equal_secret(tag, packet + len, k->mac->tag_len);
}

static enum err mac_init(struct cipher *k, const struct crypto *c)
{
    if (k->mac->kind == MAC_UMAC) {
        k->umac = umac_new(c, k->keys.mac.bytes, k->mac->tag_len);
        return k->umac ? OK : ERR_CRYPTO;
    }
    char *name CLEANUP(mem_cleanup) = mem_strdup(crypto_digest_name(k->mac->digest));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    k->tagger = EVP_MAC_CTX_new(c->hmac);
    if (!k->tagger || EVP_MAC_init(k->tagger, k->keys.mac.bytes, k->keys.mac.len, params) != 1)
        return ERR_CRYPTO;
    return OK;
}

static enum err contexts_init(struct cipher *k, const struct crypto *c)
{
    const EVP_CIPHER *type = crypto_cipher(c, k->algo);
    k->body = type ? cipher_context_new(type, k->keys.key.bytes) : NULL;
    if (!k->body)
        return ERR_CRYPTO;
    if (k->algo->kind == CIPHER_CBC)
        TRY(cbc_init(k, type));
    if (k->algo->kind == CIPHER_CHACHAPOLY)
        return chachapoly_init(k, c);
    return k->mac ? mac_init(k, c) : OK;
}

enum err cipher_new(struct cipher **out, const struct crypto *c, const struct algo_cipher *algo,
                    const struct algo_mac *mac, const struct cipher_keys *keys)
{
    CHECK((algo->tag_len != 0) == (mac == NULL));
    /* Not CHECKed: imported keys come out of a record. */
    if (keys->key.len != algo->key_len || keys->iv.len != algo->iv_len ||
        keys->mac.len != (mac ? mac->key_len : 0))
        return ERR_CRYPTO;
    struct cipher *k = NEW(struct cipher);
    k->algo = algo;
    k->mac = mac;
    k->keys = *keys;
    if (contexts_init(k, c) != OK) {
        cipher_free(k);
        return crypto_fail(ERR_CRYPTO);
    }
    *out = k;
    return OK;
}

void cipher_free(struct cipher *k)
{
    if (!k)
        return;
    EVP_CIPHER_CTX_free(k->body);
    EVP_CIPHER_CTX_free(k->reverse);
    EVP_CIPHER_CTX_free(k->length);
    EVP_MAC_CTX_free(k->tagger);
    umac_free(k->umac);
    mem_wipe(k, sizeof(*k));
    mem_free(k);
}

const struct algo_cipher *cipher_algo(const struct cipher *k)
{
    return k->algo;
}

const struct algo_mac *cipher_mac(const struct cipher *k)
{
    return k->mac;
}

size_t cipher_tag_len(const struct cipher *k)
{
    return k->mac ? k->mac->tag_len : k->algo->tag_len;
}

size_t cipher_block_len(const struct cipher *k)
{
    return k->algo->block_len;
}

size_t cipher_aad_len(const struct cipher *k)
{
    return k->mac && !k->mac->etm ? 0 : 4;
}

size_t cipher_head_len(const struct cipher *k)
{
    return k->mac && !k->mac->etm ? k->algo->block_len : 4;
}

bool cipher_must_hide_lengths(const struct cipher *k)
{
    return k->algo->kind == CIPHER_CBC && !k->mac->etm;
}

static bool is_whole_blocks(const struct cipher *k, size_t len)
{
    size_t aad = cipher_aad_len(k);
    return len > aad && len <= RUN_MAX && (len - aad) % k->algo->block_len == 0;
}

enum err cipher_seal(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len)
{
    enum err err = ERR_BUG;
    CHECK(is_whole_blocks(k, len));
    switch (k->algo->kind) {
    case CIPHER_CHACHAPOLY:
        err = chachapoly_seal(k, sequence, packet, len);
        break;
    case CIPHER_GCM:
        err = gcm_seal(k, packet, len);
        break;
    case CIPHER_CTR:
        err = ctr_seal(k, sequence, packet, len);
        break;
    case CIPHER_CBC:
        err = cbc_seal(k, sequence, packet, len);
        break;
    }
    return err == OK ? OK : crypto_fail(err);
}

uint32_t cipher_peek_length(struct cipher *k, uint32_t sequence, const uint8_t *head)
{
    if (k->algo->kind == CIPHER_CHACHAPOLY)
        return chachapoly_peek(k, sequence, head);
    if (cipher_aad_len(k))
        return get_u32(head);
    return k->algo->kind == CIPHER_CBC ? cbc_peek(k, head) : ctr_peek(k, head);
}

enum err cipher_open(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len)
{
    enum err err = ERR_BUG;
    if (!is_whole_blocks(k, len))
        return ERR_FORMAT;
    switch (k->algo->kind) {
    case CIPHER_CHACHAPOLY:
        err = chachapoly_open(k, sequence, packet, len);
        break;
    case CIPHER_GCM:
        err = gcm_open(k, packet, len);
        break;
    case CIPHER_CTR:
        err = ctr_open(k, sequence, packet, len);
        break;
    case CIPHER_CBC:
        err = cbc_open(k, sequence, packet, len);
        break;
    }
    if (err == OK)
        return OK;
    /* Some kinds decrypt while they check: what failed must not be read by mistake. */
    mem_wipe(packet, len);
    return crypto_fail(err);
}

void cipher_export(const struct cipher *k, struct cipher_keys *keys)
{
    *keys = k->keys;
}
