/* What runs and with which environment: every switch against every request. */
#include "server/session_plan.h"
#include "tests/unit.h"

#define TEXT(text_) slice_of(text_, sizeof(text_) - 1)

struct fixture {
    struct server_options o;
    struct key_options key;
    struct account account;
    struct role_msg m;
    struct session_plan plan;
    struct string_list environment;
};

static void parse(struct fixture *f, const char *keyword, const char *value)
{
    struct report report;
    report_init(&report);
    assert_ok(option_parse_text(&f->o.state, OPTION_SERVER, option_find(OPTION_SERVER, keyword),
                                value, NULL, &report));
    report_done(&report);
}

static void begin(struct fixture *f, const char *key_options)
{
    const char *why;
    *f = (struct fixture){.m = {.kind = ROLE_MSG_LAUNCH, .user = TEXT("anna")}};
    server_options_init(&f->o);
    assert_ok(key_options_parse(slice_text(key_options), &f->key, &why));
    account_set(&f->account, "anna", "/home/anna", 1000);
    string_list_init(&f->environment);
}

static void end(struct fixture *f)
{
    session_plan_done(&f->plan);
    string_list_done(&f->environment);
    account_done(&f->account);
    key_options_done(&f->key);
    server_options_done(&f->o);
}

static void ask(struct fixture *f, enum role_session_kind kind, const char *command)
{
    option_set_defaults(&f->o.state);
    f->m.session_kind = (uint32_t)kind;
    f->m.command = slice_text(command);
    assert_ok(session_plan_make(&f->o, &f->key, &f->m, &f->plan));
}

static const char *value_of(const struct fixture *f, const char *name)
{
    size_t n = strlen(name);
    const char *found = NULL;
    for (size_t i = 0; i < f->environment.count; i++) {
        if (strncmp(f->environment.items[i], name, n) == 0 && f->environment.items[i][n] == '=') {
            assert_null(found); /* no name twice */
            found = f->environment.items[i] + n + 1;
        }
    }
    return found;
}

static void what_was_asked_is_what_runs(void **state UNUSED)
{
    struct fixture f;
    begin(&f, "");
    ask(&f, ROLE_SESSION_SHELL, "");
    assert_null(f.plan.command);
    assert_true(f.plan.has_rc);
    end(&f);
    begin(&f, "");
    ask(&f, ROLE_SESSION_EXEC, "ls -l");
    assert_string_equal(f.plan.command, "ls -l");
    assert_null(f.plan.original);
    end(&f);
}

static void subsystems_are_found_by_their_whole_name(void **state UNUSED)
{
    struct fixture f;
    begin(&f, "");
    parse(&f, "Subsystem", "sftp internal-sftp -f AUTH");
    parse(&f, "Subsystem", "other /bin/x a b");
    ask(&f, ROLE_SESSION_SUBSYSTEM, "other");
    assert_string_equal(f.plan.command, "/bin/x a b");
    assert_false(f.plan.is_sftp);
    assert_false(f.plan.has_rc);
    session_plan_done(&f.plan);
    ask(&f, ROLE_SESSION_SUBSYSTEM, "sftp");
    assert_true(f.plan.is_sftp);
    assert_string_equal(f.plan.command, "exec /usr/lib/openssh/sftp-server -f AUTH");
    session_plan_done(&f.plan);
    f.m.command = TEXT("sft");
    assert_int_equal(session_plan_make(&f.o, &f.key, &f.m, &f.plan), ERR_NOT_FOUND);
    end(&f);
}

static void forcecommand_stands_over_the_keys_and_both_over_the_request(void **state UNUSED)
{
    struct fixture f;
    begin(&f, "command=\"/bin/key\"");
    ask(&f, ROLE_SESSION_EXEC, "ls");
    assert_string_equal(f.plan.command, "/bin/key");
    assert_string_equal(f.plan.original, "ls");
    assert_true(f.plan.has_rc);
    end(&f);
    begin(&f, "command=\"/bin/key\"");
    parse(&f, "ForceCommand", "/bin/admin");
    ask(&f, ROLE_SESSION_SHELL, "");
    assert_string_equal(f.plan.command, "/bin/admin");
    assert_null(f.plan.original);
    assert_false(f.plan.has_rc);
    end(&f);
    begin(&f, "");
    parse(&f, "ForceCommand", "internal-sftp");
    ask(&f, ROLE_SESSION_EXEC, "rm -rf /");
    assert_string_equal(f.plan.command, "exec /usr/lib/openssh/sftp-server");
    end(&f);
}

