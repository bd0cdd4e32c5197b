/*
 * The supervisor's side of one connection: its worker, the order of its questions, and the login
 * question's own process. What a worker says is believed about nothing but itself.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "io/address.h"
#include "server/config_text.h"
#include "server/supervisor_internal.h"

#define LAUNCHES_SPARE 16 /* those that are about to end */

static enum err send_message(struct ipc *to, const struct role_msg *m, const int *fds,
                             size_t fd_count)
{
    struct buf bytes;
    buf_init(&bytes, ROLE_MSG_MAX);
    enum err err = to ? role_msg_encode(m, &bytes) : ERR_EOF;
    if (err == OK)
        err = ipc_send(to, buf_slice(&bytes), fds, fd_count);
    buf_done(&bytes);
    return err;
}

/* A worker that breaks the rules, or cannot be served: its end frees the connection. */
static void cut(struct connection *c, const char *why)
{
    log_error("Connection from %s port %u is cut: %s", c->address, c->port, why);
    if (c->worker)
        child_kill(c->worker, SIGKILL);
}

unsigned connections_waiting(const struct supervisor *s)
{
    unsigned waiting = 0;
    LIST_FOR (c, &s->connections, struct connection, link) {
        if (c->order.phase != SESSION_OK)
            waiting++;
    }
    return waiting;
}

/* ---- signatures ---- */

static enum err keep(struct buf *to, struct slice bytes)
{
    buf_clear(to);
    return buf_append_slice(to, bytes);
}

static void on_sign(struct connection *c, struct role_msg *m)
{
    if (session_order_step(&c->order, SESSION_ASK_SIGN) != OK) {
        cut(c, "a signature may not be asked for now");
        return;
    }
    CHECK(keep(&c->signing_hash, m->hash) == OK);
    CHECK(keep(&c->signing_key, m->key) == OK);
    m->connection = c->id; /* whatever number the worker wrote */
    if (signer_ask(c->supervisor, m) != OK)
        cut(c, "aditd-sign cannot be asked");
}

/* The first hash that was signed is the session id (RFC 4253 7.2). */
static void take_signature(struct connection *c, struct slice signature)
{
    enum session_phase before = c->order.phase;
    if (session_order_step(&c->order, SESSION_SIGNED) != OK)
        return;
    if (before == SESSION_NEW) {
        CHECK(keep(&c->session_id, buf_slice(&c->signing_hash)) == OK);
        CHECK(keep(&c->host_key, buf_slice(&c->signing_key)) == OK);
    }
    struct role_msg m = {.kind = ROLE_MSG_SIGNATURE, .connection = c->id, .signature = signature};
    if (send_message(c->ipc, &m, NULL, 0) != OK)
        cut(c, "its worker takes no answer");
}

void connection_signed(struct supervisor *s, uint32_t id, struct slice signature)
{
    LIST_FOR (c, &s->connections, struct connection, link) {
        if (c->id != id)
            continue;
        if (signature.len == 0)
            cut(c, "aditd-sign refused to sign");
        else
            take_signature(c, signature);
    }
}

/* ---- sessions ---- */

static void launcher_exited(void *owner, int status, int signal_number)
{
    struct launch *l = owner;
    if (signal_number)
        log_error("aditd-session died of signal %d", signal_number);
    log_debug("aditd-session ended with status %d", status);
    l->connection->launch_count--;
    list_remove(&l->link);
    mem_free(l);
}

