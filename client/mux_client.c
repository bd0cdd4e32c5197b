/* A client of a shared connection. */
#include "client/mux_client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "client/background.h"
#include "client/command_line.h"
#include "client/mux_msg.h"
#include "client/session_choice.h"
#include "io/frames.h"

#define SIGNALS 4

/* What is asked of the master, one behind the other; each has its answer before the next goes. */
enum step { STEP_HELLO, STEP_ALIVE, STEP_FORWARDS, STEP_MAIN, STEP_RUNNING };

enum verb {
    VERB_SESSION, /* no -O */
    VERB_STDIO,   /* -W */
    VERB_STAY,    /* -N: the forwards are in the master; it is waited for */
    VERB_CHECK,
    VERB_FORWARD,
    VERB_CANCEL,
    VERB_EXIT,
    VERB_STOP,
    VERB_CONNINFO,
    VERB_CHANNELS,
    VERB_PROXY,
};
static const struct {
    const char *name;
    enum verb verb;
} verbs[] = {
    {"check", VERB_CHECK},       {"forward", VERB_FORWARD}, {"cancel", VERB_CANCEL},
    {"exit", VERB_EXIT},         {"stop", VERB_STOP},       {"conninfo", VERB_CONNINFO},
    {"channels", VERB_CHANNELS}, {"proxy", VERB_PROXY},
};

struct mux_client {
    const struct mux_client_request *request;
    const struct client_options *options;
    struct loop *loop;
    struct loop_signal *signals[SIGNALS];
    struct frames *frames;
    struct session_choice choice;
    enum verb verb;
    enum step step;
    const struct forward_spec *forwards[3]; /* lists of them, with their counts */
    size_t counts[3];
    size_t list, index; /* the one that is being asked for */
    uint32_t request_id;
    pid_t master;
    bool has_session, failed;
    bool has_status;
    int exit_status;
    int proxy_fd;
    enum err result;
    int status;
};

/* ---- the end ---- */

static void finish(struct mux_client *m, enum err result, int status)
{
    if (m->result != ERR_AGAIN)
        return;
    m->result = result;
    m->status = status;
    tty_leave_raw();
    log_set_crlf(false);
    loop_stop(m->loop);
}

/* The master does not do it. What a person asked for by -O has failed; a session may be had by a
 * connection of one's own. */
static void give_up(struct mux_client *m)
{
    bool is_ours = m->verb == VERB_SESSION || m->verb == VERB_STDIO || m->verb == VERB_STAY;
    finish(m, is_ours && m->step != STEP_RUNNING ? ERR_DENIED : OK, EXIT_FAILED);
}

/* ---- asking ---- */

static void send_message(struct mux_client *m, struct mux_msg msg)
{
    struct buf frame;
    buf_init(&frame, MUX_FRAME_MAX);
    if (msg.type != MUX_HELLO)
        msg.request = m->request_id++;
    if (mux_msg_encode(&msg, &frame) == OK) {
        frames_send(m->frames, buf_slice(&frame));
    } else {
        log_error("the request is too long for a shared connection");
        give_up(m);
    }
    buf_done(&frame);
}

static void send_descriptors(struct mux_client *m, int count)
{
    int null = m->options->stdin_null ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    for (int fd = 0; fd < count; fd++)
        frames_send_fd(m->frames, fd == 0 && null >= 0 ? null : fd);
    if (null >= 0)
        close(null);
}

static void ask_for_session(struct mux_client *m)
{
    struct string_list environment;
    struct buf strings;
    const char *term = getenv("TERM");
    string_list_init(&environment);
    buf_init(&strings, MUX_FRAME_MAX / 2);
    session_environment(m->options, environ, &environment);
    mux_environment_put(&strings, &environment);
    send_message(m, (struct mux_msg){
                        .type = MUX_NEW_SESSION,
                        .wants_tty = m->choice.wants_tty,
                        .wants_agent = m->options->forward_agent != AGENT_FORWARD_NO,
                        .is_subsystem = m->choice.kind == RUN_SUBSYSTEM,
                        .escape = m->options->escape_char < 0 ? MUX_NO_ESCAPE
                                                              : (uint32_t)m->options->escape_char,
                        .term = slice_text(term ? term : ""),
                        .command = slice_text(m->choice.command ? m->choice.command : ""),
                        .environment = buf_slice(&strings),
                    });
    send_descriptors(m, 3);
    string_list_done(&environment);
    buf_done(&strings);
}

