/* Encodings of RFC 4251 5: the RFC's own examples, limits, and an error that stays. */
#include "tests/unit.h"
#include "wire/reader.h"
#include "wire/writer.h"

static struct reader reader_on(const void *bytes, size_t length)
{
    struct reader r;
    reader_init(&r, slice_of(bytes, length));
    return r;
}

/* RFC 4251 5 gives these encodings. */
static const struct {
    const char *magnitude;
    size_t magnitude_len;
    const char *encoded;
    size_t encoded_len;
} mpints[] = {
    {"", 0, "\0\0\0\0", 4},
    {"\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 8, "\0\0\0\x08\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 12},
    {"\x80", 1, "\0\0\0\x02\0\x80", 6},
};

static void mpints_are_the_rfc_s(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mpints); i++) {
        struct buf out;
        struct writer w;
        buf_init(&out, 64);
        writer_init(&w, &out);
        writer_mpint(&w, slice_of(mpints[i].magnitude, mpints[i].magnitude_len));
        assert_ok(writer_done(&w));
        assert_true(
            slice_equal(buf_slice(&out), slice_of(mpints[i].encoded, mpints[i].encoded_len)));
        struct reader r = reader_on(mpints[i].encoded, mpints[i].encoded_len);
        assert_true(slice_equal(reader_mpint(&r, 8),
                                slice_of(mpints[i].magnitude, mpints[i].magnitude_len)));
        assert_ok(reader_done(&r));
        buf_done(&out);
    }
}

static void leading_zeros_are_not_written(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t in_len;
        const char *out;
        size_t out_len;
    } rows[] = {
        {"\0\0\0", 3, "\0\0\0\0", 4},
        {"\0\x7f", 2, "\0\0\0\x01\x7f", 5},
        {"\0\0\xff", 3, "\0\0\0\x02\0\xff", 6},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out;
        struct writer w;
        buf_init(&out, 64);
        writer_init(&w, &out);
        writer_mpint(&w, slice_of(rows[i].in, rows[i].in_len));
        assert_ok(writer_done(&w));
        assert_true(slice_equal(buf_slice(&out), slice_of(rows[i].out, rows[i].out_len)));
        buf_done(&out);
    }
}

static void mpints_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        enum err err;
    } rows[] = {
        {"\0\0\0\x01\x80", 5, ERR_FORMAT},          /* negative */
        {"\0\0\0\x02\xed\xcc", 6, ERR_FORMAT},      /* -0x1234 of the RFC */
        {"\0\0\0\x01\0", 5, ERR_FORMAT},            /* zero is empty */
        {"\0\0\0\x02\0\x7f", 6, ERR_FORMAT},        /* not minimal */
        {"\0\0\0\x03\x01\x02\x03", 7, ERR_LIMIT},   /* 3 bytes where 2 may be */
        {"\0\0\0\x03\0\x81\x02", 7, OK},            /* 2 bytes behind the sign's zero */
        {"\0\0\0\x04\0\x81\x02\x03", 8, ERR_LIMIT}, /* 3 behind it */
        {"\0\0\0\x03\x01\x02", 6, ERR_TRUNCATED},
        {"\xff\xff\xff\xff", 4, ERR_TRUNCATED},
        {"\0\0\0", 3, ERR_TRUNCATED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reader r = reader_on(rows[i].bytes, rows[i].length);
        struct slice s = reader_mpint(&r, 2);
        assert_int_equal(reader_done(&r), rows[i].err);
        assert_int_equal(s.len, rows[i].err == OK ? 2 : 0);
    }
}

