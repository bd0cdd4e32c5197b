/* The session that adit was started for. */
#include "client/own_session.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "client/command_line.h"
#include "client/expand_client.h"
#include "client/internal.h"
#include "client/links.h"
#include "client/status.h"
#include "tunnel/splice.h"

struct own_session {
    struct session_choice choice;
    struct session *session; /* NULL: not yet, or over */
    struct child *local_command;
    struct loop_signal *winch;
    struct command_line line;
    bool is_due, is_over;
    bool had_tty; /* the other side gave one */
    int status;
};

/* ---- the terminal ---- */

static void enter_raw(void)
{
    tty_enter_raw(STDIN_FILENO);
    log_set_crlf(tty_is_raw());
}

static void leave_raw(void)
{
    tty_leave_raw();
    log_set_crlf(false);
}

static void on_winch(void *owner, int signal_number UNUSED)
{
    struct client *c = owner;
    if (c->own->session)
        session_resize(c->own->session);
}

/* ---- escapes ---- */

static void change_level(struct session *s, int by)
{
    int level = (int)log_get_level() + by;
    if (level < (int)LOG_QUIET || level > (int)LOG_DEBUG3)
        return;
    log_set_level((enum log_level)level);
    char *text CLEANUP(mem_cleanup) =
        mem_printf(" [LogLevel %s]\r\n", log_level_name((enum log_level)level));
    session_say(s, text);
}

/* A terminal in raw mode wants both. */
static void say_lines(struct session *s, const char *text)
{
    for (const char *end; *text; text = end) {
        end = text + strcspn(text, "\n");
        char *line CLEANUP(mem_cleanup) = slice_strdup(slice_of(text, (size_t)(end - text)));
        char *shown CLEANUP(mem_cleanup) = mem_printf("%s\r\n", line);
        session_say(s, shown);
        end += *end == '\n';
    }
}

static void say_named(struct session *s, char letter)
{
    char *name CLEANUP(mem_cleanup) = escape_name(session_escape(s), letter);
    char *text CLEANUP(mem_cleanup) = mem_printf("%s\r\n", name);
    session_say(s, text);
}

void escape_serve(struct client *c, struct session *s, enum escape_action action, bool is_shared)
{
    char *text CLEANUP(mem_cleanup) = NULL;
    switch (action) {
    case ESCAPE_BREAK:
        session_send_break(s);
        break;
    case ESCAPE_REKEY:
        links_rekey(c);
        break;
    case ESCAPE_INFO:
        say_named(s, 'I');
        text = status_connection(c);
        say_lines(s, text);
        break;
    case ESCAPE_LIST:
        say_named(s, '#');
        text = status_channels(c);
        say_lines(s, text);
        break;
    case ESCAPE_HELP:
        say_named(s, '?');
        text = escape_help(session_escape(s), is_shared);
        session_say(s, text);
        break;
    case ESCAPE_LOUDER:
        change_level(s, 1);
        break;
    case ESCAPE_QUIETER:
        change_level(s, -1);
        break;
    case ESCAPE_BACKGROUND:
        session_say(
            s, "~&: not possible once it runs: start adit with -f, or with ControlPersist\r\n");
        break;
    case ESCAPE_TERMINATE:
        say_named(s, '.');
        session_end(s);
        break;
    case ESCAPE_COMMAND:
    case ESCAPE_SUSPEND:
        session_say(s, "not for a session of a shared connection\r\n");
        break;
    case ESCAPE_NONE:
        break;
    }
}

static void suspend(struct client *c)
{
    leave_raw();
    (void)kill(getpid(), SIGTSTP); /* and here we go on, some time later */
    enter_raw();
    session_resize(c->own->session);
}

static void run_command(struct client *c, const char *line)
{
    struct session *s = c->own->session;
    struct command command;
    char *fault = NULL;
    if (command_parse(line, &command, &fault) != OK) {
        char *text CLEANUP(mem_cleanup) = mem_printf("%s\r\n", fault);
        session_say(s, text);
        mem_free(fault);
        return;
    }
    switch (command.verb) {
    case COMMAND_NOTHING:
        break;
    case COMMAND_HELP:
        session_say(s, command_help);
        break;
    case COMMAND_FORWARD:
        if (forward_set_launch(&c->forwards, &command.spec)->state == FORWARD_REFUSED)
            session_say(s, "Port forwarding failed.\r\n");
        else
            session_say(s, "Forwarding port.\r\n");
        break;
    case COMMAND_CANCEL:
        session_say(s, forward_set_cancel(&c->forwards, &command.spec) == OK
                           ? "Canceled forwarding.\r\n"
                           : "Unknown port forwarding.\r\n");
        break;
    }
    command_done(&command);
}

