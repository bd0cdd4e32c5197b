/* Children: what they get, how they end, and that they are always reaped. */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "io/child.h"
#include "io/fixture.h"

struct parent {
    struct fixture *f;
    int ends, status, signal_number;
};

static void on_exit_of_child(void *owner, int status, int signal_number)
{
    struct parent *p = owner;
    p->ends++;
    p->status = status;
    p->signal_number = signal_number;
}

/* Runs a shell line to its end. */
static void run_shell(struct parent *p, const char *line, const int *fds, size_t fd_count)
{
    char *const arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                               (char *)(uintptr_t)line, NULL};
    const struct child_spec spec = {
        .file = "sh", .arguments = arguments, .fds = fds, .fd_count = fd_count};
    struct child *c;
    p->ends = 0;
    assert_ok(child_new(&c, p->f->l, &spec, on_exit_of_child, p));
    assert_true(child_pid(c) > 0);
    fixture_run_to_end(p->f);
    assert_int_equal(p->ends, 1);
}

static void no_child_is_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void the_exit_status_is_told_once(void **state)
{
    struct parent p = {.f = *state};
    run_shell(&p, "exit 7", NULL, 0);
    assert_int_equal(p.status, 7);
    assert_int_equal(p.signal_number, 0);
    no_child_is_left();
}

static void a_signal_is_told_and_sigpipe_kills_again(void **state)
{
    struct parent p = {.f = *state};
    run_shell(&p, "kill -PIPE $$; exit 3", NULL, 0);
    assert_int_equal(p.signal_number, SIGPIPE);
    assert_int_equal(p.status, 128 + SIGPIPE);
}

static void a_missing_program_is_not_found(void **state)
{
    struct parent p = {.f = *state};
    char *const arguments[] = {(char *)(uintptr_t) "none", NULL};
    struct child_spec spec = {.file = "/nonexistent/program", .arguments = arguments};
    struct child *c;
    assert_int_equal(child_new(&c, p.f->l, &spec, on_exit_of_child, &p), ERR_NOT_FOUND);
    assert_null(c);
    /* Not the caller's: a folder there that may not be entered would answer EACCES. */
    assert_int_equal(setenv("PATH", "/usr/bin:/bin", 1), 0);
    spec.file = "no-such-program-in-the-path";
    assert_int_equal(child_new(&c, p.f->l, &spec, on_exit_of_child, &p), ERR_NOT_FOUND);
    spec.file = "/dev/null";
    assert_int_equal(child_new(&c, p.f->l, &spec, on_exit_of_child, &p), ERR_IO);
    fixture_run_to_end(p.f);
    assert_int_equal(p.ends, 0);
    no_child_is_left();
}

static void descriptors_arrive_in_order_and_no_others(void **state)
{
    struct parent p = {.f = *state};
    char text[200] = "";
    int out[2], extra[2];
    assert_ok(child_pipe(out));
    assert_ok(child_socketpair(extra));
    int leaking = dup(extra[0]); /* without close-on-exec, as if inherited */
    const int fds[] = {-1, out[1], -1, -1, extra[1]};
    assert_int_equal(write(extra[0], "by four\n", 8), 8);
    run_shell(&p, "cat; cat <&3; read x <&4; echo $x; cd /proc/self/fd; echo *", fds,
              ARRAY_LEN(fds));
    close(out[1]);
    assert_true(read(out[0], text, sizeof(text) - 1) > 0);
    /* The shell lists its own directory handle too, under the lowest free number: 5. */
    assert_string_equal(text, "by four\n0 1 2 3 4 5\n");
    assert_int_equal(p.status, 0);
    close(out[0]);
    close(extra[0]);
    close(extra[1]);
    close(leaking);
}

static void the_environment_is_the_given_one(void **state)
{
    struct parent p = {.f = *state};
    char *const arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                               (char *)(uintptr_t) "test \"$ONE\" = 1 -a -z \"$HOME\"", NULL};
    char *const environment[] = {(char *)(uintptr_t) "ONE=1", NULL};
    const struct child_spec spec = {
        .file = "/bin/sh", .arguments = arguments, .environment = environment};
    struct child *c;
    assert_ok(child_new(&c, p.f->l, &spec, on_exit_of_child, &p));
    fixture_run_to_end(p.f);
    assert_int_equal(p.status, 0);
}

/* Valgrind plays the limit itself: children see what the kernel has. */
static bool is_limit_real(unsigned long soft)
{
    char line[160];
    unsigned long there = 0;
    FILE *limits = fopen("/proc/self/limits", "re");
    assert_non_null(limits);
    while (fgets(line, sizeof(line), limits) && sscanf(line, "Max open files %lu", &there) != 1)
        ;
    fclose(limits);
    return there == soft;
}

static void many_open_descriptors_are_ours_alone(void **state)
{
    struct parent p = {.f = *state};
    struct rlimit before;
    struct rlimit now;
    char *const arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                               (char *)(uintptr_t) "test `ulimit -Sn` = 40", NULL};
    const struct child_spec spec = {.file = "/bin/sh", .arguments = arguments};
    struct child *c;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = {.rlim_cur = 40, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    if (!is_limit_real(few.rlim_cur)) {
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        skip();
    }
    loop_take_all_descriptors(p.f->l);
    loop_take_all_descriptors(p.f->l);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(now.rlim_cur, before.rlim_max);
    assert_ok(child_new(&c, p.f->l, &spec, on_exit_of_child, &p));
    fixture_run_to_end(p.f);
    assert_int_equal(p.status, 0);
    /* Also where more is open than a child may have. */
    int kept[50];
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        kept[i] = open("/", O_PATH | O_CLOEXEC);
    assert_ok(child_new(&c, p.f->l, &spec, on_exit_of_child, &p));
    assert_int_equal(prlimit(child_pid(c), RLIMIT_NOFILE, NULL, &now), 0);
    assert_int_equal(now.rlim_cur, 40);
    fixture_run_to_end(p.f);
    assert_int_equal(p.ends, 2);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        close(kept[i]);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(now.rlim_cur, before.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void a_child_can_be_killed_or_forgotten(void **state)
{
    struct parent p = {.f = *state};
    char *const arguments[] = {(char *)(uintptr_t) "cat", NULL};
    struct child *c;
    int in[2];
    assert_ok(child_pipe(in));
    const struct child_spec spec = {
        .file = "cat", .arguments = arguments, .fds = in, .fd_count = 1};
    assert_ok(child_new(&c, p.f->l, &spec, on_exit_of_child, &p));
    child_kill(c, SIGTERM);
    fixture_run_to_end(p.f);
    assert_int_equal(p.ends, 1);
    assert_int_equal(p.signal_number, SIGTERM);
    assert_ok(child_new(&c, p.f->l, &spec, on_exit_of_child, &p));
    child_forget(c);
    child_forget(NULL);
    fixture_run_to_end(p.f); /* a forgotten child does not keep the loop */
    close(in[0]);
    close(in[1]); /* its input ends, and so does it */
    while (waitpid(-1, NULL, WNOHANG) != -1)
        loop_round(p.f->l);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(p.ends, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IO_TEST(the_exit_status_is_told_once),
        IO_TEST(a_signal_is_told_and_sigpipe_kills_again),
        IO_TEST(a_missing_program_is_not_found),
        IO_TEST(descriptors_arrive_in_order_and_no_others),
        IO_TEST(the_environment_is_the_given_one),
        IO_TEST(many_open_descriptors_are_ours_alone),
        IO_TEST(a_child_can_be_killed_or_forgotten),
    };
    return RUN_TESTS(tests);
}
