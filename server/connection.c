/*
 * The supervisor's side of one connection: the process that has it, the order of its questions,
 * its hand-over. What a process says is believed about nothing but itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "io/address.h"
#include "server/config_text.h"
#include "server/supervisor_internal.h"

#define STATUS_FAILED 255
#define REFILL_MS     20 /* most logins are done by then */

void connection_cut(struct connection *c, const char *why)
{
    if (c->is_cut)
        return; /* its end comes, and nothing that it says until then counts */
    c->is_cut = true;
    log_error("Connection from %s port %u is cut: %s", c->address, c->port, why);
    if (c->pre) {
        offspring_kill(c->pre, SIGKILL);
        offspring_hang_up(c->pre);
    } else if (c->worker) {
        worker_kill(c->worker, SIGKILL);
    }
}

unsigned connections_waiting(const struct supervisor *s)
{
    return s->waiting_count;
}

static void stop_waiting(struct connection *c)
{
    if (list_is_empty(&c->waiting_link))
        return;
    list_remove(&c->waiting_link);
    c->supervisor->waiting_count--;
}

enum err connection_step(struct connection *c, enum session_step step)
{
    enum err err = session_order_step(&c->order, step);
    if (c->order.phase >= SESSION_OK)
        stop_waiting(c);
    return err;
}

bool connection_is_at_work(const struct connection *c)
{
    return c->order.phase == SESSION_WORK;
}

/* Numbers follow each other: the chains are equally long. */
static struct list *chain_of(struct supervisor *s, uint32_t id)
{
    return &s->by_id[id % ID_CHAINS];
}

void connections_init(struct supervisor *s)
{
    list_init(&s->connections);
    list_init(&s->waiting);
    for (size_t i = 0; i < ID_CHAINS; i++)
        list_init(&s->by_id[i]);
}

struct connection *connection_find(struct supervisor *s, uint32_t id)
{
    LIST_FOR (c, chain_of(s, id), struct connection, id_link) {
        if (c->id == id)
            return c;
    }
    return NULL;
}

enum err connection_keep(struct buf *to, struct slice bytes)
{
    buf_clear(to);
    return buf_append_slice(to, bytes);
}

void connection_add_ends(const struct connection *c, struct role_msg *m)
{
    m->address = slice_text(c->address);
    m->port = c->port;
    m->host = slice_text(c->host);
    m->local_address = slice_text(c->local_address);
    m->local_port = c->local_port;
}

/* To the process that has it now. */
static enum err tell(struct connection *c, const struct role_msg *m, const int *fds,
                     size_t fd_count)
{
    if (c->pre)
        return offspring_send(c->pre, m, fds, fd_count);
    return c->worker ? worker_send(c->worker, m, fds, fd_count) : ERR_EOF;
}

/* ---- signatures ---- */

static void on_sign(struct connection *c, const struct role_msg *asked)
{
    struct role_msg m = *asked;
    if (connection_step(c, SESSION_ASK_SIGN) != OK) {
        connection_cut(c, "a signature may not be asked for now");
        return;
    }
    CHECK(connection_keep(&c->signing_hash, m.hash) == OK);
    CHECK(connection_keep(&c->signing_key, m.key) == OK);
    m.connection = c->id; /* whatever number was written */
    if (signer_ask(c->supervisor, &m) != OK)
        connection_cut(c, "aditd-sign cannot be asked");
    else if (c->order.phase == SESSION_NEW)
        connection_prepare_question(c);
}

/* The first hash that was signed is the session id (RFC 4253 7.2). */
static void take_signature(struct connection *c, struct slice signature)
{
    enum session_phase before = c->order.phase;
    if (connection_step(c, SESSION_SIGNED) != OK)
        return;
    if (before == SESSION_NEW) {
        CHECK(connection_keep(&c->session_id, buf_slice(&c->signing_hash)) == OK);
        CHECK(connection_keep(&c->host_key, buf_slice(&c->signing_key)) == OK);
    }
    struct role_msg m = {.kind = ROLE_MSG_SIGNATURE, .connection = c->id, .signature = signature};
    if (tell(c, &m, NULL, 0) != OK)
        connection_cut(c, "its process takes no answer");
}

void connection_signed(struct supervisor *s, const struct role_msg *m)
{
    struct connection *c = connection_find(s, m->connection);
    if (!c)
        return; /* it has ended meanwhile */
    if (m->signature.len == 0)
        connection_cut(c, "aditd-sign refused to sign");
    else
        take_signature(c, m->signature);
}