static void open_command_line(struct client *c)
{
    struct own_session *own = c->own;
    if (!c->options->enable_escape_commandline) {
        session_say(own->session, "\r\ncommandline disabled (EnableEscapeCommandline yes "
                                  "switches it on)\r\n");
        return;
    }
    command_line_open(&own->line);
    session_divert(own->session, true);
    session_say(own->session, "\r\nadit> ");
}

static void on_typed(struct client *c, struct slice text)
{
    struct own_session *own = c->own;
    struct buf echo;
    buf_init(&echo, 8 * COMMAND_LINE_MAX);
    enum command_line_state state = command_line_feed(&own->line, text.ptr[0], &echo);
    char *shown CLEANUP(mem_cleanup) = buf_strdup(&echo);
    buf_done(&echo);
    session_say(own->session, shown);
    if (state == COMMAND_LINE_MORE)
        return;
    session_divert(own->session, false);
    if (state == COMMAND_LINE_DONE)
        run_command(c, own->line.text);
}

static void on_escape(struct client *c, enum escape_action action)
{
    if (action == ESCAPE_COMMAND)
        open_command_line(c);
    else if (action == ESCAPE_SUSPEND)
        suspend(c);
    else
        escape_serve(c, c->own->session, action, false);
    if (action == ESCAPE_TERMINATE)
        client_finish(c, EXIT_FAILED);
}

/* ---- the session's events ---- */

/* Where nothing but tunnels is given, they are what is left. */
static void go_on_without(struct client *c, const struct session_event *e)
{
    struct own_session *own = c->own;
    own->is_due = false;
    own->session = NULL;
    leave_raw();
    log_info("The server gives no shell%s%s%s: adit goes on as with -N (Ctrl-C ends it).",
             e->is_open_refused ? " (" : "", e->is_open_refused ? ESCAPED(e->text) : "",
             e->is_open_refused ? ")" : "");
}

static void on_refused(struct client *c, const struct session_event *e)
{
    if (c->own->choice.kind == RUN_SHELL) {
        go_on_without(c, e);
        return;
    }
    if (e->is_open_refused)
        log_error("The server opened no session: %s", ESCAPED(e->text));
    else
        log_error("%s request failed on channel 0", ESCAPED(e->text));
}

static void on_ended(struct client *c, const struct session_event *e)
{
    struct own_session *own = c->own;
    bool is_without = !own->session; /* no shell was given: the run goes on */
    own->session = NULL;
    if (is_without)
        return;
    leave_raw();
    own->is_over = true;
    own->status = e->has_status ? (int)e->status : EXIT_FAILED;
    if (e->signal)
        log_verbose("What ran on the server was ended by signal %s.", e->signal);
    if (own->had_tty && !e->is_lost)
        log_info("Connection to %s closed.", c->options->host_name);
    if (!c->is_down && links_channels(c))
        log_verbose("The session is over; forwarded connections are still open (Ctrl-C ends "
                    "them).");
    client_look_for_end(c);
}

static void on_session(void *owner, struct session *s UNUSED, const struct session_event *e)
{
    struct client *c = owner;
    switch (e->kind) {
    case SESSION_OPENED:
        if (c->options->control_master == CONTROL_NO && client_peer_is_openssh(c))
            link_global_request(c->link, "no-more-sessions@openssh.com", false, SLICE_NONE, 0);
        break;
    case SESSION_TTY_REFUSED:
        leave_raw();
        log_info("PTY allocation request failed on channel 0");
        break;
    case SESSION_STARTED:
        c->own->had_tty = session_has_tty(c->own->session);
        break;
    case SESSION_REFUSED:
        on_refused(c, e);
        break;
    case SESSION_ESCAPED:
        on_escape(c, e->action);
        break;
    case SESSION_TYPED:
        on_typed(c, e->text);
        break;
    case SESSION_ENDED:
        on_ended(c, e);
        break;
    }
}

/* ---- starting it ---- */

