/* The one sink. */
#include "base/log.h"

#include <errno.h>
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

void log_write(enum log_level level, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;
    if (!log_would(level))
        return;
    int saved = errno;
    int head = snprintf(line, sizeof(line), "%s%s%s", log_state.name, log_state.name[0] ? ": " : "",
                        prefix_of(level));
    size_t used = (size_t)head;
    va_start(arguments, format);
    int body = vsnprintf(line + used, sizeof(line) - used - 2, format, arguments);
    va_end(arguments);
    if (body > 0)
        used += MIN((size_t)body, sizeof(line) - used - 3);
    if (log_state.sink) {
        log_state.sink(log_state.arg, level, line, used);
    } else {
        if (log_state.crlf)
            line[used++] = '\r';
        line[used++] = '\n';
        write_line(line, used);
    }
    errno = saved;
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