static enum err spawn_launcher(struct connection *c, int worker_fd, int *ipc_fd)
{
    struct supervisor *s = c->supervisor;
    int pair[2];
    const char *arguments[8] = {NULL};
    supervisor_child_arguments(s, PROGRAM_SESSION, s->options.log_level, arguments);
    TRY(ipc_pair(pair));
    int fds[] = {-1, -1, STDERR_FILENO, pair[1], c->config_fd, worker_fd};
    struct child_spec spec = {.file = s->setup.programs->paths[PROGRAM_SESSION],
                              .arguments = (char *const *)(uintptr_t)arguments,
                              .fds = fds,
                              .fd_count = ARRAY_LEN(fds)};
    struct launch *l = NEW(struct launch);
    l->connection = c;
    enum err err = child_new(&l->child, s->loop, &spec, launcher_exited, l);
    close(pair[1]);
    if (err != OK) {
        close(pair[0]);
        mem_free(l);
        return err;
    }
    list_append(&c->launches, &l->link);
    c->launch_count++;
    *ipc_fd = pair[0];
    return OK;
}

/* What the worker asked, and what only the supervisor says: who, from where, with which key. */
static enum err launch(struct connection *c, const struct role_msg *asked, int worker_fd)
{
    struct buf bytes;
    struct role_msg m = *asked;
    int ipc_fd;
    m.kind = ROLE_MSG_LAUNCH;
    m.user = slice_text(c->user);
    m.key = buf_slice(&c->login_key);
    m.options = buf_slice(&c->key_options);
    m.address = slice_text(c->address);
    m.port = c->port;
    m.local_address = slice_text(c->local_address);
    m.local_port = c->local_port;
    buf_init(&bytes, ROLE_MSG_MAX);
    enum err err = role_msg_encode(&m, &bytes);
    if (err == OK)
        err = spawn_launcher(c, worker_fd, &ipc_fd);
    if (err == OK) {
        err = ipc_send_blocking(ipc_fd, buf_slice(&bytes), NULL, 0); /* the first: never full */
        close(ipc_fd);
    }
    buf_done(&bytes);
    return err;
}

static void on_session(struct connection *c, const struct role_msg *m, const int *fds,
                       size_t fd_count)
{
    if (session_order_step(&c->order, SESSION_ASK_SESSION) != OK || fd_count != 1) {
        cut(c, "a session may not be asked for now");
        return;
    }
    /* Without an answer the worker sees its descriptor end, and the session with it. */
    if (c->launch_count >= c->max_sessions + LAUNCHES_SPARE)
        log_error("too many sessions of %s port %u at once", c->address, c->port);
    else if (launch(c, m, fds[0]) != OK)
        log_error("a session of %s port %u cannot be launched", c->address, c->port);
}

/* ---- login questions ---- */

static void log_answer(struct connection *c, const struct role_msg *m)
{
    struct escaped user, print, text;
    log_escape(user.text, sizeof(user.text), slice_text(c->user));
    log_escape(print.text, sizeof(print.text), m->fingerprint);
    log_escape(text.text, sizeof(text.text), m->text);
    if (m->is_allowed && c->has_signature) {
        log_info("Accepted publickey for %s from %s port %u ssh2: %s", user.text, c->address,
                 c->port, print.text);
        return;
    }
    if (m->is_allowed) {
        log_verbose("Postponed publickey for %s from %s port %u ssh2: %s", user.text, c->address,
                    c->port, print.text);
        return;
    }
    log_write(c->has_signature || !c->is_first_refusal_said ? LOG_INFO : LOG_VERBOSE,
              "Failed publickey for %s from %s port %u ssh2: %s", user.text, c->address, c->port,
              print.text);
    log_write(c->is_first_refusal_said ? LOG_VERBOSE : LOG_INFO, "Refused %s from %s port %u: %s",
              user.text, c->address, c->port, text.text);
    c->is_first_refusal_said = true;
}

static void end_question(struct connection *c)
{
    ipc_close(c->authz_ipc);
    c->authz_ipc = NULL;
    child_forget(c->authz); /* it ends by itself, and is reaped */
    c->authz = NULL;
}

