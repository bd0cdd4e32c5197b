/* Criteria of Match, by ssh_config(5) of OpenSSH 10.5. */
#include "config/ssh_match.h"

#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "base/match.h"

enum criterion_kind {
    CRITERION_ALL,
    CRITERION_FINAL, /* canonical too: the second pass is for both */
    CRITERION_HOST,
    CRITERION_ORIGINAL_HOST,
    CRITERION_USER,
    CRITERION_LOCAL_USER,
    CRITERION_LOCAL_NETWORK,
    CRITERION_TAGGED,
    CRITERION_SESSION_TYPE,
    CRITERION_COMMAND,
    CRITERION_VERSION,
    CRITERION_EXEC,
};

static const struct criterion {
    const char *name;
    enum criterion_kind kind;
    bool has_value;
    bool may_be_empty; /* "" asks for nothing having been given */
} criteria[] = {
    {"all", CRITERION_ALL, false, false},
    {"final", CRITERION_FINAL, false, false},
    {"canonical", CRITERION_FINAL, false, false},
    {"host", CRITERION_HOST, true, false},
    {"originalhost", CRITERION_ORIGINAL_HOST, true, false},
    {"user", CRITERION_USER, true, false},
    {"localuser", CRITERION_LOCAL_USER, true, false},
    {"localnetwork", CRITERION_LOCAL_NETWORK, true, false},
    {"tagged", CRITERION_TAGGED, true, true},
    {"sessiontype", CRITERION_SESSION_TYPE, true, false},
    {"command", CRITERION_COMMAND, true, true},
    {"version", CRITERION_VERSION, true, false},
    {"exec", CRITERION_EXEC, true, false},
};

struct asking {
    struct match_question *q;
    const struct place *place;
    unsigned column;
};

static enum err fail(const struct asking *a, const char *text)
{
    struct place at = *a->place;
    at.column = a->column;
    report_add(a->q->report, REPORT_ERROR, &at, "Match", "%s", text);
    return ERR_CONFIG;
}

/* A list of patterns; the empty one fits the empty text only. */
static bool fits(const char *text, const char *list)
{
    return list[0] == '\0' ? text[0] == '\0' : match_list(text, list) == MATCH_YES;
}

/* The versions that adit answers to: a file that is shared with ssh asks for OpenSSH's. */
static bool is_version(const char *list)
{
    static const char *const names[] = {"OpenSSH_10.5p1", "adit_" ADIT_VERSION};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (match_list(names[i], list) == MATCH_YES)
            return true;
    }
    return false;
}

static const char *session_type(const struct match_question *q)
{
    switch (q->o->session_type) {
    case SESSION_NONE:
        return "none";
    case SESSION_SUBSYSTEM:
        return "subsystem";
    case SESSION_DEFAULT:
        break;
    }
    return q->request->command && q->request->command[0] ? "exec" : "shell";
}

/* Whether an address of ours lies in one of the networks. */
static enum err ask_network(const struct asking *a, const char *list, bool *is_met)
{
    const struct client_world *world = a->q->request->world;
    struct string_list addresses;
    enum match match;
    *is_met = false;
    if (match_address_list(NULL, list, &match) != OK)
        return fail(a, "localnetwork takes networks such as 10.0.0.0/8");
    string_list_init(&addresses);
    if (world)
        world->addresses(world->arg, &addresses);
    for (size_t i = 0; i < addresses.count && !*is_met; i++)
        *is_met = match_address_list(addresses.items[i], list, &match) == OK && match == MATCH_YES;
    string_list_done(&addresses);
    return OK;
}

static enum err ask_program(const struct asking *a, const char *command, bool *is_met)
{
    const struct client_config_request *request = a->q->request;
    struct expand_fault fault;
    char *expanded;
    *is_met = false;
    if (!request->world || !request->facts)
        return OK;
    if (client_token_expand(a->q->o, request->facts, CLIENT_EXPAND_COMMAND, NULL, 0, command,
                            &expanded, &fault) != OK)
        return fail(a, fault.text);
    enum err err = request->world->run(request->world->arg, expanded, is_met);
    mem_free(expanded);
    return err == OK ? OK : fail(a, "the program of Match exec cannot be run");
}

