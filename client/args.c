/* Reading argv. */
#include "client/args.h"

#include <string.h>

#include "client/proxy.h"

const char args_usage[] =
    "usage: adit [-46fGgNnqTVv] [-b bind_address] [-c cipher_spec] [-D [bind_address:]port]\n"
    "            [-E log_file] [-F configfile] [-i identity_file] [-J destination]\n"
    "            [-L [bind_address:]port:host:hostport] [-l login_name] [-m mac_spec]\n"
    "            [-o option] [-p port] [-Q query_option]\n"
    "            [-R [bind_address:]port:host:hostport] [-W host:port] destination\n";

/* Letters that are no option of the table, and those whose feature is not built yet. */
enum letter_kind {
    LETTER_CONFIG_FILE,
    LETTER_LOG_FILE,
    LETTER_OPTION,
    LETTER_PRINT,
    LETTER_QUERY,
    LETTER_STDIO,
    LETTER_VERBOSE,
    LETTER_QUIET,
    LETTER_VERSION,
    LETTER_SYSLOG,
    LETTER_UNBUILT, /* refused, with the reason in `text` */
};
static const struct letter {
    char letter;
    bool takes_value;
    enum letter_kind kind;
    const char *text;
} letters[] = {
    {'E', true, LETTER_LOG_FILE, NULL},
    {'F', true, LETTER_CONFIG_FILE, NULL},
    {'G', false, LETTER_PRINT, NULL},
    {'Q', true, LETTER_QUERY, NULL},
    {'V', false, LETTER_VERSION, NULL},
    {'W', true, LETTER_STDIO, NULL},
    {'o', true, LETTER_OPTION, NULL},
    {'q', false, LETTER_QUIET, NULL},
    {'v', false, LETTER_VERBOSE, NULL},
    {'y', false, LETTER_SYSLOG, NULL},
    {'A', false, LETTER_UNBUILT, "agent forwarding (-A) is not built yet"},
    {'I', true, LETTER_UNBUILT, "PKCS#11 (-I) is not part of adit"},
    {'K', false, LETTER_UNBUILT, "GSSAPI (-K) is not part of adit"},
    {'M', false, LETTER_UNBUILT, "multiplexing (-M) is not built yet"},
    {'O', true, LETTER_UNBUILT, "multiplexing (-O) is not built yet"},
    {'S', true, LETTER_UNBUILT, "multiplexing (-S) is not built yet"},
    {'X', false, LETTER_UNBUILT, "X11 (-X) is not part of adit"},
    {'Y', false, LETTER_UNBUILT, "X11 (-Y) is not part of adit"},
    {'s', false, LETTER_UNBUILT, "subsystems (-s) are not built yet"},
    {'w', true, LETTER_UNBUILT, "tun devices (-w) are not built yet"},
};

struct parse {
    struct args *args;
    struct client_options *options;
    struct report *report;
    char **fault;
};

void args_done(struct args *a)
{
    mem_free(a->host);
    mem_free(a->stdio_host);
}

static const struct letter *find_letter(char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
        if (letters[i].letter == letter)
            return &letters[i];
    }
    return NULL;
}

/* Whether the letter has a value; false in *known if nobody knows it. */
static bool takes_value(char letter, bool *known)
{
    const struct letter *row = find_letter(letter);
    const char *keyword, *fixed;
    *known = true;
    if (row)
        return row->takes_value;
    *known = option_letter(letter, &keyword, &fixed);
    return *known && fixed == NULL;
}

/* The last error of the report as the fault sentence. */
static enum err reported(struct parse *p)
{
    const struct report_entry *entry = report_error(p->report);
    *p->fault = entry ? report_entry_format(entry) : NULL;
    return ERR_CONFIG;
}

static enum err set_stdio(struct parse *p, const char *value)
{
    struct forward_fault fault;
    if (forward_spec_parse_target(value, &p->args->stdio_host, &p->args->stdio_port, &fault) !=
        OK) {
        *p->fault = mem_printf("-W %s column %u: %s", value, fault.column, fault.text);
        return ERR_CONFIG;
    }
    /* -W implies these unless -o says otherwise; the first value wins, so -o's must come first:
     * args_parse sets them at its end. */
    return OK;
}

static enum err own_letter(struct parse *p, const struct letter *row, const char *value)
{
    struct args *a = p->args;
    switch (row->kind) {
    case LETTER_CONFIG_FILE:
        a->config_file = value;
        break;
    case LETTER_LOG_FILE:
        a->log_file = value;
        break;
    case LETTER_OPTION:
        if (client_options_set(p->options, value, p->report) != OK)
            return reported(p);
        break;
    case LETTER_PRINT:
        a->print_config = true;
        break;
    case LETTER_QUERY:
        a->query = value;
        break;
    case LETTER_STDIO:
        return set_stdio(p, value);
    case LETTER_VERBOSE:
        a->verbose = MIN(a->verbose + 1, 3u);
        break;
    case LETTER_QUIET:
        a->quiet = true;
        break;
    case LETTER_VERSION:
        a->show_version = true;
        break;
    case LETTER_SYSLOG:
        break;
    case LETTER_UNBUILT:
        *p->fault = mem_strdup(row->text);
        return ERR_CONFIG;
    }
    return OK;
}

