/* Policy as written-out tables: where a listener binds, and which text a rule lets through. */
#include <stdio.h>

#include "auth/authorized_keys.h"
#include "config/sshd_config.h"
#include "tests/unit.h"
#include "tunnel/policy.h"

static const struct policy open_house = {.may_open = true, .may_listen = true};

#define LOOP  POLICY_BIND_LOOPBACK
#define WILD  POLICY_BIND_WILDCARD
#define GIVEN POLICY_BIND_ADDRESS

/* sshd_config(5) GatewayPorts x the requested address (RFC 4254 7.1). */
static void a_listener_binds_where_gateway_ports_says(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        enum policy_bind no, yes, client;
        bool narrowed, widened; /* with no; with yes */
    } rows[] = {
        /* clang-format off */
        {"localhost", LOOP,  WILD, LOOP,  false, false}, /* what OpenSSH's client sends for none */
        {"",          LOOP,  WILD, WILD,  true,  false},
        {"*",         LOOP,  WILD, WILD,  true,  false},
        {"0.0.0.0",   LOOP,  WILD, GIVEN, true,  false}, /* one family of the wildcard */
        {"::",        LOOP,  WILD, GIVEN, true,  false},
        {"127.0.0.1", GIVEN, WILD, GIVEN, false, true},
        {"::1",       GIVEN, WILD, GIVEN, false, true},
        {"192.0.2.1", LOOP,  WILD, GIVEN, true,  true},
        {"127.0.0.2", LOOP,  WILD, GIVEN, true,  true},
        {"LOCALHOST", LOOP,  WILD, GIVEN, true,  true},
        /* clang-format on */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const enum policy_bind wanted[] = {[POLICY_GATEWAY_NO] = rows[i].no,
                                           [POLICY_GATEWAY_YES] = rows[i].yes,
                                           [POLICY_GATEWAY_CLIENT_SPECIFIED] = rows[i].client};
        for (size_t gateway = 0; gateway < ARRAY_LEN(wanted); gateway++) {
            struct policy p = open_house;
            struct policy_listen listen;
            struct policy_refusal why;
            p.gateway_ports = (enum policy_gateway)gateway;
            assert_true(policy_may_listen(&p, slice_text(rows[i].address), 8080, &listen, &why));
            if (listen.bind != wanted[gateway])
                fail_msg("%s with gateway %zu: %d", rows[i].address, gateway, (int)listen.bind);
            assert_string_equal(listen.address, listen.bind == GIVEN ? rows[i].address : "");
            assert_int_equal(listen.narrowed, gateway == POLICY_GATEWAY_NO && rows[i].narrowed);
            assert_int_equal(listen.widened, gateway == POLICY_GATEWAY_YES && rows[i].widened);
        }
    }
}

static void with_gateway_ports_no_nothing_is_bound_but_loopback(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "",  "*",          "0.0.0.0",        "::",        "192.0.2.1",
        "0", "0x7f.1",     "::ffff:0.0.0.0", "host.name", "[::]",
        "%", "127.0.0.1.", "localhost",      "::1",       "127.0.0.1"};
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct policy_listen listen;
        struct policy_refusal why;
        assert_true(policy_may_listen(&open_house, slice_text(addresses[i]), 1, &listen, &why));
        assert_true(listen.bind == LOOP ||
                    (listen.bind == GIVEN && (strcmp(listen.address, "127.0.0.1") == 0 ||
                                              strcmp(listen.address, "::1") == 0)));
    }
}

static char *text(const char *literal)
{
    return (char *)(uintptr_t)literal;
}

