/*
 * Reads the client's files: which lines apply to this host and user, in which order, and what
 * Include brings in. How a value is read is the option table's affair.
 */
#include "config/ssh_config.h"

#include <strings.h>

#include "base/match.h"
#include "config/canonical.h"
#include "config/ssh_match.h"

#define INCLUDE_DEPTH_MAX 16
#define INCLUDE_FILES_MAX 4096 /* in one run, so that files that include each other widely end */
#define PRINT_HOST_MAX    1024

struct reader {
    struct client_options *o;
    const struct client_config_request *request;
    struct report *report;
    struct report scratch; /* what lines that do not apply have to say */
    bool is_user_file;     /* the file on the command line or ~/.ssh/config, and what it includes */
    struct match_question question;
    unsigned files;
};

void client_options_init(struct client_options *o)
{
    *o = (struct client_options){.port = 0};
    option_init(&o->state, OPTION_CLIENT);
}

void client_options_done(struct client_options *o)
{
    option_done(&o->state);
    mem_free(o->host);
    client_options_init(o);
}

bool client_options_is_given(const struct client_options *o, const char *keyword)
{
    return option_is_given(&o->state, keyword);
}

static enum err fail(struct report *report, const struct place *place, unsigned column,
                     const char *keyword, const char *text)
{
    struct place at = *place;
    at.column = column;
    report_add(report, REPORT_ERROR, &at, keyword, "%s", text);
    return ERR_CONFIG;
}

