/*
 * Loads the server's file into checked lines and resolves them: first the Match blocks that apply
 * to a connection, whose values win, then the command line's and the global lines.
 */
#include "config/sshd_config.h"

#include <stdio.h>
#include <strings.h>

#include "base/match.h"

#define INCLUDE_DEPTH_MAX 16
#define INCLUDE_FILES_MAX 4096
#define LINES_MAX         1000000u /* of all files together */

enum step_kind {
    STEP_OPTION,
    STEP_MATCH,
    STEP_ENTER, /* an included file begins */
    STEP_LEAVE,
};

struct step {
    enum step_kind kind;
    const struct option_row *row;
    struct line line;
    size_t file; /* index into files */
    unsigned number;
};

struct sshd_config {
    struct string_list files;
    struct step *steps;
    size_t count, size;
};

struct loader {
    struct sshd_config *config;
    const struct config_source *source;
    struct report *report;
};

void server_options_init(struct server_options *o)
{
    *o = (struct server_options){.strict_modes = false};
    option_init(&o->state, OPTION_SERVER);
}

static void listen_addresses_done(struct server_options *o)
{
    for (size_t i = 0; i < o->listen_address_count; i++)
        mem_free(o->listen_addresses[i].host);
    mem_free(o->listen_addresses);
    o->listen_addresses = NULL;
    o->listen_address_count = 0;
}

void server_options_done(struct server_options *o)
{
    listen_addresses_done(o);
    option_done(&o->state);
    server_options_init(o);
}

void sshd_config_free(struct sshd_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->count; i++)
        line_done(&config->steps[i].line);
    mem_free(config->steps);
    string_list_done(&config->files);
    mem_free(config);
}

static enum err fail(struct report *report, const struct place *place, unsigned column,
                     const char *keyword, const char *text)
{
    struct place at = *place;
    at.column = column;
    report_add(report, REPORT_ERROR, &at, keyword, "%s", text);
    return ERR_CONFIG;
}

static void add_step(struct sshd_config *config, struct step step)
{
    if (config->count == config->size) {
        config->size = config->size ? 2 * config->size : 64;
        config->steps = mem_resize(config->steps, config->size, sizeof(config->steps[0]));
    }
    config->steps[config->count++] = step;
}

enum criterion_kind {
    CRITERION_ALL,
    CRITERION_USER,
    CRITERION_HOST,
    CRITERION_ADDRESS,
    CRITERION_LOCAL_ADDRESS,
    CRITERION_LOCAL_PORT,
    CRITERION_INVALID_USER,
    CRITERION_RDOMAIN,
    CRITERION_GROUP,
    CRITERION_VERSION,
};

static const struct {
    const char *name;
    enum criterion_kind kind;
    bool has_value;
} criteria[] = {
    {"All", CRITERION_ALL, false},
    {"User", CRITERION_USER, true},
    {"Host", CRITERION_HOST, true},
    {"Address", CRITERION_ADDRESS, true},
    {"LocalAddress", CRITERION_LOCAL_ADDRESS, true},
    {"LocalPort", CRITERION_LOCAL_PORT, true},
    {"Invalid-User", CRITERION_INVALID_USER, false},
    {"Group", CRITERION_GROUP, true},
    {"RDomain", CRITERION_RDOMAIN, true},
    {"Version", CRITERION_VERSION, true},
};

static bool read_port(const char *text, uint16_t *port)
{
    unsigned value = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 5)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *port = (uint16_t)value;
    return value > 0 && value <= UINT16_MAX;
}

static const struct connection_facts nobody = {.user = NULL};

/* Any group fits the list, and none is negated by it. */
static bool is_in_groups(const struct string_list *groups, const char *list)
{
    bool found = false;
    for (size_t i = 0; groups != NULL && i < groups->count; i++) {
        enum match match = match_list(groups->items[i], list);
        if (match == MATCH_NEGATED)
            return false;
        found = found || match == MATCH_YES;
    }
    return found;
}