static void rules_for_opening_compare_text(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *host;
        uint32_t port;
        bool permitted;
    } rows[] = {
        {"127.0.0.1:80", "127.0.0.1", 80, true},
        {"127.0.0.1:80", "127.0.0.1", 81, false},
        {"127.0.0.1:80", "127.1", 80, false},
        {"127.0.0.1:80", "127.0.0.1.", 80, false},
        {"127.0.0.1:80", "::ffff:127.0.0.1", 80, false},
        {"127.0.0.1:80", "localhost", 80, false},
        {"127.0.0.1:80", "2130706433", 80, false},
        {"127.0.0.1:80", "127.0.0.10", 80, false},
        {"localhost:80", "127.0.0.1", 80, false},
        {"db.example:3306", "db.example", 3306, true},
        {"db.example:3306", "DB.Example", 3306, true},
        {"db.example:3306", "db.example.", 3306, false},
        {"db.example:3306", "xdb.example", 3306, false},
        {"*:80", "anything", 80, true},
        {"*:80", "anything", 8080, false},
        {"host:*", "host", 1, true},
        {"host:*", "host", 65535, true},
        {"host:*", "other", 1, false},
        {"*:*", "anything", 7, true},
        {"*.example:80", "a.example", 80, false}, /* no wildcards inside a name */
        {"[::1]:80", "::1", 80, true},
        {"[::1]:80", "0:0:0:0:0:0:0:1", 80, false},
        {"80", "anything", 80, false}, /* a bare port is for listening */
        {"host:080", "host", 80, true},
        {"host:65536", "host", 65536, false},
        {"host:0", "host", 0, false},
        {"host:", "host", 80, false},
        {"host:8x", "host", 8, false},
        {"host:-1", "host", 65535, false},
        {"", "host", 80, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *items[] = {text(rows[i].rule)};
        for (size_t set = 0; set < POLICY_RULE_SETS; set++) {
            struct policy p = open_house;
            struct policy_refusal why = {""};
            p.open[set] = (struct policy_rules){true, set == 1, items, 1, "PermitOpen"};
            bool permitted = policy_may_open(&p, slice_text(rows[i].host), rows[i].port, &why);
            if (permitted != rows[i].permitted)
                fail_msg("%s against %s:%u", rows[i].rule, rows[i].host, rows[i].port);
            assert_int_equal(why.text[0] == '\0', permitted);
        }
    }
}

static void rules_for_listening_take_a_bare_port_too(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *address;
        uint32_t port;
        bool permitted;
    } rows[] = {
        {"8080", "", 8080, true},
        {"8080", "localhost", 8080, true},
        {"8080", "192.0.2.1", 8080, true},
        {"8080", "", 8081, false},
        {"*", "", 8080, true},
        {"localhost:8080", "localhost", 8080, true},
        {"localhost:8080", "127.0.0.1", 8080, false},
        {"localhost:8080", "", 8080, false},
        {"localhost:8080", "*", 8080, false},
        {"*:8080", "anything", 8080, true},
        {"8080", "", 0, false}, /* the server's choice is no port that was named */
        {"*:*", "", 0, true},
        {"[::1]:8080", "::1", 8080, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *items[] = {text(rows[i].rule)};
        for (size_t set = 0; set < POLICY_RULE_SETS; set++) {
            struct policy p = open_house;
            struct policy_listen listen;
            struct policy_refusal why = {""};
            p.listen[set] = (struct policy_rules){true, set == 1, items, 1, "PermitListen"};
            if (policy_may_listen(&p, slice_text(rows[i].address), rows[i].port, &listen, &why) !=
                rows[i].permitted)
                fail_msg("%s against %s:%u", rows[i].rule, rows[i].address, rows[i].port);
        }
    }
}

static void an_empty_list_permits_nothing_and_both_sets_must_permit(void **state)
{
    (void)state;
    struct policy p = open_house;
    struct policy_listen listen;
    struct policy_refusal why;
    char *items[] = {text("a:1"), text("b:2")}, *fewer[] = {text("b:2")};
    for (size_t set = 0; set < POLICY_RULE_SETS; set++) {
        p = open_house;
        p.open[set] = p.listen[set] = (struct policy_rules){true, false, NULL, 0, "the empty list"};
        assert_false(policy_may_open(&p, slice_text("a"), 1, &why));
        assert_non_null(strstr(why.text, "the empty list"));
        assert_false(policy_may_listen(&p, slice_text(""), 1, &listen, &why));
    }
    p = open_house;
    p.open[0] = (struct policy_rules){true, false, items, 2, "PermitOpen"};
    p.open[1] = (struct policy_rules){true, true, fewer, 1, "permitopen= of the key"};
    assert_true(policy_may_open(&p, slice_text("b"), 2, &why));
    assert_false(policy_may_open(&p, slice_text("a"), 1, &why));
    assert_non_null(strstr(why.text, "permitopen= of the key"));
}

