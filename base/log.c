/* The one sink. */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static struct {
    log_sink *sink;
    void *arg;
    enum log_level level;
    int fd;
    bool crlf;
    log_clock *clock;      /* not NULL: lines are JSON */
    unsigned long dropped; /* lines that the descriptor did not take */
    char name[64];
} log_state = {.level = LOG_INFO, .fd = 2};

static const struct {
    const char *name;
    enum log_level level;
} levels[] = {
    {"QUIET", LOG_QUIET},  {"FATAL", LOG_FATAL},     {"ERROR", LOG_ERROR},
    {"INFO", LOG_INFO},    {"VERBOSE", LOG_VERBOSE}, {"DEBUG1", LOG_DEBUG1},
    {"DEBUG", LOG_DEBUG1}, {"DEBUG2", LOG_DEBUG2},   {"DEBUG3", LOG_DEBUG3},
};

void log_set_sink(log_sink *sink, void *arg)
{
    log_state.sink = sink;
    log_state.arg = arg;
}

void log_set_fd(int fd)
{
    log_state.fd = fd;
}

void log_set_level(enum log_level level)
{
    log_state.level = level;
}

enum log_level log_get_level(void)
{
    return log_state.level;
}

bool log_would(enum log_level level)
{
    return level != LOG_QUIET && level <= log_state.level;
}

void log_set_name(const char *name)
{
    snprintf(log_state.name, sizeof(log_state.name), "%s", name ? name : "");
}

void log_set_crlf(bool crlf)
{
    log_state.crlf = crlf;
}

void log_set_json(log_clock *clock)
{
    log_state.clock = clock;
}

static void write_line(const char *line, size_t length)
{
    ssize_t written;
    do
        written = write(log_state.fd, line, length);
    while (written < 0 && errno == EINTR);
    if (written != (ssize_t)length)
        log_state.dropped++;
}

static const char *prefix_of(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG1:
        return "debug1: ";
    case LOG_DEBUG2:
        return "debug2: ";
    case LOG_DEBUG3:
        return "debug3: ";
    case LOG_QUIET:
    case LOG_FATAL:
    case LOG_ERROR:
    case LOG_INFO:
    case LOG_VERBOSE:
        break;
    }
    return "";
}

/* A finished line, with room for CR LF behind it. */
static void give_line(enum log_level level, char *line, size_t used)
{
    if (log_state.sink) {
        log_state.sink(log_state.arg, level, line, used);
        return;
    }
    if (log_state.crlf)
        line[used++] = '\r';
    line[used++] = '\n';
    write_line(line, used);
}

/* ---- one line, in either form ---- */

#define END_ROOM   16 /* what closes an object, and CR LF */
#define FIELD_ROOM 96 /* less than that is left: no more fields */
#define VALUE_MAX  600

/* What does not fit is left out; `at` never passes the end less END_ROOM. */
struct out {
    char *text;
    size_t used, size;
};

static bool put(struct out *o, const char *text, size_t length)
{
    if (o->used + length + END_ROOM > o->size)
        return false;
    memcpy(o->text + o->used, text, length);
    o->used += length;
    return true;
}

static bool put_format(struct out *o, const char *format, ...) PRINTF_LIKE(2, 3);
static bool put_format(struct out *o, const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return n >= 0 && put(o, text, MIN((size_t)n, sizeof(text) - 1));
}

static size_t utf8_length(const uint8_t *p, size_t left);

/* RFC 8259 7, and no byte that is not UTF-8. */
static void put_json_text(struct out *o, struct slice text)
{
    bool fits = put(o, "\"", 1);
    for (size_t i = 0; fits && i < text.len;) {
        const uint8_t *p = text.ptr + i;
        size_t taken = *p < 0x80 ? 1 : utf8_length(p, text.len - i);
        if (taken == 0) {
            fits = put(o, "\\ufffd", 6);
            taken = 1;
        } else if (*p == '"' || *p == '\\') {
            fits = put_format(o, "\\%c", *p);
        } else if (*p < 0x20 || *p == 0x7f) {
            fits = put_format(o, "\\u%04x", *p);
        } else {
            fits = put(o, (const char *)p, taken);
        }
        i += taken;
    }
    o->text[o->used++] = '"'; /* of END_ROOM */
}

/* Days since 1970 -> the civil date (proleptic Gregorian), counted from 1 March of year 0. */
static void put_time(struct out *o, uint64_t ms)
{
    uint64_t seconds = ms / 1000, days = seconds / 86400 + 719468;
    uint64_t era = days / 146097, day = days % 146097;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint64_t of_year = day - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153;
    uint64_t date = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2 ? 1 : 0);
    put_format(o, "\"%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64 "T", year, month, date);
    put_format(o, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%03" PRIu64 "Z\"", seconds / 3600 % 24,
               seconds / 60 % 60, seconds % 60, ms % 1000);
}

static void put_json_head(struct out *o, enum log_level level, const char *message)
{
    const char *bracket = strchr(log_state.name, '[');
    size_t length = bracket ? (size_t)(bracket - log_state.name) : strlen(log_state.name);
    put(o, "{\"time\":", 8);
    put_time(o, log_state.clock());
    put_format(o, ",\"level\":\"%s\",\"program\":", log_level_name(level));
    put_json_text(o, slice_of(log_state.name, length));
    if (bracket)
        put_format(o, ",\"pid\":%.*s", (int)strspn(bracket + 1, "0123456789"), bracket + 1);
    put(o, ",\"message\":", 11);
    put_json_text(o, slice_text(message));
}

