/* Which session a command line asks for. */
#include <string.h>

#include "client/session_choice.h"
#include "tests/unit.h"

struct row {
    const char *options[4];
    const char *words[4];
    bool is_terminal;
    enum err err;
    bool is_wanted;
    enum session_kind kind;
    const char *command;
    bool wants_tty, was_denied;
};

static void by_options_and_words(void **state UNUSED)
{
    static const struct row rows[] = {
        {{0}, {0}, true, OK, true, RUN_SHELL, NULL, true, false},
        {{0}, {0}, false, OK, true, RUN_SHELL, NULL, false, true},
        {{"RequestTTY=no"}, {0}, true, OK, true, RUN_SHELL, NULL, false, false},
        {{"RequestTTY=force"}, {0}, false, OK, true, RUN_SHELL, NULL, true, false},
        {{0}, {"echo", "a"}, true, OK, true, RUN_EXEC, "echo a", false, false},
        {{0}, {""}, true, OK, true, RUN_SHELL, NULL, true, false},
        {{0}, {"", ""}, true, OK, true, RUN_EXEC, " ", false, false},
        {{"RequestTTY=yes"}, {"top"}, true, OK, true, RUN_EXEC, "top", true, false},
        {{"RequestTTY=yes"}, {"top"}, false, OK, true, RUN_EXEC, "top", false, true},
        {{"RequestTTY=yes", "StdinNull=yes"},
         {"top"},
         true,
         OK,
         true,
         RUN_EXEC,
         "top",
         false,
         true},
        {{"SessionType=none"}, {"echo"}, true, OK, false, RUN_SHELL, NULL, false, false},
        {{"SessionType=subsystem"}, {"sftp"}, false, OK, true, RUN_SUBSYSTEM, "sftp", false, false},
        {{"SessionType=subsystem"}, {0}, false, ERR_CONFIG, false, RUN_SHELL, NULL, false, false},
        {{"RemoteCommand=id -u"}, {0}, true, OK, true, RUN_EXEC, "id -u", false, false},
        {{"RemoteCommand=id"}, {"ls"}, true, ERR_CONFIG, false, RUN_SHELL, NULL, false, false},
        {{"ForkAfterAuthentication=yes"},
         {0},
         true,
         ERR_CONFIG,
         false,
         RUN_SHELL,
         NULL,
         false,
         false},
        {{"ForkAfterAuthentication=yes", "LocalForward=1 h:2"},
         {0},
         true,
         OK,
         false,
         RUN_SHELL,
         NULL,
         false,
         false},
        {{"ForkAfterAuthentication=yes", "SessionType=none"},
         {0},
         true,
         OK,
         false,
         RUN_SHELL,
         NULL,
         false,
         false},
        {{"ForkAfterAuthentication=yes"},
         {"sleep"},
         true,
         OK,
         true,
         RUN_EXEC,
         "sleep",
         false,
         false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct client_options o;
        struct report report;
        struct session_choice choice;
        const char *fault = NULL;
        char *words[4];
        struct args args = {0};
        client_options_init(&o);
        report_init(&report);
        for (size_t k = 0; k < ARRAY_LEN(row->options) && row->options[k]; k++)
            assert_ok(client_options_set(&o, row->options[k], &report));
        for (size_t k = 0; k < ARRAY_LEN(words); k++)
            words[k] = row->words[k] ? mem_strdup(row->words[k]) : NULL;
        args.command = words[0] ? words : NULL;
        assert_int_equal(session_choose(&args, &o, row->is_terminal, &choice, &fault), row->err);
        assert_true((fault != NULL) == (row->err != OK));
        assert_int_equal(choice.is_wanted, row->is_wanted);
        if (row->err == OK) {
            assert_int_equal(choice.kind, row->kind);
            assert_int_equal(choice.wants_tty, row->wants_tty);
            assert_int_equal(choice.tty_was_denied, row->was_denied);
        }
        if (row->command)
            assert_string_equal(choice.command, row->command);
        session_choice_done(&choice);
        for (size_t k = 0; k < ARRAY_LEN(words); k++)
            mem_free(words[k]);
        client_options_done(&o);
        report_done(&report);
    }
}

static void variables_by_pattern_and_by_name(void **state UNUSED)
{
    struct client_options o;
    struct report report;
    struct string_list list;
    char one[] = "LANG=C", two[] = "LC_ALL=x=y", three[] = "HOME=/", four[] = "odd", five[] = "=x";
    char *environment[] = {one, two, three, four, five, NULL};
    client_options_init(&o);
    report_init(&report);
    string_list_init(&list);
    assert_ok(client_options_set(&o, "SendEnv=LC_* LANG o*", &report));
    assert_ok(client_options_set(&o, "SetEnv=A=1", &report));
    session_environment(&o, environment, &list);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0], "LANG=C");
    assert_string_equal(list.items[1], "LC_ALL=x=y");
    assert_string_equal(list.items[2], "A=1");
    string_list_done(&list);
    client_options_done(&o);
    report_done(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_options_and_words),
        cmocka_unit_test(variables_by_pattern_and_by_name),
    };
    return RUN_TESTS(tests);
}
