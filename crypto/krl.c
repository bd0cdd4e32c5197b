/*
 * One pass checks a list, another looks something up in it; both walk the same sections. A list is
 * read at each start and asked at each login, so nothing is sorted: a look-up is linear in it.
 */
#include "crypto/krl.h"

#include "crypto/digest.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define MAGIC       UINT64_C(0x5353484b524c0a00) /* "SSHKRL\n" and a zero byte */
#define VERSION     1
#define KEY_ID_MAX  65536
#define SHA1_LEN    20
#define SHA256_LEN  32
#define SERIAL_NONE 0

enum section {
    SECTION_CERTIFICATES = 1,
    SECTION_KEYS = 2,
    SECTION_SHA1 = 3,
    SECTION_SIGNATURE = 4,
    SECTION_SHA256 = 5,
    SECTION_EXTENSION = 255,
};

/* Inside SECTION_CERTIFICATES. */
enum part {
    PART_SERIALS = 0x20,
    PART_RANGE = 0x21,
    PART_BITMAP = 0x22,
    PART_KEY_IDS = 0x23,
    PART_EXTENSION = 0x39,
};

struct krl {
    struct buf bytes;
    struct slice sections; /* all behind the header, each u8 type and string */
};

/* ---- checking ---- */

/* Strings of any length, or all of one length. */
static enum err strings_check(struct slice data, size_t length)
{
    struct reader r;
    reader_init(&r, data);
    while (reader_is_ok(&r) && reader_left(&r)) {
        size_t found = reader_string_max(&r, KEY_ID_MAX).len;
        if (length ? found != length : found == 0)
            reader_fail(&r, ERR_FORMAT);
    }
    return reader_done(&r);
}

static enum err extension_check(struct slice data)
{
    struct reader r;
    reader_init(&r, data);
    (void)reader_string(&r);
    bool is_critical = reader_bool(&r);
    (void)reader_string(&r);
    TRY(reader_done(&r));
    return is_critical ? ERR_UNSUPPORTED : OK;
}

static enum err range_check(struct slice data)
{
    struct reader r;
    reader_init(&r, data);
    uint64_t first = reader_u64(&r);
    uint64_t last = reader_u64(&r);
    TRY(reader_done(&r));
    return first <= last ? OK : ERR_FORMAT;
}

/* Numbers beyond 64 bits are nobody's. */
static enum err bitmap_check(struct slice data)
{
    struct reader r;
    reader_init(&r, data);
    uint64_t first = reader_u64(&r);
    struct slice bits = reader_mpint(&r, data.len);
    TRY(reader_done(&r));
    return (uint64_t)bits.len * 8 <= UINT64_MAX - first ? OK : ERR_FORMAT;
}

static enum err part_check(uint8_t type, struct slice data)
{
    switch (type) {
    case PART_SERIALS:
        return data.len % 8 ? ERR_FORMAT : OK;
    case PART_RANGE:
        return range_check(data);
    case PART_BITMAP:
        return bitmap_check(data);
    case PART_KEY_IDS:
        return strings_check(data, 0);
    case PART_EXTENSION:
        return extension_check(data);
    default:
        return ERR_FORMAT;
    }
}

static enum err certificates_check(struct slice data)
{
    struct reader r;
    reader_init(&r, data);
    (void)reader_string_max(&r, PUBKEY_BLOB_MAX); /* the authority; empty: any */
    (void)reader_string(&r);                      /* reserved */
    while (reader_is_ok(&r) && reader_left(&r)) {
        uint8_t type = reader_u8(&r);
        struct slice part = reader_string(&r);
        if (reader_is_ok(&r))
            TRY(part_check(type, part));
    }
    return reader_done(&r);
}

static enum err section_check(uint8_t type, struct slice data)
{
    switch (type) {
    case SECTION_CERTIFICATES:
        return certificates_check(data);
    case SECTION_KEYS:
        return strings_check(data, 0);
    case SECTION_SHA1:
        return strings_check(data, SHA1_LEN);
    case SECTION_SHA256:
        return strings_check(data, SHA256_LEN);
    case SECTION_EXTENSION:
        return extension_check(data);
    default:
        return ERR_FORMAT;
    }
}

