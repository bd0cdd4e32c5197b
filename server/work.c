/*
 * aditd-work: connections of one account, under its uid, on one loop. Each was logged in elsewhere
 * and handed over. It holds no private key, and what a user may do comes with the ticket. It
 * outlives its supervisor: one that was started anew hears from it who it is and whom it has.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "io/ipc.h"
#include "io/resolver.h"
#include "server/role.h"
#include "server/role_sandbox.h"
#include "server/work_connection.h"
#include "server/zygote.h"

#define STATUS_FAILED 255
#define RETRY_MS      100   /* looking for a new supervisor: doubled up to ... */
#define RETRY_MAX_MS  1000  /* while none is there */
#define RETRY_FAR_MS  30000 /* while one is there that does not take us: another version, say */
#define ADOPT_FDS     4     /* in, out, options, ticket */

struct held {
    struct list link;
    struct work_connection *connection;
};

struct worker {
    struct loop *loop;
    struct ipc *supervisor; /* NULL: away */
    struct loop_timer *retry;
    uint64_t retry_ms, joined_ms; /* the next pause; when a supervisor was found */
    struct loop_signal *term;
    struct work_host host;
    struct resolver *resolver;
    struct server_keys keys;
    struct window_budget windows;
    struct list held;
    size_t count;
    const char *register_path; /* NULL: none is there to come back */
    struct buf unit;
};

static void supervisor_message(void *owner, enum err err, struct slice bytes, const int *fds,
                               size_t fd_count);

/* ---- to the supervisor ---- */

static enum err tell(void *owner, const struct role_msg *m, const int *fds, size_t fd_count)
{
    struct worker *w = owner;
    struct buf bytes;
    buf_init(&bytes, ROLE_MSG_MAX);
    enum err err = w->supervisor ? role_msg_encode(m, &bytes) : ERR_EOF;
    if (err == OK)
        err = ipc_send(w->supervisor, buf_slice(&bytes), fds, fd_count);
    buf_done(&bytes);
    return err;
}

/* Nobody needs it any more: the supervisor said so by closing, or is away for ever. */
static void end_if_empty(struct worker *w)
{
    if (w->count == 0 && !w->supervisor)
        loop_stop(w->loop);
}

static void ended(void *owner, struct work_connection *c)
{
    struct worker *w = owner;
    LIST_FOR (h, &w->held, struct held, link) {
        if (h->connection != c)
            continue;
        list_remove(&h->link);
        mem_free(h);
        w->count--;
        (void)!tell(w,
                    &(struct role_msg){.kind = ROLE_MSG_CLOSED,
                                       .connection = work_connection_id(c),
                                       .status_ended = (uint32_t)work_connection_status(c)},
                    NULL, 0);
        work_connection_free(c);
        break;
    }
    end_if_empty(w);
}

/* ---- a supervisor that was started anew ---- */

static enum err introduce(struct worker *w)
{
    TRY(tell(w, &(struct role_msg){.kind = ROLE_MSG_REGISTER, .unit = buf_slice(&w->unit)}, NULL,
             0));
    LIST_FOR (h, &w->held, struct held, link) {
        int ticket = work_connection_ticket(h->connection);
        const struct role_msg m = {.kind = ROLE_MSG_HELD,
                                   .connection = work_connection_id(h->connection)};
        TRY(tell(w, &m, &ticket, 1));
    }
    LIST_FOR (h, &w->held, struct held, link)
        work_connection_ask_again(h->connection);
    return OK;
}

static void look_for_supervisor(void *owner)
{
    struct worker *w = owner;
    int fd;
    if (ipc_connect(w->register_path, &fd) == OK) {
        w->supervisor = ipc_new(w->loop, fd, supervisor_message, w);
        w->joined_ms = loop_now(w->loop);
        if (introduce(w) == OK) {
            log_info("a supervisor is there again: %zu connections go on", w->count);
            return;
        }
        ipc_close(w->supervisor);
        w->supervisor = NULL;
    }
    w->retry_ms = MIN(2 * w->retry_ms, MAX(w->retry_ms, (uint64_t)RETRY_MAX_MS));
    loop_timer_start(w->retry, w->retry_ms);
}

static void supervisor_gone(struct worker *w)
{
    ipc_close(w->supervisor);
    w->supervisor = NULL;
    LIST_FOR (h, &w->held, struct held, link)
        work_connection_unanswered(h->connection);
    /* One that hangs up at once will do so again: it is asked less and less often. */
    bool was_short = w->joined_ms && loop_now(w->loop) - w->joined_ms < RETRY_MAX_MS;
    w->retry_ms = was_short ? MIN(2 * w->retry_ms, (uint64_t)RETRY_FAR_MS) : RETRY_MS;
    if (w->count > 0 && w->register_path)
        loop_timer_start(w->retry, w->retry_ms);
    end_if_empty(w);
}

/* ---- from the supervisor ---- */

static struct work_connection *find(struct worker *w, uint32_t id)
{
    LIST_FOR (h, &w->held, struct held, link) {
        if (work_connection_id(h->connection) == id)
            return h->connection;
    }
    return NULL;
}

