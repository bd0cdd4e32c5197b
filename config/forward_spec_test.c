/* Forward specifications: what they mean, and what is said about those that mean nothing. */
#include "config/forward_spec.h"
#include "config/fuzz_rounds.h"
#include "tests/unit.h"

struct valid {
    enum forward_kind wanted, kind;
    const char *text;
    const char *address; /* NULL: none given */
    unsigned port;
    const char *listen_path, *host;
    unsigned target_port;
    const char *target_path;
    const char *config;
};

#define L  FORWARD_LOCAL
#define R  FORWARD_REMOTE
#define D  FORWARD_DYNAMIC
#define RD FORWARD_REMOTE_DYNAMIC

static const struct valid valid_cases[] = {
    {L, L, "4406:remote-host:3306", NULL, 4406, NULL, "remote-host", 3306, NULL,
     "4406 [remote-host]:3306"},
    {L, L, "127.0.0.1:4406:remote-host:3306", "127.0.0.1", 4406, NULL, "remote-host", 3306, NULL,
     "[127.0.0.1]:4406 [remote-host]:3306"},
    {L, L, "[::1]:8080:[::1]:80", "::1", 8080, NULL, "::1", 80, NULL, "[::1]:8080 [::1]:80"},
    {L, L, ":80:h:80", "", 80, NULL, "h", 80, NULL, "[]:80 [h]:80"},
    {L, L, "[]:80:h:80", "", 80, NULL, "h", 80, NULL, "[]:80 [h]:80"},
    {L, L, "*:80:h:65535", "*", 80, NULL, "h", 65535, NULL, "[*]:80 [h]:65535"},
    {L, L, "127.0.0.1/80/h/81", "127.0.0.1", 80, NULL, "h", 81, NULL, "[127.0.0.1]:80 [h]:81"},
    {L, L, "::1/80/::2/81", "::1", 80, NULL, "::2", 81, NULL, "[::1]:80 [::2]:81"},
    {L, L, "80/h/81", NULL, 80, NULL, "h", 81, NULL, "80 [h]:81"},
    {L, L, "8080:/run/x.sock", NULL, 8080, NULL, NULL, 0, "/run/x.sock", "8080 /run/x.sock"},
    {L, L, "h:8080:[/a:b]", "h", 8080, NULL, NULL, 0, "/a:b", "[h]:8080 [/a:b]"},
    {L, L, "/a:/b", NULL, 0, "/a", NULL, 0, "/b", "/a /b"},
    {L, L, "80:/a b", NULL, 80, NULL, NULL, 0, "/a b", "80 \"/a b\""},
    {L, L, "/a/1:h:80", NULL, 0, "/a/1", "h", 80, NULL, "/a/1 [h]:80"},
    {R, R, "0:localhost:20080", NULL, 0, NULL, "localhost", 20080, NULL, "0 [localhost]:20080"},
    {R, R, "0.0.0.0:443:127.0.0.1:443", "0.0.0.0", 443, NULL, "127.0.0.1", 443, NULL,
     "[0.0.0.0]:443 [127.0.0.1]:443"},
    {R, R, "22:[/p]", NULL, 22, NULL, NULL, 0, "/p", "22 /p"},
    {R, RD, "1080", NULL, 1080, NULL, NULL, 0, NULL, "1080"},
    {R, RD, "*:0", "*", 0, NULL, NULL, 0, NULL, "[*]:0"},
    {R, RD, "[::1]:1080", "::1", 1080, NULL, NULL, 0, NULL, "[::1]:1080"},
    {D, D, "1080", NULL, 1080, NULL, NULL, 0, NULL, "1080"},
    {D, D, "[::]:1080", "::", 1080, NULL, NULL, 0, NULL, "[::]:1080"},
    {D, D, "127.0.0.1/1080", "127.0.0.1", 1080, NULL, NULL, 0, NULL, "[127.0.0.1]:1080"},
    {D, D, "/run/socks", NULL, 0, "/run/socks", NULL, 0, NULL, "/run/socks"},
};

