/*
 * One direction's state, shared by cipher.c (choosing, keys, macs) and the kinds. A kind
 * sees a packet that cipher.c has already checked: a whole number of blocks behind the aad. Only
 * the cipher files include it.
 */
#ifndef ADIT_CRYPTO_CIPHER_INTERNAL_H
#define ADIT_CRYPTO_CIPHER_INTERNAL_H

#include "crypto/cipher.h"
#include "crypto/crypto_internal.h"
#include "crypto/umac.h"

struct cipher {
    const struct algo_cipher *algo;
    const struct algo_mac *mac; /* NULL for an AEAD */
    struct cipher_keys keys;    /* keys.iv is of the next packet */
    EVP_CIPHER_CTX *body;       /* keyed once; a packet sets just the IV */
    EVP_CIPHER_CTX *reverse;    /* cbc: where decrypting is another thing than encrypting */
    EVP_CIPHER_CTX *length;     /* chacha20-poly1305: the key of the length field */
    EVP_MAC_CTX *tagger;        /* HMAC keyed once; Poly1305 keyed per packet */
    struct umac *umac;          /* instead of tagger */
    uint32_t mask_sequence;     /* chacha20-poly1305: the packet that length_mask belongs to */
    bool has_mask;
    uint8_t length_mask[4];
};

/* A context with the key in it, without an IV. NULL if libcrypto refuses. */
EVP_CIPHER_CTX *cipher_context_new(const EVP_CIPHER *type, const uint8_t *key) MUST_USE;

/* len bytes in place, however long: libcrypto counts in int. Works for both ways. */
bool cipher_run(EVP_CIPHER_CTX *ctx, uint8_t *to, const uint8_t *from, size_t len) MUST_USE;

/* The mac of struct cipher over sequence and bytes; out: mac.tag_len bytes. */
bool cipher_tag_make(struct cipher *k, uint32_t sequence, struct slice bytes,
                     uint8_t *out) MUST_USE;

/* Does the tag behind len bytes hold? In constant time. */
bool cipher_tag_holds(struct cipher *k, uint32_t sequence, const uint8_t *packet,
                      size_t len) MUST_USE;

enum err chachapoly_init(struct cipher *k, const struct crypto *c) MUST_USE;
enum err chachapoly_seal(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len) MUST_USE;
enum err chachapoly_open(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len) MUST_USE;
uint32_t chachapoly_peek(struct cipher *k, uint32_t sequence, const uint8_t *head);

enum err gcm_seal(struct cipher *k, uint8_t *packet, size_t len) MUST_USE;
enum err gcm_open(struct cipher *k, uint8_t *packet, size_t len) MUST_USE;

enum err ctr_seal(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len) MUST_USE;
enum err ctr_open(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len) MUST_USE;
uint32_t ctr_peek(struct cipher *k, const uint8_t *head);

enum err cbc_init(struct cipher *k, const EVP_CIPHER *type) MUST_USE;
enum err cbc_seal(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len) MUST_USE;
enum err cbc_open(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len) MUST_USE;
uint32_t cbc_peek(struct cipher *k, const uint8_t *head);

#endif