static enum err ask(const struct asking *a, enum criterion_kind kind, const char *value,
                    bool *is_met)
{
    const struct client_options *o = a->q->o;
    const struct client_config_request *request = a->q->request;
    const char *command = request->command ? request->command : "";
    switch (kind) {
    case CRITERION_ALL:
        *is_met = true;
        return OK;
    case CRITERION_FINAL:
        *is_met = a->q->is_final_pass;
        return OK;
    case CRITERION_HOST: {
        char *host CLEANUP(mem_cleanup) = client_options_host_name(o);
        *is_met = match_list_folded(host, value) == MATCH_YES;
        return OK;
    }
    case CRITERION_ORIGINAL_HOST:
        *is_met = match_list_folded(request->host, value) == MATCH_YES;
        return OK;
    case CRITERION_USER:
        *is_met = match_list(o->user ? o->user : request->local_user, value) == MATCH_YES;
        return OK;
    case CRITERION_LOCAL_USER:
        *is_met = match_list(request->local_user, value) == MATCH_YES;
        return OK;
    case CRITERION_LOCAL_NETWORK:
        return ask_network(a, value, is_met);
    case CRITERION_TAGGED:
        *is_met = fits(o->tag ? o->tag : "", value);
        return OK;
    case CRITERION_SESSION_TYPE:
        *is_met = match_list(session_type(a->q), value) == MATCH_YES;
        return OK;
    case CRITERION_COMMAND:
        *is_met = fits(command, value);
        return OK;
    case CRITERION_VERSION:
        *is_met = is_version(value);
        return OK;
    case CRITERION_EXEC:
        return ask_program(a, value, is_met);
    }
    return ERR_BUG;
}

static const struct criterion *find(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_LEN(criteria); i++) {
        if (strncasecmp(criteria[i].name, name, length) == 0 && criteria[i].name[length] == '\0')
            return &criteria[i];
    }
    return NULL;
}

/*
 * One criterion, its value in the same word ("host=x") or the next; moves *index behind it.
 * *matches becomes false if it is not met.
 */
static enum err read_criterion(struct asking *a, const struct line *line, size_t *index,
                               bool *matches)
{
    const struct word *word = &line->words[(*index)++];
    bool is_negated = word->text[0] == '!', is_met = false;
    const char *name = word->text + (is_negated ? 1 : 0);
    const char *equals = strchr(name, '=');
    const struct criterion *c = find(name, equals ? (size_t)(equals - name) : strlen(name));
    a->column = word->column;
    if (c == NULL || (equals != NULL && !c->has_value))
        return fail(a, "unknown Match criterion; known are all, final, canonical, host, "
                       "originalhost, user, localuser, localnetwork, tagged, sessiontype, "
                       "command, version, exec");
    const char *value = equals ? equals + 1 : NULL;
    if (c->has_value && value == NULL && *index < line->count)
        value = line->words[(*index)++].text;
    if (c->has_value && (value == NULL || (value[0] == '\0' && !c->may_be_empty)))
        return fail(a, "the Match criterion has no value");
    if (c->kind == CRITERION_ALL && (*index != line->count || is_negated))
        return fail(a, "nothing stands behind Match all");
    if (strcasecmp(c->name, "final") == 0 && *matches)
        a->q->wants_final_pass = true;
    if (!*matches)
        return OK;
    TRY(ask(a, c->kind, value, &is_met));
    *matches = is_met != is_negated;
    return OK;
}

enum err ssh_match_line(struct match_question *q, const struct line *line,
                        const struct place *place, bool is_active, bool *matches)
{
    struct asking a = {q, place, line->keyword_column};
    *matches = is_active;
    if (line->count == 0)
        return fail(&a, "Match has no criterion");
    for (size_t index = 0; index < line->count;)
        TRY(read_criterion(&a, line, &index, matches));
    return OK;
}
