/*
 * The login questions of a connection: who is it, may he come in. A process of aditd-authz answers
 * each; which methods are left, and when a user is through, is decided here.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "server/config_text.h"
#include "server/supervisor_internal.h"

#define REFUSAL_GRID_MS 20 /* refusals leave at these steps, whatever the work behind them took */

static const char *const method_names[] = {
    [ROLE_AUTH_PUBLICKEY] = "publickey",
    [ROLE_AUTH_PASSWORD] = "password",
    [ROLE_AUTH_INTERACTIVE] = "keyboard-interactive",
};

static enum err tell_pre(struct connection *c, const struct role_msg *m, const int *fds,
                         size_t fd_count)
{
    return c->pre ? offspring_send(c->pre, m, fds, fd_count) : ERR_EOF;
}

static struct auth_methods methods_of(const struct connection *c)
{
    return (struct auth_methods){
        .lists = &c->options.authentication_methods,
        .has_publickey = c->options.pubkey_authentication,
        .has_password = c->options.password_authentication,
        .has_interactive = c->options.kbd_interactive_authentication,
    };
}

/* It has answered, and ends by itself. */
static void let_authz_go(struct connection *c)
{
    if (c->authz)
        offspring_forget(c->authz);
    c->authz = NULL;
    c->is_authz_ready = c->is_account_known = false;
    buf_done(&c->question);
}

/* One that has not answered may hang for long, in a command or in a folder of the account's, and
 * there is no limit to how many are left behind. */
void connection_end_question(struct connection *c)
{
    if (c->authz)
        offspring_kill(c->authz, SIGKILL);
    let_authz_go(c);
}

/* ---- what the user may log in by ---- */

/* The options that hold for this user from this address, as a file for several processes, too. */
enum err connection_resolve(struct connection *c)
{
    struct server_options options;
    struct report report;
    int config_fd = -1;
    const struct connection_facts facts = {.user = c->user,
                                           .host = c->host,
                                           .address = c->address,
                                           .local_address = c->local_address,
                                           .local_port = c->local_port,
                                           .is_invalid_user = !c->is_user_known,
                                           .groups = &c->group_names};
    server_options_init(&options);
    report_init(&report);
    enum err err = sshd_config_resolve(c->supervisor->config, &facts, &options, &report);
    if (err == OK)
        err = config_text_to_fd(&options, connection_is_at_work(c), &config_fd);
    config_text_log_report(&report);
    report_done(&report);
    if (err != OK) {
        server_options_done(&options);
        return err;
    }
    if (c->config_fd >= 0)
        close(c->config_fd);
    c->config_fd = config_fd;
    server_options_done(&c->options);
    c->options = options;
    return OK;
}

static enum err send_methods(struct connection *c)
{
    int banner_fd;
    struct buf text;
    const struct auth_methods methods = methods_of(c);
    buf_init(&text, ROLE_MSG_TEXT_MAX);
    auth_methods_next(&methods, &c->steps, &text);
    enum err err = config_text_banner(&c->options, &banner_fd);
    const struct role_msg m = {.kind = ROLE_MSG_METHODS, .text = buf_slice(&text)};
    if (err == OK)
        err = tell_pre(c, &m, &banner_fd, banner_fd >= 0 ? 1 : 0);
    if (banner_fd >= 0)
        close(banner_fd);
    buf_done(&text);
    return err;
}

void connection_keep_groups(struct connection *c, struct slice names)
{
    string_list_done(&c->group_names);
    string_list_init(&c->group_names);
    while (names.len) {
        const uint8_t *end = memchr(names.ptr, '\0', names.len);
        if (!end)
            return;
        string_list_add(&c->group_names, (const char *)names.ptr);
        size_t step = (size_t)(end - names.ptr) + 1;
        names = slice_of(names.ptr + step, names.len - step);
    }
}

/* The account is fixed by the first answer; another one later is no answer. */
static enum err fix_account(struct connection *c, const struct role_msg *m)
{
    if (c->order.phase != SESSION_KEX)
        return m->is_known == c->is_user_known && m->uid == c->uid && m->gid == c->gid
                   ? OK
                   : ERR_PROTOCOL;
    c->is_user_known = m->is_known;
    c->uid = m->uid;
    c->gid = m->gid;
    TRY(connection_keep(&c->groups, m->groups));
    connection_keep_groups(c, m->group_names);
    TRY(connection_resolve(c));
    TRY(connection_step(c, SESSION_KNOWN));
    return send_methods(c);
}

