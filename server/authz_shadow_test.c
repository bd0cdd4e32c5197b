/* Shadow entries: locks, expiry, and passwords that are right. */
#include "server/authz_shadow.h"
#include "tests/unit.h"

/* crypt(3) of "secret" by SHA-512, made by perl's crypt. */
#define SECRET                                                                                     \
    "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc"                                           \
    "1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1"

static struct shadow entry(const char *hash)
{
    return (struct shadow){.is_read = true,
                           .hash = mem_strdup(hash),
                           .decoy = mem_strdup("$6$decoy$none"),
                           .changed = 100,
                           .max_days = -1,
                           .expires = -1};
}

static void assert_password(const char *hash, const char *password, bool is_right)
{
    struct shadow s = entry(hash);
    if (shadow_is_password(&s, slice_text(password)) != is_right)
        fail_msg("\"%s\" for %s", password, hash);
    shadow_done(&s);
}

static void only_the_right_password_is_right(void **state UNUSED)
{
    assert_password(SECRET, "secret", true);
    assert_password(SECRET, "secret ", false);
    assert_password(SECRET, "", false);
    assert_password("!" SECRET, "secret", false);
    assert_password("!", "!", false);
    assert_password("*", "*", false);
    assert_password("", "", true); /* whether it may be is PermitEmptyPasswords' */
    assert_password("", "x", false);
    assert_password("$6$decoy$none", "none", false);
    struct shadow s = entry(SECRET);
    assert_false(shadow_is_password(&s, slice_of("secret\0more", 11)));
    s.is_read = false; /* then nothing in it counts */
    assert_false(shadow_is_password(&s, slice_text("secret")));
    shadow_done(&s);
    s = entry("");
    s.is_read = false;
    assert_false(shadow_is_password(&s, SLICE_NONE));
    shadow_done(&s);
}

static void locks_and_dates_are_heeded(void **state UNUSED)
{
    static const struct {
        const char *hash;
        bool is_locked;
    } rows[] = {{"!", true},  {"!!", true}, {"!" SECRET, true}, {"*LK*", true},
                {"*", false}, {"", false},  {SECRET, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shadow s = entry(rows[i].hash);
        assert_int_equal(shadow_is_locked(&s), rows[i].is_locked);
        shadow_done(&s);
    }
    struct shadow s = entry(SECRET);
    assert_false(shadow_is_expired(&s, 200 * 86400));
    s.expires = 200;
    assert_false(shadow_is_expired(&s, 201 * 86400 - 1));
    assert_true(shadow_is_expired(&s, 201 * 86400));
    assert_false(shadow_must_change(&s, 500 * 86400));
    s.max_days = 10;
    assert_false(shadow_must_change(&s, 110 * 86400));
    assert_true(shadow_must_change(&s, 111 * 86400));
    s.max_days = -1;
    s.changed = 0;
    assert_true(shadow_must_change(&s, 1));
    shadow_done(&s);
}

static void an_unknown_user_s_entry_is_empty(void **state UNUSED)
{
    struct shadow s;
    shadow_read("no-such-account-here", &s);
    assert_false(s.is_read || shadow_is_locked(&s) || shadow_is_expired(&s, INT64_C(1) << 40));
    assert_false(shadow_is_password(&s, slice_text("x")));
    shadow_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_right_password_is_right),
        cmocka_unit_test(locks_and_dates_are_heeded),
        cmocka_unit_test(an_unknown_user_s_entry_is_empty),
    };
    return RUN_TESTS(tests);
}
