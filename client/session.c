/* Sessions: a channel, three descriptors, and the requests that start what runs. */
#include "client/session.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "tunnel/sink.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define TYPED_STEP     4096
#define SIGNAL_MAX     32
#define REQUEST_MAX    CHANNEL_BODY_MAX
#define REPLIES_MAX    2
#define CHANNEL_STDERR 1 /* RFC 4254 5.2 */

enum reply { REPLY_TTY, REPLY_START };

struct session {
    struct channel_user user; /* first */
    struct loop_turn turn;
    session_owner *event;
    void *owner;
    struct session_spec spec; /* what it borrows is copied */
    char *command, *term;
    struct buf modes;
    struct string_list environment;
    struct escape escape;
    struct stream *in, *out, *error; /* NULL: none, or ended */
    struct sink to_out, to_error;
    struct buf plain; /* for the channel, which has no window for it yet */
    struct buf typed; /* read, with an escape in it that is being served, and not sent */
    enum reply replies[REPLIES_MAX];
    unsigned reply_count;
    bool has_tty, is_diverted, is_open;
    bool in_ended;   /* nothing more goes to the other side */
    bool is_closing; /* the channel is done with: ENDED once all is drained */
    bool is_lost;
    bool has_status, said_eow;
    uint32_t status;
    char *signal;
};

static struct session *session_of(struct channel_user *u)
{
    return container_of(u, struct session, user);
}

static void say(struct session *s, struct session_event event)
{
    s->event(s->owner, s, &event);
}

/* ---- the end ---- */

static void close_stream(struct stream **s)
{
    if (*s)
        stream_close(*s);
    *s = NULL;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    channel_user_close(&s->user);
    loop_turn_cancel(&s->turn);
    sink_done(&s->to_out);
    sink_done(&s->to_error);
    close_stream(&s->in);
    close_stream(&s->out);
    close_stream(&s->error);
    buf_done(&s->modes);
    buf_done(&s->typed);
    buf_done(&s->plain);
    string_list_done(&s->environment);
    mem_free(s->command);
    mem_free(s->term);
    mem_free(s->signal);
    mem_free(s);
}

/* At the end of the turn, so that nobody is freed under a running caller. */
static void on_turn(void *owner)
{
    struct session *s = owner;
    if (!s->is_closing || !sink_is_drained(&s->to_out) || !sink_is_drained(&s->to_error))
        return;
    say(s, (struct session_event){.kind = SESSION_ENDED,
                                  .has_status = s->has_status,
                                  .status = s->status,
                                  .signal = s->signal,
                                  .is_lost = s->is_lost});
    session_free(s);
}

static void look_for_end(struct session *s)
{
    if (s->is_closing)
        loop_turn_request(link_loop(s->user.link), &s->turn);
}

static void end_input(struct session *s)
{
    s->in_ended = true;
    close_stream(&s->in);
}

static void close_channel(struct session *s)
{
    end_input(s);
    channel_user_close(&s->user);
    s->is_closing = true;
    look_for_end(s);
}

void session_end(struct session *s)
{
    /* The person wants out: what did not reach the terminal yet is not waited for. */
    sink_die(&s->to_out);
    sink_die(&s->to_error);
    close_channel(s);
}

/* ---- what is typed ---- */

static void send_eof(struct session *s)
{
    end_input(s);
    if (!s->user.channel)
        return;
    channel_send_eof(s->user.channel);
    link_touch(s->user.link);
}

static void pump_straight(struct session *s)
{
    size_t n;
    enum err err = link_fill(&s->user, s->in, &n);
    if (err == ERR_EOF || err == ERR_IO)
        send_eof(s);
}

/* Sends what was typed up to the next escape, which its owner hears of. */
static bool send_plain(struct session *s)
{
    size_t n = MIN(buf_len(&s->plain), (size_t)channel_may_send(s->user.channel));
    enum err err = channel_send_data(s->user.channel, slice_of(buf_slice(&s->plain).ptr, n));
    CHECK(err == OK); /* no more than the window */
    buf_consume(&s->plain, n);
    link_touch(s->user.link);
    return buf_len(&s->plain) == 0;
}

static void serve_typed(struct session *s)
{
    while (buf_len(&s->typed) && s->user.channel) {
        enum escape_action action;
        struct slice typed = buf_slice(&s->typed);
        if (s->is_diverted) {
            uint8_t byte = typed.ptr[0];
            buf_consume(&s->typed, 1);
            say(s, (struct session_event){.kind = SESSION_TYPED, .text = slice_of(&byte, 1)});
            continue;
        }
        size_t n = escape_feed(&s->escape, typed, &s->plain, &action);
        buf_consume(&s->typed, n);
        /* No more was read than the window takes; an escape that goes through after all is one byte
         * more, and may have to wait. */
        (void)send_plain(s);
        if (action == ESCAPE_NONE)
            return;
        say(s, (struct session_event){.kind = SESSION_ESCAPED, .action = action});
    }
}

