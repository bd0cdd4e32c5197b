/*
 * aditd-session: one session of a user who is logged in. It opens the terminal or the pipes, gives
 * the worker its ends, runs the shell as the account, waits, and tells how it ended. It sees no
 * byte of the session and no packet; what it runs follows from the supervisor's message and the
 * sealed options, never from the worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "io/ipc_blocking.h"
#include "server/config_text.h"
#include "server/role.h"
#include "server/session_child.h"
#include "wire/reader.h"
#include "wire/tty_modes.h"

#define WORKER_FD     5
#define STATUS_FAILED 255
#define TTY_MODE      0620

struct launch {
    struct role_msg m;
    struct server_options options;
    struct key_options key;
    struct account account;
    struct session_plan plan;
    struct string_list environment;
    struct rlimit core, files;
    char *user;
    char auth_file[64]; /* "" : none */
    char tty[64];       /* "": none */
    int worker_fds[3];  /* what the worker gets */
    int child_fds[3];   /* what the command gets */
    pid_t pid;
};

/* ---- signals, by the names of RFC 4254 6.10 ---- */

static const struct {
    const char *name;
    int number;
} signals[] = {
    {"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"FPE", SIGFPE},   {"HUP", SIGHUP},   {"ILL", SIGILL},
    {"INT", SIGINT},   {"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV},
    {"TERM", SIGTERM}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
};

static const char *signal_name(int number)
{
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        if (signals[i].number == number)
            return signals[i].name;
    }
    return "SIG@openssh.com";
}

static bool is_known_signal(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        if (signals[i].number == (int)number)
            return true;
    }
    return false;
}

static void signal_group(const struct launch *l, int number)
{
    if (kill(-l->pid, number) != 0 && errno == ESRCH)
        (void)kill(l->pid, number); /* it has no group of its own yet */
}

/* ---- descriptors ---- */

static void own_terminal(const struct launch *l, int fd)
{
    if (geteuid() != 0)
        return;
    struct stat st;
    bool has_group = fstat(fd, &st) == 0;
    if (fchown(fd, l->account.uid, has_group ? st.st_gid : (gid_t)-1) != 0 ||
        fchmod(fd, TTY_MODE) != 0)
        log_debug("the terminal keeps its owner: %s", strerror(errno));
}

static enum err open_terminal(struct launch *l)
{
    struct termios t;
    struct winsize size = {.ws_row = (unsigned short)MIN(l->m.rows, (uint32_t)UINT16_MAX),
                           .ws_col = (unsigned short)MIN(l->m.columns, (uint32_t)UINT16_MAX),
                           .ws_xpixel = (unsigned short)MIN(l->m.width_px, (uint32_t)UINT16_MAX),
                           .ws_ypixel = (unsigned short)MIN(l->m.height_px, (uint32_t)UINT16_MAX)};
    int leader = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int fd = -1;
    if (leader >= 0 && grantpt(leader) == 0 && unlockpt(leader) == 0 &&
        ptsname_r(leader, l->tty, sizeof(l->tty)) == 0)
        fd = open(l->tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        log_error("no terminal could be opened: %s", strerror(errno));
        if (leader >= 0)
            close(leader);
        return ERR_IO;
    }
    own_terminal(l, fd);
    if (tcgetattr(fd, &t) == 0) {
        if (tty_modes_apply(l->m.modes, &t) != OK)
            log_debug("the terminal modes end too early");
        (void)tcsetattr(fd, TCSANOW, &t);
    }
    (void)ioctl(fd, TIOCSWINSZ, &size);
    l->worker_fds[0] = leader;
    l->child_fds[0] = l->child_fds[1] = l->child_fds[2] = fd;
    return OK;
}

static enum err open_pipes(struct launch *l)
{
    for (int i = 0; i < 3; i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) != 0)
            return ERR_IO;
        l->child_fds[i] = fds[i == 0 ? 0 : 1];
        l->worker_fds[i] = fds[i == 0 ? 1 : 0];
    }
    return OK;
}