/* Whose configuration we read, and who we are. */
static bool is_version(const char *list)
{
    static const char *const names[] = {"OpenSSH_10.5p1", "adit_" ADIT_VERSION};
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        enum match match = match_list(names[i], list);
        if (match == MATCH_NEGATED)
            return false;
        found = found || match == MATCH_YES;
    }
    return found;
}

/* ERR_FORMAT: the value itself is bad, whoever connects. */
static enum err meets(enum criterion_kind kind, const char *value,
                      const struct connection_facts *facts, bool *is_met)
{
    enum match found = MATCH_NO;
    uint16_t port = 0;
    *is_met = false;
    switch (kind) {
    case CRITERION_ALL:
        *is_met = true;
        return OK;
    case CRITERION_USER:
        *is_met = facts->user != NULL && match_list(facts->user, value) == MATCH_YES;
        return OK;
    case CRITERION_HOST:
        *is_met = facts->host != NULL && match_list_folded(facts->host, value) == MATCH_YES;
        return OK;
    case CRITERION_ADDRESS:
        TRY(match_address_list(facts->address, value, &found));
        *is_met = found == MATCH_YES;
        return OK;
    case CRITERION_LOCAL_ADDRESS:
        TRY(match_address_list(facts->local_address, value, &found));
        *is_met = found == MATCH_YES;
        return OK;
    case CRITERION_LOCAL_PORT:
        if (!read_port(value, &port))
            return ERR_FORMAT;
        *is_met = port == facts->local_port;
        return OK;
    case CRITERION_INVALID_USER:
        *is_met = facts->is_invalid_user;
        return OK;
    case CRITERION_RDOMAIN:
        *is_met = facts->rdomain != NULL && match_list(facts->rdomain, value) == MATCH_YES;
        return OK;
    case CRITERION_GROUP:
        *is_met = !facts->is_invalid_user && is_in_groups(facts->groups, value);
        return OK;
    case CRITERION_VERSION:
        *is_met = is_version(value);
        return OK;
    }
    return ERR_BUG;
}

/* One criterion of a Match line; moves *index behind it. */
static enum err read_criterion(const struct line *line, const struct place *place, size_t *index,
                               const struct connection_facts *facts, bool *matches,
                               struct report *report)
{
    const struct word *word = &line->words[(*index)++];
    const char *equals = strchr(word->text, '=');
    size_t name_len = equals ? (size_t)(equals - word->text) : strlen(word->text);
    size_t i = 0;
    while (i < ARRAY_LEN(criteria) && (strncasecmp(criteria[i].name, word->text, name_len) != 0 ||
                                       criteria[i].name[name_len] != '\0'))
        i++;
    if (i == ARRAY_LEN(criteria) || (equals != NULL && !criteria[i].has_value))
        return fail(report, place, word->column, "Match",
                    "unknown Match criterion; known are All, User, Group, Host, Address, "
                    "LocalAddress, LocalPort, RDomain, Version, Invalid-User");
    const char *value = equals ? equals + 1 : NULL;
    if (criteria[i].has_value && value == NULL && *index < line->count)
        value = line->words[(*index)++].text;
    if (criteria[i].has_value && (value == NULL || value[0] == '\0'))
        return fail(report, place, word->column, "Match", "the Match criterion has no value");
    if (criteria[i].kind == CRITERION_ALL && line->count != 1)
        return fail(report, place, word->column, "Match", "Match All stands alone");
    bool is_met;
    enum err result = meets(criteria[i].kind, value, facts, &is_met);
    if (result == OK) {
        *matches = *matches && is_met;
        return OK;
    }
    struct escaped room;
    char *text CLEANUP(mem_cleanup) =
        mem_printf("bad value \"%s\" of Match %s", log_escape(room.text, 120, slice_text(value)),
                   criteria[i].name);
    return fail(report, place, word->column, "Match", text);
}

static enum err read_match(const struct line *line, const struct place *place,
                           const struct connection_facts *facts, bool *matches,
                           struct report *report)
{
    *matches = true;
    if (line->count == 0)
        return fail(report, place, line->keyword_column, "Match", "Match has no criterion");
    for (size_t index = 0; index < line->count;)
        TRY(read_criterion(line, place, &index, facts, matches, report));
    return OK;
}