/* False: something is left that has no room, and `writable` comes for it. */
static bool send_rest(struct session *s)
{
    while (buf_len(&s->plain)) {
        if (!link_has_room(&s->user))
            return false;
        (void)send_plain(s);
    }
    return true;
}

static void pump_typed(struct session *s)
{
    uint8_t bytes[TYPED_STEP];
    if (!send_rest(s) || !link_has_room(&s->user)) {
        stream_reading(s->in, false); /* `writable` turns it on again */
        return;
    }
    size_t n = MIN((size_t)channel_may_send(s->user.channel), sizeof(bytes));
    struct iovec room = {bytes, n};
    enum err err = stream_read(s->in, &room, 1, &n);
    if (err == OK) {
        CHECK(buf_append(&s->typed, bytes, n) == OK); /* empty before */
        serve_typed(s);
        if (s->in && s->user.channel && !send_rest(s))
            stream_reading(s->in, false);
    } else if (err != ERR_AGAIN) {
        send_eof(s);
    }
}

static void on_in(void *owner, enum stream_event event, size_t n UNUSED)
{
    struct session *s = owner;
    if (event != STREAM_READABLE || !s->user.channel)
        return;
    if (s->escape.character >= 0)
        pump_typed(s);
    else
        link_want_turn(&s->user, s->in);
}

static void read_on(struct session *s)
{
    if (s->in && s->is_open && !s->in_ended)
        stream_reading(s->in, true);
}

static void on_writable(struct channel_user *u)
{
    struct session *s = session_of(u);
    if (!s->in || !s->is_open || s->in_ended)
        return;
    if (s->escape.character < 0)
        pump_straight(s);
    else if (send_rest(s))
        read_on(s);
}

void session_divert(struct session *s, bool on)
{
    s->is_diverted = on;
}

/* ---- what comes ---- */

/*
 * Our side takes no more. OpenSSH and aditd are told, and end what runs there; others would go on
 * for ever, and are closed.
 */
static void tell_if_dead(struct session *s)
{
    if (!s->to_out.is_dead || s->said_eow || !s->user.channel)
        return;
    s->said_eow = true;
    if (s->spec.peer_knows_eow)
        channel_send_request(s->user.channel, "eow@openssh.com", false, SLICE_NONE);
    else
        close_channel(s);
    link_touch(s->user.link);
}

static void on_sink(struct session *s, struct sink *k, enum stream_event event, size_t n)
{
    if (event == STREAM_DRAINED)
        sink_drained(k, n);
    else if (event == STREAM_FAILED)
        sink_die(k);
    tell_if_dead(s);
    look_for_end(s);
}

static void on_out(void *owner, enum stream_event event, size_t n)
{
    struct session *s = owner;
    on_sink(s, &s->to_out, event, n);
}

static void on_error(void *owner, enum stream_event event, size_t n)
{
    struct session *s = owner;
    on_sink(s, &s->to_error, event, n);
}

static void on_data(struct channel_user *u, struct slice bytes)
{
    sink_data(&session_of(u)->to_out, bytes);
}

static void on_extended_data(struct channel_user *u, uint32_t code, struct slice bytes)
{
    struct session *s = session_of(u);
    if (code == CHANNEL_STDERR) {
        sink_data(&s->to_error, bytes);
        return;
    }
    channel_consumed(u->channel, bytes.len);
    link_touch(u->link);
}

static void on_flush(struct channel_user *u)
{
    struct session *s = session_of(u);
    sink_flush(&s->to_out);
    sink_flush(&s->to_error);
    tell_if_dead(s);
}

/* The end of output comes with the end of the process here: its descriptors are not ours alone. */
static void on_eof(struct channel_user *u)
{
    on_flush(u);
}

static void on_closed(struct channel_user *u)
{
    struct session *s = session_of(u);
    on_flush(u);
    if (s->user.channel)
        close_channel(s);
}

static void on_lost(struct channel_user *u)
{
    struct session *s = session_of(u);
    sink_flush(&s->to_out);
    sink_flush(&s->to_error);
    end_input(s);
    s->is_lost = !s->has_status;
    s->is_closing = true;
    look_for_end(s);
}

/* ---- how it ended ---- */

