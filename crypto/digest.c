/*
 * Hashes, HMAC and base64. A failure of libcrypto here can only be our bug or a lack of memory,
 * so it aborts; nothing below reads bytes that could make it fail. Packet macs are not here: they
 * belong to cipher.
 */
#include "crypto/digest.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/crypto_internal.h"

struct digest_context {
    EVP_MD_CTX *ctx;
    const EVP_MD *md; /* borrowed from struct crypto */
};

size_t digest_len(enum digest_kind kind)
{
    static const uint8_t lengths[DIGEST_KINDS] = {
        [DIGEST_SHA1] = 20,   [DIGEST_SHA256] = 32, [DIGEST_SHA384] = 48,
        [DIGEST_SHA512] = 64, [DIGEST_MD5] = 16,
    };
    CHECK((size_t)kind < ARRAY_LEN(lengths));
    return lengths[kind];
}

void digest(const struct crypto *c, enum digest_kind kind, struct slice bytes, uint8_t *out)
{
    CHECK((size_t)kind < DIGEST_KINDS);
    CHECK(EVP_Digest(bytes.ptr, bytes.len, out, NULL, c->digests[kind], NULL) == 1);
}

struct digest_context *digest_context_new(const struct crypto *c, enum digest_kind kind)
{
    CHECK((size_t)kind < DIGEST_KINDS);
    struct digest_context *d = NEW(struct digest_context);
    d->ctx = EVP_MD_CTX_new();
    d->md = c->digests[kind];
    CHECK(d->ctx);
    return d;
}

void digest_context_free(struct digest_context *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->ctx);
    mem_free(d);
}

void digest_begin(struct digest_context *d)
{
    CHECK(EVP_DigestInit_ex2(d->ctx, d->md, NULL) == 1);
}

void digest_add(struct digest_context *d, struct slice bytes)
{
    CHECK(bytes.len == 0 || EVP_DigestUpdate(d->ctx, bytes.ptr, bytes.len) == 1);
}

void digest_end(struct digest_context *d, uint8_t *out)
{
    CHECK(EVP_DigestFinal_ex(d->ctx, out, NULL) == 1);
}

void hmac(const struct crypto *c, enum digest_kind kind, struct slice key, struct slice bytes,
          uint8_t *out)
{
    static const uint8_t nothing[1];
    char *name = mem_strdup(crypto_digest_name(kind));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    size_t length;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(c->hmac);
    CHECK(ctx);
    /* A NULL key would mean "as before" to libcrypto, even with length 0. */
    CHECK(EVP_MAC_init(ctx, key.len ? key.ptr : nothing, key.len, params) == 1);
    CHECK(bytes.len == 0 || EVP_MAC_update(ctx, bytes.ptr, bytes.len) == 1);
    CHECK(EVP_MAC_final(ctx, out, &length, digest_len(kind)) == 1 && length == digest_len(kind));
    EVP_MAC_CTX_free(ctx);
    mem_free(name);
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(struct slice bytes, bool padded)
{
    char *text = mem_new((bytes.len + 2) / 3 * 4 + 1, 1);
    size_t at = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = MIN(bytes.len - i, 3);
        uint32_t group = (uint32_t)bytes.ptr[i] << 16;
        if (have > 1)
            group |= (uint32_t)bytes.ptr[i + 1] << 8;
        if (have > 2)
            group |= bytes.ptr[i + 2];
        for (size_t j = 0; j < 4; j++) {
            if (j <= have)
                text[at++] = base64_digits[group >> (18 - 6 * j) & 63];
            else if (padded)
                text[at++] = '=';
        }
    }
    text[at] = '\0';
    return text;
}

/* 0..63, or -1. By comparison and not by table: private keys pass here. */
static int base64_value(uint8_t c)
{
    int value = -1;
    value = c >= 'A' && c <= 'Z' ? c - 'A' : value;
    value = c >= 'a' && c <= 'z' ? c - 'a' + 26 : value;
    value = c >= '0' && c <= '9' ? c - '0' + 52 : value;
    value = c == '+' ? 62 : value;
    value = c == '/' ? 63 : value;
    return value;
}

/* Takes the padding off; false if there is a wrong amount of it. */
static bool base64_unpad(struct slice *text)
{
    size_t padding = 0;
    while (padding < 2 && text->len && text->ptr[text->len - 1] == '=') {
        text->len--;
        padding++;
    }
    return text->len % 4 != 1 && (padding == 0 || (text->len + padding) % 4 == 0);
}

enum err base64_decode(struct slice text, struct buf *out)
{
    uint8_t *room;
    if (!base64_unpad(&text))
        return ERR_FORMAT;
    size_t length = text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0);
    TRY(buf_reserve(out, length, &room));
    uint32_t group = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.ptr[i]);
        if (value < 0)
            return ERR_FORMAT;
        group = (group << 6 | (uint32_t)value) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *room++ = (uint8_t)(group >> bits);
        }
    }
    /* Bits that say nothing must be zero: one value, one text. */
    if (group & ((1U << bits) - 1))
        return ERR_FORMAT;
    buf_commit(out, length);
    return OK;
}