/*
 * Where a line stands. "Match All" and a "Match Version" that fits depend on nobody: behind them it
 * is as if the block before had ended, unless the whole file is included into a block.
 */
struct block {
    bool is_outer; /* the file is included from within a block that depends on who connects */
    bool is_now;   /* and so does this line */
};

static enum err load_file(struct loader *l, const char *path, unsigned depth, bool is_in_match);

static enum err load_include(struct loader *l, const struct line *line, const struct place *place,
                             unsigned depth, bool is_in_match)
{
    if (line->count == 0)
        return fail(l->report, place, line->keyword_column, "Include", "Include has no file");
    for (size_t i = 0; i < line->count; i++) {
        const struct word *word = &line->words[i];
        if (depth == INCLUDE_DEPTH_MAX)
            return fail(l->report, place, word->column, "Include", "Include is nested too deeply");
        char *pattern CLEANUP(mem_cleanup) =
            word->text[0] == '/' ? mem_strdup(word->text) : mem_printf("/etc/ssh/%s", word->text);
        struct string_list paths;
        string_list_init(&paths);
        enum err result = l->source->glob(l->source->arg, pattern, &paths);
        if (result != OK)
            result = fail(l->report, place, word->column, "Include", "cannot look for the files");
        for (size_t j = 0; result == OK && j < paths.count; j++) {
            add_step(l->config, (struct step){.kind = STEP_ENTER});
            result = load_file(l, paths.items[j], depth + 1, is_in_match);
            add_step(l->config, (struct step){.kind = STEP_LEAVE});
        }
        string_list_done(&paths);
        TRY(result);
    }
    return OK;
}

