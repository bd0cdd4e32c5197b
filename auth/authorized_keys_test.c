/* Lines of authorized_keys by tables. */
#include "auth/authorized_keys.h"
#include "tests/unit.h"

/* A well-formed ed25519 blob: "ssh-ed25519" and 32 bytes. */
#define KEY  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define NOON 1700000000 /* 2023-11-14 22:13:20 UTC */

static void options_are_read_or_the_line_counts_for_nothing(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool is_read;
    } rows[] = {
        {"", true},
        {"restrict", true},
        {"RESTRICT,Pty", true},
        {"no-pty,no-agent-forwarding,no-x11-forwarding,no-user-rc,no-port-forwarding", true},
        {"agent-forwarding,x11-forwarding,user-rc,port-forwarding,pty", true},
        {"no-touch-required,verify-required", true},
        {"command=\"echo \\\"a, b\\\" \\n\"", true},
        {"environment=\"A_1=b c\"", true},
        {"environment=\"=b\"", false},
        {"environment=\"A-B=c\"", false},
        {"tunnel=\"any\",tunnel=\"3\"", true},
        {"tunnel=\"x\"", false},
        {"from=\"10.0.0.0/8,!10.0.0.1,*.example\"", true},
        {"from=\"10.0.0.1/8\"", false},
        {"from=\"*\",from=\"*\"", false},
        {"command=\"a\",command=\"b\"", false},
        {"permitopen=\"host:80\",permitopen=\"[::1]:*\",permitopen=\"*:443\"", true},
        {"permitopen=\"host\"", false},
        {"permitopen=\"80\"", false},
        {"permitopen=\":80\"", false},
        {"permitopen=\"host:0\"", false},
        {"permitopen=\"host:65535\"", true},
        {"permitopen=\"host:65536\"", false},
        {"permitopen=\"host:80x\"", false},
        {"permitopen=\"host:+80\"", false},
        {"permitopen=\"host: 80\"", false},
        {"permitopen=\"::1:80\"", false},
        {"permitopen=\"[::1]\"", false},
        {"permitopen=\"[]:80\"", false},
        {"permitlisten=\"8080\",permitlisten=\"*:9\",permitlisten=\"localhost:*\"", true},
        {"permitlisten=\"\"", false},
        {"permitlisten=\"70000\"", false},
        {"expiry-time=\"20300101\",expiry-time=\"203001011200Z\"", true},
        {"expiry-time=\"2030010\"", false},
        {"expiry-time=\"20300230\"", false},
        {"expiry-time=\"20301301\"", false},
        {"expiry-time=\"203001012460Z\"", false},
        {"expiry-time=\"\"", false},
        {"cert-authority,principals=\"a,b\"", true},
        {"unknown", false},
        {"no-restrict", false},
        {"no-command=\"x\"", false},
        {"no-", false},
        {"restrict=\"yes\"", false},
        {"command", false},
        {"command=echo", false},
        {"command=\"echo", false},
        {"restrict,", false},
        {",restrict", false},
        {"restrict,,pty", false},
        {"restrict pty", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key_options o;
        const char *why;
        enum err err = key_options_parse(slice_text(rows[i].text), &o, &why);
        if ((err == OK) != rows[i].is_read)
            fail_msg("%s: %s", rows[i].text, err_name(err));
        if (err != OK) {
            assert_true(why[0] != '\0');
            assert_false(o.may_forward_ports);
        }
        key_options_done(&o);
    }
}

static void forwarding_follows_the_options_in_order(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool may_forward;
    } rows[] = {
        {"", true},
        {"restrict", false},
        {"restrict,port-forwarding", true},
        {"port-forwarding,restrict", false},
        {"no-port-forwarding", false},
        {"no-port-forwarding,port-forwarding", true},
        {"restrict,pty", false},
        {"command=\"x\"", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key_options o;
        const char *why;
        assert_ok(key_options_parse(slice_text(rows[i].text), &o, &why));
        assert_int_equal(o.may_forward_ports, rows[i].may_forward);
        key_options_done(&o);
    }
}

