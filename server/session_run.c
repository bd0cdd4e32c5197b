/* Sessions that run something: a channel joined to the pipes or the terminal of a command. */
#include "server/session_run.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "io/ipc.h"
#include "server/session_plan.h"
#include "tunnel/sink.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define STDERR_STEP   32768
#define ENVIRON_COUNT 128 /* variables a client may send */
#define PTY_REST_MS   100 /* what a terminal may still say when its process has ended */
#define STATUS_LOST   255

struct run {
    struct channel_user user; /* first */
    struct session_runs *all;
    struct list link;
    struct loop_turn turn;
    struct loop_timer *rest_timer;
    /* What was asked for before the command. */
    bool is_asked, has_pty, is_subsystem;
    char *term;
    uint32_t columns, rows, width_px, height_px;
    struct buf modes, environment;
    unsigned variables;
    /* The command. */
    struct ipc *launcher;
    struct stream *main;   /* stdout, or the terminal */
    struct stream *input;  /* stdin, or the same terminal */
    struct stream *errors; /* NULL with a terminal */
    struct sink sink;      /* towards input, which may come later than its bytes */
    bool is_started, got_eof, said_eow;
    bool main_ended, errors_ended;
    /* Its end. */
    bool has_exited, is_core;
    uint32_t status;
    char *signal_name; /* NULL: it exited with status */
};

static struct run *run_of(struct channel_user *u)
{
    return container_of(u, struct run, user);
}

static void run_free(struct run *r)
{
    channel_user_close(&r->user);
    loop_turn_cancel(&r->turn);
    loop_timer_close(r->rest_timer);
    ipc_close(r->launcher); /* whatever still runs gets SIGHUP */
    if (r->input && r->input != r->main)
        stream_close(r->input);
    if (r->main)
        stream_close(r->main);
    if (r->errors)
        stream_close(r->errors);
    list_remove(&r->link);
    r->all->count--;
    buf_done(&r->modes);
    buf_done(&r->environment);
    sink_done(&r->sink);
    mem_free(r->term);
    mem_free(r->signal_name);
    mem_free(r);
}

/* ---- the end ---- */

/* exit-status or exit-signal (RFC 4254 6.10). */
static void tell_exit(struct run *r)
{
    struct buf body;
    struct writer w;
    buf_init(&body, 256);
    writer_init(&w, &body);
    if (r->signal_name) {
        writer_text(&w, r->signal_name);
        writer_bool(&w, r->is_core);
        writer_text(&w, "");
        writer_text(&w, "");
    } else {
        writer_u32(&w, r->status);
    }
    CHECK(writer_done(&w) == OK);
    channel_send_request(r->user.channel, r->signal_name ? "exit-signal" : "exit-status", false,
                         buf_slice(&body));
    buf_done(&body);
}

/* At the end of the turn, so that nobody is freed under a running caller. */
static void on_turn(void *owner)
{
    struct run *r = owner;
    bool is_drained = r->main_ended && r->errors_ended;
    if (!r->user.channel || !is_drained)
        return;
    if (r->has_exited)
        tell_exit(r);
    channel_send_eof(r->user.channel);
    link_touch(r->all->link);
    if (r->has_exited)
        run_free(r);
}

static void look_for_end(struct run *r)
{
    if (r->main_ended && r->errors_ended)
        loop_turn_request(link_loop(r->all->link), &r->turn);
}

/* A terminal that somebody else still holds open is left when it has been silent. */
static void on_rest_over(void *owner)
{
    struct run *r = owner;
    if (channel_user_waits(&r->user) || channel_may_send(r->user.channel) == 0) {
        loop_timer_start(r->rest_timer, PTY_REST_MS); /* the client holds it up */
        return;
    }
    stream_reading(r->main, false);
    r->main_ended = true;
    look_for_end(r);
}