static void become_ready(struct mux_client *m)
{
    m->step = STEP_RUNNING;
    if (m->request->run->ready_fd < 0)
        return;
    background_leave(m->request->run->ready_fd);
    if (m->verb == VERB_STAY)
        finish(m, OK, EXIT_SUCCESS); /* the master holds the forwards */
}

static void ask_main(struct mux_client *m)
{
    const struct args *a = m->request->run->args;
    m->step = STEP_MAIN;
    switch (m->verb) {
    case VERB_SESSION:
        ask_for_session(m);
        break;
    case VERB_STDIO:
        send_message(m, (struct mux_msg){.type = MUX_NEW_STDIO,
                                         .text = slice_text(a->stdio_host),
                                         .value = a->stdio_port});
        send_descriptors(m, 2);
        break;
    case VERB_STAY:
        become_ready(m);
        break;
    case VERB_CHECK:
        fprintf(stderr, "Master running (pid=%d)\r\n", (int)m->master);
        finish(m, OK, EXIT_SUCCESS);
        break;
    case VERB_FORWARD:
    case VERB_CANCEL:
        finish(m, OK, m->failed ? EXIT_FAILED : EXIT_SUCCESS);
        break;
    case VERB_EXIT:
        send_message(m, (struct mux_msg){.type = MUX_TERMINATE});
        break;
    case VERB_STOP:
        send_message(m, (struct mux_msg){.type = MUX_STOP_LISTENING});
        break;
    case VERB_CONNINFO:
        send_message(m, (struct mux_msg){.type = MUX_ASK_INFO, .text = slice_text("connection")});
        break;
    case VERB_CHANNELS:
        send_message(m, (struct mux_msg){.type = MUX_ASK_INFO, .text = slice_text("channels")});
        break;
    case VERB_PROXY:
        send_message(m, (struct mux_msg){.type = MUX_PROXY});
        break;
    }
}

static const struct forward_spec *current(const struct mux_client *m)
{
    return &m->forwards[m->list][m->index];
}

/* The next forward, or what comes behind them. */
static void ask_forward(struct mux_client *m)
{
    m->step = STEP_FORWARDS;
    while (m->list < ARRAY_LEN(m->forwards) && m->index == m->counts[m->list]) {
        m->list++;
        m->index = 0;
    }
    if (m->list == ARRAY_LEN(m->forwards)) {
        ask_main(m);
        return;
    }
    struct mux_msg msg = {.type = m->verb == VERB_CANCEL ? MUX_CLOSE_FORWARD : MUX_OPEN_FORWARD};
    mux_forward_put(&msg, current(m));
    send_message(m, msg);
}

/* ---- the answers ---- */

static void tell_port(struct mux_client *m, uint32_t port)
{
    const struct forward_spec *spec = current(m);
    log_info("Allocated port %u for remote forward to %s:%u", port,
             spec->target.path   ? spec->target.path
             : spec->target.host ? spec->target.host
                                 : "socks",
             spec->target.port);
    if (m->verb == VERB_FORWARD)
        printf("%u\n", port);
}

static void forward_refused(struct mux_client *m, struct slice why)
{
    log_error("mux_client_forward: forwarding request failed: %s", ESCAPED(why));
    m->failed = true;
    if (m->verb == VERB_FORWARD || m->verb == VERB_CANCEL)
        return;
    if (m->options->exit_on_forward_failure)
        finish(m, OK, EXIT_FAILED);
}

static void on_forward_answer(struct mux_client *m, const struct mux_msg *msg)
{
    if (msg->type == MUX_REMOTE_PORT)
        tell_port(m, msg->value);
    else if (msg->type != MUX_OK)
        forward_refused(m, msg->text);
    m->index++;
    if (m->result == ERR_AGAIN)
        ask_forward(m);
}

static void session_is_there(struct mux_client *m)
{
    m->has_session = true;
    if (m->choice.wants_tty) {
        tty_enter_raw(STDIN_FILENO);
        log_set_crlf(tty_is_raw());
    }
    become_ready(m);
}

static void tell_done(struct mux_client *m)
{
    if (log_get_level() != LOG_QUIET)
        fprintf(stderr, "%s\r\n",
                m->verb == VERB_EXIT ? "Exit request sent." : "Stop listening request sent.");
    finish(m, OK, EXIT_SUCCESS);
}

