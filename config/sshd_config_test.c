/* The server's configuration: defaults, Match, restrictions, listening addresses, printed form. */
#include "config/fuzz_rounds.h"
#include "config/source_fake.h"
#include "config/sshd_config.h"
#include "tests/unit.h"

#define FILE_NAME "/etc/ssh/sshd_config"

struct run {
    struct sshd_config *config;
    struct server_options o;
    struct report report;
    enum err result;
};

static char wheel[] = "wheel", staff[] = "staff";
static char *anna_groups[] = {staff, wheel};
static const struct string_list groups_of_anna = {anna_groups, 2};

static const struct connection_facts anna = {
    .user = "anna",
    .groups = &groups_of_anna,
    .host = "home.example.org",
    .address = "192.0.2.7",
    .local_address = "198.51.100.1",
    .local_port = 2222,
};

static void run_resolve(struct run *run, const char *text, const struct connection_facts *facts,
                        const struct fake_file *more, const struct string_list *assignments)
{
    struct fake_file files[6] = {{FILE_NAME, slice_text(text)}};
    for (size_t count = 1; more != NULL && more->path != NULL; more++)
        files[count++] = *more;
    struct config_source source = FAKE_SOURCE(files);
    struct server_config_request request = {FILE_NAME, assignments, &source};
    server_options_init(&run->o);
    report_init(&run->report);
    run->result = sshd_config_load(&request, &run->config, &run->report);
    if (run->result == OK)
        run->result = sshd_config_resolve(run->config, facts, &run->o, &run->report);
}

static void run_done(struct run *run)
{
    server_options_done(&run->o);
    sshd_config_free(run->config);
    report_done(&run->report);
}

static char *printed(const struct server_options *o)
{
    struct buf out;
    buf_init(&out, 65536);
    assert_ok(server_options_print(o, &out));
    char *text = buf_strdup(&out);
    buf_done(&out);
    return text;
}

static void defaults_are_openssh_s(void **state)
{
    struct run run;
    (void)state;
    run_resolve(&run, "", NULL, NULL, NULL);
    assert_ok(run.result);
    assert_int_equal(run.o.gateway_ports, GATEWAY_NO);
    assert_int_equal(run.o.allow_tcp_forwarding, FORWARDING_ALL);
    assert_int_equal(run.o.allow_stream_local_forwarding, FORWARDING_ALL);
    assert_int_equal(run.o.permit_tunnel, TUNNEL_NO);
    assert_int_equal(run.o.permit_root_login, ROOT_PROHIBIT_PASSWORD);
    assert_false(run.o.disable_forwarding);
    assert_string_equal(run.o.permit_open.items[0], "any");
    assert_string_equal(run.o.permit_listen.items[0], "any");
    assert_true(run.o.strict_modes && run.o.pubkey_authentication && run.o.tcp_keep_alive);
    assert_int_equal(run.o.login_grace_time_s, 120);
    assert_int_equal(run.o.max_auth_tries, 6);
    assert_int_equal(run.o.max_sessions, 10);
    assert_int_equal(run.o.client_alive_count_max, 3);
    assert_int_equal(run.o.max_startups.rate, 30);
    assert_int_equal(run.o.host_keys.count, 3);
    assert_int_equal(run.o.authorized_keys_files.count, 2);
    assert_string_equal(run.o.pid_file, "/run/sshd.pid");
    assert_int_equal(run.o.listen_address_count, 1);
    assert_null(run.o.listen_addresses[0].host);
    assert_int_equal(run.o.listen_addresses[0].port, 22);
    run_done(&run);
}

