/*
 * A slice borrows bytes; a buf owns them. A buf has a cap from its first day: growing past it is
 * ERR_LIMIT, never an allocation of a size a peer chose. Consumed from the front, appended at the
 * back; a secret buf is wiped wherever its memory is given up.
 */
#ifndef ADIT_BASE_BUF_H
#define ADIT_BASE_BUF_H

#include <string.h>

#include "base/err.h"

struct slice {
    const uint8_t *ptr;
    size_t len;
};

#define SLICE_NONE ((struct slice){NULL, 0})

static inline struct slice slice_of(const void *bytes, size_t length)
{
    return (struct slice){bytes, length};
}

static inline struct slice slice_text(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

/* Equality of public bytes; not for secrets (mem_equal_secret). */
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_text(text));
}

/* A NUL-terminated copy; bytes after an embedded NUL are kept but not seen by C. Caller owns. */
char *slice_strdup(struct slice text) MUST_USE;

struct buf {
    uint8_t *data; /* NULL while nothing was stored */
    size_t start;  /* first byte not consumed */
    size_t end;    /* one past the last byte */
    size_t size;   /* bytes allocated */
    size_t cap;    /* most bytes it may hold at once */
    bool secret;
};

void buf_init(struct buf *b, size_t cap);
void buf_init_secret(struct buf *b, size_t cap);

/* Frees the memory (wiped if secret); the buf is empty and usable again with its cap. */
void buf_done(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->data ? b->data + b->start : NULL, b->end - b->start};
}

/*
 * Room for n more bytes behind the last; *room is valid until the next call on b. ERR_LIMIT, and
 * nothing changed, if the content would pass the cap. buf_commit says how much of it was used.
 */
enum err buf_reserve(struct buf *b, size_t n, uint8_t **room) MUST_USE;
void buf_commit(struct buf *b, size_t n);

enum err buf_append(struct buf *b, const void *bytes, size_t n) MUST_USE;
enum err buf_append_slice(struct buf *b, struct slice s) MUST_USE;

/* Takes n bytes (at most what is there) off the front. */
void buf_consume(struct buf *b, size_t n);

/* Forgets the content but keeps the memory. */
void buf_clear(struct buf *b);

/* A NUL-terminated copy of the content; the caller owns it. */
char *buf_strdup(const struct buf *b) MUST_USE;

/*
 * A secret of bounded size: keys, shared secrets, passwords. secret_done wipes; a secret is never
 * logged.
 */
#define SECRET_MAX 128
struct secret {
    uint8_t bytes[SECRET_MAX];
    size_t len;
};
void secret_done(struct secret *s);

#endif
