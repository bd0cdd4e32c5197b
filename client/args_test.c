/* The command line: the seeds' own lines, bundles, destinations, and what is refused. */
#include "client/args.h"
#include "tests/unit.h"

#define WORDS_MAX 16

struct parsed {
    struct args args;
    struct client_options options;
    struct report report;
    char *fault;
    char *words[WORDS_MAX];
    char *line;
    enum err err;
};

/* Splits at blanks, as a shell would for these lines. */
static void parse(struct parsed *p, const char *line)
{
    int argc = 0;
    *p = (struct parsed){.line = mem_strdup(line)};
    client_options_init(&p->options);
    report_init(&p->report);
    for (char *at = p->line; *at && argc < WORDS_MAX - 1; argc++) {
        p->words[argc] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = '\0';
    }
    p->err = args_parse(&p->args, &p->options, &p->report, argc, p->words, &p->fault);
}

static void done(struct parsed *p)
{
    args_done(&p->args);
    client_options_done(&p->options);
    report_done(&p->report);
    mem_free(p->fault);
    mem_free(p->line);
}

static void the_seeds_lines_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *line, *host, *user;
        uint16_t port;
        size_t locals, remotes;
        bool background, gateway;
    } cases[] = {
        {"adit -R 20080:192.168.10.101:20080 huatai@cloud-atlas.huatai.me", "cloud-atlas.huatai.me",
         "huatai", 0, 0, 1, false, false},
        {"adit -L 4406:remote-host:3306 user@remote-host -p 2426", "remote-host", "user", 2426, 1,
         0, false, false},
        {"adit -L 127.0.0.1:4406:remote-host:3306 user@remote-host -p 2426", "remote-host", "user",
         2426, 1, 0, false, false},
        {"adit -R 5506:localhost:3306 remote-host", "remote-host", NULL, 0, 0, 1, false, false},
        {"adit -fNgR 5506:localhost:3306 remote-host", "remote-host", NULL, 0, 0, 1, true, true},
        {"adit -fNgR 5506:localhost:3306 remote-host -o ServerAliveInterval=30", "remote-host",
         NULL, 0, 0, 1, true, true},
        {"adit -fNgL 3426:remote:22 root@remote -o ServerAliveInterval=30", "remote", "root", 0, 1,
         0, true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct parsed p;
        parse(&p, cases[i].line);
        assert_ok(p.err);
        assert_string_equal(p.args.host, cases[i].host);
        assert_null(p.args.command);
        if (cases[i].user)
            assert_string_equal(p.options.user, cases[i].user);
        assert_int_equal(p.options.port, cases[i].port);
        assert_int_equal(p.options.local_forwards.count, cases[i].locals);
        assert_int_equal(p.options.remote_forwards.count, cases[i].remotes);
        assert_int_equal(p.options.fork_after_authentication, cases[i].background);
        assert_int_equal(p.options.gateway_ports, cases[i].gateway);
        if (strstr(cases[i].line, "Alive"))
            assert_int_equal(p.options.server_alive_interval_s, 30);
        done(&p);
    }
}

static void destinations_take_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *line, *host, *user;
        uint16_t port;
    } cases[] = {
        {"adit h", "h", NULL, 0},
        {"adit a@b@h", "h", "a@b", 0},
        {"adit DOMAIN\\u@h", "h", "DOMAIN\\u", 0},
        {"adit ssh://u@h:2222", "h", "u", 2222},
        {"adit ssh://u@h:2222/", "h", "u", 2222},
        {"adit ssh://[::1]:22", "::1", NULL, 22},
        {"adit -l x y@h", "h", "x", 0},
        {"adit -p 1 ssh://h:2", "h", NULL, 1},
        {"adit -- h", "h", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct parsed p;
        parse(&p, cases[i].line);
        assert_ok(p.err);
        assert_string_equal(p.args.host, cases[i].host);
        if (cases[i].user)
            assert_string_equal(p.options.user, cases[i].user);
        assert_int_equal(p.options.port, cases[i].port);
        done(&p);
    }
}

/* CVE-2023-51385: what a shell would read never gets into an expansion. */
static void what_cannot_be_meant_is_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"adit -Z h", "unknown option -- Z"},
        {"adit h -L", "option requires an argument -- L"},
        {"adit -L 65536:a:80 h", "65536"},
        {"adit `id`@h", "invalid characters"},
        {"adit $(id)", "invalid characters"},
        {"adit u@-oProxyCommand=x", "invalid characters"},
        {"adit ssh://h/path", "no path"},
        {"adit -W h", "host:port"},
        {"adit -J a,$(id) h", "a hop is"},
        {"adit -J -oX h", "a hop is"},
        {"adit -J a:0 h", "a hop is"},
        {"adit -o Foo=bar h", "unknown keyword"},
        {"adit -O frob h", "Invalid multiplex command."},
        {"adit -W a:1 -O check h", "do not go together"},
        {"adit -N -s h", "Cannot specify -s with -N"},
        {"adit -s -N h x", "Cannot specify -N with -s"},
        {"adit -s h", "You must specify a subsystem to invoke."},
        {"adit -o ProxyCommand=x -J a h", "Cannot specify -J with ProxyCommand"},
        {"adit -w 1:x h", "TunnelDevice"},
        {"adit -e ab h", "EscapeChar"},
        {"adit -p 65536 h", "1 to 65535"},
        {"adit -X h", "X11 forwarding (-X) is no part of adit"},
        {"adit -Y h", "X11 forwarding (-Y) is no part of adit"},
        {"adit -K h", "GSSAPI (-K) is no part of adit"},
        {"adit -I /x h", "PKCS#11 (-I) is no part of adit"},
        {"adit -l -x h", "invalid characters"},
        {"adit -l a;b h", "invalid characters"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct parsed p;
        parse(&p, cases[i].line);
        assert_int_equal(p.err, ERR_CONFIG);
        assert_non_null(p.fault);
        assert_non_null(strstr(p.fault, cases[i].says));
        done(&p);
    }
}

