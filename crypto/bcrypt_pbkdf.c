/*
 * bcrypt_pbkdf over an own Blowfish, written for this one use: the key schedule with and without
 * salt, and encryption. Its table look-ups depend on the passphrase, as bcrypt's design has it; it
 * runs only where a key file is opened, never on a peer's clock.
 */
#include "crypto/bcrypt_pbkdf.h"

#include "crypto/blowfish_pi.h"
#include "crypto/digest.h"
#include "wire/writer.h"

#define ROUND_KEYS  18
#define BOX_WORDS   256
#define BLOCK_WORDS 8  /* of the text that is encrypted over and over */
#define BLOCK_LEN   32 /* the same in bytes: what one round yields */
#define REPEATS     64 /* bcrypt's cost, fixed at 2^6 */
#define HASH_LEN    64 /* SHA-512 */

/* In the order of the schedule: round keys, then the four tables. */
struct blowfish {
    uint32_t words[BLOWFISH_PI_WORDS];
};

/* All that must be forgotten afterwards. */
struct derivation {
    struct blowfish state;
    uint8_t pass_hash[HASH_LEN];
    uint8_t salt_hash[HASH_LEN];
    uint8_t block[BLOCK_LEN];
    uint8_t sum[BLOCK_LEN];
    uint8_t salt[BCRYPT_SALT_MAX + 4];
};

static inline uint32_t blowfish_mix(const uint32_t *boxes, uint32_t half)
{
    uint32_t sum = boxes[half >> 24] + boxes[BOX_WORDS + (half >> 16 & 255)];
    return (sum ^ boxes[2 * BOX_WORDS + (half >> 8 & 255)]) + boxes[3 * BOX_WORDS + (half & 255)];
}

static void blowfish_encrypt(const struct blowfish *b, uint32_t pair[2])
{
    const uint32_t *keys = b->words;
    const uint32_t *boxes = b->words + ROUND_KEYS;
    uint32_t left = pair[0] ^ keys[0];
    uint32_t right = pair[1];
    for (size_t i = 1; i < ROUND_KEYS - 1; i += 2) {
        right ^= blowfish_mix(boxes, left) ^ keys[i];
        left ^= blowfish_mix(boxes, right) ^ keys[i + 1];
    }
    pair[0] = right ^ keys[ROUND_KEYS - 1];
    pair[1] = left;
}

/* The next word of 64 bytes that repeat without end. */
static inline uint32_t word_next(const uint8_t bytes[HASH_LEN], size_t *at)
{
    uint32_t word = get_u32(bytes + *at);
    *at = (*at + 4) % HASH_LEN;
    return word;
}

/* Mixes key into the round keys, and replaces every word by encryption; salt may be NULL. */
static void blowfish_expand(struct blowfish *b, const uint8_t *salt, const uint8_t key[HASH_LEN])
{
    uint32_t pair[2] = {0, 0};
    size_t key_at = 0;
    size_t salt_at = 0;
    for (size_t i = 0; i < ROUND_KEYS; i++)
        b->words[i] ^= word_next(key, &key_at);
    for (size_t i = 0; i < BLOWFISH_PI_WORDS; i += 2) {
        if (salt) {
            pair[0] ^= word_next(salt, &salt_at);
            pair[1] ^= word_next(salt, &salt_at);
        }
        blowfish_encrypt(b, pair);
        b->words[i] = pair[0];
        b->words[i + 1] = pair[1];
    }
    mem_wipe(pair, sizeof(pair));
}

/* One bcrypt: the hashes become 32 bytes in block, little endian by word as OpenSSH writes them. */
static void block_make(struct derivation *d)
{
    static const uint8_t text[] = "OxychromaticBlowfishSwatDynamite";
    uint32_t words[BLOCK_WORDS];
    memcpy(d->state.words, blowfish_pi, sizeof(blowfish_pi));
    blowfish_expand(&d->state, d->salt_hash, d->pass_hash);
    for (size_t i = 0; i < REPEATS; i++) {
        blowfish_expand(&d->state, NULL, d->salt_hash);
        blowfish_expand(&d->state, NULL, d->pass_hash);
    }
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        words[i] = get_u32(text + 4 * i);
    for (size_t i = 0; i < REPEATS; i++) {
        for (size_t j = 0; j < BLOCK_WORDS; j += 2)
            blowfish_encrypt(&d->state, words + j);
    }
    for (size_t i = 0; i < BLOCK_LEN; i++)
        d->block[i] = (uint8_t)(words[i / 4] >> (8 * (i % 4)));
    mem_wipe(words, sizeof(words));
}

/* The exclusive or of all rounds; the first one's salt is the file's with a number behind it. */
static void sum_make(struct derivation *d, const struct crypto *c, size_t salt_len, uint32_t number,
                     uint32_t rounds)
{
    put_u32(d->salt + salt_len, number);
    digest(c, DIGEST_SHA512, slice_of(d->salt, salt_len + 4), d->salt_hash);
    block_make(d);
    memcpy(d->sum, d->block, BLOCK_LEN);
    for (uint32_t i = 1; i < rounds; i++) {
        digest(c, DIGEST_SHA512, slice_of(d->block, BLOCK_LEN), d->salt_hash);
        block_make(d);
        for (size_t j = 0; j < BLOCK_LEN; j++)
            d->sum[j] ^= d->block[j];
    }
}

enum err bcrypt_pbkdf(const struct crypto *c, struct slice passphrase, struct slice salt,
                      uint32_t rounds, uint8_t *key, size_t key_len)
{
    if (passphrase.len == 0 || salt.len == 0 || rounds == 0 || key_len == 0)
        return ERR_FORMAT;
    if (salt.len > BCRYPT_SALT_MAX || rounds > BCRYPT_ROUNDS_MAX || key_len > BCRYPT_KEY_MAX)
        return ERR_LIMIT;
    struct derivation *d = NEW(struct derivation);
    digest(c, DIGEST_SHA512, passphrase, d->pass_hash);
    memcpy(d->salt, salt.ptr, salt.len);
    /* Not block behind block: each block's bytes are dealt out over the whole key. */
    size_t stride = (key_len + BLOCK_LEN - 1) / BLOCK_LEN;
    size_t share = (key_len + stride - 1) / stride;
    for (size_t block = 0; block < stride; block++) {
        sum_make(d, c, salt.len, (uint32_t)block + 1, rounds);
        for (size_t i = 0; i < share && i * stride + block < key_len; i++)
            key[i * stride + block] = d->sum[i];
    }
    mem_wipe(d, sizeof(*d));
    mem_free(d);
    return OK;
}
