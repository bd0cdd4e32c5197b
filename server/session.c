/* Session channels of one link: who gets a command, and the page of those who get none. */
#include "server/session.h"

#include "base/log.h"
#include "server/page.h"
#include "wire/numbers.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define PAGE_MAX     (64 * 1024)
#define PAGE_TICK_MS 1000
#define PAGE_SOON_MS 100 /* between two looks, however fast forwards come and go */
#define TERM_MAX     128
#define CTRL_C       3
#define CTRL_D       4

static const char no_commands[] =
    "aditd: no commands here, only forwards: connect with -N and -L, -R or -D";

enum session_state {
    SESSION_OPENED,  /* nothing was asked for yet */
    SESSION_PAGE,    /* shows the page */
    SESSION_REFUSED, /* a command was asked for: ends with status 1 at the end of the turn */
    SESSION_LEAVING, /* ends with status 0 at the end of the turn */
};

struct session {
    struct channel_user user; /* first */
    struct sessions *all;
    struct list link;
    struct loop_turn turn;
    enum session_state state;
    struct page *page; /* from SESSION_PAGE on */
    uint32_t columns, rows;
    bool has_pty, is_dumb; /* a terminal, that knows no cursor */
    bool is_page_due, is_resized;
};

struct sessions {
    struct link *link;
    const struct accept_listen *forwards;
    const struct accept_direct *direct;
    struct loop_timer *tick; /* runs while a page is shown */
    uint64_t looked_ms;
    struct list open; /* pages */
    unsigned count;   /* of them */
    struct session_runs runs;
    bool is_door_closed;
};

static struct session *session_of(struct channel_user *u)
{
    return container_of(u, struct session, user);
}

static void session_free(struct session *s)
{
    channel_user_close(&s->user);
    loop_turn_cancel(&s->turn);
    list_remove(&s->link);
    s->all->count--;
    page_free(s->page);
    mem_free(s);
}

static const char *newline_of(const struct session *s)
{
    return s->has_pty ? "\r\n" : "\n";
}

static bool is_drawn(const struct session *s)
{
    return s->has_pty && !s->is_dumb;
}

/* ---- the page ---- */

/* False: the window is shut. That costs a moment of the page, not the session. */
static bool say(struct session *s, const struct buf *text)
{
    if (!s->user.channel || !channel_is_open(s->user.channel) ||
        channel_send_data(s->user.channel, buf_slice(text)) != OK)
        return false;
    link_touch(s->all->link);
    return true;
}

/* No more than the client's window takes: so text comes whole, or later. */
static void text_init(const struct session *s, struct buf *text)
{
    uint32_t room = s->user.channel ? channel_may_send(s->user.channel) : 0;
    buf_init(text, MIN(room, (uint32_t)PAGE_MAX));
}

static void show(struct session *s)
{
    struct buf text;
    uint64_t now_ms = loop_now(link_loop(s->all->link));
    text_init(s, &text);
    enum err err = OK;
    if (is_drawn(s))
        err = page_draw(s->page, s->columns, s->rows, &text);
    else
        page_say(s->page, newline_of(s), now_ms, &text);
    if (err == OK && buf_len(&text) && say(s, &text))
        page_sent(s->page, now_ms);
    buf_done(&text);
}

static struct page_row row_of(const struct accept_listen_view *view)
{
    return (struct page_row){.id = view->id,
                             .where = view->where,
                             .is_listener = true,
                             .connections = view->sum.connections,
                             .open = view->sum.open,
                             .sent = view->sum.bytes_in,
                             .received = view->sum.bytes_out};
}

/* All forwards of the link; the caller frees. */
static struct page_row *rows_new(const struct sessions *all, size_t *count)
{
    size_t max = accept_listen_count(all->forwards);
    struct accept_listen_view *views = mem_new(max + 1, sizeof(*views));
    struct page_row *rows = mem_new(max + 1, sizeof(*rows));
    struct tally_sum direct = accept_direct_sum(all->direct);
    *count = accept_listen_views(all->forwards, views, max);
    for (size_t i = 0; i < *count; i++)
        rows[i] = row_of(&views[i]);
    mem_free(views);
    if (direct.connections) /* id 0 is no forward's */
        rows[(*count)++] = (struct page_row){.where = "connections from your side (-L, -D)",
                                             .connections = direct.connections,
                                             .open = direct.open,
                                             .sent = direct.bytes_in,
                                             .received = direct.bytes_out};
    return rows;
}

