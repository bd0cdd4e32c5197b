/* The administrator's commands. */
#include "server/authz_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "config/lexer.h"
#include "server/account.h"

#define SAFE_PATH "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin"
#define READ_STEP 16384
#define CANNOT    127 /* the child's status where nothing could be run, as a shell's */

/* ---- what runs ---- */

struct arguments {
    struct line words;
    char **argv; /* NULL at the end; owned */
};

static void arguments_done(struct arguments *a)
{
    for (size_t i = 0; a->argv && a->argv[i]; i++)
        mem_free(a->argv[i]);
    mem_free(a->argv);
    line_done(&a->words);
}

static enum err expand_all(const struct command *c, struct arguments *a)
{
    const struct expand_facts facts = {.tokens = c->tokens, .token_count = c->token_count};
    a->argv = mem_new(a->words.count + 2, sizeof(char *));
    a->argv[0] = mem_strdup(a->words.words[0].text);
    for (size_t i = 1; i < a->words.count; i++) {
        struct expand_fault fault;
        enum err err = expand_text(a->words.words[i].text, &facts, &a->argv[i], &fault);
        if (err != OK) {
            a->argv[i] = NULL;
            log_error("%s: %s", c->keyword, fault.text);
            return ERR_CONFIG;
        }
    }
    if (a->words.count == 1)
        a->argv[1] = mem_strdup(c->only_argument);
    return OK;
}

static enum err arguments_make(const struct command *c, struct arguments *a)
{
    struct lexer_fault fault;
    *a = (struct arguments){.argv = NULL};
    if (lexer_split_words(slice_text(c->line), &a->words, &fault) != OK) {
        log_error("%s: %s", c->keyword, fault.text);
        return ERR_CONFIG;
    }
    if (a->words.count == 0 || a->words.words[0].text[0] != '/') {
        log_error("%s: the path of the program must begin with /", c->keyword);
        return ERR_CONFIG;
    }
    return expand_all(c, a);
}

/* Root's, or ours where we are somebody else, and nobody but the owner writes there. */
static bool is_safe(const struct stat *st)
{
    return (st->st_uid == 0 || (geteuid() != 0 && st->st_uid == geteuid())) &&
           (st->st_mode & 022) == 0;
}

/* The file itself and every folder above it; as an ordinary user a sticky /tmp is one's own risk.
 */
static enum err check_program(const struct command *c, const char *path)
{
    struct stat st;
    char *real CLEANUP(mem_cleanup) = NULL;
    char *resolved = realpath(path, NULL);
    if (resolved) {
        real = mem_strdup(resolved);
        free(resolved);
    }
    if (!real || stat(real, &st) != 0 || !S_ISREG(st.st_mode) || !is_safe(&st)) {
        log_error("%s: %s is no program, or others than root may change it", c->keyword, path);
        return ERR_DENIED;
    }
    while (geteuid() == 0 && strcmp(real, "/") != 0) {
        char *slash = strrchr(real, '/');
        slash[slash == real ? 1 : 0] = '\0';
        if (stat(real, &st) != 0 || !is_safe(&st)) {
            log_error("%s: others than root may change %s", c->keyword, real);
            return ERR_DENIED;
        }
    }
    return OK;
}

static enum err find_user(const struct command *c, struct account *a)
{
    *a = (struct account){.is_known = false};
    if (!c->user || strcmp(c->user, "none") == 0) {
        log_error("%s is set, and %sUser is not: it is not run", c->keyword, c->keyword);
        return ERR_CONFIG;
    }
    account_find(c->user, a);
    account_find_groups(a);
    if (!a->is_known) {
        log_error("%sUser: no account %s", c->keyword, c->user);
        return ERR_CONFIG;
    }
    if (geteuid() != 0 && a->uid != geteuid()) {
        log_error("%sUser is another than aditd runs as: it is not run", c->keyword);
        return ERR_DENIED;
    }
    return OK;
}

/* ---- the child ---- */

