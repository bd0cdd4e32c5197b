/*
 * For tests: drives a fuzz entry point with truncations and random changes of seed texts, the same
 * ones every time.
 */
#ifndef ADIT_CONFIG_FUZZ_ROUNDS_H
#define ADIT_CONFIG_FUZZ_ROUNDS_H

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* xorshift; any state but 0. */
static inline uint32_t fuzz_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static inline void fuzz_truncations(const char *seed)
{
    for (size_t length = 0; length <= strlen(seed); length++)
        (void)LLVMFuzzerTestOneInput((const uint8_t *)seed, length);
}

/* A piece of at most 200 bytes of a seed with a few bytes changed, or plain noise. */
static inline void fuzz_rounds(const char *const *seeds, size_t count, unsigned rounds)
{
    static const char marks[] = "\"'\\#=:/[]*!,@%~ \t\r\n0123456789";
    uint32_t state = 20261121;
    uint8_t piece[200];
    while (rounds-- > 0) {
        const char *seed = seeds[fuzz_random(&state) % count];
        size_t seed_len = strlen(seed);
        size_t start = fuzz_random(&state) % (seed_len + 1);
        size_t most = fuzz_random(&state) % sizeof(piece);
        size_t length = MIN(seed_len - start, most);
        memcpy(piece, seed + start, length);
        bool is_noise = fuzz_random(&state) % 8 == 0;
        size_t changes = is_noise ? length : fuzz_random(&state) % 6;
        for (size_t i = 0; length > 0 && i < changes; i++) {
            size_t at = is_noise ? i : fuzz_random(&state) % length;
            uint32_t value = fuzz_random(&state);
            piece[at] = value & 1 ? (uint8_t)marks[(value >> 1) % (sizeof(marks) - 1)]
                                  : (uint8_t)(value >> 8);
        }
        (void)LLVMFuzzerTestOneInput(piece, length);
    }
}

#endif