static void switches_and_impossible_addresses_refuse(void **state)
{
    (void)state;
    struct policy p = {.open_switch = "AllowTcpForwarding no",
                       .listen_switch = "DisableForwarding yes"};
    struct policy_listen listen;
    struct policy_refusal why;
    char host[400];
    assert_false(policy_may_open(&p, slice_text("a"), 1, &why));
    assert_non_null(strstr(why.text, "AllowTcpForwarding no"));
    assert_false(policy_may_listen(&p, slice_text("a"), 1, &listen, &why));
    assert_non_null(strstr(why.text, "DisableForwarding yes"));
    p = open_house;
    assert_false(policy_may_open(&p, slice_text(""), 1, &why));
    assert_false(policy_may_open(&p, slice_text("a"), 0, &why));
    assert_false(policy_may_listen(&p, slice_text("a"), 65536, &listen, &why));
    memset(host, 'h', sizeof(host));
    assert_false(policy_may_listen(&p, slice_of(host, sizeof(host)), 1, &listen, &why));
    assert_true(policy_may_listen(&p, slice_text("a"), 0, &listen, &why));
}

static void a_refusal_shows_peer_text_escaped(void **state)
{
    (void)state;
    struct policy p = {.open_switch = "no"};
    struct policy_refusal why;
    assert_false(policy_may_open(&p, slice_text("a\x1b[2J\nb"), 1, &why));
    assert_null(strchr(why.text, '\x1b'));
    assert_null(strchr(why.text, '\n'));
}

static void the_client_s_own_listeners_keep_to_loopback_unless_asked(void **state)
{
    (void)state;
    static const struct {
        const char *address; /* NULL: none was given */
        bool gateway;
        enum policy_bind bind;
    } rows[] = {
        {NULL, false, LOOP},        {NULL, true, WILD},          {"", false, WILD},
        {"*", false, WILD},         {"localhost", true, LOOP},   {"0.0.0.0", false, GIVEN},
        {"127.0.0.1", true, GIVEN}, {"192.0.2.1", false, GIVEN},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policy_listen listen;
        policy_local_bind(rows[i].address != NULL, rows[i].address, rows[i].gateway, &listen);
        assert_int_equal(listen.bind, rows[i].bind);
    }
}

static void a_name_is_dialled_only_where_its_address_is_permitted(void **state)
{
    (void)state;
    char *items[] = {text("*:*"), text("!10.0.0.0/8:*")}, *network[] = {text("192.0.2.0/24:80")};
    struct policy_refusal why;
    struct slice name = slice_text("db");
    struct policy p = open_house;
    p.open[0] = (struct policy_rules){true, false, items, 2, "PermitOpen"};
    assert_true(policy_may_open(&p, name, 80, &why));
    assert_true(policy_may_dial(&p, name, 80, "192.0.2.1", &why));
    assert_false(policy_may_dial(&p, name, 80, "10.1.2.3", &why));
    assert_non_null(strstr(why.text, "db:80: PermitOpen, rule !10.0.0.0/8:* (it is 10.1.2.3)"));
    p.open[0] = (struct policy_rules){true, false, network, 1, "PermitOpen"};
    assert_true(policy_may_open(&p, name, 80, &why));
    assert_false(policy_may_open(&p, name, 81, &why));
    assert_true(policy_may_dial(&p, name, 80, "192.0.2.1", &why));
    assert_false(policy_may_dial(&p, name, 80, "192.0.3.1", &why));
    p.open[1] = (struct policy_rules){true, true, network, 1, "permitopen= of the key"};
    assert_false(policy_may_open(&p, name, 80, &why)); /* a key's rule is text */
    p.may_open = false;
    p.open_switch = "DisableForwarding yes";
    assert_false(policy_may_dial(&p, name, 80, "192.0.2.1", &why));
}