static void close_all(int fds[3])
{
    int last = -1;
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0 && fds[i] != last)
            close(fds[i]);
        last = fds[i] >= 0 ? fds[i] : last;
        fds[i] = -1;
    }
}

/* ---- ExposeAuthInfo ---- */

/* "publickey TYPE BLOB" in a file of the account's own, gone with the session. */
static void expose_login(struct launch *l)
{
    struct reader r;
    reader_init(&r, l->m.key);
    struct slice type = reader_text(&r, ROLE_MSG_NAME_MAX);
    if (!l->options.expose_auth_info || !reader_is_ok(&r))
        return;
    char *blob CLEANUP(mem_cleanup) = base64_encode(l->m.key, true);
    char *name CLEANUP(mem_cleanup) = slice_strdup(type);
    snprintf(l->auth_file, sizeof(l->auth_file), "/tmp/sshauth.XXXXXXXXXXXXXXX");
    int fd = mkostemp(l->auth_file, O_CLOEXEC);
    if (fd < 0) {
        log_error("the login's file cannot be made: %s", strerror(errno));
        l->auth_file[0] = '\0';
        return;
    }
    if (dprintf(fd, "publickey %s %s\n", name, blob) < 0 ||
        (geteuid() == 0 && fchown(fd, l->account.uid, (gid_t)-1) != 0))
        log_error("the login's file cannot be written: %s", strerror(errno));
    close(fd);
}

/* ---- its life ---- */

static enum err tell_worker(const struct launch *l, const struct role_msg *m, const int *fds,
                            size_t fd_count)
{
    struct buf bytes;
    buf_init(&bytes, ROLE_MSG_MAX);
    enum err err = role_msg_encode(m, &bytes);
    if (err == OK)
        err = ipc_send_blocking(WORKER_FD, buf_slice(&bytes), fds, fd_count);
    buf_done(&bytes);
    if (err != OK)
        log_debug("the worker of %s is gone", l->account.name);
    return err;
}

static void tell_end(const struct launch *l, int status)
{
    struct role_msg m = {.kind = ROLE_MSG_EXITED};
    if (WIFSIGNALED(status)) {
        m.signal_name = slice_text(signal_name(WTERMSIG(status)));
        m.is_core = WCOREDUMP(status) ? 1 : 0;
    } else {
        m.status = (uint32_t)WEXITSTATUS(status);
    }
    (void)!tell_worker(l, &m, NULL, 0);
}

/* False: the worker is gone, or speaks nonsense. */
static bool serve_worker(const struct launch *l)
{
    struct buf record;
    int fds[IPC_FDS_MAX];
    size_t fd_count = 0;
    struct role_msg m;
    buf_init(&record, ROLE_MSG_MAX);
    enum err err = ipc_recv_blocking(WORKER_FD, &record, fds, &fd_count);
    ipc_close_fds(fds, fd_count);
    if (err == OK)
        err = role_msg_decode(buf_slice(&record), ROLE_WORK, ROLE_SESSION, &m);
    if (err == OK && is_known_signal(m.signal_number))
        signal_group(l, (int)m.signal_number);
    buf_done(&record);
    return err == OK;
}