static void exited(struct run *r, uint32_t status, struct slice signal_name, bool is_core)
{
    r->has_exited = true;
    r->status = status;
    r->is_core = is_core;
    if (signal_name.len)
        r->signal_name = slice_strdup(signal_name);
    ipc_close(r->launcher);
    r->launcher = NULL;
    if (!r->is_started)
        r->main_ended = r->errors_ended = true;
    if (r->has_pty && !r->main_ended) {
        r->rest_timer = loop_timer_new(link_loop(r->all->link), on_rest_over, r);
        loop_timer_start(r->rest_timer, PTY_REST_MS);
    }
    look_for_end(r);
}

/* ---- output ---- */

static void pump_main(struct run *r)
{
    size_t n;
    enum err err = link_fill(&r->user, r->main, &n);
    if (err == OK && r->rest_timer)
        loop_timer_start(r->rest_timer, PTY_REST_MS);
    if (err == OK || err == ERR_AGAIN || err == ERR_LIMIT)
        return;
    stream_reading(r->main, false);
    r->main_ended = true;
    look_for_end(r);
}

static void pump_errors(struct run *r)
{
    if (!link_has_room(&r->user)) {
        stream_reading(r->errors, false);
        return;
    }
    size_t n = MIN(channel_may_send(r->user.channel), channel_max_data(r->user.channel));
    uint8_t *bytes CLEANUP(mem_cleanup) = mem_new(STDERR_STEP, 1);
    struct iovec room = {bytes, MIN(n, (size_t)STDERR_STEP)};
    enum err err = stream_read(r->errors, &room, 1, &n);
    if (err == OK) {
        err = channel_send_stderr(r->user.channel, slice_of(bytes, n));
        CHECK(err == OK); /* no more than the window was read */
        link_touch(r->all->link);
    } else if (err != ERR_AGAIN) {
        stream_reading(r->errors, false);
        r->errors_ended = true;
        look_for_end(r);
    }
}

static void on_writable(struct channel_user *u)
{
    struct run *r = run_of(u);
    if (r->errors && !r->errors_ended)
        stream_reading(r->errors, true);
    if (r->main && !r->main_ended)
        pump_main(r);
}

/* ---- input ---- */

/* The command takes no more: what still comes is thrown away, and the client may hear of it. */
static void tell_if_input_died(struct run *r)
{
    if (!r->sink.is_dead || r->said_eow || !r->user.channel)
        return;
    r->said_eow = true;
    if (r->all->setup.is_openssh && !r->got_eof)
        channel_send_request(r->user.channel, "eow@openssh.com", false, SLICE_NONE);
}

/* The client's end of input. A terminal has none: its user types one. */
static void shut_input(struct run *r)
{
    if (!r->has_pty && r->input)
        sink_shut(&r->sink);
}

static void on_data(struct channel_user *u, struct slice bytes)
{
    sink_data(&run_of(u)->sink, bytes);
}

/* No command has an input for it. */
static void on_extended_data(struct channel_user *u, uint32_t code UNUSED, struct slice bytes)
{
    channel_consumed(u->channel, bytes.len);
    link_touch(u->link);
}

static void on_flush(struct channel_user *u)
{
    sink_flush(&run_of(u)->sink);
    tell_if_input_died(run_of(u));
}

static void on_eof(struct channel_user *u)
{
    struct run *r = run_of(u);
    sink_flush(&r->sink);
    r->got_eof = true;
    shut_input(r);
}

/*
 * The client closes. One that has heard EOF and sent its own may do so before the command has
 * exited, and still waits for the status (OpenSSH over a shared connection).
 */
static void on_closed(struct channel_user *u)
{
    struct run *r = run_of(u);
    sink_flush(&r->sink);
    shut_input(r);
    bool is_drained = r->main_ended && r->errors_ended;
    if (!is_drained || r->has_pty || (!r->launcher && !r->has_exited))
        run_free(r);
}

static void on_lost(struct channel_user *u)
{
    sink_flush(&run_of(u)->sink);
    run_free(run_of(u));
}

