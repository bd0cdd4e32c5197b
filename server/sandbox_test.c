/*
 * What each profile permits and forbids, call by call: each in a process of its own
 * (sandbox_probe), so that the kernel is asked and not the table in sandbox.c. As root it is done
 * three times: as root stays, as root becomes nobody, and as nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "tests/unit.h"

enum profile { PRE, WORK, SIGN, RESOLVE, PROFILES };

static const char *const profile_names[] = {"pre", "work", "sign", "resolve"};

/*
 * K: killed by SIGSYS; E: EACCES; N: ENOSYS; Y: works; r: the kernel hears of it (that it then
 * fails for want of such a file or socket is not our matter). A letter a profile, as above.
 */
static const struct {
    const char *call, *expected;
} expectations[] = {
    /* N1 of the security promises. */
    {"execve", "KKKK"},
    {"execveat", "KKKK"},
    {"fork", "KKKK"},
    {"vfork", "KKKK"},
    {"clone", "KKKK"},
    {"clone3", "KKKN"},
    {"ptrace", "KKKK"},
    {"process_vm_readv", "KKKK"},
    {"socket", "EYEY"},
    {"connect", "KrKr"},
    {"bind", "KrKr"},
    {"listen", "KrKK"},
    {"accept4", "KrrK"},
    {"sendto", "KrKr"},
    {"sendmsg", "KYKY"},
    {"recvmsg", "YYYY"},
    {"open", "EKEK"},
    {"openat", "ErEr"},
    {"openat2", "KKKK"},
    {"unlink", "KrKK"},
    {"rename", "KKKK"},
    {"chmod", "KrKK"},
    {"mount", "KKKK"},
    {"setuid", "KKKK"},
    {"setns", "KKKK"},
    {"unshare", "KKKK"},
    {"kill", "KKKK"},
    {"tgkill", "KKKK"},
    {"bpf", "KKKK"},
    {"io_uring_setup", "NNNN"},
    {"perf_event_open", "KKKK"},
    /* Other ways to the same. */
    {"accept", "KKKK"},
    {"thread", "KKKY"},
    {"socket_udp", "EEEY"},
    {"socket_raw", "EKEK"},
    {"socket_packet", "EKEK"},
    {"socket_netlink", "EEEY"},
    {"openat_write", "EKEK"},
    {"openat_create", "EKEK"},
    {"link", "KKKK"},
    {"chown", "KKKK"},
    {"mknod", "KKKK"},
    {"chroot", "KKKK"},
    {"setresuid", "KKKK"},
    {"setgroups", "KKKK"},
    {"userfaultfd", "KKKK"},
    {"keyctl", "KKKK"},
    {"prctl_dumpable", "KKKK"},
    {"setrlimit", "KKKK"},
    {"fcntl_owner", "EKEK"},
    {"ioctl_sti", "EKEK"},
    {"map_exec", "KEKY"},
    {"map_write_exec", "KEKK"},
    {"map_shared", "KKKY"},
    {"map_file", "KrKr"},
    {"protect_exec", "KKKY"},
    {"protect_write_exec", "KKKK"},
    {"x32", "KKKK"},
    {"i386", "KKKK"},
    /* What the roles live by. */
    {"send", "YYYY"},
    {"send_record", "YYYY"},
    {"socket_unix", "EYEY"},
    {"openat_tun", "ErEK"},
    {"ioctl_tun", "ErEK"},
    {"mkdir", "KrKK"},
    {"fcntl_flags", "EYEY"},
    {"getrlimit", "EYEY"},
    {"map", "YYYY"},
    {"mlock", "KKYK"},
    {"memory", "YYYY"},
    {"poll", "YYYY"},
    {"loop", "KYKY"},
    {"serve", "KYKK"},
    {"time", "YYYY"},
    {"random", "YYYY"},
};

static const char *probe;

static pid_t start(enum profile profile, const char *who, const char *call, int in, int out)
{
    char number[2] = {(char)('0' + profile), '\0'};
    char *argv[] = {(char *)(uintptr_t)probe, number, (char *)(uintptr_t)who,
                    (char *)(uintptr_t)call, NULL};
    /* Leaks are looked for before the lock-in by a sanitizer's build: once is enough (below). */
    char *environment[] = {(char[]){"ASAN_OPTIONS=detect_leaks=0"}, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in, 0), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out, 1), 0);
    assert_int_equal(posix_spawn(&pid, probe, &actions, NULL, argv, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static char outcome(pid_t pid, char wanted)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? 'K' : '!';
    switch (WEXITSTATUS(status)) {
    case 0:
        return wanted == 'r' ? 'r' : 'Y';
    case EACCES:
        return 'E';
    case ENOSYS:
        return 'N';
    case 255:
        return '?'; /* it never came so far */
    default:
        return 'r';
    }
}

static void expect_profile(enum profile profile, const char *who)
{
    pid_t pids[ARRAY_LEN(expectations)];
    size_t wrong = 0;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(expectations); i++)
        pids[i] = start(profile, who, expectations[i].call, null, null);
    for (size_t i = 0; i < ARRAY_LEN(expectations); i++) {
        char wanted = expectations[i].expected[profile];
        char got = outcome(pids[i], wanted);
        if (got == wanted)
            continue;
        print_error("%s, %s: %s: %c, not %c\n", profile_names[profile], who, expectations[i].call,
                    got, wanted);
        wrong++;
    }
    close(null);
    assert_int_equal(wrong, 0);
}

