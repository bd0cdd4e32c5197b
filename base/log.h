/*
 * Logging: OpenSSH's levels and line forms, one sink, the house's only mutable global. Floors 1
 * to 5 do not log; they return. Text that a peer chose goes through log_escape first.
 */
#ifndef ADIT_BASE_LOG_H
#define ADIT_BASE_LOG_H

#include "base/buf.h"

enum log_level {
    LOG_QUIET = 0,
    LOG_FATAL,
    LOG_ERROR,
    LOG_INFO,
    LOG_VERBOSE,
    LOG_DEBUG1,
    LOG_DEBUG2,
    LOG_DEBUG3,
};

/* Gets each finished line, without its newline. Must not block and must not log. */
typedef void log_sink(void *arg, enum log_level level, const char *line, size_t length);

/* Replaces the sink; NULL restores the built-in one, which writes to the descriptor. */
void log_set_sink(log_sink *sink, void *arg);

/*
 * The descriptor of the built-in sink (2 at first). Each line is one write; what the descriptor
 * does not take at once is dropped and counted, so that a full disk or a stuck pipe stops nothing.
 */
void log_set_fd(int fd);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
bool log_would(enum log_level level);

/* With a name ("aditd[123]"), lines become "name: text"; NULL (the client) prints the text bare. */
void log_set_name(const char *name);

/*
 * Writes one line. Debug lines get OpenSSH's "debug1: " prefix; lines longer than 4 KiB are
 * clipped. Lines end with CR LF when log_set_crlf(true) was called (a raw terminal).
 */
void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
void log_set_crlf(bool crlf);

#define log_fatal(...)   log_write(LOG_FATAL, __VA_ARGS__)
#define log_error(...)   log_write(LOG_ERROR, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_verbose(...) log_write(LOG_VERBOSE, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_DEBUG1, __VA_ARGS__)
#define log_debug2(...)  log_write(LOG_DEBUG2, __VA_ARGS__)
#define log_debug3(...)  log_write(LOG_DEBUG3, __VA_ARGS__)

/* Milliseconds since 1970, for the time of a line; this floor reads no clock. */
typedef uint64_t log_clock(void);

/*
 * From now on each line is one JSON object: time (RFC 3339, UTC), level, program, pid, message, and
 * the fields of events. NULL: plain lines again.
 */
void log_set_json(log_clock *clock);

/* One fact of an event. Text may be a peer's: it is made safe here. */
struct log_field {
    const char *key;
    struct slice text; /* ptr NULL: left out, unless it is a number */
    uint64_t number;
    bool is_number;
};

static inline struct log_field log_bytes(const char *key, struct slice text)
{
    return (struct log_field){key, text, 0, false};
}

/* text may be NULL: left out. */
static inline struct log_field log_text(const char *key, const char *text)
{
    return log_bytes(key, text ? slice_text(text) : SLICE_NONE);
}

static inline struct log_field log_number(const char *key, uint64_t number)
{
    return (struct log_field){key, SLICE_NONE, number, true};
}

/*
 * One line for an audit: "event key=value ...", or, where OpenSSH has a sentence that others read,
 * that sentence; as JSON both the sentence (message) and the fields. Each value is clipped.
 */
void log_event(enum log_level level, const char *event, const char *sentence,
               const struct log_field *fields, size_t count);
#define LOG_EVENT(level_, event_, sentence_, ...)                                                  \
    log_event((level_), (event_), (sentence_), (const struct log_field[]){__VA_ARGS__},            \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* So that a flood of peers is no flood of lines. Begins zeroed; kept by whoever logs. */
struct log_limit {
    uint64_t since_ms;
    unsigned said;
    uint64_t missed; /* lines not said since the last that was */
};

/*
 * Whether one more line may be said at now_ms, at most burst a second. True: *missed is how many
 * were not, since the last.
 */
bool log_limit_take(struct log_limit *l, uint64_t now_ms, unsigned burst,
                    uint64_t *missed) MUST_USE;

/* "QUIET", "INFO", "DEBUG" (= DEBUG1), ... any case; ERR_FORMAT if it is none of OpenSSH's. */
enum err log_level_parse(const char *name, enum log_level *level) MUST_USE;
const char *log_level_name(enum log_level level);

/*
 * Peer text made safe for a terminal, a log and a file name: printable ASCII and valid UTF-8 stay,
 * control bytes, DEL and invalid bytes become \ooo, a backslash is doubled; clipped with "..." to
 * size, always NUL-terminated. Returns out.
 */
char *log_escape(char *out, size_t size, struct slice text);

/* log_escape into a fixed array that lives until the end of the statement's block. */
struct escaped {
    char text[256];
};
#define ESCAPED(slice_) (log_escape((struct escaped){0}.text, sizeof(struct escaped), (slice_)))

#endif
