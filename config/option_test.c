/* The table itself: its rows hold together, words are found, mistyped ones get a neighbour. */
#include <strings.h>

#include "config/option.h"
#include "config/ssh_config.h"
#include "config/sshd_config.h"
#include "tests/unit.h"

static void rows_hold_together(void **state)
{
    static const enum option_scope scopes[] = {OPTION_CLIENT, OPTION_SERVER};
    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(scopes); s++) {
        size_t count;
        const struct option_row *rows = option_rows(scopes[s], &count);
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < i; j++)
                assert_int_not_equal(strcasecmp(rows[i].name, rows[j].name), 0);
            assert_int_equal(rows[i].type == OPTION_ALIAS, rows[i].alias_of != NULL);
            assert_int_equal(rows[i].type == OPTION_WORD || rows[i].type == OPTION_BITS,
                             rows[i].words != NULL);
            const struct option_row *found = option_find(scopes[s], rows[i].name);
            assert_non_null(found);
            if (rows[i].type == OPTION_ALIAS)
                assert_string_equal(found->name, rows[i].alias_of);
            else
                assert_ptr_equal(found, &rows[i]);
        }
    }
}

static void retired_and_debian_keywords_are_known(void **state)
{
    static const char *const client[] = {
        "challengeresponseauthentication",
        "RSAAuthentication",
        "Protocol",
        "DSAAuthentication",
        "Cipher",
        "UseRoaming",
        "PubkeyAcceptedKeyTypes",
        "HostbasedKeyTypes",
        "GSSAPITrustDns",
        "UsePrivilegedPort",
        "ObscureKeystrokeTiming",
        "WarnWeakCrypto",
        "Tag",
        "ChannelTimeout",
        "RefuseConnection",
        "VersionAddendum",
    };
    static const char *const server[] = {
        "keyregenerationinterval",
        "UsePrivilegeSeparation",
        "ServerKeyBits",
        "DebianBanner",
        "SshdSessionPath",
        "SshdAuthPath",
        "PerSourcePenalties",
        "PerSourcePenaltyExemptList",
        "PAMServiceName",
        "RefuseConnection",
        "UnusedConnectionTimeout",
        "Protocol",
        "UseLogin",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(client); i++)
        assert_non_null(option_find(OPTION_CLIENT, client[i]));
    for (size_t i = 0; i < ARRAY_LEN(server); i++)
        assert_non_null(option_find(OPTION_SERVER, server[i]));
    assert_null(option_find(OPTION_CLIENT, "PermitOpen"));
    assert_null(option_find(OPTION_SERVER, "LocalForward"));
    assert_null(option_find(OPTION_SERVER, ""));
}

