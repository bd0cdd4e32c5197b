/*
 * chacha20-poly1305@openssh.com (OpenSSH's PROTOCOL.chacha20poly1305): the length field under one
 * key, the rest under another, a Poly1305 tag over both as they travel. The nonce is the
 * sequence number, so there is no IV to keep. This is not the AEAD of RFC 8439: no padding, no
 * lengths in the tag's input.
 */
#include "crypto/cipher_internal.h"
#include "wire/writer.h"

#define KEY_LEN   32
#define TAG_LEN   16
#define BLOCK_LEN 64 /* of ChaCha20's stream */

/* Starts the stream of a packet: 8 bytes block counter (zero), then the nonce, big endian. */
static bool stream_start(EVP_CIPHER_CTX *ctx, uint32_t sequence)
{
    uint8_t iv[16] = {0};
    put_u32(iv + 12, sequence);
    return EVP_EncryptInit_ex2(ctx, NULL, NULL, iv, NULL) == 1;
}

enum err chachapoly_init(struct cipher *k, const struct crypto *c)
{
    /* The derived key's first half is for the body, its second for the length. */
    k->length = cipher_context_new(crypto_cipher(c, k->algo), k->keys.key.bytes + KEY_LEN);
    EVP_MAC *poly1305 = crypto_poly1305(c);
    k->tagger = poly1305 ? EVP_MAC_CTX_new(poly1305) : NULL;
    return k->length && k->tagger ? OK : ERR_CRYPTO;
}

/* What the length field of this packet is masked with; kept, as peek and open both ask. */
static bool length_mask_make(struct cipher *k, uint32_t sequence)
{
    static const uint8_t zeros[sizeof(k->length_mask)];
    if (k->has_mask && k->mask_sequence == sequence)
        return true;
    k->has_mask = stream_start(k->length, sequence) &&
                  cipher_run(k->length, k->length_mask, zeros, sizeof(zeros));
    k->mask_sequence = sequence;
    return k->has_mask;
}

static void length_mask_apply(const struct cipher *k, uint8_t *to, const uint8_t *from)
{
    for (size_t i = 0; i < sizeof(k->length_mask); i++)
        to[i] = from[i] ^ k->length_mask[i];
}

/*
 * Starts the body's stream and keys the tag with its first 32 bytes. The whole first block is
 * drawn, so that the stream stands at block 1, where the body begins.
 */
static bool body_start(struct cipher *k, uint32_t sequence)
{
    static const uint8_t zeros[BLOCK_LEN];
    uint8_t block[BLOCK_LEN];
    bool ok = stream_start(k->body, sequence) && cipher_run(k->body, block, zeros, BLOCK_LEN) &&
              EVP_MAC_init(k->tagger, block, KEY_LEN, NULL) == 1;
    mem_wipe(block, sizeof(block));
    return ok;
}

static bool tag_make(struct cipher *k, const uint8_t *packet, size_t len, uint8_t *tag)
{
    size_t done;
    return EVP_MAC_update(k->tagger, packet, len) == 1 &&
           EVP_MAC_final(k->tagger, tag, &done, TAG_LEN) == 1 && done == TAG_LEN;
}

enum err chachapoly_seal(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len)
{
    if (!length_mask_make(k, sequence) || !body_start(k, sequence))
        return ERR_CRYPTO;
    length_mask_apply(k, packet, packet);
    if (!cipher_run(k->body, packet + 4, packet + 4, len - 4) ||
        !tag_make(k, packet, len, packet + len))
        return ERR_CRYPTO;
    return OK;
}

uint32_t chachapoly_peek(struct cipher *k, uint32_t sequence, const uint8_t *head)
{
    uint8_t length[4];
    /* Both are set up already: only a bug makes a stream cipher fail. */
    CHECK(length_mask_make(k, sequence));
    length_mask_apply(k, length, head);
    return get_u32(length);
}

enum err chachapoly_open(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len)
{
    uint8_t tag[TAG_LEN];
    if (!body_start(k, sequence) || !tag_make(k, packet, len, tag))
        return ERR_CRYPTO;
    if (!mem_equal_secret(tag, packet + len, TAG_LEN))
        return ERR_CRYPTO;
    if (!length_mask_make(k, sequence) || !cipher_run(k->body, packet + 4, packet + 4, len - 4))
        return ERR_CRYPTO;
    length_mask_apply(k, packet, packet);
    return OK;
}
