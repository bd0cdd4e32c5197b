/* Reading argv. */
#include "client/args.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "client/proxy.h"

const char args_usage[] =
    "usage: adit [-46AaCfGgMNnqsTtVvxy] [-B bind_interface] [-b bind_address]\n"
    "            [-c cipher_spec] [-D [bind_address:]port] [-E log_file]\n"
    "            [-e escape_char] [-F configfile] [-i identity_file]\n"
    "            [-J destination] [-L address] [-l login_name] [-m mac_spec]\n"
    "            [-O ctl_cmd] [-o option] [-P tag] [-p port] [-Q query_option]\n"
    "            [-R address] [-S ctl_path] [-W host:port]\n"
    "            [-w local_tun[:remote_tun]] destination [command [argument ...]]\n"
    "       adit explain [-L address] [-R address] [-D address] [-W host:port]\n"
    "            [-J destination] [destination]\n";

const char *const args_mux_commands[] = {"check",    "forward",  "exit",  "stop", "cancel",
                                         "conninfo", "channels", "proxy", NULL};

/* Letters that are more or less than an option of the table. */
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
    LETTER_IGNORED,
    LETTER_BACKGROUND,
    LETTER_MASTER,
    LETTER_MUX,
    LETTER_NO_SESSION,
    LETTER_SUBSYSTEM,
    LETTER_TTY,
    LETTER_TUNNEL,
    LETTER_ABSENT, /* refused, with the reason in `text` */
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
    {'M', false, LETTER_MASTER, NULL},
    {'N', false, LETTER_NO_SESSION, NULL},
    {'O', true, LETTER_MUX, NULL},
    {'Q', true, LETTER_QUERY, NULL},
    {'V', false, LETTER_VERSION, NULL},
    {'W', true, LETTER_STDIO, NULL},
    {'f', false, LETTER_BACKGROUND, NULL},
    {'o', true, LETTER_OPTION, NULL},
    {'q', false, LETTER_QUIET, NULL},
    {'s', false, LETTER_SUBSYSTEM, NULL},
    {'t', false, LETTER_TTY, NULL},
    {'v', false, LETTER_VERBOSE, NULL},
    {'w', true, LETTER_TUNNEL, NULL},
    {'y', false, LETTER_SYSLOG, NULL},
    {'2', false, LETTER_IGNORED, NULL}, /* protocol 2: there is no other */
    {'I', true, LETTER_ABSENT, "PKCS#11 (-I) is no part of adit: put the key into an agent"},
    {'K', false, LETTER_ABSENT, "GSSAPI (-K) is no part of adit: log in by key or password"},
    {'X', false, LETTER_ABSENT, "X11 forwarding (-X) is no part of adit: use ssh for that"},
    {'Y', false, LETTER_ABSENT, "X11 forwarding (-Y) is no part of adit: use ssh for that"},
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

/* A letter is said later than what it replaces: a second -b, or -t behind -o RequestTTY. */
static enum err override(struct parse *p, const char *keyword, const char *value)
{
    if (client_options_override(p->options, keyword, value, p->report) != OK)
        return reported(p);
    return OK;
}

static enum err set_stdio(struct parse *p, const char *value)
{
    struct forward_fault fault;
    if (p->args->stdio_host || p->args->mux_command) {
        *p->fault = mem_strdup(p->args->mux_command ? "-W and -O do not go together"
                                                    : "-W can be given only once");
        return ERR_CONFIG;
    }
    if (forward_spec_parse_target(value, &p->args->stdio_host, &p->args->stdio_port, &fault) !=
        OK) {
        *p->fault = mem_printf("-W %s column %u: %s", value, fault.column, fault.text);
        return ERR_CONFIG;
    }
    /* ExitOnForwardFailure and ClearAllForwardings follow at the end of args_parse: -o may say
     * otherwise behind it. */
    TRY(override(p, "RequestTTY", "no"));
    return override(p, "SessionType", "none");
}

static enum err set_session(struct parse *p, enum session_type type)
{
    const struct client_options *o = p->options;
    if (client_options_is_given(o, "SessionType") && o->session_type != type) {
        *p->fault = mem_strdup(type == SESSION_NONE ? "Cannot specify -N with -s/SessionType"
                                                    : "Cannot specify -s with -N/SessionType");
        return ERR_CONFIG;
    }
    if (type == SESSION_NONE)
        TRY(override(p, "RequestTTY", "no"));
    return override(p, "SessionType", type == SESSION_NONE ? "none" : "subsystem");
}

static enum err set_mux(struct parse *p, const char *value)
{
    for (const char *const *name = args_mux_commands; *name; name++) {
        if (strcmp(*name, value) != 0)
            continue;
        if (!p->args->stdio_host && !p->args->mux_command) {
            p->args->mux_command = *name;
            return OK;
        }
        *p->fault = mem_strdup(p->args->stdio_host ? "-W and -O do not go together"
                                                   : "-O can be given only once");
        return ERR_CONFIG;
    }
    *p->fault = mem_strdup("Invalid multiplex command.");
    return ERR_CONFIG;
}

