/* The filters as a table, and how a process puts one on. */
#include "server/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/if_tun.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

struct sandbox {
    enum sandbox_profile profile;
    unsigned short length;
    struct sock_filter program[];
};

/* ---- the table ---- */

enum answer {
    ALLOW,
    REFUSE, /* EACCES: libraries ask and live without */
    ABSENT, /* ENOSYS: libraries fall back to what is allowed */
};

/* Met where (argument & mask) == value. Masks of 32 bits: the kernel looks at an int only, and what
 * is in the upper half is the caller's rubbish. */
struct condition {
    unsigned argument;
    uint64_t mask, value;
};

struct rule {
    unsigned profiles;
    int call;
    enum answer answer;
    struct condition when[2]; /* all that have a mask */
};

/* clang-format off */
#define P   (1u << SANDBOX_PRE)
#define W   (1u << SANDBOX_WORK)
#define S   (1u << SANDBOX_SIGN)
#define R   (1u << SANDBOX_RESOLVE)
#define ALL (P | W | S | R)

#define IS(argument, number)  {(argument), UINT32_MAX, (uint32_t)(number)}
#define HAS(argument, bits)   {(argument), (bits), (bits)}
#define LACKS(argument, bits) {(argument), (bits), 0}
#define IS_NULL(argument)     {(argument), UINT64_MAX, 0}
#define ALWAYS                {0, 0, 0}

#define RULE(profiles_, name, answer_, ...)                                                        \
    {.profiles = (profiles_), .call = SCMP_SYS(name), .answer = (answer_), .when = {__VA_ARGS__}}
#define MAY_IF(profiles_, name, ...)     RULE(profiles_, name, ALLOW, __VA_ARGS__)
#define REFUSED_IF(profiles_, name, ...) RULE(profiles_, name, REFUSE, __VA_ARGS__)
#define MAY(profiles_, name)             RULE(profiles_, name, ALLOW, ALWAYS)
#define REFUSED(profiles_, name)         RULE(profiles_, name, REFUSE, ALWAYS)
#define MISSING(profiles_, name)         RULE(profiles_, name, ABSENT, ALWAYS)

#define MAP_KIND    (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS)
#define MAP_OWN     (MAP_PRIVATE | MAP_ANONYMOUS)
#define OPEN_WRITES (O_ACCMODE | O_CREAT | O_TRUNC | __O_TMPFILE)
#define SOCKET_TYPE 0xf

