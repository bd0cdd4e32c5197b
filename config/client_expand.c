/* Tokens of the client's options. */
#include "config/client_expand.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/ssh_config.h"

#define TOKENS_MAX 24

/* ---- one text ---- */

/* %j: the host of the last hop, which is what OpenSSH 10.5 puts there. The caller owns it. */
static char *jump_host(const struct client_options *o)
{
    const char *hop = o->proxy_jump ? o->proxy_jump : "";
    if (strcmp(hop, "none") == 0)
        hop = "";
    const char *comma = strrchr(hop, ',');
    hop = comma ? comma + 1 : hop;
    const char *at = strrchr(hop, '@');
    hop = at ? at + 1 : hop;
    if (hop[0] == '[')
        return mem_strndup(hop + 1, strcspn(hop + 1, "]"));
    bool is_v6 = strchr(hop, ':') != strrchr(hop, ':');
    return mem_strndup(hop, is_v6 ? strlen(hop) : strcspn(hop, ":"));
}

/* What tokens are made of; owned parts are freed by subject_done. */
struct subject {
    const char *user, *host, *alias;
    char *host_name, *jump, *label, *hash;
    char port[8];
};

static void subject_done(struct subject *s)
{
    mem_free(s->host_name);
    mem_free(s->jump);
    mem_free(s->label);
    mem_free(s->hash);
}

static void subject_make(struct subject *s, const struct client_options *o,
                         const struct client_facts *facts, bool wants_hash)
{
    *s = (struct subject){.user = o->user ? o->user : facts->local_user, .host = o->host};
    s->host_name = client_options_host_name(o);
    s->alias = o->host_key_alias ? o->host_key_alias : o->host;
    s->jump = jump_host(o);
    if (facts->local_host)
        s->label = mem_strndup(facts->local_host, strcspn(facts->local_host, "."));
    snprintf(s->port, sizeof(s->port), "%u", o->port ? o->port : 22u);
    if (!wants_hash || !facts->local_host || !facts->sha1_hex || !s->user)
        return;
    CLEANUP(mem_cleanup)
    char *text =
        mem_printf("%s%s%s%s%s", facts->local_host, s->host_name, s->port, s->user, s->jump);
    s->hash = facts->sha1_hex(facts->arg, text);
}

static size_t add_tokens(struct expand_token *tokens, size_t count, const struct expand_token *more,
                         size_t more_count)
{
    for (size_t i = 0; i < more_count; i++) {
        CHECK(count < TOKENS_MAX);
        tokens[count++] = more[i];
    }
    return count;
}

static size_t tokens_of(enum client_expand kind, const struct subject *s,
                        const struct client_facts *facts, struct expand_token *tokens, size_t count)
{
    const struct expand_token proxy[] = {{'h', s->host_name}, {'n', s->host}, {'p', s->port}};
    const struct expand_token more[] = {
        {'d', facts->home}, {'i', facts->uid},        {'j', s->jump},           {'k', s->alias},
        {'L', s->label},    {'l', facts->local_host}, {'u', facts->local_user},
    };
    const struct expand_token user = {'r', s->user}, hash = {'C', s->hash};
    count = add_tokens(tokens, count, proxy, ARRAY_LEN(proxy));
    if (kind != CLIENT_EXPAND_USER)
        count = add_tokens(tokens, count, &user, 1);
    if (kind != CLIENT_EXPAND_PROXY)
        count = add_tokens(tokens, count, more, ARRAY_LEN(more));
    if (kind != CLIENT_EXPAND_USER && kind != CLIENT_EXPAND_PROXY)
        count = add_tokens(tokens, count, &hash, 1);
    return count;
}