/* The answer, whoever gives it. An answer that is no clear yes is a no. */
static void answer(struct connection *c, struct role_msg *m)
{
    bool is_login = m->is_allowed && c->has_signature;
    end_question(c);
    if (session_order_step(&c->order, is_login ? SESSION_ALLOWED : SESSION_REFUSED) != OK) {
        cut(c, "an answer came without its question");
        return;
    }
    log_answer(c, m);
    if (is_login) {
        loop_timer_close(c->grace);
        c->grace = NULL;
        CHECK(keep(&c->key_options, m->options) == OK);
    }
    struct role_msg out = {.kind = ROLE_MSG_ANSWER,
                           .is_allowed = m->is_allowed,
                           .options = is_login ? m->options : SLICE_NONE,
                           .fingerprint = m->fingerprint};
    /* The reason stays here: nobody who is not logged in learns it. */
    if (send_message(c->ipc, &out, &c->config_fd, is_login ? 1 : 0) != OK)
        cut(c, "its worker takes no answer");
}

static void authz_message(void *owner, enum err err, struct slice bytes, const int *fds,
                          size_t fd_count)
{
    struct connection *c = owner;
    struct role_msg m = {.kind = ROLE_MSG_ANSWER};
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
    if (err == OK)
        err = role_msg_decode(bytes, ROLE_AUTHZ, ROLE_SUPERVISOR, &m);
    if (err != OK) {
        log_error("aditd-authz gave no answer: %s", err_name(err));
        m = (struct role_msg){.kind = ROLE_MSG_ANSWER, .text = slice_text("no answer")};
    }
    answer(c, &m);
}

static void authz_exited(void *owner, int status UNUSED, int signal_number UNUSED)
{
    struct connection *c = owner;
    c->authz = NULL; /* an answer it sent before still comes; without one the end does */
}

/* The options that hold for this user from this address, as a file for two processes. */
static enum err resolve_for(struct connection *c)
{
    struct server_options options;
    struct report report;
    struct connection_facts facts = {.user = c->user,
                                     .host = c->address,
                                     .address = c->address,
                                     .local_address = c->local_address,
                                     .local_port = c->local_port};
    server_options_init(&options);
    report_init(&report);
    enum err err = sshd_config_resolve(c->supervisor->config, &facts, &options, &report);
    if (err == OK)
        err = config_text_to_fd(&options, &c->config_fd);
    c->max_sessions = (unsigned)options.max_sessions;
    config_text_log_report(&report);
    report_done(&report);
    server_options_done(&options);
    return err;
}

static enum err fix_user(struct connection *c, struct slice user)
{
    if (c->login)
        return slice_is(user, c->login) ? OK : ERR_PROTOCOL;
    c->login = slice_strdup(user);
    c->user = mem_strndup(c->login, strcspn(c->login, ":")); /* "user:style" is OpenSSH's */
    return resolve_for(c);
}

static enum err ask_authz(struct connection *c, const struct role_msg *asked)
{
    struct supervisor *s = c->supervisor;
    int pair[2];
    const char *arguments[8] = {NULL};
    supervisor_child_arguments(s, PROGRAM_AUTHZ, s->options.log_level, arguments);
    TRY(ipc_pair(pair));
    int fds[] = {-1, -1, STDERR_FILENO, pair[1], c->config_fd};
    struct child_spec spec = {.file = s->setup.programs->paths[PROGRAM_AUTHZ],
                              .arguments = (char *const *)(uintptr_t)arguments,
                              .fds = fds,
                              .fd_count = ARRAY_LEN(fds)};
    enum err err = child_new(&c->authz, s->loop, &spec, authz_exited, c);
    close(pair[1]);
    if (err != OK) {
        close(pair[0]);
        return err;
    }
    c->authz_ipc = ipc_new(s->loop, pair[0], authz_message, c);
    struct role_msg m = *asked;
    m.kind = ROLE_MSG_AUTHZ;
    m.host_key = buf_slice(&c->host_key);
    m.session_id = buf_slice(&c->session_id);
    m.address = slice_text(c->address);
    m.port = c->port;
    return send_message(c->authz_ipc, &m, NULL, 0);
}

