/* Algorithm lists: what configuration values come to. */
#include "base/algo_names.h"
#include "base/cpu.h"
#include "tests/unit.h"

/* Every name of the list is in all, and none before its forerunner. */
static void assert_in_order(const char *list, const char *all)
{
    char *names = mem_strdup(list);
    char *padded = mem_printf(",%s,", all);
    char *rest = names;
    const char *at = padded;
    for (char *name; (name = strsep(&rest, ","));) {
        char *wanted = mem_printf(",%s,", name);
        at = strstr(at, wanted);
        assert_non_null(at);
        at += strlen(name);
        mem_free(wanted);
    }
    mem_free(padded);
    mem_free(names);
}

static void groups_are_a_clients_last_resort(void **state)
{
    (void)state;
    assert_string_equal(algo_names_default(ALGO_NAMES_KEX, false),
                        "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,"
                        "ecdh-sha2-nistp384,ecdh-sha2-nistp521");
    assert_string_equal(algo_names_default(ALGO_NAMES_KEX, true),
                        "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,"
                        "ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group16-sha512,"
                        "diffie-hellman-group18-sha512,diffie-hellman-group14-sha256");
}

static void every_default_is_built_and_in_order(void **state)
{
    (void)state;
    for (int kind = ALGO_NAMES_KEX; kind <= ALGO_NAMES_COMPRESSION; kind++) {
        char *joined = mem_strdup("");
        for (size_t i = 0; algo_names_built((enum algo_kind)kind, i) != NULL; i++) {
            const char *name = algo_names_built((enum algo_kind)kind, i);
            assert_true(algo_names_is_built((enum algo_kind)kind, slice_text(name)));
            assert_true(algo_names_is_known((enum algo_kind)kind, slice_text(name)));
            char *longer = mem_printf("%s%s%s", joined, i ? "," : "", name);
            mem_free(joined);
            joined = longer;
        }
        if (kind != ALGO_NAMES_CIPHER) /* a client's depend on the machine */
            assert_in_order(algo_names_default((enum algo_kind)kind, true), joined);
        assert_in_order(algo_names_default((enum algo_kind)kind, false), joined);
        mem_free(joined);
        assert_non_null(algo_names_kind_name((enum algo_kind)kind));
    }
    assert_false(algo_names_is_built(ALGO_NAMES_MAC, slice_text("hmac-ripemd160")));
    assert_true(algo_names_is_known(ALGO_NAMES_MAC, slice_text("hmac-ripemd160")));
    assert_false(algo_names_is_known(ALGO_NAMES_MAC, slice_text("hmac")));
}

static void a_clients_ciphers_suit_the_processor(void **state)
{
    (void)state;
    const char *list = algo_names_default(ALGO_NAMES_CIPHER, true);
    const char *first =
        cpu_has_aes_gcm() ? "aes128-gcm@openssh.com," : "chacha20-poly1305@openssh.com,";
    assert_memory_equal(list, first, strlen(first));
    /* In whatever order, the same. */
    assert_int_equal(strlen(list), strlen(algo_names_default(ALGO_NAMES_CIPHER, false)));
    assert_non_null(strstr(list, "chacha20-poly1305@openssh.com,aes128-"));
}

/* What is worn out comes by its whole name, or not at all. */
static void no_default_and_no_pattern_brings_a_legacy_name(void **state)
{
    static const char *const specs[] = {"*", "+*", "^*", "-no-such-name"};
    (void)state;
    for (int kind = ALGO_NAMES_KEX; kind <= ALGO_NAMES_COMPRESSION; kind++) {
        for (size_t i = 0; i < 2 * ARRAY_LEN(specs); i++) {
            struct algo_choice choice;
            const char *name;
            assert_ok(algo_names_apply((enum algo_kind)kind, specs[i / 2], i % 2, &choice));
            for (size_t n = 0; (name = algo_names_built((enum algo_kind)kind, n)); n++) {
                char *list CLEANUP(mem_cleanup) = mem_printf(",%s,", choice.list);
                char *wanted CLEANUP(mem_cleanup) = mem_printf(",%s,", name);
                if (algo_names_is_legacy((enum algo_kind)kind, slice_text(name)))
                    assert_null(strstr(list, wanted));
            }
            algo_choice_done(&choice);
        }
    }
    assert_true(algo_names_is_legacy(ALGO_NAMES_CIPHER, slice_text("3des-cbc")));
    assert_true(algo_names_is_legacy(ALGO_NAMES_HOST_KEY, slice_text("ssh-rsa")));
    assert_false(algo_names_is_legacy(ALGO_NAMES_HOST_KEY, slice_text("rsa-sha2-256")));
}

