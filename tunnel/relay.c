/* From channel to channel. */
#include "tunnel/relay.h"

#include "wire/numbers.h"

#define STEP 32768

enum { FROM, TO };

struct side {
    struct channel_user user; /* first */
    struct relay *relay;
    struct buf data, errors; /* for this side's channel; counted against the other's window */
    bool gets_eof, gets_close;
    bool has_eof; /* it was sent */
};

struct relay {
    struct side sides[2];
    struct list link;
    struct loop_turn turn;
    bool is_over;
};

static struct side *side_of(struct channel_user *u)
{
    return container_of(u, struct side, user);
}

static struct side *other_of(struct side *s)
{
    return &s->relay->sides[s == &s->relay->sides[FROM] ? TO : FROM];
}

/* ---- the end ---- */

static void on_turn(void *owner)
{
    struct relay *r = owner;
    for (int i = FROM; i <= TO; i++) {
        channel_user_close(&r->sides[i].user);
        buf_done(&r->sides[i].data);
        buf_done(&r->sides[i].errors);
    }
    loop_turn_cancel(&r->turn);
    list_remove(&r->link);
    mem_free(r);
}

/* At the end of the turn, so that nobody is freed under a running caller. */
static void end(struct relay *r, struct link *l)
{
    if (r->is_over)
        return;
    r->is_over = true;
    loop_turn_request(link_loop(l), &r->turn);
}

/* ---- moving ---- */

static bool is_empty(const struct side *s)
{
    return buf_len(&s->data) == 0 && buf_len(&s->errors) == 0;
}

static size_t send_some(struct side *s, struct buf *from, bool is_errors)
{
    struct channel *ch = s->user.channel;
    size_t most = MIN((size_t)channel_may_send(ch), (size_t)STEP);
    size_t n = MIN(buf_len(from), most);
    struct slice piece = slice_of(buf_slice(from).ptr, n);
    if (n == 0)
        return 0;
    enum err err = is_errors ? channel_send_stderr(ch, piece) : channel_send_data(ch, piece);
    CHECK(err == OK); /* no more than the window */
    buf_consume(from, n);
    link_touch(s->user.link);
    return n;
}

/* Behind the last byte: the end, and the close. */
static void finish(struct side *s)
{
    if (!is_empty(s) || !s->user.channel)
        return;
    if (s->gets_eof && !s->has_eof) {
        s->has_eof = true;
        channel_send_eof(s->user.channel);
        link_touch(s->user.link);
    }
    if (s->gets_close)
        end(s->relay, s->user.link);
}

/* Its turn: a step of what this side's channel takes; the other side's window is credited for it.
 */
static void push(struct side *s)
{
    struct side *other = other_of(s);
    if (!is_empty(s) && s->user.channel && link_has_room(&s->user)) {
        size_t n = send_some(s, buf_len(&s->data) ? &s->data : &s->errors, !buf_len(&s->data));
        schedule_spent(&s->user.turn, n);
        if (other->user.channel) {
            channel_consumed(other->user.channel, n);
            link_touch(other->user.link);
        }
        if (!is_empty(s))
            link_user_wants_turn(&s->user);
    }
    finish(s);
}

static void take(struct side *s, struct buf *to, struct slice bytes)
{
    struct channel *from = other_of(s)->user.channel;
    /* The window that was granted is what may wait here. */
    if (from)
        to->cap = channel_window(from);
    if (buf_append_slice(to, bytes) != OK)
        end(s->relay, s->user.link);
    if (s->user.channel)
        link_user_wants_turn(&s->user);
}

static void on_data(struct channel_user *u, struct slice bytes)
{
    struct side *to = other_of(side_of(u));
    take(to, &to->data, bytes);
}

static void on_extended_data(struct channel_user *u, uint32_t code, struct slice bytes)
{
    struct side *to = other_of(side_of(u));
    if (code == SSH_EXTENDED_DATA_STDERR) {
        take(to, &to->errors, bytes);
        return;
    }
    channel_consumed(u->channel, bytes.len);
    link_touch(u->link);
}

