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
        bool may = key_options_may_log_in(&o, rows[i].address, NOON, &why);
        if (may != rows[i].may)
            fail_msg("%s from %s: %s", rows[i].text, rows[i].address, why);
        assert_int_equal(why[0] == '\0', may);
        key_options_done(&o);
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
