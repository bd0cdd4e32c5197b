/*
 * Private keys as text. OpenSSH's own format (PROTOCOL.key) is read and written here; PEM and
 * PKCS#8 are libcrypto's work. Nothing here opens a file or asks for a passphrase: that one is
 * needed is an answer of its own, never a prompt.
 */
#include "crypto/keyfile.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "crypto/digest.h"
#include "crypto/keyfile_cipher.h"
#include "crypto/pem_cost.h"
#include "crypto/privkey_internal.h"
#include "crypto/rand.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define TEXT_MAX      65536 /* RSA 16384 takes about 18000 */
#define SECTION_BLOCK 8     /* padding of the private section under cipher "none" */
#define LINE_LEN      70
#define COMMENT_MAX   4096
#define ED25519_LEN   32

static const char begin_line[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
static const char end_line[] = "-----END OPENSSH PRIVATE KEY-----";
static const char magic[] = "openssh-key-v1"; /* the NUL behind it is part of the format */

/* The outer layer; slices into the decoded bytes. */
struct envelope {
    struct slice cipher;
    struct slice kdf;
    struct slice kdf_options;
    struct slice public_blob;
    struct slice section;
    struct slice tag; /* behind the section; empty unless the cipher makes one */
};

static struct slice blanks_skipped(struct slice text)
{
    while (text.len && memchr(" \t\r\n", text.ptr[0], 4)) {
        text.ptr++;
        text.len--;
    }
    return text;
}

static bool has_prefix(struct slice text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text.len >= length && memcmp(text.ptr, prefix, length) == 0;
}

/* The base64 between the two lines, joined and decoded. */
static enum err armour_decode(struct slice text, struct buf *out)
{
    struct buf joined;
    enum err err = OK;
    text.ptr += strlen(begin_line);
    text.len -= strlen(begin_line);
    buf_init_secret(&joined, TEXT_MAX);
    while (err == OK && text.len && text.ptr[0] != '-') {
        if (!memchr(" \t\r\n", text.ptr[0], 4))
            err = buf_append(&joined, text.ptr, 1);
        text.ptr++;
        text.len--;
    }
    if (err == OK && !has_prefix(text, end_line))
        err = ERR_FORMAT;
    if (err == OK)
        err = base64_decode(buf_slice(&joined), out);
    buf_done(&joined);
    return err;
}

static enum err envelope_parse(struct slice bytes, struct envelope *e)
{
    struct reader r;
    reader_init(&r, bytes);
    struct slice head = reader_bytes(&r, sizeof(magic));
    e->cipher = reader_string(&r);
    e->kdf = reader_string(&r);
    e->kdf_options = reader_string(&r);
    uint32_t keys = reader_u32(&r);
    e->public_blob = reader_string_max(&r, PUBKEY_BLOB_MAX);
    e->section = reader_string(&r);
    e->tag = reader_rest(&r);
    TRY(reader_done(&r));
    bool is_clear = slice_is(e->cipher, "none");
    if (!slice_equal(head, slice_of(magic, sizeof(magic))) || keys != 1)
        return ERR_FORMAT;
    if (is_clear != slice_is(e->kdf, "none") || (is_clear && (e->kdf_options.len || e->tag.len)))
        return ERR_FORMAT;
    return OK;
}

/* Text to envelope: its slices are valid while bytes is. */
static enum err envelope_read(struct slice text, struct buf *bytes, struct envelope *e)
{
    TRY(armour_decode(text, bytes));
    return envelope_parse(buf_slice(bytes), e);
}

/* Adds a number to what a key is built from; libcrypto copies it at to_param: keep it until then.
 */
static bool number_push(OSSL_PARAM_BLD *build, const char *name, BIGNUM *number)
{
    return number && OSSL_PARAM_BLD_push_BN(build, name, number) == 1;
}

static BIGNUM *number_of(struct slice magnitude)
{
    BIGNUM *number = BN_secure_new();
    if (number && !BN_bin2bn(magnitude.ptr, (int)magnitude.len, number)) {
        BN_clear_free(number);
        return NULL;
    }
    return number;
}

static EVP_PKEY *pair_build(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

/* The seed makes the public half; the file repeats that twice, and it must be the same. */
static EVP_PKEY *ed25519_read(struct reader *r)
{
    uint8_t made[ED25519_LEN];
    size_t length = sizeof(made);
    struct slice public_half = reader_string(r);
    struct slice both = reader_string(r);
    if (public_half.len != ED25519_LEN || both.len != 2 * ED25519_LEN ||
        memcmp(both.ptr + ED25519_LEN, public_half.ptr, ED25519_LEN) != 0)
        return NULL;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, both.ptr, ED25519_LEN);
    if (pkey && EVP_PKEY_get_raw_public_key(pkey, made, &length) == 1 &&
        slice_equal(public_half, slice_of(made, length)))
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

static EVP_PKEY *ecdsa_read(const struct key_type *type, struct reader *r)
{
    struct slice curve = reader_string(r);
    struct slice point = reader_string(r);
    struct slice scalar = reader_mpint(r, type->field_len);
    if (!reader_is_ok(r) || !slice_is(curve, type->curve) || scalar.len == 0 ||
        point.len != 1U + 2U * type->field_len)
        return NULL;
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *number = number_of(scalar);
    if (build &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, type->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.ptr, point.len) ==
            1 &&
        number_push(build, OSSL_PKEY_PARAM_PRIV_KEY, number))
        pkey = pair_build(type->libcrypto, build);
    OSSL_PARAM_BLD_free(build);
    BN_clear_free(number);
    return pkey;
}

/* The file's order of numbers, and behind them the two that are computed. */
enum rsa_number { RSA_N, RSA_E, RSA_D, RSA_IQMP, RSA_P, RSA_Q, RSA_DMP1, RSA_DMQ1, RSA_NUMBERS };
#define RSA_IN_FILE RSA_DMP1
static const char *const rsa_params[RSA_NUMBERS] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
    OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,
    OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
};