static void on_main(void *owner, enum stream_event event, size_t n)
{
    struct run *r = owner;
    switch (event) {
    case STREAM_READABLE:
        link_want_turn(&r->user, r->main);
        break;
    case STREAM_DRAINED:
        sink_drained(&r->sink, n);
        break;
    case STREAM_FAILED:
        sink_die(&r->sink);
        tell_if_input_died(r);
        break;
    case STREAM_WRITABLE:
        break;
    }
}

static void on_errors(void *owner, enum stream_event event, size_t n UNUSED)
{
    if (event == STREAM_READABLE)
        pump_errors(owner);
}

/* ---- the launcher ---- */

/* Takes over the descriptors: the terminal, or stdin, stdout and stderr. */
static void join(struct run *r, const int *fds)
{
    struct loop *loop = link_loop(r->all->link);
    r->is_started = true;
    if (r->has_pty) {
        r->main = r->input = stream_new(loop, fds[0], fds[0], SINK_QUEUE_CAP, on_main, r);
        r->errors_ended = true;
    } else {
        r->input = stream_new(loop, -1, fds[0], SINK_QUEUE_CAP, on_main, r);
        r->main = stream_new(loop, fds[1], -1, 0, on_main, r);
        r->errors = stream_new(loop, fds[2], -1, 0, on_errors, r);
        stream_reading(r->errors, true);
    }
    stream_reading(r->main, true);
    sink_join(&r->sink, r->input);
    tell_if_input_died(r);
    if (r->got_eof)
        shut_input(r);
}

static void launcher_message(void *owner, enum err err, struct slice bytes, const int *fds,
                             size_t fd_count)
{
    struct run *r = owner;
    struct role_msg m;
    size_t wanted = r->has_pty ? 1 : 3;
    if (err == OK)
        err = role_msg_decode(bytes, ROLE_SESSION, ROLE_WORK, &m);
    bool is_start = err == OK && m.kind == ROLE_MSG_STARTED && !r->is_started;
    if (is_start && fd_count == wanted) {
        join(r, fds);
        return;
    }
    ipc_close_fds(fds, fd_count);
    if (err == OK && m.kind == ROLE_MSG_EXITED)
        exited(r, m.status, m.signal_name, m.is_core);
    else
        exited(r, STATUS_LOST, SLICE_NONE, false);
}

/* Asks for the command; true if it was asked for. */
static bool launch(struct run *r, enum role_session_kind kind, struct slice command)
{
    int pair[2];
    struct role_msg m = {.kind = ROLE_MSG_SESSION,
                         .session_kind = (uint32_t)kind,
                         .command = command,
                         .has_pty = r->has_pty,
                         .term = r->term ? slice_text(r->term) : SLICE_NONE,
                         .columns = r->columns,
                         .rows = r->rows,
                         .width_px = r->width_px,
                         .height_px = r->height_px,
                         .modes = buf_slice(&r->modes),
                         .environment = buf_slice(&r->environment)};
    if (r->all->setup.agent)
        m.agent_path = slice_text(accept_agent_path(r->all->setup.agent));
    if (r->is_asked || command.len > ROLE_MSG_COMMAND_MAX || ipc_pair(pair) != OK)
        return false;
    enum err err = r->all->setup.ask(r->all->setup.owner, &m, pair[1]);
    close(pair[1]);
    if (err != OK) {
        close(pair[0]);
        return false;
    }
    r->is_asked = true;
    r->is_subsystem = kind == ROLE_SESSION_SUBSYSTEM;
    static const char *const kinds[] = {[ROLE_SESSION_SHELL] = "session:shell",
                                        [ROLE_SESSION_EXEC] = "session:command",
                                        [ROLE_SESSION_SUBSYSTEM] = "session:subsystem:"};
    char *name CLEANUP(mem_cleanup) = slice_strdup(r->is_subsystem ? command : SLICE_NONE);
    char *type CLEANUP(mem_cleanup) = mem_printf("%s%s", kinds[kind], name);
    channel_set_type(r->user.channel, type); /* ChannelTimeout's names */
    r->launcher = ipc_new(link_loop(r->all->link), pair[0], launcher_message, r);
    return true;
}

