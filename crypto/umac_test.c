/*
 * RFC 4418's appendix. It has UMAC-64 and UMAC-96; the first twelve bytes of UMAC-128 are UMAC-96,
 * as both hash alike and take the same block as cover. For its last four bytes there is no
 * published vector: OpenSSH on the other side says whether they hold (tests/interop).
 */
#include "crypto/test_help.h"
#include "crypto/umac.h"
#include "tests/unit.h"

#define NONCE UINT64_C(0x6263646566676869) /* "bcdefghi" */

static int setup(void **state)
{
    *state = crypto_new();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    crypto_free(*state);
    return 0;
}

static void tag_of(const struct crypto *c, const char *key, size_t tag_len, uint64_t nonce,
                   struct slice message, uint8_t *tag)
{
    struct umac *u = umac_new(c, (const uint8_t *)key, tag_len);
    assert_non_null(u);
    assert_true(umac_tag(u, nonce, message, tag));
    umac_free(u);
}

static void the_vectors_of_rfc_4418_hold(void **state)
{
    static const struct {
        const char *part;
        size_t times;
        const char *umac64;
        const char *umac96;
    } cases[] = {
        {"", 0, "6e155fad26900be1", "32fedb100c79ad58f07ff764"},
        {"a", 3, "44b5cb542f220104", "185e4fe905cba7bd85e4c2dc"},
        {"a", 1 << 10, "26bf2f5d60118bd9", "7a54abe04af82d60fb298c3c"},
        {"a", 1 << 15, "27f8ef643b0d118d", "7b136bd911e4b734286ef2be"},
        {"abc", 1, "d4d7b9f6bd4fbfcf", "883c3d4b97a61976ffcf2323"},
        {"abc", 500, "d4cf26ddefd5c01a", "8824a260c53c66a36c9260a6"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t want[UMAC_TAG_MAX], tag[UMAC_TAG_MAX];
        struct buf message;
        buf_init(&message, 1 << 20);
        for (size_t n = 0; n < cases[i].times; n++)
            assert_ok(buf_append(&message, cases[i].part, strlen(cases[i].part)));
        tag_of(*state, "abcdefghijklmnop", 8, NONCE, buf_slice(&message), tag);
        hex_decode(cases[i].umac64, want);
        assert_memory_equal(tag, want, 8);
        tag_of(*state, "abcdefghijklmnop", 16, NONCE, buf_slice(&message), tag);
        hex_decode(cases[i].umac96, want);
        assert_memory_equal(tag, want, 12);
        buf_done(&message);
    }
}

/* Two neighbours share a block as cover: their tags differ by what its halves differ, always. */
static void neighbouring_nonces_have_covers_of_their_own(void **state)
{
    uint8_t tags[4][UMAC_TAG_MAX];
    const struct slice one = slice_text("one"), other = slice_text("other");
    tag_of(*state, "abcdefghijklmnop", 8, 6, one, tags[0]);
    tag_of(*state, "abcdefghijklmnop", 8, 7, one, tags[1]);
    tag_of(*state, "abcdefghijklmnop", 8, 6, other, tags[2]);
    tag_of(*state, "abcdefghijklmnop", 8, 7, other, tags[3]);
    assert_memory_not_equal(tags[0], tags[1], 8);
    assert_memory_not_equal(tags[0], tags[2], 8);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(tags[0][i] ^ tags[1][i], tags[2][i] ^ tags[3][i]);
    tag_of(*state, "abcdefghijklmnop", 8, UINT64_C(1) << 32 | 6, one, tags[1]);
    assert_memory_not_equal(tags[0], tags[1], 8);
}

/* Each length around the seams, each bit: a tag of its own. */
static void every_bit_and_every_length_counts(void **state)
{
    static const size_t seams[] = {1, 31, 32, 33, 63, 64, 1023, 1024, 1025, 1056, 2048, 2049};
    static uint8_t message[2100];
    struct umac *u = umac_new(*state, (const uint8_t *)"0123456789abcdef", 16);
    uint8_t tag[16], again[16], before[16] = {0};
    assert_non_null(u);
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)(i * 7);
    for (size_t s = 0; s < ARRAY_LEN(seams); s++) {
        assert_true(umac_tag(u, 1, slice_of(message, seams[s]), tag));
        assert_memory_not_equal(tag, before, 16);
        memcpy(before, tag, 16);
        for (size_t at = 0; at<seams[s]; at += seams[s]> 100 ? 37 : 1) {
            message[at] ^= (uint8_t)(1U << (at % 8));
            assert_true(umac_tag(u, 1, slice_of(message, seams[s]), again));
            for (size_t part = 0; part < 16; part += 4)
                assert_memory_not_equal(tag + part, again + part, 4);
            message[at] ^= (uint8_t)(1U << (at % 8));
        }
        /* From memory of its own size: a sanitizer sees a byte too far. */
        uint8_t *copy = mem_new(seams[s], 1);
        memcpy(copy, message, seams[s]);
        assert_true(umac_tag(u, 1, slice_of(copy, seams[s]), again));
        assert_memory_equal(tag, again, 16);
        mem_free(copy);
    }
    umac_free(u);
    umac_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_4418_hold),
        cmocka_unit_test(neighbouring_nonces_have_covers_of_their_own),
        cmocka_unit_test(every_bit_and_every_length_counts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
