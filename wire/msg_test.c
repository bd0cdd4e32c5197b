/* Messages: what holds for all of them (codec_rows.h), and what known attacks send. */
#include "tests/unit.h"
#include "wire/codec_rows.h"

static void every_message_keeps_its_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++)
        codec_check(&codecs[i]);
}

static void every_message_refuses_another_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        struct buf sample, out;
        struct writer w;
        buf_init(&sample, CODEC_MAX);
        buf_init(&out, CODEC_MAX);
        writer_init(&w, &sample);
        codecs[i].encode(&w);
        sample.data[sample.start] = SSH_MSG_IGNORE;
        bool has_number = codecs[i].recode != body_tcpip_forward_recode &&
                          codecs[i].recode != body_forward_join_recode &&
                          codecs[i].recode != body_tcpip_open_recode &&
                          codecs[i].recode != body_allocated_port_recode &&
                          codecs[i].recode != body_info_request_recode &&
                          codecs[i].recode != body_info_response_recode &&
                          codecs[i].recode != body_tun_recode &&
                          codecs[i].recode != msg_channel_plain_recode; /* told by its caller */
        if (has_number)
            assert_int_equal(codec_recode(&codecs[i], buf_slice(&sample), &out), ERR_FORMAT);
        buf_done(&sample);
        buf_done(&out);
    }
}

/* libssh2 CVE-2026-55199, Go CVE-2025-58181: work by the count that is claimed, not by the bytes.
 */
static void a_count_of_extensions_without_extensions_ends_at_once(void **state)
{
    (void)state;
    struct msg_ext_info m;
    static const char none[] = "\x07\xff\xff\xff\xff";
    static const char few[] = "\x07\xff\xff\xff\xff\0\0\0\x01"
                              "a\0\0\0\x01"
                              "b";
    static const char empties[4096] = "\x07\xff\xff\xff\xff";
    assert_int_not_equal(msg_ext_info_decode(slice_of(none, 5), &m), OK);
    assert_int_not_equal(msg_ext_info_decode(slice_of(few, sizeof(few) - 1), &m), OK);
    assert_int_not_equal(msg_ext_info_decode(slice_of(empties, sizeof(empties)), &m), OK);
}

static void unknown_extensions_are_passed_over(void **state)
{
    (void)state;
    struct msg_ext_info m;
    static const char text[] = "\x07\0\0\0\x02\0\0\0\x01"
                               "x\0\0\0\x02\xff\0" /* any bytes */
                               "\0\0\0\x10"
                               "ping@openssh.com\0\0\0\x01"
                               "0";
    assert_ok(msg_ext_info_decode(slice_of(text, sizeof(text) - 1), &m));
    assert_true(m.ping);
    assert_false(m.has_server_sig_algs || m.publickey_hostbound || m.abort);
}

static void ports_beyond_65535_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t port;
        enum err err;
    } rows[] = {{0, OK},
                {1, OK},
                {65535, OK},
                {65536, ERR_LIMIT},
                {65536 + 22, ERR_LIMIT},
                {UINT32_MAX, ERR_LIMIT}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct body_tcpip_forward forward = {slice_text("h"), rows[i].port};
        struct body_tcpip_open open = {slice_text("h"), rows[i].port, slice_text("o"), UINT32_MAX};
        struct buf out;
        struct writer w;
        uint32_t port;
        buf_init(&out, 256);
        writer_init(&w, &out);
        body_tcpip_forward_encode(&w, &forward);
        assert_int_equal(body_tcpip_forward_decode(buf_slice(&out), &forward), rows[i].err);
        buf_clear(&out);
        body_tcpip_open_encode(&w, &open);
        assert_int_equal(body_tcpip_open_decode(buf_slice(&out), &open), rows[i].err);
        buf_clear(&out);
        body_allocated_port_encode(&w, rows[i].port);
        assert_int_equal(body_allocated_port_decode(buf_slice(&out), &port), rows[i].err);
        buf_done(&out);
    }
}

/* What names a connection is the hash of an exchange, and a listener that is there has a port. */
static void a_join_names_a_connection_and_a_real_port(void **state)
{
    (void)state;
    static const char id[SESSION_ID_MAX + 1];
    static const struct {
        size_t id_len;
        uint32_t port;
        enum err err;
    } rows[] = {{20, 1, OK},          {32, 65535, OK},       {64, 80, OK},
                {19, 80, ERR_FORMAT}, {0, 80, ERR_FORMAT},   {65, 80, ERR_LIMIT},
                {32, 0, ERR_FORMAT},  {32, 65536, ERR_LIMIT}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct body_forward_join join = {slice_of(id, rows[i].id_len), slice_text("h"),
                                         rows[i].port};
        struct buf out;
        struct writer w;
        buf_init(&out, 256);
        writer_init(&w, &out);
        body_forward_join_encode(&w, &join);
        assert_int_equal(body_forward_join_decode(buf_slice(&out), &join), rows[i].err);
        buf_done(&out);
    }
}