static bool is_root(void)
{
    return geteuid() == 0;
}

static void each_call_of_a_role_that_stays_who_it_is(void **state UNUSED)
{
    for (enum profile p = PRE; p < PROFILES; p++)
        expect_profile(p, "stay");
}

static void each_call_of_a_role_that_became_nobody(void **state UNUSED)
{
    if (!is_root())
        skip();
    for (enum profile p = PRE; p < PROFILES; p++)
        expect_profile(p, "become");
}

static void each_call_of_an_ordinary_users_role(void **state UNUSED)
{
    if (!is_root())
        skip(); /* it is what "stay" is then */
    for (enum profile p = PRE; p < PROFILES; p++)
        expect_profile(p, "ordinary");
}

/* ---- what /proc says of a process that is locked in ---- */

struct locked {
    pid_t pid;
    int in, out;
};

static struct locked lock(enum profile profile, const char *who)
{
    int in[2], out[2];
    char byte;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    struct locked l = {start(profile, who, "wait", in[0], out[1]), in[1], out[0]};
    close(in[0]);
    close(out[1]);
    assert_int_equal(read(l.out, &byte, 1), 1);
    return l;
}

static void let_go(struct locked *l)
{
    close(l->in);
    close(l->out);
    assert_int_equal(outcome(l->pid, 'Y'), 'Y');
}

static void expect_line(pid_t pid, const char *file, const char *wanted)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "r");
    bool is_there = false;
    assert_non_null(f);
    while (!is_there && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        is_there = strncmp(line, wanted, strlen(wanted)) == 0;
    }
    fclose(f);
    if (!is_there)
        fail_msg("%s has no line \"%s\"", path, wanted);
}

static void a_role_may_gain_nothing_any_more(void **state UNUSED)
{
    for (enum profile p = PRE; p < PROFILES; p++) {
        struct locked l = lock(p, "stay");
        expect_line(l.pid, "status", "NoNewPrivs:\t1");
        expect_line(l.pid, "status", "Seccomp:\t2");
        let_go(&l);
    }
}

static void uid_groups_root_and_rights_are_given_up(void **state UNUSED)
{
    if (!is_root())
        skip();
    for (enum profile p = PRE; p < PROFILES; p++) {
        char path[64], target[256];
        struct locked l = lock(p, "become");
        expect_line(l.pid, "status", "Uid:\t65534\t65534\t65534\t65534");
        expect_line(l.pid, "status", "Gid:\t65534\t65534\t65534\t65534");
        expect_line(l.pid, "status", "Groups:\t65534 ");
        expect_line(l.pid, "status", "CapPrm:\t0000000000000000");
        expect_line(l.pid, "status", "CapEff:\t0000000000000000");
        snprintf(path, sizeof(path), "/proc/%d/root", (int)l.pid);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        assert_true(n > 0);
        target[n] = '\0';
        assert_non_null(strstr(target, "sandbox_probe_"));
        let_go(&l);
    }
}

static void limits_are_those_of_the_profile(void **state UNUSED)
{
    struct locked l = lock(PRE, "stay");
    expect_line(l.pid, "limits", "Max open files            16                   16 ");
    expect_line(l.pid, "limits", "Max processes             0                    0 ");
    expect_line(l.pid, "limits", "Max file size             0                    0 ");
    expect_line(l.pid, "limits", "Max core file size        0                    0 ");
    expect_line(l.pid, "limits", "Max cpu time              10                   10 ");
    let_go(&l);
    l = lock(WORK, "stay");
    expect_line(l.pid, "limits", "Max processes             0                    0 ");
    expect_line(l.pid, "limits", "Max file size             0                    0 ");
    expect_line(l.pid, "limits", "Max core file size        0                    0 ");
    let_go(&l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_a_role_that_stays_who_it_is),
        cmocka_unit_test(each_call_of_a_role_that_became_nobody),
        cmocka_unit_test(each_call_of_an_ordinary_users_role),
        cmocka_unit_test(a_role_may_gain_nothing_any_more),
        cmocka_unit_test(uid_groups_root_and_rights_are_given_up),
        cmocka_unit_test(limits_are_those_of_the_profile),
    };
    if (argc != 2)
        return 1;
    probe = argv[1];
    return RUN_TESTS(tests);
}