NORETURN static void run_child(const struct account *a, char *const *argv, int output)
{
    char *environment[] = {(char *)(uintptr_t) "PATH=" SAFE_PATH, mem_printf("USER=%s", a->name),
                           mem_printf("LOGNAME=%s", a->name), mem_printf("HOME=%s", a->home), NULL};
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(null, 2) < 0 ||
        close_range(3, ~0u, 0) != 0)
        _exit(CANNOT);
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &standard, NULL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if ((geteuid() == 0 && account_become(a) != OK) || chdir("/") != 0)
        _exit(CANNOT);
    (void)umask(022);
    (void)setsid();
    /* Nobody waits for it any more when we are ended. After the change of uid, which forgets it. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    execve(argv[0], argv, environment);
    _exit(CANNOT);
}

/* ---- our side ---- */

/* What is waited for: output, the end of the program, the end of its time. */
struct watch {
    int output, pid_fd, timer;
};

static bool watch_open(struct watch *w, pid_t pid, unsigned time_s)
{
    struct itimerspec when = {.it_value = {.tv_sec = time_s}};
    w->pid_fd = pidfd_open(pid, 0);
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    return w->pid_fd >= 0 && w->timer >= 0 && timerfd_settime(w->timer, 0, &when, NULL) == 0;
}

static void watch_close(struct watch *w)
{
    const int fds[] = {w->output, w->pid_fd, w->timer};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

/* OK: fd can be read (or, a process, has ended). */
static enum err wait_for(const struct watch *w, int fd)
{
    struct pollfd polled[] = {{.fd = fd, .events = POLLIN}, {.fd = w->timer, .events = POLLIN}};
    for (;;) {
        int n = poll(polled, 2, -1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (polled[0].revents)
            return OK;
        if (polled[1].revents)
            return ERR_TIMEOUT;
    }
}

static enum err read_output(const struct watch *w, struct buf *out)
{
    for (;;) {
        uint8_t *room;
        size_t want = MIN((size_t)READ_STEP, COMMAND_OUTPUT_MAX + 1 - buf_len(out));
        if (want == 0)
            return ERR_LIMIT;
        TRY(wait_for(w, w->output));
        TRY(buf_reserve(out, want, &room));
        ssize_t n = read(w->output, room, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? ERR_IO : OK;
        buf_commit(out, (size_t)n);
    }
}

static enum err reap(pid_t pid, int *status)
{
    pid_t ended;
    do {
        ended = waitpid(pid, status, 0);
    } while (ended < 0 && errno == EINTR);
    return ended == pid ? OK : ERR_IO;
}

static enum err judge(const struct command *c, enum err err, int status)
{
    if (err == ERR_TIMEOUT)
        log_error("%s took too long and was ended", c->keyword);
    else if (err == ERR_LIMIT)
        log_error("%s printed too much", c->keyword);
    else if (err == OK && WIFSIGNALED(status))
        log_error("%s ended by signal %d", c->keyword, WTERMSIG(status));
    else if (err == OK && WEXITSTATUS(status) != 0)
        log_error("%s ended with status %d", c->keyword, WEXITSTATUS(status));
    else if (err == OK)
        return OK;
    return err == OK ? ERR_IO : err;
}

static enum err attend(const struct command *c, pid_t pid, int output, struct buf *out)
{
    struct watch w = {.output = output, .pid_fd = -1, .timer = -1};
    int status = 0;
    enum err err = ERR_IO;
    if (watch_open(&w, pid, c->time_s ? c->time_s : COMMAND_TIME_S))
        err = read_output(&w, out);
    if (err == OK)
        err = wait_for(&w, w.pid_fd); /* it may have closed its output and linger */
    if (err != OK)
        (void)kill(pid, SIGKILL);
    enum err reaped = reap(pid, &status);
    watch_close(&w);
    return judge(c, err == OK ? reaped : err, status);
}

static enum err start(const struct command *c, const struct account *a, char *const *argv,
                      struct buf *out)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return ERR_IO;
    pid_t pid = fork();
    if (pid == 0)
        run_child(a, argv, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return ERR_IO;
    }
    return attend(c, pid, ends[0], out);
}

enum err command_run(const struct command *c, struct buf *out)
{
    struct arguments arguments;
    struct account account = {.is_known = false};
    enum err err = arguments_make(c, &arguments);
    if (err == OK)
        err = check_program(c, arguments.argv[0]);
    if (err == OK)
        err = find_user(c, &account);
    if (err == OK)
        err = start(c, &account, arguments.argv, out);
    if (err != OK)
        buf_clear(out);
    account_done(&account);
    arguments_done(&arguments);
    return err;
}
