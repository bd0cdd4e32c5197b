/* The client's configuration: precedence, blocks, Include, the final pass, and its printed form. */
#include "config/fuzz_rounds.h"
#include "config/source_fake.h"
#include "config/ssh_config.h"
#include "tests/unit.h"

#define USER_FILE   "/home/u/.ssh/config"
#define SYSTEM_FILE "/etc/ssh/ssh_config"

struct run {
    struct client_options o;
    struct report report;
    enum err result;
    unsigned programs; /* that Match exec ran */
};

/* A world of few words: "true" succeeds, and "is vps 22 u" after its tokens were put in. */
static enum err fake_run(void *arg, const char *command, bool *has_succeeded)
{
    (*(unsigned *)arg)++;
    *has_succeeded = strcmp(command, "true") == 0 || strcmp(command, "is vps 22 u") == 0 ||
                     strcmp(command, "is vps 7 u") == 0;
    return OK;
}

static void fake_addresses(void *arg, struct string_list *out)
{
    (void)arg;
    string_list_add(out, "127.0.0.1");
    string_list_add(out, "10.1.2.3");
    string_list_add(out, "fe80::1");
}

/* web.one.example. is www.far.example; far.two.example. is itself; 127.1 is an address. */
static bool fake_resolve(void *arg, const char *name, bool is_numeric, enum address_family family,
                         char **canonical)
{
    (void)arg;
    (void)family;
    *canonical = NULL;
    if (is_numeric && strcmp(name, "127.1") == 0)
        *canonical = mem_strdup("127.0.0.1");
    else if (!is_numeric && (strcmp(name, "web.one.example.") == 0 || strcmp(name, "alias") == 0))
        *canonical = mem_strdup("www.far.example");
    else if (!is_numeric && strcmp(name, "far.two.example.") == 0)
        *canonical = mem_strdup("far.two.example");
    return *canonical != NULL;
}

static const struct client_facts fake_facts = {.local_user = "u", .home = "/home/u"};

/* Reads the two texts (NULL: no such file) and more files for host; assignments end with NULL. */
static void run_load(struct run *run, const char *host, const char *user_text,
                     const char *system_text, const struct fake_file *more,
                     const char *const *assignments)
{
    struct fake_file files[8];
    size_t count = 0;
    if (user_text != NULL)
        files[count++] = (struct fake_file){USER_FILE, slice_text(user_text)};
    if (system_text != NULL)
        files[count++] = (struct fake_file){SYSTEM_FILE, slice_text(system_text)};
    for (; more != NULL && more->path != NULL; more++)
        files[count++] = *more;
    files[count] = (struct fake_file){NULL, SLICE_NONE};
    struct config_source source = FAKE_SOURCE(files);
    const struct client_world world = {&run->programs, fake_run, fake_addresses, fake_resolve};
    struct client_config_request request = {
        .host = host,
        .local_user = "u",
        .home = "/home/u",
        .user_file = USER_FILE,
        .system_file = SYSTEM_FILE,
        .source = &source,
        .command = "uptime -p",
        .world = &world,
        .facts = &fake_facts,
    };
    run->programs = 0;
    client_options_init(&run->o);
    report_init(&run->report);
    run->result = OK;
    for (; run->result == OK && assignments != NULL && *assignments != NULL; assignments++)
        run->result = client_options_set(&run->o, *assignments, &run->report);
    if (run->result == OK)
        run->result = client_options_load(&run->o, &request, &run->report);
}

static void run_done(struct run *run)
{
    report_done(&run->report);
    client_options_done(&run->o);
}

static size_t count_entries(const struct report *report, enum report_severity severity)
{
    size_t found = 0;
    for (size_t i = 0; i < report->count; i++)
        found += report->entries[i].severity == severity;
    return found;
}