/* -w: the device, and a tunnel of the usual kind unless another was asked for. */
static enum err set_tunnel(struct parse *p, const char *value)
{
    if (!client_options_is_given(p->options, "Tunnel"))
        TRY(override(p, "Tunnel", "point-to-point"));
    return override(p, "TunnelDevice", value);
}

static enum err more_verbose(struct parse *p)
{
    static const char *const names[] = {"DEBUG1", "DEBUG2", "DEBUG3"};
    const struct client_options *o = p->options;
    bool is_debug = client_options_is_given(o, "LogLevel") && o->log_level >= LOG_DEBUG1;
    size_t next = is_debug ? (size_t)(o->log_level - LOG_DEBUG1) + 1 : 0;
    p->args->verbose = (unsigned)MIN(next + 1, ARRAY_LEN(names));
    p->args->quiet = false;
    return override(p, "LogLevel", names[MIN(next, ARRAY_LEN(names) - 1)]);
}

static enum err own_letter(struct parse *p, const struct letter *row, const char *value)
{
    struct args *a = p->args;
    const struct client_options *o = p->options;
    switch (row->kind) {
    case LETTER_CONFIG_FILE:
        a->config_file = value;
        return OK;
    case LETTER_LOG_FILE:
        a->log_file = value;
        return OK;
    case LETTER_OPTION:
        return client_options_set(p->options, value, p->report) == OK ? OK : reported(p);
    case LETTER_PRINT:
        a->print_config = true;
        return OK;
    case LETTER_QUERY:
        a->query = value;
        return OK;
    case LETTER_STDIO:
        return set_stdio(p, value);
    case LETTER_VERBOSE:
        return more_verbose(p);
    case LETTER_QUIET:
        a->quiet = true;
        a->verbose = 0;
        return override(p, "LogLevel", "QUIET");
    case LETTER_VERSION:
        a->show_version = true;
        return OK;
    case LETTER_IGNORED:
        return OK;
    case LETTER_SYSLOG:
        a->log_system = true;
        return OK;
    case LETTER_BACKGROUND:
        TRY(override(p, "ForkAfterAuthentication", "yes"));
        return override(p, "StdinNull", "yes");
    case LETTER_MASTER:
        return override(p, "ControlMaster",
                        client_options_is_given(o, "ControlMaster") &&
                                o->control_master == CONTROL_YES
                            ? "ask"
                            : "yes");
    case LETTER_MUX:
        return set_mux(p, value);
    case LETTER_NO_SESSION:
        return set_session(p, SESSION_NONE);
    case LETTER_SUBSYSTEM:
        return set_session(p, SESSION_SUBSYSTEM);
    case LETTER_TTY:
        return override(p, "RequestTTY",
                        client_options_is_given(o, "RequestTTY") && o->request_tty == TTY_YES
                            ? "force"
                            : "yes");
    case LETTER_TUNNEL:
        return set_tunnel(p, value);
    case LETTER_ABSENT:
        break;
    }
    *p->fault = mem_strdup(row->text);
    return ERR_CONFIG;
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
    if (letter == 'J' && client_options_is_given(p->options, "ProxyCommand")) {
        *p->fault = mem_strdup("Cannot specify -J with ProxyCommand");
        return ERR_CONFIG;
    }
    /* As ssh: a file that is not there does not keep the usual ones from being tried. */
    if (letter == 'i' && value[0] != '~' && access(value, F_OK) != 0) {
        log_info("Warning: Identity file %s not accessible: %s.", ESCAPED(slice_text(value)),
                 strerror(errno));
        return OK;
    }
    if (letter == 'l' && !args_is_safe_user(value)) {
        *p->fault = mem_strdup("remote username contains invalid characters");
        return ERR_CONFIG;
    }
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

bool args_is_safe_user(const char *name)
{
    if (*name == '\0' || *name == '-')
        return false;
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        bool is_blank = c == ' ' && name[1] != '-';
        if ((c <= 0x20 && !is_blank) || c == 0x7f || strchr("'`\";&<>|(){}$", c) != NULL ||
            (c == '\\' && name[1] == '\0'))
            return false;
    }
    return true;
}

static enum err set_user(struct parse *p, const char *user)
{
    if (!args_is_safe_user(user)) {
        *p->fault = mem_strdup("remote username contains invalid characters");
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
    static const char *const implied[] = {"ExitOnForwardFailure=yes", "ClearAllForwardings=yes"};
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
    /* A host of this name is reached as any other where no letter follows it at once. */
    if (argc > 2 && strcmp(argv[1], "explain") == 0 && argv[2][0] == '-') {
        a->explain = true;
        i = 2;
    }
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
    bool is_subsystem = client_options_is_given(options, "SessionType") &&
                        options->session_type == SESSION_SUBSYSTEM;
    if (is_subsystem && a->host && !a->command && !a->mux_command) {
        *fault = mem_strdup("You must specify a subsystem to invoke.");
        return ERR_CONFIG;
    }
    return OK;
}