static void each_switch_can_forbid_the_terminal_and_the_rc_file(void **state UNUSED)
{
    static const struct {
        const char *key, *keyword, *value;
        bool has_pty, has_rc;
    } cases[] = {
        {"", "PermitTTY", "yes", true, true},
        {"", "PermitTTY", "no", false, true},
        {"no-pty", "PermitTTY", "yes", false, true},
        {"restrict", "PermitTTY", "yes", false, false},
        {"restrict,pty", "PermitTTY", "yes", true, false},
        {"no-user-rc", "PermitUserRC", "yes", true, false},
        {"", "PermitUserRC", "no", true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f, cases[i].key);
        parse(&f, cases[i].keyword, cases[i].value);
        f.m.has_pty = 1;
        ask(&f, ROLE_SESSION_SHELL, "");
        assert_int_equal(f.plan.has_pty, cases[i].has_pty);
        assert_int_equal(f.plan.has_rc, cases[i].has_rc);
        end(&f);
    }
}

static void the_environment_is_openssh_s_and_the_server_wins(void **state UNUSED)
{
    struct fixture f;
    begin(&f, "environment=\"KEY=1\",environment=\"OTHER=1\"");
    parse(&f, "AcceptEnv", "LC_* HOME");
    parse(&f, "SetEnv", "LC_A=server S=2");
    parse(&f, "PermitUserEnvironment", "K*");
    f.m.environment = TEXT("LC_A=client\0LC_B=b\0HOME=/evil\0SECRET=1\0LC_CUT=1");
    f.m.address = f.m.local_address = TEXT("UNKNOWN");
    f.m.port = f.m.local_port = 65535;
    f.m.term = TEXT("vt100");
    ask(&f, ROLE_SESSION_EXEC, "env");
    const struct session_facts facts = {
        .account = &f.account, .time_zone = "UTC", .tty = "/dev/pts/1", .auth_file = "/tmp/a"};
    session_environment(&f.o, &f.key, &f.m, &f.plan, &facts, &f.environment);
    static const char *const expected[][2] = {
        {"LC_A", "server"},
        {"LC_B", "b"},
        {"S", "2"},
        {"HOME", "/home/anna"},
        {"USER", "anna"},
        {"LOGNAME", "anna"},
        {"MAIL", "/var/mail/anna"},
        {"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/games"},
        {"KEY", "1"},
        {"TZ", "UTC"},
        {"TERM", "vt100"},
        {"SSH_TTY", "/dev/pts/1"},
        {"SSH_USER_AUTH", "/tmp/a"},
        {"SSH_CLIENT", "UNKNOWN 65535 65535"},
        {"SSH_CONNECTION", "UNKNOWN 65535 UNKNOWN 65535"},
    };
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_non_null(value_of(&f, expected[i][0]));
        assert_string_equal(value_of(&f, expected[i][0]), expected[i][1]);
    }
    assert_null(value_of(&f, "SECRET"));
    assert_null(value_of(&f, "OTHER"));
    assert_null(value_of(&f, "LC_CUT"));
    assert_null(value_of(&f, "SSH_ORIGINAL_COMMAND"));
    end(&f);
}

static void the_users_environment_file_counts_where_it_is_permitted(void **state UNUSED)
{
    static const char text[] = "# comment\nA=1\n  B=2\nSSH_CLIENT=x\nS=user\nno assignment\nC=3";
    static const char *const permitted[] = {"no", "yes", "A*"};
    for (size_t i = 0; i < ARRAY_LEN(permitted); i++) {
        struct fixture f;
        begin(&f, "");
        parse(&f, "PermitUserEnvironment", permitted[i]);
        parse(&f, "SetEnv", "S=server");
        session_add_lines(&f.o, slice_text(text), &f.environment);
        static const size_t counts[] = {0, 3, 1};
        assert_int_equal(f.environment.count, counts[i]);
        if (i > 0)
            assert_string_equal(value_of(&f, "A"), "1");
        if (i == 1)
            assert_string_equal(value_of(&f, "B"), "2");
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_asked_is_what_runs),
        cmocka_unit_test(subsystems_are_found_by_their_whole_name),
        cmocka_unit_test(forcecommand_stands_over_the_keys_and_both_over_the_request),
        cmocka_unit_test(each_switch_can_forbid_the_terminal_and_the_rc_file),
        cmocka_unit_test(the_users_environment_file_counts_where_it_is_permitted),
        cmocka_unit_test(the_environment_is_openssh_s_and_the_server_wins),
    };
    return RUN_TESTS(tests);
}