/* Until the command ends, or nobody is there any more for whom it runs. */
static void watch(struct launch *l)
{
    int process = pidfd_open(l->pid, 0);
    int status = 0;
    struct pollfd polled[] = {{.fd = process, .events = POLLIN},
                              {.fd = WORKER_FD, .events = POLLIN}};
    while (process >= 0) {
        if (poll(polled, ARRAY_LEN(polled), -1) < 0 && errno != EINTR)
            break;
        if (polled[0].revents)
            break;
        if (polled[1].revents && !serve_worker(l)) {
            signal_group(l, SIGHUP);
            signal_group(l, SIGCONT);
            return;
        }
    }
    while (waitpid(l->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close_all(l->child_fds); /* a terminal shows its end only now */
    tell_end(l, status);
}

static enum err start(struct launch *l)
{
    struct role_msg m = {.kind = ROLE_MSG_STARTED};
    const struct session_child child = {.options = &l->options,
                                        .account = &l->account,
                                        .plan = &l->plan,
                                        .environment = &l->environment,
                                        .fds = {l->child_fds[0], l->child_fds[1], l->child_fds[2]},
                                        .core = l->core,
                                        .files = l->files};
    TRY(tell_worker(l, &m, l->worker_fds, l->plan.has_pty ? 1 : 3));
    close_all(l->worker_fds);
    l->pid = fork();
    if (l->pid < 0)
        return ERR_IO;
    if (l->pid == 0)
        session_child_run(&child);
    if (!l->plan.has_pty)
        close_all(l->child_fds);
    return OK;
}

static enum err prepare(struct launch *l)
{
    const char *why;
    TRY(config_text_from_fd(ROLE_CONFIG_FD, &l->options));
    log_set_level(l->options.log_level);
    TRY(key_options_parse(l->m.options, &l->key, &why));
    if (!l->options.permit_session)
        return ERR_DENIED;
    if (strcmp(l->options.chroot_directory, "none") != 0) {
        log_error(
            "ChrootDirectory is not built: a session that would see the whole tree is refused");
        return ERR_DENIED;
    }
    l->user = slice_strdup(l->m.user);
    account_find(l->user, &l->account);
    bool is_ours = l->account.uid == geteuid() || geteuid() == 0;
    if (!l->account.is_known || !is_ours)
        return ERR_DENIED;
    TRY(session_plan_make(&l->options, &l->key, &l->m, &l->plan));
    if (l->plan.has_pty)
        TRY(open_terminal(l));
    else
        TRY(open_pipes(l));
    expose_login(l);
    const struct session_facts facts = {.account = &l->account,
                                        .time_zone = getenv("TZ"),
                                        .tty = l->plan.has_pty ? l->tty : NULL,
                                        .auth_file = l->auth_file[0] ? l->auth_file : NULL};
    session_environment(&l->options, &l->key, &l->m, &l->plan, &facts, &l->environment);
    return OK;
}

static enum err serve(struct launch *l)
{
    server_options_init(&l->options);
    string_list_init(&l->environment);
    enum err err = prepare(l);
    if (err == OK)
        err = start(l);
    if (err == OK) {
        log_debug("session of %s: pid %d", l->account.name, (int)l->pid);
        watch(l);
    }
    if (l->auth_file[0])
        (void)unlink(l->auth_file);
    close_all(l->worker_fds);
    close_all(l->child_fds);
    string_list_done(&l->environment);
    session_plan_done(&l->plan);
    key_options_done(&l->key);
    account_done(&l->account);
    server_options_done(&l->options);
    mem_free(l->user);
    return err;
}

/* The supervisor's own is higher than what it was started with. */
static void take_file_limit(struct launch *l, const char *text)
{
    unsigned long long soft = strtoull(text, NULL, 10);
    (void)getrlimit(RLIMIT_NOFILE, &l->files);
    if (soft && soft < l->files.rlim_cur)
        l->files.rlim_cur = soft;
}

int main(int argc, char **argv)
{
    struct launch l = {.worker_fds = {-1, -1, -1}, .child_fds = {-1, -1, -1}};
    struct buf record;
    int fds[IPC_FDS_MAX];
    size_t fd_count = 0;
    (void)getrlimit(RLIMIT_CORE, &l.core);
    int i = role_start_unlimited(argc, argv, "aditd-session");
    take_file_limit(&l, i < argc ? argv[i] : "0");
    (void)signal(SIGPIPE, SIG_IGN);
    buf_init(&record, ROLE_MSG_MAX);
    enum err err = ipc_recv_blocking(ROLE_IPC_FD, &record, fds, &fd_count);
    ipc_close_fds(fds, fd_count);
    if (err == OK)
        err = role_msg_decode(buf_slice(&record), ROLE_SUPERVISOR, ROLE_SESSION, &l.m);
    if (err == OK)
        err = serve(&l);
    if (err != OK)
        log_error("a session could not be started: %s", err_name(err));
    buf_done(&record);
    return err == OK ? 0 : STATUS_FAILED;
}
