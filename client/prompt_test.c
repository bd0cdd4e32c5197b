/* Prompts on a pseudo terminal, with a child that types; askpass by small shell programs. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "client/prompt.h"
#include "tests/unit.h"

struct terminal {
    int master;
    char name[64];
    struct prompt_config config;
};

static int setup(void **state)
{
    struct terminal *t = NEW(struct terminal);
    t->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(t->master >= 0);
    assert_int_equal(grantpt(t->master), 0);
    assert_int_equal(unlockpt(t->master), 0);
    assert_int_equal(ptsname_r(t->master, t->name, sizeof(t->name)), 0);
    t->config = (struct prompt_config){.terminal = t->name, .askpass = "/nonexistent/askpass"};
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct terminal *t = *state;
    close(t->master);
    mem_free(t);
    return 0;
}

static bool is_echoing(int master)
{
    struct termios settings;
    assert_int_equal(tcgetattr(master, &settings), 0);
    return settings.c_lflag & ECHO;
}

/* Reads what the terminal shows until text came; false after 5 seconds. */
static bool wait_for(int master, const char *text)
{
    char seen[4096];
    size_t length = 0;
    while (length < sizeof(seen) - 1) {
        struct pollfd fd = {.fd = master, .events = POLLIN};
        if (poll(&fd, 1, 5000) <= 0)
            return false;
        ssize_t n = read(master, seen + length, sizeof(seen) - 1 - length);
        if (n <= 0)
            return false;
        length += (size_t)n;
        seen[length] = '\0';
        if (strstr(seen, text))
            return true;
    }
    return false;
}

/* A person who waits for each question and types each answer; the exit status says if all went
 * as expected. */
static pid_t person(const struct terminal *t, const char *const *script, bool echo_expected)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    for (; script[0]; script += 2) {
        bool ok = wait_for(t->master, script[0]) && is_echoing(t->master) == echo_expected &&
                  write(t->master, script[1], strlen(script[1])) == (ssize_t)strlen(script[1]);
        if (!ok)
            _exit(1);
    }
    _exit(0);
}

static void person_is_content(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Keeps the slave side open, so that its settings outlive each prompt. */
static int slave_open(const struct terminal *t)
{
    int slave = open(t->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0);
    return slave;
}

static void test_a_secret_is_typed_unseen(void **state)
{
    struct terminal *t = *state;
    static const char *const script[] = {"Password: ", "correct horse\n", NULL};
    struct buf answer;
    buf_init_secret(&answer, 64);
    int slave = slave_open(t);
    pid_t pid = person(t, script, false);
    assert_ok(prompt_ask(&t->config, "Password: ", true, &answer));
    assert_true(slice_is(buf_slice(&answer), "correct horse"));
    person_is_content(pid);
    assert_true(is_echoing(t->master));
    buf_done(&answer);
    close(slave);
}

static void test_an_open_answer_is_shown(void **state)
{
    struct terminal *t = *state;
    static const char *const script[] = {"Name: ", "ada\n", NULL};
    struct buf answer;
    buf_init(&answer, 64);
    int slave = slave_open(t);
    pid_t pid = person(t, script, true);
    assert_ok(prompt_ask(&t->config, "Name: ", false, &answer));
    assert_true(slice_is(buf_slice(&answer), "ada"));
    person_is_content(pid);
    buf_done(&answer);
    close(slave);
}

static void test_an_end_of_file_is_a_no(void **state)
{
    struct terminal *t = *state;
    static const char *const script[] = {"Password: ", "\x04", NULL};
    struct buf answer;
    buf_init_secret(&answer, 64);
    int slave = slave_open(t);
    pid_t pid = person(t, script, false);
    assert_int_equal(prompt_ask(&t->config, "Password: ", true, &answer), ERR_DENIED);
    person_is_content(pid);
    assert_true(is_echoing(t->master));
    close(slave);
}

static void test_too_long_an_answer_is_refused(void **state)
{
    struct terminal *t = *state;
    char text[PROMPT_ANSWER_MAX + 3];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 2] = '\n';
    text[sizeof(text) - 1] = '\0';
    const char *const script[] = {"Password: ", text, NULL};
    struct buf answer;
    buf_init_secret(&answer, 4096);
    int slave = slave_open(t);
    pid_t pid = person(t, script, false);
    assert_int_equal(prompt_ask(&t->config, "Password: ", true, &answer), ERR_LIMIT);
    person_is_content(pid);
    assert_int_equal(buf_len(&answer), 0);
    close(slave);
}

/* A process of its own session on the terminal, so that keys become signals there. */
static pid_t prompter(const struct terminal *t)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    struct buf answer;
    buf_init_secret(&answer, 64);
    int slave = setsid() > 0 ? open(t->name, O_RDWR) : -1;
    if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) != 0)
        _exit(2);
    enum err err = prompt_ask(&t->config, "Password: ", true, &answer);
    _exit(err == OK && slice_is(buf_slice(&answer), "late") ? 0 : 3);
}

