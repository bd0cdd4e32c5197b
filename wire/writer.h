/*
 * Appends RFC 4251 5 encodings to a buf. Its error is sticky (ERR_LIMIT: the buf's cap), looked
 * at once at the end by writer_done.
 */
#ifndef ADIT_WIRE_WRITER_H
#define ADIT_WIRE_WRITER_H

#include "base/buf.h"

struct writer {
    struct buf *out;
    enum err err;
};

void writer_init(struct writer *w, struct buf *out);
void writer_u8(struct writer *w, uint8_t value);
void writer_u32(struct writer *w, uint32_t value);
void writer_u64(struct writer *w, uint64_t value);
void writer_bool(struct writer *w, bool value);
void writer_bytes(struct writer *w, struct slice bytes); /* no length before them */
void writer_string(struct writer *w, struct slice bytes);
void writer_text(struct writer *w, const char *text);
/* A non-negative number, big endian, leading zeros allowed in the input and removed. */
void writer_mpint(struct writer *w, struct slice magnitude);

/*
 * A length-prefixed block whose length is not known yet: open returns a mark, close writes the
 * length of all that came between. Blocks nest.
 */
size_t writer_open(struct writer *w);
void writer_close(struct writer *w, size_t mark);

enum err writer_done(const struct writer *w) MUST_USE;

/* Big-endian store, for headers written in place. */
static inline void put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static inline uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

#endif
