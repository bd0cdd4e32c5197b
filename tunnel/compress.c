/*
 * Deflate with a partial flush behind each payload (RFC 4253 6.2, RFC 1950), inflate into a room of
 * the caller's that is never left. A context is some fixed memory of zlib's; nothing a peer sends
 * makes it larger.
 */
#include "tunnel/compress.h"

#include <zlib.h>

#define LEVEL      6  /* OpenSSH's; more costs much and gains little */
#define FLUSH_ROOM 64 /* what a flush may add to deflateBound */

static z_stream *stream_checked(z_stream *z, int result)
{
    CHECK(result == Z_OK); /* zlib of another version, or no memory for a fixed small need */
    return z;
}

static void *pack_new(void)
{
    z_stream *z = NEW(z_stream);
    return stream_checked(z, deflateInit(z, LEVEL));
}

static void pack_free(void *state)
{
    (void)deflateEnd(state); /* says only that data was left, which is so */
    mem_free(state);
}

static size_t pack_bound(void *state, size_t n)
{
    return deflateBound(state, n) + FLUSH_ROOM;
}

static enum err pack(void *state, struct slice from, uint8_t *to, size_t room, size_t *n)
{
    z_stream *z = state;
    z->next_in = (uint8_t *)(uintptr_t)from.ptr;
    z->avail_in = (uInt)from.len;
    z->next_out = to;
    z->avail_out = (uInt)room;
    int result = deflate(z, Z_PARTIAL_FLUSH);
    *n = room - z->avail_out;
    /* Room that is used up would mean that a part of the flush is still inside. */
    return result == Z_OK && z->avail_in == 0 && z->avail_out > 0 ? OK : ERR_BUG;
}

static void *unpack_new(void)
{
    z_stream *z = NEW(z_stream);
    return stream_checked(z, inflateInit(z));
}

static void unpack_free(void *state)
{
    (void)inflateEnd(state);
    mem_free(state);
}

static enum err unpack(void *state, struct slice from, uint8_t *to, size_t room, size_t *n)
{
    z_stream *z = state;
    z->next_in = (uint8_t *)(uintptr_t)from.ptr;
    z->avail_in = (uInt)from.len;
    z->next_out = to;
    z->avail_out = (uInt)room;
    int result = inflate(z, Z_SYNC_FLUSH);
    *n = room - z->avail_out;
    if (result != Z_OK && result != Z_BUF_ERROR)
        return ERR_FORMAT; /* damaged, or an end of the stream, which SSH has none of */
    if (z->avail_out == 0)
        return ERR_LIMIT;
    return z->avail_in ? ERR_FORMAT : OK;
}

const struct transport_codec compress_codec = {
    .pack_new = pack_new,
    .pack_free = pack_free,
    .pack_bound = pack_bound,
    .pack = pack,
    .unpack_new = unpack_new,
    .unpack_free = unpack_free,
    .unpack = unpack,
};