/* d modulo (prime - 1): what signing by the Chinese remainder theorem needs. */
static BIGNUM *crt_exponent(const BIGNUM *d, const BIGNUM *prime)
{
    BIGNUM *exponent = BN_secure_new();
    BIGNUM *order = BN_dup(prime);
    BN_CTX *ctx = BN_CTX_secure_new();
    bool ok = d && exponent && order && ctx && BN_sub_word(order, 1) == 1;
    if (ok) {
        BIGNUM *secret = BN_dup(d);
        ok = secret != NULL;
        if (ok) {
            BN_set_flags(secret, BN_FLG_CONSTTIME);
            ok = BN_mod(exponent, secret, order, ctx) == 1;
        }
        BN_clear_free(secret);
    }
    BN_CTX_free(ctx);
    BN_clear_free(order);
    if (!ok) {
        BN_clear_free(exponent);
        return NULL;
    }
    return exponent;
}

static EVP_PKEY *rsa_read(struct reader *r)
{
    struct slice fields[RSA_IN_FILE];
    for (size_t i = 0; i < RSA_IN_FILE; i++) {
        fields[i] = reader_mpint(r, RSA_BITS_MAX / 8);
        if (fields[i].len == 0)
            return NULL;
    }
    BIGNUM *numbers[RSA_NUMBERS];
    for (size_t i = 0; i < RSA_IN_FILE; i++)
        numbers[i] = number_of(fields[i]);
    numbers[RSA_DMP1] = crt_exponent(numbers[RSA_D], numbers[RSA_P]);
    numbers[RSA_DMQ1] = crt_exponent(numbers[RSA_D], numbers[RSA_Q]);
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    bool ok = build != NULL;
    for (size_t i = 0; i < RSA_NUMBERS; i++)
        ok = ok && number_push(build, rsa_params[i], numbers[i]);
    if (ok)
        pkey = pair_build("RSA", build);
    OSSL_PARAM_BLD_free(build);
    for (size_t i = 0; i < RSA_NUMBERS; i++)
        BN_clear_free(numbers[i]);
    return pkey;
}