/* ---- answers ---- */

/* OpenSSH's sentence, and the facts beside it. */
static void log_login(const struct connection *c, enum log_level level, const char *result,
                      const struct role_msg *m)
{
    struct escaped user, print;
    char *sentence CLEANUP(mem_cleanup) = mem_printf(
        "%s %s for %s%s from %s port %u ssh2%s%s", result, c->method,
        c->is_user_known ? "" : "invalid user ",
        log_escape(user.text, sizeof(user.text), slice_text(c->user)), c->address, c->port,
        m->fingerprint.len ? ": " : "", log_escape(print.text, sizeof(print.text), m->fingerprint));
    LOG_EVENT(level, "login", sentence, log_text("result", result), log_text("method", c->method),
              log_text("user", c->user), log_bytes("key", m->fingerprint),
              log_text("from", c->address), log_number("port", c->port),
              m->is_allowed ? log_text("reason", NULL) : log_bytes("reason", m->text));
}

static void log_answer(struct connection *c, const struct role_msg *m, bool is_through)
{
    struct escaped user, text;
    bool is_loud = c->is_login || !c->is_first_refusal_said;
    log_escape(user.text, sizeof(user.text), slice_text(c->user));
    log_escape(text.text, sizeof(text.text), m->text);
    if (m->is_allowed) {
        const char *result = !c->is_login ? "Postponed" : is_through ? "Accepted" : "Partial";
        log_login(c, c->is_login ? LOG_INFO : LOG_VERBOSE, result, m);
        return;
    }
    log_login(c, is_loud ? LOG_INFO : LOG_VERBOSE, "Failed", m);
    log_write(c->is_first_refusal_said ? LOG_VERBOSE : LOG_INFO, "Refused %s from %s port %u: %s",
              user.text, c->address, c->port, text.text);
    c->is_first_refusal_said = true;
}

static void send_answer(struct connection *c, const struct role_msg *m)
{
    if (tell_pre(c, m, NULL, 0) != OK)
        connection_cut(c, "its process takes no answer");
}

static void refusal_due(void *owner)
{
    struct connection *c = owner;
    if (connection_step(c, SESSION_REFUSED) != OK)
        connection_cut(c, "an answer came without its question");
    else
        send_answer(c, &(struct role_msg){.kind = ROLE_MSG_ANSWER});
}

/* Who it was that is unknown, or what was wrong, must not show in the time it takes. */
static void refuse(struct connection *c)
{
    struct loop *loop = c->supervisor->loop;
    uint64_t elapsed = loop_now(loop) - c->asked_ms;
    if (!c->refusal)
        c->refusal = loop_timer_new(loop, refusal_due, c);
    loop_timer_start(c->refusal, REFUSAL_GRID_MS - elapsed % REFUSAL_GRID_MS);
}

static enum err keep_used_key(struct connection *c, struct slice key)
{
    const uint8_t length[4] = {(uint8_t)(key.len >> 24), (uint8_t)(key.len >> 16),
                               (uint8_t)(key.len >> 8), (uint8_t)key.len};
    TRY(buf_append(&c->used_keys, length, sizeof(length)));
    return buf_append_slice(&c->used_keys, key);
}

static enum err take_step(struct connection *c, const struct role_msg *m)
{
    char *device CLEANUP(mem_cleanup) = slice_strdup(m->name);
    char *step CLEANUP(mem_cleanup) = mem_printf("%s%s%s", c->method, *device ? ":" : "", device);
    string_list_add(&c->steps, step);
    if (c->method == method_names[ROLE_AUTH_PUBLICKEY])
        TRY(keep_used_key(c, buf_slice(&c->login_key)));
    TRY(connection_keep(&c->key_options, m->options)); /* with those of the steps before in them */
    return connection_keep(&c->fingerprint, m->fingerprint);
}

/* A step is done, and more are wanted. */
static void say_partial(struct connection *c, const struct auth_methods *methods)
{
    struct buf text;
    buf_init(&text, ROLE_MSG_TEXT_MAX);
    auth_methods_next(methods, &c->steps, &text);
    if (connection_step(c, SESSION_REFUSED) != OK)
        connection_cut(c, "an answer came without its question");
    else
        send_answer(c, &(struct role_msg){
                           .kind = ROLE_MSG_ANSWER, .is_partial = true, .text = buf_slice(&text)});
    buf_done(&text);
}

