/* Forks a child for each descriptor, reaps, tells. */
#include "server/zygote.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/ipc_blocking.h"
#include "server/role.h"

struct zygote {
    zygote_child *child;
    void *owner;
    int signal_fd;
    pid_t *pids; /* of children that were not reaped yet: a pid is killed only while it is ours */
    size_t pid_count;
};

static void keep_pid(struct zygote *z, pid_t pid)
{
    z->pids = mem_resize(z->pids, z->pid_count + 1, sizeof(pid_t));
    z->pids[z->pid_count++] = pid;
}

static bool forget_pid(struct zygote *z, pid_t pid)
{
    for (size_t i = 0; i < z->pid_count; i++) {
        if (z->pids[i] != pid)
            continue;
        z->pids[i] = z->pids[--z->pid_count];
        return true;
    }
    return false;
}

static bool is_ours(const struct zygote *z, uint32_t pid)
{
    for (size_t i = 0; i < z->pid_count; i++) {
        if ((uint32_t)z->pids[i] == pid)
            return true;
    }
    return false;
}

/* A sanitizer's report of leaks and a coverage's counts come with the exit handlers; else there is
 * nothing behind them but the code of every library, page by page. */
static NORETURN void leave(int status)
{
#ifdef ADIT_EXIT_HANDLERS
    exit(status);
#else
    _exit(status);
#endif
}

static NORETURN void become_child(struct zygote *z, int fd)
{
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    close(z->signal_fd);
    close(ROLE_IPC_FD);
    mem_free(z->pids);
    leave(z->child(z->owner, fd));
}

static enum err fork_child(struct zygote *z, const struct role_msg *m, int fd)
{
    pid_t pid = fork();
    if (pid == 0)
        become_child(z, fd);
    if (pid > 0)
        keep_pid(z, pid);
    else
        log_error("cannot fork");
    return role_send(ROLE_IPC_FD, &(struct role_msg){.kind = ROLE_MSG_FORKED,
                                                     .tag = m->tag,
                                                     .pid = pid > 0 ? (uint32_t)pid : 0});
}

static enum err serve_supervisor(struct zygote *z, struct buf *record)
{
    int fds[IPC_FDS_MAX];
    size_t fd_count = 0;
    struct role_msg m;
    TRY(ipc_recv_blocking(ROLE_IPC_FD, record, fds, &fd_count));
    enum err err = role_msg_decode(buf_slice(record), ROLE_SUPERVISOR, ROLE_ZYGOTE, &m);
    if (err == OK && m.kind == ROLE_MSG_FORK)
        err = fd_count == 1 ? fork_child(z, &m, fds[0]) : ERR_PROTOCOL;
    else if (err == OK && is_ours(z, m.pid))
        (void)kill((pid_t)m.pid, (int)m.signal_number);
    ipc_close_fds(fds, fd_count);
    return err;
}

static enum err reap(struct zygote *z)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;
    (void)!read(z->signal_fd, &info, sizeof(info));
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        bool by_signal = WIFSIGNALED(status);
        if (!forget_pid(z, pid))
            continue;
        TRY(role_send(
            ROLE_IPC_FD,
            &(struct role_msg){.kind = ROLE_MSG_ENDED,
                               .pid = (uint32_t)pid,
                               .status_ended = by_signal ? 0 : (uint32_t)WEXITSTATUS(status),
                               .signal_number = by_signal ? (uint32_t)WTERMSIG(status) : 0}));
    }
    return OK;
}

static enum err serve_one(struct zygote *z, struct buf *record)
{
    struct pollfd polled[] = {{.fd = ROLE_IPC_FD, .events = POLLIN},
                              {.fd = z->signal_fd, .events = POLLIN}};
    if (poll(polled, ARRAY_LEN(polled), -1) < 0)
        return errno == EINTR ? OK : ERR_IO;
    if (polled[1].revents)
        TRY(reap(z));
    return polled[0].revents ? serve_supervisor(z, record) : OK;
}

int zygote_serve(zygote_child *child, void *owner)
{
    struct zygote z = {.child = child, .owner = owner};
    struct buf record;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    z.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    buf_init(&record, ROLE_MSG_MAX);
    enum err err = z.signal_fd >= 0 ? OK : ERR_IO;
    while (err == OK)
        err = serve_one(&z, &record);
    buf_done(&record);
    mem_free(z.pids);
    close(z.signal_fd);
    if (err != ERR_EOF)
        log_error("the zygote ends: %s", err_name(err));
    return err == ERR_EOF ? 0 : 1;
}
