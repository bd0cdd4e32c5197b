/* adit -Q: each question, and what its answer holds. */
#include "client/query.h"
#include "tests/unit.h"

/* The answer with a newline in front; NULL: there is no such question. The caller owns it. */
static char *answer(const char *what)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    enum err err = query_answer(what, &out);
    char *lines CLEANUP(mem_cleanup) = buf_strdup(&out);
    buf_done(&out);
    return err == OK ? mem_printf("\n%s", lines) : NULL;
}

static void each_question_has_its_names(void **state)
{
    static const struct {
        const char *what, *has, *has_not;
    } cases[] = {
        {"kex", "\ncurve25519-sha256\n", "\naes128-ctr\n"},
        {"KexAlgorithms", "\ncurve25519-sha256\n", "\naes128-ctr\n"},
        {"kexalgorithms", "\ncurve25519-sha256\n", "\naes128-ctr\n"},
        {"cipher", "\naes128-ctr\n", "\nhmac-sha2-256\n"},
        {"Ciphers", "\nchacha20-poly1305@openssh.com\n", "\nhmac-sha2-256\n"},
        {"cipher-auth", "\naes128-gcm@openssh.com\n", "\naes128-ctr\n"},
        {"mac", "\nhmac-sha2-256\n", "\naes128-ctr\n"},
        {"MACs", "\numac-64@openssh.com\n", "\naes128-ctr\n"},
        {"key", "\nssh-ed25519-cert-v01@openssh.com\n", "\nrsa-sha2-512\n"},
        {"key-cert", "\nssh-ed25519-cert-v01@openssh.com\n", "\nssh-ed25519\n"},
        {"key-plain", "\nssh-ed25519\n", "\nssh-ed25519-cert-v01@openssh.com\n"},
        {"key-sig", "\nrsa-sha2-512\n", "\naes128-ctr\n"},
        {"sig", "\nrsa-sha2-512\n", "\nrsa-sha2-512-cert-v01@openssh.com\n"},
        {"HostKeyAlgorithms", "\nrsa-sha2-512-cert-v01@openssh.com\n", "\naes128-ctr\n"},
        {"PubkeyAcceptedKeyTypes", "\nssh-ed25519\n", "\naes128-ctr\n"},
        {"CASignatureAlgorithms", "\nssh-ed25519\n", "\nssh-ed25519-cert-v01@openssh.com\n"},
        {"compression", "\nnone\n", "\nzlib\n"},
        {"protocol-version", "\n2\n", "\n1\n"},
        {"help", "\nkey-sig\n", "\nhelp\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = answer(cases[i].what);
        assert_non_null(text);
        if (!strstr(text, cases[i].has) || strstr(text, cases[i].has_not))
            fail_msg("-Q %s says:%s", cases[i].what, text);
        mem_free(text);
    }
}

static void what_is_no_question_is_not_answered(void **state)
{
    (void)state;
    assert_null(answer("foo"));
    assert_null(answer(""));
    assert_null(answer("Port"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_question_has_its_names),
        cmocka_unit_test(what_is_no_question_is_not_answered),
    };
    return RUN_TESTS(tests);
}
