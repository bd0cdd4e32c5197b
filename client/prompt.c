/*
 * Terminal and askpass. No signal handler is installed: while a secret is typed the signals that
 * would end or stop the process are blocked and watched through a descriptor; when one comes, the
 * terminal is put back first and the signal let through then.
 */
#include "client/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "client/spawn_plain.h"

#define ASKPASS_DEFAULT "/usr/bin/ssh-askpass"
#define ASKPASS_HINT    "SSH_ASKPASS_PROMPT"
#define ANSWER_TRIES    3 /* of askpass, which may answer the same for ever */

extern char **environ;

static void fd_cleanup(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    errno = saved;
}

static enum askpass_use use_from(const char *word)
{
    static const struct {
        const char *word;
        enum askpass_use use;
    } rows[] = {
        {"never", ASKPASS_NEVER},
        {"prefer", ASKPASS_PREFER},
        {"force", ASKPASS_FORCE},
    };
    for (size_t i = 0; word && i < ARRAY_LEN(rows); i++) {
        if (strcasecmp(word, rows[i].word) == 0)
            return rows[i].use;
    }
    return ASKPASS_AUTO;
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && value[0] != '\0';
}

struct prompt_config prompt_config_from_environment(bool is_batch)
{
    return (struct prompt_config){
        .terminal = "/dev/tty",
        .askpass = is_set("SSH_ASKPASS") ? getenv("SSH_ASKPASS") : ASKPASS_DEFAULT,
        .use = use_from(getenv("SSH_ASKPASS_REQUIRE")),
        .has_display = is_set("DISPLAY") || is_set("WAYLAND_DISPLAY"),
        .is_batch = is_batch,
    };
}

enum prompt_way prompt_choose(const struct prompt_config *config, bool has_terminal)
{
    bool may_askpass =
        config->use == ASKPASS_FORCE || (config->use != ASKPASS_NEVER && config->has_display);
    bool is_askpass_first = config->use == ASKPASS_FORCE || config->use == ASKPASS_PREFER;
    if (config->is_batch)
        return PROMPT_NOBODY;
    if (may_askpass && (is_askpass_first || !has_terminal))
        return PROMPT_ASKPASS;
    return has_terminal ? PROMPT_TERMINAL : PROMPT_NOBODY;
}

/* ---- the terminal ---- */

/* What a terminal or a person can send us meanwhile, but for what we were told to ignore. */
static void signals_to_watch(sigset_t *set)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGALRM};
    sigemptyset(set);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(set, numbers[i]);
    }
}

static enum err text_write(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        text += n;
        left -= (size_t)n;
    }
    return OK;
}

/* Bytes up to the end of the line; what is too long is read to its end too, so that it does not
 * answer the next question. */
static enum err line_take(int terminal, struct buf *answer, bool *is_done, bool *is_long)
{
    char piece[256];
    ssize_t n = read(terminal, piece, sizeof(piece));
    enum err err = OK;
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? OK : ERR_IO;
    if (n == 0)
        return ERR_DENIED;
    size_t length = (size_t)n;
    if (piece[length - 1] == '\n') {
        *is_done = true;
        length--;
    }
    if (buf_len(answer) + length > PROMPT_ANSWER_MAX || buf_append(answer, piece, length) != OK)
        *is_long = true;
    if (*is_done && *is_long)
        err = ERR_LIMIT;
    mem_wipe(piece, sizeof(piece));
    return err;
}

/* ERR_AGAIN: a signal waits to be let through. */
static enum err line_read(int terminal, int signals, struct buf *answer)
{
    bool is_done = false, is_long = false;
    while (!is_done) {
        struct pollfd fds[] = {{.fd = terminal, .events = POLLIN},
                               {.fd = signals, .events = POLLIN}};
        if (poll(fds, ARRAY_LEN(fds), -1) < 0) {
            if (errno == EINTR)
                continue;
            return ERR_IO;
        }
        if (fds[1].revents)
            return ERR_AGAIN;
        if (fds[0].revents)
            TRY(line_take(terminal, answer, &is_done, &is_long));
    }
    return OK;
}