/* The key in a private section; what is left in r begins with the comment. */
static enum err section_key_read(struct reader *r, EVP_PKEY **pkey)
{
    struct slice name = reader_string(r);
    for (size_t i = 0; reader_is_ok(r) && i < KEY_KINDS; i++) {
        enum key_kind kind = (enum key_kind)i;
        if (!slice_is(name, crypto_key_type(kind)->name))
            continue;
        if (kind == KEY_SK_ED25519 || kind == KEY_SK_ECDSA256 || kind == KEY_DSS)
            return ERR_UNSUPPORTED; /* a handle, for the device; or never signed with */
        if (kind == KEY_RSA)
            *pkey = rsa_read(r);
        else if (kind == KEY_ED25519)
            *pkey = ed25519_read(r);
        else
            *pkey = ecdsa_read(crypto_key_type(kind), r);
        if (*pkey)
            return OK;
        /* All fields there, but not a key: the halves do not fit (a point off the curve). */
        return reader_is_ok(r) ? ERR_CRYPTO : ERR_FORMAT;
    }
    return reader_is_ok(r) ? ERR_UNSUPPORTED : ERR_FORMAT;
}

/* PROTOCOL.key: 1, 2, 3 and so on. */
static bool is_padding(struct slice bytes, size_t block_len)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] != i + 1)
            return false;
    }
    return bytes.len < block_len;
}

/* A clear section; broken is what two check words that differ mean. */
static enum err section_parse(struct slice section, size_t block_len, enum err broken,
                              EVP_PKEY **pkey, struct slice *comment)
{
    struct reader r;
    reader_init(&r, section);
    uint32_t check = reader_u32(&r);
    uint32_t again = reader_u32(&r);
    if (!reader_is_ok(&r) || section.len % block_len)
        return ERR_FORMAT;
    if (check != again)
        return broken;
    TRY(section_key_read(&r, pkey));
    *comment = reader_text(&r, COMMENT_MAX);
    struct slice padding = reader_rest(&r);
    TRY(reader_done(&r));
    return is_padding(padding, block_len) ? OK : ERR_FORMAT;
}

/* The clear section to a key that fits the public half outside. */
static enum err section_open(struct privkey **out, char **comment, const struct crypto *c,
                             struct slice section, size_t block_len, enum err broken,
                             struct slice public_blob)
{
    struct slice remark = SLICE_NONE;
    EVP_PKEY *pkey = NULL;
    enum err err = section_parse(section, block_len, broken, &pkey, &remark);
    if (err != OK) {
        EVP_PKEY_free(pkey);
        return err;
    }
    struct privkey *k;
    TRY(privkey_from_pkey(&k, c, pkey));
    if (!slice_equal(pubkey_blob(privkey_pubkey(k)), public_blob)) {
        privkey_free(k);
        return ERR_CRYPTO;
    }
    if (comment)
        *comment = slice_strdup(remark);
    *out = k;
    return OK;
}

static enum err envelope_open(struct privkey **out, char **comment, const struct crypto *c,
                              const struct envelope *e, struct slice passphrase)
{
    if (slice_is(e->cipher, "none"))
        return section_open(out, comment, c, e->section, SECTION_BLOCK, ERR_FORMAT, e->public_blob);
    const struct keyfile_cipher *cipher = keyfile_cipher_find(e->cipher);
    if (!cipher || !slice_is(e->kdf, "bcrypt"))
        return ERR_UNSUPPORTED;
    if (!passphrase.ptr)
        return ERR_DENIED;
    struct buf clear;
    buf_init_secret(&clear, TEXT_MAX);
    enum err err =
        keyfile_cipher_open(cipher, c, e->kdf_options, passphrase, e->section, e->tag, &clear);
    if (err == OK)
        err = section_open(out, comment, c, buf_slice(&clear), keyfile_cipher_block_len(cipher),
                           ERR_CRYPTO, e->public_blob);
    buf_done(&clear);
    return err;
}