static enum err check_option(struct loader *l, const struct line *line, const struct place *place,
                             bool is_in_match, const struct option_row **found)
{
    const struct option_row *row = option_find(OPTION_SERVER, line->keyword);
    struct escaped room;
    *found = row;
    if (row == NULL) {
        const char *nearest = option_nearest(OPTION_SERVER, line->keyword);
        char *text CLEANUP(mem_cleanup) = mem_printf(
            "unknown keyword \"%s\"%s%s%s", log_escape(room.text, 100, slice_text(line->keyword)),
            nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
        return fail(l->report, place, line->keyword_column, NULL, text);
    }
    if (is_in_match && !(row->flags & OPTION_MATCHABLE)) {
        char *text CLEANUP(mem_cleanup) = mem_printf("%s cannot stand in a Match block", row->name);
        return fail(l->report, place, line->keyword_column, row->name, text);
    }
    return option_parse(NULL, OPTION_SERVER, row, line, place, l->report);
}

/* Checks a line and keeps it; the line is owned by the step afterwards, or released. */
static enum err load_line(struct loader *l, struct line *line, size_t file, unsigned number,
                          unsigned depth, struct block *block)
{
    struct place place = {l->config->files.items[file], number, 0};
    struct step step = {.kind = STEP_OPTION, .line = *line, .file = file, .number = number};
    enum err result;
    bool is_always;
    if (l->config->count >= LINES_MAX) {
        result = fail(l->report, &place, 0, NULL, "the configuration has too many lines");
    } else if (strcasecmp(line->keyword, "Include") == 0) {
        result = load_include(l, line, &place, depth, block->is_now);
        line_done(line);
        return result;
    } else if (strcasecmp(line->keyword, "Match") == 0) {
        step.kind = STEP_MATCH;
        result = read_match(line, &place, &nobody, &is_always, l->report);
        block->is_now = block->is_outer || !is_always;
    } else {
        result = check_option(l, line, &place, block->is_now, &step.row);
    }
    if (result == OK)
        add_step(l->config, step);
    else
        line_done(line);
    return result;
}

static enum err load_text(struct loader *l, struct slice text, size_t file, unsigned depth,
                          bool is_in_match)
{
    struct place place = {l->config->files.items[file], 0, 0};
    struct block block = {is_in_match, is_in_match};
    struct slice rest;
    while (lexer_next_line(&text, &rest)) {
        struct line line;
        struct lexer_fault fault;
        place.line++;
        if (lexer_split(rest, &line, &fault) != OK) {
            place.file = l->config->files.items[file];
            return fail(l->report, &place, fault.column, NULL, fault.text);
        }
        if (line.keyword != NULL)
            TRY(load_line(l, &line, file, place.line, depth, &block));
    }
    return OK;
}

static enum err load_file(struct loader *l, const char *path, unsigned depth, bool is_in_match)
{
    struct place place = {path, 0, 0};
    struct buf text;
    size_t file = l->config->files.count;
    if (file > INCLUDE_FILES_MAX)
        return fail(l->report, &place, 0, "Include", "too many files are included");
    string_list_add(&l->config->files, path);
    buf_init(&text, CONFIG_FILE_MAX);
    enum err result = l->source->read(l->source->arg, path, &text);
    if (result == OK)
        result = load_text(l, buf_slice(&text), file, depth, is_in_match);
    else if (result == ERR_NOT_FOUND)
        result = fail(l->report, &place, 0, NULL, "there is no such file");
    else if (result == ERR_DENIED)
        result = fail(l->report, &place, 0, NULL, "bad owner or permissions");
    else if (result == ERR_LIMIT)
        result = fail(l->report, &place, 0, NULL, "the file is too large");
    else
        result = fail(l->report, &place, 0, NULL, "cannot read the file");
    buf_done(&text);
    return result;
}

static enum err load_assignments(struct loader *l, const struct string_list *assignments)
{
    struct place place = {"command line", 0, 0};
    struct block block = {false, false};
    string_list_add(&l->config->files, place.file);
    for (size_t i = 0; assignments != NULL && i < assignments->count; i++) {
        struct line line;
        struct lexer_fault fault;
        if (lexer_split(slice_text(assignments->items[i]), &line, &fault) != OK)
            return fail(l->report, &place, fault.column, NULL, fault.text);
        if (line.keyword == NULL)
            return fail(l->report, &place, 0, NULL, "-o wants keyword=value");
        if (strcasecmp(line.keyword, "Match") == 0 || strcasecmp(line.keyword, "Include") == 0) {
            line_done(&line);
            return fail(l->report, &place, 0, NULL, "-o takes neither Match nor Include");
        }
        TRY(load_line(l, &line, 0, 0, 0, &block));
    }
    return OK;
}

enum err sshd_config_load(const struct server_config_request *request, struct sshd_config **config,
                          struct report *report)
{
    struct loader l = {NEW(struct sshd_config), request->source, report};
    string_list_init(&l.config->files);
    *config = NULL;
    enum err result = load_assignments(&l, request->assignments);
    if (result == OK && request->file != NULL)
        result = load_file(&l, request->file, 0, false);
    if (result != OK) {
        sshd_config_free(l.config);
        return result;
    }
    *config = l.config;
    return OK;
}

enum mode {
    MODE_GLOBAL,
    MODE_ALWAYS,  /* a block that holds for everybody: global, and before the global lines, too */
    MODE_APPLIES, /* to this connection */
    MODE_SKIPPED,
};

static enum err enter_match(const struct step *step, const struct place *place,
                            const struct connection_facts *facts, enum mode outer, enum mode *mode,
                            struct report *scratch)
{
    bool is_always, matches = false;
    TRY(read_match(&step->line, place, &nobody, &is_always, scratch));
    if (facts != NULL)
        TRY(read_match(&step->line, place, facts, &matches, scratch));
    if (outer == MODE_SKIPPED)
        *mode = MODE_SKIPPED;
    else if (is_always)
        *mode = outer == MODE_GLOBAL ? MODE_ALWAYS : outer;
    else
        *mode = matches ? MODE_APPLIES : MODE_SKIPPED;
    return OK;
}

static bool is_wanted(enum mode mode, enum mode wanted, const struct option_row *row)
{
    if (mode == MODE_ALWAYS)
        return wanted == MODE_GLOBAL || (row->flags & OPTION_MATCHABLE);
    return mode == wanted;
}

/* Reads the lines of one mode (MODE_GLOBAL or MODE_APPLIES) into o. */
static enum err walk(const struct sshd_config *config, enum mode wanted,
                     const struct connection_facts *facts, struct server_options *o,
                     struct report *scratch)
{
    enum mode outer[INCLUDE_DEPTH_MAX + 2]; /* the mode when each open file began */
    size_t depth = 0;
    enum mode mode = MODE_GLOBAL;
    outer[0] = MODE_GLOBAL;
    for (size_t i = 0; i < config->count; i++) {
        const struct step *step = &config->steps[i];
        struct place place = {config->files.items[step->file], step->number, 0};
        switch (step->kind) {
        case STEP_ENTER:
            CHECK(depth + 1 < ARRAY_LEN(outer));
            outer[++depth] = mode;
            break;
        case STEP_LEAVE:
            mode = outer[depth--];
            break;
        case STEP_MATCH:
            TRY(enter_match(step, &place, facts, outer[depth], &mode, scratch));
            break;
        case STEP_OPTION:
            if (is_wanted(mode, wanted, step->row))
                TRY(option_parse(&o->state, OPTION_SERVER, step->row, &step->line, &place,
                                 scratch));
            break;
        }
    }
    return OK;
}

static void add_listen(struct server_options *o, const char *host, uint16_t port)
{
    for (size_t i = 0; i < o->listen_address_count; i++) {
        const struct listen_address *a = &o->listen_addresses[i];
        bool is_same_host =
            host == NULL || a->host == NULL ? host == a->host : strcmp(host, a->host) == 0;
        if (is_same_host && a->port == port)
            return;
    }
    o->listen_addresses = mem_resize(o->listen_addresses, o->listen_address_count + 1,
                                     sizeof(o->listen_addresses[0]));
    o->listen_addresses[o->listen_address_count++] =
        (struct listen_address){host ? mem_strdup(host) : NULL, port};
}

/* Splits "host", "host:port", "[v6]:port" or a bare IPv6 address; port 0 if there is none. */
static char *split_listen(const char *text, uint16_t *port)
{
    const char *colon = text[0] == '[' ? strstr(text, "]:") : strrchr(text, ':');
    *port = 0;
    if (match_is_address(text))
        return mem_strdup(text);
    if (text[0] == '[') {
        if (colon != NULL)
            CHECK(read_port(colon + 2, port)); /* checked when it was loaded */
        return mem_strndup(text + 1, (size_t)(strchr(text, ']') - text - 1));
    }
    if (colon == NULL)
        return mem_strdup(text);
    CHECK(read_port(colon + 1, port));
    return mem_strndup(text, (size_t)(colon - text));
}

static void make_listen_addresses(struct server_options *o)
{
    listen_addresses_done(o);
    for (size_t i = 0; i < o->listen_texts.count; i++) {
        uint16_t port;
        char *host CLEANUP(mem_cleanup) = split_listen(o->listen_texts.items[i], &port);
        if (port != 0)
            add_listen(o, host, port);
        for (size_t j = 0; port == 0 && j < o->ports.count; j++)
            add_listen(o, host, o->ports.items[j]);
    }
    for (size_t j = 0; o->listen_texts.count == 0 && j < o->ports.count; j++)
        add_listen(o, NULL, o->ports.items[j]);
}

enum err sshd_config_resolve(const struct sshd_config *config, const struct connection_facts *facts,
                             struct server_options *o, struct report *report)
{
    struct report scratch; /* notes came when it was loaded */
    report_init(&scratch);
    enum err result = OK;
    if (facts != NULL)
        result = walk(config, MODE_APPLIES, facts, o, &scratch);
    option_freeze(&o->state);
    if (result == OK)
        result = walk(config, MODE_GLOBAL, facts, o, &scratch);
    if (result == OK) {
        option_set_defaults(&o->state);
        make_listen_addresses(o);
    } else {
        const struct report_entry *error = report_error(&scratch);
        report_add(report, REPORT_ERROR, NULL, NULL, "%s",
                   error ? error->text : "the configuration cannot be resolved");
    }
    report_done(&scratch);
    return result;
}

/* True if USER or USER@HOST fits. What is not known about the host counts as if_unknown. */
static bool is_user_in(const char *pattern, const struct connection_facts *who, bool if_unknown)
{
    const char *at = strrchr(pattern, '@');
    char *user CLEANUP(mem_cleanup) =
        at ? mem_strndup(pattern, (size_t)(at - pattern)) : mem_strdup(pattern);
    if (!match_is_pattern(who->user, user))
        return false;
    if (at == NULL)
        return true;
    if (who->address == NULL)
        return if_unknown;
    enum match by_address;
    if (match_address_list(who->address, at + 1, &by_address) != OK)
        return if_unknown;
    enum match by_name = who->host ? match_list_folded(who->host, at + 1) : MATCH_NO;
    if (by_address == MATCH_NEGATED || by_name == MATCH_NEGATED)
        return false;
    return by_address == MATCH_YES || by_name == MATCH_YES;
}

static bool is_any_group_in(const struct string_list *patterns, const struct string_list *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        for (size_t j = 0; j < patterns->count; j++) {
            if (match_is_pattern(groups->items[i], patterns->items[j]))
                return true;
        }
    }
    return false;
}