/* ---- proofs of host keys (hostkeys-prove-00@openssh.com) ---- */

static void on_prove(struct connection *c, const struct role_msg *asked)
{
    struct supervisor *s = c->supervisor;
    struct role_msg m = *asked;
    for (size_t i = 0; i < s->host_key_count; i++) {
        uint64_t bit = (uint64_t)1 << i;
        if (!slice_equal(buf_slice(&s->host_keys[i].blob), m.key) || c->proved & bit)
            continue;
        c->proved |= bit;
        m.connection = c->id;
        m.session_id = buf_slice(&c->session_id);
        if (signer_ask(s, &m) == OK)
            return;
    }
    const struct role_msg none = {.kind = ROLE_MSG_PROOF, .connection = c->id, .tag = m.tag};
    if (tell(c, &none, NULL, 0) != OK)
        connection_cut(c, "its worker takes no answer");
}

void connection_proved(struct supervisor *s, const struct role_msg *m)
{
    struct connection *c = connection_find(s, m->connection);
    if (c && connection_is_at_work(c) && tell(c, m, NULL, 0) != OK)
        connection_cut(c, "its worker takes no answer");
}

/* ---- its end ---- */

/* From here on it does not wait for its login any more: it has it, or it is gone. */
static void stop_counting(struct connection *c)
{
    if (c->is_counted)
        admission_leave(c->supervisor->sources, &c->source);
    c->is_counted = false;
}

/* How a connection ended that was never logged in, and what that costs its source. */
static void penalise(struct connection *c)
{
    struct supervisor *s = c->supervisor;
    uint64_t left_ms;
    if (c->order.phase >= SESSION_OK || s->setup.is_inetd || s->is_ending)
        return;
    if (c->fault == PENALTY_KINDS)
        c->fault = !c->has_failed     ? PENALTY_NOAUTH
                   : c->is_user_known ? PENALTY_AUTHFAIL
                                      : PENALTY_INVALID_USER;
    if (penalty_add(s->penalties, c->address, c->fault, loop_now(s->loop), &left_ms) ==
        PENALTY_BEGINS)
        log_info("%s is refused for %llu s: %s", c->address,
                 (unsigned long long)(left_ms / MS_PER_S), penalty_kind_name(c->fault));
}

void connection_ended(struct connection *c, int status)
{
    struct supervisor *s = c->supervisor;
    struct worker *w = c->worker;
    connection_free(c);
    if (w)
        worker_release(w);
    if (s->setup.is_inetd || (s->is_ending && list_is_empty(&s->connections)))
        supervisor_end(s, s->setup.is_inetd ? status : s->status);
}

static void pre_ended(void *owner, uint32_t status, uint32_t signal_number)
{
    struct connection *c = owner;
    c->pre = NULL;
    if (signal_number && signal_number != SIGKILL) {
        log_error("aditd-pre of %s port %u died of signal %u", c->address, c->port, signal_number);
        c->fault = PENALTY_CRASH;
    }
    penalise(c);
    connection_ended(c, signal_number ? STATUS_FAILED : (int)status);
}

static void grace_over(void *owner)
{
    struct connection *c = owner;
    log_info("Timeout before authentication for %s port %u", c->address, c->port);
    c->fault = PENALTY_GRACE_EXCEEDED;
    if (c->pre)
        offspring_kill(c->pre, SIGKILL);
}

/* ---- the hand-over ---- */

static void on_handover(struct connection *c, const struct role_msg *m)
{
    if (connection_step(c, SESSION_HANDED_OVER) != OK) {
        connection_cut(c, "it may not be handed over now");
        return;
    }
    loop_timer_close(c->grace);
    c->grace = NULL;
    stop_counting(c);
    CHECK(connection_keep(&c->record, m->record) == OK);
    enum err err = workers_adopt(c);
    buf_done(&c->record); /* it has keys in it */
    if (err != OK) {
        c->order.phase = SESSION_GONE;
        connection_cut(c, "no worker takes it");
        return;
    }
    /* One that does not end by itself would hear what is for the worker, and keep the socket. */
    offspring_kill(c->pre, SIGKILL);
    offspring_forget(c->pre);
    c->pre = NULL;
}

