/*
 * Policy. The bind rule is OpenSSH's (sshd_config GatewayPorts); rules compare requested text with
 * text, so no alias of an address walks through a rule for another spelling.
 */
#include "tunnel/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/log.h"

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

/* "8080" or "*" against a port. */
static bool port_matches(struct slice rule, uint32_t port)
{
    uint32_t value = 0;
    if (slice_is(rule, "*"))
        return true;
    if (rule.len == 0 || rule.len > 5)
        return false;
    for (size_t i = 0; i < rule.len; i++) {
        if (rule.ptr[i] < '0' || rule.ptr[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(rule.ptr[i] - '0');
    }
    return value != 0 && value <= PORT_MAX && value == port;
}

/* Splits "host:port", "[v6]:port"; a bare "port" leaves host empty with has_host false. */
static void split(const char *item, struct slice *host, bool *has_host, struct slice *port)
{
    const char *colon = strrchr(item, ':');
    *has_host = colon != NULL;
    *host = colon ? slice_of(item, (size_t)(colon - item)) : SLICE_NONE;
    *port = slice_text(colon ? colon + 1 : item);
    if (host->len >= 2 && host->ptr[0] == '[' && host->ptr[host->len - 1] == ']') {
        host->ptr++;
        host->len -= 2;
    }
}

static bool host_matches(struct slice rule, struct slice host)
{
    if (slice_is(rule, "*"))
        return true;
    return rule.len == host.len &&
           strncasecmp((const char *)rule.ptr, (const char *)host.ptr, host.len) == 0;
}

static bool rules_permit(const struct policy_rules *rules, struct slice host, uint32_t port,
                         bool listening)
{
    if (!rules->is_restricted)
        return true;
    for (size_t i = 0; i < rules->count; i++) {
        struct slice rule_host, rule_port;
        bool has_host;
        split(rules->items[i], &rule_host, &has_host, &rule_port);
        if (!has_host && !listening)
            continue; /* a bare port means something for listening only */
        if ((!has_host || host_matches(rule_host, host)) && port_matches(rule_port, port))
            return true;
    }
    return false;
}

bool policy_may_open(const struct policy *p, struct slice host, uint32_t port,
                     struct policy_refusal *why)
{
    if (!p->may_open)
        return refuse(why, "a connection to", host, port, p->open_switch);
    if (host.len == 0 || port == 0)
        return refuse(why, "a connection to", host, port, "no such address");
    for (size_t i = 0; i < POLICY_RULE_SETS; i++) {
        if (!rules_permit(&p->open[i], host, port, false))
            return refuse(why, "a connection to", host, port, p->open[i].source);
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
    return may_path(p->may_open_path, p->open_path_switch, "a connection to", path, why);
}

bool policy_may_listen_path(const struct policy *p, struct slice path, struct policy_refusal *why)
{
    return may_path(p->may_listen_path, p->listen_path_switch, "to listen on", path, why);
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

bool policy_may_listen(const struct policy *p, struct slice address, uint32_t port,
                       struct policy_listen *listen, struct policy_refusal *why)
{
    if (!p->may_listen)
        return refuse(why, "to listen on", address, port, p->listen_switch);
    if (port > PORT_MAX || address.len >= sizeof(listen->address))
        return refuse(why, "to listen on", address, port, "no such address");
    for (size_t i = 0; i < POLICY_RULE_SETS; i++) {
        if (!rules_permit(&p->listen[i], address, port, true))
            return refuse(why, "to listen on", address, port, p->listen[i].source);
    }
    choose_bind(p->gateway_ports, address, listen);
    return true;
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
