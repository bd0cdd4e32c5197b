/*
 * A user's policy from the server's options and the key's: one row a kind of forward, so that every
 * switch meets every kind.
 */
#include "auth/authorized_keys.h"
#include "config/sshd_config.h"
#include "tunnel/policy.h"

static struct policy_rules rules_of_key(const struct key_rule_list *list, const char *source)
{
    return (struct policy_rules){.is_restricted = list->count > 0,
                                 .is_plain = true,
                                 .items = list->items,
                                 .count = list->count,
                                 .source = source};
}

/* What forbids a kind altogether; NULL: nothing. */
static const char *switch_of(const struct server_options *o, bool is_allowed, const char *name,
                             bool key_allows, const char *key_name)
{
    if (o->disable_forwarding)
        return "DisableForwarding yes";
    if (!is_allowed)
        return name;
    return key_allows ? NULL : key_name;
}

static enum policy_gateway gateway_of(enum gateway_ports ports)
{
    switch (ports) {
    case GATEWAY_YES:
        return POLICY_GATEWAY_YES;
    case GATEWAY_CLIENT_SPECIFIED:
        return POLICY_GATEWAY_CLIENT_SPECIFIED;
    case GATEWAY_NO:
        break;
    }
    return POLICY_GATEWAY_NO;
}

static void make_switches(struct policy *p, const struct server_options *o,
                          const struct key_options *k)
{
    static const char key_ports[] = "the key's options (restrict or no-port-forwarding)";
    static const char key_agent[] = "the key's options (restrict or no-agent-forwarding)";
    bool ports = k->may_forward_ports;
    /* As in sshd, what AllowTcpForwarding forbids is forbidden for Unix sockets, too. */
    unsigned tcp = (unsigned)o->allow_tcp_forwarding;
    unsigned paths = (unsigned)o->allow_stream_local_forwarding;
    const struct {
        const char **said_no;
        bool *may;
        bool is_allowed;
        const char *name;
        bool key_allows;
        const char *key_name;
    } rows[] = {
        {&p->open_switch, &p->may_open, tcp & FORWARDING_LOCAL, "AllowTcpForwarding (no local)",
         ports, key_ports},
        {&p->listen_switch, &p->may_listen, tcp & FORWARDING_REMOTE,
         "AllowTcpForwarding (no remote)", ports, key_ports},
        {&p->open_path_switch, &p->may_open_path, paths & tcp & FORWARDING_LOCAL,
         tcp & FORWARDING_LOCAL ? "AllowStreamLocalForwarding (no local)"
                                : "AllowTcpForwarding (no local)",
         ports, key_ports},
        {&p->listen_path_switch, &p->may_listen_path, paths & tcp & FORWARDING_REMOTE,
         tcp & FORWARDING_REMOTE ? "AllowStreamLocalForwarding (no remote)"
                                 : "AllowTcpForwarding (no remote)",
         ports, key_ports},
        {&p->tun_switch, NULL, o->permit_tunnel != TUNNEL_NO, "PermitTunnel no", ports, key_ports},
        {&p->agent_switch, &p->may_agent, o->allow_agent_forwarding, "AllowAgentForwarding no",
         k->may_forward_agent, key_agent},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        *rows[i].said_no =
            switch_of(o, rows[i].is_allowed, rows[i].name, rows[i].key_allows, rows[i].key_name);
        if (rows[i].may)
            *rows[i].may = *rows[i].said_no == NULL;
    }
    p->may_tun = p->tun_switch ? 0 : (unsigned)o->permit_tunnel;
}

void policy_make(struct policy *p, const struct server_options *o, const struct key_options *k)
{
    *p = (struct policy){
        .bind_mask = o->stream_local_bind_mask,
        .bind_unlink = o->stream_local_bind_unlink,
        .gateway_ports = gateway_of(o->gateway_ports),
        .open = {policy_rules_of(&o->permit_open, "PermitOpen"),
                 rules_of_key(&k->permit_open, "permitopen= of the key")},
        .listen = {policy_rules_of(&o->permit_listen, "PermitListen"),
                   rules_of_key(&k->permit_listen, "permitlisten= of the key")},
        .has_tun_unit = k->has_tunnel && k->tunnel != KEY_TUNNEL_ANY,
        .tun_unit = k->tunnel,
    };
    make_switches(p, o, k);
}