static void defaults_are_openssh_s(void **state)
{
    struct run run;
    (void)state;
    run_load(&run, "VPS.example.org", NULL, NULL, NULL, NULL);
    assert_ok(run.result);
    assert_string_equal(run.o.host, "VPS.example.org");
    assert_string_equal(run.o.host_name, "vps.example.org");
    assert_string_equal(run.o.user, "u");
    assert_int_equal(run.o.port, 22);
    assert_int_equal(run.o.server_alive_interval_s, 0);
    assert_int_equal(run.o.server_alive_count_max, 3);
    assert_int_equal(run.o.strict_host_key, STRICT_ASK);
    assert_int_equal(run.o.update_host_keys, ANSWER_YES);
    assert_int_equal(run.o.pubkey_authentication, PUBKEY_YES);
    assert_int_equal(run.o.connection_attempts, 1);
    assert_int_equal(run.o.connections, 1);
    assert_int_equal(run.o.log_level, LOG_INFO);
    assert_true(run.o.tcp_keep_alive);
    assert_false(run.o.exit_on_forward_failure);
    assert_int_equal(run.o.identity_files.count, 5);
    assert_int_equal(run.o.user_known_hosts_files.count, 2);
    assert_null(run.o.proxy_command);
    assert_int_equal(run.o.escape_char, '~');
    assert_int_equal(run.o.control_master, CONTROL_NO);
    assert_false(run.o.control_persist.on || run.o.compression || run.o.check_host_ip);
    assert_int_equal(run.o.forward_agent, AGENT_FORWARD_NO);
    assert_int_equal(run.o.number_of_password_prompts, 3);
    assert_true(run.o.password_authentication && run.o.kbd_interactive_authentication);
    assert_int_equal(run.o.tunnel_local, TUNNEL_UNIT_ANY);
    assert_int_equal(run.o.required_rsa_size, 1024);
    assert_int_equal(run.o.fingerprint_hash, FINGERPRINT_SHA256);
    assert_null(run.o.control_path);
    assert_int_equal(run.report.count, 0);
    run_done(&run);
}

/* The shape of the seeds' file: one block, several forwards, Chinese comments, CR LF. */
static const char seed_text[] = "# \xe5\x86\x85\xe7\xbd\x91\xe7\xa9\xbf\xe9\x80\x8f\r\n"
                                "Host vps\r\n"
                                "    HostName 203.0.113.9\r\n"
                                "    User root   # \xe7\x94\xa8\xe6\x88\xb7\r\n"
                                "    IdentitiesOnly yes\r\n"
                                "    IdentityFile ~/.ssh/id_vps\r\n"
                                "    RemoteForward 80 localhost:80\r\n"
                                "    RemoteForward 0.0.0.0:443 [::1]:443\r\n"
                                "    ServerAliveInterval=60\r\n"
                                "    ExitOnForwardFailure = yes\r\n"
                                "Host other\n"
                                "    RemoteForward 81 localhost:81\n"
                                "    Port 99";

static void a_host_block_applies_to_its_host_only(void **state)
{
    struct run run;
    (void)state;
    run_load(&run, "vps", seed_text, NULL, NULL, NULL);
    assert_ok(run.result);
    assert_string_equal(run.o.host_name, "203.0.113.9");
    assert_string_equal(run.o.user, "root");
    assert_int_equal(run.o.port, 22);
    assert_true(run.o.identities_only);
    assert_true(run.o.exit_on_forward_failure);
    assert_int_equal(run.o.server_alive_interval_s, 60);
    assert_int_equal(run.o.identity_files.count, 1);
    assert_string_equal(run.o.identity_files.items[0], "~/.ssh/id_vps");
    assert_int_equal(run.o.remote_forwards.count, 2);
    assert_string_equal(run.o.remote_forwards.items[1].listen.address, "0.0.0.0");
    assert_string_equal(run.o.remote_forwards.items[1].target.host, "::1");
    run_done(&run);
    run_load(&run, "other", seed_text, NULL, NULL, NULL);
    assert_int_equal(run.o.port, 99);
    assert_int_equal(run.o.remote_forwards.count, 1);
    run_done(&run);
}

