/* Messages of the multiplexing protocol: bytes by hand, every form there and back, cut everywhere.
 */
#include <string.h>

#include "client/mux_msg.h"
#include "tests/unit.h"

static const enum mux_type all[] = {
    MUX_HELLO,        MUX_NEW_SESSION,   MUX_ALIVE_CHECK, MUX_TERMINATE,
    MUX_OPEN_FORWARD, MUX_CLOSE_FORWARD, MUX_NEW_STDIO,   MUX_STOP_LISTENING,
    MUX_PROXY,        MUX_ASK_INFO,      MUX_OK,          MUX_DENIED,
    MUX_FAILURE,      MUX_EXIT,          MUX_ALIVE,       MUX_SESSION_OPENED,
    MUX_REMOTE_PORT,  MUX_TTY_FAILED,    MUX_PROXY_READY, MUX_INFO,
};

static struct mux_msg sample(enum mux_type type)
{
    static const uint8_t strings[] = {0, 0, 0, 3, 'A', '=', '1'};
    return (struct mux_msg){.type = type,
                            .request = 7,
                            .session = 8,
                            .value = 9,
                            .text = slice_text("text"),
                            .wants_tty = true,
                            .is_subsystem = true,
                            .escape = MUX_NO_ESCAPE,
                            .term = slice_text("xterm"),
                            .command = slice_text("sftp"),
                            .environment = slice_of(strings, sizeof(strings)),
                            .forward = MUX_FORWARD_REMOTE,
                            .listen_host = slice_text("*"),
                            .listen_port = 80,
                            .connect_host = slice_text("h"),
                            .connect_port = 81};
}

static void every_form_goes_there_and_back_and_is_whole_or_refused(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct mux_msg from = sample(all[i]), to;
        struct buf bytes, again;
        buf_init(&bytes, 1024);
        buf_init(&again, 1024);
        assert_ok(mux_msg_encode(&from, &bytes));
        assert_ok(mux_msg_decode(buf_slice(&bytes), &to));
        assert_int_equal(to.type, all[i]);
        assert_ok(mux_msg_encode(&to, &again));
        assert_true(slice_equal(buf_slice(&bytes), buf_slice(&again)));
        /* What may repeat at the end is whole at more than one length. */
        bool has_tail = all[i] == MUX_HELLO || all[i] == MUX_NEW_SESSION;
        for (size_t n = 0; n < buf_len(&bytes); n++) {
            enum err err = mux_msg_decode(slice_of(buf_slice(&bytes).ptr, n), &to);
            assert_true(err != OK || has_tail);
        }
        uint8_t more = 0;
        assert_ok(buf_append(&bytes, &more, 1));
        assert_true(mux_msg_decode(buf_slice(&bytes), &to) != OK || has_tail);
        buf_done(&bytes);
        buf_done(&again);
    }
}

/* PROTOCOL.mux 4: MUX_C_ALIVE_CHECK and its answer, as Debian's ssh sends them. */
static void known_bytes(void **state UNUSED)
{
    static const uint8_t check[] = {0x10, 0, 0, 4, 0, 0, 0, 0};
    static const uint8_t alive[] = {0x80, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0x30, 0x39};
    static const uint8_t unknown[] = {0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 5, 1};
    struct mux_msg m;
    assert_ok(mux_msg_decode(slice_of(check, sizeof(check)), &m));
    assert_int_equal(m.type, MUX_ALIVE_CHECK);
    assert_ok(mux_msg_decode(slice_of(alive, sizeof(alive)), &m));
    assert_int_equal(m.value, 12345);
    assert_int_equal(mux_msg_decode(slice_of(unknown, sizeof(unknown)), &m), ERR_UNSUPPORTED);
    assert_int_equal(m.request, 5);
}

static void forwards_there_and_back(void **state UNUSED)
{
    static const struct {
        enum forward_kind kind;
        const char *text;
    } rows[] = {
        {FORWARD_LOCAL, "80:h:81"},
        {FORWARD_LOCAL, "*:80:h:81"},
        {FORWARD_LOCAL, "127.0.0.1:80:h:81"},
        {FORWARD_LOCAL, "/a/b:h:81"},
        {FORWARD_LOCAL, "/a/b:/c/d"},
        {FORWARD_REMOTE, "0:h:81"},
        {FORWARD_REMOTE, "/a/b:/c/d"},
        {FORWARD_REMOTE, "80:/c/d"},
        {FORWARD_REMOTE, "1080"},
        {FORWARD_DYNAMIC, "127.0.0.1:1080"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct forward_spec from, to;
        struct forward_fault fault;
        struct mux_msg m = {.type = MUX_OPEN_FORWARD};
        assert_ok(forward_spec_parse(rows[i].kind, rows[i].text, &from, &fault));
        mux_forward_put(&m, &from);
        assert_ok(mux_forward_spec(&m, &to));
        assert_true(forward_spec_equal(&from, &to));
        forward_spec_done(&from);
        forward_spec_done(&to);
    }
}

static void what_is_no_forward_is_refused(void **state UNUSED)
{
    struct mux_msg good = sample(MUX_OPEN_FORWARD);
    struct forward_spec spec;
    assert_ok(mux_forward_spec(&good, &spec));
    forward_spec_done(&spec);
    struct mux_msg kind = good, port = good, target = good;
    kind.forward = 4;
    assert_int_equal(mux_forward_spec(&kind, &spec), ERR_FORMAT);
    port.listen_port = 65536;
    assert_int_equal(mux_forward_spec(&port, &spec), ERR_FORMAT);
    target.connect_port = 70000;
    assert_int_equal(mux_forward_spec(&target, &spec), ERR_FORMAT);
    target = good;
    target.forward = MUX_FORWARD_LOCAL;
    target.connect_host = SLICE_NONE;
    assert_int_equal(mux_forward_spec(&target, &spec), ERR_FORMAT);
}

static void variables_are_counted(void **state UNUSED)
{
    struct string_list list, back;
    struct buf strings;
    string_list_init(&list);
    string_list_init(&back);
    buf_init(&strings, MUX_FRAME_MAX);
    for (int i = 0; i < MUX_ENV_MAX + 1; i++)
        string_list_add(&list, "A=b");
    mux_environment_put(&strings, &list);
    struct mux_msg m = {.type = MUX_NEW_SESSION, .environment = buf_slice(&strings)};
    assert_ok(mux_environment(&m, &back));
    assert_int_equal(back.count, MUX_ENV_MAX); /* what a master takes */
    string_list_done(&back);
    static const uint8_t one[] = {0, 0, 0, 3, 'A', '=', '1'};
    assert_ok(buf_append(&strings, one, sizeof(one)));
    m.environment = buf_slice(&strings);
    assert_int_equal(mux_environment(&m, &back), ERR_LIMIT);
    string_list_done(&back);
    string_list_done(&list);
    buf_done(&strings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_goes_there_and_back_and_is_whole_or_refused),
        cmocka_unit_test(known_bytes),
        cmocka_unit_test(forwards_there_and_back),
        cmocka_unit_test(what_is_no_forward_is_refused),
        cmocka_unit_test(variables_are_counted),
    };
    return RUN_TESTS(tests);
}
