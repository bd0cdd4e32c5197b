/*
 * Every cipher with every mac: what one side seals the other opens, nothing that was touched
 * opens, and a direction goes on from exported keys. The vectors name their source.
 */
#include "crypto/cipher.h"
#include "crypto/digest.h"
#include "crypto/rand.h"
#include "crypto/test_help.h"
#include "tests/unit.h"
#include "wire/writer.h"

#define ROOM 40000

struct suite {
    const struct crypto *c;
    const struct algo_cipher *algo;
    const struct algo_mac *mac;
    struct cipher_keys keys;
};

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

static void secret_fill(struct secret *s, size_t n, struct rng *r)
{
    s->len = n;
    rng_bytes(r, s->bytes, n);
}

static void suite_init(struct suite *s, const struct crypto *c, const struct algo_cipher *algo,
                       const struct algo_mac *mac)
{
    struct rng *r = rng_new_seeded(42);
    *s = (struct suite){.c = c, .algo = algo, .mac = mac};
    secret_fill(&s->keys.key, algo->key_len, r);
    secret_fill(&s->keys.iv, algo->iv_len, r);
    secret_fill(&s->keys.mac, mac ? mac->key_len : 0, r);
    rng_free(r);
}

static struct cipher *suite_cipher(const struct suite *s)
{
    struct cipher *k;
    assert_ok(cipher_new(&k, s->c, s->algo, s->mac, &s->keys));
    return k;
}

static void for_each_suite(const struct crypto *c, void (*check)(const struct suite *s))
{
    for (size_t i = 0; algo_cipher_at(i); i++) {
        const struct algo_cipher *algo = algo_cipher_at(i);
        struct suite s;
        if (algo->tag_len) {
            suite_init(&s, c, algo, NULL);
            check(&s);
            continue;
        }
        for (size_t j = 0; algo_mac_at(j); j++) {
            suite_init(&s, c, algo, algo_mac_at(j));
            check(&s);
        }
    }
}

/* A packet of len bytes with its length field; the same for the same len. */
static void packet_fill(uint8_t *packet, size_t len)
{
    put_u32(packet, (uint32_t)len - 4);
    for (size_t i = 4; i < len; i++)
        packet[i] = (uint8_t)(i * 7 + len);
}

static void assert_packet(const uint8_t *packet, size_t len)
{
    static uint8_t want[ROOM];
    packet_fill(want, len);
    assert_memory_equal(packet, want, len);
}

static size_t nth_len(const struct cipher *k, size_t n)
{
    return cipher_aad_len(k) + n * cipher_block_len(k);
}

static void check_round_trips(const struct suite *s)
{
    static uint8_t packet[ROOM];
    static const size_t blocks[] = {1,  2,  3,  4,  5,  7,   8,   9,   15,  16,   17,   31,
                                    32, 33, 63, 64, 65, 127, 255, 256, 257, 1000, 2048, 2049};
    struct cipher *sealer = suite_cipher(s);
    struct cipher *opener = suite_cipher(s);
    uint32_t sequence = UINT32_MAX - 5; /* rolls over on the way: RFC 4253 6.4 */
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++, sequence++) {
        size_t len = nth_len(sealer, blocks[i]);
        size_t tag_len = cipher_tag_len(sealer);
        packet_fill(packet, len);
        memset(packet + len, 0x5a, tag_len + 1);
        assert_ok(cipher_seal(sealer, sequence, packet, len));
        assert_int_equal(packet[len + tag_len], 0x5a);
        for (int again = 0; again < 3; again++) {
            uint8_t head[16];
            memcpy(head, packet, cipher_head_len(opener));
            assert_int_equal(cipher_peek_length(opener, sequence, packet), len - 4);
            assert_memory_equal(packet, head, cipher_head_len(opener));
        }
        assert_ok(cipher_open(opener, sequence, packet, len));
        assert_packet(packet, len);
    }
    cipher_free(sealer);
    cipher_free(opener);
}

static void what_is_sealed_opens_at_many_lengths(void **state)
{
    for_each_suite(*state, check_round_trips);
}