/* Asks once, with the signals of watched blocked and put back as they were by the caller. */
static enum err terminal_ask_once(int terminal, const sigset_t *watched, const char *text,
                                  bool is_secret, struct buf *answer)
{
    struct termios before, silent;
    int signals CLEANUP(fd_cleanup) = signalfd(-1, watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || tcgetattr(terminal, &before) != 0)
        return ERR_IO;
    silent = before;
    silent.c_lflag |= ICANON | ISIG;
    silent.c_lflag &= ~(tcflag_t)(is_secret ? ECHO | ECHOE | ECHOK | ECHONL : 0);
    if (tcsetattr(terminal, is_secret ? TCSAFLUSH : TCSADRAIN, &silent) != 0)
        return ERR_IO;
    enum err err = text_write(terminal, text);
    if (err == OK)
        err = line_read(terminal, signals, answer);
    if (is_secret && text_write(terminal, "\n") != OK && err == OK)
        err = ERR_IO;
    if (tcsetattr(terminal, is_secret ? TCSAFLUSH : TCSADRAIN, &before) != 0 && err == OK)
        err = ERR_IO;
    return err;
}

static enum err terminal_ask(int terminal, const char *text, bool is_secret, struct buf *answer)
{
    for (;;) {
        sigset_t watched, before, pending;
        signals_to_watch(&watched);
        if (sigprocmask(SIG_BLOCK, &watched, &before) != 0)
            return ERR_IO;
        enum err err = terminal_ask_once(terminal, &watched, text, is_secret, answer);
        bool is_stop = sigpending(&pending) == 0 && sigismember(&pending, SIGTSTP) == 1;
        /* Here a waiting signal takes its effect, with the terminal as it was. */
        if (sigprocmask(SIG_SETMASK, &before, NULL) != 0)
            return ERR_IO;
        if (err != ERR_AGAIN)
            return err;
        if (!is_stop)
            return ERR_CANCELLED;
        buf_clear(answer); /* stopped and continued: ask anew */
    }
}

/* ---- askpass ---- */

/* Our environment and what kind of answer is wanted; the strings are borrowed. Caller owns. */
static char **askpass_environment(bool is_confirmation)
{
    static char hint[] = ASKPASS_HINT "=confirm";
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **out = mem_new(count + 2, sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], ASKPASS_HINT "=", sizeof(ASKPASS_HINT)) != 0)
            out[kept++] = environ[i];
    }
    if (is_confirmation)
        out[kept] = hint;
    return out;
}