static void a_listener_binds_no_address_that_a_rule_forbids(void **state)
{
    (void)state;
    static const struct {
        const char *rules[2];
        enum policy_gateway gateway;
        const char *address;
        bool permitted;
    } rows[] = {
        {{"*:*", "!192.0.2.0/24:*"}, POLICY_GATEWAY_CLIENT_SPECIFIED, "192.0.2.1", false},
        {{"*:*", "!192.0.2.0/24:*"}, POLICY_GATEWAY_CLIENT_SPECIFIED, "198.51.100.1", true},
        {{"*:*", "!192.0.2.0/24:*"}, POLICY_GATEWAY_CLIENT_SPECIFIED, "localhost", true},
        {{"*:*", "!192.0.2.0/24:*"}, POLICY_GATEWAY_CLIENT_SPECIFIED, "*", false},
        {{"*:*", "!192.0.2.0/24:*"}, POLICY_GATEWAY_CLIENT_SPECIFIED, "a.name", false},
        {{"*:*", "!192.0.2.0/24:*"}, POLICY_GATEWAY_YES, "127.0.0.1", false},
        {{"*:*", "!192.0.2.0/24:*"}, POLICY_GATEWAY_NO, "192.0.2.1", true}, /* becomes loopback */
        {{"*:*", "!127.0.0.1:*"}, POLICY_GATEWAY_NO, "localhost", false},
        {{"192.0.2.0/24:*", "80"}, POLICY_GATEWAY_CLIENT_SPECIFIED, "192.0.2.1", true},
        {{"192.0.2.0/24:*", "80"}, POLICY_GATEWAY_CLIENT_SPECIFIED, "0.0.0.0", false},
        {{"192.0.2.0/24:*", "80"}, POLICY_GATEWAY_NO, "192.0.2.1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *items[] = {text(rows[i].rules[0]), text(rows[i].rules[1])};
        struct policy p = open_house;
        struct policy_listen listen;
        struct policy_refusal why;
        p.gateway_ports = rows[i].gateway;
        p.listen[0] = (struct policy_rules){true, false, items, 2, "PermitListen"};
        if (policy_may_listen(&p, slice_text(rows[i].address), 8080, &listen, &why) !=
            rows[i].permitted)
            fail_msg("%s %s for %s", items[0], items[1], rows[i].address);
    }
}

static void a_port_that_the_server_chose_meets_the_negated_rules(void **state)
{
    (void)state;
    char *items[] = {text("*:*"), text("!*:40000-50000")};
    struct policy p = open_house;
    struct policy_listen listen;
    struct policy_refusal why;
    struct slice address = slice_text("localhost");
    p.listen[0] = (struct policy_rules){true, false, items, 2, "PermitListen"};
    assert_true(policy_may_listen(&p, address, 0, &listen, &why));
    assert_true(policy_may_keep(&p, address, 39999, &listen, &why));
    assert_false(policy_may_keep(&p, address, 40000, &listen, &why));
    assert_non_null(strstr(why.text, "rule !*:40000-50000"));
}

/* ---- every switch x every kind ---- */

enum kind { OPEN, LISTEN, OPEN_PATH, LISTEN_PATH, TUN_POINT, TUN_ETHERNET, AGENT, KINDS };

static bool may(const struct policy *p, enum kind kind)
{
    struct policy_refusal why = {""};
    struct policy_listen listen;
    uint32_t unit = POLICY_TUN_ANY;
    bool answers[] = {
        [OPEN] = policy_may_open(p, slice_text("h"), 80, &why),
        [LISTEN] = policy_may_listen(p, slice_text(""), 80, &listen, &why),
        [OPEN_PATH] = policy_may_open_path(p, slice_text("/s"), &why),
        [LISTEN_PATH] = policy_may_listen_path(p, slice_text("/s"), &why),
        [TUN_POINT] = policy_may_tun(p, 1, &unit, &why),
        [TUN_ETHERNET] = policy_may_tun(p, 2, &unit, &why),
        [AGENT] = policy_may_forward_agent(p, &why),
    };
    return answers[kind];
}

static void set_options(struct server_options *o, const char *text)
{
    struct report report;
    report_init(&report);
    for (const char *at = text; *at != '\0';) {
        char *line CLEANUP(mem_cleanup) = mem_strndup(at, strcspn(at, ";"));
        char *value = strchr(line, ' ');
        *value++ = '\0';
        const struct option_row *row = option_find(OPTION_SERVER, line);
        assert_non_null(row);
        assert_ok(option_parse_text(&o->state, OPTION_SERVER, row, value, NULL, &report));
        at += strcspn(at, ";");
        at += *at == ';' ? 1 : 0;
    }
    option_set_defaults(&o->state);
    report_done(&report);
}

#define TUN "PermitTunnel yes"

static void every_switch_meets_every_kind_of_forward(void **state)
{
    (void)state;
    static const struct {
        const char *options, *key;
        const char *permitted; /* a letter a kind, in the order of enum kind */
    } rows[] = {
        {"", "", "oLpP--a"}, /* OpenSSH's defaults */
        {TUN, "", "oLpPtEa"},
        {TUN ";DisableForwarding yes", "", "-------"},
        {TUN ";DisableForwarding yes", "port-forwarding,agent-forwarding", "-------"},
        {TUN ";AllowTcpForwarding no", "", "----tEa"},
        {TUN ";AllowTcpForwarding local", "", "o-p-tEa"},
        {TUN ";AllowTcpForwarding remote", "", "-L-PtEa"},
        {TUN ";AllowStreamLocalForwarding no", "", "oL--tEa"},
        {TUN ";AllowStreamLocalForwarding local", "", "oLp-tEa"},
        {TUN ";AllowStreamLocalForwarding remote", "", "oL-PtEa"},
        {"PermitTunnel no", "", "oLpP--a"},
        {"PermitTunnel point-to-point", "", "oLpPt-a"},
        {"PermitTunnel ethernet", "", "oLpP-Ea"},
        {TUN ";AllowAgentForwarding no", "", "oLpPtE-"},
        {TUN ";PermitOpen none", "", "-L-PtEa"},
        {TUN ";PermitListen none", "", "o-pPtEa"},
        {TUN ";PermitOpen x:80", "", "-L-PtEa"},
        {TUN ";PermitOpen *:*", "", "oLpPtEa"},
        {TUN ";PermitListen 81", "", "o-pPtEa"},
        {TUN, "permitopen=\"x:80\"", "-L-PtEa"},
        {TUN, "permitlisten=\"81\"", "o-pPtEa"},
        {TUN, "permitopen=\"h:80\"", "oL-PtEa"},
        {TUN, "no-port-forwarding", "------a"},
        {TUN, "no-agent-forwarding", "oLpPtE-"},
        {TUN, "restrict", "-------"},
        {TUN, "restrict,port-forwarding", "oLpPtE-"},
        {TUN, "restrict,agent-forwarding", "------a"},
        {TUN, "restrict,tunnel=\"1\"", "-------"},
        {TUN, "tunnel=\"1\"", "oLpPtEa"},
        {TUN ";AllowTcpForwarding no", "port-forwarding", "----tEa"},
    };
    size_t cells = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static const char letters[] = "oLpPtEa";
        struct server_options o;
        struct key_options k;
        struct policy p;
        const char *why;
        const char *wanted = rows[i].permitted;
        server_options_init(&o);
        set_options(&o, rows[i].options);
        assert_ok(key_options_parse(slice_text(rows[i].key), &k, &why));
        policy_make(&p, &o, &k);
        for (size_t kind = 0; kind < KINDS; kind++, cells++) {
            bool is_wanted = strchr(wanted, letters[kind]) != NULL;
            if (may(&p, (enum kind)kind) != is_wanted)
                fail_msg("\"%s\" with key \"%s\": %c", rows[i].options, rows[i].key, letters[kind]);
        }
        key_options_done(&k);
        server_options_done(&o);
    }
    print_message("%zu cells\n", cells);
    assert_int_equal(cells, ARRAY_LEN(rows) * KINDS);
}

