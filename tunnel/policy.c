/*
 * Policy. The bind rule is OpenSSH's (sshd_config GatewayPorts); what rules say is
 * config/permit.c's.
 */
#include "tunnel/policy.h"

#include <stdio.h>

#include "base/log.h"
#include "base/match.h"

#define PORT_MAX 65535

struct policy_rules policy_rules_of(const struct string_list *list, const char *source)
{
    bool is_any = list->count == 0 || (list->count == 1 && strcmp(list->items[0], "any") == 0);
    bool is_none = list->count == 1 && strcmp(list->items[0], "none") == 0;
    return (struct policy_rules){.is_restricted = !is_any,
                                 .items = list->items,
                                 .count = is_any || is_none ? 0 : list->count,
                                 .source = source};
}

static bool refuse(struct policy_refusal *why, const char *what, struct slice host, uint32_t port,
                   const char *rule)
{
    snprintf(why->text, sizeof(why->text), "server refused %s %s:%u: %s", what, ESCAPED(host), port,
             rule);
    return false;
}

static struct permit_list permit_list_of(const struct policy_rules *rules, enum permit_kind kind)
{
    return (struct permit_list){rules->items, rules->count, kind, rules->is_plain};
}

/* "PermitOpen", "PermitOpen, rule !10.0.0.0/8:*", and the address where a name was asked for. */
static bool refuse_by(struct policy_refusal *why, const char *what,
                      const struct permit_target *target, const char *source, const char *rule)
{
    char text[256];
    const char *address = target->address;
    if (address && slice_is(target->host, address))
        address = NULL;
    snprintf(text, sizeof(text), "%.60s%s%.80s%s%.60s%s", source, rule ? ", rule " : "",
             rule ? rule : "", address ? " (it is " : "", address ? address : "",
             address ? ")" : "");
    return refuse(why, what, target->host, target->port, text);
}

static const char opening[] = "a connection to";
static const char listening[] = "to listen on";

bool policy_may_open(const struct policy *p, struct slice host, uint32_t port,
                     struct policy_refusal *why)
{
    if (!p->may_open)
        return refuse(why, opening, host, port, p->open_switch);
    if (host.len == 0 || port == 0 || port > PORT_MAX)
        return refuse(why, opening, host, port, "no such address");
    const struct permit_target target = {host, port, NULL};
    for (size_t i = 0; i < POLICY_RULE_SETS; i++) {
        const struct policy_rules *rules = &p->open[i];
        struct permit_list list = permit_list_of(rules, PERMIT_OPEN);
        const char *rule;
        if (rules->is_restricted && permit_before_lookup(&list, &target, &rule) == PERMIT_NO)
            return refuse_by(why, opening, &target, rules->source, rule);
    }
    return true;
}

bool policy_may_dial(const struct policy *p, struct slice host, uint32_t port, const char *address,
                     struct policy_refusal *why)
{
    const struct permit_target target = {host, port, address};
    if (!policy_may_open(p, host, port, why))
        return false;
    for (size_t i = 0; i < POLICY_RULE_SETS; i++) {
        const struct policy_rules *rules = &p->open[i];
        struct permit_list list = permit_list_of(rules, PERMIT_OPEN);
        const char *rule;
        if (rules->is_restricted && !permit_allows(&list, &target, &rule))
            return refuse_by(why, opening, &target, rules->source, rule);
    }
    return true;
}

static bool may_path(bool allowed, const char *rule, const char *what, struct slice path,
                     struct policy_refusal *why)
{
    bool fits = path.len > 0 && path.len <= POLICY_PATH_MAX;
    if (allowed && fits)
        return true;
    snprintf(why->text, sizeof(why->text), "server refused %s %s: %s", what, ESCAPED(path),
             allowed ? "no path a socket can have" : rule);
    return false;
}

bool policy_may_open_path(const struct policy *p, struct slice path, struct policy_refusal *why)
{
    if (!may_path(p->may_open_path, p->open_path_switch, opening, path, why))
        return false;
    for (size_t i = 0; i < POLICY_RULE_SETS; i++) {
        const struct policy_rules *rules = &p->open[i];
        struct permit_list list = permit_list_of(rules, PERMIT_OPEN);
        const char *rule;
        if (!rules->is_restricted || permit_allows_path(&list, path, &rule))
            continue;
        snprintf(why->text, sizeof(why->text), "server refused %s %s: %.60s%s%.80s", opening,
                 ESCAPED(path), rules->source, rule ? ", rule " : "", rule ? rule : "");
        return false;
    }
    return true;
}

bool policy_may_listen_path(const struct policy *p, struct slice path, struct policy_refusal *why)
{
    return may_path(p->may_listen_path, p->listen_path_switch, listening, path, why);
}

static bool is_wildcard(struct slice address)
{
    return address.len == 0 || slice_is(address, "*") || slice_is(address, "0.0.0.0") ||
           slice_is(address, "::");
}

static bool is_loopback_number(struct slice address)
{
    return slice_is(address, "127.0.0.1") || slice_is(address, "::1");
}

static void bind_to(struct policy_listen *listen, enum policy_bind bind, struct slice address)
{
    *listen = (struct policy_listen){.bind = bind};
    if (bind == POLICY_BIND_ADDRESS && address.len < sizeof(listen->address))
        memcpy(listen->address, address.ptr, address.len);
}