static void check_flips(const struct suite *s)
{
    static const size_t blocks = 3;
    uint8_t sealed[256];
    uint8_t packet[256];
    struct cipher *k = suite_cipher(s);
    size_t len = nth_len(k, blocks);
    size_t total = len + cipher_tag_len(k);
    packet_fill(sealed, len);
    assert_ok(cipher_seal(k, 3, sealed, len));
    cipher_free(k);
    for (size_t bit = 0; bit < total * 8; bit++) {
        struct cipher *opener = suite_cipher(s);
        static const uint8_t zeros[256];
        memcpy(packet, sealed, total);
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(cipher_open(opener, 3, packet, len), ERR_CRYPTO);
        assert_memory_equal(packet, zeros, len);
        cipher_free(opener);
    }
}

static void one_flipped_bit_anywhere_is_refused_and_wiped(void **state)
{
    for_each_suite(*state, check_flips);
}

/* GCM does not see the sequence number; its own counter says the same. */
static void check_order(const struct suite *s)
{
    uint8_t first[256];
    uint8_t second[256];
    uint8_t packet[256];
    struct cipher *sealer = suite_cipher(s);
    size_t len = nth_len(sealer, 2);
    packet_fill(first, len);
    packet_fill(second, len);
    assert_ok(cipher_seal(sealer, 0, first, len));
    assert_ok(cipher_seal(sealer, 1, second, len));
    assert_memory_not_equal(first, second, len + cipher_tag_len(sealer));
    cipher_free(sealer);

    struct cipher *skipped = suite_cipher(s);
    memcpy(packet, second, sizeof(packet));
    assert_int_equal(cipher_open(skipped, 0, packet, len), ERR_CRYPTO);
    cipher_free(skipped);

    struct cipher *replayed = suite_cipher(s);
    memcpy(packet, first, sizeof(packet));
    assert_ok(cipher_open(replayed, 0, packet, len));
    memcpy(packet, first, sizeof(packet));
    assert_int_equal(cipher_open(replayed, 1, packet, len), ERR_CRYPTO);
    cipher_free(replayed);

    if (s->algo->kind != CIPHER_GCM) {
        struct cipher *wrong = suite_cipher(s);
        memcpy(packet, first, sizeof(packet));
        assert_int_equal(cipher_open(wrong, 1, packet, len), ERR_CRYPTO);
        cipher_free(wrong);
    }
}

static void skipped_replayed_and_misnumbered_packets_are_refused(void **state)
{
    for_each_suite(*state, check_order);
}

static void check_other_keys(const struct suite *s)
{
    uint8_t sealed[256];
    uint8_t packet[256];
    struct cipher *sealer = suite_cipher(s);
    size_t len = nth_len(sealer, 2);
    packet_fill(sealed, len);
    assert_ok(cipher_seal(sealer, 0, sealed, len));
    cipher_free(sealer);
    for (size_t part = 0; part < 3; part++) {
        struct suite other = *s;
        struct secret *const touched[] = {&other.keys.key, &other.keys.iv, &other.keys.mac};
        for (size_t at = 0; at < touched[part]->len; at++) {
            touched[part]->bytes[at] ^= 0x10;
            struct cipher *opener = suite_cipher(&other);
            memcpy(packet, sealed, sizeof(packet));
            /*
             * A tag over what travels does not depend on the key that made it so (etm's cipher,
             * chacha20-poly1305's length): the plaintext does.
             */
            if (cipher_open(opener, 0, packet, len) == OK) {
                static uint8_t want[256];
                packet_fill(want, len);
                assert_true(s->mac ? s->mac->etm && part < 2
                                   : s->algo->kind == CIPHER_CHACHAPOLY && at >= 32);
                assert_memory_not_equal(packet, want, len);
            }
            cipher_free(opener);
            touched[part]->bytes[at] ^= 0x10;
        }
    }
}

static void every_byte_of_the_keys_matters(void **state)
{
    for_each_suite(*state, check_other_keys);
}

