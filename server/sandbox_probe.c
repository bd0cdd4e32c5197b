/*
 * What sandbox_test runs, a process for each call: puts a sandbox on and makes one system call.
 * usage: sandbox_probe PROFILE WHO CALL. WHO: stay (as we are), become (nobody in an empty root),
 * ordinary (nobody before; the sandbox is given neither uid nor root). Its end is its answer: 0,
 * the call's errno, or SIGSYS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/ipc_blocking.h"
#include "server/sandbox.h"

#define NOBODY       65534
#define STATUS_SETUP 255

/* Made before the filter, for calls that need something to work on. */
struct things {
    int pair[2], pipe[2];
    void *page;
};

static const struct sockaddr_in loopback = {
    .sin_family = AF_INET, .sin_port = 0, .sin_addr = {.s_addr = 0}};

/* ---- calls of more than a line ---- */

static long do_sendto(const struct things *t, bool has_address)
{
    return syscall(SYS_sendto, t->pair[0], "x", 1, 0, has_address ? &loopback : NULL,
                   has_address ? sizeof(loopback) : 0);
}

static long do_sendmsg(const struct things *t)
{
    struct iovec iov = {(char[]){'x'}, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    return sendmsg(t->pair[0], &m, 0);
}

/* A record with a descriptor arrives. */
static long do_recvmsg(const struct things *t)
{
    uint8_t room[16];
    int fds[IPC_FDS_MAX];
    size_t length, count;
    enum err err = ipc_record_receive(t->pair[1], room, sizeof(room), &length, fds, &count, 0);
    errno = EPROTO;
    return err == OK && length == 1 && count == 1 ? 0 : -1;
}

static long do_send_record(const struct things *t)
{
    return ipc_record_send(t->pair[0], slice_text("x"), NULL, 0, 0) == OK ? 0 : -1;
}

static long do_socket(int family, int type)
{
    return socket(family, type, 0);
}

static long do_map(int protection, int flags)
{
    return mmap(NULL, 4096, protection, flags, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long do_mmap_file(int flags)
{
    return mmap(NULL, 4096, PROT_READ, flags, STDIN_FILENO, 0) == MAP_FAILED ? -1 : 0;
}

static long do_memory(void)
{
    for (size_t i = 1; i < 100; i++) {
        volatile char *room = mem_new(i, 20000);
        room[0] = 1;
        mem_free((void *)(uintptr_t)room);
    }
    return 0;
}

static long do_poll(const struct things *t)
{
    struct pollfd p = {.fd = t->pipe[1], .events = POLLOUT};
    char byte = 0;
    return poll(&p, 1, 1000) == 1 && write(t->pipe[1], "x", 1) == 1 &&
                   read(t->pipe[0], &byte, 1) == 1 && byte == 'x'
               ? 0
               : -1;
}

static long do_loop(const struct things *t)
{
    struct epoll_event e = {.events = EPOLLIN};
    int fd = epoll_create1(EPOLL_CLOEXEC);
    int event = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    return epoll_ctl(fd, EPOLL_CTL_ADD, t->pipe[0], &e) == 0 &&
                   epoll_ctl(fd, EPOLL_CTL_ADD, event, &e) == 0 && epoll_wait(fd, &e, 1, 1000) == 1
               ? 0
               : -1;
}

static long do_listen(void)
{
    struct sockaddr_in at = loopback;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&at, length) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &length) != 0 ||
        connect(peer, (struct sockaddr *)&at, length) != 0)
        return -1;
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
}

static void *thread_stack(void)
{
    return (char *)mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) +
           65536;
}

static int end_thread(void *argument UNUSED)
{
    syscall(SYS_exit, 0);
    return 0;
}

static long do_thread(void)
{
    return clone(end_thread, thread_stack(),
                 CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_FILES, NULL) > 0
               ? 0
               : -1;
}

/* A child, where there may be one, ends at once. */
static long do_clone(long number)
{
    uint64_t arguments[8] = {[4] = SIGCHLD};
    long pid = number == SYS_clone3  ? syscall(number, arguments, sizeof(arguments))
               : number == SYS_clone ? syscall(number, SIGCHLD, 0, 0, 0, 0)
                                     : syscall(number);
    if (pid == 0)
        _exit(0);
    return pid;
}

static long do_rename(void)
{
    return rename("/nonexistent/a", "/nonexistent/b");
}

/* The same numbers mean other calls there: 20 is its getpid. */
static long do_i386(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    return result;
}

/* What the parent reads of us in /proc, until it lets go. */
static long do_wait(void)
{
    char byte;
    return write(STDOUT_FILENO, "x", 1) == 1 && read(STDIN_FILENO, &byte, 1) >= 0 ? 0 : -1;
}

/* ---- the list ---- */

