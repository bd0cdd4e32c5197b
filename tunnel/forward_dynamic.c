/*
 * SOCKS names the target. -D: a visitor of ours speaks it, the server dials, and the SOCKS answer
 * waits for the server's, so that it is true. -R with a port alone: a visitor at the server speaks
 * it through the channel, and we dial, where PermitRemoteOpen lets us.
 */
#include <stdio.h>

#include "base/log.h"
#include "io/dial.h"
#include "tunnel/forward.h"
#include "tunnel/socks.h"
#include "wire/numbers.h"

#define DIAL_DEADLINE_MS 60000
#define EARLY_MAX        (64 * 1024) /* what a visitor may send behind its request before we are there */

/* ---- -D: a visitor of ours ---- */

struct socks_visitor {
    struct channel_user user;
    struct forward *forward;
    struct stream *stream;
    struct socks socks;
    char from[64];
    uint16_t from_port;
};

static void visitor_end(struct socks_visitor *v)
{
    channel_user_close(&v->user);
    stream_close(v->stream);
    mem_free(v);
}

static bool say_reply(struct socks_visitor *v)
{
    struct iovec bytes = {v->socks.reply, v->socks.reply_len};
    size_t n;
    return v->socks.reply_len == 0 || stream_write(v->stream, &bytes, 1, &n) == OK;
}

static void visitor_opened(struct channel_user *u)
{
    struct socks_visitor *v = container_of(u, struct socks_visitor, user);
    socks_result(&v->socks, SOCKS_CONNECTED);
    /* A reply of a few bytes into an empty socket: it goes at once or the visitor has gone. */
    if (!say_reply(v) || stream_queued(v->stream)) {
        visitor_end(v);
        return;
    }
    splice_take_over(u, v->stream, NULL, NULL);
    mem_free(v);
}

static void visitor_refused(struct channel_user *u, uint32_t reason, struct slice text)
{
    struct socks_visitor *v = container_of(u, struct socks_visitor, user);
    CLEANUP(mem_cleanup) char *target = mem_printf("%s:%u", v->socks.host, v->socks.port);
    forward_tell_refused(target, reason, text);
    socks_result(&v->socks, reason == SSH_OPEN_ADMINISTRATIVELY_PROHIBITED ? SOCKS_NOT_ALLOWED
                            : reason == SSH_OPEN_CONNECT_FAILED            ? SOCKS_REFUSED
                                                                           : SOCKS_FAILED);
    if (!say_reply(v))
        log_debug("SOCKS visitor from %s has gone", v->from);
    visitor_end(v);
}

static void visitor_lost(struct channel_user *u)
{
    struct socks_visitor *v = container_of(u, struct socks_visitor, user);
    stream_abort(v->stream);
    mem_free(v);
}

static const struct channel_ops visitor_ops = {
    .opened = visitor_opened,
    .open_failed = visitor_refused,
    .lost = visitor_lost,
};

static void visitor_ask(struct socks_visitor *v)
{
    struct link *l = forward_set_pick(v->forward->set);
    struct buf body;
    enum err err = forward_direct_body(v->socks.host, v->socks.port, v->from, v->from_port, &body);
    CHECK(err == OK);
    stream_reading(v->stream, false);
    log_debug("SOCKS %u: connect to %s:%u", v->socks.version, v->socks.host, v->socks.port);
    if (!l || link_open(l, "direct-tcpip", buf_slice(&body), &v->user, &visitor_ops) != OK) {
        socks_result(&v->socks, SOCKS_FAILED);
        if (!say_reply(v))
            log_debug("SOCKS visitor from %s has gone", v->from);
        visitor_end(v);
    }
    buf_done(&body);
}

static void visitor_readable(struct socks_visitor *v)
{
    struct iovec room = {v->socks.in + v->socks.have, v->socks.want};
    size_t n = 0;
    enum err err = stream_read(v->stream, &room, 1, &n);
    if (err == ERR_AGAIN)
        return;
    if (err != OK) {
        visitor_end(v);
        return;
    }
    switch (socks_feed(&v->socks, n)) {
    case SOCKS_MORE:
        break;
    case SOCKS_SAY:
        if (!say_reply(v))
            visitor_end(v);
        break;
    case SOCKS_REQUEST:
        visitor_ask(v);
        break;
    case SOCKS_BAD:
        log_info("visitor of -D port %u from %s: %s", v->forward->port, v->from, v->socks.fault);
        if (!say_reply(v))
            log_debug("SOCKS visitor from %s has gone", v->from);
        visitor_end(v);
        break;
    }
}

static void visitor_stream(void *owner, enum stream_event event, size_t n)
{
    struct socks_visitor *v = owner;
    (void)n;
    if (event == STREAM_READABLE)
        visitor_readable(v);
    else if (event == STREAM_FAILED)
        visitor_end(v);
}

void forward_dynamic_accept(struct forward *f, int fd, const char *from, uint16_t from_port)
{
    struct socks_visitor *v = NEW(struct socks_visitor);
    v->forward = f;
    v->from_port = from_port;
    channel_user_init(&v->user, &visitor_ops, f->set->link, NULL);
    memcpy(v->from, from, MIN(strlen(from), sizeof(v->from) - 1));
    socks_init(&v->socks);
    v->stream = stream_new_socket(f->set->loop, fd, from, SPLICE_QUEUE_CAP, visitor_stream, v);
    stream_reading(v->stream, true);
}