static void check_export(const struct suite *s)
{
    static uint8_t packet[ROOM];
    struct cipher *sealer = suite_cipher(s);
    struct cipher *opener = suite_cipher(s);
    for (uint32_t sequence = 0; sequence < 20; sequence++) {
        size_t len = nth_len(sealer, 1 + sequence * 3);
        packet_fill(packet, len);
        assert_ok(cipher_seal(sealer, sequence, packet, len));
        struct suite moved = *s;
        cipher_export(opener, &moved.keys);
        cipher_free(opener);
        opener = suite_cipher(&moved);
        /* Peeking must not move the state that is exported. */
        assert_int_equal(cipher_peek_length(opener, sequence, packet), len - 4);
        struct cipher_keys peeked;
        cipher_export(opener, &peeked);
        assert_memory_equal(&peeked, &moved.keys, sizeof(peeked));
        assert_ok(cipher_open(opener, sequence, packet, len));
        assert_packet(packet, len);
        cipher_export(sealer, &moved.keys);
        cipher_free(sealer);
        sealer = suite_cipher(&moved);
    }
    cipher_free(sealer);
    cipher_free(opener);
}

static void exported_keys_go_on_where_they_stood(void **state)
{
    for_each_suite(*state, check_export);
}

static void check_bad_lengths(const struct suite *s)
{
    uint8_t packet[256];
    struct cipher *opener = suite_cipher(s);
    size_t block = cipher_block_len(opener);
    for (size_t len = 0; len < cipher_aad_len(opener) + 3 * block; len++) {
        size_t aad = cipher_aad_len(opener);
        if (len > aad && (len - aad) % block == 0)
            continue;
        memset(packet, 1, sizeof(packet));
        assert_int_equal(cipher_open(opener, 0, packet, len), ERR_FORMAT);
    }
    cipher_free(opener);
    struct suite bad = *s;
    struct secret *const parts[] = {&bad.keys.key, &bad.keys.iv, &bad.keys.mac};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct cipher *k;
        parts[i]->len++;
        assert_int_equal(cipher_new(&k, s->c, s->algo, s->mac, &bad.keys), ERR_CRYPTO);
        parts[i]->len--;
    }
}

static void lengths_that_do_not_fit_are_refused(void **state)
{
    for_each_suite(*state, check_bad_lengths);
    cipher_free(NULL);
}

static void sizes_tell_what_is_in_clear(void **state)
{
    struct suite s;
    suite_init(&s, *state, algo_cipher_find(slice_text("aes192-ctr")),
               algo_mac_find(slice_text("hmac-sha2-512")));
    struct cipher *k = suite_cipher(&s);
    assert_int_equal(cipher_aad_len(k), 0);
    assert_int_equal(cipher_head_len(k), 16);
    assert_int_equal(cipher_tag_len(k), 64);
    assert_ptr_equal(cipher_algo(k), s.algo);
    assert_ptr_equal(cipher_mac(k), s.mac);
    cipher_free(k);
    suite_init(&s, *state, algo_cipher_at(0), NULL);
    k = suite_cipher(&s);
    assert_int_equal(cipher_aad_len(k), 4);
    assert_int_equal(cipher_head_len(k), 4);
    assert_int_equal(cipher_tag_len(k), 16);
    assert_int_equal(cipher_block_len(k), 8);
    assert_null(cipher_mac(k));
    cipher_free(k);
}

/*
 * All zero: the stream is RFC 8439 A.1's test vectors 1 and 2. The second: two different keys and
 * a number whose byte order shows; both tags computed from the formulas of RFC 8439 2.3 and 2.5
 * with a big-integer calculator.
 */
static void chachapoly_matches_rfc_8439_blocks(void **state)
{
    struct suite s;
    uint8_t packet[100] = {0};
    uint8_t want[100];
    suite_init(&s, *state, algo_cipher_at(0), NULL);
    memset(s.keys.key.bytes, 0, 64);
    struct cipher *k = suite_cipher(&s);
    /* 68 bytes: a length of zero and one block of zeros. */
    size_t n = hex_decode("76b8e0ad"
                          "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
                          "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
                          "6fa656014e2b4de4ef53bcd706e1090d",
                          want);
    assert_ok(cipher_seal(k, 0, packet, 68));
    assert_int_equal(n, 68 + 16);
    assert_memory_equal(packet, want, n);
    cipher_free(k);

    for (size_t i = 0; i < 64; i++)
        s.keys.key.bytes[i] = (uint8_t)i;
    k = suite_cipher(&s);
    put_u32(packet, 72);
    for (size_t i = 0; i < 72; i++)
        packet[4 + i] = (uint8_t)i;
    n = hex_decode("bc798033"
                   "96c31eb1df1420aedc642ef7a44d547b113c06c427ac7bc9956b56b13d4731c7"
                   "40fc02620155df66ea2b01b057c5f020be7e8936ff78385cd07b053ffe857512"
                   "1abed774d8fc83bd"
                   "b7de22cbdd7ee76e428cca237e2b8908",
                   want);
    assert_ok(cipher_seal(k, 0x01020304, packet, 76));
    assert_int_equal(n, 76 + 16);
    assert_memory_equal(packet, want, n);
    cipher_free(k);
}