static void numbers_and_strings_go_round(void **state)
{
    (void)state;
    struct buf out;
    struct writer w;
    buf_init(&out, 256);
    writer_init(&w, &out);
    writer_u8(&w, 0xab);
    writer_u32(&w, 0xdeadbeef);
    writer_u64(&w, 0x0123456789abcdef);
    writer_bool(&w, true);
    writer_bool(&w, false);
    writer_text(&w, "testing");
    writer_string(&w, SLICE_NONE);
    writer_bytes(&w, slice_text("raw"));
    size_t outer = writer_open(&w);
    writer_u8(&w, 1);
    size_t inner = writer_open(&w);
    writer_u8(&w, 2);
    writer_close(&w, inner);
    writer_close(&w, outer);
    assert_ok(writer_done(&w));

    struct reader r = reader_on(buf_slice(&out).ptr, buf_len(&out));
    assert_int_equal(reader_u8(&r), 0xab);
    assert_int_equal(reader_u32(&r), 0xdeadbeef);
    assert_true(reader_u64(&r) == 0x0123456789abcdef);
    assert_true(reader_bool(&r));
    assert_false(reader_bool(&r));
    assert_true(slice_is(reader_text(&r, 7), "testing"));
    assert_int_equal(reader_string(&r).len, 0);
    assert_true(slice_is(reader_bytes(&r, 3), "raw"));
    struct slice block = reader_string(&r);
    assert_true(slice_equal(block, slice_of("\x01\0\0\0\x01\x02", 6)));
    assert_ok(reader_done(&r));
    buf_done(&out);
}

static void any_byte_but_zero_is_true(void **state)
{
    (void)state;
    struct reader r = reader_on("\0\x01\x02\xff", 4);
    assert_false(reader_bool(&r));
    assert_true(reader_bool(&r));
    assert_true(reader_bool(&r));
    assert_true(reader_bool(&r));
    assert_ok(reader_done(&r));
}

static void an_error_stays_and_getters_are_harmless_after_it(void **state)
{
    (void)state;
    struct reader r = reader_on("\0\0\0\x05hell", 8);
    assert_int_equal(reader_string(&r).len, 0);
    assert_false(reader_is_ok(&r));
    assert_int_equal(reader_u8(&r), 0);
    assert_int_equal(reader_u32(&r), 0);
    assert_true(reader_u64(&r) == 0);
    assert_false(reader_bool(&r));
    assert_int_equal(reader_rest(&r).len, 0);
    reader_fail(&r, ERR_LIMIT);
    assert_int_equal(reader_done(&r), ERR_TRUNCATED);
}

static void limits_nul_and_leftovers_are_refused(void **state)
{
    (void)state;
    struct reader r = reader_on("\0\0\0\x03"
                                "abc",
                                7);
    assert_int_equal(reader_string_max(&r, 2).len, 0);
    assert_int_equal(reader_done(&r), ERR_LIMIT);
    r = reader_on("\0\0\0\x03"
                  "a\0c",
                  7);
    assert_int_equal(reader_text(&r, 3).len, 0);
    assert_int_equal(reader_done(&r), ERR_FORMAT);
    r = reader_on("\0\0\0\x03"
                  "a\0c",
                  7);
    assert_int_equal(reader_string_max(&r, 3).len, 3);
    assert_ok(reader_done(&r));
    r = reader_on("ab", 2);
    assert_int_equal(reader_u8(&r), 'a');
    assert_int_equal(reader_done(&r), ERR_FORMAT);
    r = reader_open(slice_of("\x05", 1), 5);
    assert_ok(reader_done(&r));
    r = reader_open(slice_of("\x05", 1), 6);
    assert_int_equal(reader_done(&r), ERR_FORMAT);
    r = reader_open(SLICE_NONE, 6);
    assert_int_equal(reader_done(&r), ERR_TRUNCATED);
}

static void a_writer_past_its_cap_says_so_to_the_end(void **state)
{
    (void)state;
    struct buf out;
    struct writer w;
    buf_init(&out, 5);
    writer_init(&w, &out);
    writer_u32(&w, 1);
    writer_u32(&w, 2);
    writer_u8(&w, 3); /* would fit again, but must not */
    assert_int_equal(writer_done(&w), ERR_LIMIT);
    assert_int_equal(buf_len(&out), 4);
    size_t mark = writer_open(&w);
    writer_close(&w, mark);
    assert_int_equal(buf_len(&out), 4);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mpints_are_the_rfc_s),
        cmocka_unit_test(leading_zeros_are_not_written),
        cmocka_unit_test(mpints_that_are_none_are_refused),
        cmocka_unit_test(numbers_and_strings_go_round),
        cmocka_unit_test(any_byte_but_zero_is_true),
        cmocka_unit_test(an_error_stays_and_getters_are_harmless_after_it),
        cmocka_unit_test(limits_nul_and_leftovers_are_refused),
        cmocka_unit_test(a_writer_past_its_cap_says_so_to_the_end),
    };
    return RUN_TESTS(tests);
}
