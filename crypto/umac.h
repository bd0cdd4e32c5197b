/*
 * UMAC (RFC 4418) as OpenSSH's umac-64 and umac-128 use it: a 16-byte key, the packet's number as
 * an 8-byte big-endian nonce. libcrypto has only its AES; the universal hash is here.
 */
#ifndef ADIT_CRYPTO_UMAC_H
#define ADIT_CRYPTO_UMAC_H

#include "crypto/algo.h"

#define UMAC_KEY_LEN 16
#define UMAC_TAG_MAX 16
/* Longer messages need RFC 4418 5.2's second polynomial; a packet is at most 256 KiB. */
#define UMAC_MESSAGE_MAX (16U << 20)

struct umac; /* one key */

/* tag_len: 8 or 16 (CHECK). NULL if libcrypto refuses. */
struct umac *umac_new(const struct crypto *c, const uint8_t key[UMAC_KEY_LEN],
                      size_t tag_len) MUST_USE;
void umac_free(struct umac *u); /* wipes; NULL allowed */

/*
 * The tag of message, at most UMAC_MESSAGE_MAX bytes (CHECK), under a nonce that no other message
 * has. False only if libcrypto fails. Takes a time that depends on the length alone.
 */
bool umac_tag(struct umac *u, uint64_t nonce, struct slice message, uint8_t *tag) MUST_USE;

#endif