static void close_socket(struct connection *c)
{
    if (c->in_fd >= 0)
        close(c->in_fd);
    if (c->out_fd >= 0 && c->out_fd != c->in_fd)
        close(c->out_fd);
    c->in_fd = c->out_fd = -1;
}

/* ---- what its processes say ---- */

static void pre_message(void *owner, enum err err, struct slice bytes, const int *fds,
                        size_t fd_count)
{
    struct connection *c = owner;
    struct role_msg m;
    ipc_close_fds(fds, fd_count); /* it has none to give */
    if (err == ERR_EOF) {
        offspring_hang_up(c->pre);
        return; /* its exit comes */
    }
    if (err == OK)
        err = role_msg_decode(bytes, ROLE_PRE, ROLE_SUPERVISOR, &m);
    if (err != OK)
        connection_cut(c, "aditd-pre sent what is no message");
    else if (m.kind == ROLE_MSG_SIGN)
        on_sign(c, &m);
    else if (m.kind == ROLE_MSG_WHO)
        connection_on_who(c, &m);
    else if (m.kind == ROLE_MSG_AUTH)
        connection_on_auth(c, &m);
    else if (m.kind == ROLE_MSG_RESPONSE)
        connection_on_response(c, &m);
    else if (m.kind == ROLE_MSG_HANDOVER)
        on_handover(c, &m);
    /* READY: it was asked for before it was ready, which does no harm */
}

void connection_worker_message(struct connection *c, const struct role_msg *m, const int *fds,
                               size_t fd_count)
{
    const struct supervisor *s = c->supervisor;
    if (m->kind == ROLE_MSG_CLOSED) {
        connection_ended(c, (int)m->status_ended);
    } else if (c->is_cut || (s->is_ending && !s->setup.is_inetd)) {
        return; /* the next supervisor is asked again */
    } else if (m->kind == ROLE_MSG_ADOPTED) {
        close_socket(c);
    } else if (m->kind == ROLE_MSG_SIGN) {
        on_sign(c, m);
    } else if (connection_step(c, SESSION_ASK_WORK) != OK) {
        connection_cut(c, "its worker may not ask that now");
    } else if (m->kind == ROLE_MSG_SESSION) {
        connection_on_session(c, m, fds, fd_count);
    } else if (m->kind == ROLE_MSG_BIND) {
        connection_on_bind(c, m);
    } else if (m->kind == ROLE_MSG_JOIN) {
        connection_on_join(c, m);
    } else if (m->kind == ROLE_MSG_LENT) {
        connection_on_lent(c, m, fds, fd_count);
    } else if (m->kind == ROLE_MSG_PROVE) {
        on_prove(c, m);
    }
}

/* ---- processes that wait for a connection ---- */

static void ready_message(void *owner, enum err err, struct slice bytes UNUSED, const int *fds,
                          size_t fd_count)
{
    struct pre_ready *r = owner;
    ipc_close_fds(fds, fd_count);
    if (err != OK)
        offspring_hang_up(r->process); /* READY else */
}

static void ready_ended(void *owner, uint32_t status, uint32_t signal_number)
{
    struct pre_ready *r = owner;
    log_error("aditd-pre ended before it had a connection (%s %u)",
              signal_number ? "signal" : "status", signal_number ? signal_number : status);
    list_remove(&r->link);
    r->supervisor->ready_count--;
    mem_free(r);
}

static enum err send_key(void *to, const struct role_msg *m)
{
    return offspring_send(to, m, NULL, 0);
}

static enum err make_ready(struct supervisor *s, struct offspring *o)
{
    struct role_msg m = {.kind = ROLE_MSG_SANDBOX};
    supervisor_role_sandbox(s, &m);
    TRY(offspring_send(o, &m, NULL, 0));
    return supervisor_tell_keys(s, send_key, o);
}

/* In inetd mode there is one connection, and nobody to wait for. */
void connection_fill_ready(struct supervisor *s)
{
    while (!s->setup.is_inetd && !s->is_ending && s->ready_count < PRE_READY) {
        struct pre_ready *r = NEW(struct pre_ready);
        r->supervisor = s;
        if (offspring_new(&r->process, s->zygotes, PROGRAM_PRE, ready_message, ready_ended, r) !=
            OK) {
            mem_free(r);
            return;
        }
        list_append(&s->ready, &r->link);
        s->ready_count++;
        if (make_ready(s, r->process) != OK) {
            offspring_kill(r->process, SIGKILL);
            return;
        }
    }
}

