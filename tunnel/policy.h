/*
 * May this peer open, may it listen, and which addresses to bind: pure, no socket, no look-up.
 * Checked at the request and again at each channel open; whatever is not clearly allowed is
 * refused.
 */
#ifndef ADIT_TUNNEL_POLICY_H
#define ADIT_TUNNEL_POLICY_H

#include "base/buf.h"
#include "config/permit.h"

struct server_options;
struct key_options;

enum policy_gateway { POLICY_GATEWAY_NO, POLICY_GATEWAY_YES, POLICY_GATEWAY_CLIENT_SPECIFIED };

/* A list of rules; NULL items with is_restricted: nothing is permitted. Strings are borrowed. */
struct policy_rules {
    bool is_restricted; /* false: everything is permitted */
    bool is_plain;      /* a key's: OpenSSH's grammar, no networks, ranges and negation */
    char *const *items; /* as config/permit.h reads them */
    size_t count;
    const char *source; /* "PermitOpen", "permitopen= of the key": named in a refusal */
};

#define POLICY_RULE_SETS                                                                           \
    2 /* the server's configuration and the key's options: both must permit                        \
       */

/* A configuration list: "any" or an empty one restricts nothing, "none" permits nothing. Borrows.
 */
struct policy_rules policy_rules_of(const struct string_list *list, const char *source);

struct policy {
    bool may_open, may_listen; /* AllowTcpForwarding, DisableForwarding, the key's options */
    const char *open_switch;   /* what said no: "AllowTcpForwarding no"; NULL while allowed */
    const char *listen_switch;
    bool may_open_path, may_listen_path; /* AllowStreamLocalForwarding and the same others */
    const char *open_path_switch, *listen_path_switch;
    uint32_t bind_mask; /* StreamLocalBindMask */
    bool bind_unlink;   /* StreamLocalBindUnlink */
    enum policy_gateway gateway_ports;
    struct policy_rules open[POLICY_RULE_SETS];
    struct policy_rules listen[POLICY_RULE_SETS];
    unsigned may_tun;       /* bits: PermitTunnel, DisableForwarding, the key's options */
    const char *tun_switch; /* what said no to all; NULL otherwise */
    bool has_tun_unit;      /* the key's tunnel= */
    uint32_t tun_unit;
    bool may_agent; /* AllowAgentForwarding and the same others */
    const char *agent_switch;
};

/* All of a user's policy, from the server's options for him and his key's. Borrows from both. */
void policy_make(struct policy *p, const struct server_options *o, const struct key_options *k);

/* Why not, with the switch, list or rule that says so. */
struct policy_refusal {
    char text[384];
};

/*
 * direct-tcpip to host:port, as the peer wrote them. Where a rule depends on the address, this is
 * the first half of the answer, before any look-up; policy_may_dial has the last word.
 */
bool policy_may_open(const struct policy *p, struct slice host, uint32_t port,
                     struct policy_refusal *why) MUST_USE;

/* The same with an address (numeric) that host came to: only those that pass may be dialled. */
bool policy_may_dial(const struct policy *p, struct slice host, uint32_t port, const char *address,
                     struct policy_refusal *why) MUST_USE;

/*
 * Unix sockets: the switch, a path that a socket can have, and for opening the lists of targets:
 * who may reach one port of one host is not meant to reach every socket of the account.
 */
bool policy_may_open_path(const struct policy *p, struct slice path,
                          struct policy_refusal *why) MUST_USE;
bool policy_may_listen_path(const struct policy *p, struct slice path,
                            struct policy_refusal *why) MUST_USE;

#define POLICY_PATH_MAX 107 /* bytes of sun_path, less its NUL */

enum policy_bind {
    POLICY_BIND_LOOPBACK, /* 127.0.0.1 and ::1 */
    POLICY_BIND_WILDCARD, /* 0.0.0.0 and :: */
    POLICY_BIND_ADDRESS,  /* `address`, numeric or a name of this host */
};
struct policy_listen {
    enum policy_bind bind;
    char address[256];
    bool narrowed; /* the peer asked for more than loopback and gets loopback */
    bool widened;  /* the peer asked for less than the wildcard and gets the wildcard */
};

/* tcpip-forward for address:port as the peer wrote them. port 0: the server chooses. */
bool policy_may_listen(const struct policy *p, struct slice address, uint32_t port,
                       struct policy_listen *listen, struct policy_refusal *why) MUST_USE;

/* port is what the server chose where 0 was asked for: no negated rule forbids it. */
bool policy_may_keep(const struct policy *p, struct slice address, uint16_t port,
                     const struct policy_listen *listen, struct policy_refusal *why) MUST_USE;

#define POLICY_TUN_ANY 0x7fffffffu /* the peer leaves the unit to us */

/* tun@openssh.com: mode 1 is point-to-point, 2 ethernet; *unit becomes the key's where it has one.
 */
bool policy_may_tun(const struct policy *p, uint32_t mode, uint32_t *unit,
                    struct policy_refusal *why) MUST_USE;

bool policy_may_forward_agent(const struct policy *p, struct policy_refusal *why) MUST_USE;

/* The client's own rule for -L and -D: no address = loopback, or the wildcard with -g. */
void policy_local_bind(bool has_address, const char *address, bool gateway_ports,
                       struct policy_listen *listen);

#endif