static void on_main_answer(struct mux_client *m, const struct mux_msg *msg)
{
    if (msg->type == MUX_SESSION_OPENED) {
        session_is_there(m);
    } else if (msg->type == MUX_OK) {
        tell_done(m);
    } else if (msg->type == MUX_PROXY_READY && m->verb == VERB_PROXY) {
        m->proxy_fd = frames_release(m->frames);
        finish(m, OK, EXIT_SUCCESS);
    } else if (msg->type == MUX_INFO) {
        fwrite(msg->text.ptr, 1, msg->text.len, stdout);
        finish(m, OK, EXIT_SUCCESS);
    } else {
        log_error("the master of the shared connection refused: %s", ESCAPED(msg->text));
        give_up(m);
    }
}

static void on_running(struct mux_client *m, const struct mux_msg *msg)
{
    if (msg->type == MUX_EXIT) {
        /* OpenSSH's master may still write to our descriptors: it hangs up when it has. */
        m->has_status = true;
        m->exit_status = (int)msg->value;
    } else if (msg->type == MUX_TTY_FAILED) {
        tty_leave_raw();
        log_set_crlf(false);
        log_info("PTY allocation request failed on channel %u", msg->session);
    }
}

static void on_message(struct mux_client *m, const struct mux_msg *msg)
{
    switch (m->step) {
    case STEP_HELLO:
        if (msg->type != MUX_HELLO || msg->request != MUX_VERSION) {
            log_error("the master of the shared connection speaks another protocol");
            give_up(m);
            break;
        }
        send_message(m, (struct mux_msg){.type = MUX_HELLO, .request = MUX_VERSION});
        m->step = STEP_ALIVE;
        send_message(m, (struct mux_msg){.type = MUX_ALIVE_CHECK});
        break;
    case STEP_ALIVE:
        if (msg->type != MUX_ALIVE) {
            on_main_answer(m, msg);
            break;
        }
        m->master = (pid_t)msg->value;
        ask_forward(m);
        break;
    case STEP_FORWARDS:
        on_forward_answer(m, msg);
        break;
    case STEP_MAIN:
        on_main_answer(m, msg);
        break;
    case STEP_RUNNING:
        on_running(m, msg);
        break;
    }
}

static void on_ended(struct mux_client *m, const char *fault)
{
    if (fault)
        log_error("the master of the shared connection: %s", fault);
    if (m->step == STEP_MAIN && m->verb == VERB_EXIT) {
        tell_done(m); /* OpenSSH's master goes without an answer */
    } else if (m->step != STEP_RUNNING) {
        log_debug("the master of the shared connection went without an answer");
        give_up(m);
    } else if (m->verb == VERB_STDIO) {
        finish(m, OK, EXIT_SUCCESS);
    } else if (m->has_status) {
        finish(m, OK, m->exit_status);
        if (m->choice.wants_tty)
            log_info("Shared connection to %s closed.", m->options->host_name);
    } else {
        finish(m, OK, EXIT_FAILED);
        log_info("The master of the shared connection has ended.");
    }
}

static void on_frames(void *owner, const struct frames_event *e)
{
    struct mux_client *m = owner;
    struct mux_msg msg;
    if (m->result != ERR_AGAIN)
        return;
    if (e->kind == FRAMES_ENDED)
        on_ended(m, e->fault);
    else if (e->kind == FRAMES_FRAME && mux_msg_decode(e->frame, &msg) == OK)
        on_message(m, &msg);
    else
        on_ended(m, "it answered what nobody understands");
}

static void on_signal(void *owner, int signal_number)
{
    struct mux_client *m = owner;
    if (signal_number != SIGWINCH) {
        bool is_usual = signal_number == SIGTERM && m->step == STEP_RUNNING &&
                        session_is_declined(m->request->run->args, m->options);
        log_verbose("Killed by signal %d.", signal_number);
        finish(m, OK, is_usual ? EXIT_SUCCESS : EXIT_FAILED);
    } else if (m->has_session && m->master > 0) {
        (void)kill(m->master, SIGWINCH); /* it looks at our terminal (PROTOCOL.mux) */
    }
}

/* ---- what is wanted ---- */

static enum err choose_verb(struct mux_client *m)
{
    const struct args *a = m->request->run->args;
    if (!a->mux_command) {
        m->verb = a->stdio_host ? VERB_STDIO : m->choice.is_wanted ? VERB_SESSION : VERB_STAY;
        return OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].name, a->mux_command) == 0) {
            m->verb = verbs[i].verb;
            return OK;
        }
    }
    log_error("Invalid multiplex command.");
    return ERR_CONFIG;
}