void connection_refill(void *supervisor)
{
    connection_fill_ready(supervisor);
}

/* While somebody logs in, the machine has better things to do. */
static void refill_later(struct supervisor *s)
{
    if (s->ready_count < PRE_READY / 2)
        connection_fill_ready(s);
    else if (!s->setup.is_inetd && !s->is_ending)
        loop_timer_start(s->refill, REFILL_MS);
}

void connection_empty_ready(struct supervisor *s)
{
    LIST_FOR (r, &s->ready, struct pre_ready, link) {
        offspring_forget(r->process);
        list_remove(&r->link);
        mem_free(r);
    }
    s->ready_count = 0;
}

static enum err take_process(struct connection *c)
{
    struct supervisor *s = c->supervisor;
    struct list *first = list_take_first(&s->ready);
    if (!first) {
        TRY(offspring_new(&c->pre, s->zygotes, PROGRAM_PRE, pre_message, pre_ended, c));
        return make_ready(s, c->pre);
    }
    struct pre_ready *r = container_of(first, struct pre_ready, link);
    s->ready_count--;
    c->pre = r->process;
    offspring_give(c->pre, pre_message, pre_ended, c);
    mem_free(r);
    return OK;
}

/* ---- its beginning ---- */

static void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static enum err send_start(struct connection *c, const struct server_options *options)
{
    int config_fd, moduli_fd;
    TRY(config_text_to_fd(options, false, &config_fd));
    if (config_text_moduli(options, &moduli_fd) != OK)
        log_error("cannot pass %s on: group exchange uses built-in groups", options->moduli_file);
    const int fds[] = {config_fd, c->in_fd, c->out_fd, moduli_fd};
    struct role_msg m = {.kind = ROLE_MSG_START, .connection = c->id};
    connection_add_ends(c, &m);
    enum err err = offspring_send(c->pre, &m, fds, ARRAY_LEN(fds) - (moduli_fd < 0));
    close(config_fd);
    if (moduli_fd >= 0)
        close(moduli_fd);
    return err;
}