/* The wildcard as the peer means it: one family if it named one by number. */
static void bind_wildcard(struct policy_listen *listen, struct slice address)
{
    bool one_family = slice_is(address, "0.0.0.0") || slice_is(address, "::");
    bind_to(listen, one_family ? POLICY_BIND_ADDRESS : POLICY_BIND_WILDCARD, address);
}

/* The table of GatewayPorts x requested address. */
static void choose_bind(enum policy_gateway gateway, struct slice address,
                        struct policy_listen *listen)
{
    bool loopback = slice_is(address, "localhost") || is_loopback_number(address);
    switch (gateway) {
    case POLICY_GATEWAY_NO:
        if (is_loopback_number(address))
            bind_to(listen, POLICY_BIND_ADDRESS, address);
        else
            bind_to(listen, POLICY_BIND_LOOPBACK, address);
        listen->narrowed = !loopback;
        break;
    case POLICY_GATEWAY_YES:
        bind_to(listen, POLICY_BIND_WILDCARD, address);
        listen->widened = !is_wildcard(address) && !slice_is(address, "localhost");
        break;
    case POLICY_GATEWAY_CLIENT_SPECIFIED:
        if (is_wildcard(address))
            bind_wildcard(listen, address);
        else if (slice_is(address, "localhost"))
            bind_to(listen, POLICY_BIND_LOOPBACK, address);
        else
            bind_to(listen, POLICY_BIND_ADDRESS, address);
        break;
    }
}

/* The addresses that a bind may come to; NULL: any. Returns how many. */
static size_t bound_addresses(const struct policy_listen *listen, const char *addresses[2])
{
    switch (listen->bind) {
    case POLICY_BIND_LOOPBACK:
        addresses[0] = "127.0.0.1";
        addresses[1] = "::1";
        return 2;
    case POLICY_BIND_ADDRESS:
        addresses[0] =
            match_is_address(listen->address) && !is_wildcard(slice_text(listen->address))
                ? listen->address
                : NULL;
        return 1;
    case POLICY_BIND_WILDCARD:
        break;
    }
    addresses[0] = NULL;
    return 1;
}

typedef bool permit_asks(const struct permit_list *list, const struct permit_target *target,
                         const char **rule);

/* Every address that will be bound must pass every list. */
static bool may_bind(const struct policy *p, permit_asks *asks, struct slice address, uint32_t port,
                     const struct policy_listen *listen, struct policy_refusal *why)
{
    const char *addresses[2], *rule;
    size_t count = bound_addresses(listen, addresses);
    for (size_t i = 0; i < POLICY_RULE_SETS; i++) {
        const struct policy_rules *rules = &p->listen[i];
        struct permit_list list = permit_list_of(rules, PERMIT_LISTEN);
        for (size_t j = 0; rules->is_restricted && j < count; j++) {
            const struct permit_target target = {address, port, addresses[j]};
            if (!asks(&list, &target, &rule))
                return refuse_by(why, listening, &target, rules->source, rule);
        }
    }
    return true;
}

bool policy_may_listen(const struct policy *p, struct slice address, uint32_t port,
                       struct policy_listen *listen, struct policy_refusal *why)
{
    if (!p->may_listen)
        return refuse(why, listening, address, port, p->listen_switch);
    if (port > PORT_MAX || address.len >= sizeof(listen->address))
        return refuse(why, listening, address, port, "no such address");
    choose_bind(p->gateway_ports, address, listen);
    return may_bind(p, permit_allows, address, port, listen, why);
}

bool policy_may_keep(const struct policy *p, struct slice address, uint16_t port,
                     const struct policy_listen *listen, struct policy_refusal *why)
{
    return may_bind(p, permit_does_not_forbid, address, port, listen, why);
}

#define TUN_MODE_MAX 2

bool policy_may_tun(const struct policy *p, uint32_t mode, uint32_t *unit,
                    struct policy_refusal *why)
{
    const char *rule = p->tun_switch;
    bool is_mode = mode >= 1 && mode <= TUN_MODE_MAX;
    if (!is_mode)
        rule = "no such mode";
    else if (p->may_tun & mode)
        rule = NULL;
    else if (!rule)
        rule = "PermitTunnel";
    if (!rule && p->has_tun_unit && *unit != POLICY_TUN_ANY && *unit != p->tun_unit)
        rule = "tunnel= of the key";
    if (rule) {
        snprintf(why->text, sizeof(why->text), "server refused a %s tunnel: %s",
                 mode == 2 ? "layer 2" : "layer 3", rule);
        return false;
    }
    if (p->has_tun_unit)
        *unit = p->tun_unit;
    return true;
}

bool policy_may_forward_agent(const struct policy *p, struct policy_refusal *why)
{
    if (!p->may_agent)
        snprintf(why->text, sizeof(why->text), "server refused agent forwarding: %s",
                 p->agent_switch);
    return p->may_agent;
}

void policy_local_bind(bool has_address, const char *address, bool gateway_ports,
                       struct policy_listen *listen)
{
    struct slice text = has_address ? slice_text(address) : SLICE_NONE;
    if (!has_address)
        bind_to(listen, gateway_ports ? POLICY_BIND_WILDCARD : POLICY_BIND_LOOPBACK, SLICE_NONE);
    else if (is_wildcard(text))
        bind_wildcard(listen, text);
    else if (slice_is(text, "localhost"))
        bind_to(listen, POLICY_BIND_LOOPBACK, SLICE_NONE);
    else
        bind_to(listen, POLICY_BIND_ADDRESS, text);
}
