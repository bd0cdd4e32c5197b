/* Session channels of one link: who gets a command, and the page of those who get none. */
#include "server/session.h"

#include "base/log.h"
#include "wire/numbers.h"
#include "wire/writer.h"

#define PAGE_MAX (64 * 1024)
#define CTRL_C   3
#define CTRL_D   4

static const char no_shell[] =
    "This account has no shell here; your forwards stay open. Press Ctrl-C to end.";
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
    bool has_pty, is_page_due;
};

struct sessions {
    struct link *link;
    const struct accept_listen *forwards;
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
    mem_free(s);
}

/* A window that is shut loses a line of the page, not the session. */
static void say(struct session *s, struct slice text)
{
    if (s->user.channel && channel_is_open(s->user.channel) &&
        channel_send_data(s->user.channel, text) != OK)
        log_debug("session: the page did not fit into the client's window");
    link_touch(s->all->link);
}

static const char *newline_of(const struct session *s)
{
    return s->has_pty ? "\r\n" : "\n";
}

static void show_forwards(struct session *s)
{
    struct buf page;
    buf_init(&page, PAGE_MAX);
    if (accept_listen_count(s->all->forwards) == 0) {
        char *none CLEANUP(mem_cleanup) = mem_printf("no remote forwards%s", newline_of(s));
        say(s, slice_text(none));
    } else {
        accept_listen_describe(s->all->forwards, newline_of(s), &page);
        say(s, buf_slice(&page));
    }
    buf_done(&page);
}

static void show_page(struct session *s)
{
    char *head CLEANUP(mem_cleanup) = mem_printf("%s%s", no_shell, newline_of(s));
    say(s, slice_text(head));
    show_forwards(s);
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
            show_page(s);
        s->is_page_due = false;
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
            show_page(s); /* the end came with the request: "ssh -R ... host </dev/null" */
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

static bool on_pty(struct session *s)
{
    s->has_pty = true;
    return true;
}

static bool on_shell(struct session *s)
{
    if (s->state != SESSION_OPENED)
        return false;
    s->is_page_due = true;
    become(s, SESSION_PAGE);
    return true;
}

static bool on_command(struct session *s)
{
    if (s->state != SESSION_OPENED)
        return false;
    become(s, SESSION_REFUSED);
    return true;
}

static bool on_nothing(struct session *s UNUSED)
{
    return true;
}

static const struct {
    const char *type;
    bool (*act)(struct session *s);
} requests[] = {
    {"pty-req", on_pty},       {"shell", on_shell}, {"exec", on_command},
    {"subsystem", on_command}, {"env", on_nothing}, {"window-change", on_nothing},
};

static bool on_request(struct channel_user *u, struct slice type, struct slice body UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        if (slice_is(type, requests[i].type))
            return requests[i].act(session_of(u));
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
                              const struct session_setup *setup)
{
    struct sessions *s = NEW(struct sessions);
    s->link = l;
    s->forwards = forwards;
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
    LIST_FOR (each, &s->open, struct session, link) {
        if (each->state == SESSION_PAGE && !each->is_page_due)
            show_forwards(each);
    }
}