static const struct rule rules[] = {
    /* Descriptors a role has, memory, time, and its end. restart_syscall: a poll that was stopped
     * and continued. pread64: a sealed file is read from its start, whoever read it before. */
    MAY(ALL, read), MAY(ALL, readv), MAY(ALL, pread64),
    MAY(ALL, write), MAY(ALL, writev), MAY(ALL, close),
    MAY(ALL, poll), MAY(ALL, ppoll), MAY(ALL, restart_syscall),
    MAY(ALL, clock_gettime), MAY(ALL, gettimeofday), MAY(ALL, time),
    MAY(ALL, clock_nanosleep), MAY(ALL, nanosleep), MAY(ALL, getrandom),
    MAY(ALL, getpid), MAY(ALL, gettid),
    MAY(ALL, brk), MAY(ALL, munmap), MAY(ALL, mremap),
    MAY(ALL, rt_sigprocmask), MAY(ALL, rt_sigreturn),
    MAY(ALL, exit), MAY(ALL, exit_group),
    MAY_IF(ALL, futex, {1, FUTEX_CMD_MASK & UINT32_MAX, FUTEX_WAIT}),
    MAY_IF(ALL, futex, {1, FUTEX_CMD_MASK & UINT32_MAX, FUTEX_WAKE}),
    MAY_IF(ALL, futex, {1, FUTEX_CMD_MASK & UINT32_MAX, FUTEX_REQUEUE}),
    MAY_IF(ALL, futex, {1, FUTEX_CMD_MASK & UINT32_MAX, FUTEX_CMP_REQUEUE}),
    MAY_IF(ALL, futex, {1, FUTEX_CMD_MASK & UINT32_MAX, FUTEX_WAIT_BITSET}),
    MAY_IF(ALL, futex, {1, FUTEX_CMD_MASK & UINT32_MAX, FUTEX_WAKE_BITSET}),
    MAY_IF(P | W | S, madvise, IS(2, MADV_DONTNEED)),
    MAY_IF(P | W | S, madvise, IS(2, MADV_FREE)),
    MAY_IF(P | W | S, madvise, IS(2, MADV_DONTDUMP)),
    MAY_IF(P | W | S, madvise, IS(2, MADV_WIPEONFORK)),
    MAY(R, madvise),

    /* No memory of anybody's is both written and run. A worker's mappings are private, so that
     * none writes a file behind RLIMIT_FSIZE; only name services load modules. */
    MAY_IF(P | S, mmap, LACKS(2, PROT_EXEC), {3, MAP_KIND, MAP_OWN}),
    MAY_IF(W, mmap, LACKS(2, PROT_EXEC), {3, MAP_TYPE, MAP_PRIVATE}),
    REFUSED_IF(W, mmap, HAS(2, PROT_EXEC)),
    MAY_IF(R, mmap, {2, PROT_WRITE | PROT_EXEC, 0}),
    MAY_IF(R, mmap, {2, PROT_WRITE | PROT_EXEC, PROT_WRITE}),
    MAY_IF(R, mmap, {2, PROT_WRITE | PROT_EXEC, PROT_EXEC}),
    MAY_IF(P | W | S, mprotect, LACKS(2, PROT_EXEC)),
    MAY_IF(R, mprotect, {2, PROT_WRITE | PROT_EXEC, 0}),
    MAY_IF(R, mprotect, {2, PROT_WRITE | PROT_EXEC, PROT_WRITE}),
    MAY_IF(R, mprotect, {2, PROT_WRITE | PROT_EXEC, PROT_EXEC}),

    /* Records between roles. Descriptors come to all but leave only a worker (to a session), so
     * sendmsg is the worker's; the others send by send(), which names no address. */
    MAY(ALL, recvmsg), MAY(ALL, recvfrom),
    MAY_IF(P | S, sendto, IS_NULL(4)),
    MAY(W | R, sendto), MAY(W | R, sendmsg),

    /* What libc and libcrypto ask for and can live without: kindly refused, not killed for. */
    REFUSED(P | S, open), REFUSED(P | S, openat),
    REFUSED(P | S, stat), REFUSED(P | S, fstat),
    REFUSED(P | S, newfstatat), REFUSED(P | S, statx),
    REFUSED(P | S, lstat), REFUSED(P | S, access),
    REFUSED(P | S, readlink), REFUSED(P | S, socket),
    REFUSED(P | S, uname), REFUSED(P | S, sysinfo),
    REFUSED_IF(P | S, prlimit64, IS_NULL(2)),
    REFUSED(P | S, sched_getaffinity),
    REFUSED(P | S, ioctl), REFUSED(P | S, fcntl),
    MAY(S, mlock), MAY(S, munlock),
    /* The next supervisor comes to a socket that the last one made. */
    MAY(S, accept4),
    /* A ring's work passes by every filter. */
    MISSING(ALL, io_uring_setup), MISSING(ALL, io_uring_enter),
    MISSING(ALL, io_uring_register),

    /* The loop: it is created behind the filter and the change of uid. */
    MAY(W | R, epoll_create1), MAY(W | R, epoll_ctl),
    MAY(W | R, epoll_wait), MAY(W | R, epoll_pwait),
    MAY(W | R, eventfd2), MAY(W | R, pipe2), MAY(W | R, rt_sigaction),
    /* Not F_SETOWN: a descriptor's owner gets signals. */
    MAY_IF(W | R, fcntl, IS(1, F_GETFL)),
    MAY_IF(W | R, fcntl, IS(1, F_SETFL)),
    MAY_IF(W | R, fcntl, IS(1, F_GETFD)),
    MAY_IF(W | R, fcntl, IS(1, F_SETFD)),
    MAY_IF(W | R, fcntl, IS(1, F_DUPFD)),
    MAY_IF(W | R, fcntl, IS(1, F_DUPFD_CLOEXEC)),
    MAY_IF(W | R, fcntl, IS(1, F_GET_SEALS)),
    MAY(W | R, dup), MAY(W | R, dup3), MAY(W | R, lseek),
    MAY(W | R, getuid), MAY(W | R, geteuid), MAY(W | R, getgid),
    MAY(W | R, getegid), MAY(W | R, getppid), MAY(W | R, uname),
    MAY(W | R, sysinfo), MAY(W | R, sched_getaffinity),
    MAY(W | R, sched_yield), MAY_IF(W | R, prlimit64, IS_NULL(2)),
    MAY(W | R, getrlimit), MAY(W | R, getrusage),

    /* The account's sockets, TCP and Unix: raw ones and foreign families are nobody's forward.
     * A datagram socket, or netlink, is a look-up by libc: those are aditd-resolve's. */
    MAY_IF(W, socket, IS(0, AF_UNIX)),
    MAY_IF(W, socket, IS(0, AF_INET), {1, SOCKET_TYPE, SOCK_STREAM}),
    MAY_IF(W, socket, IS(0, AF_INET6), {1, SOCKET_TYPE, SOCK_STREAM}),
    REFUSED_IF(W, socket, IS(0, AF_INET), {1, SOCKET_TYPE, SOCK_DGRAM}),
    REFUSED_IF(W, socket, IS(0, AF_INET6), {1, SOCKET_TYPE, SOCK_DGRAM}),
    REFUSED_IF(W, socket, IS(0, AF_NETLINK)),
    MAY_IF(R, socket, IS(0, AF_UNIX)),
    MAY_IF(R, socket, IS(0, AF_INET), {1, SOCKET_TYPE, SOCK_STREAM}),
    MAY_IF(R, socket, IS(0, AF_INET6), {1, SOCKET_TYPE, SOCK_STREAM}),
    MAY_IF(R, socket, IS(0, AF_INET), {1, SOCKET_TYPE, SOCK_DGRAM}),
    MAY_IF(R, socket, IS(0, AF_INET6), {1, SOCKET_TYPE, SOCK_DGRAM}),
    MAY_IF(R, socket, IS(0, AF_NETLINK)),
    MAY(W | R, socketpair), MAY(W | R, connect), MAY(W | R, bind),
    MAY(W, listen), MAY(W, accept4), MAY(W | R, shutdown),
    MAY(W | R, getsockopt), MAY(W | R, setsockopt),
    MAY(W | R, getsockname), MAY(W | R, getpeername),
    MAY(R, sendmmsg), MAY(R, recvmmsg),

    /* Terminals of sessions, what is queued in a socket, names of interfaces, the tun device. */
    MAY_IF(W | R, ioctl, IS(1, FIONBIO)),
    MAY_IF(W | R, ioctl, IS(1, FIOCLEX)),
    MAY_IF(W | R, ioctl, IS(1, FIONREAD)),
    MAY_IF(W | R, ioctl, IS(1, TCGETS)),
    MAY_IF(W, ioctl, IS(1, SIOCOUTQ)),
    MAY_IF(W, ioctl, IS(1, TIOCGWINSZ)),
    MAY_IF(W, ioctl, IS(1, TIOCSWINSZ)),
    MAY_IF(W | R, ioctl, IS(1, SIOCGIFINDEX)),
    MAY_IF(W | R, ioctl, IS(1, SIOCGIFNAME)),
    MAY_IF(W, ioctl, IS(1, TUNSETIFF)),

    /* Files: read, never written; /dev/net/tun alone wants O_RDWR, and RLIMIT_FSIZE 0 keeps what
     * else could be opened so. Sockets in the file system are made, looked at and removed. */
    MAY_IF(W | R, openat, LACKS(2, OPEN_WRITES)),
    MAY_IF(W, openat, {2, OPEN_WRITES | O_APPEND | O_CLOEXEC | O_NONBLOCK, O_RDWR | O_CLOEXEC | O_NONBLOCK}),
    MAY(W | R, stat), MAY(W | R, fstat), MAY(W | R, lstat),
    MAY(W | R, newfstatat), MAY(W | R, statx), MAY(W | R, access),
    MAY(W | R, faccessat), MAY(W | R, faccessat2), MAY(W | R, readlink),
    MAY(W | R, readlinkat), MAY(W | R, getcwd), MAY(R, getdents64),
    MAY(R, statfs), MAY(R, fstatfs),
    MAY(W, umask), MAY(W, chmod), MAY(W, fchmod), MAY(W, fchmodat),
    MAY(W, mkdir), MAY(W, mkdirat), MAY(W, rmdir),
    MAY(W, unlink), MAY(W, unlinkat),

    /* Look-ups hang, so they run in threads of one process; clone3 hides its flags from a filter,
     * and libc falls back to clone. */
    MAY_IF(R, clone, HAS(0, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)),
    MISSING(R, clone3), MAY(R, set_robust_list), MAY(R, rseq),
    MAY(R, sigaltstack),
};
/* clang-format on */

