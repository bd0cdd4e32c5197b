/* The checked cursor. */
#include "wire/reader.h"

void reader_init(struct reader *r, struct slice bytes)
{
    r->at = bytes.ptr;
    r->end = bytes.len ? bytes.ptr + bytes.len : bytes.ptr;
    r->err = OK;
}

void reader_fail(struct reader *r, enum err code)
{
    if (r->err == OK)
        r->err = code;
    r->at = r->end;
}

size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

bool reader_is_ok(const struct reader *r)
{
    return r->err == OK;
}

struct slice reader_bytes(struct reader *r, size_t n)
{
    if (n > reader_left(r)) {
        reader_fail(r, ERR_TRUNCATED);
        return SLICE_NONE;
    }
    struct slice s = {r->at, n};
    if (n) /* of no bytes the cursor may be NULL, where no arithmetic is allowed */
        r->at += n;
    return s;
}

uint8_t reader_u8(struct reader *r)
{
    struct slice s = reader_bytes(r, 1);
    return s.len ? s.ptr[0] : 0;
}

uint32_t reader_u32(struct reader *r)
{
    struct slice s = reader_bytes(r, 4);
    if (s.len == 0)
        return 0;
    return (uint32_t)s.ptr[0] << 24 | (uint32_t)s.ptr[1] << 16 | (uint32_t)s.ptr[2] << 8 | s.ptr[3];
}

uint64_t reader_u64(struct reader *r)
{
    uint64_t high = reader_u32(r);
    return high << 32 | reader_u32(r);
}

bool reader_bool(struct reader *r)
{
    return reader_u8(r) != 0;
}

struct slice reader_string(struct reader *r)
{
    uint32_t length = reader_u32(r);
    return reader_bytes(r, length);
}

struct slice reader_string_max(struct reader *r, size_t max)
{
    struct slice s = reader_string(r);
    if (s.len > max) {
        reader_fail(r, ERR_LIMIT);
        return SLICE_NONE;
    }
    return s;
}

struct slice reader_text(struct reader *r, size_t max)
{
    struct slice s = reader_string_max(r, max);
    if (s.len && memchr(s.ptr, '\0', s.len)) {
        reader_fail(r, ERR_FORMAT);
        return SLICE_NONE;
    }
    return s;
}

struct slice reader_mpint(struct reader *r, size_t max)
{
    struct slice s = reader_string_max(r, max + 1);
    if (s.len == 0)
        return s;
    bool negative = s.ptr[0] & 0x80;
    bool padded = s.ptr[0] == 0;
    if (negative || (padded && (s.len == 1 || !(s.ptr[1] & 0x80)))) {
        reader_fail(r, ERR_FORMAT);
        return SLICE_NONE;
    }
    if (padded) {
        s.ptr++;
        s.len--;
    }
    if (s.len > max) {
        reader_fail(r, ERR_LIMIT);
        return SLICE_NONE;
    }
    return s;
}

struct slice reader_rest(struct reader *r)
{
    return reader_bytes(r, reader_left(r));
}

enum err reader_done(const struct reader *r)
{
    if (r->err != OK)
        return r->err;
    return reader_left(r) ? ERR_FORMAT : OK;
}

struct reader reader_open(struct slice payload, uint8_t number)
{
    struct reader r;
    reader_init(&r, payload);
    if (reader_u8(&r) != number)
        reader_fail(&r, ERR_FORMAT);
    return r;
}
