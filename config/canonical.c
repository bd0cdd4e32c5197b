/* Which name is meant, by ssh_config(5): CanonicalizeHostname and its like. */
#include "config/canonical.h"

#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "base/match.h"

struct search {
    const struct client_options *o;
    const struct client_world *world;
    struct report *report;
    bool is_direct; /* no proxy will look the name up */
};

static bool is_off(const char *text)
{
    return text == NULL || strcmp(text, "none") == 0;
}

static bool has_rules(const struct client_options *o)
{
    const struct string_list *rules = &o->canonicalize_permitted_cnames;
    return rules->count > 0 && strcasecmp(rules->items[0], "none") != 0;
}

static size_t count_dots(const char *text)
{
    size_t dots = 0;
    for (; *text != '\0'; text++)
        dots += *text == '.';
    return dots;
}

static bool resolve(const struct search *s, const char *name, bool is_numeric, char **canonical)
{
    return s->world->resolve(s->world->arg, name, is_numeric, s->o->address_family, canonical);
}

/* The rule is "SOURCES:TARGETS"; the name's CNAME is taken where both lists agree. */
static bool is_permitted(const char *rule, const char *name, const char *cname)
{
    size_t length = strcspn(rule, ":");
    char *sources CLEANUP(mem_cleanup) = mem_strndup(rule, length);
    return match_list_folded(name, sources) == MATCH_YES &&
           match_list_folded(cname, rule + length + 1) == MATCH_YES;
}

/* Puts cname in the place of *name where a rule permits. */
static void follow_cname(const struct search *s, char **name, const char *cname)
{
    const struct string_list *rules = &s->o->canonicalize_permitted_cnames;
    if (!has_rules(s->o) || cname == NULL || strcasecmp(cname, *name) == 0 ||
        (!s->is_direct && s->o->canonicalize_hostname != CANONICALIZE_ALWAYS))
        return;
    for (size_t i = 0; i < rules->count; i++) {
        if (!is_permitted(rules->items[i], *name, cname))
            continue;
        mem_free(*name);
        *name = mem_strdup(cname);
        return;
    }
}

/* The name with the dot at its end, if it is found. */
static bool try_whole(const struct search *s, const char *whole, char **name)
{
    char *cname CLEANUP(mem_cleanup) = NULL;
    if (!resolve(s, whole, false, &cname))
        return false;
    mem_free(*name);
    *name = mem_strndup(whole, strlen(whole) - 1);
    follow_cname(s, name, cname);
    return true;
}

/* *name is found whole, or under one of the domains. */
static bool search_domains(const struct search *s, char **name)
{
    const struct string_list *domains = &s->o->canonical_domains;
    size_t length = strlen(*name);
    if (length > 0 && (*name)[length - 1] == '.') {
        char *whole CLEANUP(mem_cleanup) = mem_strdup(*name);
        return try_whole(s, whole, name);
    }
    for (size_t i = 0; i < domains->count && strcasecmp(domains->items[i], "none") != 0; i++) {
        char *whole CLEANUP(mem_cleanup) = mem_printf("%s.%s.", *name, domains->items[i]);
        if (try_whole(s, whole, name))
            return true;
    }
    return false;
}

static enum err canonicalize(const struct search *s, char **name, bool *is_found)
{
    const struct client_options *o = s->o;
    bool is_anchored = **name != '\0' && (*name)[strlen(*name) - 1] == '.';
    int max_dots = client_options_is_given(o, "CanonicalizeMaxDots") ? o->canonicalize_max_dots : 1;
    bool may_fall_back =
        !client_options_is_given(o, "CanonicalizeFallbackLocal") || o->canonicalize_fallback_local;
    if (!client_options_is_given(o, "CanonicalizeHostname") ||
        o->canonicalize_hostname == CANONICALIZE_NO ||
        (!s->is_direct && o->canonicalize_hostname != CANONICALIZE_ALWAYS))
        return OK;
    if (!is_anchored && count_dots(*name) > (size_t)max_dots)
        return OK;
    *is_found = search_domains(s, name);
    if (*is_found || may_fall_back)
        return OK;
    report_add(s->report, REPORT_ERROR, NULL, "CanonicalizeHostname",
               "Could not resolve host \"%s\" in any of CanonicalDomains",
               ESCAPED(slice_text(*name)));
    return ERR_CONFIG;
}

enum err canonical_name(const struct client_options *o, const struct client_world *world,
                        const char *host, char **name, struct report *report)
{
    struct search s = {o, world, report, is_off(o->proxy_command) && is_off(o->proxy_jump)};
    bool is_found = false;
    char *cname CLEANUP(mem_cleanup) = NULL;
    *name = mem_strdup(host);
    if (resolve(&s, host, true, &cname)) { /* an address, in the form that the system writes */
        mem_free(*name);
        *name = cname;
        cname = NULL;
        return OK;
    }
    enum err err = canonicalize(&s, name, &is_found);
    bool wants_cname =
        has_rules(o) && (s.is_direct || o->canonicalize_hostname == CANONICALIZE_ALWAYS);
    if (err != OK || is_found || !wants_cname || **name == '\0')
        goto out;
    if (resolve(&s, *name, false, &cname)) {
        follow_cname(&s, name, cname);
    } else if (s.is_direct) {
        report_add(report, REPORT_ERROR, NULL, "CanonicalizePermittedCNAMEs",
                   "Could not resolve hostname %s: its CNAME was to be looked up",
                   ESCAPED(slice_text(*name)));
        err = ERR_CONFIG;
    }
out:
    if (err != OK) {
        mem_free(*name);
        *name = NULL;
    }
    return err;
}
