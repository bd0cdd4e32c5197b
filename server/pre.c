/*
 * aditd-pre: one connection until its user is logged in, in a process that can do nothing but
 * read, write and compute. It holds no private key and decides about no login: signatures and
 * verdicts are questions to the supervisor. A few wait ready, each is used once. After SUCCESS it
 * hands the transport's state over and ends.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "io/ipc_blocking.h"
#include "server/config_text.h"
#include "server/login.h"
#include "server/role.h"
#include "server/role_sandbox.h"
#include "server/server_transport.h"
#include "server/zygote.h"

#define STATUS_PROTOCOL 255
#define READ_STEP       16384
#define START_FDS       3 /* the options; the connection's way in and out; ModuliFile or not */

struct pre {
    int ipc_fd, in_fd, out_fd;
    const struct crypto *crypto;
    struct rng *rng;
    struct server_keys keys;
    struct server_options options;
    struct server_transport transport;
    struct login *login;
    char *address;
    uint32_t port, connection;
    struct buf moduli; /* text; empty: group exchange uses built-in groups */
    struct buf record; /* of messages from the supervisor */
    bool is_done;      /* SUCCESS is sealed */
    bool is_over;
    int status;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * MS_PER_S + (uint64_t)now.tv_nsec / 1000000;
}

static void end(struct pre *p, int status)
{
    p->is_over = true;
    p->status = status;
}

static void tell_supervisor(struct pre *p, const struct role_msg *m)
{
    if (role_send(p->ipc_fd, m) != OK)
        end(p, STATUS_PROTOCOL); /* it is gone, and with it every answer */
}

/* ---- questions ---- */

static void ask_signature(struct pre *p, struct slice hash)
{
    struct transport_signing with = transport_signing(login_transport(p->login));
    tell_supervisor(p, &(struct role_msg){.kind = ROLE_MSG_SIGN,
                                          .connection = p->connection,
                                          .name = slice_text(with.algorithm),
                                          .key = with.host_key,
                                          .hash = hash});
}

static void ask(struct pre *p, const struct auth_server_event *e)
{
    struct role_msg m = {.kind = ROLE_MSG_AUTH, .user = e->user, .service = e->service};
    switch (e->kind) {
    case AUTH_SERVER_WHO:
        m.kind = ROLE_MSG_WHO;
        break;
    case AUTH_SERVER_KEY:
    case AUTH_SERVER_SIGNED:
        m.method = ROLE_AUTH_PUBLICKEY;
        m.name = e->algorithm;
        m.key = e->key_blob;
        m.is_hostbound = e->hostbound;
        m.has_signature = e->kind == AUTH_SERVER_SIGNED;
        m.signature = e->signature;
        break;
    case AUTH_SERVER_PASSWORD:
        m.method = ROLE_AUTH_PASSWORD;
        m.password = e->password;
        break;
    case AUTH_SERVER_INTERACTIVE:
        m.method = ROLE_AUTH_INTERACTIVE;
        break;
    case AUTH_SERVER_RESPONSES:
        m.kind = ROLE_MSG_RESPONSE;
        m.body = e->body;
        break;
    case AUTH_SERVER_NONE:
        return;
    }
    tell_supervisor(p, &m);
}

/* ---- what the login has to say ---- */

static void say_end(struct pre *p, const struct login_event *e)
{
    const char *user = ESCAPED(slice_text(login_user(p->login)));
    const char *role = *user ? "authenticating user " : "";
    const char *space = *user ? " " : "";
    if (e->by_peer) {
        log_info("Received disconnect from %s port %u:%u: %s", p->address, p->port,
                 e->fault.disconnect_reason, ESCAPED(e->text));
        log_info("Disconnected from %s%s%s%s port %u", role, user, space, p->address, p->port);
    } else {
        log_info("Disconnecting %s%s%s%s port %u: %s", role, user, space, p->address, p->port,
                 e->fault.text);
    }
    end(p, e->by_peer ? 0 : STATUS_PROTOCOL);
}

static void serve_login(struct pre *p)
{
    struct login_event e;
    do {
        login_next(p->login, &e, now_ms());
        switch (e.kind) {
        case LOGIN_IDENT:
            log_debug("Remote protocol identification %s", ESCAPED(e.text));
            break;
        case LOGIN_DEBUG:
            log_debug("Remote: %s", ESCAPED(e.text));
            break;
        case LOGIN_SIGN:
            ask_signature(p, e.text);
            break;
        case LOGIN_ASK:
            ask(p, &e.auth);
            break;
        case LOGIN_DONE:
            p->is_done = true;
            break;
        case LOGIN_ENDED:
            say_end(p, &e);
            break;
        case LOGIN_NONE:
            break;
        }
    } while (e.kind != LOGIN_NONE && !p->is_over);
}

/* ---- answers ---- */

