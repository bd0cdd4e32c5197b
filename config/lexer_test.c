/* Lines to words: quotes, '=', comments, escapes, columns, and what is refused. */
#include "config/fuzz_rounds.h"
#include "config/lexer.h"
#include "tests/unit.h"

static void lines_split_as_openssh_splits_them(void **state)
{
    static const struct {
        const char *text, *keyword, *words; /* words joined by '|' */
    } cases[] = {
        {"", NULL, ""},
        {"   \t ", NULL, ""},
        {"# Port 22", NULL, ""},
        {"  # \xe4\xb8\xad\xe6\x96\x87\xe6\xb3\xa8\xe9\x87\x8a", NULL, ""},
        {"Port 22", "Port", "22"},
        {"\tPort\t=\t22", "Port", "22"},
        {"Port=22", "Port", "22"},
        {"Port =22", "Port", "22"},
        {"Port= 22 # why", "Port", "22"},
        {"Port", "Port", ""},
        {"Port =", "Port", ""},
        {"SetEnv A=1 B=2", "SetEnv", "A=1|B=2"},
        {"SetEnv=A=1", "SetEnv", "A=1"},
        {"Host a#b c", "Host", "a#b|c"},
        {"Host a #b c", "Host", "a"},
        {"Host \"a #b\" c", "Host", "a #b|c"},
        {"IdentityFile \"a b\" 'c d'", "IdentityFile", "a b|c d"},
        {"IdentityFile a\\ b", "IdentityFile", "a b"},
        {"IdentityFile \"a\\\"b\\\\c\"", "IdentityFile", "a\"b\\c"},
        {"IdentityFile \"a\\ b\\n\"", "IdentityFile", "a\\ b\\n"},
        {"IdentityFile a\"b c\"d", "IdentityFile", "ab cd"},
        {"IdentityFile \"\" x", "IdentityFile", "|x"},
        {"Host a\r", "Host", "a"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct line line;
        struct lexer_fault fault;
        assert_ok(lexer_split(slice_text(cases[i].text), &line, &fault));
        if (cases[i].keyword == NULL) {
            assert_null(line.keyword);
        } else {
            assert_string_equal(line.keyword, cases[i].keyword);
            char *joined = mem_strdup("");
            for (size_t j = 0; j < line.count; j++) {
                char *longer = mem_printf("%s%s%s", joined, j ? "|" : "", line.words[j].text);
                mem_free(joined);
                joined = longer;
            }
            assert_string_equal(joined, cases[i].words);
            mem_free(joined);
        }
        line_done(&line);
    }
}

static void columns_point_at_the_words(void **state)
{
    struct line line;
    struct lexer_fault fault;
    (void)state;
    assert_ok(lexer_split(slice_text("  ProxyCommand = sh -c \"x y\" # z  "), &line, &fault));
    assert_int_equal(line.keyword_column, 3);
    assert_int_equal(line.count, 3);
    assert_int_equal(line.words[0].column, 18);
    assert_int_equal(line.words[2].column, 24);
    assert_int_equal(line.rest_column, 18);
    assert_string_equal(line.rest, "sh -c \"x y\" # z");
    line_done(&line);
}

static void bad_lines_say_where(void **state)
{
    struct line line;
    struct lexer_fault fault;
    (void)state;
    assert_int_equal(lexer_split(slice_text("Host \"a b"), &line, &fault), ERR_FORMAT);
    assert_string_equal(fault.text, "a quote is not closed");
    assert_int_equal(fault.column, 6);
    assert_null(line.keyword);
    assert_int_equal(lexer_split(slice_of("Host a\0b", 8), &line, &fault), ERR_FORMAT);
    assert_string_equal(fault.text, "there is a NUL byte on the line");
    assert_int_equal(fault.column, 7);
    assert_int_equal(lexer_split(slice_of("# a\0b", 5), &line, &fault), ERR_FORMAT);
    assert_int_equal(lexer_split_words(slice_text("a\nb"), &line, &fault), ERR_FORMAT);

    char *longest = mem_new(LEXER_LINE_MAX + 2, 1);
    memset(longest, 'a', LEXER_LINE_MAX + 1);
    assert_int_equal(lexer_split(slice_text(longest), &line, &fault), ERR_LIMIT);
    longest[LEXER_LINE_MAX] = '\0';
    assert_ok(lexer_split(slice_text(longest), &line, &fault));
    line_done(&line);
    for (size_t i = 1; i < LEXER_LINE_MAX; i += 2)
        longest[i] = ' ';
    assert_int_equal(lexer_split(slice_text(longest), &line, &fault), ERR_LIMIT);
    assert_string_equal(fault.text, "there are too many words on the line");
    mem_free(longest);
}

static void files_split_into_lines(void **state)
{
    static const char *const lines[] = {"a", "", "b", "c\r", "d"};
    struct slice text = slice_text("a\n\nb\r\nc\r\r\nd"), line;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        assert_true(lexer_next_line(&text, &line));
        assert_true(slice_is(line, lines[i]));
    }
    assert_false(lexer_next_line(&text, &line));
}

/* Words that were read print so that they read back; the unit test's own entry point. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line line, again;
    struct lexer_fault fault;
    if (lexer_split(slice_of(data, size), &line, &fault) != OK) {
        assert_true(fault.column >= 1 && fault.text != NULL);
        return 0;
    }
    struct buf out;
    buf_init(&out, 4 * LEXER_LINE_MAX);
    for (size_t i = 0; i < line.count; i++) {
        assert_ok(lexer_print_word(&out, line.words[i].text));
        assert_ok(buf_append(&out, " ", 1));
    }
    assert_ok(lexer_split_words(buf_slice(&out), &again, &fault));
    assert_int_equal(again.count, line.count);
    for (size_t i = 0; i < line.count; i++)
        assert_string_equal(again.words[i].text, line.words[i].text);
    line_done(&again);
    line_done(&line);
    buf_done(&out);
    return 0;
}

static void any_bytes_are_read_or_refused(void **state)
{
    static const char *const seeds[] = {
        "  IdentityFile = \"a b\" 'c\\'d' e\\ f # comment",
        "SetEnv A=\"1 2\" B='x' \\\\ \"\" #",
        "Host a b !c *.example.org",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++)
        fuzz_truncations(seeds[i]);
    fuzz_rounds(seeds, ARRAY_LEN(seeds), 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_split_as_openssh_splits_them),
        cmocka_unit_test(columns_point_at_the_words),
        cmocka_unit_test(bad_lines_say_where),
        cmocka_unit_test(files_split_into_lines),
        cmocka_unit_test(any_bytes_are_read_or_refused),
    };
    return RUN_TESTS(tests);
}
