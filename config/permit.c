/* Rules of PermitOpen and PermitListen. */
#include "config/permit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

#include "base/match.h"

#define PORT_MAX    65535u
#define NETWORK_MAX 64 /* longer than any ADDRESS/BITS */
#define PORT_DIGITS 5

/* Digits alone; 0 is no port. */
static bool read_port(struct slice text, uint16_t *port)
{
    uint32_t value = 0;
    if (text.len == 0 || text.len > PORT_DIGITS)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    *port = (uint16_t)value;
    return value > 0 && value <= PORT_MAX;
}

static bool read_ports(struct permit_rule *rule, struct slice text, bool is_plain)
{
    rule->is_any_port = slice_is(text, "*");
    if (rule->is_any_port)
        return true;
    const uint8_t *dash = is_plain || text.len == 0 ? NULL : memchr(text.ptr, '-', text.len);
    if (dash == NULL) {
        bool is_port = read_port(text, &rule->first);
        rule->last = rule->first;
        return is_port;
    }
    size_t length = (size_t)(dash - text.ptr);
    return read_port(slice_of(text.ptr, length), &rule->first) &&
           read_port(slice_of(dash + 1, text.len - length - 1), &rule->last) &&
           rule->first <= rule->last;
}

/* A slice as a string for base/match; false: too long to be a network or an address. */
static bool copy_text(struct slice text, char room[NETWORK_MAX])
{
    if (text.len >= NETWORK_MAX || text.len == 0)
        return false;
    memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return true;
}

static bool read_host(struct permit_rule *rule, struct slice text, bool is_plain)
{
    char network[NETWORK_MAX];
    enum match ignored;
    bool is_bracketed = text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';
    if (is_bracketed)
        text = slice_of(text.ptr + 1, text.len - 2);
    if (text.len == 0 || (!is_bracketed && memchr(text.ptr, ':', text.len) != NULL))
        return false;
    rule->text = text;
    rule->host = slice_is(text, "*") && !is_bracketed ? PERMIT_HOST_ANY : PERMIT_HOST_TEXT;
    /* A '/' in front is a path: a text. */
    if (is_plain || text.ptr[0] == '/' || memchr(text.ptr, '/', text.len) == NULL)
        return true;
    rule->host = PERMIT_HOST_NETWORK;
    return copy_text(text, network) && strpbrk(network, ",!* \t") == NULL &&
           match_address_list(NULL, network, &ignored) == OK;
}

bool permit_rule_read(struct permit_rule *rule, const char *item, enum permit_kind kind,
                      bool is_plain)
{
    *rule = (struct permit_rule){.is_negated = !is_plain && item[0] == '!'};
    item += rule->is_negated ? 1 : 0;
    const char *colon = strrchr(item, ':');
    if (colon != NULL)
        return read_host(rule, slice_of(item, (size_t)(colon - item)), is_plain) &&
               read_ports(rule, slice_text(colon + 1), is_plain);
    return kind == PERMIT_LISTEN && read_ports(rule, slice_text(item), is_plain);
}

static bool fits_port(const struct permit_rule *rule, uint32_t port)
{
    return rule->is_any_port || (port >= rule->first && port <= rule->last);
}

static bool is_same_text(struct slice a, struct slice b)
{
    return a.len == b.len && strncasecmp((const char *)a.ptr, (const char *)b.ptr, a.len) == 0;
}

/* An IPv4 address inside an IPv6 one is that IPv4 address: a socket makes no difference. */
static const char *unmapped(const char *address, char room[INET_ADDRSTRLEN])
{
    struct in6_addr v6;
    if (inet_pton(AF_INET6, address, &v6) != 1 || !IN6_IS_ADDR_V4MAPPED(&v6))
        return address;
    CHECK(inet_ntop(AF_INET, v6.s6_addr + 12, room, INET_ADDRSTRLEN) != NULL);
    return room;
}

static bool fits_address(const struct permit_rule *rule, const char *address)
{
    char network[NETWORK_MAX], room[INET_ADDRSTRLEN];
    if (address == NULL)
        return rule->is_negated; /* it may come to be one of these */
    return copy_text(rule->text, network) &&
           (match_is_in_network(address, network) ||
            match_is_in_network(unmapped(address, room), network));
}

static bool is_numeric(struct slice text)
{
    char copy[NETWORK_MAX];
    return copy_text(text, copy) && match_is_address(copy);
}