struct limit {
    int resource;
    rlim_t value;
};

#define LIMITS_MAX 6

/* Of a profile; what is not named stays. NOFILE: numbers from this on cannot be had, and a record
 * brings up to four. AS: libcrypto and one connection are 20 MiB. NPROC counts the account's other
 * processes, too, so only 0 makes sense. FSIZE: see writes_log_file. */
static const struct limit limits[SANDBOX_PROFILE_COUNT][LIMITS_MAX] = {
    [SANDBOX_PRE] = {{RLIMIT_NOFILE, 16},
                     {RLIMIT_NPROC, 0},
                     {RLIMIT_FSIZE, 0},
                     {RLIMIT_CORE, 0},
                     {RLIMIT_AS, 64u << 20},
                     {RLIMIT_CPU, 10}},
    [SANDBOX_WORK] = {{RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_CORE, 0}},
    [SANDBOX_SIGN] = {{RLIMIT_NOFILE, 16}, {RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_CORE, 0}},
    [SANDBOX_RESOLVE] = {{RLIMIT_NOFILE, 256}, {RLIMIT_FSIZE, 0}, {RLIMIT_CORE, 0}},
};

/* ---- builds with sanitizers, and those that look for missing rows ---- */

#ifdef ADIT_SANITIZER
/* gcc's and clang's; both are there where a sanitizer is. */
void __lsan_do_leak_check(void);