/* The supervisor's copy of the Banner file. */
static enum err read_text(int fd, struct buf *text)
{
    for (;;) {
        uint8_t *room;
        TRY(buf_reserve(text, READ_STEP, &room));
        ssize_t n = pread(fd, room, READ_STEP, (off_t)buf_len(text));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? ERR_IO : OK;
        buf_commit(text, (size_t)n);
    }
}

static void on_methods(struct pre *p, const struct role_msg *m, int banner_fd)
{
    struct buf banner;
    buf_init(&banner, CONFIG_TEXT_BANNER_MAX + READ_STEP);
    if (banner_fd >= 0 && read_text(banner_fd, &banner) != OK)
        log_error("the banner cannot be read");
    login_answer_who(p->login, m->text, buf_slice(&banner));
    buf_done(&banner);
}

static void on_answer(struct pre *p, const struct role_msg *m)
{
    enum auth_verdict verdict = m->is_allowed   ? AUTH_VERDICT_YES
                                : m->is_partial ? AUTH_VERDICT_PARTIAL
                                                : AUTH_VERDICT_NO;
    login_answer(p->login, verdict, m->text);
}

static void serve_supervisor(struct pre *p)
{
    int fds[IPC_FDS_MAX];
    size_t fd_count = 0;
    struct role_msg m;
    enum err err = ipc_recv_blocking(p->ipc_fd, &p->record, fds, &fd_count);
    if (err == OK)
        err = role_msg_decode(buf_slice(&p->record), ROLE_SUPERVISOR, ROLE_PRE, &m);
    if (err != OK)
        end(p, STATUS_PROTOCOL);
    else if (m.kind == ROLE_MSG_SIGNATURE)
        login_give_signature(p->login, m.signature, now_ms());
    else if (m.kind == ROLE_MSG_METHODS)
        on_methods(p, &m, fd_count ? fds[0] : -1);
    else if (m.kind == ROLE_MSG_PROMPT)
        login_prompt(p->login, m.body);
    else if (m.kind == ROLE_MSG_ANSWER)
        on_answer(p, &m);
    else
        log_error("the supervisor repeated its greeting");
    ipc_close_fds(fds, fd_count);
}

/* ---- the connection ---- */