#define CALL(name_, expression)                                                                    \
    static long call_##name_(const struct things *t UNUSED)                                        \
    {                                                                                              \
        return (expression);                                                                       \
    }

#define NOTHING "/nonexistent/file"

CALL(execve, syscall(SYS_execve, "/bin/true", NULL, NULL))
CALL(execveat, syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0))
CALL(fork, do_clone(SYS_fork))
CALL(vfork, vfork() == 0 ? (_exit(0), 0) : 0)
CALL(clone, do_clone(SYS_clone))
CALL(clone3, do_clone(SYS_clone3))
CALL(thread, do_thread())
CALL(ptrace, syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, 1, 0, 0))
CALL(process_vm_readv, syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0))
CALL(socket, do_socket(AF_INET, SOCK_STREAM))
CALL(socket_udp, do_socket(AF_INET, SOCK_DGRAM))
CALL(socket_raw, do_socket(AF_INET, SOCK_RAW))
CALL(socket_packet, do_socket(AF_PACKET, SOCK_DGRAM))
CALL(socket_netlink, do_socket(AF_NETLINK, SOCK_RAW))
CALL(socket_unix, do_socket(AF_UNIX, SOCK_STREAM))
CALL(connect, syscall(SYS_connect, t->pair[0], &loopback, sizeof(loopback)))
CALL(bind, syscall(SYS_bind, t->pair[0], &loopback, sizeof(loopback)))
CALL(listen, syscall(SYS_listen, t->pair[0], 1))
CALL(accept4, syscall(SYS_accept4, t->pair[0], NULL, NULL, 0))
CALL(accept, syscall(SYS_accept, t->pair[0], NULL, NULL))
CALL(sendto, do_sendto(t, true))
CALL(send, do_sendto(t, false))
CALL(sendmsg, do_sendmsg(t))
CALL(recvmsg, do_recvmsg(t))
CALL(send_record, do_send_record(t))
CALL(open, syscall(SYS_open, NOTHING, O_RDONLY))
CALL(openat, openat(AT_FDCWD, NOTHING, O_RDONLY | O_CLOEXEC))
CALL(openat_write, openat(AT_FDCWD, NOTHING, O_WRONLY | O_CLOEXEC))
CALL(openat_create, openat(AT_FDCWD, NOTHING, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600))
CALL(openat_tun, openat(AT_FDCWD, NOTHING, O_RDWR | O_CLOEXEC | O_NONBLOCK))
CALL(openat2, syscall(SYS_openat2, AT_FDCWD, NOTHING, NULL, 0))
CALL(unlink, unlink(NOTHING))
CALL(rename, do_rename())
CALL(link, link(NOTHING, NOTHING))
CALL(chmod, chmod(NOTHING, 0600))
CALL(chown, chown(NOTHING, 0, 0))
CALL(mkdir, mkdir(NOTHING, 0700))
CALL(mknod, syscall(SYS_mknod, NOTHING, 0600, 0))
CALL(mount, syscall(SYS_mount, NOTHING, NOTHING, "tmpfs", 0, NULL))
CALL(chroot, chroot(NOTHING))
CALL(setuid, syscall(SYS_setuid, 0))
CALL(setresuid, syscall(SYS_setresuid, 0, 0, 0))
CALL(setgroups, syscall(SYS_setgroups, 0, NULL))
CALL(setns, syscall(SYS_setns, -1, 0))
CALL(unshare, syscall(SYS_unshare, 0))
CALL(kill, syscall(SYS_kill, getpid(), 0))
CALL(tgkill, syscall(SYS_tgkill, getpid(), gettid(), 0))
CALL(bpf, syscall(SYS_bpf, 0, NULL, 0))
CALL(io_uring_setup, syscall(SYS_io_uring_setup, 1, NULL))
CALL(perf_event_open, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))
CALL(userfaultfd, syscall(SYS_userfaultfd, 0))
CALL(keyctl, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
CALL(prctl_dumpable, syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0))
CALL(setrlimit, syscall(SYS_prlimit64, 0, 7, t->page, NULL))
CALL(getrlimit, syscall(SYS_prlimit64, 0, 7, NULL, t->page))
CALL(fcntl_owner, syscall(SYS_fcntl, t->pair[0], F_SETOWN, getpid()))
CALL(fcntl_flags, syscall(SYS_fcntl, t->pair[0], F_GETFL, 0))
CALL(ioctl_sti, syscall(SYS_ioctl, 0, TIOCSTI, "x"))
CALL(ioctl_tun, syscall(SYS_ioctl, t->pipe[0], TUNSETIFF, t->page))
CALL(map, do_map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS))
CALL(map_exec, do_map(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS))
CALL(map_write_exec, do_map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS))
CALL(map_shared, do_map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS))
CALL(map_file, do_mmap_file(MAP_PRIVATE))
CALL(protect_exec, mprotect(t->page, 4096, PROT_READ | PROT_EXEC))
CALL(protect_write_exec, mprotect(t->page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC))
CALL(mlock, syscall(SYS_mlock, t->page, 0))
CALL(memory, do_memory())
CALL(poll, do_poll(t))
CALL(loop, do_loop(t))
CALL(serve, do_listen())
CALL(time, usleep(1))
CALL(random, syscall(SYS_getrandom, t->page, 16, 0) == 16 ? 0 : -1)
CALL(x32, syscall(0x40000000 | SYS_getpid))
CALL(i386, do_i386())
CALL(wait, do_wait())