static void on_auth(struct connection *c, const struct role_msg *m)
{
    if (session_order_step(&c->order, SESSION_ASK_AUTH) != OK) {
        cut(c, "a login may not be asked for now");
        return;
    }
    c->has_signature = m->has_signature;
    CHECK(keep(&c->login_key, m->key) == OK);
    if (fix_user(c, m->user) != OK)
        cut(c, "the user name changed, or no options hold for it");
    else if (ask_authz(c, m) != OK)
        cut(c, "aditd-authz cannot be asked");
}

/* ---- the worker ---- */

static void worker_message(void *owner, enum err err, struct slice bytes, const int *fds,
                           size_t fd_count)
{
    struct connection *c = owner;
    struct role_msg m;
    if (err == ERR_EOF) {
        ipc_close(c->ipc);
        c->ipc = NULL;
        return; /* its exit comes */
    }
    if (err == OK)
        err = role_msg_decode(bytes, ROLE_WORK, ROLE_SUPERVISOR, &m);
    if (err != OK)
        cut(c, "its worker sent what is no message");
    else if (m.kind == ROLE_MSG_SIGN)
        on_sign(c, &m);
    else if (m.kind == ROLE_MSG_SESSION)
        on_session(c, &m, fds, fd_count);
    else
        on_auth(c, &m);
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
}

static void worker_exited(void *owner, int status, int signal_number)
{
    struct connection *c = owner;
    struct supervisor *s = c->supervisor;
    if (signal_number && signal_number != SIGKILL && signal_number != SIGTERM)
        log_error("the worker of %s port %u died of signal %d", c->address, c->port, signal_number);
    log_debug("the worker of %s port %u ended with status %d", c->address, c->port, status);
    c->worker = NULL;
    connection_free(c);
    if (s->setup.is_inetd || (s->is_ending && list_is_empty(&s->connections)))
        supervisor_end(s, s->setup.is_inetd ? status : s->status);
}

static void grace_over(void *owner)
{
    struct connection *c = owner;
    log_info("Timeout before authentication for %s port %u", c->address, c->port);
    if (c->worker)
        child_kill(c->worker, SIGKILL);
}

static enum err spawn_worker(struct connection *c, int in, int out, int config_fd,
                             enum log_level level)
{
    struct supervisor *s = c->supervisor;
    int pair[2];
    const char *arguments[8] = {NULL};
    supervisor_child_arguments(s, PROGRAM_WORK, level, arguments);
    TRY(ipc_pair(pair));
    int fds[] = {in, out, STDERR_FILENO, pair[1], config_fd};
    struct child_spec spec = {.file = s->setup.programs->paths[PROGRAM_WORK],
                              .arguments = (char *const *)(uintptr_t)arguments,
                              .fds = fds,
                              .fd_count = ARRAY_LEN(fds)};
    enum err err = child_new(&c->worker, s->loop, &spec, worker_exited, c);
    close(pair[1]);
    if (err != OK)
        close(pair[0]);
    else
        c->ipc = ipc_new(s->loop, pair[0], worker_message, c);
    return err;
}

static enum err greet_worker(struct connection *c, int banner_fd)
{
    struct supervisor *s = c->supervisor;
    for (size_t i = 0; i < s->host_key_count; i++) {
        struct role_msg m = {.kind = ROLE_MSG_HOST_KEY,
                             .name = buf_slice(&s->host_keys[i].type),
                             .key = buf_slice(&s->host_keys[i].blob)};
        TRY(send_message(c->ipc, &m, NULL, 0));
    }
    struct role_msg m = {.kind = ROLE_MSG_START,
                         .connection = c->id,
                         .address = slice_text(c->address),
                         .port = c->port,
                         .local_address = slice_text(c->local_address),
                         .local_port = c->local_port};
    return send_message(c->ipc, &m, &banner_fd, banner_fd >= 0 ? 1 : 0);
}

