/*
 * Wildcards, pattern lists and address lists. Wildcards are matched without recursion (one point
 * to come back to is enough), so a hostile pattern costs length times length at most.
 */
#include "base/match.h"

#include <arpa/inet.h>
#include <string.h>

#define ADDRESS_MAX 64 /* longer than any numeric address with a scope */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_pattern(const char *text, const char *pattern, size_t pattern_len, bool fold)
{
    size_t t = 0, p = 0;
    size_t star = SIZE_MAX, star_text = 0;
    while (text[t] != '\0') {
        if (p < pattern_len && pattern[p] == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern_len && (pattern[p] == '?' || pattern[p] == text[t] ||
                                       (fold && lower(pattern[p]) == lower(text[t])))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern_len && pattern[p] == '*')
        p++;
    return p == pattern_len;
}

bool match_is_pattern(const char *text, const char *pattern)
{
    return is_pattern(text, pattern, strlen(pattern), false);
}

bool match_is_pattern_folded(const char *text, const char *pattern)
{
    return is_pattern(text, pattern, strlen(pattern), true);
}

/* Takes the next entry off a comma list; blanks around it and its '!' are taken away. */
static bool next_entry(const char **list, const char **entry, size_t *length, bool *is_negated)
{
    if (*list == NULL)
        return false;
    const char *start = *list;
    const char *comma = strchr(start, ',');
    size_t len = comma ? (size_t)(comma - start) : strlen(start);
    *list = comma ? comma + 1 : NULL;
    while (len > 0 && (*start == ' ' || *start == '\t')) {
        start++;
        len--;
    }
    while (len > 0 && (start[len - 1] == ' ' || start[len - 1] == '\t'))
        len--;
    *is_negated = len > 0 && *start == '!';
    *entry = start + (*is_negated ? 1 : 0);
    *length = len - (*is_negated ? 1 : 0);
    return true;
}

static enum match in_list(const char *text, const char *list, bool fold)
{
    enum match result = MATCH_NO;
    const char *entry;
    size_t length;
    bool is_negated;
    while (next_entry(&list, &entry, &length, &is_negated)) {
        if (length == 0 || !is_pattern(text, entry, length, fold))
            continue;
        if (is_negated)
            return MATCH_NEGATED;
        result = MATCH_YES;
    }
    return result;
}

enum match match_list(const char *text, const char *list)
{
    return in_list(text, list, false);
}

enum match match_list_folded(const char *text, const char *list)
{
    return in_list(text, list, true);
}

struct address {
    uint8_t bytes[16];
    size_t size; /* 4 or 16 */
};

static bool read_address(const char *text, size_t length, bool allow_scope, struct address *out)
{
    char copy[ADDRESS_MAX];
    if (length >= sizeof(copy))
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *scope = strchr(copy, '%');
    if (scope != NULL) {
        if (!allow_scope || strchr(copy, ':') == NULL || scope[1] == '\0')
            return false;
        *scope = '\0';
    }
    if (inet_pton(AF_INET, copy, out->bytes) == 1) {
        out->size = 4;
        return true;
    }
    if (inet_pton(AF_INET6, copy, out->bytes) != 1)
        return false;
    out->size = 16;
    return true;
}

/* Decimal digits only, at most three, no sign; the value is at most limit. */
static bool read_bits(const char *text, size_t length, unsigned limit, unsigned *bits)
{
    if (length == 0 || length > 3)
        return false;
    unsigned value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *bits = value;
    return value <= limit;
}

static bool has_host_bits(const struct address *a, unsigned bits)
{
    for (unsigned bit = bits; bit < a->size * 8; bit++) {
        if (a->bytes[bit / 8] & (0x80u >> (bit % 8)))
            return true;
    }
    return false;
}

static bool is_same_network(const struct address *a, const struct address *network, unsigned bits)
{
    if (a->size != network->size)
        return false;
    size_t whole = bits / 8;
    if (memcmp(a->bytes, network->bytes, whole) != 0)
        return false;
    if (bits % 8 == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff00u >> (bits % 8));
    return (a->bytes[whole] & mask) == (network->bytes[whole] & mask);
}

enum entry_kind {
    ENTRY_NETWORK,
    ENTRY_PATTERN,
    ENTRY_BAD,
};

static enum entry_kind read_entry(const char *entry, size_t length, struct address *network,
                                  unsigned *bits)
{
    const char *slash = memchr(entry, '/', length);
    size_t address_len = slash ? (size_t)(slash - entry) : length;
    if (!read_address(entry, address_len, false, network))
        return slash ? ENTRY_BAD : ENTRY_PATTERN;
    *bits = (unsigned)network->size * 8;
    if (slash == NULL)
        return ENTRY_NETWORK;
    if (!read_bits(slash + 1, length - address_len - 1, *bits, bits) ||
        has_host_bits(network, *bits))
        return ENTRY_BAD;
    return ENTRY_NETWORK;
}

enum err match_address_list(const char *address, const char *list, enum match *result)
{
    struct address ours = {.size = 0};
    bool is_numeric = address != NULL && read_address(address, strlen(address), true, &ours);
    enum match found = MATCH_NO;
    const char *entry;
    size_t length;
    bool is_negated;

    *result = MATCH_NO;
    while (next_entry(&list, &entry, &length, &is_negated)) {
        struct address network;
        unsigned bits = 0;
        if (length == 0)
            return ERR_FORMAT;
        enum entry_kind kind = read_entry(entry, length, &network, &bits);
        if (kind == ENTRY_BAD)
            return ERR_FORMAT;
        if (address == NULL || found == MATCH_NEGATED)
            continue;
        bool is_hit = kind == ENTRY_NETWORK ? is_numeric && is_same_network(&ours, &network, bits)
                                            : is_pattern(address, entry, length, true);
        if (is_hit)
            found = is_negated ? MATCH_NEGATED : MATCH_YES;
    }
    *result = found;
    return OK;
}

bool match_is_in_network(const char *address, const char *network)
{
    struct address ours, theirs;
    unsigned bits = 0;
    return read_address(address, strlen(address), true, &ours) &&
           read_entry(network, strlen(network), &theirs, &bits) == ENTRY_NETWORK &&
           is_same_network(&ours, &theirs, bits);
}

bool match_is_address(const char *text)
{
    struct address ignored;
    return read_address(text, strlen(text), true, &ignored);
}
