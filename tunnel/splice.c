/*
 * The data path. Towards the channel: link_fill reads into packet slots. Towards the stream: the
 * payload slices of one turn leave in one writev; what the kernel refuses waits in the stream's
 * queue, and is credited when it has gone. An abort on one side shows as an abort on the other.
 */
#include "tunnel/splice.h"

#include "base/log.h"

#define GATHER_MAX    64
#define ABORT_REQUEST "abort@adit"

struct splice {
    struct channel_user user;
    struct stream *stream;
    splice_refused *refused;
    splice_done *done;
    void *owner;
    struct splice_report report;
    struct iovec *gathered; /* of this turn; NULL while there is none */
    int gathered_count;
    bool sent_eof;     /* the stream has ended and the channel knows */
    bool got_eof;      /* the channel has ended; FIN follows the queue */
    bool got_close;    /* the peer has closed: finish once drained */
    bool peer_aborted; /* abort@adit came: end with a reset */
};

/* ---- the end ---- */

static void end(struct splice *sp, bool abort)
{
    sp->report.aborted = abort;
    if (sp->done)
        sp->done(sp->owner, &sp->report);
    channel_user_close(&sp->user);
    if (abort)
        stream_abort(sp->stream);
    else
        stream_close(sp->stream);
    mem_free(sp->gathered);
    mem_free(sp);
}

/* Ends it once all is delivered both ways, or the peer takes no more. */
static void end_if_drained(struct splice *sp)
{
    if (stream_queued(sp->stream) || sp->gathered_count)
        return;
    if (sp->got_close || (sp->got_eof && sp->sent_eof))
        end(sp, sp->peer_aborted);
}

/* The stream was reset or broke: the other side shall see a reset too, where it can. */
static void abort_locally(struct splice *sp)
{
    if (transport_peer_ext_info(link_transport(sp->user.link))->abort && sp->user.channel)
        channel_send_request(sp->user.channel, ABORT_REQUEST, false, SLICE_NONE);
    end(sp, true);
}

/* ---- stream -> channel ---- */

/* Its turn: reads one batch. The splice may be gone afterwards. */
static void pump(struct splice *sp)
{
    size_t n;
    enum err err = link_fill(&sp->user, sp->stream, &n);
    sp->report.bytes_to_channel += n;
    if (err == ERR_EOF) {
        stream_reading(sp->stream, false);
        sp->sent_eof = true;
        channel_send_eof(sp->user.channel);
        link_touch(sp->user.link);
        end_if_drained(sp);
    } else if (err == ERR_IO) {
        abort_locally(sp);
    }
}

static void on_writable(struct channel_user *u)
{
    struct splice *sp = container_of(u, struct splice, user);
    if (!sp->sent_eof && !sp->got_close)
        pump(sp);
}

/* ---- channel -> stream ---- */

static void flush_gathered(struct splice *sp)
{
    size_t taken = 0;
    if (sp->gathered_count == 0)
        return;
    if (sp->user.channel)
        stream_limit(sp->stream, channel_window(sp->user.channel) + SPLICE_QUEUE_SLACK);
    enum err err = stream_write(sp->stream, sp->gathered, sp->gathered_count, &taken);
    sp->report.bytes_to_stream += taken;
    mem_free(sp->gathered);
    sp->gathered = NULL;
    sp->gathered_count = 0;
    if (err != OK)
        return; /* STREAM_FAILED, or the reading side, ends it: nothing is credited any more */
    if (taken && sp->user.channel)
        channel_consumed(sp->user.channel, taken);
}

static void on_data(struct channel_user *u, struct slice bytes)
{
    struct splice *sp = container_of(u, struct splice, user);
    if (!sp->gathered)
        sp->gathered = mem_new(GATHER_MAX, sizeof(*sp->gathered));
    sp->gathered[sp->gathered_count++] = (struct iovec){(void *)(uintptr_t)bytes.ptr, bytes.len};
    if (sp->gathered_count == GATHER_MAX)
        flush_gathered(sp);
    else
        link_gather(u);
}

static void on_flush(struct channel_user *u)
{
    struct splice *sp = container_of(u, struct splice, user);
    flush_gathered(sp);
    end_if_drained(sp);
}

static void shut_stream(struct splice *sp)
{
    if (sp->got_eof)
        return;
    sp->got_eof = true;
    stream_shut_write(sp->stream);
}

static void on_eof(struct channel_user *u)
{
    struct splice *sp = container_of(u, struct splice, user);
    flush_gathered(sp);
    shut_stream(sp);
    end_if_drained(sp);
}

