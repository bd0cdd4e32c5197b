/*
 * UMAC: a universal hash in three layers, covered by an AES block that the nonce makes. No branch
 * and no address depends on key or message. Numbers in brackets are sections of RFC 4418. Does not
 * know packets; that a nonce is used once is the caller's matter.
 */
#include "crypto/umac.h"

#include "crypto/crypto_internal.h"
#include "wire/writer.h"

#define BLOCK       16   /* AES */
#define CHUNK       1024 /* what the first layer folds into 8 bytes */
#define NH_STEP     32   /* bytes it takes at a time */
#define STREAMS_MAX 4    /* a tag is so many independent 4-byte hashes */
#define SHIFT_WORDS 4    /* each stream's first-layer key begins so much later than the last */
#define NH_WORDS    (CHUNK / 4 + (STREAMS_MAX - 1) * SHIFT_WORDS)
#define L2_KEY_LEN  24 /* of which the polynomial for short messages takes 8 */
#define L3_PARTS    8

/* 2^64 - 59 and 2^36 - 5 [2.3]; masks as in [5.3]. */
#define PRIME_64      UINT64_C(0xffffffffffffffc5)
#define PRIME_64_GAP  UINT64_C(59)
#define PRIME_36      UINT64_C(0x0000000ffffffffb)
#define PRIME_36_GAP  UINT64_C(5)
#define POLY_KEY_MASK UINT64_C(0x01ffffff01ffffff)
#define WORD_RANGE    UINT64_C(0xffffffff00000000) /* larger words are written as two */

__extension__ typedef unsigned __int128 uint128;

struct umac {
    EVP_CIPHER_CTX *pad; /* keyed for the block that covers the hash */
    size_t streams;
    uint32_t nh_key[NH_WORDS];
    uint64_t poly_key[STREAMS_MAX];
    uint64_t inner_key[STREAMS_MAX][L3_PARTS];
    uint32_t cover[STREAMS_MAX];
};

static uint64_t get_u64(const uint8_t *at)
{
    return (uint64_t)get_u32(at) << 32 | get_u32(at + 4);
}

