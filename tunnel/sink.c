/* From a channel to a stream of its own. */
#include "tunnel/sink.h"

#define GATHER_MAX 64

void sink_init(struct sink *k, struct channel_user *user, struct stream *stream)
{
    *k = (struct sink){.user = user, .stream = stream};
    buf_init(&k->early, SINK_QUEUE_CAP);
}

void sink_done(struct sink *k)
{
    buf_done(&k->early);
    mem_free(k->gathered);
    k->gathered = NULL;
    k->gathered_count = 0;
}

static void credit(struct sink *k, size_t n)
{
    if (!k->user->channel || n == 0)
        return;
    channel_consumed(k->user->channel, n);
    link_touch(k->user->link);
}

void sink_die(struct sink *k)
{
    size_t lost = k->queued;
    k->is_dead = true;
    k->queued = 0;
    credit(k, lost);
}

static void give(struct sink *k, const struct iovec *bytes, int count)
{
    size_t taken = 0, total = 0;
    for (int i = 0; i < count; i++)
        total += bytes[i].iov_len;
    if (k->is_dead || k->is_shut) {
        credit(k, total);
        return;
    }
    k->queued += total;
    if (k->user->channel)
        stream_limit(k->stream, channel_window(k->user->channel) + SINK_QUEUE_SLACK);
    if (stream_write(k->stream, bytes, count, &taken) != OK) {
        sink_die(k);
        return;
    }
    k->queued -= taken;
    credit(k, taken);
}

void sink_flush(struct sink *k)
{
    int count = k->gathered_count;
    if (count == 0)
        return;
    k->gathered_count = 0;
    if (k->stream) {
        give(k, k->gathered, count);
        return;
    }
    for (int i = 0; i < count; i++) {
        /* The window that was granted is what may come before the stream is there: nothing is
         * consumed, so it does not grow. */
        if (buf_append(&k->early, k->gathered[i].iov_base, k->gathered[i].iov_len) != OK)
            credit(k, k->gathered[i].iov_len);
    }
}

void sink_data(struct sink *k, struct slice bytes)
{
    if (!k->gathered)
        k->gathered = mem_new(GATHER_MAX, sizeof(*k->gathered));
    k->gathered[k->gathered_count++] = (struct iovec){(void *)(uintptr_t)bytes.ptr, bytes.len};
    if (k->gathered_count == GATHER_MAX)
        sink_flush(k);
    else
        link_gather(k->user);
}

void sink_drained(struct sink *k, size_t n)
{
    n = MIN(n, k->queued); /* what others wrote to the stream is not the channel's */
    k->queued -= n;
    credit(k, n);
}

static void shut_now(struct sink *k)
{
    k->is_shut = true;
    if (!k->is_dead)
        stream_shut_write(k->stream);
}

void sink_join(struct sink *k, struct stream *stream)
{
    struct slice early = buf_slice(&k->early);
    struct iovec bytes = {(void *)(uintptr_t)early.ptr, early.len};
    k->stream = stream;
    if (early.len)
        give(k, &bytes, 1);
    buf_done(&k->early);
    if (k->is_due)
        shut_now(k);
}

void sink_shut(struct sink *k)
{
    sink_flush(k);
    if (k->is_due)
        return;
    k->is_due = true;
    if (k->stream)
        shut_now(k);
}

bool sink_is_drained(const struct sink *k)
{
    return k->is_dead || (k->gathered_count == 0 && k->queued == 0 && buf_len(&k->early) == 0);
}
