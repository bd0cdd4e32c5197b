/* Any bytes as each message: refused, or decoded to what encodes and decodes to the same again. */
#include "wire/codec_rows.h"
#include "wire/namelist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > CODEC_MAX)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        struct buf out;
        buf_init(&out, 2 * CODEC_MAX);
        enum err err = codec_recode(&codecs[i], slice_of(data, size), &out);
        CHECK(err != ERR_BUG);
        buf_done(&out);
    }
    struct reader r;
    reader_init(&r, slice_of(data, size));
    while (reader_is_ok(&r) && reader_left(&r))
        (void)reader_mpint(&r, 64);
    struct slice rest = slice_of(data, size), name;
    size_t left = size + 1;
    while (namelist_next(&rest, &name))
        CHECK(left-- > 0);
    return 0;
}