static void choose_forwards(struct mux_client *m)
{
    const struct client_options *o = m->options;
    const struct forward_list *lists[] = {&o->local_forwards, &o->remote_forwards,
                                          &o->dynamic_forwards};
    bool is_wanted =
        m->verb == VERB_FORWARD || m->verb == VERB_CANCEL ||
        ((m->verb == VERB_SESSION || m->verb == VERB_STAY) && !m->request->forwards_done);
    for (size_t i = 0; is_wanted && i < ARRAY_LEN(lists); i++) {
        m->forwards[i] = lists[i]->items;
        m->counts[i] = lists[i]->count;
    }
}

static enum err choose(struct mux_client *m)
{
    const struct client_request *run = m->request->run;
    const char *fault;
    if (!run->args->mux_command &&
        session_choose(run->args, m->options, isatty(STDIN_FILENO), &m->choice, &fault) != OK) {
        log_error("%s", fault);
        return ERR_CONFIG;
    }
    TRY(choose_verb(m));
    choose_forwards(m);
    return OK;
}

static void run(struct mux_client *m, int fd)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    m->loop = loop_new();
    for (size_t i = 0; i < SIGNALS; i++)
        m->signals[i] = loop_signal_unless_ignored(m->loop, numbers[i], on_signal, m);
    m->frames = frames_new(m->loop, fd, MUX_FRAME_MAX, on_frames, m);
    loop_run(m->loop);
    frames_close(m->frames);
    for (size_t i = 0; i < SIGNALS; i++)
        loop_signal_close(m->signals[i]);
    loop_free(m->loop);
    if (fflush(stdout) != 0)
        log_debug("stdout: %s", strerror(errno));
}

/*
 * A socket in a folder that others may write to can be anybody's: whoever listens gets our
 * descriptors and our words. *error_number is EPERM then.
 */
static enum err reach_master(const char *path, int *fd, int *error_number, uid_t *whose)
{
    struct ucred who;
    socklen_t length = sizeof(who);
    TRY(frames_connect(path, fd, error_number));
    bool is_known = getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0;
    if (is_known && (who.uid == geteuid() || who.uid == 0))
        return OK;
    close(*fd);
    *whose = is_known ? who.uid : (uid_t)-1;
    *error_number = EPERM;
    return ERR_DENIED;
}

enum err mux_client_run(const struct mux_client_request *request, int *status, int *proxy_fd)
{
    struct mux_client m = {.request = request,
                           .options = request->run->options,
                           .result = ERR_AGAIN,
                           .proxy_fd = -1,
                           .status = EXIT_FAILED};
    const char *path = request->run->control_path;
    int fd, error_number;
    uid_t whose;
    *status = EXIT_FAILED;
    enum err err = choose(&m);
    if (err == OK)
        err = reach_master(path, &fd, &error_number, &whose);
    else
        error_number = 0;
    if (err == ERR_DENIED && error_number == EPERM)
        log_error("ControlPath %s: another user (uid %u) listens there: it is not used", path,
                  (unsigned)whose);
    if (err == OK) {
        run(&m, fd);
        err = m.result;
        *status = m.status;
        *proxy_fd = m.proxy_fd;
    } else if (error_number && request->run->args->mux_command) {
        log_error("Control socket connect(%s): %s", path, strerror(error_number));
    } else if (error_number) {
        log_debug("Control socket \"%s\": %s", path, strerror(error_number));
        err = ERR_NOT_FOUND;
    } else {
        err = OK; /* said: there is nothing else to try */
    }
    session_choice_done(&m.choice);
    return err;
}

bool mux_client_finds_master(const char *path, bool may_remove)
{
    int fd, error_number;
    uid_t whose;
    struct stat st;
    if (reach_master(path, &fd, &error_number, &whose) == OK) {
        close(fd);
        return true;
    }
    /* What is no socket refuses connections, too: only what a master of ours left is removed. */
    if (error_number == ECONNREFUSED && may_remove && lstat(path, &st) == 0 &&
        S_ISSOCK(st.st_mode) && st.st_uid == geteuid()) {
        log_debug("Stale control socket %s, unlinking", path);
        (void)unlink(path);
    }
    return false;
}