/* Their runtimes' own calls, beyond the table. */
static const int extra_calls[] = {SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield),
                                  SCMP_SYS(getrusage)};

static bool add_extra_rules(scmp_filter_ctx filter, enum sandbox_profile profile UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(extra_calls); i++)
        (void)seccomp_rule_add(filter, SCMP_ACT_ALLOW, extra_calls[i], 0); /* some are there */
    (void)seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(madvise), 0);
    return true;
}

/* Shadow memory is terabytes of address space. */
static bool may_limit(int resource)
{
    return resource != RLIMIT_AS;
}

/* The search for leaks at the end clones and traces: it comes before all this instead. */
static void before_all(void)
{
    __lsan_do_leak_check();
}
#else
static bool add_extra_rules(scmp_filter_ctx filter UNUSED, enum sandbox_profile profile UNUSED)
{
    return true;
}

static bool may_limit(int resource UNUSED)
{
    return true;
}

static void before_all(void)
{
}
#endif

#ifdef ADIT_SANDBOX_REPORT
/* A test build: the call is named before the process ends. */
static void report_call(int number UNUSED, siginfo_t *info, void *context UNUSED)
{
    char line[80];
    int n =
        snprintf(line, sizeof(line), "sandbox: system call %d is not allowed\n", info->si_syscall);
    (void)!write(STDERR_FILENO, line, (size_t)n);
    _exit(128 + SIGSYS);
}

static uint32_t other_calls(void)
{
    struct sigaction act = {.sa_sigaction = report_call, .sa_flags = SA_SIGINFO};
    (void)sigaction(SIGSYS, &act, NULL);
    return SCMP_ACT_TRAP;
}
#else
static uint32_t other_calls(void)
{
    return SCMP_ACT_KILL_PROCESS;
}
#endif

/* ---- building ---- */

static bool add_rule(scmp_filter_ctx filter, const struct rule *r)
{
    static const uint32_t actions[] = {[ALLOW] = SCMP_ACT_ALLOW,
                                       [REFUSE] = SCMP_ACT_ERRNO(EACCES),
                                       [ABSENT] = SCMP_ACT_ERRNO(ENOSYS)};
    struct scmp_arg_cmp compare[ARRAY_LEN(r->when)];
    unsigned count = 0;
    for (; count < ARRAY_LEN(r->when) && r->when[count].mask; count++) {
        const struct condition *c = &r->when[count];
        compare[count] = (struct scmp_arg_cmp){c->argument, SCMP_CMP_MASKED_EQ, c->mask, c->value};
    }
    return seccomp_rule_add_array(filter, actions[r->answer], r->call, count, compare) == 0;
}