enum err client_token_expand(const struct client_options *o, const struct client_facts *facts,
                             enum client_expand kind, const struct expand_token *more,
                             size_t more_count, const char *text, char **out,
                             struct expand_fault *fault)
{
    struct expand_token tokens[TOKENS_MAX];
    struct subject subject;
    bool is_path = kind == CLIENT_EXPAND_PATH;
    bool has_variables = is_path || kind == CLIENT_EXPAND_SOCKET || kind == CLIENT_EXPAND_USER;
    subject_make(&subject, o, facts, strstr(text, "%C") != NULL);
    size_t count = add_tokens(tokens, 0, more, more_count);
    count = tokens_of(kind, &subject, facts, tokens, count);
    struct expand_facts all = {
        .tokens = tokens,
        .token_count = count,
        .home = is_path ? facts->home : NULL,
        .user_home = is_path ? facts->user_home : NULL,
        .environment = has_variables ? facts->environment : NULL,
        .arg = facts->arg,
        .has_tilde = is_path,
    };
    enum err err = expand_text(text, &all, out, fault);
    subject_done(&subject);
    return err;
}

/* ---- the options ---- */

struct expanding {
    struct client_options *o;
    const struct client_facts *facts;
    struct report *report;
};

static enum err expand_field(const struct expanding *e, const char *keyword,
                             enum client_expand kind, char **field)
{
    struct expand_fault fault;
    char *out;
    if (*field == NULL ||
        (strchr(*field, '%') == NULL && strchr(*field, '$') == NULL && (*field)[0] != '~'))
        return OK;
    if (client_token_expand(e->o, e->facts, kind, NULL, 0, *field, &out, &fault) != OK) {
        report_add(e->report, REPORT_ERROR, NULL, keyword, "%s: %s", keyword, fault.text);
        return ERR_CONFIG;
    }
    mem_free(*field);
    *field = out;
    return OK;
}

static enum err expand_list(const struct expanding *e, const char *keyword, enum client_expand kind,
                            struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        TRY(expand_field(e, keyword, kind, &list->items[i]));
    return OK;
}

static enum err expand_forwards(const struct expanding *e, const char *keyword,
                                struct forward_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        TRY(expand_field(e, keyword, CLIENT_EXPAND_SOCKET, &list->items[i].listen.path));
        TRY(expand_field(e, keyword, CLIENT_EXPAND_SOCKET, &list->items[i].target.path));
    }
    return OK;
}

/* "$NAME" by itself is a variable that is looked up when the agent is (ssh_config(5)). */
static bool is_variable(const char *text)
{
    return text != NULL && text[0] == '$' && text[1] != '{';
}

static enum err expand_agent(const struct expanding *e, const char *keyword, char **field)
{
    return is_variable(*field) ? OK : expand_field(e, keyword, CLIENT_EXPAND_PATH, field);
}

enum err client_options_expand(struct client_options *o, const struct client_facts *facts,
                               struct report *report)
{
    const struct expanding e = {o, facts, report};
    if (!o->is_user_typed)
        TRY(expand_field(&e, "User", CLIENT_EXPAND_USER, &o->user));
    TRY(expand_field(&e, "ControlPath", CLIENT_EXPAND_PATH, &o->control_path));
    TRY(expand_field(&e, "RemoteCommand", CLIENT_EXPAND_COMMAND, &o->remote_command));
    TRY(expand_agent(&e, "IdentityAgent", &o->identity_agent));
    TRY(expand_agent(&e, "ForwardAgent", &o->forward_agent_path));
    TRY(expand_list(&e, "RevokedHostKeys", CLIENT_EXPAND_PATH, &o->revoked_host_keys));
    TRY(expand_list(&e, "UserKnownHostsFile", CLIENT_EXPAND_PATH, &o->user_known_hosts_files));
    TRY(expand_list(&e, "SetEnv", CLIENT_EXPAND_SOCKET, &o->set_env));
    TRY(expand_forwards(&e, "LocalForward", &o->local_forwards));
    TRY(expand_forwards(&e, "RemoteForward", &o->remote_forwards));
    return expand_forwards(&e, "DynamicForward", &o->dynamic_forwards);
}