/* Lines that `sshd -T -f /dev/null` of OpenSSH 9.2p1 prints for keywords that are built here. */
static void the_printed_defaults_are_openssh_s(void **state)
{
    static const char *const lines[] = {
        "\nport 22\n",
        "\naddressfamily any\n",
        "\nlistenaddress [::]:22\n",
        "\nlistenaddress 0.0.0.0:22\n",
        "\nlogingracetime 120\n",
        "\nmaxauthtries 6\n",
        "\nmaxsessions 10\n",
        "\nclientaliveinterval 0\n",
        "\nclientalivecountmax 3\n",
        "\npermitrootlogin without-password\n",
        "\npubkeyauthentication yes\n",
        "\nstrictmodes yes\n",
        "\ntcpkeepalive yes\n",
        "\ngatewayports no\n",
        "\nallowtcpforwarding yes\n",
        "\ndisableforwarding no\n",
        "\nallowstreamlocalforwarding yes\n",
        "\npidfile /run/sshd.pid\n",
        "\nloglevel INFO\n",
        "\nauthorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2\n",
        "\nhostkey /etc/ssh/ssh_host_rsa_key\n",
        "\nhostkey /etc/ssh/ssh_host_ed25519_key\n",
        "\nmaxstartups 10:30:100\n",
        "\npermittunnel no\n",
        "\nrekeylimit 0 0\n",
        "\npermitopen any\n",
        "\npermitlisten any\n",
        "\nusepam no\n",
        "\nx11displayoffset 10\n",
        "\nrequiredrsasize 1024\n",
        "\nignorerhosts yes\n",
        "\nhostbasedauthentication no\n",
        "\nkerberosorlocalpasswd yes\n",
        "\npasswordauthentication yes\n",
        "\nkbdinteractiveauthentication yes\n",
        "\npermitemptypasswords no\n",
        "\ncompression yes\n",
        "\nusedns no\n",
        "\nallowagentforwarding yes\n",
        "\nfingerprinthash SHA256\n",
        "\nmodulifile /etc/ssh/moduli\n",
        "\nxauthlocation /usr/bin/xauth\n",
        "\nchrootdirectory none\n",
        "\ntrustedusercakeys none\n",
        "\nrevokedkeys none\n",
        "\nsecuritykeyprovider internal\n",
        "\nauthorizedprincipalsfile none\n",
        "\nversionaddendum none\n",
        "\nauthorizedkeyscommand none\n",
        "\nauthorizedkeyscommanduser none\n",
        "\nhostkeyagent none\n",
        "\nsyslogfacility AUTH\n",
        "\nauthenticationmethods any\n",
        "\npersourcemaxstartups none\n",
        "\npersourcenetblocksize 32:128\n",
        "\npubkeyauthoptions none\n",
        /* and of 10.5 */
        "\nrefuseconnection no\n",
        "\nipqos ef cs0\n",
        "\npamservicename sshd\n",
        "\npersourcepenaltyexemptlist none\n",
        "\npersourcepenalties crash:90.000000 authfail:5.000000 noauth:1.000000 "
        "invaliduser:5.000000 grace-exceeded:10.000000 refuseconnection:10.000000 max:600.000000 "
        "min:15.000000 max-sources4:65536 max-sources6:65536 overflow:permissive "
        "overflow6:permissive\n",
        /* ours */
        "\npermitsession yes\n",
        "\nisolation auto\n",
        "\nlogformat text\n",
        "\naditwindow 134217728 268435456 1073741824\n",
    };
    struct run run;
    (void)state;
    run_resolve(&run, "", NULL, NULL, NULL);
    char *text = printed(&run.o);
    char *framed = mem_printf("\n%s", text);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_non_null(strstr(framed, lines[i]));
    mem_free(framed);
    mem_free(text);
    run_done(&run);
}