static enum err openssh_parse(struct privkey **out, char **comment, const struct crypto *c,
                              struct slice text, struct slice passphrase)
{
    struct buf bytes;
    struct envelope e;
    buf_init_secret(&bytes, TEXT_MAX);
    enum err err = envelope_read(text, &bytes, &e);
    if (err == OK)
        err = envelope_open(out, comment, c, &e, passphrase);
    buf_done(&bytes);
    return err;
}

/* What libcrypto asks instead of a terminal. */
struct question {
    struct slice passphrase;
    bool was_asked;
};

static int passphrase_give(char *room, int size, int for_writing, void *question)
{
    struct question *q = question;
    (void)for_writing;
    q->was_asked = true;
    if (!q->passphrase.ptr || size < 0 || q->passphrase.len > (size_t)size)
        return -1;
    if (q->passphrase.len)
        memcpy(room, q->passphrase.ptr, q->passphrase.len);
    return (int)q->passphrase.len;
}

/* "DEK-Info" of the old form names its cipher (RFC 1421 4.6.1.3), and libcrypto looks it up among
 * the names that crypto_new keeps from being filled. */
static void add_pem_ciphers(void)
{
    EVP_add_cipher(EVP_des_ede3_cbc());
    EVP_add_cipher(EVP_aes_128_cbc());
    EVP_add_cipher(EVP_aes_192_cbc());
    EVP_add_cipher(EVP_aes_256_cbc());
#ifndef OPENSSL_NO_CAMELLIA
    EVP_add_cipher(EVP_camellia_128_cbc());
    EVP_add_cipher(EVP_camellia_192_cbc());
    EVP_add_cipher(EVP_camellia_256_cbc());
#endif
#ifndef OPENSSL_NO_ARIA
    EVP_add_cipher(EVP_aria_128_cbc());
    EVP_add_cipher(EVP_aria_192_cbc());
    EVP_add_cipher(EVP_aria_256_cbc());
#endif
}

static enum err pem_parse(struct privkey **out, char **comment, const struct crypto *c,
                          struct slice text, struct slice passphrase)
{
    struct question question = {passphrase, false};
    if (passphrase.ptr)
        TRY(pem_cost_check(text));
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    CHECK(bio);
    add_pem_ciphers();
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey_ex(bio, NULL, passphrase_give, &question, NULL, NULL);
    BIO_free(bio);
    if (!pkey && question.was_asked)
        return passphrase.ptr ? ERR_CRYPTO : ERR_DENIED;
    if (!pkey)
        return ERR_FORMAT;
    TRY(privkey_from_pkey(out, c, pkey));
    if (comment)
        *comment = mem_strdup("");
    return OK;
}

enum err keyfile_parse(struct privkey **out, char **comment, const struct crypto *c,
                       struct slice text, struct slice passphrase)
{
    if (text.len > TEXT_MAX)
        return ERR_LIMIT;
    text = blanks_skipped(text);
    if (text.len == 0)
        return ERR_FORMAT;
    enum err err = has_prefix(text, begin_line) ? openssh_parse(out, comment, c, text, passphrase)
                                                : pem_parse(out, comment, c, text, passphrase);
    if (err == OK)
        return OK;
    return crypto_fail(err == ERR_TRUNCATED ? ERR_FORMAT : err);
}

enum err keyfile_public(struct pubkey **out, const struct crypto *c, struct slice text)
{
    if (text.len > TEXT_MAX)
        return ERR_LIMIT;
    text = blanks_skipped(text);
    if (!has_prefix(text, begin_line))
        return ERR_FORMAT;
    struct buf bytes;
    struct envelope e;
    buf_init_secret(&bytes, TEXT_MAX);
    enum err err = envelope_read(text, &bytes, &e);
    if (err == OK)
        err = pubkey_parse(out, c, e.public_blob);
    buf_done(&bytes);
    return err == ERR_TRUNCATED ? ERR_FORMAT : err;
}