static void command_line_then_user_then_system(void **state)
{
    static const char *const assignments[] = {"Port=1", "LogLevel ERROR", NULL};
    struct run run;
    (void)state;
    run_load(&run, "h", "Port 2\nUser anna\n", "Port 3\nUser bob\nBindAddress 10.0.0.1\n", NULL,
             assignments);
    assert_ok(run.result);
    assert_int_equal(run.o.port, 1);
    assert_string_equal(run.o.user, "anna");
    assert_string_equal(run.o.bind_address, "10.0.0.1");
    assert_int_equal(run.o.log_level, LOG_ERROR);
    run_done(&run);
}

static void letters_are_options_too(void **state)
{
    static const struct {
        char letter;
        const char *argument;
    } letters[] = {{'N', NULL},    {'f', NULL},   {'g', NULL}, {'p', "2426"},
                   {'n', NULL},    {'l', "anna"}, {'4', NULL}, {'L', "4406:remote-host:3306"},
                   {'D', "*:1080"}};
    struct client_options o;
    struct report report;
    (void)state;
    client_options_init(&o);
    report_init(&report);
    for (size_t i = 0; i < ARRAY_LEN(letters); i++)
        assert_ok(client_options_set_letter(&o, letters[i].letter, letters[i].argument, &report));
    assert_int_equal(o.session_type, SESSION_NONE);
    assert_true(o.fork_after_authentication && o.gateway_ports && o.stdin_null);
    assert_int_equal(o.port, 2426);
    assert_int_equal(o.address_family, FAMILY_INET);
    assert_string_equal(o.user, "anna");
    assert_string_equal(o.local_forwards.items[0].target.host, "remote-host");
    assert_string_equal(o.dynamic_forwards.items[0].listen.address, "*");
    assert_int_equal(client_options_set_letter(&o, 'F', "x", &report), ERR_NOT_FOUND);
    assert_int_equal(client_options_set_letter(&o, 'p', "0", &report), ERR_CONFIG);
    char *text = report_entry_format(report_error(&report));
    assert_string_equal(text, "command line: Port is a number from 1 to 65535, not \"0\"");
    mem_free(text);
    report_done(&report);
    client_options_done(&o);
}

static void host_and_match_decide(void **state)
{
    static const struct {
        const char *text;
        unsigned port;
    } cases[] = {
        {"Host v*\nPort 2\n", 2},
        {"Host v?s\nPort 2\n", 2},
        {"Host V?S\nPort 2\n", 22},
        {"Match host V?S\nPort 2\n", 2},
        {"Host * !vps\nPort 2\n", 22},
        {"Host !vps *\nPort 2\n", 22},
        {"Host !other\nPort 2\n", 22},
        {"Host a b vps\nPort 2\n", 2},
        {"Match all\nPort 2\n", 2},
        {"Match host vps\nPort 2\n", 2},
        {"Match host=vps\nPort 2\n", 2},
        {"Match host other,v*\nPort 2\n", 2},
        {"Match host v*,!vps\nPort 2\n", 22},
        {"Match !host vps\nPort 2\n", 22},
        {"Match !host other\nPort 2\n", 2},
        {"HostName h.%h\nMatch host h.vps\nPort 2\n", 2},
        {"HostName h.%h\nMatch originalhost vps\nPort 2\n", 2},
        {"HostName h.%h\nMatch originalhost h.vps\nPort 2\n", 22},
        {"Match user u\nPort 2\n", 2},
        {"User anna\nMatch user anna localuser u\nPort 2\n", 2},
        {"User anna\nMatch user u\nPort 2\n", 22},
        {"Match exec true\nPort 2\n", 2},
        {"Match !exec true\nPort 2\n", 22},
        {"Match exec false\nPort 2\n", 22},
        {"Match !exec false\nPort 2\n", 2},
        {"Port 7\nMatch host vps exec \"is vps 7 u\"\nUser x\n", 7},
        {"Match exec \"is %n %p %r\"\nPort 2\n", 2},
        {"Match exec \"is %% %p %r\"\nPort 2\n", 22},
        {"Match localnetwork 10.0.0.0/8\nPort 2\n", 2},
        {"Match localnetwork 192.168.0.0/16\nPort 2\n", 22},
        {"Match !localnetwork 192.168.0.0/16\nPort 2\n", 2},
        {"Match localnetwork fd00::/8,!10.0.0.0/8\nPort 2\n", 22},
        {"Tag home\nMatch tagged h*\nPort 2\n", 2},
        {"Match tagged home\nPort 2\n", 22},
        {"Match tagged \"\"\nPort 2\n", 2},
        {"Tag home\nMatch tagged \"\"\nPort 2\n", 22},
        {"Match sessiontype exec\nPort 2\n", 2},
        {"Match sessiontype shell,none\nPort 2\n", 22},
        {"SessionType none\nMatch sessiontype none\nPort 2\n", 2},
        {"SessionType subsystem\nMatch sessiontype=subsystem\nPort 2\n", 2},
        {"Match command uptime*\nPort 2\n", 2},
        {"Match command \"\"\nPort 2\n", 22},
        {"Match version OpenSSH_10.*\nPort 2\n", 2},
        {"Match version OpenSSH_9.*\nPort 2\n", 22},
        {"Match final\nPort 2\n", 2},
        {"Match !final\nPort 2\n", 2},
        {"Match canonical\nPort 2\n", 22},
        {"Match canonical all\nPort 2\nMatch final host other\nUser x\n", 2},
        {"HostName other\nHost other\nPort 2\n", 22},
        {"HostName other\nHost other\nPort 2\nMatch final\nUser x\n", 2},
        {"Match host vps\nHost other\nPort 2\nHost vps\nPort 3\n", 3},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run;
        run_load(&run, "vps", cases[i].text, NULL, NULL, NULL);
        assert_ok(run.result);
        assert_int_equal(run.o.port, cases[i].port);
        run_done(&run);
    }
}

