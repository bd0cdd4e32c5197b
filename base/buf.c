/* Owned bytes with a cap. */
#include "base/buf.h"

#define SMALLEST 64
#define LARGE    (256 * 1024)

char *slice_strdup(struct slice text)
{
    return mem_strndup(text.len ? (const char *)text.ptr : "", text.len);
}

void buf_init(struct buf *b, size_t cap)
{
    *b = (struct buf){.cap = cap};
}

void buf_init_secret(struct buf *b, size_t cap)
{
    *b = (struct buf){.cap = cap, .secret = true};
}

static void give_up(struct buf *b, uint8_t *data, size_t size)
{
    if (b->secret && data)
        mem_wipe(data, size);
    mem_free(data);
}

void buf_done(struct buf *b)
{
    give_up(b, b->data, b->size);
    b->data = NULL;
    b->start = b->end = b->size = 0;
}

/*
 * Doubles, up to what is large; then it is the cap at once: pages that nobody touches cost nothing,
 * and each piece that was outgrown would stay in the heap beside the next one.
 */
static size_t next_size(const struct buf *b, size_t need)
{
    size_t size = MAX(b->size, SMALLEST);
    while (size < need)
        size *= 2;
    if (size > LARGE && !b->secret)
        size = b->cap;
    return MAX(MIN(size, b->cap), need);
}

/* Moves the content to the front of memory of at least `need` bytes. */
static void make_room(struct buf *b, size_t need)
{
    size_t length = buf_len(b);
    if (need <= b->size) {
        if (length)
            memmove(b->data, b->data + b->start, length);
    } else {
        size_t size = next_size(b, need);
        uint8_t *data = mem_resize(NULL, size, 1);
        if (length)
            memcpy(data, b->data + b->start, length);
        give_up(b, b->data, b->size);
        b->data = data;
        b->size = size;
    }
    b->start = 0;
    b->end = length;
}

enum err buf_reserve(struct buf *b, size_t n, uint8_t **room)
{
    size_t length = buf_len(b);
    if (n > b->cap || length > b->cap - n)
        return ERR_LIMIT;
    if (length == 0)
        b->start = b->end = 0;
    if (n > b->size - b->end)
        make_room(b, length + n);
    *room = b->data ? b->data + b->end : NULL; /* n may be 0 in a buf without memory */
    return OK;
}

void buf_commit(struct buf *b, size_t n)
{
    CHECK(n <= b->size - b->end);
    b->end += n;
}

enum err buf_append(struct buf *b, const void *bytes, size_t n)
{
    uint8_t *room;
    if (n == 0)
        return OK;
    TRY(buf_reserve(b, n, &room));
    memcpy(room, bytes, n);
    buf_commit(b, n);
    return OK;
}

enum err buf_append_slice(struct buf *b, struct slice s)
{
    return buf_append(b, s.ptr, s.len);
}

void buf_consume(struct buf *b, size_t n)
{
    size_t taken = MIN(n, buf_len(b));
    if (b->secret && taken)
        mem_wipe(b->data + b->start, taken);
    b->start += taken;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_clear(struct buf *b)
{
    buf_consume(b, buf_len(b));
}

char *buf_strdup(const struct buf *b)
{
    return slice_strdup(buf_slice(b));
}

void secret_done(struct secret *s)
{
    mem_wipe(s, sizeof(*s));
}