static void on_writable(struct channel_user *u)
{
    push(side_of(u));
}

static void on_eof(struct channel_user *u)
{
    struct side *to = other_of(side_of(u));
    to->gets_eof = true;
    finish(to);
}

static void on_closed(struct channel_user *u)
{
    struct side *to = other_of(side_of(u));
    to->gets_close = true;
    finish(to);
    if (!to->user.channel)
        end(to->relay, u->link);
}

static void on_lost(struct channel_user *u)
{
    end(side_of(u)->relay, u->link);
}

static void on_request(struct channel_user *u, struct slice type, struct slice body,
                       bool want_reply)
{
    struct side *to = other_of(side_of(u));
    char *name CLEANUP(mem_cleanup) = slice_strdup(type);
    if (!to->user.channel) {
        if (want_reply)
            channel_reply(u->channel, false);
        return;
    }
    /* One who asks faster than is answered ends his own channel, and nobody else's. */
    if (!conn_may_pass_on(link_conn(to->user.link), body.len)) {
        end(to->relay, u->link);
        return;
    }
    channel_send_request(to->user.channel, name, want_reply, body);
    link_touch(to->user.link);
}

static void on_reply(struct channel_user *u, bool success)
{
    struct side *to = other_of(side_of(u));
    if (!to->user.channel)
        return;
    channel_reply(to->user.channel, success);
    link_touch(to->user.link);
}

static const struct channel_ops relay_ops = {
    .data = on_data,
    .extended_data = on_extended_data,
    .writable = on_writable,
    .eof = on_eof,
    .closed = on_closed,
    .request_later = on_request,
    .reply = on_reply,
    .lost = on_lost,
};

/* ---- opening ---- */

static void on_opened(struct channel_user *u)
{
    struct side *from = other_of(side_of(u));
    struct channel *ch = from->user.channel;
    if (!ch) {
        end(from->relay, u->link);
        return;
    }
    u->ops = &relay_ops;
    link_accept(from->user.link, ch, &from->user, &relay_ops);
}

static void on_open_failed(struct channel_user *u, uint32_t reason, struct slice text)
{
    struct side *from = other_of(side_of(u));
    char *words CLEANUP(mem_cleanup) = slice_strdup(text);
    struct channel *ch = from->user.channel;
    from->user.channel = NULL;
    if (ch)
        link_refuse(from->user.link, ch, reason, words);
    end(from->relay, u->link);
}

static const struct channel_ops opening_ops = {
    .opened = on_opened, .open_failed = on_open_failed, .lost = on_lost};
static const struct channel_ops asking_ops = {.lost = on_lost};

void relay_open(struct link *from, struct channel *ch, struct link *to, struct slice type,
                struct slice body, struct list *all)
{
    if (!conn_may_pass_on(link_conn(to), body.len)) {
        link_refuse(from, ch, SSH_OPEN_RESOURCE_SHORTAGE, "too much is on its way already");
        return;
    }
    struct relay *r = NEW(struct relay);
    char *name CLEANUP(mem_cleanup) = slice_strdup(type);
    r->turn = (struct loop_turn){.callback = on_turn, .owner = r};
    for (int i = FROM; i <= TO; i++) {
        r->sides[i].relay = r;
        buf_init(&r->sides[i].data, WINDOW_FIRST);
        buf_init(&r->sides[i].errors, WINDOW_FIRST);
    }
    channel_user_init(&r->sides[FROM].user, &asking_ops, from, ch);
    list_append(all, &r->link);
    if (link_open(to, name, body, &r->sides[TO].user, &opening_ops) == OK)
        return;
    channel_user_init(&r->sides[TO].user, &opening_ops, to, NULL);
    r->sides[FROM].user.channel = NULL;
    link_refuse(from, ch, SSH_OPEN_RESOURCE_SHORTAGE, "no more channels");
    on_turn(r);
}

void relay_end_all(struct list *all)
{
    LIST_FOR (r, all, struct relay, link)
        on_turn(r);
}