static void a_program_runs_only_where_the_rest_of_its_line_holds(void **state)
{
    struct run run;
    (void)state;
    run_load(&run, "vps", "Match host other exec true\nPort 2\nMatch host vps exec true\nPort 3\n",
             NULL, NULL, NULL);
    assert_ok(run.result);
    assert_int_equal(run.o.port, 3);
    assert_int_equal(run.programs, 1);
    run_done(&run);
}

#define CANON "CanonicalizeHostname yes\nCanonicalDomains one.example two.example\n"

static void names_are_made_canonical(void **state)
{
    static const struct {
        const char *host, *text, *name; /* name NULL: refused */
    } cases[] = {
        {"web", "", "web"},
        {"web", CANON, "web.one.example"},
        {"WEB", CANON, "web.one.example"},
        {"far", CANON, "far.two.example"},
        {"none", CANON, "none"},
        {"none", CANON "CanonicalizeFallbackLocal no\n", NULL},
        {"a.web", CANON, "a.web"},
        {"web.one.example", CANON, "web.one.example"},
        {"web.one.example.", CANON, "web.one.example"},
        {"web", CANON "ProxyJump j\n", "web"},
        {"web", CANON "ProxyJump none\n", "web.one.example"},
        {"web", "CanonicalizeHostname always\nCanonicalDomains one.example\nProxyJump j\n",
         "web.one.example"},
        {"web", CANON "CanonicalizePermittedCNAMEs *.one.example:*.far.example\n",
         "www.far.example"},
        {"web", CANON "CanonicalizePermittedCNAMEs *.one.example:*.near.example\n",
         "web.one.example"},
        {"alias", "CanonicalizePermittedCNAMEs alias:*.example\n", "www.far.example"},
        {"lost", "CanonicalizePermittedCNAMEs alias:*.example\n", NULL},
        {"127.1", "", "127.0.0.1"},
        {"x", "HostName web\n" CANON, "web.one.example"},
        {"web", CANON "Match canonical host web.one.example\nHostName other\nPort 2\n",
         "web.one.example"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run;
        run_load(&run, cases[i].host, cases[i].text, NULL, NULL, NULL);
        assert_int_equal(run.result, cases[i].name ? OK : ERR_CONFIG);
        if (cases[i].name)
            assert_string_equal(run.o.host_name, cases[i].name);
        if (strstr(cases[i].text, "Port 2"))
            assert_int_equal(run.o.port, 2);
        run_done(&run);
    }
}

static void includes_are_read_where_they_stand(void **state)
{
    const struct fake_file more[] = {
        {"/home/u/.ssh/conf.d/a.conf", slice_text("Host vps\nUser anna\n")},
        {"/home/u/.ssh/conf.d/b.conf", slice_text("User bob\nPort 2\n")},
        {"/etc/ssh/x.conf", slice_text("BindAddress 10.0.0.1\n")},
        {"/home/u/h.conf", slice_text("Host *\nHostKeyAlias alias\n")},
        {NULL, SLICE_NONE},
    };
    struct run run;
    (void)state;
    run_load(&run, "vps", "Include conf.d/*.conf nothing-*\nInclude ~/h.conf\n", "Include x.conf\n",
             more, NULL);
    assert_ok(run.result);
    assert_string_equal(run.o.user, "anna");
    assert_int_equal(run.o.port, 2);
    assert_string_equal(run.o.bind_address, "10.0.0.1");
    assert_string_equal(run.o.host_key_alias, "alias");
    run_done(&run);

    /* In a block that does not apply nothing of the file applies, and the block goes on after. */
    run_load(&run, "vps", "Host other\nInclude ~/h.conf\nPort 3\n", NULL, more, NULL);
    assert_ok(run.result);
    assert_null(run.o.host_key_alias);
    assert_int_equal(run.o.port, 22);
    run_done(&run);
    run_load(&run, "vps", "Host vps\nInclude conf.d/a.conf\nPort 3\n", NULL, more, NULL);
    assert_int_equal(run.o.port, 3);
    run_done(&run);
}

static void errors_name_file_line_column_and_a_neighbour(void **state)
{
    static const char *const cases[][2] = {
        {"Host vps\n  Prot 22\n",
         USER_FILE " line 2 column 3: unknown keyword \"Prot\"; did you mean \"Port\"?"},
        {"Host other\n  Frobnicate 22\n",
         USER_FILE " line 2 column 3: unknown keyword \"Frobnicate\""},
        {"Host other\nPort x\n",
         USER_FILE " line 2 column 6: Port is a number from 1 to 65535, not \"x\""},
        {"Host\n", USER_FILE " line 1 column 1: Host has no pattern"},
        {"Match\n", USER_FILE " line 1 column 1: Match has no criterion"},
        {"Match host\n", USER_FILE " line 1 column 7: the Match criterion has no value"},
        {"Match all host x\n", USER_FILE " line 1 column 7: nothing stands behind Match all"},
        {"Match hots x\n",
         USER_FILE " line 1 column 7: unknown Match criterion; known are all, final, canonical, "
                   "host, originalhost, user, localuser, localnetwork, tagged, sessiontype, "
                   "command, version, exec"},
        {"User \"a\n", USER_FILE " line 1 column 6: a quote is not closed"},
        {"Include config\n", USER_FILE " line 1 column 9: Include is nested too deeply"},
        {"Include\n", USER_FILE " line 1 column 1: Include has no file"},
        {"\n\nUser a b\n", USER_FILE " line 3 column 8: extra word \"b\" behind the value of User"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run;
        run_load(&run, "vps", cases[i][0], NULL, NULL, NULL);
        assert_int_equal(run.result, ERR_CONFIG);
        assert_non_null(report_error(&run.report));
        char *text = report_entry_format(report_error(&run.report));
        assert_string_equal(text, cases[i][1]);
        mem_free(text);
        run_done(&run);
    }
}

static void unknown_keywords_can_be_ignored(void **state)
{
    struct run run;
    (void)state;
    run_load(&run, "h", "IgnoreUnknown Adit*,UseKeychain\nAditReconnect yes\nuseKeychain yes\n",
             NULL, NULL, NULL);
    assert_ok(run.result);
    run_done(&run);
}

static void a_worn_out_algorithm_is_used_with_a_warning(void **state)
{
    struct run run;
    (void)state;
    run_load(&run, "h", "Ciphers aes128-cbc,aes128-ctr\nMACs hmac-md5*,hmac-sha2-256\n", NULL, NULL,
             NULL);
    assert_ok(run.result);
    assert_string_equal(run.o.ciphers, "aes128-cbc,aes128-ctr");
    assert_string_equal(run.o.macs, "hmac-sha2-256");
    assert_int_equal(count_entries(&run.report, REPORT_WARNING), 1);
    assert_string_equal(run.report.entries[0].keyword, "Ciphers");
    assert_non_null(strstr(run.report.entries[0].text, "aes128-cbc"));
    run_done(&run);
}

static void what_is_not_built_is_kept_and_reported(void **state)
{
    struct run run;
    struct buf out;
    (void)state;
    run_load(&run, "h",
             "ForwardX11 yes\nHost other\nGSSAPIAuthentication yes\nHost *\nProxyJump bastion\n"
             "Protocol 2\nCiphers arcfour,aes128-ctr\nMatch tagged x\nPort 3\n",
             NULL, NULL, NULL);
    assert_ok(run.result);
    assert_int_equal(count_entries(&run.report, REPORT_NOTE), 3);
    assert_int_equal(count_entries(&run.report, REPORT_WARNING), 0);
    assert_string_equal(run.report.entries[0].keyword, "ForwardX11");
    assert_int_equal(run.report.entries[0].line, 1);
    assert_string_equal(run.o.ciphers, "aes128-ctr");
    buf_init(&out, 65536);
    assert_ok(client_options_print(&run.o, &out));
    char *text = buf_strdup(&out);
    assert_non_null(strstr(text, "\nforwardx11 yes\n"));
    assert_non_null(strstr(text, "\nproxyjump bastion\n"));
    assert_non_null(strstr(text, "\ngssapiauthentication no\n"));
    mem_free(text);
    buf_done(&out);
    run_done(&run);
}

static void the_first_of_jump_and_command_wins(void **state)
{
    static const struct {
        const char *text, *jump, *command;
    } cases[] = {
        {"ProxyJump ssh://u@a:22/,b\nProxyCommand nc %h\n", "u@a:22,b", NULL},
        {"ProxyCommand nc %h\nProxyJump a\n", NULL, "nc %h"},
        {"ProxyJump none\nProxyCommand nc %h\n", NULL, NULL},
        {"ProxyCommand none\nProxyJump a\n", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run;
        run_load(&run, "h", cases[i].text, NULL, NULL, NULL);
        assert_ok(run.result);
        if (cases[i].jump)
            assert_string_equal(run.o.proxy_jump, cases[i].jump);
        else
            assert_null(run.o.proxy_jump);
        if (cases[i].command)
            assert_string_equal(run.o.proxy_command, cases[i].command);
        else
            assert_null(run.o.proxy_command);
        run_done(&run);
    }
}

static void clear_all_forwardings_clears(void **state)
{
    static const char *const assignments[] = {"ClearAllForwardings=yes", "LocalForward 80 h:80",
                                              "DynamicForward 1080", NULL};
    struct run run;
    (void)state;
    run_load(&run, "h", "RemoteForward 80 h:80\nUserKnownHostsFile none\n", NULL, NULL,
             assignments);
    assert_ok(run.result);
    assert_int_equal(run.o.local_forwards.count, 0);
    assert_int_equal(run.o.remote_forwards.count, 0);
    assert_int_equal(run.o.dynamic_forwards.count, 0);
    assert_int_equal(run.o.update_host_keys, ANSWER_NO);
    run_done(&run);
}

static void a_file_named_on_the_command_line_must_exist(void **state)
{
    const struct fake_file none[] = {{NULL, SLICE_NONE}};
    struct config_source source = {(void *)(uintptr_t)none, fake_read, fake_glob};
    struct client_config_request request = {
        .host = "h",
        .local_user = "u",
        .user_file = "/x",
        .must_exist = true,
        .source = &source,
    };
    struct client_options o;
    struct report report;
    (void)state;
    client_options_init(&o);
    report_init(&report);
    assert_int_equal(client_options_load(&o, &request, &report), ERR_CONFIG);
    char *text = report_entry_format(report_error(&report));
    assert_string_equal(text, "/x: there is no such file");
    mem_free(text);
    report_done(&report);
    client_options_done(&o);
}

/* What Debian 12 installs as /etc/ssh/ssh_config, its settings and the shape of its comments. */
static const char debian_text[] =
    "\n# This is the ssh client system-wide configuration file.  See\n"
    "# ssh_config(5) for more information.\n\n"
    "Include /etc/ssh/ssh_config.d/*.conf\n\nHost *\n#   ForwardAgent no\n"
    "#   ForwardX11 no\n#   StrictHostKeyChecking ask\n#   IdentityFile ~/.ssh/id_rsa\n"
    "#   Port 22\n#   Ciphers aes128-ctr,aes192-ctr,aes256-ctr,aes128-cbc,3des-cbc\n"
    "#   EscapeChar ~\n#   ProxyCommand ssh -q -W %h:%p gateway.example.com\n"
    "#   RekeyLimit 1G 1h\n"
    "    SendEnv LANG LC_*\n    HashKnownHosts yes\n    GSSAPIAuthentication yes\n";

static void debian_s_stock_file_loads(void **state)
{
    struct run run;
    (void)state;
    run_load(&run, "h", NULL, debian_text, NULL, NULL);
    assert_ok(run.result);
    assert_true(run.o.hash_known_hosts);
    assert_int_equal(count_entries(&run.report, REPORT_NOTE), 1);
    assert_int_equal(count_entries(&run.report, REPORT_WARNING), 0);
    run_done(&run);
}

static void hostile_text_is_read_or_refused_and_prints_to_itself(void **state)
{
    static const char *const seeds[] = {
        seed_text,
        debian_text,
        "Host vps !x\nLocalForward 127.0.0.1:80 h:80\nDynamicForward *:1080\nRekeyLimit 1G 1h\n"
        "ProxyCommand \"sh\" -c 'x' # y\nSetEnv A=\"b c\" D\nLocalForward /a /b\n",
        "Match final host vps user u,!v\nCiphers ^aes256-ctr\nMACs -hmac-sha2-512\n"
        "RemoteForward 1080\nIdentityFile \"a b\"\nUserKnownHostsFile none\nConnectTimeout 1m\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        fuzz_rounds(&seeds[i], 1, 1);
        for (size_t length = 0; length <= strlen(seeds[i]); length += 3)
            (void)LLVMFuzzerTestOneInput((const uint8_t *)seeds[i], length);
    }
    fuzz_rounds(seeds, ARRAY_LEN(seeds), 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_openssh_s),
        cmocka_unit_test(a_host_block_applies_to_its_host_only),
        cmocka_unit_test(command_line_then_user_then_system),
        cmocka_unit_test(letters_are_options_too),
        cmocka_unit_test(host_and_match_decide),
        cmocka_unit_test(a_program_runs_only_where_the_rest_of_its_line_holds),
        cmocka_unit_test(names_are_made_canonical),
        cmocka_unit_test(includes_are_read_where_they_stand),
        cmocka_unit_test(errors_name_file_line_column_and_a_neighbour),
        cmocka_unit_test(unknown_keywords_can_be_ignored),
        cmocka_unit_test(a_worn_out_algorithm_is_used_with_a_warning),
        cmocka_unit_test(what_is_not_built_is_kept_and_reported),
        cmocka_unit_test(the_first_of_jump_and_command_wins),
        cmocka_unit_test(clear_all_forwardings_clears),
        cmocka_unit_test(a_file_named_on_the_command_line_must_exist),
        cmocka_unit_test(debian_s_stock_file_loads),
        cmocka_unit_test(hostile_text_is_read_or_refused_and_prints_to_itself),
    };
    return RUN_TESTS(tests);
}
