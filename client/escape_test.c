/* Escapes: where they are seen, what they take out, and what goes through. */
#include <stdio.h>
#include <string.h>

#include "client/escape.h"
#include "tests/unit.h"

/* Feeds all of text; out gets what goes through, actions what was asked for, in order. */
static size_t feed(struct escape *e, const char *text, char *out, enum escape_action *actions)
{
    struct slice in = slice_text(text);
    struct buf plain;
    size_t count = 0;
    buf_init(&plain, 1024);
    while (in.len) {
        enum escape_action action;
        size_t n = escape_feed(e, in, &plain, &action);
        assert_true(n > 0 && n <= in.len);
        in = slice_of(in.ptr + n, in.len - n);
        if (action != ESCAPE_NONE)
            actions[count++] = action;
    }
    char *all = buf_strdup(&plain);
    snprintf(out, 256, "%s", all);
    mem_free(all);
    buf_done(&plain);
    return count;
}

static void they_are_seen_at_a_line_s_start_alone(void **state UNUSED)
{
    static const struct {
        const char *typed, *through;
        size_t count;
        enum escape_action action;
    } rows[] = {
        {"~.", "", 1, ESCAPE_TERMINATE},       {"a~.", "a~.", 0, ESCAPE_NONE},
        {"a\r~.", "a\r", 1, ESCAPE_TERMINATE}, {"a\n~#", "a\n", 1, ESCAPE_LIST},
        {"~~", "~", 0, ESCAPE_NONE},           {"~~.", "~.", 0, ESCAPE_NONE},
        {"~x", "~x", 0, ESCAPE_NONE},          {"~x~.", "~x~.", 0, ESCAPE_NONE},
        {"~\r~?", "~\r", 1, ESCAPE_HELP},      {"~C", "", 1, ESCAPE_COMMAND},
        {"~\x1a", "", 1, ESCAPE_SUSPEND},      {"~R~B", "", 2, ESCAPE_REKEY},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct escape e;
        char out[256];
        enum escape_action actions[8] = {ESCAPE_NONE};
        escape_init(&e, '~');
        assert_int_equal(feed(&e, rows[i].typed, out, actions), rows[i].count);
        assert_string_equal(out, rows[i].through);
        assert_int_equal(actions[0], rows[i].action);
    }
}

static void a_pair_may_come_in_two_pieces(void **state UNUSED)
{
    struct escape e;
    char out[256];
    enum escape_action actions[8];
    escape_init(&e, '~');
    assert_int_equal(feed(&e, "\r~", out, actions), 0);
    assert_string_equal(out, "\r");
    assert_int_equal(feed(&e, ".", out, actions), 1);
    assert_int_equal(actions[0], ESCAPE_TERMINATE);
}

static void without_a_character_all_goes_through(void **state UNUSED)
{
    struct escape e;
    char out[256];
    enum escape_action actions[8];
    escape_init(&e, -1);
    assert_int_equal(feed(&e, "~.\r~?\xff", out, actions), 0);
    assert_string_equal(out, "~.\r~?\xff");
}

static void the_help_names_the_character_that_is_set(void **state UNUSED)
{
    struct escape e;
    escape_init(&e, 29);
    char *own = escape_help(&e, false);
    char *shared = escape_help(&e, true);
    assert_non_null(strstr(own, "Supported escape sequences:\r\n"));
    assert_non_null(strstr(own, " ^]. "));
    assert_non_null(strstr(own, " ^]C "));
    assert_null(strstr(shared, " ^]C "));
    mem_free(own);
    mem_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_seen_at_a_line_s_start_alone),
        cmocka_unit_test(a_pair_may_come_in_two_pieces),
        cmocka_unit_test(without_a_character_all_goes_through),
        cmocka_unit_test(the_help_names_the_character_that_is_set),
    };
    return RUN_TESTS(tests);
}
