/* In-memory streams. */
#include "tests/fake_stream.h"

#include "base/list.h"

#define QUEUE_CAP (4 * 1024 * 1024)

struct fake_stream {
    struct stream s; /* first */
    struct fake_world *world;
    struct fake_stream *peer;
    struct buf in;    /* in flight towards this end */
    struct buf queue; /* stream_write's rest */
    size_t capacity;
    struct loop_turn turn;
    bool reading, want_writable, shut_asked, shut_done, closed, aborted, broken, said_failed;
    bool ended; /* a read gave its end or error */
    enum fake_end peer_end;
};

static struct fake_stream *self(struct stream *s)
{
    return container_of(s, struct fake_stream, s);
}

static void wake(struct fake_stream *f)
{
    if (f && !(f->closed && buf_len(&f->queue) == 0))
        loop_turn_request(f->world->loop, &f->turn);
}

static void break_pair(struct fake_stream *f)
{
    f->broken = true;
    f->peer->broken = true;
    f->peer->peer_end = FAKE_RESET;
    f->peer_end = FAKE_RESET;
    wake(f);
    wake(f->peer);
}

/* True: this call is the one that fails. */
static bool fails_now(struct fake_stream *f)
{
    if (++f->world->calls != f->world->fail_at)
        return false;
    break_pair(f);
    return true;
}

static bool says_again(const struct fake_stream *f)
{
    return f->world->again_every && f->world->calls % f->world->again_every == 0;
}

static size_t at_most(const struct fake_stream *f, size_t n)
{
    return f->world->most ? MIN(n, f->world->most) : n;
}

static enum err fake_read(struct stream *s, const struct iovec *room, int count, size_t *n)
{
    struct fake_stream *f = self(s);
    *n = 0;
    if (fails_now(f) || (f->broken && buf_len(&f->in) == 0)) {
        f->ended = true;
        return ERR_IO;
    }
    size_t have = buf_len(&f->in);
    if (have == 0 && f->peer_end == FAKE_ENDED) {
        f->ended = true;
        return ERR_EOF;
    }
    if (have == 0 || says_again(f))
        return ERR_AGAIN;
    size_t left = at_most(f, have);
    for (int i = 0; i < count && left; i++) {
        size_t piece = MIN(left, room[i].iov_len);
        memcpy(room[i].iov_base, buf_slice(&f->in).ptr, piece);
        buf_consume(&f->in, piece);
        *n += piece;
        left -= piece;
    }
    wake(f->peer);
    return OK;
}

/* Moves what fits to the other end. */
static enum err push(struct fake_stream *f, const struct iovec *bytes, int count, size_t *n)
{
    *n = 0;
    if (fails_now(f) || f->broken)
        return ERR_IO;
    if (says_again(f)) {
        wake(f);
        return OK;
    }
    size_t free_bytes = f->capacity - buf_len(&f->peer->in);
    size_t left = at_most(f, free_bytes);
    for (int i = 0; i < count && left; i++) {
        size_t piece = MIN(left, bytes[i].iov_len);
        /* A closed end throws away what still comes, as a kernel does. */
        if (!f->peer->closed) {
            enum err err = buf_append(&f->peer->in, bytes[i].iov_base, piece);
            CHECK(err == OK);
        }
        *n += piece;
        left -= piece;
        if (piece < bytes[i].iov_len)
            break;
    }
    wake(f->peer);
    return OK;
}

static enum err fake_try_write(struct stream *s, const struct iovec *bytes, int count, size_t *n)
{
    CHECK(buf_len(&self(s)->queue) == 0 && !self(s)->shut_asked);
    return push(self(s), bytes, count, n);
}

static enum err fake_write(struct stream *s, const struct iovec *bytes, int count, size_t *n)
{
    struct fake_stream *f = self(s);
    size_t taken = 0;
    CHECK(!f->shut_asked);
    *n = 0;
    if (buf_len(&f->queue) == 0)
        TRY(push(f, bytes, count, &taken));
    *n = taken;
    for (int i = 0; i < count; i++) {
        size_t skip = MIN(taken, bytes[i].iov_len);
        taken -= skip;
        TRY(buf_append(&f->queue, (const uint8_t *)bytes[i].iov_base + skip,
                       bytes[i].iov_len - skip));
    }
    if (buf_len(&f->queue))
        wake(f);
    return OK;
}

