/* The last steps of a session's own process, between fork and exec. */
#include "server/session_child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOTD           "/etc/motd"
#define NOLOGIN        "/etc/nologin"
#define USER_RC        ".ssh/rc"
#define SYSTEM_RC      "/etc/ssh/sshrc"
#define HUSH           ".hushlogin"
#define USER_ENVIRON   ".ssh/environment"
#define ENVIRON_MAX    65536
#define DEFAULT_SHELL  "/bin/sh"
#define STATUS_CANNOT  1
#define STATUS_NOLOGIN 254
#define STATUS_CLOSED  255

static NORETURN void fail(const char *what)
{
    dprintf(STDERR_FILENO, "%s: %s\r\n", what, strerror(errno));
    _exit(STATUS_CLOSED);
}

/* No handler, no ignored signal and no mask of ours reaches the command. */
static void reset_signals(void)
{
    sigset_t none;
    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void take_descriptors(const struct session_child *c)
{
    (void)setsid();
    if (c->plan->has_pty)
        (void)ioctl(c->fds[0], TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++) {
        if (dup2(c->fds[i], i) < 0)
            _exit(STATUS_CLOSED);
    }
    (void)close_range(3, ~0u, 0);
}

/* As root for another account; else the account is whoever runs this. */
static void become(const struct account *a)
{
    if (geteuid() != 0 || a->uid == 0)
        return;
    if (initgroups(a->name, a->gid) != 0 || setgid(a->gid) != 0 || setuid(a->uid) != 0)
        fail("cannot become the account");
    if (setuid(0) == 0)
        _exit(STATUS_CLOSED);
}

static bool show_file(const char *path)
{
    char piece[1024];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    while ((n = read(fd, piece, sizeof(piece))) > 0) {
        if (write(STDOUT_FILENO, piece, (size_t)n) != n)
            break;
    }
    close(fd);
    return true;
}

static void obey_nologin(const struct account *a)
{
    if (a->uid == 0 || access(NOLOGIN, F_OK) != 0)
        return;
    if (!show_file(NOLOGIN))
        dprintf(STDERR_FILENO, NOLOGIN ": logins are not allowed now\r\n");
    _exit(STATUS_NOLOGIN);
}

/* A rc file runs to its end before the command, with the command's environment. */
static void run_rc(const char *shell, char *const *environment)
{
    char user_rc[] = "/bin/sh " USER_RC, system_rc[] = "/bin/sh " SYSTEM_RC, flag[] = "-c";
    char *command = NULL;
    if (access(USER_RC, F_OK) == 0)
        command = user_rc;
    else if (access(SYSTEM_RC, F_OK) == 0)
        command = system_rc;
    if (!command)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null_fd >= 0)
            (void)dup2(null_fd, STDIN_FILENO); /* its input is for the command */
        char *name = mem_strdup(shell);
        execve(shell, (char *const[]){name, flag, command, NULL}, environment);
        _exit(STATUS_CANNOT);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ~/.ssh/environment, read as the account and from its home. */
static void add_user_environment(const struct server_options *o, struct string_list *environment)
{
    struct buf text;
    uint8_t *room;
    ssize_t n = 1;
    int fd = open(USER_ENVIRON, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return;
    buf_init(&text, ENVIRON_MAX);
    while (n > 0 && buf_reserve(&text, 4096, &room) == OK) {
        n = read(fd, room, 4096);
        if (n > 0)
            buf_commit(&text, (size_t)n);
    }
    session_add_lines(o, buf_slice(&text), environment);
    buf_done(&text);
    close(fd);
}

/* For exec: it is never freed. */
static char **make_environment(const struct session_child *c)
{
    struct string_list all;
    string_list_init(&all);
    string_list_copy(&all, c->environment);
    if (strcmp(c->options->permit_user_environment, "no") != 0)
        add_user_environment(c->options, &all);
    all.items = mem_resize(all.items, all.count + 1, sizeof(char *));
    all.items[all.count] = NULL;
    return all.items;
}

static NORETURN void run_shell(const char *shell, const char *command, char *const *environment)
{
    const char *slash = strrchr(shell, '/');
    const char *base = slash ? slash + 1 : shell;
    char flag[] = "-c";
    char *name = command ? mem_strdup(base) : mem_printf("-%s", base);
    char *text = command ? mem_strdup(command) : NULL;
    char *const with_command[] = {name, flag, text, NULL};
    char *const alone[] = {name, NULL};
    execve(shell, command ? with_command : alone, environment);
    fail(shell);
}

void session_child_run(const struct session_child *c)
{
    const struct account *a = c->account;
    take_descriptors(c);
    reset_signals();
    (void)setrlimit(RLIMIT_CORE, &c->core);
    (void)setrlimit(RLIMIT_NOFILE, &c->files);
    become(a);
    obey_nologin(a);
    if (chdir(a->home) != 0) {
        dprintf(STDERR_FILENO, "Could not chdir to home directory %s: %s\n", a->home,
                strerror(errno));
        if (chdir("/") != 0)
            fail("/");
    }
    char **environment = make_environment(c);
    const char *shell = a->shell[0] && !c->plan->is_sftp ? a->shell : DEFAULT_SHELL;
    if (c->plan->has_rc)
        run_rc(shell, environment);
    if (c->plan->has_pty && !c->plan->command && c->options->print_motd && access(HUSH, F_OK) != 0)
        (void)show_file(MOTD);
    run_shell(shell, c->plan->command, environment);
}