static void ed25519_write(struct writer *w, const EVP_PKEY *pkey)
{
    uint8_t both[2 * ED25519_LEN];
    size_t seed_len = ED25519_LEN;
    size_t public_len = ED25519_LEN;
    if (EVP_PKEY_get_raw_private_key(pkey, both, &seed_len) == 1 &&
        EVP_PKEY_get_raw_public_key(pkey, both + ED25519_LEN, &public_len) == 1) {
        writer_string(w, slice_of(both + ED25519_LEN, ED25519_LEN));
        writer_string(w, slice_of(both, sizeof(both)));
    } else {
        w->err = ERR_CRYPTO;
    }
    mem_wipe(both, sizeof(both));
}

static void rsa_write(struct writer *w, const EVP_PKEY *pkey)
{
    for (size_t i = 0; i < RSA_IN_FILE; i++)
        privkey_number_write(w, pkey, rsa_params[i]);
}

/* The blob's public fields are repeated, each kind in an order of its own. */
static void fields_write(struct writer *w, const struct privkey *k)
{
    enum key_kind kind = pubkey_kind(k->pubkey);
    if (kind == KEY_RSA || kind == KEY_ED25519)
        writer_text(w, pubkey_type_name(k->pubkey));
    if (kind == KEY_RSA) {
        rsa_write(w, k->pkey);
    } else if (kind == KEY_ED25519) {
        ed25519_write(w, k->pkey);
    } else {
        /* Of ECDSA the section begins exactly as the public blob does. */
        writer_bytes(w, pubkey_blob(k->pubkey));
        privkey_number_write(w, k->pkey, OSSL_PKEY_PARAM_PRIV_KEY);
    }
}

enum err keyfile_write_fields(const struct privkey *k, struct buf *out)
{
    struct writer w;
    writer_init(&w, out);
    fields_write(&w, k);
    return writer_done(&w);
}

static void section_write(struct writer *w, const struct privkey *k, const char *comment)
{
    uint8_t check[4];
    random_fill(check, sizeof(check));
    size_t mark = writer_open(w);
    writer_bytes(w, slice_of(check, sizeof(check)));
    writer_bytes(w, slice_of(check, sizeof(check)));
    fields_write(w, k);
    writer_text(w, comment);
    for (uint8_t i = 1; (buf_len(w->out) - mark) % SECTION_BLOCK && writer_done(w) == OK; i++)
        writer_u8(w, i);
    writer_close(w, mark);
}

static enum err armour_write(struct slice bytes, struct buf *out)
{
    char *base64 = base64_encode(bytes, true);
    size_t left = strlen(base64);
    struct writer w;
    writer_init(&w, out);
    writer_bytes(&w, slice_text(begin_line));
    writer_u8(&w, '\n');
    for (const char *at = base64; left;) {
        size_t n = MIN(left, LINE_LEN);
        writer_bytes(&w, slice_of(at, n));
        writer_u8(&w, '\n');
        at += n;
        left -= n;
    }
    writer_bytes(&w, slice_text(end_line));
    writer_u8(&w, '\n');
    mem_wipe(base64, strlen(base64));
    mem_free(base64);
    return writer_done(&w);
}

enum err keyfile_write(const struct privkey *k, const char *comment, struct buf *out)
{
    struct buf bytes;
    struct writer w;
    buf_init_secret(&bytes, TEXT_MAX);
    writer_init(&w, &bytes);
    writer_bytes(&w, slice_of(magic, sizeof(magic)));
    writer_text(&w, "none");
    writer_text(&w, "none");
    writer_text(&w, "");
    writer_u32(&w, 1);
    writer_string(&w, pubkey_blob(k->pubkey));
    section_write(&w, k, comment ? comment : "");
    enum err err = writer_done(&w);
    if (err == OK)
        err = armour_write(buf_slice(&bytes), out);
    buf_done(&bytes);
    return err == OK ? OK : crypto_fail(err);
}
