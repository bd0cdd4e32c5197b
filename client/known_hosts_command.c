/* A program's word on host keys. */
#include "client/known_hosts_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "client/spawn_plain.h"
#include "config/string_list.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"
#include "wire/reader.h"

#define KEYWORD    "KnownHostsCommand"
#define SILENCE_MS 60000
#define READ_STEP  65536
#define WORDS_MAX  64

extern char **environ;

/* ---- words ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One word off *at. */
static enum err take_word(const char **at, struct buf *word)
{
    char quote = '\0';
    for (; **at && (quote || !is_blank(**at)); (*at)++) {
        char c = **at, next = (*at)[1];
        if (c == '\\' && (next == '\'' || next == '"' || next == '\\' || (!quote && next == ' '))) {
            (*at)++;
            TRY(buf_append(word, &next, 1));
        } else if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? '\0' : c;
        } else {
            TRY(buf_append(word, &c, 1));
        }
    }
    return quote ? ERR_FORMAT : OK;
}

enum err known_hosts_command_split(const char *text, struct string_list *words)
{
    for (;;) {
        struct buf word;
        while (is_blank(*text))
            text++;
        if (!*text)
            return OK;
        buf_init(&word, strlen(text) + 1);
        enum err err = take_word(&text, &word);
        if (err == OK) {
            char *copy CLEANUP(mem_cleanup) = buf_strdup(&word);
            string_list_add(words, copy);
        }
        buf_done(&word);
        TRY(err);
    }
}

/* The words with their tokens put in. */
static enum err words_make(const struct known_hosts_command *k, struct string_list *words)
{
    struct string_list raw;
    struct reader r;
    bool has_key = k->key.len > 0;
    reader_init(&r, k->key);
    char *type CLEANUP(mem_cleanup) =
        has_key ? slice_strdup(reader_string(&r)) : mem_strdup("NONE");
    char *base64 CLEANUP(mem_cleanup) = has_key ? base64_encode(k->key, true) : mem_strdup("NONE");
    char *print CLEANUP(mem_cleanup) =
        has_key ? fingerprint_sha256(k->crypto, k->key) : mem_strdup("NONE");
    const struct expand_token more[] = {
        {'H', k->name}, {'I', k->invocation}, {'t', type}, {'K', base64}, {'f', print}};
    string_list_init(&raw);
    enum err err = known_hosts_command_split(k->options->known_hosts_command, &raw);
    for (size_t i = 0; err == OK && i < raw.count; i++) {
        char *word CLEANUP(mem_cleanup) =
            expand_client(k->facts, k->options, KEYWORD, CLIENT_EXPAND_COMMAND, raw.items[i], more,
                          ARRAY_LEN(more));
        if (word)
            string_list_add(words, word);
        else
            err = ERR_CONFIG;
    }
    string_list_done(&raw);
    if (err == ERR_FORMAT || (err == OK && (words->count == 0 || words->count >= WORDS_MAX))) {
        log_error(KEYWORD ": \"%s\" is no command", k->options->known_hosts_command);
        err = ERR_CONFIG;
    } else if (err == OK && words->items[0][0] != '/') {
        log_error(KEYWORD ": the path of %s is not absolute", words->items[0]);
        err = ERR_CONFIG;
    }
    return err;
}

/* ---- running ---- */

/* 0, or errno. Standard error stays ours; no other descriptor of ours is inherited (CLOEXEC). */
static int start(char *const *arguments, pid_t *pid, int *from)
{
    int fds[2];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return errno;
    int error = posix_spawn_file_actions_init(&actions);
    if (!error) {
        error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        if (!error)
            error = posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
        if (!error)
            error = spawn_attributes_init(&attributes);
        if (!error) {
            error = posix_spawn(pid, arguments[0], &actions, &attributes, arguments, environ);
            posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
    }
    close(fds[1]);
    if (error)
        close(fds[0]);
    *from = fds[0];
    return error;
}

/* Until the program closes its output. ERR_TIMEOUT, ERR_LIMIT, ERR_IO. */
static enum err gather(int from, struct buf *out)
{
    for (;;) {
        struct pollfd p = {.fd = from, .events = POLLIN};
        uint8_t *room;
        int ready = poll(&p, 1, SILENCE_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return ready ? ERR_IO : ERR_TIMEOUT;
        TRY(buf_reserve(out, READ_STEP, &room));
        ssize_t n = read(from, room, READ_STEP);
        if (n == 0)
            return OK;
        if (n > 0)
            buf_commit(out, (size_t)n);
        else if (errno != EINTR)
            return ERR_IO;
    }
}

static enum err wait_for(pid_t pid, const char *program, enum err err)
{
    int status = 0;
    if (err != OK)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return ERR_IO;
    }
    if (err != OK)
        log_error(KEYWORD " failed: %s: %s", program, err_name(err));
    else if (WIFSIGNALED(status))
        log_error(KEYWORD " failed: %s was ended by signal %d", program, WTERMSIG(status));
    else if (WEXITSTATUS(status))
        log_error(KEYWORD " failed: %s ended with status %d", program, WEXITSTATUS(status));
    return err == OK && status ? ERR_IO : err;
}

enum err known_hosts_command_run(const struct known_hosts_command *k, struct buf *out)
{
    struct string_list words;
    char *arguments[WORDS_MAX + 1] = {NULL};
    pid_t pid;
    int from = -1;
    string_list_init(&words);
    enum err err = words_make(k, &words);
    for (size_t i = 0; err == OK && i < words.count; i++)
        arguments[i] = words.items[i];
    if (err == OK) {
        log_debug(KEYWORD " (%s): %s", k->invocation, arguments[0]);
        int error = start(arguments, &pid, &from);
        if (error) {
            log_error(KEYWORD " %s: %s", arguments[0], strerror(error));
            err = ERR_IO;
        } else {
            err = gather(from, out);
            close(from);
            err = wait_for(pid, arguments[0], err);
        }
    }
    string_list_done(&words);
    return err;
}