/* Test case 3 of McGrew and Viega's GCM paper; the tag differs, as our additional data does. */
static void gcm_encrypts_as_its_paper_does(void **state)
{
    struct suite s;
    uint8_t packet[100];
    uint8_t want[64];
    suite_init(&s, *state, algo_cipher_find(slice_text("aes128-gcm@openssh.com")), NULL);
    hex_decode("feffe9928665731c6d6a8f9467308308", s.keys.key.bytes);
    hex_decode("cafebabefacedbaddecaf888", s.keys.iv.bytes);
    put_u32(packet, 64);
    hex_decode("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
               "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
               packet + 4);
    hex_decode("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
               "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
               want);
    struct cipher *k = suite_cipher(&s);
    assert_ok(cipher_seal(k, 77, packet, 68));
    assert_int_equal(get_u32(packet), 64);
    assert_memory_equal(packet + 4, want, 64);
    cipher_free(k);
}

/* SP 800-38A F.5.1: four blocks; and the mac is over number and plaintext (RFC 4253 6.4). */
static void ctr_matches_sp_800_38a_and_macs_the_plaintext(void **state)
{
    struct suite s;
    uint8_t packet[64 + DIGEST_MAX];
    uint8_t want[64];
    uint8_t input[4 + 64];
    uint8_t tag[DIGEST_MAX];
    suite_init(&s, *state, algo_cipher_find(slice_text("aes128-ctr")),
               algo_mac_find(slice_text("hmac-sha2-256")));
    hex_decode("2b7e151628aed2a6abf7158809cf4f3c", s.keys.key.bytes);
    hex_decode("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", s.keys.iv.bytes);
    hex_decode("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
               "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
               packet);
    hex_decode("874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
               "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
               want);
    put_u32(input, 9);
    memcpy(input + 4, packet, 64);
    hmac(*state, DIGEST_SHA256, slice_of(s.keys.mac.bytes, 32), slice_of(input, sizeof(input)),
         tag);
    struct cipher *k = suite_cipher(&s);
    assert_ok(cipher_seal(k, 9, packet, 64));
    assert_memory_equal(packet, want, 64);
    assert_memory_equal(packet + 64, tag, 32);
    /* Four blocks on: fe ff + 4 carries. */
    struct cipher_keys moved;
    uint8_t counter[16];
    cipher_export(k, &moved);
    hex_decode("f0f1f2f3f4f5f6f7f8f9fafbfcfdff03", counter);
    assert_memory_equal(moved.iv.bytes, counter, 16);
    cipher_free(k);
}

static void etm_macs_number_length_and_ciphertext(void **state)
{
    struct suite s;
    uint8_t packet[4 + 32 + DIGEST_MAX];
    uint8_t input[4 + 4 + 32];
    uint8_t tag[DIGEST_MAX];
    suite_init(&s, *state, algo_cipher_find(slice_text("aes256-ctr")),
               algo_mac_find(slice_text("hmac-sha2-512-etm@openssh.com")));
    struct cipher *k = suite_cipher(&s);
    packet_fill(packet, 36);
    assert_ok(cipher_seal(k, 5, packet, 36));
    assert_int_equal(get_u32(packet), 32);
    put_u32(input, 5);
    memcpy(input + 4, packet, 36);
    hmac(*state, DIGEST_SHA512, slice_of(s.keys.mac.bytes, 64), slice_of(input, sizeof(input)),
         tag);
    assert_memory_equal(packet + 36, tag, 64);
    cipher_free(k);
}

