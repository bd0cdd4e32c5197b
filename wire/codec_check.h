/*
 * For tests and fuzzers of messages: what every pair of decode and encode must keep. A codec's
 * recode function decodes a payload and encodes what it found.
 */
#ifndef ADIT_WIRE_CODEC_CHECK_H
#define ADIT_WIRE_CODEC_CHECK_H

#include "wire/reader.h"
#include "wire/writer.h"

#define CODEC_MAX 4096

struct codec {
    const char *name;
    void (*encode)(struct writer *w);                           /* a valid sample */
    enum err (*recode)(struct slice payload, struct writer *w); /* decode, then encode */
    size_t fixed;      /* 0: no shorter payload is valid; else all from here on are (an open end) */
    size_t also_valid; /* a shorter length that is valid too; 0: none */
};

/* The bytes in memory of exactly their size, so that a sanitizer sees one byte too far. */
static inline uint8_t *codec_copy(struct slice bytes)
{
    uint8_t *copy = mem_new(bytes.len ? bytes.len : 1, 1);
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    return mem_resize(copy, bytes.len ? bytes.len : 1, 1);
}

/*
 * Decodes and encodes; what was encoded decodes again to the same bytes. The decoder's answer.
 */
static inline enum err codec_recode(const struct codec *c, struct slice payload, struct buf *out)
{
    struct buf again;
    struct writer w;
    uint8_t *copy = codec_copy(payload);
    buf_init(&again, 2 * CODEC_MAX + payload.len);
    writer_init(&w, out);
    enum err err = c->recode(slice_of(copy, payload.len), &w);
    CHECK(err != OK || writer_done(&w) == OK);
    mem_free(copy);
    if (err == OK) {
        writer_init(&w, &again);
        CHECK(c->recode(buf_slice(out), &w) == OK && writer_done(&w) == OK);
        CHECK(slice_equal(buf_slice(out), buf_slice(&again)));
    }
    buf_done(&again);
    return err;
}

static inline bool codec_is_valid_length(const struct codec *c, size_t length, size_t whole)
{
    return length == whole || (c->fixed && length >= c->fixed && length < whole) ||
           (c->also_valid && length == c->also_valid);
}

/* Round trip, every truncation, one byte more, every changed byte. */
static inline void codec_check(const struct codec *c)
{
    struct buf sample, out;
    struct writer w;
    buf_init(&sample, CODEC_MAX);
    buf_init(&out, 2 * CODEC_MAX);
    writer_init(&w, &sample);
    c->encode(&w);
    CHECK(writer_done(&w) == OK);
    size_t whole = buf_len(&sample);
    uint8_t *bytes = sample.data + sample.start;
    CHECK(codec_recode(c, slice_of(bytes, whole), &out) == OK);
    CHECK(slice_equal(buf_slice(&out), buf_slice(&sample)));
    for (size_t length = 0; length < whole; length++) {
        buf_clear(&out);
        bool is_ok = codec_recode(c, slice_of(bytes, length), &out) == OK;
        if (is_ok != codec_is_valid_length(c, length, whole))
            check_failed(c->name, "truncation", (int)length);
    }
    for (size_t at = 0; at < whole; at++) {
        for (unsigned flip = 1; flip < 256; flip <<= 1) {
            buf_clear(&out);
            bytes[at] ^= (uint8_t)flip;
            enum err err = codec_recode(c, slice_of(bytes, whole), &out);
            CHECK(err != ERR_BUG);
            bytes[at] ^= (uint8_t)flip;
        }
    }
    buf_clear(&out);
    CHECK(buf_append(&sample, "", 1) == OK);
    bool is_longer_ok = codec_recode(c, buf_slice(&sample), &out) == OK;
    if (is_longer_ok != (c->fixed != 0))
        check_failed(c->name, "trailing byte", (int)whole);
    buf_done(&sample);
    buf_done(&out);
}

#endif