static void a_command_begins_behind_the_destination(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, "adit -v -v h -p 7 echo -n x");
    assert_ok(p.err);
    assert_int_equal(p.args.verbose, 2);
    assert_int_equal(p.options.port, 7);
    assert_string_equal(p.args.command[0], "echo");
    assert_string_equal(p.args.command[1], "-n");
    done(&p);
}

static void stdio_implies_what_ssh_implies(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, "adit -W [::1]:22 -o ExitOnForwardFailure=no h");
    assert_ok(p.err);
    assert_string_equal(p.args.stdio_host, "::1");
    assert_int_equal(p.args.stdio_port, 22);
    assert_false(p.options.exit_on_forward_failure);
    assert_true(p.options.clear_all_forwardings);
    assert_int_equal(p.options.session_type, SESSION_NONE);
    done(&p);
}

/* ssh(1): a letter wins over what was said before, but -l, -p, -J, where the first one does. */
static void letters_set_what_ssh_sets(void **state)
{
    (void)state;
    static const struct {
        const char *line, *prints;
    } cases[] = {
        {"adit -N h", "\nrequesttty false\n"},
        {"adit -N h", "\nsessiontype none\n"},
        {"adit -t h", "\nrequesttty true\n"},
        {"adit -tt h", "\nrequesttty force\n"},
        {"adit -t -T h", "\nrequesttty false\n"},
        {"adit -o RequestTTY=force -t h", "\nrequesttty true\n"},
        {"adit -t -o RequestTTY=force h", "\nrequesttty true\n"},
        {"adit -f h", "\nstdinnull yes\n"},
        {"adit -n h", "\nstdinnull yes\n"},
        {"adit -s h sftp", "\nsessiontype subsystem\n"},
        {"adit -M h", "\ncontrolmaster true\n"},
        {"adit -MM h", "\ncontrolmaster ask\n"},
        {"adit -S /a -S /b h", "\ncontrolpath /b\n"},
        {"adit -o ControlPath=/a -S /b h", "\ncontrolpath /b\n"},
        {"adit -w 0:1 h", "\ntunnel point-to-point\n"},
        {"adit -w 0:1 h", "\ntunneldevice 0:1\n"},
        {"adit -o Tunnel=ethernet -w any h", "\ntunnel ethernet\n"},
        {"adit -v h", "\nloglevel DEBUG\n"},
        {"adit -vvvv h", "\nloglevel DEBUG3\n"},
        {"adit -q -v h", "\nloglevel DEBUG\n"},
        {"adit -v -q h", "\nloglevel SILENT\n"},
        {"adit -e none h", "\nescapechar none\n"},
        {"adit -e ^c h", "\nescapechar ^C\n"},
        {"adit -4 -6 h", "\naddressfamily inet6\n"},
        {"adit -A -a h", "\nforwardagent no\n"},
        {"adit -a -A h", "\nforwardagent yes\n"},
        {"adit -x h", "\nforwardx11 no\n"},
        {"adit -k h", "\ngssapidelegatecredentials no\n"},
        {"adit -C h", "\ncompression yes\n"},
        {"adit -g h", "\ngatewayports yes\n"},
        {"adit -B lo -B eth0 h", "\nbindinterface eth0\n"},
        {"adit -b 1.2.3.4 h", "\nbindaddress 1.2.3.4\n"},
        {"adit -c aes128-ctr -c aes256-ctr h", "\nciphers aes256-ctr\n"},
        {"adit -m hmac-sha2-256 h", "\nmacs hmac-sha2-256\n"},
        {"adit -P a -P b h", "\ntag a\n"},
        {"adit -p 1 -p 2 h", "\nport 1\n"},
        {"adit -l a -l b c@h", "\nuser a\n"},
        {"adit -J a -o ProxyJump=b h", "\nproxyjump a\n"},
        {"adit -i /dev/null -i /none -i / h", "\nidentityfile /dev/null\nidentityfile /\n"},
        {"adit -D 1 -D 2 h", "\ndynamicforward 1\ndynamicforward 2\n"},
        {"adit -y h", "\nsyslogfacility USER\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct parsed p;
        struct buf out;
        parse(&p, cases[i].line);
        assert_ok(p.err);
        option_set_defaults(&p.options.state);
        buf_init(&out, 65536);
        assert_ok(client_options_print(&p.options, &out));
        char *printed = buf_strdup(&out);
        char *text = mem_printf("\n%s", printed);
        if (strstr(text, cases[i].prints) == NULL)
            fail_msg("%s does not print%s", cases[i].line, cases[i].prints);
        mem_free(text);
        mem_free(printed);
        buf_done(&out);
        done(&p);
    }
}

static void what_is_no_option_is_kept_apart(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, "adit -y -O check -S none -F /f -E /e h");
    assert_ok(p.err);
    assert_true(p.args.log_system);
    assert_string_equal(p.args.mux_command, "check");
    assert_string_equal(p.args.config_file, "/f");
    assert_string_equal(p.args.log_file, "/e");
    done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seeds_lines_are_understood),
        cmocka_unit_test(destinations_take_every_form),
        cmocka_unit_test(what_cannot_be_meant_is_refused_in_words),
        cmocka_unit_test(a_command_begins_behind_the_destination),
        cmocka_unit_test(stdio_implies_what_ssh_implies),
        cmocka_unit_test(letters_set_what_ssh_sets),
        cmocka_unit_test(what_is_no_option_is_kept_apart),
    };
    return RUN_TESTS(tests);
}