static void write_output(struct pre *p)
{
    struct transport *t = login_transport(p->login);
    struct slice out = transport_output(t);
    if (out.len == 0)
        return;
    ssize_t n = write(p->out_fd, out.ptr, out.len);
    if (n > 0)
        transport_output_taken(t, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        end(p, STATUS_PROTOCOL);
}

static void say_lost(struct pre *p, bool is_end)
{
    const char *user = ESCAPED(slice_text(login_user(p->login)));
    log_info("Connection %s by %s%s%s%s port %u", is_end ? "closed" : "reset",
             *user ? "authenticating user " : "", user, *user ? " " : "", p->address, p->port);
    end(p, is_end ? 0 : STATUS_PROTOCOL);
}

static void read_input(struct pre *p)
{
    struct transport *t = login_transport(p->login);
    struct iovec room;
    if (transport_recv_room(t, READ_STEP, &room) != OK)
        return; /* full: an answer must come first */
    ssize_t n = read(p->in_fd, room.iov_base, room.iov_len);
    if (n > 0)
        transport_recv_commit(t, (size_t)n);
    else if (n == 0)
        say_lost(p, true);
    else if (errno != EAGAIN && errno != EINTR)
        say_lost(p, false);
}

static bool has_room(struct pre *p)
{
    struct iovec room;
    return transport_recv_room(login_transport(p->login), READ_STEP, &room) == OK;
}

static int patience_ms(struct pre *p)
{
    uint64_t due = transport_deadline_ms(login_transport(p->login));
    uint64_t now = now_ms();
    if (due == CLOCK_NEVER)
        return -1;
    return due <= now ? 0 : (int)MIN(due - now, (uint64_t)60 * MS_PER_S);
}

/* Waits for bytes, room or an answer, and takes what is there. */
static void turn(struct pre *p)
{
    struct transport *t = login_transport(p->login);
    bool has_output = transport_output(t).len > 0;
    bool may_read = !p->is_done && has_room(p);
    struct pollfd polled[] = {
        {.fd = p->ipc_fd, .events = POLLIN},
        {.fd = may_read ? p->in_fd : -1, .events = POLLIN},
        {.fd = has_output ? p->out_fd : -1, .events = POLLOUT},
    };
    if (poll(polled, ARRAY_LEN(polled), patience_ms(p)) < 0 && errno != EINTR) {
        end(p, STATUS_PROTOCOL);
        return;
    }
    transport_tick(t, now_ms());
    if (polled[0].revents)
        serve_supervisor(p);
    if (polled[1].revents)
        read_input(p);
}

static void hand_over(struct pre *p)
{
    struct buf record;
    buf_init(&record, ROLE_MSG_RECORD_MAX);
    enum err err = transport_export(login_transport(p->login), &record);
    if (err == OK)
        tell_supervisor(
            p, &(struct role_msg){.kind = ROLE_MSG_HANDOVER, .record = buf_slice(&record)});
    else
        log_error("the connection cannot be handed over: %s", err_name(err));
    mem_wipe((void *)(uintptr_t)buf_slice(&record).ptr, buf_len(&record));
    buf_done(&record);
    end(p, err == OK ? 0 : STATUS_PROTOCOL);
}

static void serve(struct pre *p)
{
    while (!p->is_over) {
        serve_login(p);
        write_output(p); /* also the last words of one that has ended */
        if (p->is_over)
            break;
        if (p->is_done && transport_output(login_transport(p->login)).len == 0)
            hand_over(p);
        else
            turn(p);
    }
}

/* ---- beginning ---- */

static enum err on_start(struct pre *p, const struct role_msg *m, const int *fds, size_t fd_count)
{
    if (fd_count != START_FDS && fd_count != START_FDS + 1)
        return ERR_PROTOCOL;
    p->connection = m->connection;
    p->address = slice_strdup(m->address);
    p->port = m->port;
    p->in_fd = fds[1];
    p->out_fd = fds[2];
    enum err err = config_text_from_fd(fds[0], &p->options);
    close(fds[0]);
    log_set_level(p->options.log_level);
    if (fd_count > START_FDS) {
        if (read_text(fds[START_FDS], &p->moduli) != OK)
            log_error("the moduli cannot be read: group exchange uses built-in groups");
        close(fds[START_FDS]);
    }
    return err;
}

/* The host keys, then who connected. Most of this process's life is spent in here. */
static enum err read_greeting(struct pre *p)
{
    struct role_msg m = {.kind = ROLE_MSG_HOST_KEY};
    while (m.kind != ROLE_MSG_START) {
        int fds[IPC_FDS_MAX];
        size_t fd_count = 0;
        TRY(ipc_recv_blocking(p->ipc_fd, &p->record, fds, &fd_count));
        TRY(role_msg_decode(buf_slice(&p->record), ROLE_SUPERVISOR, ROLE_PRE, &m));
        if (m.kind == ROLE_MSG_HOST_KEY)
            server_keys_add(&p->keys, &m);
        else if (m.kind != ROLE_MSG_START)
            return ERR_PROTOCOL;
        else
            return on_start(p, &m, fds, fd_count);
    }
    return OK;
}

static int serve_connection(struct pre *p)
{
    server_transport_init(&p->transport, &p->keys, &p->options, p->crypto, p->rng);
    p->transport.config.moduli = buf_slice(&p->moduli);
    struct login_config config = {.transport = &p->transport.config,
                                  .accepted =
                                      NULL, /* a Match block may accept others: authz looks */
                                  .max_tries = (unsigned)p->options.max_auth_tries};
    if (p->transport.host_key[0]) {
        p->login = login_new(&config, now_ms());
        serve(p);
    } else {
        log_error("no host key fits HostKeyAlgorithms");
    }
    login_free(p->login);
    server_transport_done(&p->transport);
    return p->status;
}

struct warm {
    const struct crypto *crypto;
    struct sandbox *sandbox;
};

static int run_child(void *owner, int fd)
{
    const struct warm *warm = owner;
    struct pre p = {.ipc_fd = fd, .crypto = warm->crypto, .status = STATUS_PROTOCOL};
    buf_init(&p.record, ROLE_MSG_MAX);
    buf_init(&p.moduli, CONFIG_TEXT_MODULI_MAX + READ_STEP);
    server_options_init(&p.options);
    role_log_set_name("aditd-pre");
    p.rng = rng_new();
    enum err err = role_enter_sandbox(fd, ROLE_PRE, warm->sandbox);
    if (err == OK)
        err = role_send(fd, &(struct role_msg){.kind = ROLE_MSG_READY});
    if (err == OK)
        err = read_greeting(&p);
    if (err == OK)
        p.status = serve_connection(&p);
    else if (err != ERR_EOF)
        log_error("aditd-pre was not told what to serve: %s", err_name(err));
    mem_free(p.address);
    server_keys_done(&p.keys);
    server_options_done(&p.options);
    buf_done(&p.record);
    buf_done(&p.moduli);
    rng_free(p.rng);
    return err == ERR_EOF ? 0 : p.status;
}

int main(int argc, char **argv)
{
    (void)role_start(argc, argv, "aditd-pre");
    struct crypto *crypto = crypto_new();
    struct warm warm = {.crypto = crypto, .sandbox = sandbox_prepare(SANDBOX_PRE)};
    int status = STATUS_PROTOCOL;
    if (!crypto || !warm.sandbox)
        log_fatal("aditd-pre cannot make itself ready");
    else
        status = zygote_serve(run_child, &warm);
    sandbox_free(warm.sandbox);
    crypto_free(crypto);
    return status;
}
