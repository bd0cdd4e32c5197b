/*
 * aes*-gcm@openssh.com (RFC 5647 as OpenSSH negotiates it): the length travels in clear as
 * additional data, the nonce is 4 fixed bytes and an 8 byte counter of packets. Keeps the nonce in
 * struct cipher_keys, so that exporting is copying.
 */
#include "crypto/cipher_internal.h"

#define FIXED_LEN 4
#define NONCE_LEN 12
#define AAD_LEN   4
#define TAG_LEN   16

/*
 * RFC 5647 7.1: a nonce may never come twice under one key. The counter starts where key
 * derivation put it; the packet that would make it roll over is refused.
 */
static bool is_exhausted(const struct cipher *k)
{
    for (size_t i = FIXED_LEN; i < NONCE_LEN; i++) {
        if (k->keys.iv.bytes[i] != 0xff)
            return false;
    }
    return true;
}

static void nonce_advance(struct cipher *k)
{
    for (size_t i = NONCE_LEN; i > FIXED_LEN; i--) {
        if (++k->keys.iv.bytes[i - 1] != 0)
            return;
    }
}

/* The additional data is update's input without an output. */
static bool aad_add(EVP_CIPHER_CTX *ctx, const uint8_t *packet)
{
    int done;
    return EVP_CipherUpdate(ctx, NULL, &done, packet, AAD_LEN) == 1 && done == AAD_LEN;
}

enum err gcm_seal(struct cipher *k, uint8_t *packet, size_t len)
{
    int done;
    if (is_exhausted(k))
        return ERR_LIMIT;
    if (EVP_EncryptInit_ex2(k->body, NULL, NULL, k->keys.iv.bytes, NULL) != 1 ||
        !aad_add(k->body, packet) ||
        !cipher_run(k->body, packet + AAD_LEN, packet + AAD_LEN, len - AAD_LEN) ||
        EVP_EncryptFinal_ex(k->body, packet + len, &done) != 1 ||
        EVP_CIPHER_CTX_ctrl(k->body, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, packet + len) != 1)
        return ERR_CRYPTO;
    nonce_advance(k);
    return OK;
}

/*
 * libcrypto decrypts in the same pass that computes the tag; cipher_open wipes what did not hold,
 * so that no plaintext is seen before the tag is known to be right.
 */
enum err gcm_open(struct cipher *k, uint8_t *packet, size_t len)
{
    int done;
    uint8_t nothing[16];
    if (is_exhausted(k))
        return ERR_LIMIT;
    if (EVP_DecryptInit_ex2(k->body, NULL, NULL, k->keys.iv.bytes, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(k->body, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, packet + len) != 1 ||
        !aad_add(k->body, packet) ||
        !cipher_run(k->body, packet + AAD_LEN, packet + AAD_LEN, len - AAD_LEN) ||
        EVP_DecryptFinal_ex(k->body, nothing, &done) != 1)
        return ERR_CRYPTO;
    nonce_advance(k);
    return OK;
}