/* -J from the command line: each hop as careful as the destination. */
static enum err check_jumps(struct parse *p, const char *value)
{
    struct slice rest = slice_text(value);
    while (rest.len && strcmp(value, "none") != 0) {
        const uint8_t *comma = memchr(rest.ptr, ',', rest.len);
        size_t n = comma ? (size_t)(comma - rest.ptr) : rest.len;
        struct jump_hop hop;
        if (jump_hop_parse(slice_of(rest.ptr, n), &hop) != OK) {
            *p->fault = mem_printf("-J %s: a hop is [user@]host[:port]", value);
            return ERR_CONFIG;
        }
        jump_hop_done(&hop);
        size_t taken = comma ? n + 1 : n;
        rest = slice_of(rest.ptr + taken, rest.len - taken);
    }
    return OK;
}

static enum err one_letter(struct parse *p, char letter, const char *value)
{
    const struct letter *row = find_letter(letter);
    if (row)
        return own_letter(p, row, value);
    if (letter == 'J')
        TRY(check_jumps(p, value));
    enum err err = client_options_set_letter(p->options, letter, value, p->report);
    return err == OK ? OK : reported(p);
}

/* One argument of letters: "-fNgR", with the value in the next word or behind the last letter. */
static enum err letter_word(struct parse *p, int argc, char *const *argv, int *i)
{
    for (const char *at = argv[*i] + 1; *at; at++) {
        bool known;
        const char *value = NULL;
        char letter = *at;
        bool wants = takes_value(letter, &known);
        if (!known) {
            *p->fault = mem_printf("unknown option -- %c", letter);
            return ERR_CONFIG;
        }
        if (wants) {
            value = at[1] ? at + 1 : *i + 1 < argc ? argv[++*i] : NULL;
            if (!value) {
                *p->fault = mem_printf("option requires an argument -- %c", letter);
                return ERR_CONFIG;
            }
        }
        TRY(one_letter(p, letter, value));
        if (wants)
            break;
    }
    return OK;
}

/* CVE-2023-51385: names from the command line never carry what a shell or an option would read. */
bool args_is_safe_name(const char *name)
{
    if (*name == '\0' || *name == '-')
        return false;
    for (; *name; name++) {
        if ((unsigned char)*name <= 0x20 || *name == 0x7f || strchr("'`\"$\\;&<>|(){}", *name))
            return false;
    }
    return true;
}

static enum err set_user(struct parse *p, const char *user)
{
    if (!args_is_safe_name(user)) {
        *p->fault = mem_strdup("invalid user name in the destination");
        return ERR_CONFIG;
    }
    if (client_options_set_letter(p->options, 'l', user, p->report) != OK)
        return reported(p);
    return OK;
}

/* "ssh://[user@]host[:port]": the port off the end, brackets off the host. */
static enum err split_uri(struct parse *p, char *host, char **name)
{
    size_t length = strlen(host);
    if (length && host[length - 1] == '/')
        host[--length] = '\0';
    if (strchr(host, '/')) {
        *p->fault = mem_strdup("a destination ssh://... has no path");
        return ERR_CONFIG;
    }
    char *colon = strrchr(host, ':');
    char *bracket = strchr(host, ']');
    if (colon && (!bracket || colon > bracket)) {
        *colon = '\0';
        if (client_options_set_letter(p->options, 'p', colon + 1, p->report) != OK)
            return reported(p);
    }
    if (host[0] == '[' && bracket) {
        *bracket = '\0';
        host++;
    }
    *name = host;
    return OK;
}

static enum err destination(struct parse *p, const char *text)
{
    static const char scheme[] = "ssh://";
    bool is_uri = strncmp(text, scheme, sizeof(scheme) - 1) == 0;
    CLEANUP(mem_cleanup) char *copy = mem_strdup(is_uri ? text + sizeof(scheme) - 1 : text);
    char *at = strrchr(copy, '@');
    char *host = at ? at + 1 : copy;
    if (at) {
        *at = '\0';
        TRY(set_user(p, copy));
    }
    if (is_uri)
        TRY(split_uri(p, host, &host));
    if (!args_is_safe_name(host)) {
        *p->fault = mem_strdup("hostname contains invalid characters");
        return ERR_CONFIG;
    }
    p->args->host = mem_strdup(host);
    return OK;
}

/* What -W implies, unless -o or a letter said otherwise before. */
static enum err imply_stdio(struct parse *p)
{
    static const char *const implied[] = {"ExitOnForwardFailure=yes", "ClearAllForwardings=yes",
                                          "SessionType=none", "RequestTTY=no"};
    for (size_t i = 0; i < ARRAY_LEN(implied); i++) {
        if (client_options_set(p->options, implied[i], p->report) != OK)
            return reported(p);
    }
    return OK;
}

enum err args_parse(struct args *a, struct client_options *options, struct report *report, int argc,
                    char *const *argv, char **fault)
{
    struct parse p = {a, options, report, fault};
    *a = (struct args){0};
    *fault = NULL;
    int i = 1;
    for (; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (argv[i][0] == '-' && argv[i][1]) {
            TRY(letter_word(&p, argc, argv, &i));
        } else if (!a->host) {
            TRY(destination(&p, argv[i]));
        } else {
            break; /* the command begins */
        }
    }
    if (!a->host && i < argc)
        TRY(destination(&p, argv[i++]));
    if (i < argc)
        a->command = argv + i;
    if (a->stdio_host)
        TRY(imply_stdio(&p));
    return OK;
}