static void values_are_kept_unquoted(void **state UNUSED)
{
    struct key_options o;
    const char *why;
    assert_ok(key_options_parse(
        slice_text("command=\"say \\\"a,b\\\" \\\\n\",permitopen=\"a:1\",permitopen=\"b:*\","
                   "permitlisten=\"7\",expiry-time=\"20240101Z\",expiry-time=\"20230101Z\""),
        &o, &why));
    assert_string_equal(o.command, "say \"a,b\" \\\\n");
    assert_int_equal(o.permit_open.count, 2);
    assert_string_equal(o.permit_open.items[1], "b:*");
    assert_int_equal(o.permit_listen.count, 1);
    assert_true(o.has_expiry);
    assert_int_equal(o.expires_at, 1672531200); /* the earlier one */
    key_options_done(&o);
}

static void who_may_log_in_is_decided_by_the_options(void **state UNUSED)
{
    static const struct {
        const char *text, *address;
        bool may;
    } rows[] = {
        {"", "UNKNOWN", true},
        {"from=\"10.0.0.0/8\"", "10.1.2.3", true},
        {"from=\"10.0.0.0/8\"", "11.1.2.3", false},
        {"from=\"10.0.0.0/8,!10.1.2.3\"", "10.1.2.3", false},
        {"from=\"*\"", "UNKNOWN", false},
        {"from=\"UNKNOWN\"", "UNKNOWN", false},
        {"expiry-time=\"20231114221320Z\"", "::1", false},
        {"expiry-time=\"20231114221321Z\"", "::1", true},
        {"expiry-time=\"20200101\"", "::1", false},
        {"cert-authority", "::1", false},
        {"principals=\"root\"", "::1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key_options o;
        const char *why;
        assert_ok(key_options_parse(slice_text(rows[i].text), &o, &why));
        struct key_use use = {KEY_USE_PLAIN, rows[i].address, NULL, NOON};
        bool may = key_options_may_log_in(&o, &use, &why);
        if (may != rows[i].may)
            fail_msg("%s from %s: %s", rows[i].text, rows[i].address, why);
        assert_int_equal(why[0] == '\0', may);
        key_options_done(&o);
    }
}

static void a_name_counts_in_from_where_it_is_known(void **state UNUSED)
{
    static const struct {
        const char *text, *host;
        bool may;
    } rows[] = {
        {"from=\"*.example\"", "a.example", true},
        {"from=\"*.example\"", "A.EXAMPLE", true},
        {"from=\"*.example\"", NULL, false},
        {"from=\"*.example\"", "a.org", false},
        {"from=\"10.0.0.0/8,!a.example\"", "a.example", false},
        {"from=\"10.0.0.0/8,!b.example\"", "a.example", true},
        {"from=\"*.example,!10.1.2.3\"", "a.example", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key_options o;
        const char *why;
        struct key_use use = {KEY_USE_PLAIN, "10.1.2.3", rows[i].host, NOON};
        assert_ok(key_options_parse(slice_text(rows[i].text), &o, &why));
        if (key_options_may_log_in(&o, &use, &why) != rows[i].may)
            fail_msg("%s from %s: %s", rows[i].text, rows[i].host ? rows[i].host : "?", why);
        key_options_done(&o);
    }
}

/* An authority's line logs in nobody by its own key, and a plain line nobody by a certificate. */
static void authorities_are_no_keys_and_keys_no_authorities(void **state UNUSED)
{
    static const struct {
        const char *text;
        enum key_use_kind kind;
        bool may;
    } rows[] = {
        {"cert-authority", KEY_USE_PLAIN, false},
        {"cert-authority,principals=\"a\"", KEY_USE_AUTHORITY, true},
        {"principals=\"a\"", KEY_USE_AUTHORITY, false},
        {"", KEY_USE_AUTHORITY, false},
        {"cert-authority", KEY_USE_AUTHORITY, true},
        {"cert-authority", KEY_USE_PRINCIPAL, false},
        {"", KEY_USE_PRINCIPAL, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key_options o;
        const char *why;
        struct key_use use = {rows[i].kind, "::1", NULL, NOON};
        assert_ok(key_options_parse(slice_text(rows[i].text), &o, &why));
        if (key_options_may_log_in(&o, &use, &why) != rows[i].may)
            fail_msg("%s as %d: %s", rows[i].text, rows[i].kind, why);
        key_options_done(&o);
    }
}

static void assert_printed(const char *text, const char *expected)
{
    struct key_options o;
    struct buf out;
    const char *why;
    buf_init(&out, KEY_OPTIONS_TEXT_MAX);
    assert_ok(key_options_parse(slice_text(text), &o, &why));
    assert_ok(key_options_print(&o, &out));
    char *printed CLEANUP(mem_cleanup) = buf_strdup(&out);
    assert_string_equal(printed, expected);
    key_options_done(&o);
    buf_done(&out);
}

static void what_restricts_a_session_prints_and_reads_back(void **state UNUSED)
{
    static const char whole[] =
        "no-port-forwarding,no-agent-forwarding,no-x11-forwarding,no-pty,no-user-rc,"
        "command=\"say \\\"a,b\\\" \\n\",permitopen=\"a:1\",permitopen=\"b:*\",permitlisten=\"7\","
        "environment=\"A=x y\",tunnel=\"3\"";
    assert_printed("", "");
    assert_printed(whole, whole); /* in the order of the program: a fixed point */
    assert_printed("restrict,pty,tunnel=\"any\"", "no-port-forwarding,no-agent-forwarding,"
                                                  "no-x11-forwarding,no-user-rc,tunnel=\"any\"");
    assert_printed("cert-authority,principals=\"a\",from=\"::1\",expiry-time=\"20300101\"", "");
}

/* The grammar cannot say it, so it must not become something else. */
static void a_value_that_cannot_be_printed_is_an_error(void **state UNUSED)
{
    struct key_options o = {.command = mem_strdup("ends with \\")};
    struct buf out;
    buf_init(&out, 1024);
    assert_int_equal(key_options_print(&o, &out), ERR_FORMAT);
    key_options_done(&o);
    buf_done(&out);
}

static void merged_options_permit_what_both_permit(void **state UNUSED)
{
    static const struct {
        const char *one, *other, *merged; /* NULL: cannot be */
    } rows[] = {
        {"", "", ""},
        {"no-pty", "no-port-forwarding", "no-port-forwarding,no-pty"},
        {"command=\"a\"", "", "command=\"a\""},
        {"", "command=\"a\"", "command=\"a\""},
        {"command=\"a\"", "command=\"a\"", "command=\"a\""},
        {"command=\"a\"", "command=\"b\"", NULL},
        {"permitopen=\"a:1\"", "permitlisten=\"1\"", "permitopen=\"a:1\",permitlisten=\"1\""},
        {"permitopen=\"a:1\"", "permitopen=\"a:1\"", NULL},
        {"permitlisten=\"1\"", "permitlisten=\"2\"", NULL},
        {"tunnel=\"any\"", "tunnel=\"2\"", "tunnel=\"2\""},
        {"tunnel=\"2\"", "tunnel=\"any\"", "tunnel=\"2\""},
        {"tunnel=\"2\"", "tunnel=\"3\"", NULL},
        {"environment=\"A=1\"", "environment=\"A=2\",environment=\"B=2\"",
         "environment=\"A=1\",environment=\"B=2\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key_options o, other;
        struct buf out;
        const char *why = "";
        buf_init(&out, 1024);
        assert_ok(key_options_parse(slice_text(rows[i].one), &o, &why));
        assert_ok(key_options_parse(slice_text(rows[i].other), &other, &why));
        enum err err = key_options_merge(&o, &other, &why);
        assert_int_equal(err == OK, rows[i].merged != NULL);
        if (err == OK)
            err = key_options_print(&o, &out);
        if (rows[i].merged && !slice_is(buf_slice(&out), rows[i].merged))
            fail_msg("%s and %s", rows[i].one, rows[i].other);
        assert_int_equal(why[0] != '\0', rows[i].merged == NULL);
        key_options_done(&o);
        key_options_done(&other);
        buf_done(&out);
    }
}

static void lines_are_split_into_options_and_key(void **state UNUSED)
{
    static const struct {
        const char *line;
        enum err err;
        const char *options;
    } rows[] = {
        {KEY, OK, ""},
        {KEY " me@here", OK, ""},
        {"  \t" KEY " c\r", OK, ""},
        {"restrict " KEY, OK, "restrict"},
        {"command=\"a b\\\" c\",pty \t" KEY " x y", OK, "command=\"a b\\\" c\",pty"},
        {"ssh-ed25519 " KEY, OK, "ssh-ed25519"}, /* no option has that name: it allows nobody */
        {"", ERR_NOT_FOUND, ""},
        {"   ", ERR_NOT_FOUND, ""},
        {"# " KEY, ERR_NOT_FOUND, ""},
        {"restrict", ERR_FORMAT, ""},
        {"command=\"open " KEY, ERR_FORMAT, ""},
        {"ssh-ed25519 AAAA", ERR_FORMAT, ""},
        {"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", ERR_FORMAT,
         ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf blob;
        struct slice options;
        buf_init(&blob, 16384);
        assert_ok(buf_append(&blob, "left over", 9));
        enum err err = authorized_keys_split(slice_text(rows[i].line), &options, &blob);
        if (err != rows[i].err || !slice_is(options, rows[i].options))
            fail_msg("%s: %s", rows[i].line, err_name(err));
        if (err == OK)
            assert_int_equal(buf_len(&blob), 51);
        buf_done(&blob);
    }
}

static void a_line_that_is_too_long_or_binary_lists_no_key(void **state UNUSED)
{
    struct buf line, blob;
    struct slice options;
    buf_init(&line, 1u << 20);
    buf_init(&blob, 16384);
    assert_ok(buf_append(&line, KEY " ", sizeof(KEY)));
    while (buf_len(&line) <= AUTHORIZED_KEYS_LINE_MAX)
        assert_ok(buf_append(&line, "cccccccccccccccc", 16));
    assert_int_equal(authorized_keys_split(buf_slice(&line), &options, &blob), ERR_LIMIT);
    buf_clear(&line);
    while (buf_len(&line) <= KEY_OPTIONS_TEXT_MAX)
        assert_ok(buf_append(&line, "restrict,pty,", 13));
    assert_ok(buf_append(&line, "pty " KEY, sizeof("pty " KEY) - 1));
    assert_int_equal(authorized_keys_split(buf_slice(&line), &options, &blob), ERR_LIMIT);
    static const char binary[] = "restrict\0 " KEY;
    assert_int_equal(authorized_keys_split(slice_of(binary, sizeof(binary) - 1), &options, &blob),
                     ERR_FORMAT);
    buf_done(&line);
    buf_done(&blob);
}

/* Every beginning of a line: no key is found that the whole line does not list. */
static void a_truncated_line_never_lists_another_key(void **state UNUSED)
{
    static const char line[] = "restrict,permitopen=\"h:1\",from=\"10.0.0.0/8\" " KEY;
    for (size_t n = 0; n < sizeof(line) - 1; n++) {
        struct buf blob;
        struct slice options;
        uint8_t *exact = mem_new(n + 1, 1);
        memcpy(exact, line, n);
        buf_init(&blob, 16384);
        if (authorized_keys_split(slice_of(exact, n), &options, &blob) == OK)
            assert_true(buf_len(&blob) < 51 && slice_is(options, "restrict,permitopen=\"h:1\","
                                                                 "from=\"10.0.0.0/8\""));
        buf_done(&blob);
        mem_free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_counts_in_from_where_it_is_known),
        cmocka_unit_test(authorities_are_no_keys_and_keys_no_authorities),
        cmocka_unit_test(what_restricts_a_session_prints_and_reads_back),
        cmocka_unit_test(a_value_that_cannot_be_printed_is_an_error),
        cmocka_unit_test(merged_options_permit_what_both_permit),
        cmocka_unit_test(options_are_read_or_the_line_counts_for_nothing),
        cmocka_unit_test(forwarding_follows_the_options_in_order),
        cmocka_unit_test(values_are_kept_unquoted),
        cmocka_unit_test(who_may_log_in_is_decided_by_the_options),
        cmocka_unit_test(lines_are_split_into_options_and_key),
        cmocka_unit_test(a_line_that_is_too_long_or_binary_lists_no_key),
        cmocka_unit_test(a_truncated_line_never_lists_another_key),
    };
    return RUN_TESTS(tests);
}