static int copy_of(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void open_session(struct client *c)
{
    struct own_session *own = c->own;
    struct buf modes;
    struct string_list environment;
    buf_init(&modes, 4096);
    string_list_init(&environment);
    if (own->choice.wants_tty)
        tty_encode_modes(STDIN_FILENO, &modes);
    session_environment(c->options, environ, &environment);
    const char *term = getenv("TERM");
    struct session_spec spec = {
        .kind = own->choice.kind,
        .command = own->choice.command,
        .wants_tty = own->choice.wants_tty,
        .term = term ? term : "",
        .size = tty_get_size(STDIN_FILENO),
        .modes = buf_slice(&modes),
        .environment = &environment,
        .agent_request = agent_forward_request(c->agent_forward, c->link),
        .peer_knows_eow = client_peer_is_openssh(c),
        .escape = c->options->escape_char,
        .in = c->options->stdin_null ? -1 : copy_of(STDIN_FILENO),
        .out = copy_of(STDOUT_FILENO),
        .error = copy_of(STDERR_FILENO),
    };
    if (own->choice.kind == RUN_SUBSYSTEM)
        log_debug("Sending subsystem: %s", own->choice.command);
    else if (own->choice.kind == RUN_EXEC)
        log_debug("Sending command: %s", own->choice.command);
    if (own->choice.wants_tty) {
        enter_raw();
        link_set_tos(c->link, c->options->ip_qos.interactive); /* somebody types here */
        own->winch = loop_signal_new(c->loop, SIGWINCH, on_winch, c);
    }
    own->session = session_open(c->link, &spec, on_session, c);
    if (!own->session)
        client_finish(c, EXIT_FAILED);
    buf_done(&modes);
    string_list_done(&environment);
}

static void on_local_command(void *owner, int status, int signal_number UNUSED)
{
    struct client *c = owner;
    c->own->local_command = NULL;
    if (status)
        log_debug("LocalCommand ended with status %d", status);
    if (c->own->is_due && link_is_up(c->link))
        open_session(c);
    client_begun(c);
}

/* By the user's shell; the session waits for its end (ssh_config(5)). */
static bool run_local_command(struct client *c)
{
    const struct client_options *o = c->options;
    if (!o->permit_local_command || !o->local_command)
        return false;
    struct expand_token tunnel = {'T', c->tun_name ? c->tun_name : "NONE"};
    char *text = expand_client(c->request->facts, o, "LocalCommand", CLIENT_EXPAND_COMMAND,
                               o->local_command, &tunnel, 1);
    if (!text)
        return false;
    char name[] = "sh", option[] = "-c";
    char *arguments[] = {name, option, text, NULL};
    int fds[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    struct child_spec spec = {
        .file = client_shell(), .arguments = arguments, .fds = fds, .fd_count = ARRAY_LEN(fds)};
    enum err err = child_new(&c->own->local_command, c->loop, &spec, on_local_command, c);
    if (err != OK)
        log_error("LocalCommand: no such shell: %s", spec.file);
    mem_free(text);
    return err == OK;
}

void own_session_start(struct client *c)
{
    bool waits = run_local_command(c);
    if (!waits && c->own->is_due)
        open_session(c);
}

/* ---- life ---- */

enum err own_session_init(struct client *c)
{
    struct own_session *own = NEW(struct own_session);
    const struct client_options *o = c->options;
    const char *fault;
    c->own = own;
    if (session_choose(c->request->args, o, isatty(STDIN_FILENO), &own->choice, &fault) != OK) {
        log_error("%s", fault);
        return ERR_CONFIG;
    }
    own->is_due = own->choice.is_wanted && !c->request->is_master_only;
    if (own->choice.tty_was_denied)
        log_info("Pseudo-terminal will not be allocated because stdin is not a terminal.");
    return OK;
}

void own_session_done(struct client *c)
{
    struct own_session *own = c->own;
    if (!own)
        return;
    leave_raw();
    session_free(own->session);
    loop_signal_close(own->winch);
    if (own->local_command)
        child_forget(own->local_command);
    session_choice_done(&own->choice);
    mem_free(own);
    c->own = NULL;
}

bool own_session_is_over(const struct client *c, int *status)
{
    *status = c->own->status;
    return c->own->is_over;
}

bool own_session_is_waiting(const struct client *c)
{
    return c->own->local_command != NULL;
}

void own_session_give_terminal_back(struct client *c)
{
    if (!c->own->session || !tty_is_raw())
        return;
    leave_raw();
    if (!c->own->is_over && log_would(LOG_ERROR))
        fputc('\n', stderr);
}

void own_session_cut(struct client *c)
{
    if (c->own->session)
        session_end(c->own->session);
}

bool own_session_is_open(const struct client *c)
{
    return c->own->session != NULL;
}