static void the_key_s_tunnel_is_the_one_it_gets(void **state)
{
    (void)state;
    struct policy p = {.may_tun = 3, .has_tun_unit = true, .tun_unit = 5};
    struct policy_refusal why;
    uint32_t unit = POLICY_TUN_ANY;
    assert_true(policy_may_tun(&p, 1, &unit, &why));
    assert_int_equal(unit, 5);
    assert_true(policy_may_tun(&p, 1, &unit, &why));
    unit = 6;
    assert_false(policy_may_tun(&p, 1, &unit, &why));
    assert_non_null(strstr(why.text, "tunnel= of the key"));
    unit = 5;
    assert_false(policy_may_tun(&p, 0, &unit, &why));
    assert_false(policy_may_tun(&p, 3, &unit, &why));
    p.has_tun_unit = false;
    unit = 7;
    assert_true(policy_may_tun(&p, 2, &unit, &why));
    assert_int_equal(unit, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_binds_where_gateway_ports_says),
        cmocka_unit_test(with_gateway_ports_no_nothing_is_bound_but_loopback),
        cmocka_unit_test(rules_for_opening_compare_text),
        cmocka_unit_test(rules_for_listening_take_a_bare_port_too),
        cmocka_unit_test(an_empty_list_permits_nothing_and_both_sets_must_permit),
        cmocka_unit_test(switches_and_impossible_addresses_refuse),
        cmocka_unit_test(a_refusal_shows_peer_text_escaped),
        cmocka_unit_test(the_client_s_own_listeners_keep_to_loopback_unless_asked),
        cmocka_unit_test(a_name_is_dialled_only_where_its_address_is_permitted),
        cmocka_unit_test(a_listener_binds_no_address_that_a_rule_forbids),
        cmocka_unit_test(a_port_that_the_server_chose_meets_the_negated_rules),
        cmocka_unit_test(every_switch_meets_every_kind_of_forward),
        cmocka_unit_test(the_key_s_tunnel_is_the_one_it_gets),
    };
    return RUN_TESTS(tests);
}