/* ---- -R port: a visitor at the server ---- */

struct far_visitor {
    struct channel_user user;
    struct forward *forward;
    struct dial *dial;
    struct socks socks;
    struct buf early; /* behind the request: for the target */
    bool is_dialling;
};

static void far_end(struct far_visitor *v)
{
    if (v->dial)
        dial_cancel(v->dial);
    channel_user_close(&v->user);
    buf_done(&v->early);
    mem_free(v);
}

static bool far_reply(struct far_visitor *v)
{
    struct slice reply = slice_of(v->socks.reply, v->socks.reply_len);
    enum err err = reply.len ? channel_send_data(v->user.channel, reply) : OK;
    link_touch(v->user.link);
    return err == OK;
}

/* EOF before CLOSE, so that the answer is read as an answer. */
static void far_refuse(struct far_visitor *v, enum socks_outcome outcome)
{
    socks_result(&v->socks, outcome);
    if (far_reply(v))
        channel_send_eof(v->user.channel);
    far_end(v);
}

static void far_dialled(void *owner, const struct dial_result *result)
{
    struct far_visitor *v = owner;
    v->dial = NULL;
    if (result->fd < 0) {
        log_info("connect to %s:%u on this machine failed: %s", v->socks.host, v->socks.port,
                 dial_reason(result));
        far_refuse(v, result->stage == DIAL_CONNECT ? SOCKS_REFUSED : SOCKS_FAILED);
        return;
    }
    struct stream *s = stream_new_socket(v->forward->set->loop, result->fd, result->address,
                                         SPLICE_QUEUE_CAP, NULL, NULL);
    struct channel *ch = v->user.channel;
    struct slice early = buf_slice(&v->early);
    struct iovec bytes = {(void *)(uintptr_t)early.ptr, early.len};
    size_t n = 0;
    socks_result(&v->socks, SOCKS_CONNECTED);
    if (!far_reply(v) || (early.len && stream_write(s, &bytes, 1, &n) != OK)) {
        stream_abort(s);
        far_end(v);
        return;
    }
    if (n)
        channel_consumed(ch, n); /* the rest is credited as the stream drains */
    splice_take_over(&v->user, s, NULL, NULL);
    buf_done(&v->early);
    mem_free(v);
}

static bool is_permitted(const struct far_visitor *v)
{
    struct policy policy = {.may_open = true, .open = {v->forward->set->permit_remote_open}};
    struct policy_refusal why;
    if (policy_may_open(&policy, slice_text(v->socks.host), v->socks.port, &why))
        return true;
    log_info("the server's visitor asked for %s:%u: refused by PermitRemoteOpen", v->socks.host,
             v->socks.port);
    return false;
}

static void far_request(struct far_visitor *v)
{
    struct forward_set *set = v->forward->set;
    if (!is_permitted(v)) {
        far_refuse(v, SOCKS_NOT_ALLOWED);
        return;
    }
    v->is_dialling = true;
    v->dial = dial_new(set->loop, v->socks.host, v->socks.port, set->family, NULL, DIAL_DEADLINE_MS,
                       far_dialled, v);
}

/* Feeds the parser just what it wants. False: the visitor is gone. */
static bool far_feed(struct far_visitor *v, struct slice *bytes)
{
    size_t n = MIN(bytes->len, v->socks.want);
    memcpy(v->socks.in + v->socks.have, bytes->ptr, n);
    *bytes = slice_of(bytes->ptr + n, bytes->len - n);
    channel_consumed(v->user.channel, n);
    switch (socks_feed(&v->socks, n)) {
    case SOCKS_MORE:
        return true;
    case SOCKS_SAY:
        if (far_reply(v))
            return true;
        far_end(v);
        return false;
    case SOCKS_REQUEST:
        far_request(v);
        return v->is_dialling;
    case SOCKS_BAD:
        log_info("visitor of remote port %u: %s", v->forward->port, v->socks.fault);
        if (far_reply(v))
            channel_send_eof(v->user.channel);
        far_end(v);
        return false;
    }
    return false;
}

static void far_data(struct channel_user *u, struct slice bytes)
{
    struct far_visitor *v = container_of(u, struct far_visitor, user);
    while (bytes.len && !v->is_dialling) {
        if (!far_feed(v, &bytes))
            return;
    }
    if (bytes.len && buf_append_slice(&v->early, bytes) != OK) {
        log_info("visitor of remote port %u sends before its target answers: closed",
                 v->forward->port);
        far_end(v);
    }
}

static void far_eof(struct channel_user *u)
{
    struct far_visitor *v = container_of(u, struct far_visitor, user);
    if (!v->is_dialling)
        far_end(v);
}

static void far_closed(struct channel_user *u)
{
    far_end(container_of(u, struct far_visitor, user));
}

static const struct channel_ops far_ops = {
    .data = far_data,
    .eof = far_eof,
    .closed = far_closed,
    .lost = far_closed,
};

void forward_dynamic_open(struct forward *f, struct link *l, struct channel *ch)
{
    struct far_visitor *v = NEW(struct far_visitor);
    v->forward = f;
    buf_init(&v->early, EARLY_MAX);
    socks_init(&v->socks);
    link_accept(l, ch, &v->user, &far_ops);
}