static bool fits_host(const struct permit_rule *rule, const struct permit_target *target)
{
    switch (rule->host) {
    case PERMIT_HOST_ANY:
        return true;
    case PERMIT_HOST_NETWORK:
        return fits_address(rule, target->address);
    case PERMIT_HOST_TEXT:
        break;
    }
    if (is_same_text(rule->text, target->host))
        return true;
    return rule->is_negated && is_numeric(rule->text) && fits_address(rule, target->address);
}

static bool fits(const struct permit_rule *rule, const struct permit_target *target)
{
    return fits_port(rule, target->port) && fits_host(rule, target);
}

/* A bare port of PermitListen has no host: every one fits. */
static bool next_rule(const struct permit_list *list, size_t *index, struct permit_rule *rule)
{
    while (*index < list->count) {
        if (permit_rule_read(rule, list->items[(*index)++], list->kind, list->is_plain))
            return true; /* what cannot be read permits nothing; configurations are checked */
    }
    return false;
}

bool permit_does_not_forbid(const struct permit_list *list, const struct permit_target *target,
                            const char **rule)
{
    struct permit_rule r;
    *rule = NULL;
    for (size_t i = 0; next_rule(list, &i, &r);) {
        if (r.is_negated && fits(&r, target)) {
            *rule = list->items[i - 1];
            return false;
        }
    }
    return true;
}

bool permit_allows(const struct permit_list *list, const struct permit_target *target,
                   const char **rule)
{
    struct permit_rule r;
    if (!permit_does_not_forbid(list, target, rule))
        return false;
    for (size_t i = 0; next_rule(list, &i, &r);) {
        if (!r.is_negated && fits(&r, target))
            return true;
    }
    return false;
}

/* Whether an address decides about the rule. */
static bool is_by_address(const struct permit_rule *rule)
{
    return rule->host == PERMIT_HOST_NETWORK ||
           (rule->is_negated && rule->host == PERMIT_HOST_TEXT && is_numeric(rule->text));
}

enum permit_answer permit_before_lookup(const struct permit_list *list,
                                        const struct permit_target *target, const char **rule)
{
    struct permit_rule r;
    bool is_permitted = false, may_help = false, may_forbid = false;
    *rule = NULL;
    for (size_t i = 0; next_rule(list, &i, &r);) {
        bool is_text_hit = r.host == PERMIT_HOST_ANY ||
                           (r.host == PERMIT_HOST_TEXT && is_same_text(r.text, target->host));
        if (!fits_port(&r, target->port))
            continue;
        if (r.is_negated && is_text_hit) {
            *rule = list->items[i - 1];
            return PERMIT_NO;
        }
        may_forbid = may_forbid || (r.is_negated && is_by_address(&r));
        may_help = may_help || (!r.is_negated && is_by_address(&r));
        is_permitted = is_permitted || (!r.is_negated && is_text_hit);
    }
    if (!is_permitted)
        return may_help ? PERMIT_IF_ADDRESS : PERMIT_NO;
    return may_forbid ? PERMIT_IF_ADDRESS : PERMIT_YES;
}

bool permit_allows_path(const struct permit_list *list, struct slice path, const char **rule)
{
    struct permit_rule r;
    bool is_permitted = false;
    *rule = NULL;
    for (size_t i = 0; next_rule(list, &i, &r);) {
        if (!r.is_any_port || !(r.host == PERMIT_HOST_ANY ||
                                (r.host == PERMIT_HOST_TEXT && slice_equal(r.text, path))))
            continue;
        if (r.is_negated) {
            *rule = list->items[i - 1];
            return false;
        }
        is_permitted = true;
    }
    return is_permitted;
}

bool permit_list_names_port(const struct string_list *permit_listen, const char *address,
                            uint16_t port)
{
    const struct permit_list list = {permit_listen->items, permit_listen->count, PERMIT_LISTEN,
                                     false};
    const struct permit_target target = {slice_text(address), port,
                                         match_is_address(address) ? address : NULL};
    const char *ignored;
    struct permit_rule r;
    if (!permit_does_not_forbid(&list, &target, &ignored))
        return false;
    for (size_t i = 0; next_rule(&list, &i, &r);) {
        if (!r.is_negated && !r.is_any_port && fits(&r, &target))
            return true;
    }
    return false;
}
