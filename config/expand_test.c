/* Percent tokens, variables and home directories. */
#include <string.h>

#include "config/expand.h"
#include "tests/unit.h"

static const char *environment(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "DIR") == 0 ? "/run/%h" : NULL;
}

static const char *user_home(void *arg, const char *user)
{
    (void)arg;
    return strcmp(user, "anna") == 0 ? "/home/anna" : NULL;
}

static const struct expand_token tokens[] = {
    {'h', "vps.example.org"}, {'p', "22"}, {'n', "%p"}, {'C', NULL}};
static const struct expand_facts facts = {
    .tokens = tokens,
    .token_count = ARRAY_LEN(tokens),
    .home = "/root",
    .user_home = user_home,
    .environment = environment,
};

static void values_expand_once(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"nc %h %p", "nc vps.example.org 22"},
        {"%%h %n", "%h %p"},
        {"~/.ssh/id_%h", "/root/.ssh/id_vps.example.org"},
        {"~", "/root/"},
        {"~anna/x", "/home/anna/x"},
        {"a~/b", "a~/b"},
        {"${DIR}/s", "/run/%h/s"},
        {"$DIR $", "$DIR $"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *out;
        struct expand_fault fault;
        assert_ok(expand_text(cases[i][0], &facts, &out, &fault));
        assert_string_equal(out, cases[i][1]);
        mem_free(out);
    }
}

static void what_cannot_be_expanded_is_named(void **state)
{
    static const char *const cases[][2] = {
        {"a%x", "there is no token %x"},
        {"a%", "a lone '%' stands at the end; a percent sign is written %%"},
        {"%C", "the token %C is not known here"},
        {"${HOME}", "the environment variable \"HOME\" is not set"},
        {"${}", "the environment variable \"\" is not set"},
        {"${DIR", "\"${DIR\" is not closed"},
        {"~bob/x", "there is no home directory of \"bob\""},
        {"%\x01", "there is no token %\\001"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *out;
        struct expand_fault fault;
        assert_int_equal(expand_text(cases[i][0], &facts, &out, &fault), ERR_CONFIG);
        assert_null(out);
        assert_string_equal(fault.text, cases[i][1]);
    }
}

static void results_are_bounded(void **state)
{
    char *text = mem_new(EXPAND_MAX + 1, 1), *out;
    struct expand_fault fault;
    (void)state;
    for (size_t i = 0; i < EXPAND_MAX; i += 2)
        memcpy(text + i, "%h", 2);
    assert_int_equal(expand_text(text, &facts, &out, &fault), ERR_LIMIT);
    assert_null(out);
    mem_free(text);
}

static void without_facts_only_percent_is_special(void **state)
{
    const struct expand_facts none = {.token_count = 0};
    char *out;
    struct expand_fault fault;
    (void)state;
    assert_ok(expand_text("~/${X}/100%%", &none, &out, &fault));
    assert_string_equal(out, "~/${X}/100%");
    mem_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_expand_once),
        cmocka_unit_test(what_cannot_be_expanded_is_named),
        cmocka_unit_test(results_are_bounded),
        cmocka_unit_test(without_facts_only_percent_is_special),
    };
    return RUN_TESTS(tests);
}