static void assert_text(const char *got, const char *want)
{
    if (want == NULL)
        assert_null(got);
    else
        assert_string_equal(got, want);
}

static void valid_specifications_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(valid_cases); i++) {
        const struct valid *c = &valid_cases[i];
        struct forward_spec spec, again;
        struct forward_fault fault;
        assert_ok(forward_spec_parse(c->wanted, c->text, &spec, &fault));
        assert_int_equal(spec.kind, c->kind);
        assert_int_equal(spec.listen.has_address, c->address != NULL);
        assert_text(spec.listen.address, c->address);
        assert_int_equal(spec.listen.port, c->port);
        assert_text(spec.listen.path, c->listen_path);
        assert_text(spec.target.host, c->host);
        assert_int_equal(spec.target.port, c->target_port);
        assert_text(spec.target.path, c->target_path);
        assert_int_equal(forward_spec_is_unix(&spec), c->listen_path || c->target_path);
        assert_int_equal(forward_spec_is_remote(&spec), c->wanted == R);

        char *config = forward_spec_print_config(&spec);
        assert_string_equal(config, c->config);
        mem_free(config);
        char *printed = forward_spec_print(&spec);
        assert_ok(forward_spec_parse(c->wanted, printed, &again, &fault));
        assert_true(forward_spec_equal(&spec, &again));
        mem_free(printed);
        forward_spec_done(&again);
        forward_spec_copy(&again, &spec);
        assert_true(forward_spec_equal(&spec, &again));
        forward_spec_done(&again);
        forward_spec_done(&spec);
    }
}