/* Shows to each page what is new to it. */
static void look(struct sessions *all)
{
    size_t count;
    struct page_row *rows CLEANUP(mem_cleanup) = rows_new(all, &count);
    uint64_t now_ms = loop_now(link_loop(all->link));
    all->looked_ms = now_ms;
    LIST_FOR (s, &all->open, struct session, link) {
        if (s->page && page_look(s->page, rows, count, now_ms))
            show(s);
    }
}

static void on_tick(void *owner)
{
    struct sessions *all = owner;
    bool is_shown = false;
    look(all);
    LIST_FOR (s, &all->open, struct session, link)
        is_shown |= s->page != NULL;
    if (is_shown)
        loop_timer_start(all->tick, PAGE_TICK_MS);
}

static void begin_page(struct session *s)
{
    s->is_page_due = false;
    s->page = page_new();
    on_tick(s->all);
}

static void take_page_away(struct session *s)
{
    struct buf text;
    text_init(s, &text);
    enum err err = page_erase(s->page, s->columns, s->rows, &text);
    if (err == OK)
        err = page_say_waiting(s->page, newline_of(s), &text);
    if (err != OK || (buf_len(&text) && !say(s, &text)))
        log_debug("session: the page stays on the client's screen");
    buf_done(&text);
}

/* exit-status (RFC 4254 6.10), EOF, CLOSE. */
static void leave(struct session *s, uint32_t status)
{
    uint8_t body[4];
    put_u32(body, status);
    channel_send_request(s->user.channel, "exit-status", false, slice_of(body, sizeof(body)));
    channel_send_eof(s->user.channel);
    session_free(s);
}

/* Replies go out before what follows from them: so nothing is said inside a request. */
static void on_turn(void *owner)
{
    struct session *s = owner;
    switch (s->state) {
    case SESSION_OPENED:
        break;
    case SESSION_PAGE:
        if (s->is_page_due)
            begin_page(s);
        else if (s->is_resized && is_drawn(s))
            show(s);
        s->is_resized = false;
        break;
    case SESSION_REFUSED: {
        char *text CLEANUP(mem_cleanup) = mem_printf("%s%s", no_commands, newline_of(s));
        if (channel_send_stderr(s->user.channel, slice_text(text)) != OK)
            log_debug("session: no room for the refusal's sentence");
        leave(s, 1);
        break;
    }
    case SESSION_LEAVING:
        if (s->is_page_due)
            begin_page(s); /* the end came with the request: "ssh -R ... host </dev/null" */
        else if (s->page)
            take_page_away(s);
        leave(s, 0);
        break;
    }
}

static void become(struct session *s, enum session_state state)
{
    s->state = state;
    loop_turn_request(link_loop(s->all->link), &s->turn);
}

/* ---- what the client asks ---- */

/* RFC 4254 6.2. The modes are for a terminal here, and there is none. */
static bool on_pty(struct session *s, struct slice body)
{
    struct reader r;
    reader_init(&r, body);
    struct slice term = reader_text(&r, TERM_MAX);
    uint32_t columns = reader_u32(&r), rows = reader_u32(&r);
    if (!reader_is_ok(&r) || s->state != SESSION_OPENED)
        return false;
    s->has_pty = true;
    s->is_dumb = term.len == 0 || slice_is(term, "dumb");
    s->columns = columns;
    s->rows = rows;
    return true;
}

/* RFC 4254 6.7. */
static bool on_window_change(struct session *s, struct slice body)
{
    struct reader r;
    reader_init(&r, body);
    uint32_t columns = reader_u32(&r), rows = reader_u32(&r);
    if (!reader_is_ok(&r) || !s->has_pty)
        return false;
    s->columns = columns;
    s->rows = rows;
    s->is_resized = true;
    loop_turn_request(link_loop(s->all->link), &s->turn);
    return true;
}

