/* The administrator's commands: what they get, and when what they print counts. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/authz_command.h"
#include "tests/unit.h"

static const struct expand_token tokens[] = {{'u', "al ice"}, {'k', "KEY"}, {'s', NULL}};

static struct command command_of(const char *line)
{
    struct passwd *me = getpwuid(getuid());
    return (struct command){.keyword = "AuthorizedKeysCommand",
                            .line = line,
                            .user = me ? me->pw_name : NULL,
                            .tokens = tokens,
                            .token_count = ARRAY_LEN(tokens),
                            .only_argument = "alice",
                            .time_s = 10};
}

static void assert_prints(const char *line, const char *expected)
{
    struct command c = command_of(line);
    struct buf out;
    buf_init(&out, COMMAND_OUTPUT_MAX + 1);
    enum err err = command_run(&c, &out);
    if (err != OK || !slice_is(buf_slice(&out), expected))
        fail_msg("%s: %s: %.*s", line, err_name(err), (int)buf_len(&out),
                 (const char *)buf_slice(&out).ptr);
    buf_done(&out);
}

static void assert_fails(const char *line, enum err expected)
{
    struct command c = command_of(line);
    struct buf out;
    c.time_s = 1;
    buf_init(&out, COMMAND_OUTPUT_MAX + 1);
    enum err err = command_run(&c, &out);
    if (err != expected)
        fail_msg("%s: %s", line, err_name(err));
    assert_int_equal(buf_len(&out), 0);
    buf_done(&out);
}

static void arguments_are_words_and_no_shell_s(void **state UNUSED)
{
    assert_prints("/usr/bin/printf \"%%s|\" %u \"a $b;c\" %k%%", "al ice|a $b;c|KEY%|");
    assert_prints("/bin/echo", "alice\n"); /* the user's name, where there are none */
    assert_prints("/bin/echo x", "x\n");
}

static void the_environment_is_ours(void **state UNUSED)
{
    struct passwd *me = getpwuid(getuid());
    assert_non_null(me);
    assert_int_equal(setenv("SSH_SECRET", "x", 1), 0);
    char *expected CLEANUP(mem_cleanup) = mem_printf(
        "PATH=/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin\nUSER=%s\nLOGNAME=%s\nHOME=%s\n",
        me->pw_name, me->pw_name, me->pw_dir);
    assert_prints("/usr/bin/env -u NONE", expected);
    assert_prints("/bin/pwd -P", "/\n");
    assert_prints("/bin/sh -c \"ls /proc/self/fd | wc -l\"", "4\n"); /* with ls's own */
}

static void what_fails_counts_for_nothing(void **state UNUSED)
{
    assert_fails("/bin/sh -c \"echo key; exit 3\"", ERR_IO);
    assert_fails("/bin/sh -c \"echo key; kill -9 $$\"", ERR_IO);
    assert_fails("/bin/sh -c \"echo key; sleep 100\"", ERR_TIMEOUT);
    assert_fails("/bin/sh -c \"echo key; exec >&-; sleep 100\"", ERR_TIMEOUT);
    assert_fails("/usr/bin/head -c 5000000 /dev/zero", ERR_LIMIT);
}

static void what_may_not_run_does_not(void **state UNUSED)
{
    assert_fails("bin/echo", ERR_CONFIG);
    assert_fails("", ERR_CONFIG);
    assert_fails("/bin/echo \"open", ERR_CONFIG);
    assert_fails("/bin/echo %s", ERR_CONFIG); /* known, and not here */
    assert_fails("/bin/echo %Z", ERR_CONFIG);
    assert_fails("/no/such/program", ERR_DENIED);
    assert_fails("/usr", ERR_DENIED);
    char path[] = "/tmp/command_test_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(chmod(path, 0777), 0);
    assert_fails(path, ERR_DENIED); /* anybody may change it */
    assert_int_equal(chmod(path, 0755), 0);
    if (getuid() == 0)
        assert_fails(path, ERR_DENIED); /* anybody may write in /tmp */
    (void)unlink(path);
    struct command c = command_of("/bin/echo");
    static const char *const users[] = {"none", "no-such-account-here", NULL};
    for (size_t i = 0; i < ARRAY_LEN(users); i++) {
        struct buf out;
        buf_init(&out, COMMAND_OUTPUT_MAX + 1);
        c.user = users[i];
        assert_int_equal(command_run(&c, &out), ERR_CONFIG);
        buf_done(&out);
    }
}

static void as_root_it_runs_as_the_account(void **state UNUSED)
{
    struct passwd *nobody = getpwnam("nobody");
    if (getuid() != 0 || !nobody)
        skip();
    char *expected CLEANUP(mem_cleanup) = mem_printf("%u\n", (unsigned)nobody->pw_uid);
    struct command c = command_of("/usr/bin/id -u");
    struct buf out;
    buf_init(&out, COMMAND_OUTPUT_MAX + 1);
    c.user = "nobody";
    assert_ok(command_run(&c, &out));
    assert_true(slice_is(buf_slice(&out), expected));
    buf_done(&out);
    assert_int_equal(geteuid(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_words_and_no_shell_s),
        cmocka_unit_test(the_environment_is_ours),
        cmocka_unit_test(what_fails_counts_for_nothing),
        cmocka_unit_test(what_may_not_run_does_not),
        cmocka_unit_test(as_root_it_runs_as_the_account),
    };
    return RUN_TESTS(tests);
}
