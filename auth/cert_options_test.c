/* What a certificate permits, forbids and demands. */
#include "auth/cert_options.h"
#include "crypto/cert_fixture.h"
#include "tests/unit.h"

struct bed {
    struct crypto *crypto;
    struct privkey *key, *authority;
};

static int set_up(void **state)
{
    struct bed *b = NEW(struct bed);
    b->crypto = crypto_new();
    assert_ok(privkey_generate(&b->key, b->crypto, KEY_ED25519, 0));
    assert_ok(privkey_generate(&b->authority, b->crypto, KEY_ED25519, 0));
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *b = *state;
    privkey_free(b->key);
    privkey_free(b->authority);
    crypto_free(b->crypto);
    mem_free(b);
    return 0;
}

static enum err read_of(struct bed *b, struct cert_plan plan, struct key_options *o,
                        const char **why)
{
    struct buf blob;
    struct cert *cert;
    plan.key = b->key;
    plan.authority = b->authority;
    buf_init(&blob, PUBKEY_BLOB_MAX);
    cert_make(&plan, &blob);
    assert_ok(cert_parse(&cert, b->crypto, buf_slice(&blob)));
    enum err err = cert_options_read(cert_info(cert), o, why);
    cert_free(cert);
    buf_done(&blob);
    return err;
}

static void nothing_is_permitted_that_is_not_named(void **state)
{
    struct key_options o;
    const char *why;
    assert_ok(read_of(*state, (struct cert_plan){.serial = 1}, &o, &why));
    assert_false(o.may_forward_ports || o.may_forward_agent || o.may_forward_x11 || o.may_use_pty ||
                 o.may_use_rc || o.needs_no_touch);
    key_options_done(&o);
    struct cert_plan plan = {.extensions = {{"permit-port-forwarding", NULL},
                                            {"permit-pty", NULL},
                                            {"unheard-of@example.com", "x"}}};
    assert_ok(read_of(*state, plan, &o, &why));
    assert_true(o.may_forward_ports && o.may_use_pty);
    assert_false(o.may_forward_agent || o.may_forward_x11 || o.may_use_rc);
    key_options_done(&o);
}

static void critical_options_become_restrictions(void **state)
{
    struct key_options o;
    const char *why;
    struct cert_plan plan = {.critical = {{"force-command", "run this"},
                                          {"source-address", "10.0.0.0/8,::1"},
                                          {"verify-required", NULL}}};
    assert_ok(read_of(*state, plan, &o, &why));
    assert_string_equal(o.command, "run this");
    assert_true(o.needs_verification);
    struct key_use use = {KEY_USE_PRINCIPAL, "10.1.1.1", NULL, 0};
    assert_true(key_options_may_log_in(&o, &use, &why));
    use.address = "11.1.1.1";
    assert_false(key_options_may_log_in(&o, &use, &why));
    use.address = "UNKNOWN";
    assert_false(key_options_may_log_in(&o, &use, &why));
    key_options_done(&o);
}

static void values_that_make_no_sense_permit_nothing(void **state)
{
    static const struct cert_plan_option bad[] = {
        {"force-command", NULL},
        {"force-command", ""},
        {"source-address", NULL},
        {"source-address", "*"},
        {"source-address", "!10.0.0.1"},
        {"source-address", "10.0.0.1/8"},
        {"source-address", "host.example"},
        {"verify-required", "yes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct key_options o;
        const char *why;
        struct cert_plan plan = {.critical = {bad[i]}, .extensions = {{"permit-pty", NULL}}};
        if (read_of(*state, plan, &o, &why) == OK)
            fail_msg("%s=%s is read", bad[i].name, bad[i].value ? bad[i].value : "(none)");
        assert_true(why[0] != '\0');
        assert_false(o.may_use_pty);
        key_options_done(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_permitted_that_is_not_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(critical_options_become_restrictions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_that_make_no_sense_permit_nothing, set_up,
                                        tear_down),
    };
    return RUN_TESTS(tests);
}