static enum err start_process(struct connection *c)
{
    struct server_options options;
    struct report report;
    const struct connection_facts facts = {.host = c->host,
                                           .address = c->address,
                                           .local_address = c->local_address,
                                           .local_port = c->local_port};
    server_options_init(&options);
    report_init(&report);
    enum err err = sshd_config_resolve(c->supervisor->config, &facts, &options, &report);
    if (err == OK)
        err = take_process(c);
    if (err == OK)
        err = send_start(c, &options);
    if (err == OK)
        session_order_init(&c->order, (unsigned)options.max_auth_tries);
    if (err == OK && options.login_grace_time_s) {
        c->grace = loop_timer_new(c->supervisor->loop, grace_over, c);
        loop_timer_start(c->grace, (uint64_t)options.login_grace_time_s * MS_PER_S);
    }
    config_text_log_report(&report);
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

struct connection *connection_new(struct supervisor *s, uint32_t id)
{
    struct connection *c = NEW(struct connection);
    c->supervisor = s;
    c->id = id;
    c->fault = PENALTY_KINDS; /* none that is known yet */
    c->config_fd = c->ticket_fd = c->in_fd = c->out_fd = -1;
    server_options_init(&c->options);
    string_list_init(&c->group_names);
    string_list_init(&c->steps);
    buf_init_secret(&c->record, ROLE_MSG_RECORD_MAX);
    buf_init_secret(&c->question, ROLE_MSG_MAX);
    buf_init(&c->groups, ROLE_MSG_GROUPS_MAX);
    buf_init(&c->used_keys, ROLE_MSG_USED_MAX);
    buf_init(&c->signing_hash, ROLE_MSG_HASH_MAX);
    buf_init(&c->session_id, ROLE_MSG_HASH_MAX);
    buf_init(&c->signing_key, ROLE_MSG_KEY_MAX);
    buf_init(&c->host_key, ROLE_MSG_KEY_MAX);
    buf_init(&c->login_key, ROLE_MSG_KEY_MAX);
    buf_init(&c->key_options, ROLE_MSG_OPTIONS_MAX);
    buf_init(&c->fingerprint, ROLE_MSG_TEXT_MAX);
    list_init(&c->launches);
    list_init(&c->waiting_link);
    list_init(&c->member_link);
    list_append(&s->connections, &c->link);
    list_append(chain_of(s, id), &c->id_link);
    return c;
}

/* Workers of an earlier supervisor came with numbers of their own. */
static uint32_t free_id(struct supervisor *s)
{
    do
        s->last_id++;
    while (connection_find(s, s->last_id));
    return s->last_id;
}

void connection_start(struct supervisor *s, int in, int out, const char *from, uint16_t port)
{
    struct connection *c = connection_new(s, free_id(s));
    snprintf(c->address, sizeof(c->address), "%s", from);
    c->host = mem_strdup(from);
    c->port = port;
    find_local_address(c, in);
    c->source = source_of(from, s->options.per_source_net_block_size);
    list_append(&s->waiting, &c->waiting_link);
    s->waiting_count++;
    c->is_counted = true;
    admission_enter(s->sources, &c->source);
    c->in_fd = fcntl(in, F_DUPFD_CLOEXEC, 3);
    c->out_fd = out == in ? c->in_fd : fcntl(out, F_DUPFD_CLOEXEC, 3);
    enum err err = c->in_fd >= 0 && c->out_fd >= 0 ? OK : ERR_IO;
    if (err == OK) {
        set_nonblocking(c->in_fd); /* its processes may not change a descriptor */
        set_nonblocking(c->out_fd);
        err = start_process(c);
    }
    refill_later(s);
    if (err == OK)
        return;
    log_error("cannot serve %s port %u: %s", c->address, c->port, err_name(err));
    connection_free(c);
    if (s->setup.is_inetd)
        supervisor_end(s, STATUS_FAILED);
}

/* The oldest of those that have got least far: who is in the midst of a login is spared. */
static struct connection *most_dispensable(struct supervisor *s, const struct source *crowd)
{
    struct connection *found = NULL;
    LIST_FOR (c, &s->waiting, struct connection, waiting_link) {
        if (c->is_counted && memcmp(&c->source, crowd, sizeof(*crowd)) == 0 &&
            (!found || c->order.phase < found->order.phase))
            found = c;
    }
    return found;
}

/* Without a penalty: one who waits has done no wrong. */
bool connection_make_room(struct supervisor *s, const struct source *newcomer)
{
    struct source crowd;
    if (!admission_gives_way(s->sources, newcomer, &crowd))
        return false;
    struct connection *c = most_dispensable(s, &crowd);
    if (!c)
        return false;
    log_verbose("Connection from %s port %u gives way: its source has the most that are not "
                "logged in, past MaxStartups",
                c->address, c->port);
    connection_free(c);
    return true;
}

/* ---- a new configuration ---- */

void connection_reload(struct connection *c)
{
    const struct role_msg m = {.kind = ROLE_MSG_OPTIONS, .connection = c->id};
    if (c->config_fd < 0)
        return; /* who it is comes later, and is judged by the new one */
    if (connection_resolve(c) != OK)
        connection_cut(c, "the new configuration cannot be laid upon it");
    else if (connection_is_at_work(c) && tell(c, &m, &c->config_fd, 1) != OK)
        connection_cut(c, "its worker takes no options");
}

void connection_free(struct connection *c)
{
    list_remove(&c->link);
    list_remove(&c->id_link);
    list_remove(&c->member_link);
    stop_waiting(c);
    connection_leave_joins(c);
    connection_end_question(c);
    stop_counting(c);
    loop_timer_close(c->refusal);
    loop_timer_close(c->grace);
    if (c->pre) {
        offspring_kill(c->pre, SIGKILL);
        offspring_forget(c->pre);
    }
    LIST_FOR (l, &c->launches, struct launch, link) {
        child_forget(l->child); /* it sees the worker's end, and is reaped */
        mem_free(l);
    }
    close_socket(c);
    if (c->config_fd >= 0)
        close(c->config_fd);
    if (c->ticket_fd >= 0)
        close(c->ticket_fd);
    server_options_done(&c->options);
    string_list_done(&c->group_names);
    string_list_done(&c->steps);
    mem_free(c->user);
    mem_free(c->login);
    mem_free(c->host);
    struct buf *const bufs[] = {&c->record,      &c->question,    &c->groups,       &c->used_keys,
                                &c->signing_key, &c->session_id,  &c->signing_hash, &c->host_key,
                                &c->login_key,   &c->key_options, &c->fingerprint};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_done(bufs[i]);
    mem_free(c);
}