static enum err fail_unknown(const struct line *line, const struct place *place,
                             struct report *report)
{
    struct escaped room;
    const char *nearest = option_nearest(OPTION_CLIENT, line->keyword);
    char *text CLEANUP(mem_cleanup) = mem_printf(
        "unknown keyword \"%s\"%s%s%s", log_escape(room.text, 100, slice_text(line->keyword)),
        nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    return fail(report, place, line->keyword_column, NULL, text);
}

/* A line that is neither Host, Match nor Include. state NULL: it does not apply, only check it. */
static enum err read_option(struct client_options *o, bool applies, const struct line *line,
                            const struct place *place, struct report *report)
{
    const struct option_row *row = option_find(OPTION_CLIENT, line->keyword);
    if (row == NULL && o->ignore_unknown != NULL &&
        match_list_folded(line->keyword, o->ignore_unknown) == MATCH_YES)
        return OK;
    if (row == NULL)
        return fail_unknown(line, place, report);
    return option_parse(applies ? &o->state : NULL, OPTION_CLIENT, row, line, place, report);
}

enum err client_options_set(struct client_options *o, const char *assignment, struct report *report)
{
    struct place place = {"command line", 0, 0};
    struct line line;
    struct lexer_fault fault;
    if (lexer_split(slice_text(assignment), &line, &fault) != OK)
        return fail(report, &place, fault.column, NULL, fault.text);
    enum err result = line.keyword == NULL ? fail(report, &place, 0, NULL, "-o wants keyword=value")
                                           : read_option(o, true, &line, &place, report);
    line_done(&line);
    return result;
}

/* One word as it stands: the shell has taken its quotes away already. */
static enum err set_word(struct client_options *o, const char *keyword, const char *value,
                         struct report *report)
{
    struct place place = {"command line", 0, 0};
    const struct option_row *row = option_find(OPTION_CLIENT, keyword);
    CHECK(row != NULL);
    struct word word = {mem_strdup(value), 1};
    struct line line = {.words = &word, .count = 1, .rest = word.text, .rest_column = 1};
    enum err result = option_parse(&o->state, OPTION_CLIENT, row, &line, &place, report);
    mem_free(word.text);
    return result;
}

enum err client_options_override(struct client_options *o, const char *keyword, const char *value,
                                 struct report *report)
{
    option_unset(&o->state, keyword);
    return set_word(o, keyword, value, report);
}

enum err client_options_set_letter(struct client_options *o, char letter, const char *argument,
                                   struct report *report)
{
    const char *keyword, *fixed;
    if (!option_letter(letter, &keyword, &fixed))
        return ERR_NOT_FOUND;
    CHECK(fixed != NULL || argument != NULL);
    if (letter == 'l' && !option_is_given(&o->state, keyword))
        o->is_user_typed = true;
    /* ssh(1) has the last of these letters win, but for the few whose option names a list. */
    if (strchr("DiJLlPpR", letter) == NULL)
        option_unset(&o->state, keyword);
    return set_word(o, keyword, fixed ? fixed : argument, report);
}

/* HostName with %h and %% put in; any other '%' stays, as in fe80::1%eth0. The caller owns it. */
static char *expand_host_name(const char *host_name, const char *host)
{
    char *out = mem_strdup("");
    for (const char *c = host_name; *c != '\0';) {
        size_t plain = strcspn(c, "%");
        bool is_host = plain == 0 && c[1] == 'h';
        bool is_percent = plain == 0 && c[1] == '%';
        char *piece CLEANUP(mem_cleanup) = is_host ? mem_strdup(host)
                                           : plain ? mem_strndup(c, plain)
                                                   : mem_strdup("%");
        char *longer = mem_printf("%s%s", out, piece);
        mem_free(out);
        out = longer;
        c += plain ? plain : is_host || is_percent ? 2u : 1u;
    }
    return out;
}

char *client_options_host_name(const struct client_options *o)
{
    const char *host = o->host ? o->host : "";
    return o->host_name && !o->is_host_name_final ? expand_host_name(o->host_name, host)
                                                  : mem_strdup(o->host_name ? o->host_name : host);
}

static enum err read_host_line(const struct reader *r, const struct line *line,
                               const struct place *place, bool *matches)
{
    *matches = false;
    if (line->count == 0)
        return fail(r->report, place, line->keyword_column, "Host", "Host has no pattern");
    char *host CLEANUP(mem_cleanup) =
        r->question.is_final_pass ? client_options_host_name(r->o) : mem_strdup(r->request->host);
    for (size_t i = 0; i < line->count; i++) {
        const char *pattern = line->words[i].text;
        bool is_negated = pattern[0] == '!';
        /* Case counts, as in ssh, though not for Match host. */
        if (!match_is_pattern(host, pattern + (is_negated ? 1 : 0)))
            continue;
        *matches = !is_negated;
        if (is_negated)
            return OK;
    }
    return OK;
}

static enum err read_file(struct reader *r, const char *path, unsigned depth, bool is_active,
                          bool must_exist);

static char *bad_include(const struct reader *r, const struct place *place, unsigned column,
                         const char *text)
{
    (void)fail(r->report, place, column, "Include", text);
    return NULL;
}

/* The pattern of an Include as an absolute path; NULL with an entry in report. */
static char *include_pattern(const struct reader *r, const char *given, const struct place *place,
                             unsigned column)
{
    const struct client_config_request *q = r->request;
    char *text CLEANUP(mem_cleanup) = NULL;
    struct expand_fault fault;
    bool is_bare = q->facts == NULL || (given[0] == '~' && !r->is_user_file);
    if (is_bare)
        text = mem_strdup(given);
    else if (client_token_expand(r->o, q->facts, CLIENT_EXPAND_PATH, NULL, 0, given, &text,
                                 &fault) != OK)
        return bad_include(r, place, column, fault.text);
    if (text[0] == '/')
        return mem_strdup(text);
    if (!r->is_user_file && text[0] != '~')
        return mem_printf("/etc/ssh/%s", text);
    if (q->home == NULL || !r->is_user_file || (text[0] == '~' && text[1] != '/'))
        return bad_include(r, place, column,
                           "bad Include: expected an absolute path, or in a user's file ~/ or a "
                           "path below ~/.ssh");
    return text[0] == '~' ? mem_printf("%s%s", q->home, text + 1)
                          : mem_printf("%s/.ssh/%s", q->home, text);
}

static enum err read_include(struct reader *r, const struct line *line, const struct place *place,
                             unsigned depth, bool is_active)
{
    if (line->count == 0)
        return fail(r->report, place, line->keyword_column, "Include", "Include has no file");
    for (size_t i = 0; i < line->count; i++) {
        const struct word *word = &line->words[i];
        char *pattern CLEANUP(mem_cleanup) = include_pattern(r, word->text, place, word->column);
        if (pattern == NULL)
            return ERR_CONFIG;
        if (depth == INCLUDE_DEPTH_MAX)
            return fail(r->report, place, word->column, "Include", "Include is nested too deeply");
        struct string_list paths;
        string_list_init(&paths);
        enum err result = r->request->source->glob(r->request->source->arg, pattern, &paths);
        if (result != OK)
            result = fail(r->report, place, word->column, "Include", "cannot look for the files");
        for (size_t j = 0; result == OK && j < paths.count; j++)
            result = read_file(r, paths.items[j], depth + 1, is_active, false);
        string_list_done(&paths);
        TRY(result);
    }
    return OK;
}

static enum err read_line(struct reader *r, const struct line *line, const struct place *place,
                          unsigned depth, bool is_outer_active, bool *is_active)
{
    bool matches;
    const struct option_row *row = option_find(OPTION_CLIENT, line->keyword);
    const char *block = row != NULL && row->type == OPTION_BLOCK ? row->name : "";
    if (strcmp(block, "Host") == 0) {
        TRY(read_host_line(r, line, place, &matches));
        *is_active = is_outer_active && matches;
        return OK;
    }
    if (strcmp(block, "Match") == 0)
        return ssh_match_line(&r->question, line, place, is_outer_active, is_active);
    if (strcmp(block, "Include") == 0)
        return read_include(r, line, place, depth, *is_active);
    /* Notes come once, and for lines that apply; errors always. */
    struct report *report = *is_active && !r->question.is_final_pass ? r->report : &r->scratch;
    enum err result = read_option(r->o, *is_active, line, place, report);
    if (result != OK && report == &r->scratch) {
        const struct report_entry *error = report_error(report);
        struct place at = {error->file, error->line, error->column};
        report_add(r->report, REPORT_ERROR, &at, error->keyword, "%s", error->text);
    }
    return result;
}

static enum err read_text(struct reader *r, const char *path, struct slice text, unsigned depth,
                          bool is_outer_active)
{
    bool is_active = is_outer_active;
    struct place place = {path, 0, 0};
    struct slice rest;
    while (lexer_next_line(&text, &rest)) {
        struct line line;
        struct lexer_fault fault;
        place.line++;
        if (lexer_split(rest, &line, &fault) != OK)
            return fail(r->report, &place, fault.column, NULL, fault.text);
        enum err result = line.keyword == NULL
                              ? OK
                              : read_line(r, &line, &place, depth, is_outer_active, &is_active);
        line_done(&line);
        TRY(result);
    }
    return OK;
}

static enum err read_file(struct reader *r, const char *path, unsigned depth, bool is_active,
                          bool must_exist)
{
    struct place place = {path, 0, 0};
    struct buf text;
    if (++r->files > INCLUDE_FILES_MAX)
        return fail(r->report, &place, 0, "Include", "too many files are included");
    buf_init(&text, CONFIG_FILE_MAX);
    enum err result = r->request->source->read(r->request->source->arg, path, &text);
    if (result == OK)
        result = read_text(r, path, buf_slice(&text), depth, is_active);
    else if (result == ERR_NOT_FOUND && !must_exist)
        result = OK;
    else if (result == ERR_DENIED)
        result = fail(r->report, &place, 0, NULL, "bad owner or permissions");
    else if (result == ERR_LIMIT)
        result = fail(r->report, &place, 0, NULL, "the file is too large");
    else
        result = fail(r->report, &place, 0, NULL,
                      result == ERR_NOT_FOUND ? "there is no such file" : "cannot read the file");
    buf_done(&text);
    return result;
}

static enum err read_files(struct reader *r)
{
    const struct client_config_request *q = r->request;
    if (q->user_file != NULL) {
        r->is_user_file = true;
        TRY(read_file(r, q->user_file, 0, true, q->must_exist));
    }
    if (q->system_file != NULL) {
        r->is_user_file = false;
        TRY(read_file(r, q->system_file, 0, true, false));
    }
    return OK;
}

static void lower_text(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text + ('a' - 'A'));
    }
}