static void specifications_apply(void **state)
{
    static const struct {
        enum algo_kind kind;
        const char *spec;
        enum err result;
        const char *list, *dropped, *unknown;
    } cases[] = {
        {ALGO_NAMES_MAC, "hmac-sha2-512", OK, "hmac-sha2-512", NULL, NULL},
        {ALGO_NAMES_MAC, "hmac-sha2-512,hmac-sha2-256,hmac-sha2-512", OK,
         "hmac-sha2-512,hmac-sha2-256", NULL, NULL},
        {ALGO_NAMES_MAC, "hmac-ripemd160,hmac-sha2-256", OK, "hmac-sha2-256", "hmac-ripemd160",
         NULL},
        {ALGO_NAMES_CIPHER, "arcfour128,arcfour", ERR_NO_COMMON, NULL, "arcfour128,arcfour", NULL},
        {ALGO_NAMES_MAC, "hmac-md5,hmac-sha2-256", OK, "hmac-md5,hmac-sha2-256", NULL, NULL},
        {ALGO_NAMES_MAC, "hmac-md5*,hmac-sha2-256", OK, "hmac-sha2-256", NULL, NULL},
        {ALGO_NAMES_CIPHER, "*-cbc,aes128-ctr", OK, "aes128-ctr", NULL, NULL},
        {ALGO_NAMES_CIPHER, "*-cbc", ERR_NO_COMMON, NULL, NULL, NULL},
        {ALGO_NAMES_MAC, "hmac-sha1,umac-64*", OK,
         "hmac-sha1,umac-64-etm@openssh.com,umac-64@openssh.com", NULL, NULL},
        {ALGO_NAMES_MAC, "hmac-sha2-256,hmac-md6", ERR_CONFIG, NULL, NULL, "hmac-md6"},
        {ALGO_NAMES_MAC, "-hmac-sha2-*-etm@openssh.com,umac*", OK, "hmac-sha2-256,hmac-sha2-512",
         NULL, NULL},
        {ALGO_NAMES_MAC, "-*", ERR_NO_COMMON, NULL, NULL, NULL},
        {ALGO_NAMES_MAC, "-nothing-like-it", OK,
         "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,"
         "hmac-sha2-512-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,"
         "hmac-sha2-512",
         NULL, NULL},
        {ALGO_NAMES_MAC, "^hmac-sha2-512", OK,
         "hmac-sha2-512,umac-64-etm@openssh.com,umac-128-etm@openssh.com,"
         "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,umac-64@openssh.com,"
         "umac-128@openssh.com,hmac-sha2-256",
         NULL, NULL},
        {ALGO_NAMES_KEX, "+diffie-hellman-group14-sha1", OK,
         "curve25519-sha256,curve25519-sha256@libssh.org,"
         "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
         "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"
         "diffie-hellman-group14-sha256,diffie-hellman-group14-sha1",
         NULL, NULL},
        {ALGO_NAMES_HOST_KEY, "rsa-*,ssh-ed25519", OK,
         "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com,rsa-sha2-512,"
         "rsa-sha2-256,ssh-ed25519",
         NULL, NULL},
        {ALGO_NAMES_HOST_KEY, "no-such-*", ERR_CONFIG, NULL, NULL, "no-such-*"},
        {ALGO_NAMES_HOST_KEY, "webauthn-*,ssh-ed25519", OK, "ssh-ed25519", NULL, NULL},
        {ALGO_NAMES_HOST_KEY, "ssh-rs?,ssh-ed25519,ssh-xmss@openssh.com", OK, "ssh-ed25519",
         "ssh-xmss@openssh.com", NULL},
        {ALGO_NAMES_HOST_KEY, "", ERR_FORMAT, NULL, NULL, NULL},
        {ALGO_NAMES_HOST_KEY, "+", ERR_FORMAT, NULL, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct algo_choice choice;
        assert_int_equal(algo_names_apply(cases[i].kind, cases[i].spec, true, &choice),
                         cases[i].result);
        const char *const got[] = {choice.list, choice.dropped, choice.unknown};
        const char *const want[] = {cases[i].list, cases[i].dropped, cases[i].unknown};
        for (size_t j = 0; j < ARRAY_LEN(got); j++) {
            if (want[j] == NULL)
                assert_null(got[j]);
            else
                assert_string_equal(got[j], want[j]);
        }
        algo_choice_done(&choice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_built_and_in_order),
        cmocka_unit_test(a_clients_ciphers_suit_the_processor),
        cmocka_unit_test(groups_are_a_clients_last_resort),
        cmocka_unit_test(no_default_and_no_pattern_brings_a_legacy_name),
        cmocka_unit_test(specifications_apply),
    };
    return RUN_TESTS(tests);
}
