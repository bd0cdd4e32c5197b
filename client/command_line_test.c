/* ~C: the line's editor, and what lines mean. */
#include <stdio.h>
#include <string.h>

#include "client/command_line.h"
#include "tests/unit.h"

static enum command_line_state type(struct command_line *l, const char *text, char *shown)
{
    struct buf echo;
    enum command_line_state state = COMMAND_LINE_MORE;
    buf_init(&echo, 64 * COMMAND_LINE_MAX);
    for (; *text && state == COMMAND_LINE_MORE; text++)
        state = command_line_feed(l, (uint8_t)*text, &echo);
    char *all = buf_strdup(&echo);
    snprintf(shown, 4096, "%s", all);
    mem_free(all);
    buf_done(&echo);
    return state;
}

static void a_line_is_edited_and_shown(void **state UNUSED)
{
    struct command_line l;
    char shown[4096];
    command_line_open(&l);
    assert_int_equal(type(&l, "-L 1x\x7f:b\x08:c\r", shown), COMMAND_LINE_DONE);
    assert_string_equal(l.text, "-L 1::c");
    assert_string_equal(shown, "-L 1x\b \b:b\b \b:c\r\n");
    assert_false(l.is_open);
    command_line_open(&l);
    assert_int_equal(type(&l, "all of it\x15k\n", shown), COMMAND_LINE_DONE);
    assert_string_equal(l.text, "k");
    command_line_open(&l);
    assert_int_equal(type(&l, "\x7f\x7fh\xc3\xa4\x7f!\r", shown), COMMAND_LINE_DONE);
    assert_string_equal(l.text, "h!"); /* a character of two bytes is one */
    command_line_open(&l);
    assert_int_equal(type(&l, "-L 80\x03", shown), COMMAND_LINE_CANCELLED);
}

static void a_line_has_an_end(void **state UNUSED)
{
    struct command_line l;
    char shown[4096];
    char many[COMMAND_LINE_MAX + 100];
    memset(many, 'a', sizeof(many));
    many[sizeof(many) - 1] = '\0';
    command_line_open(&l);
    assert_int_equal(type(&l, many, shown), COMMAND_LINE_MORE);
    assert_int_equal(type(&l, "\r", shown), COMMAND_LINE_DONE);
    assert_int_equal(strlen(l.text), COMMAND_LINE_MAX - 1);
}

static void lines_mean(void **state UNUSED)
{
    static const struct {
        const char *line;
        enum err err;
        enum command_verb verb;
        enum forward_kind kind;
        const char *address;
        uint16_t port;
    } rows[] = {
        {"", OK, COMMAND_NOTHING, FORWARD_LOCAL, NULL, 0},
        {"  ", OK, COMMAND_NOTHING, FORWARD_LOCAL, NULL, 0},
        {"help", OK, COMMAND_HELP, FORWARD_LOCAL, NULL, 0},
        {"?", OK, COMMAND_HELP, FORWARD_LOCAL, NULL, 0},
        {"-L 80:h:81", OK, COMMAND_FORWARD, FORWARD_LOCAL, NULL, 80},
        {"L80:h:81", OK, COMMAND_FORWARD, FORWARD_LOCAL, NULL, 80},
        {"-R*:80:h:81", OK, COMMAND_FORWARD, FORWARD_REMOTE, "*", 80},
        {"-R 80", OK, COMMAND_FORWARD, FORWARD_REMOTE_DYNAMIC, NULL, 80},
        {"-D 1080", OK, COMMAND_FORWARD, FORWARD_DYNAMIC, NULL, 1080},
        {"-KL 80", OK, COMMAND_CANCEL, FORWARD_LOCAL, NULL, 80},
        {"-KR 127.0.0.1:80", OK, COMMAND_CANCEL, FORWARD_REMOTE, "127.0.0.1", 80},
        {"-KD1080", OK, COMMAND_CANCEL, FORWARD_DYNAMIC, NULL, 1080},
        {"-L 80", ERR_CONFIG, COMMAND_NOTHING, FORWARD_LOCAL, NULL, 0},
        {"-K 80", ERR_CONFIG, COMMAND_NOTHING, FORWARD_LOCAL, NULL, 0},
        {"-KL 80000", ERR_CONFIG, COMMAND_NOTHING, FORWARD_LOCAL, NULL, 0},
        {"-Z", ERR_CONFIG, COMMAND_NOTHING, FORWARD_LOCAL, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct command c;
        char *fault = NULL;
        assert_int_equal(command_parse(rows[i].line, &c, &fault), rows[i].err);
        assert_true((fault != NULL) == (rows[i].err != OK));
        if (rows[i].err == OK) {
            assert_int_equal(c.verb, rows[i].verb);
            assert_int_equal(c.spec.kind, rows[i].kind);
            assert_int_equal(c.spec.listen.port, rows[i].port);
            if (rows[i].address)
                assert_string_equal(c.spec.listen.address, rows[i].address);
        }
        command_done(&c);
        mem_free(fault);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_edited_and_shown),
        cmocka_unit_test(a_line_has_an_end),
        cmocka_unit_test(lines_mean),
    };
    return RUN_TESTS(tests);
}