/* ---- what the client asks ---- */

static bool on_pty(struct run *r, struct slice body)
{
    struct reader reader;
    reader_init(&reader, body);
    struct slice term = reader_text(&reader, ROLE_MSG_NAME_MAX);
    r->columns = reader_u32(&reader);
    r->rows = reader_u32(&reader);
    r->width_px = reader_u32(&reader);
    r->height_px = reader_u32(&reader);
    struct slice modes = reader_string_max(&reader, ROLE_MSG_MODES_MAX);
    const struct session_setup *setup = &r->all->setup;
    if (reader_done(&reader) != OK || r->has_pty || r->is_asked || !setup->options->permit_tty ||
        !setup->key->may_use_pty)
        return false;
    r->term = slice_strdup(term);
    r->has_pty = true;
    link_set_tos(r->user.link, setup->options->ip_qos.interactive); /* somebody types here */
    return buf_append_slice(&r->modes, modes) == OK;
}

static bool on_env(struct run *r, struct slice body)
{
    struct reader reader;
    reader_init(&reader, body);
    struct slice name = reader_text(&reader, ROLE_MSG_ENVIRON_MAX);
    struct slice value = reader_text(&reader, ROLE_MSG_ENVIRON_MAX);
    if (reader_done(&reader) != OK || r->is_asked || r->variables >= ENVIRON_COUNT)
        return false;
    char *name_text CLEANUP(mem_cleanup) = slice_strdup(name);
    char *value_text CLEANUP(mem_cleanup) = slice_strdup(value);
    if (name.len == 0 || strchr(name_text, '=') ||
        !session_may_set(r->all->setup.options, name_text))
        return false;
    char *text CLEANUP(mem_cleanup) = mem_printf("%s=%s", name_text, value_text);
    size_t length = strlen(text) + 1;
    if (buf_len(&r->environment) + length > ROLE_MSG_ENVIRON_MAX)
        return false;
    r->variables++;
    return buf_append(&r->environment, text, length) == OK;
}

static bool on_shell(struct run *r, struct slice body UNUSED)
{
    return launch(r, ROLE_SESSION_SHELL, SLICE_NONE);
}

static bool on_exec(struct run *r, struct slice body)
{
    struct reader reader;
    reader_init(&reader, body);
    struct slice command = reader_text(&reader, ROLE_MSG_COMMAND_MAX);
    return reader_done(&reader) == OK && launch(r, ROLE_SESSION_EXEC, command);
}

static bool on_subsystem(struct run *r, struct slice body)
{
    struct reader reader;
    reader_init(&reader, body);
    struct slice name = reader_text(&reader, ROLE_MSG_NAME_MAX);
    if (reader_done(&reader) != OK)
        return false;
    if (!session_subsystem_command(r->all->setup.options, name)) {
        log_info("subsystem request for %s failed, subsystem not found", ESCAPED(name));
        return false;
    }
    return launch(r, ROLE_SESSION_SUBSYSTEM, name);
}

static bool on_window_change(struct run *r, struct slice body)
{
    struct reader reader;
    reader_init(&reader, body);
    r->columns = reader_u32(&reader);
    r->rows = reader_u32(&reader);
    r->width_px = reader_u32(&reader);
    r->height_px = reader_u32(&reader);
    if (reader_done(&reader) != OK || !r->has_pty)
        return false;
    struct winsize size = {.ws_row = (unsigned short)MIN(r->rows, (uint32_t)UINT16_MAX),
                           .ws_col = (unsigned short)MIN(r->columns, (uint32_t)UINT16_MAX),
                           .ws_xpixel = (unsigned short)MIN(r->width_px, (uint32_t)UINT16_MAX),
                           .ws_ypixel = (unsigned short)MIN(r->height_px, (uint32_t)UINT16_MAX)};
    return !r->main || ioctl(stream_read_fd(r->main), TIOCSWINSZ, &size) == 0;
}

