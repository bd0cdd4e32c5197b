/*
 * CBC (RFC 4253 6.3), the IV of a packet being the last block of the one before. Encrypt-and-mac
 * leaves an attacker to try lengths (Albrecht, Paterson, Watson 2009): transport/packet.c answers
 * no bad one before it has read as much as the longest packet.
 */
#include "crypto/cipher_internal.h"
#include "wire/writer.h"

#define BLOCK_MAX 16

static bool start(struct cipher *k, EVP_CIPHER_CTX *ctx)
{
    return EVP_CipherInit_ex2(ctx, NULL, NULL, k->keys.iv.bytes, -1, NULL) == 1;
}

static bool encrypt(struct cipher *k, uint8_t *bytes, size_t len)
{
    if (!start(k, k->body) || !cipher_run(k->body, bytes, bytes, len))
        return false;
    memcpy(k->keys.iv.bytes, bytes + len - k->algo->block_len, k->algo->block_len);
    return true;
}

static bool decrypt(struct cipher *k, uint8_t *bytes, size_t len)
{
    uint8_t last[BLOCK_MAX];
    memcpy(last, bytes + len - k->algo->block_len, k->algo->block_len);
    if (!start(k, k->reverse) || !cipher_run(k->reverse, bytes, bytes, len))
        return false;
    memcpy(k->keys.iv.bytes, last, k->algo->block_len);
    return true;
}

enum err cbc_init(struct cipher *k, const EVP_CIPHER *type)
{
    k->reverse = EVP_CIPHER_CTX_new();
    return k->reverse &&
                   EVP_DecryptInit_ex2(k->reverse, type, k->keys.key.bytes, NULL, NULL) == 1 &&
                   EVP_CIPHER_CTX_set_padding(k->reverse, 0) == 1
               ? OK
               : ERR_CRYPTO;
}

enum err cbc_seal(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len)
{
    struct slice whole = slice_of(packet, len);
    size_t aad = cipher_aad_len(k);
    if (!k->mac->etm && !cipher_tag_make(k, sequence, whole, packet + len))
        return ERR_CRYPTO;
    if (!encrypt(k, packet + aad, len - aad))
        return ERR_CRYPTO;
    if (k->mac->etm && !cipher_tag_make(k, sequence, whole, packet + len))
        return ERR_CRYPTO;
    return OK;
}

uint32_t cbc_peek(struct cipher *k, const uint8_t *head)
{
    uint8_t block[BLOCK_MAX];
    /* Set up already: only a bug makes it fail. */
    CHECK(start(k, k->reverse) && cipher_run(k->reverse, block, head, k->algo->block_len));
    uint32_t length = get_u32(block);
    mem_wipe(block, sizeof(block));
    return length;
}

enum err cbc_open(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len)
{
    size_t aad = cipher_aad_len(k);
    if (k->mac->etm && !cipher_tag_holds(k, sequence, packet, len))
        return ERR_CRYPTO;
    if (!decrypt(k, packet + aad, len - aad))
        return ERR_CRYPTO;
    if (!k->mac->etm && !cipher_tag_holds(k, sequence, packet, len))
        return ERR_CRYPTO;
    return OK;
}