static enum err start_worker(struct connection *c, int in, int out)
{
    struct server_options options;
    struct report report;
    int config_fd = -1, banner_fd = -1;
    struct connection_facts facts = {.host = c->address,
                                     .address = c->address,
                                     .local_address = c->local_address,
                                     .local_port = c->local_port};
    server_options_init(&options);
    report_init(&report);
    enum err err = sshd_config_resolve(c->supervisor->config, &facts, &options, &report);
    if (err == OK)
        err = config_text_to_fd(&options, &config_fd);
    if (err == OK)
        err = spawn_worker(c, in, out, config_fd, options.log_level);
    if (err == OK)
        err = config_text_banner(&options, &banner_fd);
    if (err == OK)
        err = greet_worker(c, banner_fd);
    if (err == OK)
        session_order_init(&c->order, (unsigned)options.max_auth_tries);
    if (err == OK && options.login_grace_time_s) {
        c->grace = loop_timer_new(c->supervisor->loop, grace_over, c);
        loop_timer_start(c->grace, (uint64_t)options.login_grace_time_s * MS_PER_S);
    }
    config_text_log_report(&report);
    if (config_fd >= 0)
        close(config_fd);
    if (banner_fd >= 0)
        close(banner_fd);
    report_done(&report);
    server_options_done(&options);
    return err;
}

static void find_local_address(struct connection *c, int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    snprintf(c->local_address, sizeof(c->local_address), "UNKNOWN");
    c->local_port = 65535;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
        (sa.ss_family == AF_INET || sa.ss_family == AF_INET6)) {
        address_text(&sa, c->local_address);
        c->local_port = address_port(&sa);
    }
}

void connection_start(struct supervisor *s, int in, int out, const char *from, uint16_t port)
{
    struct connection *c = NEW(struct connection);
    c->supervisor = s;
    c->id = ++s->last_id;
    c->config_fd = -1;
    snprintf(c->address, sizeof(c->address), "%s", from);
    c->port = port;
    find_local_address(c, in);
    buf_init(&c->signing_hash, ROLE_MSG_HASH_MAX);
    buf_init(&c->session_id, ROLE_MSG_HASH_MAX);
    buf_init(&c->signing_key, ROLE_MSG_KEY_MAX);
    buf_init(&c->host_key, ROLE_MSG_KEY_MAX);
    buf_init(&c->login_key, ROLE_MSG_KEY_MAX);
    buf_init(&c->key_options, ROLE_MSG_OPTIONS_MAX);
    list_init(&c->launches);
    list_append(&s->connections, &c->link);
    enum err err = start_worker(c, in, out);
    if (err == OK)
        return;
    log_error("cannot serve %s port %u: %s", c->address, c->port, err_name(err));
    connection_free(c);
    if (s->setup.is_inetd)
        supervisor_end(s, 255);
}

void connection_tell_end(struct connection *c)
{
    if (c->worker)
        child_kill(c->worker, c->order.phase == SESSION_OK ? SIGTERM : SIGKILL);
}

void connection_free(struct connection *c)
{
    list_remove(&c->link);
    if (c->authz)
        child_kill(c->authz, SIGKILL); /* nobody waits for its answer any more */
    end_question(c);
    ipc_close(c->ipc);
    if (c->worker) {
        child_kill(c->worker, SIGKILL);
        child_forget(c->worker);
    }
    LIST_FOR (l, &c->launches, struct launch, link) {
        child_forget(l->child); /* it sees the worker's end, and is reaped */
        mem_free(l);
    }
    loop_timer_close(c->grace);
    if (c->config_fd >= 0)
        close(c->config_fd);
    mem_free(c->user);
    mem_free(c->login);
    buf_done(&c->signing_hash);
    buf_done(&c->signing_key);
    buf_done(&c->session_id);
    buf_done(&c->host_key);
    buf_done(&c->login_key);
    buf_done(&c->key_options);
    mem_free(c);
}