static void match_blocks_apply_to_whom_they_name(void **state)
{
    static const struct {
        const char *criterion;
        bool is_met;
    } cases[] = {
        {"User anna", true},
        {"user=anna", true},
        {"User a*,!anna", false},
        {"User bob,anna", true},
        {"User ANNA", false},
        {"Host *.EXAMPLE.org", true},
        {"Host example.org", false},
        {"Address 192.0.2.0/24", true},
        {"Address 192.0.2.0/24,!192.0.2.7", false},
        {"Address 10.0.0.0/8", false},
        {"LocalAddress 198.51.100.1", true},
        {"LocalPort 2222", true},
        {"LocalPort 22", false},
        {"User anna Address 192.0.2.7 LocalPort 2222", true},
        {"User anna Address 192.0.2.8", false},
        {"Invalid-User", false},
        {"Group wheel", true},
        {"Group=adm,wh*", true},
        {"Group adm", false},
        {"Group staff,!wheel", false},
        {"Group wheel User bob", false},
        {"RDomain vrf", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run;
        char *text = mem_printf("PermitOpen a:1\nMatch %s\nPermitOpen none\n", cases[i].criterion);
        run_resolve(&run, text, &anna, NULL, NULL);
        assert_ok(run.result);
        assert_int_equal(run.o.permit_open.count, 1);
        assert_string_equal(run.o.permit_open.items[0], cases[i].is_met ? "none" : "a:1");
        run_done(&run);
        run_resolve(&run, text, NULL, NULL, NULL);
        assert_string_equal(run.o.permit_open.items[0], "a:1");
        run_done(&run);
        mem_free(text);
    }
}

static void the_first_match_wins_and_replaces_the_global_value(void **state)
{
    struct run run;
    (void)state;
    run_resolve(&run,
                "AllowUsers bob\nGatewayPorts yes\nAllowTcpForwarding no\n"
                "Match User anna\nAllowTcpForwarding remote\nAllowUsers anna\n"
                "Match Address 192.0.2.0/24\nAllowTcpForwarding yes\nAllowUsers carol\n"
                "GatewayPorts clientspecified\n",
                &anna, NULL, NULL);
    assert_ok(run.result);
    assert_int_equal(run.o.allow_tcp_forwarding, FORWARDING_REMOTE);
    assert_int_equal(run.o.gateway_ports, GATEWAY_CLIENT_SPECIFIED);
    assert_int_equal(run.o.allow_users.count, 2);
    assert_string_equal(run.o.allow_users.items[0], "anna");
    assert_string_equal(run.o.allow_users.items[1], "carol");
    run_done(&run);
}

static void unknown_facts_match_nothing(void **state)
{
    const struct connection_facts nobody = {.user = NULL};
    static const char *const criteria[] = {"User *",       "Host *",  "Address *", "LocalAddress *",
                                           "LocalPort 22", "Group *", "RDomain *"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(criteria); i++) {
        struct run run;
        char *text = mem_printf("Match %s\nMaxSessions 1\n", criteria[i]);
        run_resolve(&run, text, &nobody, NULL, NULL);
        assert_ok(run.result);
        assert_int_equal(run.o.max_sessions, 10);
        run_done(&run);
        mem_free(text);
    }
}

static void what_could_fail_open_is_an_error(void **state)
{
    static const char *const cases[][2] = {
        {"Match User x\nMatch Version OpenSSH_1.*\nPort 22\n",
         FILE_NAME " line 3 column 1: Port cannot stand in a Match block"},
        {"RDomain vrf\n", FILE_NAME
         " line 1 column 9: RDomain takes none: nothing else is supported on this system, "
         "not \"vrf\""},
        {"PerSourcePenalties no crash:1s\n",
         FILE_NAME " line 1 column 20: PerSourcePenalties takes \"no\" only by itself"},
        {"Match Frob x\n",
         FILE_NAME " line 1 column 7: unknown Match criterion; known are All, User, Group, "
                   "Host, Address, LocalAddress, LocalPort, RDomain, Version, Invalid-User"},
        {"Match Address 10.0.0.1/8\n",
         FILE_NAME " line 1 column 7: bad value \"10.0.0.1/8\" of Match Address"},
        {"Match LocalPort 0\n", FILE_NAME " line 1 column 7: bad value \"0\" of Match LocalPort"},
        {"Match User\n", FILE_NAME " line 1 column 7: the Match criterion has no value"},
        {"Match\n", FILE_NAME " line 1 column 1: Match has no criterion"},
        {"Match All User x\n", FILE_NAME " line 1 column 7: Match All stands alone"},
        {"Match User x\nPort 22\n",
         FILE_NAME " line 2 column 1: Port cannot stand in a Match block"},
        {"Match User x\nPermitOpen 80\n",
         FILE_NAME " line 2 column 12: PermitOpen takes any, none or host:port, not \"80\""},
        {"PermitOpn none\n",
         FILE_NAME " line 1 column 1: unknown keyword \"PermitOpn\"; did you mean \"PermitOpen\"?"},
        {"Include sshd_config\n", FILE_NAME " line 1 column 9: Include is nested too deeply"},
        {"Port \"22\n", FILE_NAME " line 1 column 6: a quote is not closed"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run;
        run_resolve(&run, cases[i][0], NULL, NULL, NULL);
        assert_int_equal(run.result, ERR_CONFIG);
        assert_null(run.config);
        char *text = report_entry_format(report_error(&run.report));
        assert_string_equal(text, cases[i][1]);
        mem_free(text);
        run_done(&run);
    }
}

/* What asks for nothing is not worth a word. */
static void restrictions_that_are_not_built_are_loud(void **state)
{
    struct run run;
    (void)state;
    run_resolve(
        &run,
        "ChrootDirectory /a\nRDomain none\nX11Forwarding no\nX11Forwarding yes\n"
        "KerberosAuthentication No\nMatch User x\nChrootDirectory none\nX11Forwarding yes\n",
        NULL, NULL, NULL);
    assert_ok(run.result);
    assert_int_equal(run.report.count, 2); /* and each is told once */
    assert_int_equal(run.report.entries[0].severity, REPORT_WARNING);
    assert_int_equal(run.report.entries[0].line, 1);
    assert_int_equal(run.report.entries[1].severity, REPORT_NOTE);
    assert_int_equal(run.report.entries[1].line, 4);
    run_done(&run);
}

/* "Match All" ends a block: what follows is global, but wins over global lines for connections. */
static void match_all_and_a_fitting_version_hold_for_everybody(void **state)
{
    static const char *const criteria[] = {"All", "all", "Version OpenSSH_10.*", "version=adit_*",
                                           "Version *,!OpenSSH_9*"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(criteria); i++) {
        struct run run;
        char *text = mem_printf("MaxSessions 3\nAllowUsers a\nMatch User nobody\nMaxSessions 1\n"
                                "Match %s\nPort 2200\nPidFile /p\nMaxSessions 7\nAllowUsers b\n"
                                "GatewayPorts yes\n",
                                criteria[i]);
        run_resolve(&run, text, NULL, NULL, NULL);
        assert_ok(run.result);
        assert_int_equal(run.o.ports.items[0], 2200);
        assert_string_equal(run.o.pid_file, "/p");
        assert_int_equal(run.o.max_sessions, 3);
        assert_int_equal(run.o.allow_users.count, 2);
        assert_int_equal(run.o.gateway_ports, GATEWAY_YES);
        run_done(&run);
        run_resolve(&run, text, &anna, NULL, NULL);
        assert_int_equal(run.o.max_sessions, 7);
        assert_int_equal(run.o.allow_users.count, 1);
        run_done(&run);
        mem_free(text);
    }
    struct run run;
    run_resolve(&run, "Match Version OpenSSH_10*,!adit*\nMaxSessions 1\n", &anna, NULL, NULL);
    assert_int_equal(run.o.max_sessions, 10);
    run_done(&run);
}

static void includes_stay_in_their_block(void **state)
{
    const struct fake_file more[] = {
        {"/etc/ssh/sshd_config.d/a.conf",
         slice_text("Port 2200\nMatch User anna\nMaxSessions 1\n")},
        {"/etc/ssh/m.conf", slice_text("MaxAuthTries 2\nMatch User bob\nMaxAuthTries 1\n")},
        {NULL, SLICE_NONE},
    };
    struct run run;
    (void)state;
    /* A Match in an included file ends with it: PidFile is global again. */
    run_resolve(&run,
                "Include /etc/ssh/sshd_config.d/*.conf\nPidFile /p\nMatch User anna\n"
                "Include m.conf\nMaxStartups 1\n",
                &anna, more, NULL);
    assert_int_equal(run.result, ERR_CONFIG);
    assert_string_equal(report_error(&run.report)->keyword, "MaxStartups");
    run_done(&run);
    run_resolve(&run,
                "Include /etc/ssh/sshd_config.d/*.conf\nPidFile /p\nMatch User anna\n"
                "Include m.conf\nGatewayPorts yes\n",
                &anna, more, NULL);
    assert_ok(run.result);
    assert_int_equal(run.o.ports.items[0], 2200);
    assert_int_equal(run.o.max_sessions, 1);
    assert_int_equal(run.o.max_auth_tries, 2);
    assert_int_equal(run.o.gateway_ports, GATEWAY_YES);
    assert_string_equal(run.o.pid_file, "/p");
    run_done(&run);
    const struct connection_facts bob = {.user = "bob"};
    run_resolve(&run, "Match User anna\nInclude m.conf\n", &bob, more, NULL);
    assert_ok(run.result);
    assert_int_equal(run.o.max_auth_tries, 6);
    run_done(&run);
}

static void assignments_come_first(void **state)
{
    struct string_list assignments;
    struct run run;
    (void)state;
    string_list_init(&assignments);
    string_list_add(&assignments, "Port=2200");
    string_list_add(&assignments, "MaxSessions 3");
    run_resolve(&run, "MaxSessions 4\nMatch User anna\nMaxSessions 5\n", NULL, NULL, &assignments);
    assert_ok(run.result);
    assert_int_equal(run.o.max_sessions, 3);
    assert_int_equal(run.o.listen_addresses[0].port, 2200);
    run_done(&run);
    run_resolve(&run, "MaxSessions 4\nMatch User anna\nMaxSessions 5\n", &anna, NULL, &assignments);
    assert_int_equal(run.o.max_sessions, 5);
    run_done(&run);
    string_list_add(&assignments, "Match=all");
    run_resolve(&run, "", NULL, NULL, &assignments);
    assert_int_equal(run.result, ERR_CONFIG);
    run_done(&run);
    string_list_done(&assignments);
}

static void listening_addresses_take_the_ports(void **state)
{
    static const struct {
        const char *text, *printed;
    } cases[] = {
        {"Port 1\nPort 2\n", "[::]:1 0.0.0.0:1 [::]:2 0.0.0.0:2 "},
        {"AddressFamily inet\n", "0.0.0.0:22 "},
        {"AddressFamily inet6\n", "[::]:22 "},
        {"ListenAddress 10.0.0.1\nPort 1\nPort 2\n", "10.0.0.1:1 10.0.0.1:2 "},
        {"ListenAddress ::1\nListenAddress [::2]\nListenAddress [::3]:33\n",
         "[::1]:22 [::2]:22 [::3]:33 "},
        {"ListenAddress host:80\nListenAddress host:80\n", "host:80 "},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run;
        run_resolve(&run, cases[i].text, NULL, NULL, NULL);
        assert_ok(run.result);
        char *text = printed(&run.o), *found = mem_strdup("");
        static const char key[] = "listenaddress ";
        for (char *at = strstr(text, key); at != NULL; at = strstr(at + 1, key)) {
            size_t length = strcspn(at, "\n") - strlen(key);
            char *longer = mem_printf("%s%.*s ", found, (int)length, at + strlen(key));
            mem_free(found);
            found = longer;
        }
        assert_string_equal(found, cases[i].printed);
        mem_free(found);
        mem_free(text);
        run_done(&run);
    }
}

static void allow_and_deny_users(void **state)
{
    static const struct {
        const char *text;
        bool may;
    } cases[] = {
        {"", true},
        {"AllowUsers anna\n", true},
        {"AllowUsers bob\n", false},
        {"AllowUsers bob a*\n", true},
        {"AllowUsers anna@192.0.2.0/24\n", true},
        {"AllowUsers anna@10.0.0.0/8\n", false},
        {"AllowUsers anna@*.example.org\n", true},
        {"DenyUsers anna\n", false},
        {"DenyUsers bob\n", true},
        {"AllowUsers anna\nDenyUsers an?a@192.0.2.7\n", false},
        {"AllowUsers anna@*,!192.0.2.7\n", false},
        {"RefuseConnection yes\n", false},
        {"Match User bob\nRefuseConnection yes\n", true},
        {"AllowGroups wheel\n", true},
        {"AllowGroups adm wh*\n", true},
        {"AllowGroups adm\n", false},
        {"DenyGroups adm\n", true},
        {"DenyGroups st?ff\n", false},
        {"AllowUsers anna\nAllowGroups adm\n", false},
        {"AllowUsers anna\nDenyGroups wheel\n", false},
        {"AllowUsers bob\nAllowGroups wheel\n", false},
        {"DenyUsers anna\nAllowGroups wheel\n", false},
    };
    const struct connection_facts unknown_place = {.user = "anna"};
    const struct connection_facts unknown_user = {.address = "192.0.2.7"};
    struct run run;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        run_resolve(&run, cases[i].text, &anna, NULL, NULL);
        assert_ok(run.result);
        assert_int_equal(server_options_may_log_in(&run.o, &anna), cases[i].may);
        assert_false(server_options_may_log_in(&run.o, &unknown_user));
        run_done(&run);
    }
    run_resolve(&run, "DenyUsers anna@10.0.0.0/8\n", &anna, NULL, NULL);
    assert_false(server_options_may_log_in(&run.o, &unknown_place));
    run_done(&run);
    run_resolve(&run, "AllowUsers anna@10.0.0.0/8\n", &anna, NULL, NULL);
    assert_false(server_options_may_log_in(&run.o, &unknown_place));
    run_done(&run);
    run_resolve(&run, "DenyGroups adm\n", &anna, NULL, NULL);
    assert_false(server_options_may_log_in(&run.o, &unknown_place));
    run_done(&run);
}

/* What Debian 12 installs as /etc/ssh/sshd_config: its settings and some of its comments. */
static const char debian_text[] =
    "\n# This is the sshd server system-wide configuration file.  See\n"
    "# sshd_config(5) for more information.\n\n"
    "Include /etc/ssh/sshd_config.d/*.conf\n\n#Port 22\n#AddressFamily any\n"
    "#ListenAddress 0.0.0.0\n#ListenAddress ::\n\n#HostKey /etc/ssh/ssh_host_rsa_key\n"
    "# Ciphers and keying\n#RekeyLimit default none\n\n#LoginGraceTime 2m\n"
    "#AuthorizedKeysFile\t.ssh/authorized_keys .ssh/authorized_keys2\n"
    "KbdInteractiveAuthentication no\n\nUsePAM yes\n\n#GatewayPorts no\nX11Forwarding yes\n"
    "PrintMotd no\n#MaxStartups 10:30:100\n\nAcceptEnv LANG LC_*\n\n"
    "Subsystem\tsftp\t/usr/lib/openssh/sftp-server\n\n"
    "#Match User anoncvs\n#\tX11Forwarding no\n#\tForceCommand cvs server\n";

static void debian_s_stock_file_loads(void **state)
{
    struct run run;
    (void)state;
    run_resolve(&run, debian_text, NULL, NULL, NULL);
    assert_ok(run.result);
    assert_int_equal(run.report.count, 1);
    assert_string_equal(run.report.entries[0].keyword, "X11Forwarding");
    char *text = printed(&run.o);
    assert_non_null(strstr(text, "\nsubsystem sftp /usr/lib/openssh/sftp-server\n"));
    assert_non_null(strstr(text, "\nacceptenv LANG\nacceptenv LC_*\n"));
    mem_free(text);
    run_done(&run);
}

static void hostile_text_is_read_or_refused_and_prints_to_itself(void **state)
{
    static const char *const seeds[] = {
        debian_text,
        "Port 22\nPort 23\nListenAddress [::1]:2200\nListenAddress 10.0.0.1\nMaxStartups 5\n"
        "HostKey /a\nAllowUsers anna bob@10.0.0.0/8\nRekeyLimit 1G 1h\n",
        "PermitOpen h:80 [::1]:443\nPermitListen *:80 90\nMatch User a*,!b Address 192.0.2.0/24\n"
        "PermitOpen none\nGatewayPorts clientspecified\nMatch All\nForceCommand x \"y\n",
        "PerSourcePenalties crash:1m30s authfail:0.5 overflow:deny-all\nIPQoS af21 0x10\n"
        "PubkeyAuthOptions verify-required\nVersionAddendum a b #c\nPerSourceNetBlockSize 24\n"
        "Match Group a,!b Version adit*\nAuthenticationMethods publickey,password none\n",
        "Match LocalPort 22\nAllowTcpForwarding local\nInclude sshd_config\nBanner none\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        for (size_t length = 0; length <= strlen(seeds[i]); length += 3)
            (void)LLVMFuzzerTestOneInput((const uint8_t *)seeds[i], length);
    }
    fuzz_rounds(seeds, ARRAY_LEN(seeds), 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_openssh_s),
        cmocka_unit_test(the_printed_defaults_are_openssh_s),
        cmocka_unit_test(match_blocks_apply_to_whom_they_name),
        cmocka_unit_test(the_first_match_wins_and_replaces_the_global_value),
        cmocka_unit_test(unknown_facts_match_nothing),
        cmocka_unit_test(what_could_fail_open_is_an_error),
        cmocka_unit_test(restrictions_that_are_not_built_are_loud),
        cmocka_unit_test(match_all_and_a_fitting_version_hold_for_everybody),
        cmocka_unit_test(includes_stay_in_their_block),
        cmocka_unit_test(assignments_come_first),
        cmocka_unit_test(listening_addresses_take_the_ports),
        cmocka_unit_test(allow_and_deny_users),
        cmocka_unit_test(debian_s_stock_file_loads),
        cmocka_unit_test(hostile_text_is_read_or_refused_and_prints_to_itself),
    };
    return RUN_TESTS(tests);
}