static void allow_login(struct connection *c, const struct role_msg *m)
{
    const struct auth_methods methods = methods_of(c);
    if (take_step(c, m) != OK) {
        connection_cut(c, "the login's options do not fit");
        return;
    }
    bool is_through = auth_methods_is_complete(&methods, &c->steps);
    log_answer(c, m, is_through);
    if (!is_through) {
        say_partial(c, &methods);
        return;
    }
    if (connection_step(c, SESSION_ALLOWED) != OK) {
        connection_cut(c, "an answer came without its question");
        return;
    }
    send_answer(c, &(struct role_msg){.kind = ROLE_MSG_ANSWER, .is_allowed = true});
}

/* The answer, whoever gives it. An answer that is no clear yes is a no. */
static void answer(struct connection *c, const struct role_msg *m)
{
    if (m->is_allowed && c->is_login) {
        allow_login(c, m);
        return;
    }
    log_answer(c, m, false);
    c->has_failed = c->has_failed || !m->is_allowed;
    if (!m->is_allowed)
        refuse(c);
    else if (connection_step(c, SESSION_REFUSED) != OK)
        connection_cut(c, "an answer came without its question");
    else
        send_answer(c, &(struct role_msg){.kind = ROLE_MSG_ANSWER, .is_allowed = true});
}

/* ---- aditd-authz ---- */

static enum err send_question(struct connection *c)
{
    struct role_msg m;
    if (buf_len(&c->question) == 0)
        return OK; /* none is out: it waits for one */
    TRY(role_msg_decode(buf_slice(&c->question), ROLE_SUPERVISOR, ROLE_AUTHZ, &m));
    enum err err = offspring_send(c->authz, &m, &c->config_fd, 1);
    buf_done(&c->question);
    return err;
}

static void on_account(struct connection *c, const struct role_msg *m)
{
    if (c->is_account_known || fix_account(c, m) != OK) {
        connection_cut(c, "aditd-authz says another account, or no options hold for it");
        return;
    }
    if (c->options.refuse_connection) {
        c->fault = PENALTY_REFUSE_CONNECTION;
        connection_cut(c, "RefuseConnection");
        return;
    }
    c->is_account_known = true;
    if (send_question(c) != OK)
        connection_cut(c, "aditd-authz cannot be asked");
}

static void on_prompt(struct connection *c, const struct role_msg *m)
{
    if (connection_step(c, SESSION_PROMPTED) != OK)
        connection_cut(c, "a prompt came without its question");
    else if (tell_pre(c, m, NULL, 0) != OK)
        connection_cut(c, "its process takes no prompt");
}

static void authz_failed(struct connection *c, const char *why)
{
    bool is_asking = c->order.is_asking;
    connection_end_question(c);
    log_error("aditd-authz gave no answer: %s", why);
    if (c->order.phase == SESSION_KEX)
        connection_cut(c, "nobody can say who it is");
    else if (is_asking)
        answer(c, &(struct role_msg){.kind = ROLE_MSG_ANSWER, .text = slice_text("no answer")});
}

static void authz_message(void *owner, enum err err, struct slice bytes, const int *fds,
                          size_t fd_count)
{
    struct connection *c = owner;
    struct role_msg m;
    ipc_close_fds(fds, fd_count);
    if (err == OK)
        err = role_msg_decode(bytes, ROLE_AUTHZ, ROLE_SUPERVISOR, &m);
    if (c->is_authz_ready) {
        log_error("aditd-authz spoke before it was asked, or ended");
        connection_end_question(c); /* the question makes another */
    } else if (err != OK) {
        authz_failed(c, err_name(err));
    } else if (m.kind == ROLE_MSG_ACCOUNT) {
        on_account(c, &m);
    } else if (m.kind == ROLE_MSG_PROMPT) {
        on_prompt(c, &m);
    } else {
        /* An answer whose question was not put (it knows no account yet) is none. */
        bool is_due = c->is_account_known && c->order.is_asking && buf_len(&c->question) == 0;
        let_authz_go(c);
        if (is_due)
            answer(c, &m);
        else
            connection_cut(c, "aditd-authz answers without a question");
    }
}

