/* Durations in OpenSSH's notation. */
#include "base/clock.h"

static uint64_t unit_seconds(char unit)
{
    switch (unit) {
    case '\0':
    case 's':
    case 'S':
        return 1;
    case 'm':
    case 'M':
        return 60;
    case 'h':
    case 'H':
        return 3600;
    case 'd':
    case 'D':
        return 86400;
    case 'w':
    case 'W':
        return 604800;
    default:
        return 0;
    }
}

enum err duration_parse_s(const char *text, uint32_t *seconds)
{
    uint64_t total = 0;
    if (*text == '\0')
        return ERR_FORMAT;
    while (*text) {
        uint64_t number = 0;
        if (*text < '0' || *text > '9')
            return ERR_FORMAT;
        for (; *text >= '0' && *text <= '9'; text++) {
            number = number * 10 + (uint64_t)(*text - '0');
            if (number > INT32_MAX)
                return ERR_LIMIT;
        }
        uint64_t unit = unit_seconds(*text);
        if (unit == 0)
            return ERR_FORMAT;
        if (*text)
            text++;
        total += number * unit;
        if (total > INT32_MAX)
            return ERR_LIMIT;
    }
    *seconds = (uint32_t)total;
    return OK;
}