static bool on_request(struct channel_user *u, struct slice type, struct slice body)
{
    struct session *s = session_of(u);
    struct reader r;
    reader_init(&r, body);
    if (slice_is(type, "exit-status")) {
        uint32_t status = reader_u32(&r);
        if (reader_done(&r) != OK)
            return false;
        s->has_status = true;
        s->status = status;
        return true;
    }
    if (slice_is(type, "exit-signal")) {
        struct slice name = reader_text(&r, SIGNAL_MAX);
        if (r.err != OK)
            return false;
        mem_free(s->signal);
        s->signal = slice_strdup(slice_text(ESCAPED(name)));
        return true;
    }
    if (slice_is(type, "eow@openssh.com")) {
        send_eof(s);
        return true;
    }
    return false;
}

/* ---- starting it ---- */

static void request(struct session *s, const char *type, bool want_reply, struct buf *body)
{
    channel_send_request(s->user.channel, type, want_reply, buf_slice(body));
    buf_done(body);
}

static void put_size(struct writer *w, const struct tty_size *size)
{
    writer_u32(w, size->columns);
    writer_u32(w, size->rows);
    writer_u32(w, size->width_px);
    writer_u32(w, size->height_px);
}

static void ask_for_tty(struct session *s)
{
    struct buf body;
    struct writer w;
    buf_init(&body, REQUEST_MAX);
    writer_init(&w, &body);
    writer_text(&w, s->term);
    put_size(&w, &s->spec.size);
    writer_string(&w, buf_slice(&s->modes));
    if (writer_done(&w) != OK)
        log_debug("TERM is too long for a request");
    request(s, "pty-req", true, &body);
    s->replies[s->reply_count++] = REPLY_TTY;
}

static void send_environment(struct session *s)
{
    for (size_t i = 0; i < s->environment.count; i++) {
        const char *item = s->environment.items[i];
        const char *equals = strchr(item, '=');
        struct buf body;
        struct writer w;
        if (!equals)
            continue;
        buf_init(&body, REQUEST_MAX);
        writer_init(&w, &body);
        writer_string(&w, slice_of(item, (size_t)(equals - item)));
        writer_text(&w, equals + 1);
        if (writer_done(&w) == OK)
            channel_send_request(s->user.channel, "env", false, buf_slice(&body));
        else
            log_info("the variable %.*s is too long to be sent", (int)(equals - item), item);
        buf_done(&body);
    }
}

static const char *const start_requests[] = {
    [RUN_SHELL] = "shell", [RUN_EXEC] = "exec", [RUN_SUBSYSTEM] = "subsystem"};

static void start_command(struct session *s)
{
    struct buf body;
    struct writer w;
    buf_init(&body, REQUEST_MAX);
    writer_init(&w, &body);
    if (s->spec.kind != RUN_SHELL)
        writer_text(&w, s->command);
    if (writer_done(&w) != OK) {
        log_error("the command is too long to be sent");
        buf_done(&body);
        close_channel(s);
        return;
    }
    request(s, start_requests[s->spec.kind], true, &body);
    s->replies[s->reply_count++] = REPLY_START;
}

static void on_opened(struct channel_user *u)
{
    struct session *s = session_of(u);
    s->is_open = true;
    say(s, (struct session_event){.kind = SESSION_OPENED});
    if (s->spec.agent_request)
        channel_send_request(u->channel, s->spec.agent_request, false, SLICE_NONE);
    if (s->spec.wants_tty)
        ask_for_tty(s);
    send_environment(s);
    start_command(s);
    if (!s->in)
        send_eof(s);
    read_on(s);
    link_touch(u->link);
}

static void on_open_failed(struct channel_user *u, uint32_t reason UNUSED, struct slice text)
{
    struct session *s = session_of(u);
    say(s, (struct session_event){.kind = SESSION_REFUSED, .is_open_refused = true, .text = text});
    close_channel(s);
}

static void tty_answered(struct session *s, bool success)
{
    s->has_tty = success;
    if (success)
        return;
    s->escape.character = -1;
    say(s, (struct session_event){.kind = SESSION_TTY_REFUSED});
}

static void on_reply(struct channel_user *u, bool success)
{
    struct session *s = session_of(u);
    if (s->reply_count == 0)
        return;
    enum reply what = s->replies[0];
    s->replies[0] = s->replies[1];
    s->reply_count--;
    if (what == REPLY_TTY) {
        tty_answered(s, success);
    } else if (success) {
        say(s, (struct session_event){.kind = SESSION_STARTED});
    } else {
        const char *refused = start_requests[s->spec.kind];
        say(s, (struct session_event){.kind = SESSION_REFUSED, .text = slice_text(refused)});
        close_channel(s);
    }
}