static void invalid_specifications_are_explained(void **state)
{
    static const struct {
        enum forward_kind wanted;
        const char *text;
        unsigned column;
        const char *message;
    } cases[] = {
        {L, "", 1, "the forward is empty: expected [address:]port:host:port"},
        {D, "", 1, "the forward is empty: expected [address:]port"},
        {L, "8080", 5, "the target is missing: expected [address:]port:host:port"},
        {L, "8080:host", 10, "the target is missing: expected [address:]port:host:port"},
        {L, "8080:host:", 11, "the port is missing"},
        {L, "8080::80", 6, "the target host is missing"},
        {L, "80a:h:80", 1, "expected a port from 1 to 65535, found \"80a\""},
        {L, "+80:h:80", 1, "expected a port from 1 to 65535, found \"+80\""},
        {L, "0x50:h:80", 1, "expected a port from 1 to 65535, found \"0x50\""},
        {L, "80:h:65536", 6, "port 65536 is beyond 65535"},
        {L, "80:h:4294967297", 6, "expected a port from 1 to 65535, found \"4294967297\""},
        {L, "0:h:80", 1, "port 0 is no port; only the listening port of a remote forward may be 0"},
        {R, "80:h:0", 6, "port 0 is no port; only the listening port of a remote forward may be 0"},
        {L, "::1:80:h:80", 8,
         "there are more than four parts; an IPv6 address is written in brackets"},
        {L, "[::1:80:h:80", 1, "the '[' is not closed"},
        {L, "[::1]80:h:80", 6, "expected ':' after ']'"},
        {L, "a b:80:h:80", 2, "a listening address may not contain blanks or control characters"},
        {L, "80:[h h]:80", 6, "a target host may not contain blanks or control characters"},
        {L, "80:h]:80", 5, "a target host may not contain brackets"},
        {L, "80:h'h:80", 5, "a target host may not contain quotes or backslashes"},
        {L, "80:a/b:80", 5, "a target host may not contain a slash"},
        {L, "80:[/a\nb]", 7, "a socket path may not contain control characters"},
        {L, "/a:80:h:80", 4, "a listening socket path takes no port"},
        {R, "/a:80", 6, "the port of the target is missing"},
        {L, "a:80:h:/p", 6, "a target socket path takes no host"},
        {D, "127.0.0.1:1080:h:80", 16,
         "expected [address:]port; a dynamic forward has no target, and an IPv6 address is "
         "written in brackets"},
        {D, "0", 1, "port 0 is no port; only the listening port of a remote forward may be 0"},
        {D, ":", 2, "the port is missing"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct forward_spec spec;
        struct forward_fault fault;
        assert_int_equal(forward_spec_parse(cases[i].wanted, cases[i].text, &spec, &fault),
                         ERR_CONFIG);
        assert_string_equal(fault.text, cases[i].message);
        assert_int_equal(fault.column, cases[i].column);
        assert_null(spec.listen.address);
        assert_null(spec.target.host);
    }
}

static void long_names_and_paths_are_refused(void **state)
{
    char text[2048];
    struct forward_spec spec;
    struct forward_fault fault;
    (void)state;
    memset(text, 'h', sizeof(text));
    memcpy(text, "80:", 3);
    memcpy(text + 3 + 1025, ":80", 4);
    assert_int_equal(forward_spec_parse(L, text, &spec, &fault), ERR_CONFIG);
    assert_string_equal(fault.text, "the target host is longer than 1024 bytes");
    memcpy(text, "80:/", 4);
    text[3 + 108] = '\0';
    assert_int_equal(forward_spec_parse(L, text, &spec, &fault), ERR_CONFIG);
    assert_string_equal(fault.text, "the socket path is longer than 107 bytes");
    text[3 + 107] = '\0';
    assert_ok(forward_spec_parse(L, text, &spec, &fault));
    forward_spec_done(&spec);
}

static void the_configuration_form_is_the_same(void **state)
{
    static const struct {
        enum forward_kind wanted;
        const char *listen, *target, *printed;
    } cases[] = {
        {R, "20080", "localhost:20080", "20080:localhost:20080"},
        {R, "192.168.1.1:443", "[::1]:443", "192.168.1.1:443:[::1]:443"},
        {L, "*:80", "h/80", "*:80:h:80"},
        {L, "/a", "/b", "/a:/b"},
        {R, "1080", NULL, "1080"},
        {D, "*:1080", NULL, "*:1080"},
    };
    (void)state;
    struct forward_spec spec;
    struct forward_fault fault;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_ok(forward_spec_parse_pair(cases[i].wanted, cases[i].listen, cases[i].target, &spec,
                                          &fault));
        char *printed = forward_spec_print(&spec);
        assert_string_equal(printed, cases[i].printed);
        mem_free(printed);
        forward_spec_done(&spec);
    }
    assert_int_equal(forward_spec_parse_pair(R, "20080", "localhost:x", &spec, &fault), ERR_CONFIG);
    assert_int_equal(fault.column, 17);
}

static void targets_are_host_and_port(void **state)
{
    char *host;
    uint16_t port;
    struct forward_fault fault;
    (void)state;
    assert_ok(forward_spec_parse_target("[::1]:443", &host, &port, &fault));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 443);
    mem_free(host);
    assert_int_equal(forward_spec_parse_target("::1:443", &host, &port, &fault), ERR_CONFIG);
    assert_string_equal(fault.text, "expected host:port; an IPv6 address is written in brackets");
    assert_int_equal(forward_spec_parse_target("h", &host, &port, &fault), ERR_CONFIG);
    assert_int_equal(forward_spec_parse_target("h:0", &host, &port, &fault), ERR_CONFIG);
    assert_null(host);
}

static void any_text_is_understood_or_explained(void **state)
{
    const char *seeds[ARRAY_LEN(valid_cases)];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(valid_cases); i++) {
        seeds[i] = valid_cases[i].text;
        fuzz_truncations(seeds[i]);
    }
    fuzz_rounds(seeds, ARRAY_LEN(seeds), 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_specifications_are_understood),
        cmocka_unit_test(invalid_specifications_are_explained),
        cmocka_unit_test(long_names_and_paths_are_refused),
        cmocka_unit_test(the_configuration_form_is_the_same),
        cmocka_unit_test(targets_are_host_and_port),
        cmocka_unit_test(any_text_is_understood_or_explained),
    };
    return RUN_TESTS(tests);
}