static uint32_t get_u32_little(const uint8_t *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

/* All ones if a >= b, else zero; without a branch. */
static uint64_t mask_at_least(uint64_t a, uint64_t b)
{
    return (uint64_t)((((uint128)a - b) >> 64) & 1) - 1;
}

static EVP_CIPHER_CTX *aes_new(const struct crypto *c, const uint8_t *key)
{
    const EVP_CIPHER *aes = crypto_aes_block(c);
    EVP_CIPHER_CTX *ctx = aes ? EVP_CIPHER_CTX_new() : NULL;
    if (ctx && (EVP_EncryptInit_ex2(ctx, aes, key, NULL, NULL) != 1 ||
                EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static bool aes_block(EVP_CIPHER_CTX *aes, const uint8_t in[BLOCK], uint8_t out[BLOCK])
{
    int done;
    return EVP_EncryptUpdate(aes, out, &done, in, BLOCK) == 1 && done == BLOCK;
}

/* KDF [3.2.1]: len bytes; out has room for whole blocks. */
static bool key_derive(EVP_CIPHER_CTX *aes, uint8_t index, uint8_t *out, size_t len)
{
    uint8_t in[BLOCK] = {0};
    in[7] = index;
    for (size_t at = 0; at < len; at += BLOCK) {
        put_u32(in + 12, (uint32_t)(at / BLOCK) + 1);
        if (!aes_block(aes, in, out + at))
            return false;
    }
    return true;
}

/* x mod 2^36 - 5, for any x. */
static uint64_t reduce_36(uint64_t x)
{
    x = (x & ((UINT64_C(1) << 36) - 1)) + PRIME_36_GAP * (x >> 36);
    x = (x & ((UINT64_C(1) << 36) - 1)) + PRIME_36_GAP * (x >> 36);
    return x - (PRIME_36 & mask_at_least(x, PRIME_36));
}

/* key * y + word mod 2^64 - 59. */
static uint64_t poly_step(uint64_t key, uint64_t y, uint64_t word)
{
    uint128 product = (uint128)key * y + word;
    product = (uint128)(uint64_t)(product >> 64) * PRIME_64_GAP + (uint64_t)product;
    product = (uint128)(uint64_t)(product >> 64) * PRIME_64_GAP + (uint64_t)product;
    uint64_t low = (uint64_t)product + PRIME_64_GAP * (uint64_t)(product >> 64);
    return low - (PRIME_64 & mask_at_least(low, PRIME_64));
}

/* POLY [5.3.1] of one more word. */
static uint64_t poly_add(uint64_t key, uint64_t y, uint64_t word)
{
    uint64_t is_large = mask_at_least(word, WORD_RANGE);
    uint64_t marked = poly_step(key, y, PRIME_64 - 1);
    y = (marked & is_large) | (y & ~is_large);
    return poly_step(key, y, word - (PRIME_64_GAP & is_large));
}

/* L3-HASH [5.4] of sixteen bytes, the first eight of which are zero for a short message. */
static uint32_t inner_hash(const uint64_t key[L3_PARTS], uint64_t value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < 4; i++)
        sum += (value >> (48 - 16 * i) & 0xffff) * key[L3_PARTS / 2 + i];
    return (uint32_t)reduce_36(sum);
}

/* NH [5.2.2] over whole steps of 32 bytes, for one stream. */
static uint64_t nh(const uint32_t *key, const uint8_t *bytes, size_t len)
{
    uint64_t sum = 0;
    for (size_t at = 0; at < len; at += NH_STEP, key += NH_STEP / 4) {
        for (size_t i = 0; i < 4; i++) {
            uint32_t a = get_u32_little(bytes + at + 4 * i) + key[i];
            uint32_t b = get_u32_little(bytes + at + 4 * i + 16) + key[i + 4];
            sum += (uint64_t)a * b;
        }
    }
    return sum;
}

/* The first layer of a chunk: whole steps in place, the rest padded with zeros. */
static void chunk_hash(const struct umac *u, const uint8_t *bytes, size_t len, uint64_t *out)
{
    uint8_t last[NH_STEP] = {0};
    size_t whole = len - len % NH_STEP;
    /* An empty message counts as one step of zeros. */
    bool has_last = len % NH_STEP || len == 0;
    if (len > whole)
        memcpy(last, bytes + whole, len - whole);
    for (size_t i = 0; i < u->streams; i++) {
        const uint32_t *key = u->nh_key + i * SHIFT_WORDS;
        out[i] = nh(key, bytes, whole) + 8 * (uint64_t)len;
        if (has_last)
            out[i] += nh(key + whole / 4, last, NH_STEP);
    }
    mem_wipe(last, sizeof(last));
}

/* UHASH [5.1]: streams words. */
static void message_hash(const struct umac *u, struct slice message, uint32_t *out)
{
    uint64_t folded[STREAMS_MAX];
    uint64_t y[STREAMS_MAX] = {1, 1, 1, 1};
    bool is_long = message.len > CHUNK;
    size_t at = 0;
    do {
        size_t len = MIN(message.len - at, CHUNK);
        chunk_hash(u, message.ptr + at, len, folded);
        for (size_t i = 0; i < u->streams; i++)
            y[i] = is_long ? poly_add(u->poly_key[i], y[i], folded[i]) : folded[i];
        at += len;
    } while (at < message.len);
    for (size_t i = 0; i < u->streams; i++)
        out[i] = inner_hash(u->inner_key[i], y[i]) ^ u->cover[i];
}

static bool keys_make(struct umac *u, const struct crypto *c, EVP_CIPHER_CTX *aes)
{
    uint8_t bytes[NH_WORDS * 4];
    size_t n = u->streams;
    bool ok = key_derive(aes, 1, bytes, CHUNK + (n - 1) * SHIFT_WORDS * 4);
    for (size_t i = 0; i < CHUNK / 4 + (n - 1) * SHIFT_WORDS; i++)
        u->nh_key[i] = get_u32(bytes + 4 * i);
    ok = ok && key_derive(aes, 2, bytes, n * L2_KEY_LEN);
    for (size_t i = 0; i < n; i++)
        u->poly_key[i] = get_u64(bytes + L2_KEY_LEN * i) & POLY_KEY_MASK;
    ok = ok && key_derive(aes, 3, bytes, n * L3_PARTS * 8);
    for (size_t i = 0; i < n * L3_PARTS; i++)
        u->inner_key[i / L3_PARTS][i % L3_PARTS] = reduce_36(get_u64(bytes + 8 * i));
    ok = ok && key_derive(aes, 4, bytes, n * 4);
    for (size_t i = 0; i < n; i++)
        u->cover[i] = get_u32(bytes + 4 * i);
    ok = ok && key_derive(aes, 0, bytes, UMAC_KEY_LEN);
    if (ok)
        u->pad = aes_new(c, bytes);
    mem_wipe(bytes, sizeof(bytes));
    return ok && u->pad;
}

struct umac *umac_new(const struct crypto *c, const uint8_t key[UMAC_KEY_LEN], size_t tag_len)
{
    CHECK(tag_len == 8 || tag_len == 16);
    struct umac *u = NEW(struct umac);
    u->streams = tag_len / 4;
    EVP_CIPHER_CTX *aes = aes_new(c, key);
    bool ok = aes && keys_make(u, c, aes);
    EVP_CIPHER_CTX_free(aes);
    if (ok)
        return u;
    umac_free(u);
    ERR_clear_error();
    return NULL;
}

void umac_free(struct umac *u)
{
    if (!u)
        return;
    EVP_CIPHER_CTX_free(u->pad);
    mem_wipe(u, sizeof(*u));
    mem_free(u);
}

bool umac_tag(struct umac *u, uint64_t nonce, struct slice message, uint8_t *tag)
{
    uint8_t in[BLOCK] = {0};
    uint8_t pad[BLOCK];
    uint32_t hash[STREAMS_MAX];
    CHECK(message.len <= UMAC_MESSAGE_MAX);
    /* PDF [3.3.1]: of a short tag, two nonces share a block. */
    size_t half = u->streams == 2 ? (size_t)(nonce & 1) : 0;
    nonce -= half;
    put_u32(in, (uint32_t)(nonce >> 32));
    put_u32(in + 4, (uint32_t)nonce);
    if (!aes_block(u->pad, in, pad))
        return false;
    message_hash(u, message, hash);
    for (size_t i = 0; i < u->streams; i++)
        put_u32(tag + 4 * i, hash[i] ^ get_u32(pad + 8 * half + 4 * i));
    mem_wipe(pad, sizeof(pad));
    return true;
}
