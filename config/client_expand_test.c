/* Which option knows which token, and what comes of it. */
#include "config/ssh_config.h"
#include "tests/unit.h"

static char *fake_sha1(void *arg, const char *text)
{
    (void)arg;
    return mem_printf("<%s>", text);
}

static const char *environment(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "FOO") == 0 ? "%h" : NULL;
}

static const struct client_facts facts = {.local_user = "me",
                                          .home = "/home/me",
                                          .uid = "1000",
                                          .local_host = "box.example.org",
                                          .sha1_hex = fake_sha1,
                                          .environment = environment};

/* "u@typed", which is real.example, port 2222, through the hops a and b. */
static void make(struct client_options *o)
{
    client_options_init(o);
    o->host = mem_strdup("typed");
    o->host_name = mem_strdup("real.example");
    o->is_host_name_final = true;
    o->user = mem_strdup("u");
    o->port = 2222;
    o->proxy_jump = mem_strdup("a,x@b:22");
}

static void each_kind_has_its_tokens(void **state)
{
    static const struct {
        enum client_expand kind;
        const char *text, *result; /* NULL: refused */
    } cases[] = {
        {CLIENT_EXPAND_PATH, "%d %h %i %j %k %L %l %n %p %r %u %%",
         "/home/me real.example 1000 b typed box box.example.org typed 2222 u me %"},
        {CLIENT_EXPAND_PATH, "%C", "<box.example.orgreal.example2222ub>"},
        {CLIENT_EXPAND_PATH, "~/x", "/home/me/x"},
        {CLIENT_EXPAND_PATH, "~", "/home/me/"},
        {CLIENT_EXPAND_PATH, "${FOO}/y", "%h/y"},
        {CLIENT_EXPAND_PATH, "${BAR}", NULL},
        {CLIENT_EXPAND_PATH, "%T", "tun7"},
        {CLIENT_EXPAND_PATH, "%z", NULL},
        {CLIENT_EXPAND_SOCKET, "~/${FOO}", "~/%h"},
        {CLIENT_EXPAND_COMMAND, "~ ${FOO} %h", "~ ${FOO} real.example"},
        {CLIENT_EXPAND_PROXY, "nc %h %p %r %n", "nc real.example 2222 u typed"},
        {CLIENT_EXPAND_PROXY, "%u", NULL},
        {CLIENT_EXPAND_USER, "%u-${FOO}", "me-%h"},
        {CLIENT_EXPAND_USER, "%r", NULL},
        {CLIENT_EXPAND_USER, "%C", NULL},
    };
    const struct expand_token more = {'T', "tun7"};
    struct client_options o;
    (void)state;
    make(&o);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct expand_fault fault;
        char *out;
        enum err err =
            client_token_expand(&o, &facts, cases[i].kind, &more, 1, cases[i].text, &out, &fault);
        assert_int_equal(err, cases[i].result ? OK : ERR_CONFIG);
        if (cases[i].result)
            assert_string_equal(out, cases[i].result);
        mem_free(out);
    }
    client_options_done(&o);
}

static void a_name_that_was_typed_has_no_tokens(void **state)
{
    struct client_options o;
    struct report report;
    (void)state;
    for (int is_typed = 0; is_typed < 2; is_typed++) {
        make(&o);
        report_init(&report);
        o.is_user_typed = is_typed;
        mem_free(o.user);
        o.user = mem_strdup("x%u");
        o.control_path = mem_strdup("~/%n");
        assert_ok(client_options_expand(&o, &facts, &report));
        assert_string_equal(o.user, is_typed ? "x%u" : "xme");
        assert_string_equal(o.control_path, "/home/me/typed");
        report_done(&report);
        client_options_done(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_tokens),
        cmocka_unit_test(a_name_that_was_typed_has_no_tokens),
    };
    return RUN_TESTS(tests);
}
