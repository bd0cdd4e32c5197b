/* Forwards in plain words, and hints: each case is a command line and what must be said of it. */
#include "client/explain.h"
#include "tests/unit.h"

#define WORDS_MAX 16

/* What explain says of a line (hints only, joined by newlines, if so asked). The caller owns it. */
static char *said(const char *line, bool only_hints)
{
    struct args args;
    struct client_options o;
    struct report report;
    struct string_list hints;
    struct buf out;
    char *words[WORDS_MAX] = {NULL}, *fault;
    char *copy CLEANUP(mem_cleanup) = mem_strdup(line);
    int argc = 0;
    for (char *at = copy; *at && argc < WORDS_MAX - 1; argc++) {
        words[argc] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = '\0';
    }
    client_options_init(&o);
    report_init(&report);
    buf_init(&out, 1 << 16);
    string_list_init(&hints);
    assert_ok(args_parse(&args, &o, &report, argc, words, &fault));
    option_set_defaults(&o.state);
    if (args.host)
        o.host = mem_strdup(args.host);
    explain_hints(&o, &hints);
    if (!only_hints)
        assert_ok(explain_options(&args, &o, &out));
    for (size_t i = 0; only_hints && i < hints.count; i++)
        assert_ok(buf_append_slice(&out, slice_text(hints.items[i])));
    char *text = buf_strdup(&out);
    buf_done(&out);
    string_list_done(&hints);
    report_done(&report);
    client_options_done(&o);
    args_done(&args);
    return text;
}

static void a_forward_is_put_into_words(void **state)
{
    static const char *const cases[][2] = {
        {"adit explain -L 4406:db:3306 h", "127.0.0.1 and ::1, port 4406: this machine only"},
        {"adit explain -L 4406:db:3306 h", "passed to h, which looks up db itself"},
        {"adit explain -L 4406:db:3306", "passed to the server, which looks up db itself"},
        {"adit explain -L 127.0.0.1:4406:10.0.0.5:3306 h", "listens on 127.0.0.1 port 4406: this"},
        {"adit explain -L 127.0.0.1:4406:10.0.0.5:3306 h", "connects to 10.0.0.5 port 3306"},
        {"adit explain -L *:80:localhost:80 h", "port 80 of every address of this machine: anyone"},
        {"adit explain -L 80:localhost:81 h", "port 81 of its own (localhost means h here, not "
                                              "this machine)"},
        {"adit explain -L 10.1.1.1:80:a:80 h", "10.1.1.1 port 80 of this machine: anyone who"},
        {"adit explain -g -L 80:a:80 h", "every address of this machine (GatewayPorts, -g)"},
        {"adit explain -L /s:/t h", "listens on the Unix socket /s of this machine"},
        {"adit explain -L /s:/t h", "connects to the Unix socket /t there"},
        {"adit explain -D 1080 h", "It speaks SOCKS 4 and 5: who connects says where to, and h "},
        {"adit explain -R 20080:localhost:80 h", "h listens on port 20080 of its own."},
        {"adit explain -R 20080:localhost:80 h", "With GatewayPorts no there (the default) only"},
        {"adit explain -R 20080:localhost:80 h", "(localhost means this machine here, not h)"},
        {"adit explain -R *:80:localhost:80 h", "All its addresses are asked for"},
        {"adit explain -R *:80:localhost:80 h", "below 1024 it lets root only"},
        {"adit explain -R 1.2.3.4:8080:a:80 h", "Its address 1.2.3.4 is asked for"},
        {"adit explain -R localhost:8080:a:80 h", "Its loopback is asked for"},
        {"adit explain -R 8080:a:80 h", "comes back to this machine, which looks up a itself"},
        {"adit explain -R 0:a:80 h", "a port that it picks"},
        {"adit explain -R 1080 h", "this machine looks the name up and connects"},
        {"adit explain -R /s:a:80 h", "h listens on the Unix socket /s of its own"},
        {"adit explain -W db:22 h", "Nothing listens"},
        {"adit explain -W db:22 h", "h looks up db itself and connects to port 22"},
        {"adit explain -J a,b h", "through a,b, in this order"},
        {"adit explain -J a,b h", "The name of h is looked up by b, not by this machine"},
        {"adit explain -gR 80:a:80 h", "Note: GatewayPorts (-g) does nothing for -R"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = said(cases[i][0], false);
        if (!strstr(text, cases[i][1]))
            fail_msg("%s says:\n%s\nand not: %s", cases[i][0], text, cases[i][1]);
        mem_free(text);
    }
}

static void hints_come_where_something_else_was_meant(void **state)
{
    static const char *const cases[][2] = {
        {"adit -L 80:a:80 h", ""},
        {"adit -R 80:localhost:80 h", ""},
        {"adit -R 80:a:80 h", ""},
        {"adit -D 1080 -R 80:a:80 h", ""},
        {"adit -g -L 127.0.0.1:80:a:80 h", ""},
        {"adit -gR 80:a:80 h", "does nothing for -R"},
        {"adit -g -L 80:a:80 -R 81:a:80 h", "-L 80:a:80 is open to anyone who reaches this"},
        {"adit -g -D 1080 h", "-D 1080 is open to anyone"},
        {"adit -R 80:h:8080 h", "its target is the SSH server itself"},
        {"adit -R 80:H:8080 u@h", "a service of this machine is localhost:8080"},
        {"adit -R 80:h:8080 -o HostName=h x", "its target is the SSH server itself"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = said(cases[i][0], true);
        if (cases[i][1][0] == '\0')
            assert_string_equal(text, "");
        else if (!strstr(text, cases[i][1]))
            fail_msg("%s says: %s", cases[i][0], text);
        mem_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forward_is_put_into_words),
        cmocka_unit_test(hints_come_where_something_else_was_meant),
    };
    return RUN_TESTS(tests);
}
