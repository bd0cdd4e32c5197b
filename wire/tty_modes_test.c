/* Terminal modes: each kind of opcode, what is unknown, and what is cut. */
#include <unistd.h>

#include "tests/unit.h"
#include "wire/tty_modes.h"

static void each_kind_of_mode_is_applied(void **state UNUSED)
{
    static const uint8_t modes[] = {
        1,   0,  0, 0,    3,   /* VINTR ^C */
        2,   0,  0, 0,    255, /* VQUIT off */
        38,  0,  0, 0,    0,   /* IXON off */
        53,  0,  0, 0,    0,   /* ECHO off */
        51,  0,  0, 0,    1,   /* ICANON on */
        72,  0,  0, 0,    1,   /* ONLCR on */
        91,  0,  0, 0,    1,   /* CS8 on */
        90,  0,  0, 0,    0,   /* CS7 off: says nothing about CS8 */
        129, 0,  0, 0x96, 0,   /* 38400 */
        99,  1,  2, 3,    4,   /* nobody knows it */
        0,   50,               /* the end: nothing is read behind it */
    };
    struct termios t = {.c_iflag = IXON | ICRNL, .c_lflag = ECHO, .c_cflag = CS7};
    assert_ok(tty_modes_apply(slice_of(modes, sizeof(modes)), &t));
    assert_int_equal(t.c_cc[VINTR], 3);
    assert_int_equal(t.c_cc[VQUIT], _POSIX_VDISABLE);
    assert_int_equal(t.c_iflag, ICRNL);
    assert_int_equal(t.c_lflag, ICANON);
    assert_int_equal(t.c_oflag, ONLCR);
    assert_int_equal(t.c_cflag & CSIZE, CS8);
    assert_int_equal(cfgetospeed(&t), B38400);
}

static void an_opcode_of_160_ends_the_list(void **state UNUSED)
{
    static const uint8_t modes[] = {160, 53, 0, 0, 0, 0};
    struct termios t = {.c_lflag = ECHO};
    assert_ok(tty_modes_apply(slice_of(modes, sizeof(modes)), &t));
    assert_int_equal(t.c_lflag, ECHO);
    assert_ok(tty_modes_apply(SLICE_NONE, &t));
}

static void a_cut_argument_is_told_and_what_stood_before_holds(void **state UNUSED)
{
    static const uint8_t modes[] = {53, 0, 0, 0, 0, 51, 0, 0, 0};
    for (size_t n = 1; n <= sizeof(modes); n++) {
        struct termios t = {.c_lflag = ECHO};
        enum err err = tty_modes_apply(slice_of(modes, n), &t);
        assert_int_equal(err, n == 5 ? OK : ERR_TRUNCATED);
        assert_int_equal(t.c_lflag, n < 5 ? ECHO : 0);
    }
}

/* What is written is read back as the same terminal. */
static void modes_go_there_and_back(void **state UNUSED)
{
    struct termios from = {.c_iflag = IXON | ICRNL | IUTF8,
                           .c_lflag = ECHO | ISIG | ICANON,
                           .c_oflag = OPOST | ONLCR,
                           .c_cflag = CS8 | PARENB};
    struct termios to = {.c_lflag = NOFLSH, .c_cflag = CS7};
    struct buf modes;
    buf_init(&modes, 1024);
    from.c_cc[VINTR] = 3;
    from.c_cc[VERASE] = 0x7f;
    from.c_cc[VQUIT] = _POSIX_VDISABLE;
    assert_int_equal(cfsetospeed(&from, B38400), 0);
    assert_ok(tty_modes_encode(&from, &modes));
    assert_ok(tty_modes_apply(buf_slice(&modes), &to));
    assert_int_equal(to.c_iflag, from.c_iflag);
    assert_int_equal(to.c_lflag, from.c_lflag);
    assert_int_equal(to.c_oflag, from.c_oflag);
    assert_int_equal(to.c_cflag & (CSIZE | PARENB), CS8 | PARENB);
    assert_int_equal(to.c_cc[VINTR], 3);
    assert_int_equal(to.c_cc[VERASE], 0x7f);
    assert_int_equal(to.c_cc[VQUIT], _POSIX_VDISABLE);
    assert_int_equal(cfgetospeed(&to), B38400);
    buf_done(&modes);
    buf_init(&modes, 16);
    assert_ok(tty_modes_encode(NULL, &modes));
    assert_int_equal(buf_len(&modes), 1);
    assert_int_equal(tty_modes_encode(&from, &modes), ERR_LIMIT);
    buf_done(&modes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_go_there_and_back),
        cmocka_unit_test(each_kind_of_mode_is_applied),
        cmocka_unit_test(an_opcode_of_160_ends_the_list),
        cmocka_unit_test(a_cut_argument_is_told_and_what_stood_before_holds),
    };
    return RUN_TESTS(tests);
}