/* Whoever is in no group at all is refused by either list, as in OpenSSH. */
static bool may_by_group(const struct server_options *o, const struct connection_facts *who)
{
    if (o->allow_groups.count == 0 && o->deny_groups.count == 0)
        return true;
    if (who->groups == NULL || who->groups->count == 0 ||
        is_any_group_in(&o->deny_groups, who->groups))
        return false;
    return o->allow_groups.count == 0 || is_any_group_in(&o->allow_groups, who->groups);
}

bool server_options_may_log_in(const struct server_options *o, const struct connection_facts *who)
{
    if (who->user == NULL || o->refuse_connection)
        return false;
    for (size_t i = 0; i < o->deny_users.count; i++) {
        if (is_user_in(o->deny_users.items[i], who, true))
            return false;
    }
    for (size_t i = 0; i < o->allow_users.count; i++) {
        if (is_user_in(o->allow_users.items[i], who, false))
            return may_by_group(o, who);
    }
    if (o->allow_users.count != 0)
        return false;
    return may_by_group(o, who);
}

static enum err print_listen(const char *host, uint16_t port, struct buf *out)
{
    bool is_v6 = strchr(host, ':') != NULL;
    char *text CLEANUP(mem_cleanup) = mem_printf("listenaddress %s%s%s:%u\n", is_v6 ? "[" : "",
                                                 host, is_v6 ? "]" : "", (unsigned)port);
    return buf_append(out, text, strlen(text));
}

static enum err print_listen_addresses(const struct server_options *o, struct buf *out)
{
    for (size_t i = 0; i < o->listen_address_count; i++) {
        const struct listen_address *a = &o->listen_addresses[i];
        if (a->host != NULL)
            TRY(print_listen(a->host, a->port, out));
        if (a->host == NULL && o->address_family != FAMILY_INET)
            TRY(print_listen("::", a->port, out));
        if (a->host == NULL && o->address_family != FAMILY_INET6)
            TRY(print_listen("0.0.0.0", a->port, out));
    }
    return OK;
}

static enum err print_rows(const struct server_options *o, bool only_given, struct buf *out)
{
    size_t count;
    const struct option_row *rows = option_rows(OPTION_SERVER, &count);
    for (size_t i = 0; i < count; i++) {
        if (only_given && !o->state.is_set[i])
            continue;
        if (rows[i].type == OPTION_LISTEN)
            TRY(print_listen_addresses(o, out));
        else
            TRY(option_print(&o->state, &rows[i], out));
    }
    return OK;
}

enum err server_options_print(const struct server_options *o, struct buf *out)
{
    return print_rows(o, false, out);
}

enum err server_options_print_given(const struct server_options *o, struct buf *out)
{
    return print_rows(o, true, out);
}