/* "ssh://a/,ssh://b" -> "a,b", as ssh -G shows it. */
static void strip_schemes(char *hops)
{
    static const char scheme[] = "ssh://";
    size_t n = sizeof(scheme) - 1;
    char *to = hops;
    for (const char *from = hops; from && *from;) {
        bool at_start = from == hops || from[-1] == ',';
        bool at_end = *from == '/' && (from[1] == ',' || from[1] == '\0');
        if (at_start && strncmp(from, scheme, n) == 0)
            from += n;
        else if (at_end)
            from++;
        else
            *to++ = *from++;
    }
    if (hops)
        *to = '\0';
}

static enum err finish(struct client_options *o, const struct client_config_request *request,
                       struct report *report)
{
    bool has_own_known_hosts = option_is_given(&o->state, "UserKnownHostsFile");
    if (o->user == NULL)
        o->user = mem_strdup(request->local_user);
    option_set_defaults(&o->state);
    strip_schemes(o->proxy_jump);
    /* ssh_config(5): off by default where UserKnownHostsFile or VerifyHostKeyDNS was changed. */
    if ((has_own_known_hosts || o->verify_host_key_dns != ANSWER_NO) &&
        !option_is_given(&o->state, "UpdateHostKeys"))
        o->update_host_keys = ANSWER_NO;
    if (o->clear_all_forwardings) {
        forward_list_done(&o->local_forwards);
        forward_list_done(&o->remote_forwards);
        forward_list_done(&o->dynamic_forwards);
    }
    return request->facts ? client_options_expand(o, request->facts, report) : OK;
}

