/* Reads moduli(5) and chooses. */
#include "crypto/moduli.h"

#include <openssl/bn.h>

#include "crypto/crypto_internal.h"

#define TYPE_SAFE       2 /* a safe prime */
#define TEST_COMPOSITE  1
#define FIELDS          7
#define MODULUS_HEX_MAX (MODULI_BITS_MAX / 4)

struct line {
    uint32_t bits, generator;
    struct slice modulus; /* hexadecimal */
};

static bool take_line(struct slice *text, struct slice *line)
{
    if (text->len == 0)
        return false;
    const uint8_t *end = memchr(text->ptr, '\n', text->len);
    line->ptr = text->ptr;
    line->len = end ? (size_t)(end - text->ptr) : text->len;
    size_t used = line->len + (end ? 1 : 0);
    *text = slice_of(text->ptr + used, text->len - used);
    return true;
}

static struct slice take_word(struct slice *line)
{
    while (line->len && (line->ptr[0] == ' ' || line->ptr[0] == '\t'))
        *line = slice_of(line->ptr + 1, line->len - 1);
    struct slice word = {line->ptr, 0};
    while (word.len < line->len && word.ptr[word.len] != ' ' && word.ptr[word.len] != '\t' &&
           word.ptr[word.len] != '\r')
        word.len++;
    *line = slice_of(line->ptr + word.len, line->len - word.len);
    return word;
}

static bool read_number(struct slice word, uint32_t *value)
{
    *value = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9' || word.len > 9)
            return false;
        *value = *value * 10 + (word.ptr[i] - '0');
    }
    return word.len > 0;
}

static uint32_t digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10) : 16;
}

/* The modulus' bits, by its digits; 0: not hexadecimal, or even. */
static uint32_t modulus_bits(struct slice hex)
{
    if (hex.len == 0 || hex.len > MODULUS_HEX_MAX)
        return 0;
    for (size_t i = 0; i < hex.len; i++) {
        if (digit_of(hex.ptr[i]) > 15)
            return 0;
    }
    uint32_t first = digit_of(hex.ptr[0]);
    bool is_odd = digit_of(hex.ptr[hex.len - 1]) & 1;
    return first && is_odd ? (uint32_t)hex.len * 4 - (uint32_t)(__builtin_clz(first) - 28) : 0;
}

/* Time, type, tests, tries, size, generator, modulus. The size is one less than the bits. */
static bool read_line(struct slice text, struct line *line)
{
    struct slice words[FIELDS];
    uint32_t type, tests, size;
    for (size_t i = 0; i < FIELDS; i++)
        words[i] = take_word(&text);
    if (words[0].len == 0 || words[0].ptr[0] == '#' || !read_number(words[1], &type) ||
        !read_number(words[2], &tests) || !read_number(words[4], &size) ||
        !read_number(words[5], &line->generator))
        return false;
    line->modulus = words[6];
    line->bits = modulus_bits(words[6]);
    return type == TYPE_SAFE && !(tests & TEST_COMPOSITE) && tests > TEST_COMPOSITE &&
           line->bits == size + 1 && line->generator > 1;
}

bool moduli_wish_narrow(struct moduli_wish *wish)
{
    wish->min = MAX(wish->min, MODULI_BITS_MIN);
    wish->max = MIN(wish->max, MODULI_BITS_MAX);
    wish->wanted = MIN(MAX(wish->wanted, MODULI_BITS_MIN), MODULI_BITS_MAX);
    return wish->min <= wish->wanted && wish->wanted <= wish->max;
}

/* Is a group of these bits what is looked for rather than the best so far (0: none)? */
static bool is_better(uint32_t bits, uint32_t best, const struct moduli_wish *wish)
{
    if (bits < wish->min || bits > wish->max)
        return false;
    if (best == 0)
        return true;
    return best < wish->wanted ? bits > best : bits >= wish->wanted && bits < best;
}

/* The best size, and how many lines have it. */
static uint32_t best_size(struct slice text, const struct moduli_wish *wish, uint32_t *count)
{
    struct slice row;
    struct line line;
    uint32_t best = 0;
    *count = 0;
    while (take_line(&text, &row)) {
        if (!read_line(row, &line))
            continue;
        if (is_better(line.bits, best, wish)) {
            best = line.bits;
            *count = 0;
        }
        *count += line.bits == best;
    }
    return best;
}

static enum err give(const struct line *line, struct buf *prime, struct buf *generator)
{
    const uint8_t number[] = {(uint8_t)(line->generator >> 24), (uint8_t)(line->generator >> 16),
                              (uint8_t)(line->generator >> 8), (uint8_t)line->generator};
    size_t zeros = 0;
    struct slice hex = line->modulus;
    if (hex.len % 2) {
        uint8_t first = (uint8_t)digit_of(hex.ptr[0]);
        TRY(buf_append(prime, &first, 1));
        hex = slice_of(hex.ptr + 1, hex.len - 1);
    }
    for (size_t i = 0; i < hex.len; i += 2) {
        uint8_t byte = (uint8_t)(digit_of(hex.ptr[i]) << 4 | digit_of(hex.ptr[i + 1]));
        TRY(buf_append(prime, &byte, 1));
    }
    while (number[zeros] == 0)
        zeros++;
    return buf_append(generator, number + zeros, sizeof(number) - zeros);
}

/* RFC 3526's groups, as many bits as the client takes (OpenSSH's rule). */
static enum err give_built_in(const struct moduli_wish *wish, struct buf *prime,
                              struct buf *generator)
{
    static const uint8_t two[] = {2};
    uint32_t bits = wish->max < 3072 ? 2048 : wish->max < 6144 ? 4096 : 8192;
    uint8_t bytes[MODULI_BITS_MAX / 8];
    if (bits < wish->min || bits > wish->max)
        return ERR_NO_COMMON;
    BIGNUM *p = bits == 2048   ? BN_get_rfc3526_prime_2048(NULL)
                : bits == 4096 ? BN_get_rfc3526_prime_4096(NULL)
                               : BN_get_rfc3526_prime_8192(NULL);
    if (!p)
        return crypto_fail(ERR_CRYPTO);
    size_t length = (size_t)BN_bn2bin(p, bytes);
    BN_free(p);
    TRY(buf_append(prime, bytes, length));
    return buf_append(generator, two, sizeof(two));
}

enum err moduli_choose(struct slice text, const struct moduli_wish *wish, struct rng *rng,
                       struct buf *prime, struct buf *generator)
{
    struct slice row;
    struct line line;
    uint32_t count;
    uint32_t best = best_size(text, wish, &count);
    if (best == 0)
        return give_built_in(wish, prime, generator);
    uint32_t skip = rng_below(rng, count);
    while (take_line(&text, &row)) {
        if (read_line(row, &line) && line.bits == best && skip-- == 0)
            return give(&line, prime, generator);
    }
    return ERR_BUG;
}