static void fake_reading(struct stream *s, bool on)
{
    self(s)->reading = on;
    if (on)
        wake(self(s));
}

static void fake_want_writable(struct stream *s)
{
    self(s)->want_writable = true;
    wake(self(s));
}

static size_t fake_queued(const struct stream *s)
{
    return buf_len(&((const struct fake_stream *)(const void *)s)->queue);
}

static void fake_limit(struct stream *s, size_t cap)
{
    ((struct fake_stream *)(void *)s)->queue.cap = cap;
}

static void tell_end(struct fake_stream *f, enum fake_end end)
{
    if (f->peer->peer_end == FAKE_OPEN || end == FAKE_RESET)
        f->peer->peer_end = end;
    if (end == FAKE_RESET)
        f->peer->broken = true;
    wake(f->peer);
}

static void fake_shut_write(struct stream *s)
{
    self(s)->shut_asked = true;
    wake(self(s));
}

static void fake_close(struct stream *s)
{
    struct fake_stream *f = self(s);
    f->s.event = NULL;
    f->closed = true;
    f->shut_asked = true;
    loop_turn_request(f->world->loop, &f->turn);
}

static void fake_abort(struct stream *s)
{
    struct fake_stream *f = self(s);
    f->aborted = true;
    fake_close(s);
}

static const struct stream_ops fake_ops = {
    .read = fake_read,
    .try_write = fake_try_write,
    .write = fake_write,
    .reading = fake_reading,
    .want_writable = fake_want_writable,
    .queued = fake_queued,
    .limit = fake_limit,
    .shut_write = fake_shut_write,
    .close = fake_close,
    .abort = fake_abort,
};

static void say(struct fake_stream *f, enum stream_event event, size_t n)
{
    if (f->s.event)
        f->s.event(f->s.owner, event, n);
}

static void drain_queue(struct fake_stream *f)
{
    struct slice queued = buf_slice(&f->queue);
    size_t n = 0;
    if (queued.len == 0)
        return;
    struct iovec bytes = {(void *)(uintptr_t)queued.ptr, queued.len};
    if (push(f, &bytes, 1, &n) != OK) {
        buf_clear(&f->queue);
        if (!f->said_failed) {
            f->said_failed = true;
            say(f, STREAM_FAILED, 0);
        }
        return;
    }
    buf_consume(&f->queue, n);
    if (n) {
        wake(f);
        say(f, STREAM_DRAINED, n);
    }
}

static void on_turn(void *owner)
{
    struct fake_stream *f = owner;
    drain_queue(f);
    if (f->shut_asked && !f->shut_done && buf_len(&f->queue) == 0) {
        f->shut_done = true;
        tell_end(f, f->aborted ? FAKE_RESET : FAKE_ENDED);
    }
    if (f->want_writable && (buf_len(&f->peer->in) < f->capacity || f->broken)) {
        f->want_writable = false;
        say(f, STREAM_WRITABLE, 0);
    }
    bool readable = buf_len(&f->in) || f->peer_end != FAKE_OPEN || f->broken;
    if (f->reading && readable && !f->ended && f->s.event) {
        say(f, STREAM_READABLE, 0);
        if (f->reading && !f->ended)
            wake(f);
    }
}

static struct fake_stream *end_new(struct fake_world *w, size_t capacity)
{
    struct fake_stream *f = NEW(struct fake_stream);
    f->s.ops = &fake_ops;
    f->world = w;
    f->capacity = capacity;
    buf_init(&f->in, capacity);
    buf_init(&f->queue, QUEUE_CAP);
    f->turn = (struct loop_turn){.callback = on_turn, .owner = f};
    return f;
}

void fake_pair(struct fake_world *w, size_t capacity, struct fake_stream **a,
               struct fake_stream **b)
{
    *a = end_new(w, capacity);
    *b = end_new(w, capacity);
    (*a)->peer = *b;
    (*b)->peer = *a;
}

struct stream *fake_as_stream(struct fake_stream *f)
{
    return &f->s;
}

enum fake_end fake_peer_end(const struct fake_stream *f)
{
    return f->peer_end;
}

static void end_free(struct fake_stream *f)
{
    loop_turn_cancel(&f->turn);
    buf_done(&f->in);
    buf_done(&f->queue);
    mem_free(f);
}

void fake_free_pair(struct fake_stream *a)
{
    struct fake_stream *b = a->peer;
    end_free(a);
    end_free(b);
}