static void put_json_field(struct out *o, const struct log_field *f)
{
    if (o->used + FIELD_ROOM + END_ROOM > o->size || (!f->is_number && !f->text.ptr))
        return;
    put_format(o, ",\"%s\":", f->key);
    if (f->is_number)
        put_format(o, "%" PRIu64, f->number);
    else
        put_json_text(o, slice_of(f->text.ptr, MIN(f->text.len, (size_t)VALUE_MAX)));
}

static bool is_bare(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text == '"' || *text == '=' || *text == '\\' || *text == 0x7f)
            return false;
    }
    return true;
}

static void put_text_field(struct out *o, const struct log_field *f)
{
    char value[VALUE_MAX];
    if (f->is_number) {
        put_format(o, " %s=%" PRIu64, f->key, f->number);
        return;
    }
    if (!f->text.ptr || o->used + FIELD_ROOM + END_ROOM > o->size)
        return;
    log_escape(value, sizeof(value), f->text);
    put_format(o, " %s=", f->key);
    if (is_bare(value)) {
        put(o, value, strlen(value));
        return;
    }
    bool fits = put(o, "\"", 1);
    for (const char *c = value; fits && *c != '\0'; c++)
        fits = *c == '"' ? put(o, "\\042", 4) : put(o, c, 1);
    o->text[o->used++] = '"'; /* of END_ROOM */
}

/* Where others add their own time, as the system's log does, they want the name in front. */
static struct out begin(char *line, size_t size, enum log_level level)
{
    struct out o = {line, 0, size};
    bool is_json = log_state.clock != NULL;
    if (log_state.name[0] && (!is_json || log_state.sink))
        put_format(&o, "%s: ", log_state.name);
    if (!is_json)
        put_format(&o, "%s", prefix_of(level));
    return o;
}

void log_write(enum log_level level, const char *format, ...)
{
    char line[LINE_MAX_BYTES], body[LINE_MAX_BYTES];
    va_list arguments;
    if (!log_would(level))
        return;
    int saved = errno;
    va_start(arguments, format);
    int length = vsnprintf(body, sizeof(body), format, arguments);
    va_end(arguments);
    struct out o = begin(line, sizeof(line), level);
    if (log_state.clock) {
        put_json_head(&o, level, length > 0 ? body : "");
        o.text[o.used++] = '}';
    } else if (length > 0) {
        size_t most = sizeof(line) - o.used - END_ROOM;
        put(&o, body, MIN(MIN((size_t)length, sizeof(body) - 1), most));
    }
    give_line(level, line, o.used);
    errno = saved;
}

void log_event(enum log_level level, const char *event, const char *sentence,
               const struct log_field *fields, size_t count)
{
    char line[LINE_MAX_BYTES];
    if (!log_would(level))
        return;
    int saved = errno;
    struct out o = begin(line, sizeof(line), level);
    if (log_state.clock) {
        put_json_head(&o, level, sentence ? sentence : event);
        put_json_field(&o, &(struct log_field){"event", slice_text(event), 0, false});
        for (size_t i = 0; i < count; i++)
            put_json_field(&o, &fields[i]);
        o.text[o.used++] = '}';
    } else {
        const char *head = sentence ? sentence : event;
        put(&o, head, MIN(strlen(head), sizeof(line) - o.used - END_ROOM));
        for (size_t i = 0; i < count && !sentence; i++)
            put_text_field(&o, &fields[i]);
    }
    give_line(level, line, o.used);
    errno = saved;
}

bool log_limit_take(struct log_limit *l, uint64_t now_ms, unsigned burst, uint64_t *missed)
{
    if (now_ms < l->since_ms || now_ms - l->since_ms >= 1000) {
        l->since_ms = now_ms;
        l->said = 0;
    }
    if (l->said >= burst) {
        l->missed++;
        return false;
    }
    l->said++;
    *missed = l->missed;
    l->missed = 0;
    return true;
}

enum err log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (strcasecmp(name, levels[i].name) == 0) {
            *level = levels[i].level;
            return OK;
        }
    }
    return ERR_FORMAT;
}

const char *log_level_name(enum log_level level)
{
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (levels[i].level == level)
            return levels[i].name;
    }
    return "UNKNOWN";
}

/* Length of the valid UTF-8 sequence at p (2 to 4 bytes), or 0. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    size_t n = p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;
    if (p[0] > 0xf4 || n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    if (p[0] == 0xc2 && p[1] < 0xa0)
        return 0; /* C1 control characters steer some terminals */
    return n;
}

char *log_escape(char *out, size_t size, struct slice text)
{
    size_t used = 0;
    size_t mark = 0; /* the last place where "..." and the NUL still fit */
    size_t i = 0;
    while (i < text.len) {
        const uint8_t *p = text.ptr + i;
        size_t taken = 1;
        char piece[8];
        size_t length;
        if (*p == '\\') {
            length = (size_t)snprintf(piece, sizeof(piece), "\\\\");
        } else if (*p >= 0x20 && *p < 0x7f) {
            piece[0] = (char)*p;
            length = 1;
        } else if ((taken = utf8_length(p, text.len - i)) != 0) {
            memcpy(piece, p, taken);
            length = taken;
        } else {
            taken = 1;
            length = (size_t)snprintf(piece, sizeof(piece), "\\%03o", *p);
        }
        if (used + 4 <= size)
            mark = used;
        if (used + length + 1 > size) {
            used = mark;
            if (used + 4 <= size) {
                memcpy(out + used, "...", 3);
                used += 3;
            }
            break;
        }
        memcpy(out + used, piece, length);
        used += length;
        i += taken;
    }
    if (size)
        out[used] = '\0';
    return out;
}
