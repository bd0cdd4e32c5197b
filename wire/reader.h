/*
 * The one cursor over hostile bytes (RFC 4251 5). Its error is sticky: after the first failure
 * every getter returns something harmless (0, an empty slice), so a decoder is straight-line code
 * with one look at reader_done at its end. Slices borrow from the bytes that the reader was given.
 */
#ifndef ADIT_WIRE_READER_H
#define ADIT_WIRE_READER_H

#include "base/buf.h"

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    enum err err; /* the first failure */
};

void reader_init(struct reader *r, struct slice bytes);

/* The start of every message decoder: a reader behind the message number; another: ERR_FORMAT. */
struct reader reader_open(struct slice payload, uint8_t number);

uint8_t reader_u8(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
bool reader_bool(struct reader *r);                    /* any byte but 0 is true */
struct slice reader_bytes(struct reader *r, size_t n); /* n bytes without a length before them */
struct slice reader_string(struct reader *r);
struct slice reader_string_max(struct reader *r, size_t max); /* longer: ERR_LIMIT */
/* A string that must be free of NUL bytes (names, host names, paths): else ERR_FORMAT. */
struct slice reader_text(struct reader *r, size_t max);
/*
 * A non-negative mpint, its leading zero byte removed; negative or not minimal: ERR_FORMAT. A
 * value of more than max bytes: ERR_LIMIT.
 */
struct slice reader_mpint(struct reader *r, size_t max);
/* What is left, unparsed. */
struct slice reader_rest(struct reader *r);
size_t reader_left(const struct reader *r);
bool reader_is_ok(const struct reader *r);

/* Records a failure found by the caller (a value out of range), if there was none before. */
void reader_fail(struct reader *r, enum err code);

/* The end of every decoder: the sticky error, or ERR_FORMAT if bytes are left over. */
enum err reader_done(const struct reader *r) MUST_USE;

#endif