/* A signature is a type, the signing key and a second string; nothing else may come behind it. */
static enum err sections_check(struct slice sections)
{
    struct reader r;
    bool is_signed = false;
    reader_init(&r, sections);
    while (reader_is_ok(&r) && reader_left(&r)) {
        uint8_t type = reader_u8(&r);
        struct slice data = reader_string(&r);
        if (type == SECTION_SIGNATURE) {
            is_signed = true;
            (void)reader_string(&r);
            continue;
        }
        if (reader_is_ok(&r))
            TRY(is_signed ? ERR_FORMAT : section_check(type, data));
    }
    return reader_done(&r);
}

static enum err binary_parse(struct krl *k, struct slice bytes)
{
    struct reader r;
    TRY(buf_append_slice(&k->bytes, bytes));
    reader_init(&r, buf_slice(&k->bytes));
    (void)reader_u64(&r);
    if (reader_u32(&r) != VERSION)
        reader_fail(&r, ERR_FORMAT);
    (void)reader_u64(&r);    /* version of the list */
    (void)reader_u64(&r);    /* when it was made */
    (void)reader_u64(&r);    /* flags: none are defined */
    (void)reader_string(&r); /* reserved */
    (void)reader_string(&r); /* comment */
    k->sections = reader_rest(&r);
    TRY(reader_done(&r));
    return sections_check(k->sections);
}

/* ---- text ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A certificate in the list stands for the key that it certifies, as with OpenSSH. */
static enum err plain_of(const struct crypto *c, struct buf *blob)
{
    struct cert *cert;
    TRY(cert_parse(&cert, c, buf_slice(blob)));
    buf_clear(blob);
    enum err err = buf_append_slice(blob, pubkey_blob(cert_info(cert)->key));
    cert_free(cert);
    return err;
}

static enum err line_read(const struct crypto *c, struct slice line, struct writer *w)
{
    struct slice type, comment;
    struct pubkey *key = NULL;
    struct buf blob;
    while (line.len && is_blank(line.ptr[0]))
        line = slice_of(line.ptr + 1, line.len - 1);
    if (line.len == 0 || line.ptr[0] == '#')
        return OK;
    buf_init(&blob, PUBKEY_BLOB_MAX);
    enum err err = pubkey_line_parse(line, &type, &blob, &comment);
    if (err == OK && cert_is_type(type))
        err = plain_of(c, &blob);
    /* A key of a size or type that we refuse may be revoked; half a key must not pass for one. */
    if (err == OK && pubkey_parse(&key, c, buf_slice(&blob)) == ERR_FORMAT)
        err = ERR_FORMAT;
    pubkey_free(key);
    if (err == OK)
        writer_string(w, buf_slice(&blob));
    buf_done(&blob);
    return err;
}

/* Becomes one section of keys, so that both forms are looked up alike. */
static enum err text_parse(struct krl *k, const struct crypto *c, struct slice text)
{
    struct writer w;
    writer_init(&w, &k->bytes);
    writer_u8(&w, SECTION_KEYS);
    size_t mark = writer_open(&w);
    while (text.len) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t length = end ? (size_t)(end - text.ptr) : text.len;
        TRY(line_read(c, slice_of(text.ptr, length), &w));
        length += end ? 1 : 0;
        text = slice_of(text.ptr + length, text.len - length);
    }
    writer_close(&w, mark);
    k->sections = buf_slice(&k->bytes);
    return writer_done(&w);
}

static bool is_binary(struct slice bytes)
{
    struct reader r;
    reader_init(&r, bytes);
    return reader_u64(&r) == MAGIC && reader_is_ok(&r);
}

enum err krl_parse(struct krl **out, const struct crypto *c, struct slice bytes)
{
    if (bytes.len > KRL_BYTES_MAX)
        return ERR_LIMIT;
    struct krl *k = NEW(struct krl);
    buf_init(&k->bytes, KRL_BYTES_MAX + 16);
    enum err err = is_binary(bytes) ? binary_parse(k, bytes) : text_parse(k, c, bytes);
    if (err != OK) {
        krl_free(k);
        return err == ERR_TRUNCATED ? ERR_FORMAT : err;
    }
    *out = k;
    return OK;
}

