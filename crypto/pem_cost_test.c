/* Encrypted PKCS#8 made by hand, as no program would make it in a test's time. */
#include "crypto/digest.h"
#include "crypto/pem_cost.h"
#include "crypto/test_help.h"
#include "tests/unit.h"

static enum err block_err(const char *before, const char *name, const char *hex)
{
    uint8_t der[256];
    size_t length = hex_decode(hex, der);
    char *base64 = base64_encode(slice_of(der, length), true);
    char *text =
        mem_printf("%s-----BEGIN %s-----\n%s\n-----END %s-----\n", before, name, base64, name);
    enum err err = pem_cost_check(slice_text(text));
    mem_free(base64);
    mem_free(text);
    return err;
}

/* SEQUENCE { OID, SEQUENCE { OID, ... SEQUENCE { inner } } }, and so on, depth times. */
static char *nested(const char *inner, unsigned depth)
{
    char *hex = mem_printf("30%02zx%s", strlen(inner) / 2, inner);
    while (depth-- > 0) {
        char *outer = mem_printf("30%02zx06012a%s", 3 + strlen(hex) / 2, hex);
        mem_free(hex);
        hex = outer;
    }
    return hex;
}

static void iterations_have_a_bound(void **state)
{
    (void)state;
    static const struct {
        const char *inner;
        unsigned depth;
        enum err want;
    } cases[] = {
        {"020107", 2, OK},
        {"02030f4240", 2, OK}, /* a million iterations */
        {"04020000"
         "02030f4240"
         "020120",
         2, OK},                 /* for 32 bytes */
        {"020404000000", 2, OK}, /* 2^26 */
        {"020404000001", 2, ERR_LIMIT},
        {"02047fffffff", 2, ERR_LIMIT},
        {"0209010000000000000000", 2, ERR_LIMIT},
        {"02037fffff"
         "020120",
         2, ERR_LIMIT},
        {"020300ffff"
         "02020400"
         "020101",
         2, OK}, /* scrypt's three */
        {"020300ffff"
         "02020800"
         "020101",
         2, ERR_LIMIT},
        {"0201ff", 2, ERR_FORMAT}, /* negative */
        {"0200", 2, ERR_FORMAT},
        {"020207", 2, ERR_FORMAT}, /* longer than what it is in */
        {"0280", 2, ERR_FORMAT},
        {"0284ffffffff", 2, ERR_FORMAT},
        {"02", 2, ERR_FORMAT},
        {"020101", 6, OK},
        {"020101", 8, ERR_LIMIT}, /* too deep */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *algorithm = nested(cases[i].inner, cases[i].depth);
        char *hex = mem_printf("30%02zx%s0400", 2 + strlen(algorithm) / 2, algorithm);
        assert_int_equal(block_err("", "ENCRYPTED PRIVATE KEY", hex), cases[i].want);
        /* Behind another block it is found, too; under another name it is none of ours. */
        assert_int_equal(
            block_err("-----BEGIN X-----\nAAAA\n-----END X-----\n", "ENCRYPTED PRIVATE KEY", hex),
            cases[i].want);
        assert_ok(block_err("", "PRIVATE KEY", hex));
        mem_free(algorithm);
        mem_free(hex);
    }
    assert_int_equal(block_err("", "ENCRYPTED PRIVATE KEY", "3080"), ERR_FORMAT);
    assert_int_equal(block_err("", "ENCRYPTED PRIVATE KEY", "040100"), ERR_FORMAT);
    assert_int_equal(block_err("", "ENCRYPTED PRIVATE KEY", "3003040100"), ERR_FORMAT);
}

static void text_without_blocks_costs_nothing(void **state)
{
    (void)state;
    assert_ok(pem_cost_check(slice_text("nothing")));
    assert_ok(pem_cost_check(slice_text("")));
    assert_ok(pem_cost_check(slice_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iterations_have_a_bound),
        cmocka_unit_test(text_without_blocks_costs_nothing),
    };
    return RUN_TESTS(tests);
}