#undef CALL
#define CALL(name_)                                                                                \
    {                                                                                              \
#name_, call_##name_                                                                       \
    }

static const struct {
    const char *name;
    long (*make)(const struct things *t);
} calls[] = {
    CALL(execve),
    CALL(execveat),
    CALL(fork),
    CALL(vfork),
    CALL(clone),
    CALL(clone3),
    CALL(thread),
    CALL(ptrace),
    CALL(process_vm_readv),
    CALL(socket),
    CALL(socket_udp),
    CALL(socket_raw),
    CALL(socket_packet),
    CALL(socket_netlink),
    CALL(socket_unix),
    CALL(connect),
    CALL(bind),
    CALL(listen),
    CALL(accept4),
    CALL(accept),
    CALL(sendto),
    CALL(send),
    CALL(sendmsg),
    CALL(recvmsg),
    CALL(send_record),
    CALL(open),
    CALL(openat),
    CALL(openat_write),
    CALL(openat_create),
    CALL(openat_tun),
    CALL(openat2),
    CALL(unlink),
    CALL(rename),
    CALL(link),
    CALL(chmod),
    CALL(chown),
    CALL(mkdir),
    CALL(mknod),
    CALL(mount),
    CALL(chroot),
    CALL(setuid),
    CALL(setresuid),
    CALL(setgroups),
    CALL(setns),
    CALL(unshare),
    CALL(kill),
    CALL(tgkill),
    CALL(bpf),
    CALL(io_uring_setup),
    CALL(perf_event_open),
    CALL(userfaultfd),
    CALL(keyctl),
    CALL(prctl_dumpable),
    CALL(setrlimit),
    CALL(getrlimit),
    CALL(fcntl_owner),
    CALL(fcntl_flags),
    CALL(ioctl_sti),
    CALL(ioctl_tun),
    CALL(map),
    CALL(map_exec),
    CALL(map_write_exec),
    CALL(map_shared),
    CALL(map_file),
    CALL(protect_exec),
    CALL(protect_write_exec),
    CALL(mlock),
    CALL(memory),
    CALL(poll),
    CALL(loop),
    CALL(serve),
    CALL(time),
    CALL(random),
    CALL(x32),
    CALL(i386),
    CALL(wait),
};

/* ---- locking in ---- */

static bool make_things(struct things *t)
{
    if (ipc_pair(t->pair) != OK || pipe2(t->pipe, O_CLOEXEC) != 0 ||
        ipc_send_blocking(t->pair[0], slice_text("x"), t->pipe, 1) != OK)
        return false;
    t->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return t->page != MAP_FAILED;
}

static bool lock_in(enum sandbox_profile profile, const char *who)
{
    static const gid_t groups[] = {NOBODY};
    char root[] = "/tmp/sandbox_probe_XXXXXX";
    struct sandbox_spec spec = {.root = NULL};
    struct sandbox *s = sandbox_prepare(profile);
    if (!s)
        return false;
    if (strcmp(who, "become") == 0) {
        spec = (struct sandbox_spec){.has_uid = true,
                                     .uid = NOBODY,
                                     .gid = NOBODY,
                                     .groups = groups,
                                     .group_count = 1,
                                     .root = root};
        if (!mkdtemp(root) || chmod(root, 0755) != 0 || chdir(root) != 0 || rmdir(root) != 0)
            return false;
        spec.root = "."; /* a folder that is no more is as empty as one can be */
    } else if (strcmp(who, "ordinary") == 0 &&
               (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
        return false;
    }
    enum err err = sandbox_apply(s, &spec);
    sandbox_free(s);
    return err == OK;
}

int main(int argc, char **argv)
{
    struct things t;
    if (argc != 4 || !make_things(&t))
        return STATUS_SETUP;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (strcmp(calls[i].name, argv[3]) != 0)
            continue;
        if (!lock_in((enum sandbox_profile)(argv[1][0] - '0'), argv[2]))
            return STATUS_SETUP;
        _exit(calls[i].make(&t) >= 0 ? 0 : errno);
    }
    return STATUS_SETUP;
}
