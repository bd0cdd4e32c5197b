/*
 * Seals and opens one packet in place (RFC 4253 6, RFC 5647, OpenSSH's PROTOCOL and
 * PROTOCOL.chacha20poly1305). One struct cipher is one direction with one set of keys. Key, nonce
 * and counter live in struct cipher_keys, not inside libcrypto, so that the whole state can be
 * exported at a packet boundary; libcrypto's contexts are made once per direction.
 *
 * A packet here: 4 bytes length, 1 byte padding length, payload, padding; behind it room for the
 * tag. transport/packet.c writes length and padding; this room knows no more of them.
 */
#ifndef ADIT_CRYPTO_CIPHER_H
#define ADIT_CRYPTO_CIPHER_H

#include "crypto/algo.h"

/* What key derivation yields and what export carries. */
struct cipher_keys {
    struct secret key; /* algo_cipher.key_len */
    struct secret iv;  /* algo_cipher.iv_len; moves on: the IV of the NEXT packet (gcm: the 12
                          bytes with the invocation counter, ctr: the counter block, cbc: the last
                          block sent) */
    struct secret mac; /* algo_mac.key_len; empty for an AEAD */
};

struct cipher; /* one direction */

/*
 * mac is NULL for an AEAD. Copies keys. ERR_CRYPTO: a length that does not fit the algorithm, or
 * libcrypto refuses.
 */
enum err cipher_new(struct cipher **out, const struct crypto *c, const struct algo_cipher *algo,
                    const struct algo_mac *mac, const struct cipher_keys *keys) MUST_USE;
void cipher_free(struct cipher *k); /* wipes */

const struct algo_cipher *cipher_algo(const struct cipher *k);
const struct algo_mac *cipher_mac(const struct cipher *k);
size_t cipher_tag_len(const struct cipher *k);   /* of the AEAD or the mac */
size_t cipher_block_len(const struct cipher *k); /* at least 8 */
/*
 * Bytes at the packet's head that do not count for the multiple of the block: 4 where the length
 * is in clear or sealed apart (AEAD, etm), else 0.
 */
size_t cipher_aad_len(const struct cipher *k);

/*
 * How soon a bad length is answered tells an attacker about plaintext: the caller has to read as
 * much as the longest packet first, and to treat it as a bad tag.
 */
bool cipher_must_hide_lengths(const struct cipher *k);

/* Bytes that must be there before cipher_peek_length: 4, or a block where the length is encrypted.
 */
size_t cipher_head_len(const struct cipher *k);

/*
 * packet: 4 length + body, len bytes in all (length included), room for the tag behind. len without
 * cipher_aad_len must be a multiple of the block (CHECK). Seals in place and writes the tag.
 * Advances the IV. ERR_LIMIT: gcm's packet counter would roll over; new keys are needed.
 */
enum err cipher_seal(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len) MUST_USE;

/*
 * The packet_length field of the packet that starts at head (cipher_head_len bytes), without
 * changing head or the state: may be repeated with the same bytes. Not authenticated: the caller
 * checks its range before anything else.
 */
uint32_t cipher_peek_length(struct cipher *k, uint32_t sequence, const uint8_t *head);

/*
 * Checks the tag (constant time), decrypts in place: len bytes from the length field on, tag
 * behind. The four length bytes end up in clear. ERR_CRYPTO: the tag does not hold, the packet is
 * wiped and the direction is at its end. ERR_FORMAT: len is not a whole number of blocks behind
 * cipher_aad_len; ERR_LIMIT as in cipher_seal. Advances the IV.
 */
enum err cipher_open(struct cipher *k, uint32_t sequence, uint8_t *packet, size_t len) MUST_USE;

/* The present keys, IV moved on to the next packet: for export. */
void cipher_export(const struct cipher *k, struct cipher_keys *keys);

#endif
