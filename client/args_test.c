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
        {"adit -Z h", "unknown option -- Z"}, {"adit h -L", "option requires an argument -- L"},
        {"adit -L 65536:a:80 h", "65536"},    {"adit `id`@h", "invalid user name"},
        {"adit $(id)", "invalid characters"}, {"adit u@-oProxyCommand=x", "invalid characters"},
        {"adit ssh://h/path", "no path"},     {"adit -W h", "host:port"},
        {"adit -J a,$(id) h", "a hop is"},    {"adit -J -oX h", "a hop is"},
        {"adit -J a:0 h", "a hop is"},        {"adit -o Foo=bar h", "unknown keyword"},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seeds_lines_are_understood),
        cmocka_unit_test(destinations_take_every_form),
        cmocka_unit_test(what_cannot_be_meant_is_refused_in_words),
        cmocka_unit_test(a_command_begins_behind_the_destination),
        cmocka_unit_test(stdio_implies_what_ssh_implies),
    };
    return RUN_TESTS(tests);
}