static void test_an_interrupt_kills_with_the_terminal_put_back(void **state)
{
    struct terminal *t = *state;
    int slave = slave_open(t), status;
    pid_t pid = prompter(t);
    assert_true(wait_for(t->master, "Password: "));
    assert_false(is_echoing(t->master));
    assert_int_equal(write(t->master, "abc\x03", 4), 4);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    assert_true(is_echoing(t->master));
    close(slave);
}

static void test_a_termination_kills_with_the_terminal_put_back(void **state)
{
    struct terminal *t = *state;
    int slave = slave_open(t), status;
    pid_t pid = prompter(t);
    assert_true(wait_for(t->master, "Password: "));
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    assert_true(is_echoing(t->master));
    close(slave);
}

static void note_signal(int number)
{
    (void)number;
}

static void test_a_handled_signal_cancels(void **state)
{
    struct terminal *t = *state;
    struct sigaction action = {.sa_handler = note_signal}, before;
    static const char *const script[] = {"Password: ", "", NULL};
    struct buf answer;
    buf_init_secret(&answer, 64);
    int slave = slave_open(t);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    pid_t pid = person(t, script, false);
    const struct timespec soon = {.tv_nsec = 50 * 1000 * 1000};
    const struct itimerspec once = {.it_value = soon};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    timer_t timer;
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &once, NULL), 0);
    assert_int_equal(prompt_ask(&t->config, "Password: ", true, &answer), ERR_CANCELLED);
    assert_true(is_echoing(t->master));
    assert_int_equal(timer_delete(timer), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(slave);
}

static void test_trust_wants_a_plain_answer(void **state)
{
    struct terminal *t = *state;
    static const struct {
        const char *const script[7];
        enum err err;
    } rows[] = {
        {{"really? ", "yes\n", NULL}, OK},
        {{"really? ", " YES \n", NULL}, OK},
        {{"really? ", "SHA256:abc\n", NULL}, OK},
        {{"really? ", "no\n", NULL}, ERR_DENIED},
        {{"really? ", "\n", NULL}, ERR_DENIED},
        {{"really? ", "\x04", NULL}, ERR_DENIED},
        {{"really? ", "y\n", "Please type", "sha256:abc\n", "Please type", "yes\n", NULL}, OK},
        {{"really? ", "SHA256:abd\n", "Please type", "no\n", NULL}, ERR_DENIED},
    };
    int slave = slave_open(t);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        pid_t pid = person(t, rows[i].script, true);
        assert_int_equal(prompt_ask_trust(&t->config, "really? ", "SHA256:abc"), rows[i].err);
        person_is_content(pid);
    }
    close(slave);
}

static void test_the_way_is_chosen_as_ssh_does(void **state)
{
    (void)state;
    static const struct {
        enum askpass_use use;
        bool has_display, has_terminal;
        enum prompt_way way;
    } rows[] = {
        {ASKPASS_AUTO, false, false, PROMPT_NOBODY},
        {ASKPASS_AUTO, false, true, PROMPT_TERMINAL},
        {ASKPASS_AUTO, true, false, PROMPT_ASKPASS},
        {ASKPASS_AUTO, true, true, PROMPT_TERMINAL},
        {ASKPASS_NEVER, true, false, PROMPT_NOBODY},
        {ASKPASS_NEVER, true, true, PROMPT_TERMINAL},
        {ASKPASS_PREFER, false, false, PROMPT_NOBODY},
        {ASKPASS_PREFER, false, true, PROMPT_TERMINAL},
        {ASKPASS_PREFER, true, false, PROMPT_ASKPASS},
        {ASKPASS_PREFER, true, true, PROMPT_ASKPASS},
        {ASKPASS_FORCE, false, false, PROMPT_ASKPASS},
        {ASKPASS_FORCE, false, true, PROMPT_ASKPASS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct prompt_config config = {.use = rows[i].use, .has_display = rows[i].has_display};
        assert_int_equal(prompt_choose(&config, rows[i].has_terminal), rows[i].way);
        config.is_batch = true;
        assert_int_equal(prompt_choose(&config, rows[i].has_terminal), PROMPT_NOBODY);
    }
}

static void test_the_environment_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum askpass_use use;
    } rows[] = {{"force", ASKPASS_FORCE},
                {"PREFER", ASKPASS_PREFER},
                {"never", ASKPASS_NEVER},
                {"other", ASKPASS_AUTO}};
    unsetenv("DISPLAY");
    unsetenv("WAYLAND_DISPLAY");
    unsetenv("SSH_ASKPASS_REQUIRE");
    assert_int_equal(setenv("SSH_ASKPASS", "/some/program", 1), 0);
    struct prompt_config config = prompt_config_from_environment(false);
    assert_string_equal(config.askpass, "/some/program");
    assert_string_equal(config.terminal, "/dev/tty");
    assert_int_equal(config.use, ASKPASS_AUTO);
    assert_false(config.has_display || config.is_batch);
    assert_int_equal(setenv("WAYLAND_DISPLAY", "w", 1), 0);
    assert_true(prompt_config_from_environment(true).has_display);
    assert_true(prompt_config_from_environment(true).is_batch);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(setenv("SSH_ASKPASS_REQUIRE", rows[i].word, 1), 0);
        assert_int_equal(prompt_config_from_environment(false).use, rows[i].use);
    }
}