static enum err askpass_start(const char *program, const char *text, bool is_confirmation,
                              int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *const arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)text, NULL};
    char **environment CLEANUP(mem_cleanup) = askpass_environment(is_confirmation);
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    int failed = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (failed == 0)
        failed = spawn_attributes_init(&attributes);
    if (failed == 0) {
        failed = posix_spawnp(pid, program, &actions, &attributes, arguments, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    errno = failed;
    return failed == 0 ? OK : ERR_IO;
}

/* The first line; the rest is read too, as the program must not meet a closed pipe. */
static enum err askpass_read(int input, struct buf *answer)
{
    char piece[256];
    bool is_done = false;
    enum err err = OK;
    for (;;) {
        ssize_t n = read(input, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            mem_wipe(piece, sizeof(piece));
            return n < 0 ? ERR_IO : err;
        }
        size_t length = 0;
        while (length < (size_t)n && piece[length] != '\n' && piece[length] != '\r')
            length++;
        if (is_done)
            continue;
        is_done = length < (size_t)n;
        if (buf_len(answer) + length > PROMPT_ANSWER_MAX || buf_append(answer, piece, length) != OK)
            err = ERR_LIMIT;
    }
}

static enum err askpass_ask(const char *program, const char *text, bool is_confirmation,
                            struct buf *answer)
{
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return ERR_IO;
    int input CLEANUP(fd_cleanup) = ends[0];
    enum err err = askpass_start(program, text, is_confirmation, ends[1], &pid);
    close(ends[1]);
    if (err != OK)
        return err;
    err = askpass_read(input, answer);
    int status = 0;
    pid_t ended;
    do
        ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (ended != pid)
        return ERR_IO;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return ERR_DENIED;
    return err;
}

/* ---- both ---- */

static enum prompt_way way_now(const struct prompt_config *config, int *terminal)
{
    *terminal = -1;
    if (!config->is_batch)
        *terminal = open(config->terminal, O_RDWR | O_CLOEXEC | O_NOCTTY);
    return prompt_choose(config, *terminal >= 0 && isatty(*terminal));
}

bool prompt_has_somebody(const struct prompt_config *config)
{
    int terminal CLEANUP(fd_cleanup) = -1;
    return way_now(config, &terminal) != PROMPT_NOBODY;
}

enum question {
    QUESTION_OPEN,    /* what is typed is shown */
    QUESTION_SECRET,  /* it is not */
    QUESTION_CONFIRM, /* an askpass shows buttons */
};

static enum err ask(const struct prompt_config *config, const char *text, enum question question,
                    struct buf *answer, enum prompt_way *way)
{
    int terminal CLEANUP(fd_cleanup) = -1;
    *way = way_now(config, &terminal);
    switch (*way) {
    case PROMPT_TERMINAL:
        return terminal_ask(terminal, text, question == QUESTION_SECRET, answer);
    case PROMPT_ASKPASS:
        return askpass_ask(config->askpass, text, question == QUESTION_CONFIRM, answer);
    case PROMPT_NOBODY:
        break;
    }
    return ERR_NOT_FOUND;
}

enum err prompt_ask(const struct prompt_config *config, const char *text, bool is_secret,
                    struct buf *answer)
{
    enum prompt_way way;
    struct buf typed;
    buf_init_secret(&typed, PROMPT_ANSWER_MAX);
    enum err err = ask(config, text, is_secret ? QUESTION_SECRET : QUESTION_OPEN, &typed, &way);
    if (err == OK)
        err = buf_append_slice(answer, buf_slice(&typed));
    buf_done(&typed);
    return err;
}

enum err prompt_confirm(const struct prompt_config *config, const char *question)
{
    enum prompt_way way;
    struct buf typed;
    buf_init(&typed, PROMPT_ANSWER_MAX);
    enum err err = ask(config, question, QUESTION_CONFIRM, &typed, &way);
    char *answer CLEANUP(mem_cleanup) = buf_strdup(&typed);
    buf_done(&typed);
    TRY(err);
    /* A program that shows buttons prints nothing, or what it was taught to print. */
    bool is_yes = strcasecmp(answer, "yes") == 0 || (way == PROMPT_ASKPASS && answer[0] == '\0');
    return is_yes ? OK : ERR_DENIED;
}

/* OK, ERR_DENIED, or ERR_AGAIN: neither yes nor no. */
static enum err trust_read(const char *answer, const char *fingerprint)
{
    while (*answer == ' ' || *answer == '\t')
        answer++;
    size_t length = strlen(answer);
    while (length && (answer[length - 1] == ' ' || answer[length - 1] == '\t'))
        length--;
    char *word CLEANUP(mem_cleanup) = mem_strndup(answer, length);
    if (strcasecmp(word, "yes") == 0 || strcmp(word, fingerprint) == 0)
        return OK;
    return word[0] == '\0' || strcasecmp(word, "no") == 0 ? ERR_DENIED : ERR_AGAIN;
}

enum err prompt_ask_trust(const struct prompt_config *config, const char *question,
                          const char *fingerprint)
{
    const char *text = question;
    for (unsigned tries = 1;; tries++) {
        enum prompt_way way;
        struct buf typed;
        buf_init(&typed, PROMPT_ANSWER_MAX);
        enum err err = ask(config, text, QUESTION_OPEN, &typed, &way);
        char *answer CLEANUP(mem_cleanup) = buf_strdup(&typed);
        buf_done(&typed);
        if (err == ERR_LIMIT)
            err = ERR_AGAIN;
        else if (err == OK)
            err = trust_read(answer, fingerprint);
        if (err != ERR_AGAIN)
            return err;
        if (way == PROMPT_ASKPASS && tries >= ANSWER_TRIES)
            return ERR_DENIED;
        text = "Please type 'yes', 'no' or the fingerprint: ";
    }
}
