/* Detours. */
#include "client/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/expand.h"

#define SELF          "/proc/self/exe"
#define ARGUMENTS_MAX 24

static bool is_set(const char *text)
{
    return text && strcmp(text, "none") != 0;
}

bool proxy_is_wanted(const struct client_options *o)
{
    return is_set(o->proxy_command) || is_set(o->proxy_jump);
}

/* ---- running it ---- */

static void close_pair(int fds[2])
{
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

/* What the program gets as standard input and output; its errors go where ours do. */
static enum err spawn(struct child **child, struct loop *l, const char *file,
                      char *const *arguments, int in, int out, child_exited *exited, void *owner)
{
    int fds[] = {in, out, STDERR_FILENO};
    struct child_spec spec = {
        .file = file, .arguments = arguments, .fds = fds, .fd_count = ARRAY_LEN(fds)};
    enum err err = child_new(child, l, &spec, exited, owner);
    if (err != OK)
        log_error("the proxy could not be run: %s: %s", file, err_name(err));
    return err;
}

/* Runs the program between two pipes; keeps our ends. */
static enum err run(struct child **child, struct loop *l, const char *file, char *const *arguments,
                    child_exited *exited, void *owner, int *read_fd, int *write_fd)
{
    int to[2] = {-1, -1}, from[2] = {-1, -1}; /* read end, write end */
    if (child_pipe(to) != OK || child_pipe(from) != OK) {
        close_pair(to);
        log_error("no pipe for the proxy");
        return ERR_IO;
    }
    enum err err = spawn(child, l, file, arguments, to[0], from[1], exited, owner);
    close(to[0]);
    close(from[1]);
    if (err != OK) {
        close(to[1]);
        close(from[0]);
        return err;
    }
    *read_fd = from[0];
    *write_fd = to[1];
    return OK;
}

/* ---- ProxyCommand ---- */

static char *expand_command(const struct client_options *o)
{
    char port[8];
    char *out = NULL;
    struct expand_fault fault;
    snprintf(port, sizeof(port), "%u", o->port);
    struct expand_token tokens[] = {
        {'h', o->host_name}, {'n', o->host}, {'p', port}, {'r', o->user}};
    struct expand_facts facts = {.tokens = tokens, .token_count = ARRAY_LEN(tokens)};
    if (expand_text(o->proxy_command, &facts, &out, &fault) != OK) {
        log_error("ProxyCommand: %s", fault.text);
        return NULL;
    }
    return out;
}

/* ---- ProxyJump ---- */

void jump_hop_done(struct jump_hop *hop)
{
    mem_free(hop->user);
    mem_free(hop->host);
    mem_free(hop->port);
    *hop = (struct jump_hop){0};
}

static bool is_port(const char *text)
{
    unsigned long value = 0;
    size_t n = strlen(text);
    if (n == 0 || n > 5 || strspn(text, "0123456789") != n)
        return false;
    for (; *text; text++)
        value = value * 10 + (unsigned long)(*text - '0');
    return value >= 1 && value <= 65535;
}

/* Takes ":port" off the end and the brackets off the host. */
static void split_host(char *text, struct jump_hop *hop)
{
    char *colon = strrchr(text, ':');
    char *bracket = strchr(text, ']');
    bool bare_v6 = !bracket && colon && strchr(text, ':') != colon;
    if (colon && !bare_v6 && (!bracket || colon > bracket)) {
        *colon = '\0';
        hop->port = mem_strdup(colon + 1);
    }
    if (text[0] == '[' && bracket) {
        *bracket = '\0';
        text++;
    }
    hop->host = mem_strdup(text);
}

enum err jump_hop_parse(struct slice text, struct jump_hop *hop)
{
    static const char scheme[] = "ssh://";
    size_t skip = sizeof(scheme) - 1;
    *hop = (struct jump_hop){0};
    if (text.len > skip && memcmp(text.ptr, scheme, skip) == 0) {
        text = slice_of(text.ptr + skip, text.len - skip);
        if (text.ptr[text.len - 1] == '/')
            text.len--;
    }
    CLEANUP(mem_cleanup) char *copy = slice_strdup(text);
    char *at = strrchr(copy, '@');
    if (at) {
        *at = '\0';
        hop->user = mem_strdup(copy);
    }
    split_host(at ? at + 1 : copy, hop);
    if (args_is_safe_name(hop->host) && (!hop->user || args_is_safe_name(hop->user)) &&
        (!hop->port || is_port(hop->port)))
        return OK;
    jump_hop_done(hop);
    return ERR_CONFIG;
}

struct words {
    char *items[ARGUMENTS_MAX];
    size_t count;
};

static void add(struct words *w, const char *text)
{
    CHECK(w->count + 1 < ARGUMENTS_MAX);
    w->items[w->count++] = mem_strdup(text);
}

static void add_value(struct words *w, const char *letter, const char *value)
{
    if (!value)
        return;
    add(w, letter);
    add(w, value);
}

static void words_done(struct words *w)
{
    for (size_t i = 0; i < w->count; i++)
        mem_free(w->items[i]);
}

/* adit -W [host]:port through the last hop; the hops before it are that adit's own ProxyJump. */
static void jump_words(const struct proxy_request *q, const struct jump_hop *hop,
                       const char *before, struct words *w)
{
    const struct args *args = q->args;
    const struct client_options *o = q->options;
    CLEANUP(mem_cleanup) char *target = mem_printf("[%s]:%u", o->host_name, o->port);
    add(w, "adit");
    add_value(w, "-F", args->config_file);
    for (unsigned i = 0; i < args->verbose; i++)
        add(w, "-v");
    if (args->quiet)
        add(w, "-q");
    add_value(w, "-E", args->log_file);
    add_value(w, "-l", hop->user);
    add_value(w, "-p", hop->port);
    add_value(w, "-J", before);
    if (q->asks_nobody)
        add(w, "-oBatchMode=yes");
    add(w, "-W");
    add(w, target);
    add(w, "--");
    add(w, hop->host);
    w->items[w->count] = NULL;
}

static enum err start_jump(struct child **child, struct loop *l, const struct proxy_request *q,
                           child_exited *exited, void *owner, int *read_fd, int *write_fd)
{
    const char *hops = q->options->proxy_jump;
    const char *comma = strrchr(hops, ',');
    const char *last = comma ? comma + 1 : hops;
    struct jump_hop hop;
    struct words w = {.count = 0};
    if (jump_hop_parse(slice_text(last), &hop) != OK) {
        log_error("ProxyJump: \"%s\" is no [user@]host[:port]", last);
        return ERR_CONFIG;
    }
    CLEANUP(mem_cleanup)
    char *before = comma ? mem_strndup(hops, (size_t)(comma - hops)) : NULL;
    jump_words(q, &hop, before, &w);
    log_debug("Setting implicit ProxyCommand from ProxyJump: adit -W '[%%h]:%%p' %s", last);
    enum err err = run(child, l, SELF, w.items, exited, owner, read_fd, write_fd);
    words_done(&w);
    jump_hop_done(&hop);
    return err;
}

/* ---- either ---- */

/*
 * The user's own configuration names a shell command; it gets the user's shell, as with ssh, which
 * it replaces (exec), so that a signal reaches the program.
 */
struct shell_words {
    char *file, *line;
    char *arguments[4];
};

static enum err shell_words_init(struct shell_words *w, const struct client_options *o)
{
    static char dash_c[] = "-c";
    const char *shell = getenv("SHELL");
    CLEANUP(mem_cleanup) char *command = expand_command(o);
    if (!command)
        return ERR_CONFIG;
    log_debug("Executing proxy command: %s", command);
    w->file = mem_strdup(shell && *shell ? shell : "/bin/sh");
    w->line = mem_printf("exec %s", command);
    w->arguments[0] = w->file;
    w->arguments[1] = dash_c;
    w->arguments[2] = w->line;
    w->arguments[3] = NULL;
    return OK;
}

static void shell_words_done(struct shell_words *w)
{
    mem_free(w->file);
    mem_free(w->line);
}

enum err proxy_start(struct child **child, struct loop *l, const struct proxy_request *q,
                     child_exited *exited, void *owner, int *read_fd, int *write_fd)
{
    struct shell_words w;
    if (is_set(q->options->proxy_jump))
        return start_jump(child, l, q, exited, owner, read_fd, write_fd);
    TRY(shell_words_init(&w, q->options));
    enum err err = run(child, l, w.file, w.arguments, exited, owner, read_fd, write_fd);
    shell_words_done(&w);
    return err;
}

enum err proxy_start_fdpass(struct child **child, struct loop *l, const struct client_options *o,
                            child_exited *exited, void *owner, int *socket)
{
    struct shell_words w;
    int pair[2];
    if (child_socketpair(pair) != OK) {
        log_error("no socket for the proxy");
        return ERR_IO;
    }
    enum err err = shell_words_init(&w, o);
    if (err == OK) {
        err = spawn(child, l, w.file, w.arguments, pair[1], pair[1], exited, owner);
        shell_words_done(&w);
    }
    close(pair[1]);
    if (err == OK)
        *socket = pair[0];
    else
        close(pair[0]);
    return err;
}