/* A name with a NUL in it means one thing to C and another to its length. */
static void nul_bytes_in_names_are_refused(void **state)
{
    (void)state;
    static const char name[] = "a\0b";
    const struct slice bad = slice_of(name, 3);
    struct buf out;
    struct writer w;
    buf_init(&out, 1024);
    writer_init(&w, &out);

    struct msg_userauth_request user = {.user = bad, .service = slice_text("s")};
    msg_userauth_request_encode(&w, &user);
    assert_int_equal(msg_userauth_request_decode(buf_slice(&out), &user), ERR_FORMAT);
    buf_clear(&out);
    struct msg_global_request global = {bad, true, SLICE_NONE};
    msg_global_request_encode(&w, &global);
    assert_int_equal(msg_global_request_decode(buf_slice(&out), &global), ERR_FORMAT);
    buf_clear(&out);
    struct msg_channel_open open = {bad, 1, 2, 3, SLICE_NONE};
    msg_channel_open_encode(&w, &open);
    assert_int_equal(msg_channel_open_decode(buf_slice(&out), &open), ERR_FORMAT);
    buf_clear(&out);
    struct body_tcpip_open direct = {bad, 1, slice_text("o"), 1};
    body_tcpip_open_encode(&w, &direct);
    assert_int_equal(body_tcpip_open_decode(buf_slice(&out), &direct), ERR_FORMAT);
    buf_clear(&out);
    struct body_tcpip_forward forward = {bad, 1};
    body_tcpip_forward_encode(&w, &forward);
    assert_int_equal(body_tcpip_forward_decode(buf_slice(&out), &forward), ERR_FORMAT);
    buf_clear(&out);
    struct body_forward_join join = {slice_text("0123456789abcdef0123"), bad, 1};
    body_forward_join_encode(&w, &join);
    assert_int_equal(body_forward_join_decode(buf_slice(&out), &join), ERR_FORMAT);
    buf_clear(&out);
    struct msg_channel_request request = {1, bad, true, SLICE_NONE};
    msg_channel_request_encode(&w, &request);
    assert_int_equal(msg_channel_request_decode(buf_slice(&out), &request), ERR_FORMAT);
    buf_done(&out);
}

static void long_names_are_refused(void **state)
{
    (void)state;
    char text[MSG_HOST_MAX + 1];
    memset(text, 'a', sizeof(text));
    struct buf out;
    struct writer w;
    buf_init(&out, 4096);
    writer_init(&w, &out);
    struct msg_userauth_request user = {.user = slice_of(text, MSG_USER_MAX + 1),
                                        .service = slice_text("s")};
    msg_userauth_request_encode(&w, &user);
    assert_int_equal(msg_userauth_request_decode(buf_slice(&out), &user), ERR_LIMIT);
    buf_clear(&out);
    /* A channel type of any length is only unknown: it gets CHANNEL_OPEN_FAILURE (RFC 4254 5.1). */
    struct msg_channel_open open = {slice_of(text, sizeof(text)), 1, 2, 3, SLICE_NONE};
    msg_channel_open_encode(&w, &open);
    assert_ok(msg_channel_open_decode(buf_slice(&out), &open));
    buf_clear(&out);
    struct body_tcpip_open direct = {slice_of(text, MSG_HOST_MAX + 1), 1, slice_text("o"), 1};
    body_tcpip_open_encode(&w, &direct);
    assert_int_equal(body_tcpip_open_decode(buf_slice(&out), &direct), ERR_LIMIT);
    buf_done(&out);
}

static void an_unknown_method_s_body_is_not_read(void **state)
{
    (void)state;
    struct msg_userauth_request m;
    static const char text[] = "\x32\0\0\0\x01"
                               "u\0\0\0\x01"
                               "s\0\0\0\x09"
                               "hostbased\xff\xff";
    assert_ok(msg_userauth_request_decode(slice_of(text, sizeof(text) - 1), &m));
    assert_int_equal(m.method, USERAUTH_OTHER);
    assert_true(slice_is(m.method_name, "hostbased"));
}

/* The count of prompts and answers is the sender's word: neither more nor fewer may follow. */
static void a_count_of_prompts_must_be_that_of_the_prompts(void **state)
{
    (void)state;
    struct body_info_request request;
    struct body_info_response response;
    static const uint8_t one[] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x02p:\0";
    uint8_t bytes[sizeof(one) - 1];
    for (unsigned count = 0; count < 4; count++) {
        memcpy(bytes, one, sizeof(bytes));
        bytes[15] = (uint8_t)count;
        assert_int_equal(body_info_request_decode(slice_of(bytes, sizeof(bytes)), &request) == OK,
                         count == 1);
    }
    assert_int_equal(body_info_request_decode(
                         slice_of("\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff", 16), &request),
                     ERR_LIMIT);
    assert_int_equal(body_info_response_decode(slice_of("\xff\xff\xff\xff", 4), &response),
                     ERR_LIMIT);
    assert_int_not_equal(body_info_response_decode(slice_of("\0\0\0\x01", 4), &response), OK);
    assert_int_not_equal(body_info_response_decode(slice_of("\0\0\0\0\0\0\0\0", 8), &response), OK);
    assert_ok(body_info_response_decode(slice_of("\0\0\0\0", 4), &response));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_of_prompts_must_be_that_of_the_prompts),
        cmocka_unit_test(every_message_keeps_its_form),
        cmocka_unit_test(every_message_refuses_another_number),
        cmocka_unit_test(a_count_of_extensions_without_extensions_ends_at_once),
        cmocka_unit_test(unknown_extensions_are_passed_over),
        cmocka_unit_test(ports_beyond_65535_are_refused),
        cmocka_unit_test(a_join_names_a_connection_and_a_real_port),
        cmocka_unit_test(nul_bytes_in_names_are_refused),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(an_unknown_method_s_body_is_not_read),
    };
    return RUN_TESTS(tests);
}
