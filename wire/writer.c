/* Appending encodings. */
#include "wire/writer.h"

void writer_init(struct writer *w, struct buf *out)
{
    *w = (struct writer){.out = out};
}

void writer_bytes(struct writer *w, struct slice bytes)
{
    if (w->err == OK)
        w->err = buf_append_slice(w->out, bytes);
}

void writer_u8(struct writer *w, uint8_t value)
{
    writer_bytes(w, slice_of(&value, 1));
}

void writer_u32(struct writer *w, uint32_t value)
{
    uint8_t bytes[4];
    put_u32(bytes, value);
    writer_bytes(w, slice_of(bytes, 4));
}

void writer_u64(struct writer *w, uint64_t value)
{
    writer_u32(w, (uint32_t)(value >> 32));
    writer_u32(w, (uint32_t)value);
}

void writer_bool(struct writer *w, bool value)
{
    writer_u8(w, value ? 1 : 0);
}

void writer_string(struct writer *w, struct slice bytes)
{
    if (bytes.len > UINT32_MAX) {
        w->err = w->err == OK ? ERR_LIMIT : w->err;
        return;
    }
    writer_u32(w, (uint32_t)bytes.len);
    writer_bytes(w, bytes);
}

void writer_text(struct writer *w, const char *text)
{
    writer_string(w, slice_text(text));
}

void writer_mpint(struct writer *w, struct slice magnitude)
{
    while (magnitude.len && magnitude.ptr[0] == 0) {
        magnitude.ptr++;
        magnitude.len--;
    }
    bool pad = magnitude.len && (magnitude.ptr[0] & 0x80);
    writer_u32(w, (uint32_t)magnitude.len + (pad ? 1 : 0));
    if (pad)
        writer_u8(w, 0);
    writer_bytes(w, magnitude);
}

size_t writer_open(struct writer *w)
{
    writer_u32(w, 0);
    return buf_len(w->out);
}

void writer_close(struct writer *w, size_t mark)
{
    if (w->err != OK)
        return;
    size_t length = buf_len(w->out) - mark;
    CHECK(length <= UINT32_MAX);
    put_u32(w->out->data + w->out->start + mark - 4, (uint32_t)length);
}

enum err writer_done(const struct writer *w)
{
    return w->err;
}
