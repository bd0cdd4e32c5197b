/* Bytes from hexadecimal text, for this floor's tests: published vectors are written so. */
#ifndef ADIT_CRYPTO_TEST_HELP_H
#define ADIT_CRYPTO_TEST_HELP_H

#include "base/buf.h"

static inline uint8_t hex_digit(char c)
{
    return (uint8_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

/* Lower case, no spaces. The number of bytes written. */
static inline size_t hex_decode(const char *text, uint8_t *out)
{
    size_t n = strlen(text) / 2;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    return n;
}

#endif