/*
 * The peer is done with the channel. A CLOSE without EOF is a legal end that some peers always use
 * (RFC 4254 5.3): what came is delivered, then FIN; only an announced abort ends in a reset.
 */
static void on_closed(struct channel_user *u)
{
    struct splice *sp = container_of(u, struct splice, user);
    flush_gathered(sp);
    sp->got_close = true;
    stream_reading(sp->stream, false);
    if (!sp->peer_aborted)
        shut_stream(sp);
    end_if_drained(sp);
}

static bool on_request(struct channel_user *u, struct slice type, struct slice body)
{
    struct splice *sp = container_of(u, struct splice, user);
    (void)body;
    if (slice_is(type, ABORT_REQUEST)) {
        sp->peer_aborted = true;
        return true;
    }
    if (slice_is(type, "eow@openssh.com")) {
        /* The peer's application takes no more: what we would send is thrown away there. */
        if (!sp->sent_eof) {
            stream_reading(sp->stream, false);
            sp->sent_eof = true;
            channel_send_eof(u->channel);
            link_gather(u); /* the end, if it is one, comes behind the answer to this request */
        }
        return true;
    }
    return false;
}

/* The link is gone: deliver what was received, then a reset, so that a cut never looks like an end.
 */
static void on_lost(struct channel_user *u)
{
    struct splice *sp = container_of(u, struct splice, user);
    flush_gathered(sp);
    /* Whose peer had ended already was not cut: it gets the rest, and its end. */
    end(sp, !(sp->got_eof && !sp->peer_aborted));
}

/* ---- the stream's events ---- */

static void on_stream(void *owner, enum stream_event event, size_t n)
{
    struct splice *sp = owner;
    switch (event) {
    case STREAM_READABLE:
        link_want_turn(&sp->user, sp->stream);
        break;
    case STREAM_DRAINED:
        sp->report.bytes_to_stream += n;
        if (sp->user.channel) {
            channel_consumed(sp->user.channel, n);
            link_touch(sp->user.link);
        }
        end_if_drained(sp);
        break;
    case STREAM_FAILED:
        abort_locally(sp);
        break;
    case STREAM_WRITABLE:
        break;
    }
}

/* ---- joining ---- */

static const struct channel_ops splice_ops;

static struct splice *splice_new(struct stream *s, splice_done *done, void *owner)
{
    struct splice *sp = NEW(struct splice);
    sp->stream = s;
    sp->done = done;
    sp->owner = owner;
    stream_set_owner(s, on_stream, sp);
    stream_reset_on_death(s);
    return sp;
}

const struct splice_report *splice_so_far(const struct splice *sp)
{
    return &sp->report;
}

struct splice *splice_accept(struct link *l, struct channel *ch, struct stream *s,
                             splice_done *done, void *owner)
{
    struct splice *sp = splice_new(s, done, owner);
    link_accept(l, ch, &sp->user, &splice_ops);
    stream_reading(s, true);
    return sp;
}

void splice_cut(struct splice *sp)
{
    abort_locally(sp);
}

struct splice *splice_take_over(struct channel_user *from, struct stream *s, splice_done *done,
                                void *owner)
{
    struct splice *sp = splice_new(s, done, owner);
    channel_user_init(&sp->user, &splice_ops, from->link, from->channel);
    channel_user_leave(from);
    if (channel_got_eof(sp->user.channel)) /* its event went to the user before */
        shut_stream(sp);
    stream_reading(s, true);
    return sp;
}

static void on_opened(struct channel_user *u)
{
    struct splice *sp = container_of(u, struct splice, user);
    /* Not before: bytes read earlier would have no window and no place (product.md 5.9). */
    stream_reading(sp->stream, true);
}

static void on_open_failed(struct channel_user *u, uint32_t reason, struct slice text)
{
    struct splice *sp = container_of(u, struct splice, user);
    if (sp->refused)
        sp->refused(sp->owner, reason, text);
    end(sp, true);
}

enum err splice_open(struct link *l, const char *type, struct slice body, struct stream *s,
                     splice_refused *refused, splice_done *done, void *owner, struct splice **out)
{
    struct splice *sp = splice_new(s, done, owner);
    sp->refused = refused;
    enum err err = link_open(l, type, body, &sp->user, &splice_ops);
    if (err != OK) {
        stream_abort(s);
        mem_free(sp);
        return err;
    }
    if (out)
        *out = sp;
    return OK;
}

static const struct channel_ops splice_ops = {
    .opened = on_opened,
    .open_failed = on_open_failed,
    .data = on_data,
    .flush = on_flush,
    .writable = on_writable,
    .eof = on_eof,
    .closed = on_closed,
    .request = on_request,
    .lost = on_lost,
};