void krl_free(struct krl *k)
{
    if (!k)
        return;
    buf_done(&k->bytes);
    mem_free(k);
}

/* ---- looking up ---- */

static bool has_string(struct slice list, struct slice wanted)
{
    struct reader r;
    reader_init(&r, list);
    while (reader_left(&r)) {
        if (slice_equal(reader_string(&r), wanted))
            return true;
    }
    return false;
}

bool krl_has_key(const struct krl *k, const struct crypto *c, struct slice blob)
{
    uint8_t sha1[DIGEST_MAX];
    uint8_t sha256[DIGEST_MAX];
    struct reader r;
    digest(c, DIGEST_SHA1, blob, sha1);
    digest(c, DIGEST_SHA256, blob, sha256);
    reader_init(&r, k->sections);
    while (reader_left(&r)) {
        uint8_t type = reader_u8(&r);
        struct slice data = reader_string(&r);
        if (type == SECTION_SIGNATURE)
            return false; /* only signatures behind it */
        if ((type == SECTION_KEYS && has_string(data, blob)) ||
            (type == SECTION_SHA1 && has_string(data, slice_of(sha1, SHA1_LEN))) ||
            (type == SECTION_SHA256 && has_string(data, slice_of(sha256, SHA256_LEN))))
            return true;
    }
    return false;
}

static bool has_serial(struct slice list, uint64_t serial)
{
    struct reader r;
    reader_init(&r, list);
    while (reader_left(&r)) {
        if (reader_u64(&r) == serial)
            return true;
    }
    return false;
}

static bool is_in_range(struct slice data, uint64_t serial)
{
    struct reader r;
    reader_init(&r, data);
    uint64_t first = reader_u64(&r);
    return serial >= first && serial <= reader_u64(&r);
}

/* The lowest bit of the number stands for the first serial number. */
static bool is_in_bitmap(struct slice data, uint64_t serial)
{
    struct reader r;
    reader_init(&r, data);
    uint64_t first = reader_u64(&r);
    struct slice bits = reader_mpint(&r, data.len);
    if (serial < first || (serial - first) / 8 >= bits.len)
        return false;
    uint64_t bit = serial - first;
    return bits.ptr[bits.len - 1 - bit / 8] >> (bit % 8) & 1;
}

static bool is_named(uint8_t type, struct slice part, const struct cert_info *info)
{
    if (type == PART_KEY_IDS)
        return has_string(part, info->key_id);
    if (info->serial == SERIAL_NONE)
        return false;
    return (type == PART_SERIALS && has_serial(part, info->serial)) ||
           (type == PART_RANGE && is_in_range(part, info->serial)) ||
           (type == PART_BITMAP && is_in_bitmap(part, info->serial));
}

static bool has_cert(struct slice data, const struct cert_info *info)
{
    struct reader r;
    reader_init(&r, data);
    struct slice authority = reader_string(&r);
    (void)reader_string(&r);
    if (authority.len && !slice_equal(authority, pubkey_blob(info->authority)))
        return false;
    while (reader_left(&r)) {
        uint8_t type = reader_u8(&r);
        if (is_named(type, reader_string(&r), info))
            return true;
    }
    return false;
}

bool krl_has_cert(const struct krl *k, const struct crypto *c, const struct cert *cert)
{
    const struct cert_info *info = cert_info(cert);
    struct reader r;
    reader_init(&r, k->sections);
    while (reader_left(&r)) {
        uint8_t type = reader_u8(&r);
        struct slice data = reader_string(&r);
        if (type == SECTION_SIGNATURE)
            break;
        if (type == SECTION_CERTIFICATES && has_cert(data, info))
            return true;
    }
    return krl_has_key(k, c, pubkey_blob(info->key)) ||
           krl_has_key(k, c, pubkey_blob(info->authority));
}
