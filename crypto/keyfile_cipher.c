/*
 * The ciphers of encrypted OpenSSH key files (ssh-keygen -Z), over libcrypto. Does not know what
 * is in the section, nor whether the noise a wrong passphrase makes is a key.
 */
#include "crypto/keyfile_cipher.h"

#include "crypto/bcrypt_pbkdf.h"
#include "crypto/crypto_internal.h"
#include "wire/reader.h"

#define CHACHA_KEY_LEN 32
#define CHACHA_BLOCK   64
#define IV_MAX         16

enum shape { SHAPE_PLAIN, SHAPE_GCM, SHAPE_CHACHAPOLY };

/* clang-format off */
struct keyfile_cipher {
    const char *name;
    const char *libcrypto;
    enum shape shape;
    uint8_t key_len;
    uint8_t iv_len;
    uint8_t block_len;
    uint8_t tag_len;
};
static const struct keyfile_cipher ciphers[] = {
    {"aes256-ctr",                    "AES-256-CTR", SHAPE_PLAIN,      32, 16, 16,  0},
    {"aes192-ctr",                    "AES-192-CTR", SHAPE_PLAIN,      24, 16, 16,  0},
    {"aes128-ctr",                    "AES-128-CTR", SHAPE_PLAIN,      16, 16, 16,  0},
    {"aes256-cbc",                    "AES-256-CBC", SHAPE_PLAIN,      32, 16, 16,  0},
    {"aes192-cbc",                    "AES-192-CBC", SHAPE_PLAIN,      24, 16, 16,  0},
    {"aes128-cbc",                    "AES-128-CBC", SHAPE_PLAIN,      16, 16, 16,  0},
    {"aes256-gcm@openssh.com",        "AES-256-GCM", SHAPE_GCM,        32, 12, 16, 16},
    {"aes128-gcm@openssh.com",        "AES-128-GCM", SHAPE_GCM,        16, 12, 16, 16},
    /* The key's second half is for packet lengths: nothing here uses it. */
    {"chacha20-poly1305@openssh.com", "ChaCha20",    SHAPE_CHACHAPOLY, 64,  0,  8, 16},
};
/* clang-format on */

const struct keyfile_cipher *keyfile_cipher_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(ciphers); i++) {
        if (slice_is(name, ciphers[i].name))
            return &ciphers[i];
    }
    return NULL;
}

size_t keyfile_cipher_block_len(const struct keyfile_cipher *cipher)
{
    return cipher->block_len;
}

size_t keyfile_cipher_tag_len(const struct keyfile_cipher *cipher)
{
    return cipher->tag_len;
}

static bool is_tag(const struct crypto *c, const uint8_t *one_time_key, struct slice section,
                   struct slice tag)
{
    uint8_t made[16];
    size_t length;
    EVP_MAC *poly1305 = crypto_poly1305(c);
    EVP_MAC_CTX *mac = poly1305 ? EVP_MAC_CTX_new(poly1305) : NULL;
    bool ok = mac && EVP_MAC_init(mac, one_time_key, CHACHA_KEY_LEN, NULL) == 1 &&
              EVP_MAC_update(mac, section.ptr, section.len) == 1 &&
              EVP_MAC_final(mac, made, &length, sizeof(made)) == 1 && length == sizeof(made) &&
              mem_equal_secret(made, tag.ptr, sizeof(made));
    EVP_MAC_CTX_free(mac);
    return ok;
}

/* As a packet with number 0 and no length field: the stream's first block keys the tag. */
static bool chachapoly_begin(EVP_CIPHER_CTX *ctx, const struct crypto *c, struct slice section,
                             struct slice tag)
{
    static const uint8_t zeros[CHACHA_BLOCK];
    uint8_t block[CHACHA_BLOCK];
    int done;
    bool ok = EVP_CipherUpdate(ctx, block, &done, zeros, sizeof(zeros)) == 1 &&
              is_tag(c, block, section, tag);
    mem_wipe(block, sizeof(block));
    return ok;
}

static bool section_open(const struct keyfile_cipher *cipher, EVP_CIPHER_CTX *ctx,
                         const struct crypto *c, struct slice section, struct slice tag,
                         uint8_t *room)
{
    int done;
    int last;
    if (cipher->shape == SHAPE_CHACHAPOLY && !chachapoly_begin(ctx, c, section, tag))
        return false;
    if (cipher->shape == SHAPE_GCM && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)tag.len,
                                                          (void *)(uintptr_t)tag.ptr) != 1)
        return false;
    return EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
           EVP_CipherUpdate(ctx, room, &done, section.ptr, (int)section.len) == 1 &&
           EVP_CipherFinal_ex(ctx, room + done, &last) == 1 &&
           (size_t)done + (size_t)last == section.len;
}

static enum err keyed_open(const struct keyfile_cipher *cipher, const struct crypto *c,
                           const uint8_t *key, struct slice section, struct slice tag,
                           struct buf *out)
{
    static const uint8_t no_iv[IV_MAX];
    uint8_t *room;
    TRY(buf_reserve(out, section.len, &room));
    EVP_CIPHER *type = EVP_CIPHER_fetch(NULL, cipher->libcrypto, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const uint8_t *iv = cipher->iv_len ? key + cipher->key_len : no_iv;
    bool ok = type && ctx && EVP_CipherInit_ex2(ctx, type, key, iv, 0, NULL) == 1 &&
              section_open(cipher, ctx, c, section, tag, room);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(type);
    if (!ok) {
        mem_wipe(room, section.len);
        return crypto_fail(ERR_CRYPTO);
    }
    buf_commit(out, section.len);
    return OK;
}

enum err keyfile_cipher_open(const struct keyfile_cipher *cipher, const struct crypto *c,
                             struct slice kdf_options, struct slice passphrase,
                             struct slice section, struct slice tag, struct buf *out)
{
    uint8_t key[BCRYPT_KEY_MAX];
    struct reader r;
    reader_init(&r, kdf_options);
    struct slice salt = reader_string(&r);
    uint32_t rounds = reader_u32(&r);
    if (reader_done(&r) != OK || section.len == 0 || section.len % cipher->block_len ||
        section.len > INT32_MAX || tag.len != cipher->tag_len)
        return ERR_FORMAT;
    if (passphrase.len == 0)
        return ERR_CRYPTO; /* nothing is encrypted with it */
    enum err err =
        bcrypt_pbkdf(c, passphrase, salt, rounds, key, (size_t)cipher->key_len + cipher->iv_len);
    if (err == OK)
        err = keyed_open(cipher, c, key, section, tag, out);
    mem_wipe(key, sizeof(key));
    return err;
}