static bool add_rules(scmp_filter_ctx filter, enum sandbox_profile profile)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (!(rules[i].profiles & 1u << profile) || add_rule(filter, &rules[i]))
            continue;
        log_error("sandbox: rule %zu of profile %d does not hold", i, (int)profile);
        return false;
    }
    return add_extra_rules(filter, profile);
}

/* libseccomp 2.5 writes the program to a descriptor only. */
static struct sandbox *read_program(scmp_filter_ctx filter, enum sandbox_profile profile)
{
    struct stat st;
    struct sandbox *s = NULL;
    int fd = memfd_create("sandbox", MFD_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (seccomp_export_bpf(filter, fd) == 0 && fstat(fd, &st) == 0 && st.st_size > 0 &&
        (size_t)st.st_size <= BPF_MAXINSNS * sizeof(s->program[0])) {
        s = mem_new(1, sizeof(*s) + (size_t)st.st_size);
        s->profile = profile;
        s->length = (unsigned short)((size_t)st.st_size / sizeof(s->program[0]));
        if (pread(fd, s->program, (size_t)st.st_size, 0) != st.st_size) {
            sandbox_free(s);
            s = NULL;
        }
    }
    close(fd);
    return s;
}

/* As a tree of comparisons: the kernel asks a filter about every number when it is loaded. */
#define AS_TREE 2

struct sandbox *sandbox_prepare(enum sandbox_profile profile)
{
    struct sandbox *s = NULL;
    CHECK(profile < SANDBOX_PROFILE_COUNT);
    scmp_filter_ctx filter = seccomp_init(other_calls());
    /* Another architecture's numbers (x32's, too) mean other calls. */
    if (filter && seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, AS_TREE) == 0 &&
        add_rules(filter, profile))
        s = read_program(filter, profile);
    seccomp_release(filter);
    if (!s)
        log_error("the filter of system calls cannot be built");
    return s;
}

void sandbox_free(struct sandbox *s)
{
    mem_free(s);
}

/* ---- applying ---- */

static enum err enter_root(const char *path)
{
    return chroot(path) == 0 && chdir("/") == 0 ? OK : ERR_IO;
}

/* The saved ids are the trap: with one left over, all can be had back. */
static enum err become(const struct sandbox_spec *spec)
{
    if (setgroups(spec->group_count, spec->groups) != 0 ||
        setresgid(spec->gid, spec->gid, spec->gid) != 0 ||
        setresuid(spec->uid, spec->uid, spec->uid) != 0)
        return ERR_IO;
    if (spec->uid == 0)
        return OK; /* root's own worker: there is nothing to come back from */
    if (setresuid((uid_t)-1, 0, (uid_t)-1) == 0 || setuid(0) == 0 ||
        (spec->gid != 0 && (setresgid((gid_t)-1, 0, (gid_t)-1) == 0 || setgid(0) == 0)))
        return ERR_DENIED;
    return OK;
}

/* -E FILE: the log is a regular file, and a role writes its own lines. */
static bool writes_log_file(void)
{
    struct stat st;
    return fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode);
}

static enum err set_limits(enum sandbox_profile profile)
{
    const struct limit *l = limits[profile];
    for (size_t i = 0; i < LIMITS_MAX && (l[i].resource || l[i].value); i++) {
        struct rlimit both = {l[i].value, l[i].value};
        if (!may_limit(l[i].resource) || (l[i].resource == RLIMIT_FSIZE && writes_log_file()))
            continue;
        if (setrlimit((__rlimit_resource_t)l[i].resource, &both) != 0)
            return ERR_IO;
    }
    return OK;
}

static enum err lock_in(const struct sandbox *s)
{
    /* The kernel does not write there; its struct only lacks the const. */
    struct sock_fprog program = {s->length, (struct sock_filter *)(uintptr_t)s->program};
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return ERR_IO;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? OK : ERR_IO;
}

enum err sandbox_apply(const struct sandbox *s, const struct sandbox_spec *spec)
{
    before_all();
    if (spec->root)
        TRY(enter_root(spec->root));
    if (spec->has_uid)
        TRY(become(spec));
    TRY(set_limits(s->profile));
    return lock_in(s);
}
