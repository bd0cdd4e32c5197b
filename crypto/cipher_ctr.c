/*
 * aes*-ctr (RFC 4344 4) with HMAC or UMAC, in both orders: encrypt-and-mac (RFC 4253 6.4:
 * everything is encrypted, the mac is over the plaintext) and OpenSSH's encrypt-then-mac (the
 * length is in clear, the mac is over what travels). The counter block is kept in struct
 * cipher_keys.
 */
#include "crypto/cipher_internal.h"
#include "wire/writer.h"

#define BLOCK_LEN 16

/* The counter block is one big-endian number; it moves by the blocks that were used. */
static void counter_advance(struct cipher *k, size_t blocks)
{
    uint8_t *counter = k->keys.iv.bytes;
    uint64_t carry = blocks;
    for (size_t i = BLOCK_LEN; i > 0 && carry; i--) {
        carry += counter[i - 1];
        counter[i - 1] = (uint8_t)carry;
        carry >>= 8;
    }
}

static bool counter_start(struct cipher *k)
{
    return EVP_EncryptInit_ex2(k->body, NULL, NULL, k->keys.iv.bytes, NULL) == 1;
}

/* Encrypting and decrypting are the same. */
static bool stream_apply(struct cipher *k, uint8_t *bytes, size_t len)
{
    if (!counter_start(k) || !cipher_run(k->body, bytes, bytes, len))
        return false;
    counter_advance(k, len / BLOCK_LEN);
    return true;
}

enum err ctr_seal(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len)
{
    struct slice whole = slice_of(packet, len);
    size_t aad = cipher_aad_len(k);
    if (!k->mac->etm && !cipher_tag_make(k, sequence, whole, packet + len))
        return ERR_CRYPTO;
    if (!stream_apply(k, packet + aad, len - aad))
        return ERR_CRYPTO;
    if (k->mac->etm && !cipher_tag_make(k, sequence, whole, packet + len))
        return ERR_CRYPTO;
    return OK;
}

uint32_t ctr_peek(struct cipher *k, const uint8_t *head)
{
    uint8_t block[BLOCK_LEN];
    /* Set up already: only a bug makes a stream cipher fail. */
    CHECK(counter_start(k) && cipher_run(k->body, block, head, BLOCK_LEN));
    uint32_t length = get_u32(block);
    mem_wipe(block, sizeof(block));
    return length;
}

enum err ctr_open(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len)
{
    size_t aad = cipher_aad_len(k);
    if (k->mac->etm && !cipher_tag_holds(k, sequence, packet, len))
        return ERR_CRYPTO;
    if (!stream_apply(k, packet + aad, len - aad))
        return ERR_CRYPTO;
    if (!k->mac->etm && !cipher_tag_holds(k, sequence, packet, len))
        return ERR_CRYPTO;
    return OK;
}
