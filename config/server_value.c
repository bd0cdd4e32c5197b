/* Penalties, block sizes and IPQoS, as sshd_config(5) of OpenSSH 10.5 writes them. */
#include "config/server_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"

#define DURATION_MAX_S INT32_MAX

/* A whole number of decimal digits, at most limit. */
static bool read_number(const char *text, uint64_t limit, uint64_t *value)
{
    *value = 0;
    if (*text == '\0' || strlen(text) > 10)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        *value = *value * 10 + (uint64_t)(*text - '0');
    }
    return *value <= limit;
}

/* A duration as ever, or seconds with a fraction: "0.5", "90.000000", "1.5s". */
static bool read_ms(const char *text, uint64_t *ms)
{
    uint32_t seconds;
    const char *point = strchr(text, '.');
    if (point == NULL) {
        *ms = duration_parse_s(text, &seconds) == OK ? (uint64_t)seconds * MS_PER_S : 0;
        return duration_parse_s(text, &seconds) == OK;
    }
    char whole[16];
    uint64_t value, fraction = 0, unit = MS_PER_S / 10;
    size_t length = (size_t)(point - text);
    if (length == 0 || length >= sizeof(whole))
        return false;
    memcpy(whole, text, length);
    whole[length] = '\0';
    if (!read_number(whole, DURATION_MAX_S, &value) || point[1] < '0' || point[1] > '9')
        return false;
    for (point++; *point >= '0' && *point <= '9'; point++) {
        fraction += (uint64_t)(*point - '0') * unit; /* finer than a millisecond counts as 0 */
        unit /= 10;
    }
    *ms = value * MS_PER_S + fraction;
    return *point == '\0' || strcmp(point, "s") == 0;
}

/* Bits of `given`, in the order in which the items are printed. */
enum item {
    ITEM_CRASH = PENALTY_CRASH,
    ITEM_MAX = PENALTY_KINDS,
    ITEM_MIN,
    ITEM_SOURCES4,
    ITEM_SOURCES6,
    ITEM_OVERFLOW4,
    ITEM_OVERFLOW6,
    ITEM_ENABLED,
};

static const struct {
    const char *name;
    enum item item;
} items[] = {
    {"crash:", ITEM_CRASH},
    {"authfail:", (enum item)PENALTY_AUTHFAIL},
    {"noauth:", (enum item)PENALTY_NOAUTH},
    {"invaliduser:", (enum item)PENALTY_INVALID_USER},
    {"grace-exceeded:", (enum item)PENALTY_GRACE_EXCEEDED},
    {"refuseconnection:", (enum item)PENALTY_REFUSE_CONNECTION},
    {"max:", ITEM_MAX},
    {"min:", ITEM_MIN},
    {"max-sources4:", ITEM_SOURCES4},
    {"max-sources6:", ITEM_SOURCES6},
    {"overflow:", ITEM_OVERFLOW4},
    {"overflow6:", ITEM_OVERFLOW6},
};

static const struct source_penalties defaults = {
    .is_enabled = true,
    .ms = {[PENALTY_CRASH] = 90000,
           [PENALTY_AUTHFAIL] = 5000,
           [PENALTY_NOAUTH] = 1000,
           [PENALTY_INVALID_USER] = 5000,
           [PENALTY_GRACE_EXCEEDED] = 10000,
           [PENALTY_REFUSE_CONNECTION] = 10000},
    .max_ms = 600000,
    .min_ms = 15000,
    .max_sources4 = 65536,
    .max_sources6 = 65536,
};

static bool read_overflow(const char *text, uint64_t *value)
{
    *value = strcmp(text, "deny-all") == 0 ? PENALTY_DENY_ALL : PENALTY_PERMISSIVE;
    return *value == PENALTY_DENY_ALL || strcmp(text, "permissive") == 0;
}

static void keep(struct source_penalties *p, enum item item, uint64_t value)
{
    uint64_t *times[] = {[ITEM_MAX] = &p->max_ms, [ITEM_MIN] = &p->min_ms};
    if (item < ITEM_MAX)
        p->ms[item] = value;
    else if (item <= ITEM_MIN)
        *times[item] = value;
    else if (item == ITEM_SOURCES4)
        p->max_sources4 = (uint32_t)value;
    else if (item == ITEM_SOURCES6)
        p->max_sources6 = (uint32_t)value;
    else if (item == ITEM_OVERFLOW4)
        p->overflow4 = (enum penalty_overflow)value;
    else
        p->overflow6 = (enum penalty_overflow)value;
    /* What is said of IPv4 alone holds for both. */
    if (item == ITEM_OVERFLOW4 && !(p->given & 1u << ITEM_OVERFLOW6))
        p->overflow6 = p->overflow4;
}