static void write_program(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

static void test_askpass_answers_by_its_output(void **state)
{
    struct terminal *t = *state;
    static const struct {
        const char *program, *answer;
        enum err err;
    } rows[] = {
        {"#!/bin/sh\necho \"<$1>\"\n", "<Pass: >", OK},
        {"#!/bin/sh\nprintf 'one\\ntwo\\n'\n", "one", OK},
        {"#!/bin/sh\nprintf bare\n", "bare", OK},
        {"#!/bin/sh\necho secret; exit 1\n", "", ERR_DENIED},
        {"#!/bin/sh\nkill -9 $$\n", "", ERR_DENIED},
        {"#!/bin/sh\nhead -c 5000 /dev/zero | tr '\\0' x\n", "", ERR_LIMIT},
    };
    char path[] = "/tmp/adit-askpass-XXXXXX";
    assert_non_null(mkdtemp(path));
    char *program CLEANUP(mem_cleanup) = mem_printf("%s/ask", path);
    t->config.use = ASKPASS_FORCE;
    t->config.askpass = program;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf answer;
        buf_init_secret(&answer, 4096);
        write_program(program, rows[i].program);
        assert_int_equal(prompt_ask(&t->config, "Pass: ", true, &answer), rows[i].err);
        assert_true(slice_is(buf_slice(&answer), rows[i].answer));
        buf_done(&answer);
    }
    /* An answer that is neither yes nor no does not go round for ever. */
    assert_int_equal(unlink(program), 0);
    t->config.askpass = "/bin/echo";
    assert_int_equal(prompt_ask_trust(&t->config, "perhaps", "SHA256:abc"), ERR_DENIED);
    t->config.askpass = program;
    assert_int_equal(prompt_ask_trust(&t->config, "gone", "SHA256:abc"), ERR_IO);
    assert_int_equal(rmdir(path), 0);
}

static void test_a_confirmation_is_yes_or_no(void **state)
{
    struct terminal *t = *state;
    static const struct {
        const char *typed;
        enum err err;
    } rows[] = {{"yes\n", OK}, {"YES\n", OK}, {"\n", ERR_DENIED}, {"y\n", ERR_DENIED}};
    static const struct {
        const char *program;
        enum err err;
    } programs[] = {
        {"#!/bin/sh\ntest \"$SSH_ASKPASS_PROMPT\" = confirm\n", OK},
        {"#!/bin/sh\necho no\n", ERR_DENIED},
        {"#!/bin/sh\nexit 1\n", ERR_DENIED},
    };
    int slave = slave_open(t);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *const script[] = {"Sure? ", rows[i].typed, NULL};
        pid_t pid = person(t, script, true);
        assert_int_equal(prompt_confirm(&t->config, "Sure? "), rows[i].err);
        person_is_content(pid);
    }
    close(slave);
    char path[] = "/tmp/adit-askpass-XXXXXX";
    assert_non_null(mkdtemp(path));
    char *program CLEANUP(mem_cleanup) = mem_printf("%s/ask", path);
    t->config.use = ASKPASS_FORCE;
    t->config.askpass = program;
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        write_program(program, programs[i].program);
        assert_int_equal(prompt_confirm(&t->config, "Sure? "), programs[i].err);
    }
    assert_int_equal(unlink(program), 0);
    assert_int_equal(rmdir(path), 0);
}

static void test_nobody_is_asked_in_batch_mode_or_without_a_terminal(void **state)
{
    struct terminal *t = *state;
    struct buf answer;
    buf_init(&answer, 64);
    t->config.is_batch = true;
    assert_int_equal(prompt_ask(&t->config, "?", false, &answer), ERR_NOT_FOUND);
    t->config.is_batch = false;
    t->config.terminal = "/dev/null";
    assert_int_equal(prompt_ask(&t->config, "?", false, &answer), ERR_NOT_FOUND);
    t->config.terminal = "/nonexistent/tty";
    assert_int_equal(prompt_ask(&t->config, "?", false, &answer), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_secret_is_typed_unseen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_open_answer_is_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_end_of_file_is_a_no, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_long_an_answer_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_interrupt_kills_with_the_terminal_put_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_termination_kills_with_the_terminal_put_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_handled_signal_cancels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trust_wants_a_plain_answer, setup, teardown),
        cmocka_unit_test(test_the_way_is_chosen_as_ssh_does),
        cmocka_unit_test(test_the_environment_is_read),
        cmocka_unit_test_setup_teardown(test_askpass_answers_by_its_output, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_confirmation_is_yes_or_no, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_is_asked_in_batch_mode_or_without_a_terminal,
                                        setup, teardown),
    };
    return RUN_TESTS(tests);
}