/* The counter is the low 8 bytes; it may reach its last value but not roll over. */
static void gcm_refuses_to_roll_its_counter_over(void **state)
{
    struct suite s;
    uint8_t packet[64];
    suite_init(&s, *state, algo_cipher_find(slice_text("aes256-gcm@openssh.com")), NULL);
    memset(s.keys.iv.bytes + 4, 0xff, 8);
    s.keys.iv.bytes[11] = 0xfd;
    struct cipher *sealer = suite_cipher(&s);
    struct cipher *opener = suite_cipher(&s);
    for (uint32_t i = 0; i < 2; i++) {
        packet_fill(packet, 36);
        assert_ok(cipher_seal(sealer, i, packet, 36));
        assert_ok(cipher_open(opener, i, packet, 36));
        assert_packet(packet, 36);
    }
    assert_int_equal(cipher_seal(sealer, 2, packet, 36), ERR_LIMIT);
    assert_int_equal(cipher_seal(sealer, 3, packet, 36), ERR_LIMIT);
    assert_int_equal(cipher_open(opener, 2, packet, 36), ERR_LIMIT);
    struct cipher_keys moved;
    cipher_export(sealer, &moved);
    assert_memory_equal(moved.iv.bytes, s.keys.iv.bytes, 4);
    cipher_free(sealer);
    cipher_free(opener);
    /* A carry stays within the counter. */
    memset(s.keys.iv.bytes + 5, 0xff, 7);
    s.keys.iv.bytes[4] = 0x01;
    sealer = suite_cipher(&s);
    assert_ok(cipher_seal(sealer, 0, packet, 36));
    cipher_export(sealer, &moved);
    assert_int_equal(moved.iv.bytes[4], 0x02);
    for (size_t i = 5; i < 12; i++)
        assert_int_equal(moved.iv.bytes[i], 0);
    cipher_free(sealer);
}

/* RFC 4344 4: X is a number modulo 2^L: it rolls over, in the middle of a packet too. */
static void ctr_counter_rolls_over_all_sixteen_bytes(void **state)
{
    struct suite s;
    uint8_t whole[64 + DIGEST_MAX];
    uint8_t parts[64 + DIGEST_MAX];
    suite_init(&s, *state, algo_cipher_find(slice_text("aes128-ctr")),
               algo_mac_find(slice_text("hmac-sha2-256")));
    memset(s.keys.iv.bytes, 0xff, 16);
    struct cipher *one = suite_cipher(&s);
    struct cipher *four = suite_cipher(&s);
    packet_fill(whole, 64);
    memcpy(parts, whole, 64);
    assert_ok(cipher_seal(one, 0, whole, 64));
    for (size_t i = 0; i < 64; i += 16) {
        uint8_t block[16 + DIGEST_MAX];
        memcpy(block, parts + i, 16);
        assert_ok(cipher_seal(four, 0, block, 16));
        assert_memory_equal(block, whole + i, 16);
    }
    struct cipher_keys moved;
    static const uint8_t three[16] = {[15] = 3};
    cipher_export(one, &moved);
    assert_memory_equal(moved.iv.bytes, three, 16);
    cipher_export(four, &moved);
    assert_memory_equal(moved.iv.bytes, three, 16);
    cipher_free(one);
    cipher_free(four);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_at_many_lengths),
        cmocka_unit_test(one_flipped_bit_anywhere_is_refused_and_wiped),
        cmocka_unit_test(skipped_replayed_and_misnumbered_packets_are_refused),
        cmocka_unit_test(every_byte_of_the_keys_matters),
        cmocka_unit_test(exported_keys_go_on_where_they_stood),
        cmocka_unit_test(lengths_that_do_not_fit_are_refused),
        cmocka_unit_test(sizes_tell_what_is_in_clear),
        cmocka_unit_test(chachapoly_matches_rfc_8439_blocks),
        cmocka_unit_test(gcm_encrypts_as_its_paper_does),
        cmocka_unit_test(ctr_matches_sp_800_38a_and_macs_the_plaintext),
        cmocka_unit_test(etm_macs_number_length_and_ciphertext),
        cmocka_unit_test(gcm_refuses_to_roll_its_counter_over),
        cmocka_unit_test(ctr_counter_rolls_over_all_sixteen_bytes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