/* The descriptors are the connection's from here on. */
static void on_adopt(struct worker *w, const struct role_msg *m, const int *fds, size_t fd_count)
{
    if (fd_count != ADOPT_FDS || find(w, m->connection)) {
        log_error("the supervisor's hand-over is not whole");
        for (size_t i = 0; i < fd_count; i++)
            close(fds[i]);
        return;
    }
    const struct work_adoption adoption = {.connection = m->connection,
                                           .record = m->record,
                                           .in_fd = fds[0],
                                           .out_fd = fds[1],
                                           .config_fd = fds[2],
                                           .ticket_fd = fds[3]};
    struct work_connection *c;
    enum err err = work_connection_new(&c, &w->host, &adoption);
    if (err != OK) {
        log_error("a connection cannot be taken over: %s", err_name(err));
        (void)!tell(w,
                    &(struct role_msg){.kind = ROLE_MSG_CLOSED,
                                       .connection = m->connection,
                                       .status_ended = STATUS_FAILED},
                    NULL, 0);
        return;
    }
    struct held *h = NEW(struct held);
    h->connection = c;
    list_append(&w->held, &h->link);
    w->count++;
    (void)!tell(w, &(struct role_msg){.kind = ROLE_MSG_ADOPTED, .connection = m->connection}, NULL,
                0);
}

static void serve_connection(struct worker *w, const struct role_msg *m, const int *fds,
                             size_t fd_count)
{
    struct work_connection *c = find(w, m->connection);
    if (!c)
        return; /* it has just ended */
    if (m->kind == ROLE_MSG_SIGNATURE)
        work_connection_signed(c, m->signature);
    else if (m->kind == ROLE_MSG_PROOF)
        work_connection_proved(c, m->tag, m->signature);
    else if (m->kind == ROLE_MSG_JOIN)
        work_connection_lend(c, m);
    else if (m->kind == ROLE_MSG_OPTIONS && fd_count == 1)
        work_connection_options(c, fds[0]);
}

static void supervisor_message(void *owner, enum err err, struct slice bytes, const int *fds,
                               size_t fd_count)
{
    struct worker *w = owner;
    struct role_msg m;
    if (err == OK)
        err = role_msg_decode(bytes, ROLE_SUPERVISOR, ROLE_WORK, &m);
    if (err == OK && m.kind == ROLE_MSG_ADOPT) {
        on_adopt(w, &m, fds, fd_count);
        return;
    }
    if (err == OK && m.kind == ROLE_MSG_BOUND && find(w, m.connection)) {
        work_connection_bound(find(w, m.connection), &m, fds, fd_count);
        return;
    }
    if (err != OK)
        supervisor_gone(w);
    else if (m.kind == ROLE_MSG_HOST_KEY)
        server_keys_add(&w->keys, &m);
    else if (m.kind == ROLE_MSG_RESOLVER && fd_count == 1) {
        if (w->resolver)
            resolver_turn_to(w->resolver, fds[0]);
        else
            w->resolver = resolver_new(w->loop, fds[0]);
        return;
    } else if (m.kind == ROLE_MSG_REGISTER) {
        buf_clear(&w->unit);
        CHECK(buf_append_slice(&w->unit, m.unit) == OK);
    } else
        serve_connection(w, &m, fds, fd_count);
    ipc_close_fds(fds, fd_count);
}

/* ---- its life ---- */

static void on_term(void *owner, int signal_number UNUSED)
{
    struct worker *w = owner;
    LIST_FOR (h, &w->held, struct held, link)
        work_connection_say_goodbye(h->connection, "the server is shutting down");
    w->register_path = NULL;
    if (w->count == 0)
        loop_stop(w->loop); /* it only waited for its account to come again */
}

static void run(struct worker *w, int fd)
{
    w->loop = loop_new();
    w->host.loop = w->loop;
    w->host.windows = &w->windows;
    w->supervisor = ipc_new(w->loop, fd, supervisor_message, w);
    w->retry = loop_timer_new(w->loop, look_for_supervisor, w);
    w->term = loop_signal_new(w->loop, SIGTERM, on_term, w);
    loop_run(w->loop);
    LIST_FOR (h, &w->held, struct held, link) {
        list_remove(&h->link);
        work_connection_free(h->connection);
        mem_free(h);
    }
    ipc_close(w->supervisor);
    resolver_close(w->resolver);
    loop_timer_close(w->retry);
    loop_signal_close(w->term);
    loop_free(w->loop);
}

struct warm {
    const struct crypto *crypto;
    struct sandbox *sandbox;
    const char *register_path;
};

static int run_child(void *owner, int fd)
{
    const struct warm *warm = owner;
    struct worker w = {.register_path = warm->register_path};
    role_log_set_name("aditd-work");
    if (role_enter_sandbox(fd, ROLE_WORK, warm->sandbox) != OK)
        return STATUS_FAILED;
    w.host = (struct work_host){.crypto = warm->crypto,
                                .rng = rng_new(),
                                .keys = &w.keys,
                                .tell = tell,
                                .ended = ended,
                                .owner = &w};
    list_init(&w.held);
    buf_init(&w.unit, ROLE_MSG_KEY_MAX);
    run(&w, fd);
    server_keys_done(&w.keys);
    buf_done(&w.unit);
    rng_free(w.host.rng);
    return 0;
}

int main(int argc, char **argv)
{
    int i = role_start(argc, argv, "aditd-work");
    struct crypto *crypto = crypto_new();
    struct warm warm = {.crypto = crypto,
                        .sandbox = sandbox_prepare(SANDBOX_WORK),
                        .register_path = i < argc ? argv[i] : NULL};
    int status = STATUS_FAILED;
    if (!crypto || !warm.sandbox)
        log_fatal("aditd-work cannot make itself ready");
    else
        status = zygote_serve(run_child, &warm);
    sandbox_free(warm.sandbox);
    crypto_free(crypto);
    return status;
}
