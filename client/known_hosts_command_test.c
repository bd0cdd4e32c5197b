/* How the line of KnownHostsCommand becomes words. */
#include "client/known_hosts_command.h"
#include "config/string_list.h"
#include "tests/unit.h"

static void words_are_split_as_openssh_splits_them(void **state UNUSED)
{
    static const struct {
        const char *text;
        const char *words[5]; /* NULL first: malformed */
    } rows[] = {
        {"/bin/a", {"/bin/a"}},
        {"  /bin/a\t%H  x ", {"/bin/a", "%H", "x"}},
        {"/a 'b c' \"d 'e\"", {"/a", "b c", "d 'e"}},
        {"/a b'c d'e \"\"", {"/a", "bc de", ""}},
        {"/a \\' \\\" \\\\ x\\ y", {"/a", "'", "\"", "\\", "x y"}},
        {"/a '\\ b' \"c\\\"d\"", {"/a", "\\ b", "c\"d"}},
        {"/a \\n", {"/a", "\\n"}},
        {"/a 'b", {NULL}},
        {"/a \"b\\\"", {NULL}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct string_list words;
        size_t n = 0;
        string_list_init(&words);
        enum err err = known_hosts_command_split(rows[i].text, &words);
        assert_int_equal(err, rows[i].words[0] ? OK : ERR_FORMAT);
        while (err == OK && n < 5 && rows[i].words[n]) {
            assert_true(n < words.count);
            assert_string_equal(words.items[n], rows[i].words[n]);
            n++;
        }
        assert_true(err != OK || n == words.count);
        string_list_done(&words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_are_split_as_openssh_splits_them)};
    return RUN_TESTS(tests);
}