static bool on_shell(struct session *s, struct slice body UNUSED)
{
    if (s->state != SESSION_OPENED)
        return false;
    s->is_page_due = true;
    become(s, SESSION_PAGE);
    return true;
}

static bool on_command(struct session *s, struct slice body UNUSED)
{
    if (s->state != SESSION_OPENED)
        return false;
    become(s, SESSION_REFUSED);
    return true;
}

static bool on_nothing(struct session *s UNUSED, struct slice body UNUSED)
{
    return true;
}

static const struct {
    const char *type;
    bool (*act)(struct session *s, struct slice body);
} requests[] = {
    {"pty-req", on_pty},       {"shell", on_shell}, {"exec", on_command},
    {"subsystem", on_command}, {"env", on_nothing}, {"window-change", on_window_change},
};

static bool on_request(struct channel_user *u, struct slice type, struct slice body)
{
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        if (slice_is(type, requests[i].type))
            return requests[i].act(session_of(u), body);
    }
    return false;
}

static void on_data(struct channel_user *u, struct slice bytes)
{
    struct session *s = session_of(u);
    channel_consumed(u->channel, bytes.len);
    bool wants_out =
        bytes.len && (memchr(bytes.ptr, CTRL_C, bytes.len) || memchr(bytes.ptr, CTRL_D, bytes.len));
    if (wants_out && s->has_pty && s->state == SESSION_PAGE)
        become(s, SESSION_LEAVING);
}

static void on_eof(struct channel_user *u)
{
    struct session *s = session_of(u);
    if (s->state != SESSION_REFUSED)
        become(s, SESSION_LEAVING);
}

static void on_closed(struct channel_user *u)
{
    session_free(session_of(u));
}

static const struct channel_ops session_ops = {
    .data = on_data,
    .eof = on_eof,
    .closed = on_closed,
    .request = on_request,
    .lost = on_closed,
};

/* ---- the link's sessions ---- */

struct sessions *sessions_new(struct link *l, const struct accept_listen *forwards,
                              const struct accept_direct *direct, const struct session_setup *setup)
{
    struct sessions *s = NEW(struct sessions);
    s->link = l;
    s->forwards = forwards;
    s->direct = direct;
    s->tick = loop_timer_new(link_loop(l), on_tick, s);
    list_init(&s->open);
    session_runs_init(&s->runs, l, setup);
    return s;
}

void sessions_free(struct sessions *s)
{
    if (!s)
        return;
    LIST_FOR (each, &s->open, struct session, link)
        session_free(each);
    session_runs_done(&s->runs);
    loop_timer_close(s->tick);
    mem_free(s);
}

void sessions_open(struct sessions *s, struct channel *ch)
{
    unsigned max = (unsigned)s->runs.setup.options->max_sessions;
    if (s->is_door_closed || s->count + s->runs.count >= max) {
        link_refuse(s->link, ch, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED,
                    s->is_door_closed ? "no more sessions were announced"
                                      : "no more sessions on this connection (MaxSessions)");
        return;
    }
    if (s->runs.setup.options->permit_session) {
        session_runs_accept(&s->runs, ch);
        return;
    }
    struct session *each = NEW(struct session);
    each->all = s;
    each->turn.callback = on_turn;
    each->turn.owner = each;
    list_append(&s->open, &each->link);
    s->count++;
    link_accept(s->link, ch, &each->user, &session_ops);
}

void sessions_close_door(struct sessions *s)
{
    s->is_door_closed = true;
}

void sessions_refresh(struct sessions *s)
{
    if (list_is_empty(&s->open))
        return;
    uint64_t since_ms = loop_now(link_loop(s->link)) - s->looked_ms;
    loop_timer_start(s->tick, since_ms < PAGE_SOON_MS ? PAGE_SOON_MS - since_ms : 0);
}