/* A forced command or a subsystem is not the client's own to signal (OpenSSH's rule). */
static bool on_signal(struct run *r, struct slice body)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"FPE", SIGFPE},   {"HUP", SIGHUP},
                 {"ILL", SIGILL},   {"INT", SIGINT},   {"KILL", SIGKILL}, {"PIPE", SIGPIPE},
                 {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV}, {"TERM", SIGTERM}, {"USR1", SIGUSR1},
                 {"USR2", SIGUSR2}};
    struct reader reader;
    struct buf bytes;
    reader_init(&reader, body);
    struct slice name = reader_text(&reader, ROLE_MSG_NAME_MAX);
    const struct session_setup *setup = &r->all->setup;
    if (reader_done(&reader) != OK || !r->launcher || r->is_subsystem ||
        session_forced_command(setup->options, setup->key))
        return false;
    struct role_msg m = {.kind = ROLE_MSG_SIGNAL};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (slice_is(name, known[i].name))
            m.signal_number = (uint32_t)known[i].number;
    }
    if (m.signal_number == 0)
        return false;
    buf_init(&bytes, ROLE_MSG_MAX);
    enum err err = role_msg_encode(&m, &bytes);
    if (err == OK)
        err = ipc_send(r->launcher, buf_slice(&bytes), NULL, 0);
    buf_done(&bytes);
    return err == OK;
}

static bool lend_agent(struct run *r, struct slice body, bool is_draft)
{
    return body.len == 0 && !r->is_asked && r->all->setup.agent &&
           accept_agent_request(r->all->setup.agent, is_draft);
}

static bool on_agent(struct run *r, struct slice body)
{
    return lend_agent(r, body, false);
}

static bool on_draft_agent(struct run *r, struct slice body)
{
    return lend_agent(r, body, true);
}

static const struct {
    const char *type;
    bool (*act)(struct run *r, struct slice body);
} requests[] = {
    {"pty-req", on_pty},           {"env", on_env},
    {"shell", on_shell},           {"exec", on_exec},
    {"subsystem", on_subsystem},   {"window-change", on_window_change},
    {"signal", on_signal},         {"auth-agent-req@openssh.com", on_agent},
    {"agent-req", on_draft_agent},
};

static bool on_request(struct channel_user *u, struct slice type, struct slice body)
{
    struct run *r = run_of(u);
    if (slice_is(type, "eow@openssh.com")) {
        /* Nobody reads our output any more: the command learns it by its next write. */
        if (r->main && !r->has_pty) {
            stream_close(r->main);
            r->main = NULL;
            r->main_ended = true;
            look_for_end(r);
        }
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        if (slice_is(type, requests[i].type))
            return requests[i].act(r, body);
    }
    return false;
}

static const struct channel_ops run_ops = {
    .data = on_data,
    .extended_data = on_extended_data,
    .flush = on_flush,
    .writable = on_writable,
    .eof = on_eof,
    .closed = on_closed,
    .request = on_request,
    .lost = on_lost,
};

/* ---- the link's runs ---- */

void session_runs_init(struct session_runs *all, struct link *l, const struct session_setup *setup)
{
    *all = (struct session_runs){.link = l, .setup = *setup};
    list_init(&all->open);
}

void session_runs_done(struct session_runs *all)
{
    LIST_FOR (r, &all->open, struct run, link)
        run_free(r);
}

void session_runs_accept(struct session_runs *all, struct channel *ch)
{
    struct run *r = NEW(struct run);
    r->all = all;
    r->turn.callback = on_turn;
    r->turn.owner = r;
    buf_init(&r->modes, ROLE_MSG_MODES_MAX);
    buf_init(&r->environment, ROLE_MSG_ENVIRON_MAX);
    sink_init(&r->sink, &r->user, NULL);
    list_append(&all->open, &r->link);
    all->count++;
    link_accept(all->link, ch, &r->user, &run_ops);
}