/* After the first pass: HostName is what it will be, but for its canonical form. */
static enum err settle_host_name(const struct reader *r)
{
    struct client_options *o = r->o;
    const struct client_world *world = r->request->world;
    char *name = client_options_host_name(o);
    if (!match_is_address(name))
        lower_text(name);
    if (world && name[0] != '\0') {
        char *typed CLEANUP(mem_cleanup) = name;
        TRY(canonical_name(o, world, typed, &name, r->report));
    }
    option_unset(&o->state, "HostName");
    o->host_name = name;
    o->is_host_name_final = true;
    option_mark_given(&o->state, "HostName");
    return OK;
}

static enum err read_all(struct reader *r)
{
    TRY(read_files(r));
    TRY(settle_host_name(r));
    if (!r->question.wants_final_pass && (!option_is_given(&r->o->state, "CanonicalizeHostname") ||
                                          r->o->canonicalize_hostname == CANONICALIZE_NO))
        return OK;
    r->question.is_final_pass = true;
    r->files = 0;
    return read_files(r);
}

enum err client_options_load(struct client_options *o, const struct client_config_request *request,
                             struct report *report)
{
    struct reader r = {.o = o,
                       .request = request,
                       .report = report,
                       .question = {.o = o, .request = request, .report = report}};
    report_init(&r.scratch);
    mem_free(o->host);
    o->host = mem_strdup(request->host);
    enum err result = read_all(&r);
    report_done(&r.scratch);
    return result == OK ? finish(o, request, report) : result;
}

enum err client_options_print(const struct client_options *o, struct buf *out)
{
    size_t count;
    const struct option_row *rows = option_rows(OPTION_CLIENT, &count);
    if (o->host != NULL && o->host[0] != '\0') {
        TRY(buf_append(out, "host ", 5));
        TRY(lexer_print_word(out, o->host));
        TRY(buf_append(out, "\n", 1));
    }
    for (size_t i = 0; i < count; i++)
        TRY(option_print(&o->state, &rows[i], out));
    return OK;
}