bool source_penalties_read(struct source_penalties *p, const char *word)
{
    bool is_yes = strcasecmp(word, "yes") == 0;
    uint64_t value;
    if (p->given == 0)
        *p = defaults;
    if (is_yes || strcasecmp(word, "no") == 0) {
        if (p->given == 0)
            p->is_enabled = is_yes;
        p->given |= 1u << ITEM_ENABLED;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        size_t length = strlen(items[i].name);
        enum item item = items[i].item;
        if (strncmp(word, items[i].name, length) != 0)
            continue;
        bool is_good = item <= ITEM_MIN        ? read_ms(word + length, &value)
                       : item <= ITEM_SOURCES6 ? read_number(word + length, INT32_MAX, &value)
                                               : read_overflow(word + length, &value);
        if (is_good && !(p->given & 1u << item)) {
            p->given |= 1u << item;
            p->is_enabled = true;
            keep(p, item, value);
        }
        return is_good;
    }
    return false;
}

static enum err print_time(struct buf *out, const char *name, uint64_t ms)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%s%" PRIu64 ".%03u000 ", name, ms / MS_PER_S,
                     (unsigned)(ms % MS_PER_S));
    return buf_append(out, text, (size_t)n);
}

enum err source_penalties_print(const struct source_penalties *p, struct buf *out)
{
    static const char *const modes[] = {
        [PENALTY_PERMISSIVE] = "permissive", [PENALTY_DENY_ALL] = "deny-all"};
    char text[160];
    if (!p->is_enabled)
        return buf_append(out, "no", 2);
    for (size_t i = 0; i < PENALTY_KINDS; i++)
        TRY(print_time(out, items[i].name, p->ms[i]));
    TRY(print_time(out, items[ITEM_MAX].name, p->max_ms));
    TRY(print_time(out, items[ITEM_MIN].name, p->min_ms));
    int n = snprintf(text, sizeof(text), "max-sources4:%u max-sources6:%u overflow:%s overflow6:%s",
                     p->max_sources4, p->max_sources6, modes[p->overflow4], modes[p->overflow6]);
    return buf_append(out, text, (size_t)n);
}

bool net_block_size_read(struct net_block_size *size, const char *text)
{
    uint64_t v4, v6 = 128;
    char first[4];
    const char *colon = strchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    if (length >= sizeof(first))
        return false;
    memcpy(first, text, length);
    first[length] = '\0';
    if (!read_number(first, 32, &v4) || (colon && !read_number(colon + 1, 128, &v6)))
        return false;
    *size = (struct net_block_size){(int)v4, (int)v6};
    return true;
}

/* RFC 2474, 2597, 3246, 8622; the first name of a value is the one printed. */
static const struct {
    const char *name;
    int value;
} qos_names[] = {
    {"none", IP_QOS_NONE},
    {"cs0", 0x00},
    {"cs1", 0x20},
    {"cs2", 0x40},
    {"cs3", 0x60},
    {"cs4", 0x80},
    {"cs5", 0xa0},
    {"cs6", 0xc0},
    {"cs7", 0xe0},
    {"af11", 0x28},
    {"af12", 0x30},
    {"af13", 0x38},
    {"af21", 0x48},
    {"af22", 0x50},
    {"af23", 0x58},
    {"af31", 0x68},
    {"af32", 0x70},
    {"af33", 0x78},
    {"af41", 0x88},
    {"af42", 0x90},
    {"af43", 0x98},
    {"ef", 0xb8},
    {"le", 0x04},
    {"va", 0xb0},
    {"lowdelay", IP_QOS_NONE},
    {"throughput", IP_QOS_NONE},
    {"reliability", IP_QOS_NONE},
};

bool ip_qos_read(int *value, const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(qos_names); i++) {
        if (strcasecmp(qos_names[i].name, text) == 0) {
            *value = qos_names[i].value;
            return true;
        }
    }
    uint64_t number = 0;
    if (text[0] != '0' || (text[1] | 0x20) != 'x') {
        if (!read_number(text, 255, &number))
            return false;
    } else {
        size_t digits = strspn(text + 2, "0123456789abcdefABCDEF");
        if (digits == 0 || digits > 2 || text[2 + digits] != '\0')
            return false;
        for (text += 2; *text != '\0'; text++)
            number =
                number * 16 + (uint64_t)(*text <= '9' ? *text - '0' : (*text | 0x20) - 'a' + 10);
    }
    *value = (int)number;
    return true;
}

const char *ip_qos_name(int value, char room[8])
{
    for (size_t i = 0; i < ARRAY_LEN(qos_names); i++) {
        if (qos_names[i].value == value)
            return qos_names[i].name;
    }
    snprintf(room, 8, "0x%02x", (unsigned)value & 0xff);
    return room;
}
