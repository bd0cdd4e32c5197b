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