static const struct channel_ops session_ops = {
    .opened = on_opened,
    .open_failed = on_open_failed,
    .data = on_data,
    .extended_data = on_extended_data,
    .flush = on_flush,
    .writable = on_writable,
    .eof = on_eof,
    .closed = on_closed,
    .request = on_request,
    .reply = on_reply,
    .lost = on_lost,
};

/* ---- life ---- */

/*
 * A terminal or a pipe is opened anew where that may be: our not waiting for it is a property of
 * the open file, and must not be seen by others who share it (the shell, the rest of a pipeline).
 */
static int private_copy(int fd, int flags)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !(S_ISFIFO(st.st_mode) || isatty(fd)))
        return fd;
    char *path CLEANUP(mem_cleanup) = mem_printf("/proc/self/fd/%d", fd);
    int copy = open(path, flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (copy < 0)
        return fd;
    close(fd);
    return copy;
}

static void take_descriptors(struct session *s, struct loop *loop)
{
    int in = private_copy(s->spec.in, O_RDONLY);
    int out = private_copy(s->spec.out, O_WRONLY);
    int error = private_copy(s->spec.error, O_WRONLY);
    if (in >= 0)
        s->in = stream_new(loop, in, -1, 0, on_in, s);
    if (out >= 0)
        s->out = stream_new(loop, -1, out, SINK_QUEUE_CAP, on_out, s);
    if (error >= 0)
        s->error = stream_new(loop, -1, error, SINK_QUEUE_CAP, on_error, s);
    sink_init(&s->to_out, &s->user, s->out);
    sink_init(&s->to_error, &s->user, s->error);
    if (!s->out)
        sink_die(&s->to_out);
    if (!s->error)
        sink_die(&s->to_error);
    s->said_eow = !s->out; /* nobody wanted it: what runs there is not to be ended for it */
}

static void copy_spec(struct session *s, const struct session_spec *spec)
{
    s->spec = *spec;
    s->command = spec->command ? mem_strdup(spec->command) : NULL;
    s->term = mem_strdup(spec->term ? spec->term : "");
    buf_init(&s->modes, MAX(spec->modes.len, 1u));
    CHECK(buf_append_slice(&s->modes, spec->modes) == OK);
    string_list_init(&s->environment);
    for (size_t i = 0; spec->environment && i < spec->environment->count; i++)
        string_list_add(&s->environment, spec->environment->items[i]);
}

struct session *session_open(struct link *l, const struct session_spec *spec, session_owner *event,
                             void *owner)
{
    struct session *s = NEW(struct session);
    channel_user_init(&s->user, &session_ops, l, NULL);
    s->turn = (struct loop_turn){.callback = on_turn, .owner = s};
    s->event = event;
    s->owner = owner;
    copy_spec(s, spec);
    buf_init(&s->typed, TYPED_STEP);
    buf_init(&s->plain, 2 * TYPED_STEP);
    escape_init(&s->escape, spec->wants_tty ? spec->escape : -1);
    take_descriptors(s, link_loop(l));
    if (link_open(l, "session", SLICE_NONE, &s->user, &session_ops) != OK) {
        session_free(s);
        return NULL;
    }
    return s;
}

/* ---- from the owner ---- */

void session_say(struct session *s, const char *text)
{
    struct stream *to = s->error ? s->error : s->out;
    struct iovec bytes = {(void *)(uintptr_t)text, strlen(text)};
    struct sink *k = s->error ? &s->to_error : &s->to_out;
    size_t n;
    if (!to || k->is_dead || stream_write(to, &bytes, 1, &n) != OK)
        log_debug("nobody to tell: %s", text);
}

void session_resize(struct session *s)
{
    struct buf body;
    struct writer w;
    if (!s->user.channel || !s->spec.wants_tty || !s->in)
        return;
    struct tty_size size = tty_get_size(stream_read_fd(s->in));
    if (size.columns == 0)
        return;
    buf_init(&body, REQUEST_MAX);
    writer_init(&w, &body);
    put_size(&w, &size);
    CHECK(writer_done(&w) == OK);
    request(s, "window-change", false, &body);
    link_touch(s->user.link);
}

void session_send_break(struct session *s)
{
    struct buf body;
    struct writer w;
    if (!s->user.channel)
        return;
    buf_init(&body, REQUEST_MAX);
    writer_init(&w, &body);
    writer_u32(&w, 1000); /* RFC 4335 3: milliseconds */
    CHECK(writer_done(&w) == OK);
    request(s, "break", false, &body);
    link_touch(s->user.link);
}

const struct escape *session_escape(const struct session *s)
{
    return &s->escape;
}

bool session_has_tty(const struct session *s)
{
    return s->has_tty;
}

uint32_t session_channel_id(const struct session *s)
{
    return s->user.channel ? channel_id(s->user.channel) : 0;
}