static void restrictions_that_are_not_built_are_marked(void **state)
{
    static const char *const names[] = {
        "ChrootDirectory",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_true(option_find(OPTION_SERVER, names[i])->flags & OPTION_RESTRICTS);
}

static void mistyped_keywords_get_a_neighbour(void **state)
{
    static const char *const cases[][2] = {
        {"Prot", "Port"},
        {"prot", "Port"},
        {"LocalFoward", "LocalForward"},
        {"RemoteForwards", "RemoteForward"},
        {"ServerAliveIntervall", "ServerAliveInterval"},
        {"HsotName", "HostName"},
        {"ExitOnForwardFaliure", "ExitOnForwardFailure"},
        {"x", NULL},
        {"Completely", NULL},
        {"", NULL},
        {"AVeryLongWordThatIsLongerThanAnyKeywordOfOpenSSHAndThenSomeMoreOnTopOfIt", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *nearest = option_nearest(OPTION_CLIENT, cases[i][0]);
        if (cases[i][1] == NULL)
            assert_null(nearest);
        else
            assert_string_equal(nearest, cases[i][1]);
    }
    assert_string_equal(option_nearest(OPTION_SERVER, "GatewayPort"), "GatewayPorts");
}

static void letters_stand_for_known_keywords(void **state)
{
    const char *keyword, *fixed;
    int found = 0;
    (void)state;
    for (int letter = 1; letter < 127; letter++) {
        if (!option_letter((char)letter, &keyword, &fixed))
            continue;
        found++;
        assert_non_null(option_find(OPTION_CLIENT, keyword));
    }
    assert_int_equal(found, 35);
    assert_true(option_letter('g', &keyword, &fixed));
    assert_string_equal(keyword, "GatewayPorts");
    assert_string_equal(fixed, "yes");
    assert_true(option_letter('L', &keyword, &fixed));
    assert_null(fixed);
    assert_false(option_letter('F', &keyword, &fixed));
}

struct value {
    enum option_scope scope;
    const char *keyword, *value;
    const char *outcome; /* what is printed behind the keyword, or the error */
};

/* Fills out with the printed line, or the error's text; the caller frees it. */
static char *outcome_of(const struct value *v)
{
    struct client_options client;
    struct server_options server;
    struct report report;
    struct buf out;
    client_options_init(&client);
    server_options_init(&server);
    report_init(&report);
    buf_init(&out, 65536);
    struct option_state *state = v->scope == OPTION_CLIENT ? &client.state : &server.state;
    const struct option_row *row = option_find(v->scope, v->keyword);
    assert_non_null(row);
    struct place place = {"f", 1, 0};
    enum err result = option_parse_text(state, v->scope, row, v->value, &place, &report);
    if (result == OK)
        assert_ok(option_print(state, row, &out));
    else
        assert_non_null(report_error(&report));
    char *text = result == OK ? buf_strdup(&out) : mem_strdup(report_error(&report)->text);
    buf_done(&out);
    report_done(&report);
    client_options_done(&client);
    server_options_done(&server);
    return text;
}

#define C OPTION_CLIENT
#define S OPTION_SERVER

static void values_are_read_or_refused(void **state)
{
    static const struct value cases[] = {
        {C, "BatchMode", "Yes", "batchmode yes\n"},
        {C, "BatchMode", "false", "batchmode no\n"},
        {C, "BatchMode", "maybe", "BatchMode is yes or no, not \"maybe\""},
        {C, "BatchMode", "yes no", "extra word \"no\" behind the value of BatchMode"},
        {C, "BatchMode", "", "BatchMode has no value"},
        {C, "Port", "2222", "port 2222\n"},
        {C, "Port", "0", "Port is a number from 1 to 65535, not \"0\""},
        {C, "Port", "65536", "Port is a number from 1 to 65535, not \"65536\""},
        {C, "Port", "131073", "Port is a number from 1 to 65535, not \"131073\""},
        {C, "Port", "2000blah", "Port is a number from 1 to 65535, not \"2000blah\""},
        {C, "StrictHostKeyChecking", "off", "stricthostkeychecking false\n"},
        {C, "StrictHostKeyChecking", "yes", "stricthostkeychecking true\n"},
        {C, "StrictHostKeyChecking", "accept-new", "stricthostkeychecking accept-new\n"},
        {C, "LogLevel", "debug1", "loglevel DEBUG\n"},
        {C, "LogLevel", "loud",
         "LogLevel is one of SILENT, QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2, "
         "DEBUG3, not \"loud\""},
        {C, "ServerAliveInterval", "1m30s", "serveraliveinterval 90\n"},
        {C, "ServerAliveInterval", "-1",
         "ServerAliveInterval is a time such as 30, 90s or 1m30s, not \"-1\""},
        {C, "ConnectTimeout", "none", "connecttimeout none\n"},
        {C, "ServerAliveCountMax", "2", "serveralivecountmax 2\n"},
        {C, "ConnectionAttempts", "0",
         "ConnectionAttempts is a number from 1 to 2147483647, not \"0\""},
        {C, "RekeyLimit", "1G 1h", "rekeylimit 1073741824 3600\n"},
        {C, "RekeyLimit", "default none", "rekeylimit 0 0\n"},
        {C, "RekeyLimit", "256k", "rekeylimit 262144 0\n"},
        {C, "RekeyLimit", "15", "RekeyLimit is at least 16 bytes"},
        {C, "RekeyLimit", "1X",
         "RekeyLimit begins with default or a size such as 500M or 1G, not \"1X\""},
        {C, "RekeyLimit", "99999999999999999999G",
         "RekeyLimit begins with default or a size such as 500M or 1G, not "
         "\"99999999999999999999G\""},
        {C, "AditWindow", "128M 256M 1G", "aditwindow 134217728 268435456 1073741824\n"},
        {C, "AditWindow", "1M", "aditwindow 1048576 268435456 1073741824\n"},
        {S, "AditWindow", "32k 1m", "aditwindow 32768 1048576 1073741824\n"},
        {C, "AditWindow", "31K", "AditWindow is from 32K to 1G a channel"},
        {C, "AditWindow", "1025M", "AditWindow is from 32K to 1G a channel"},
        {S, "AditWindow", "64M 1K", "AditWindow is at least 1M for a connection and for a process"},
        {S, "AditWindow", "64M 2M 1",
         "AditWindow is at least 1M for a connection and for a process"},
        {C, "AditWindow", "64M 2X",
         "AditWindow takes up to three sizes such as 128M 256M 1G, not \"2X\""},
        {C, "MACs", "hmac-sha2-256", "macs hmac-sha2-256\n"},
        {C, "MACs", "hmac-md7", "MACs names \"hmac-md7\", which is no MAC"},
        {C, "MACs", "hmac-ripemd160", "MACs leaves no MAC: none of \"hmac-ripemd160\" is built"},
        {C, "ProxyCommand", "sh -c \"nc %h %p\" # x", "proxycommand sh -c \"nc %h %p\" # x\n"},
        {C, "UserKnownHostsFile", "a \"b c\"", "userknownhostsfile a \"b c\"\n"},
        {C, "IdentityFile", "a b", "extra word \"b\" behind the value of IdentityFile"},
        {C, "LocalForward", "127.0.0.1:4406 remote-host:3306",
         "localforward [127.0.0.1]:4406 [remote-host]:3306\n"},
        {C, "DynamicForward", "1080", "dynamicforward 1080\n"},
        {C, "LocalForward", "80 h:x",
         "bad LocalForward \"80 h:x\" at character 6: expected a port from 1 to 65535, found "
         "\"x\""},
        {C, "SetEnv", "A=\"b c\" D=e", "setenv \"A=b c\" D=e\n"},
        {C, "SendEnv", "LANG LC_*", "sendenv LANG\nsendenv LC_*\n"},
        {C, "SendEnv", "LANG LC_A LC_B -LC_* X", "sendenv LANG\nsendenv X\n"},
        {C, "SetEnv", "A=1 B=2 A=3", "setenv A=1 B=2\n"},
        {C, "ControlPersist", "yes", "controlpersist yes\n"},
        {C, "ControlPersist", "no", "controlpersist no\n"},
        {C, "ControlPersist", "0", "controlpersist yes\n"},
        {C, "ControlPersist", "1m30s", "controlpersist 90\n"},
        {C, "ControlPersist", "maybe", "ControlPersist takes yes, no or a time, not \"maybe\""},
        {C, "ControlMaster", "yes", "controlmaster true\n"},
        {C, "ControlMaster", "autoask", "controlmaster autoask\n"},
        {C, "ForwardAgent", "yes", "forwardagent yes\n"},
        {C, "ForwardAgent", "$SOCK", "forwardagent $SOCK\n"},
        {C, "ForwardAgent", "/a b",
         "ForwardAgent takes yes, no, a socket's path or $VARIABLE, not \"b\""},
        {C, "ForwardAgent", "$1",
         "ForwardAgent takes yes, no, a socket's path or $VARIABLE, not \"$1\""},
        {C, "AddKeysToAgent", "yes", "addkeystoagent true\n"},
        {C, "AddKeysToAgent", "confirm", "addkeystoagent confirm\n"},
        {C, "AddKeysToAgent", "confirm 1h", "addkeystoagent confirm 3600\n"},
        {C, "AddKeysToAgent", "1h", "addkeystoagent 3600\n"},
        {C, "AddKeysToAgent", "ask 1h",
         "AddKeysToAgent takes yes, no, ask, a time, or confirm and perhaps a time, not \"1h\""},
        {C, "EscapeChar", "~", "escapechar ~\n"},
        {C, "EscapeChar", "^a", "escapechar ^A\n"},
        {C, "EscapeChar", "none", "escapechar none\n"},
        {C, "EscapeChar", "ab",
         "EscapeChar takes none, one character or ^ and a letter, not \"ab\""},
        {C, "TunnelDevice", "0", "tunneldevice 0:any\n"},
        {C, "TunnelDevice", "any:3", "tunneldevice any:3\n"},
        {C, "TunnelDevice",
         "1:", "TunnelDevice takes LOCAL or LOCAL:REMOTE, each a number or any, not \"1:\""},
        {C, "TunnelDevice", "2147483646",
         "TunnelDevice takes LOCAL or LOCAL:REMOTE, each a number or any, not \"2147483646\""},
        {C, "Tunnel", "yes", "tunnel point-to-point\n"},
        {C, "ObscureKeystrokeTiming", "interval:80", "obscurekeystroketiming interval:80\n"},
        {C, "ObscureKeystrokeTiming", "interval:1001",
         "ObscureKeystrokeTiming takes yes, no or interval:MILLISECONDS up to 1000, not "
         "\"interval:1001\""},
        {C, "IPQoS", "af21 cs1", "ipqos af21 cs1\n"},
        {C, "RemoteCommand", "echo \"a b\" # x", "remotecommand echo \"a b\" # x\n"},
        {C, "RevokedHostKeys", "/a /b", "revokedhostkeys /a /b\n"},
        {C, "ChannelTimeout", "session=5m x=1", "channeltimeout session=5m x=1\n"},
        {C, "VerifyHostKeyDNS", "no", "verifyhostkeydns false\n"},
        {C, "ForwardX11", "TRUE", "forwardx11 yes\n"},
        {C, "Protocol", "2,1", ""},
        {S, "GatewayPorts", "clientspecified", "gatewayports clientspecified\n"},
        {S, "GatewayPorts", "maybe",
         "GatewayPorts is one of clientspecified, yes, true, no, false, not \"maybe\""},
        {S, "AllowTcpForwarding", "all", "allowtcpforwarding yes\n"},
        {S, "AllowTcpForwarding", "remote", "allowtcpforwarding remote\n"},
        {S, "PermitTunnel", "point-to-point", "permittunnel point-to-point\n"},
        {S, "PermitRootLogin", "prohibit-password", "permitrootlogin without-password\n"},
        {S, "MaxStartups", "10:30:60", "maxstartups 10:30:60\n"},
        {S, "MaxStartups", "5", "maxstartups 5:30:5\n"},
        {S, "MaxStartups", "10:30:5",
         "MaxStartups is a number or begin:percent:full, not \"10:30:5\""},
        {S, "MaxStartups", "10:0:50",
         "MaxStartups is a number or begin:percent:full, not \"10:0:50\""},
        {S, "MaxStartups", "10:30", "MaxStartups is a number or begin:percent:full, not \"10:30\""},
        {S, "MaxStartups", "1:2:3:4",
         "MaxStartups is a number or begin:percent:full, not \"1:2:3:4\""},
        {S, "PermitOpen", "h:80 [::1]:443 *:22", "permitopen h:80 [::1]:443 *:22\n"},
        {S, "PermitOpen", "none", "permitopen none\n"},
        {S, "PermitOpen", "none h:80", "PermitOpen takes any, none or host:port, not \"none\""},
        {S, "PermitOpen", "h", "PermitOpen takes any, none or host:port, not \"h\""},
        {S, "PermitOpen", "h:0", "PermitOpen takes any, none or host:port, not \"h:0\""},
        {S, "PermitOpen", "h:4294967297",
         "PermitOpen takes any, none or host:port, not \"h:4294967297\""},
        {S, "PermitListen", "8080 localhost:9000 *:22",
         "permitlisten *:8080 localhost:9000 *:22\n"},
        {S, "PermitListen",
         "localhost:", "PermitListen takes any, none or [host:]port, not \"localhost:\""},
        {S, "AllowUsers", "anna bob@10.0.0.0/8", "allowusers anna\nallowusers bob@10.0.0.0/8\n"},
        {S, "AllowUsers", "bob@10.0.0.1/8",
         "AllowUsers takes USER or USER@HOST, not \"bob@10.0.0.1/8\""},
        {S, "ListenAddress", "1.2.3.4:x",
         "ListenAddress takes host, host:port or [address]:port, not \"1.2.3.4:x\""},
        {S, "ListenAddress", "[::1",
         "ListenAddress takes host, host:port or [address]:port, not \"[::1\""},
        {S, "ListenAddress", "::1 rdomain 1", "ListenAddress rdomain is not built yet"},
        {S, "Subsystem", "sftp\t/usr/lib/openssh/sftp-server",
         "subsystem sftp /usr/lib/openssh/sftp-server\n"},
        {S, "Subsystem", "sftp", "Subsystem has a name and no command"},
        {S, "SetEnv", "A=1 B=2", "setenv A=1 B=2\n"},
        {S, "ChannelTimeout", "session:*=5m a=1", "channeltimeout session:*=5m a=1\n"},
        {S, "ChannelTimeout", "none", "channeltimeout none\n"},
        {S, "ChannelTimeout", "a", "ChannelTimeout takes none or TYPE=TIME, not \"a\""},
        {S, "UnusedConnectionTimeout", "1m", "unusedconnectiontimeout 60\n"},
        {S, "SetEnv", "A=1 A=2", "setenv A=1\n"},
        {S, "SetEnv", "A", "SetEnv takes NAME=VALUE, not \"A\""},
        {S, "AcceptEnv", "LANG LC_*", "acceptenv LANG\nacceptenv LC_*\n"},
        {S, "AcceptEnv", "A=1", "AcceptEnv takes names, not \"A=1\""},
        {S, "X11Forwarding", "TRUE", "x11forwarding yes\n"},
        {S, "X11Forwarding", "maybe", "X11Forwarding takes yes or no, not \"maybe\""},
        {S, "PubkeyAuthOptions", "touch-required", "pubkeyauthoptions touch-required\n"},
        {S, "PubkeyAuthOptions", "verify-required touch-required",
         "pubkeyauthoptions touch-required verify-required\n"},
        {S, "PubkeyAuthOptions", "frob", "PubkeyAuthOptions does not know \"frob\""},
        {S, "AuthenticationMethods", "any", "authenticationmethods any\n"},
        {S, "AuthenticationMethods", "publickey,password publickey,keyboard-interactive:pam",
         "authenticationmethods publickey,password publickey,keyboard-interactive:pam\n"},
        {S, "AuthenticationMethods", "any publickey",
         "AuthenticationMethods takes any or METHOD[:DEVICE],..., not \"any\""},
        {S, "AuthenticationMethods", "publickey,",
         "AuthenticationMethods takes any or METHOD[:DEVICE],..., not \"publickey,\""},
        {S, "AuthenticationMethods", "publickeys",
         "AuthenticationMethods takes any or METHOD[:DEVICE],..., not \"publickeys\""},
        {S, "AuthorizedKeysCommand", "/bin/keys %u \"a b\"",
         "authorizedkeyscommand /bin/keys %u \"a b\"\n"},
        {S, "AuthorizedKeysCommand", "keys",
         "AuthorizedKeysCommand takes none or an absolute path, not \"keys\""},
        {S, "RevokedKeys", "/a /b", "revokedkeys /a /b\n"},
        {S, "RevokedKeys", "/a none", "RevokedKeys takes \"none\" only by itself"},
        {S, "VersionAddendum", "Debian 12 # x", "versionaddendum Debian 12\n"},
        {S, "IPQoS", "lowdelay", "ipqos none none\n"},
        {S, "IPQoS", "af21 cs1", "ipqos af21 cs1\n"},
        {S, "IPQoS", "0x10 184", "ipqos 0x10 ef\n"},
        {S, "IPQoS", "256", "IPQoS takes names such as ef, cs0 or none, not \"256\""},
        {S, "PerSourceMaxStartups", "none", "persourcemaxstartups none\n"},
        {S, "PerSourceMaxStartups", "3", "persourcemaxstartups 3\n"},
        {S, "PerSourceNetBlockSize", "24", "persourcenetblocksize 24:128\n"},
        {S, "PerSourceNetBlockSize", "0:56", "persourcenetblocksize 0:56\n"},
        {S, "PerSourceNetBlockSize", "33",
         "PerSourceNetBlockSize is 0 to 32, or that with :0 to :128, not \"33\""},
        {S, "PerSourcePenalties", "no", "persourcepenalties no\n"},
        {S, "PerSourcePenalties",
         "authfail:300s min:350s max:900s noauth:1.5 crash:1m crash:9 overflow:deny-all",
         "persourcepenalties crash:60.000000 authfail:300.000000 noauth:1.500000 "
         "invaliduser:5.000000 grace-exceeded:10.000000 refuseconnection:10.000000 "
         "max:900.000000 min:350.000000 max-sources4:65536 max-sources6:65536 overflow:deny-all "
         "overflow6:deny-all\n"},
        {S, "PerSourcePenalties", "frob:1",
         "PerSourcePenalties takes yes, no or items such as crash:90s, not \"frob:1\""},
        {S, "PerSourcePenalties", "crash:1.",
         "PerSourcePenalties takes yes, no or items such as crash:90s, not \"crash:1.\""},
        {S, "PerSourcePenaltyExemptList", "10.0.0.0/8,::1",
         "persourcepenaltyexemptlist 10.0.0.0/8,::1\n"},
        {S, "PerSourcePenaltyExemptList", "10.0.0.1/8",
         "PerSourcePenaltyExemptList takes none or a list of addresses and networks, not "
         "\"10.0.0.1/8\""},
        {S, "CASignatureAlgorithms", "ssh-ed25519", "casignaturealgorithms ssh-ed25519\n"},
        {S, "SyslogFacility", "local7", "syslogfacility LOCAL7\n"},
        {S, "FingerprintHash", "md5", "fingerprinthash MD5\n"},
        {S, "Compression", "delayed", "compression yes\n"},
        {S, "Isolation", "key", "isolation key\n"},
        {S, "LogFormat", "json", "logformat json\n"},
        {S, "ForceCommand", "echo \"a b\"", "forcecommand echo \"a b\"\n"},
        {S, "AuthorizedKeysFile", ".ssh/a /etc/keys/%u",
         "authorizedkeysfile .ssh/a /etc/keys/%u\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *outcome = outcome_of(&cases[i]);
        assert_string_equal(outcome, cases[i].outcome);
        mem_free(outcome);
    }
}

static void the_first_value_wins_and_lists_grow(void **state)
{
    struct client_options o;
    struct report report;
    (void)state;
    client_options_init(&o);
    report_init(&report);
    assert_ok(client_options_set(&o, "Port=1", &report));
    assert_ok(client_options_set(&o, "Port=2", &report));
    assert_ok(client_options_set(&o, "IdentityFile a", &report));
    assert_ok(client_options_set(&o, "IdentityFile b", &report));
    assert_ok(client_options_set(&o, "IdentityFile a", &report));
    assert_ok(client_options_set(&o, "RemoteForward 80 h:80", &report));
    assert_ok(client_options_set(&o, "RemoteForward 80 h:80", &report));
    option_freeze(&o.state);
    assert_ok(client_options_set(&o, "IdentityFile c", &report));
    assert_int_equal(client_options_set(&o, "Port=x", &report), ERR_CONFIG);
    option_set_defaults(&o.state);
    assert_int_equal(o.port, 1);
    assert_int_equal(o.identity_files.count, 2);
    assert_int_equal(o.remote_forwards.count, 1);
    assert_true(client_options_is_given(&o, "port"));
    assert_false(client_options_is_given(&o, "user"));
    assert_false(client_options_is_given(&o, "nothing"));
    report_done(&report);
    client_options_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold_together),
        cmocka_unit_test(retired_and_debian_keywords_are_known),
        cmocka_unit_test(restrictions_that_are_not_built_are_marked),
        cmocka_unit_test(mistyped_keywords_get_a_neighbour),
        cmocka_unit_test(letters_stand_for_known_keywords),
        cmocka_unit_test(values_are_read_or_refused),
        cmocka_unit_test(the_first_value_wins_and_lists_grow),
    };
    return RUN_TESTS(tests);
}