static void authz_ended(void *owner, uint32_t status UNUSED, uint32_t signal_number)
{
    struct connection *c = owner;
    if (signal_number)
        log_error("aditd-authz for %s port %u died of signal %u", c->address, c->port,
                  signal_number);
    bool was_ready = c->is_authz_ready;
    c->authz = NULL; /* it is freed; what it said before has come */
    c->is_authz_ready = false;
    if (!was_ready) /* else the question makes another */
        authz_failed(c, "it ended");
}

static enum err new_authz(struct connection *c)
{
    connection_end_question(c);
    return offspring_new(&c->authz, c->supervisor->zygotes, PROGRAM_AUTHZ, authz_message,
                         authz_ended, c);
}

/* Whoever has us sign will ask for a login next. Without it the question makes one. */
void connection_prepare_question(struct connection *c)
{
    c->is_authz_ready = !c->authz && new_authz(c) == OK;
}

/* A process that looks the account up and waits for the question. */
static enum err start_authz(struct connection *c)
{
    if (!c->is_authz_ready)
        TRY(new_authz(c));
    c->is_authz_ready = false;
    struct role_msg m = {
        .kind = ROLE_MSG_WHO, .user = slice_text(c->user), .service = slice_text("ssh-connection")};
    connection_add_ends(c, &m);
    return offspring_send(c->authz, &m, NULL, 0);
}

/* ---- questions ---- */

void connection_on_who(struct connection *c, const struct role_msg *m)
{
    if (connection_step(c, SESSION_ASK_WHO) != OK) {
        connection_cut(c, "it may not be asked for a user now");
        return;
    }
    c->login = slice_strdup(m->user);
    c->user = mem_strndup(c->login, strcspn(c->login, ":")); /* "user:style" is OpenSSH's */
    if (start_authz(c) != OK)
        connection_cut(c, "aditd-authz cannot be asked");
}

static enum err keep_question(struct connection *c, const struct role_msg *asked)
{
    struct role_msg m = *asked;
    m.kind = ROLE_MSG_AUTHZ;
    m.host_key = buf_slice(&c->host_key);
    m.session_id = buf_slice(&c->session_id);
    m.used_keys = buf_slice(&c->used_keys);
    m.options = buf_slice(&c->key_options);
    connection_add_ends(c, &m);
    buf_clear(&c->question);
    return role_msg_encode(&m, &c->question);
}

static enum err ask(struct connection *c, const struct role_msg *m)
{
    /* One that waits since WHO serves the first question; a prompt left unanswered ends it. */
    bool is_fresh = c->authz && !c->has_tried;
    c->has_tried = true;
    if (!is_fresh)
        TRY(start_authz(c));
    TRY(keep_question(c, m));
    return c->is_account_known ? send_question(c) : OK;
}

void connection_on_auth(struct connection *c, const struct role_msg *m)
{
    const struct auth_methods methods = methods_of(c);
    if (connection_step(c, SESSION_ASK_AUTH) != OK || m->method >= ARRAY_LEN(method_names)) {
        connection_cut(c, "a login may not be asked for now");
        return;
    }
    c->method = method_names[m->method];
    c->is_login = m->method != ROLE_AUTH_PUBLICKEY || m->has_signature;
    c->asked_ms = loop_now(c->supervisor->loop);
    CHECK(connection_keep(&c->login_key, m->key) == OK);
    if (!slice_is(m->user, c->login)) {
        connection_cut(c, "the user name changed");
    } else if (!auth_methods_may(&methods, &c->steps, c->method)) {
        answer(c, &(struct role_msg){.kind = ROLE_MSG_ANSWER,
                                     .text = slice_text("the method may not be tried now")});
    } else if (ask(c, m) != OK) {
        connection_cut(c, "aditd-authz cannot be asked");
    }
}

void connection_on_response(struct connection *c, const struct role_msg *m)
{
    if (connection_step(c, SESSION_RESPONDED) != OK) {
        connection_cut(c, "a response may not come now");
        return;
    }
    c->asked_ms = loop_now(c->supervisor->loop);
    if (!c->authz || offspring_send(c->authz, m, NULL, 0) != OK)
        authz_failed(c, "it is gone");
}
