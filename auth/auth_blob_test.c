/* What a publickey signature covers, against bytes written by hand from RFC 4252 7. */
#include "auth/auth_blob.h"
#include "tests/unit.h"

static const struct auth_blob sample = {
    .session_id = {(const uint8_t *)"\xaa\xbb\xcc", 3},
    .user = {(const uint8_t *)"ada", 3},
    .service = {(const uint8_t *)"ssh-connection", 14},
    .algorithm = {(const uint8_t *)"ssh-ed25519", 11},
    .key_blob = {(const uint8_t *)"KEY", 3},
};

static void the_plain_form_is_rfc_4252_s(void **state)
{
    (void)state;
    static const char expected[] = "\0\0\0\x03\xaa\xbb\xcc"
                                   "\x32"
                                   "\0\0\0\x03"
                                   "ada"
                                   "\0\0\0\x0e"
                                   "ssh-connection"
                                   "\0\0\0\x09"
                                   "publickey"
                                   "\x01"
                                   "\0\0\0\x0b"
                                   "ssh-ed25519"
                                   "\0\0\0\x03"
                                   "KEY";
    struct buf out;
    buf_init(&out, AUTH_BLOB_MAX);
    assert_ok(auth_blob_build(&sample, &out));
    assert_true(slice_equal(buf_slice(&out), slice_of(expected, sizeof(expected) - 1)));
    buf_done(&out);
}

static void the_hostbound_form_names_the_host_key(void **state)
{
    (void)state;
    static const char expected[] = "\0\0\0\x03\xaa\xbb\xcc"
                                   "\x32"
                                   "\0\0\0\x03"
                                   "ada"
                                   "\0\0\0\x0e"
                                   "ssh-connection"
                                   "\0\0\0\x23"
                                   "publickey-hostbound-v00@openssh.com"
                                   "\x01"
                                   "\0\0\0\x0b"
                                   "ssh-ed25519"
                                   "\0\0\0\x03"
                                   "KEY"
                                   "\0\0\0\x04"
                                   "HOST";
    struct auth_blob b = sample;
    struct buf out;
    buf_init(&out, AUTH_BLOB_MAX);
    b.host_key = slice_text("HOST");
    assert_ok(buf_append_slice(&out, slice_text("before")));
    assert_ok(auth_blob_build(&b, &out));
    buf_consume(&out, strlen("before"));
    assert_true(slice_equal(buf_slice(&out), slice_of(expected, sizeof(expected) - 1)));
    buf_done(&out);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct buf out;
    for (size_t cap = 0; cap < 60; cap++) {
        buf_init(&out, cap);
        assert_int_equal(auth_blob_build(&sample, &out), ERR_LIMIT);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_form_is_rfc_4252_s),
        cmocka_unit_test(the_hostbound_form_names_the_host_key),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return RUN_TESTS(tests);
}
