/* Workers: which one a login belongs to, the way to it, and what its end means. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "server/supervisor_internal.h"
#include "server/ticket.h"

#define IDLE_MS 5000

enum err worker_send(struct worker *w, const struct role_msg *m, const int *fds, size_t fd_count)
{
    return w->process ? offspring_send(w->process, m, fds, fd_count)
                      : role_ipc_send(w->ipc, m, fds, fd_count);
}

void worker_kill(struct worker *w, int signal_number)
{
    if (w->process)
        offspring_kill(w->process, signal_number);
    else /* its pid was never ours: hanging up is what can be done, and nobody is surprised by it */
        loop_turn_request(w->supervisor->loop, &w->end_turn);
}

static void stop_waiting(struct worker *w)
{
    if (!w->idle)
        return;
    loop_timer_close(w->idle);
    w->idle = NULL;
    list_remove(&w->idle_link);
    w->supervisor->idle_worker_count--;
}

void worker_free(struct worker *w)
{
    list_remove(&w->link);
    stop_waiting(w);
    loop_turn_cancel(&w->end_turn);
    offspring_forget(w->process);
    ipc_close(w->ipc);
    buf_done(&w->identity);
    buf_done(&w->unit);
    mem_free(w->user);
    mem_free(w);
}

/* ---- its end ---- */

void worker_add(struct worker *w, struct connection *c)
{
    c->worker = w;
    w->connections++;
    list_append(&w->members, &c->member_link);
}

void worker_lost(struct worker *w, uint32_t status, uint32_t signal_number)
{
    struct supervisor *s = w->supervisor;
    bool is_crash = signal_number && signal_number != SIGTERM && signal_number != SIGKILL;
    if (!w->is_leaving && (w->connections || is_crash))
        log_error("the worker of %s died (%s %u): %u connections are lost with it", w->user,
                  signal_number ? "signal" : "status", signal_number ? signal_number : status,
                  w->connections);
    if (!w->is_leaving && is_crash && crash_guard_add(&s->crashes, w->uid, loop_now(s->loop)))
        log_error("workers of %s crash again and again: each connection gets one of its own now",
                  w->user);
    w->is_leaving = true;
    while (!list_is_empty(&w->members)) {
        struct connection *c = container_of(w->members.next, struct connection, member_link);
        c->worker = NULL;
        connection_ended(c, 255);
    }
    worker_free(w);
}

static void let_go(struct worker *w)
{
    w->is_leaving = true;
    if (w->process)
        offspring_hang_up(w->process); /* it ends, and that comes as its end */
    else
        worker_free(w);
}

static void idle_over(void *owner)
{
    struct worker *w = owner;
    stop_waiting(w);
    let_go(w);
}

/* The one that has waited longest makes room. */
static void limit_idle(struct supervisor *s)
{
    if (s->idle_worker_count > WORKERS_IDLE)
        idle_over(container_of(s->idle_workers.next, struct worker, idle_link));
}

/*
 * Who logs in again and again, as scripts do, would pay for a new process each time. It waits for
 * the same account, groups and unit alone, which might have shared it had they come a little
 * earlier; so a worker for one connection does not wait, nor one that is not our child.
 */
static bool may_wait(const struct worker *w)
{
    const struct supervisor *s = w->supervisor;
    return w->process && !w->is_single && !s->is_ending && !s->setup.is_inetd;
}

static void wait_idle(struct worker *w)
{
    struct supervisor *s = w->supervisor;
    list_append(&s->idle_workers, &w->idle_link);
    s->idle_worker_count++;
    w->idle = loop_timer_new(s->loop, idle_over, w);
    loop_timer_start(w->idle, IDLE_MS);
    limit_idle(s);
}

void worker_release(struct worker *w)
{
    w->connections--;
    if (w->connections || w->is_leaving)
        return;
    if (may_wait(w))
        wait_idle(w);
    else
        let_go(w);
}

/* ---- what it says ---- */

void worker_message(struct worker *w, const struct role_msg *m, const int *fds, size_t fd_count)
{
    struct connection *c = connection_find(w->supervisor, m->connection);
    if (!c)
        return; /* it has been let go */
    if (c->worker == w) {
        connection_worker_message(c, m, fds, fd_count);
        return;
    }
    log_error("the worker of %s speaks for a connection that is not its own", w->user);
    worker_kill(w, SIGKILL);
}

static void process_message(void *owner, enum err err, struct slice bytes, const int *fds,
                            size_t fd_count)
{
    struct worker *w = owner;
    struct role_msg m;
    if (err == OK) {
        err = role_msg_decode(bytes, ROLE_WORK, ROLE_SUPERVISOR, &m);
        if (err == OK)
            worker_message(w, &m, fds, fd_count);
        else
            worker_kill(w, SIGKILL);
    } else {
        w->is_leaving = w->is_leaving || w->connections == 0; /* nobody is sent there any more */
        offspring_hang_up(w->process);                        /* its end comes */
    }
    ipc_close_fds(fds, fd_count);
}

static void process_ended(void *owner, uint32_t status, uint32_t signal_number)
{
    struct worker *w = owner;
    w->process = NULL;
    worker_lost(w, status, signal_number);
}

/* ---- which one ---- */

static enum err append_u32(struct buf *out, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    return buf_append(out, bytes, sizeof(bytes));
}

void worker_identity(uint32_t uid, uint32_t gid, struct slice groups, const char *user,
                     struct slice unit, struct buf *out)
{
    buf_init(out, 2 * ROLE_MSG_KEY_MAX);
    CHECK(append_u32(out, uid) == OK && append_u32(out, gid) == OK);
    CHECK(append_u32(out, (uint32_t)groups.len) == OK && buf_append_slice(out, groups) == OK);
    CHECK(append_u32(out, (uint32_t)strlen(user)) == OK);
    CHECK(buf_append_slice(out, slice_text(user)) == OK && buf_append_slice(out, unit) == OK);
}

/*
 * Isolation: with whom a connection may share a process. By default those of one account, but a
 * key that carries restrictions is its own unit: its holder is not the account's owner. Restricted
 * by an earlier step and through by a password, it has no key to be known by.
 */
static enum err unit_of(const struct connection *c, struct buf *unit, bool *is_single)
{
    const struct supervisor *s = c->supervisor;
    enum isolation isolation = c->options.isolation;
    if (isolation == ISOLATION_AUTO)
        isolation = buf_len(&c->key_options) ? ISOLATION_KEY : ISOLATION_USER;
    if (isolation == ISOLATION_KEY && buf_len(&c->login_key) == 0 && buf_len(&c->key_options))
        isolation = ISOLATION_CONNECTION;
    if (crash_guard_is_apart(&s->crashes, c->uid, loop_now(s->loop)))
        isolation = ISOLATION_CONNECTION;
    *is_single = isolation == ISOLATION_CONNECTION;
    buf_init(unit, ROLE_MSG_KEY_MAX);
    if (*is_single)
        return append_u32(unit, c->id);
    return isolation == ISOLATION_KEY ? buf_append_slice(unit, buf_slice(&c->login_key)) : OK;
}

static struct worker *find(struct supervisor *s, struct slice identity)
{
    struct worker *best = NULL;
    unsigned count = 0;
    LIST_FOR (w, &s->workers, struct worker, link) {
        if (w->is_leaving || !slice_equal(buf_slice(&w->identity), identity))
            continue;
        count++;
        if (w->connections < CONNECTIONS_MAX && (!best || w->connections < best->connections))
            best = w;
    }
    return best && (count >= s->shards || best->connections == 0) ? best : NULL;
}

static void end_of_turn(void *owner)
{
    worker_lost(owner, 0, 0);
}

struct worker *worker_new(struct supervisor *s, const char *user, uint32_t uid)
{
    struct worker *w = NEW(struct worker);
    w->supervisor = s;
    w->user = mem_strdup(user);
    w->uid = uid;
    w->end_turn = (struct loop_turn){.callback = end_of_turn, .owner = w};
    list_init(&w->members);
    list_init(&w->idle_link);
    list_append(&s->workers, &w->link);
    return w;
}

static enum err send_key(void *to, const struct role_msg *m)
{
    return worker_send(to, m, NULL, 0);
}

static enum err begin(struct worker *w, const struct connection *c)
{
    struct supervisor *s = w->supervisor;
    TRY(offspring_new(&w->process, s->zygotes, PROGRAM_WORK, process_message, process_ended, w));
    const struct role_msg sandbox = {.kind = ROLE_MSG_SANDBOX,
                                     .has_uid = geteuid() == 0,
                                     .uid = c->uid,
                                     .gid = c->gid,
                                     .groups = buf_slice(&c->groups)};
    TRY(worker_send(w, &sandbox, NULL, 0));
    const struct role_msg who = {.kind = ROLE_MSG_REGISTER, .unit = buf_slice(&w->unit)};
    TRY(worker_send(w, &who, NULL, 0));
    TRY(resolver_introduce(s, w));
    return supervisor_tell_keys(s, send_key, w);
}

static enum err make(struct worker **out, struct connection *c, struct buf *unit)
{
    struct worker *w = worker_new(c->supervisor, c->user, c->uid);
    worker_identity(c->uid, c->gid, buf_slice(&c->groups), c->user, buf_slice(unit), &w->identity);
    buf_init(&w->unit, ROLE_MSG_KEY_MAX);
    CHECK(buf_append_slice(&w->unit, buf_slice(unit)) == OK);
    enum err err = begin(w, c);
    if (err == OK) {
        *out = w;
        return OK;
    }
    if (w->process)
        offspring_kill(w->process, SIGKILL);
    worker_free(w);
    return err;
}

static enum err choose(struct worker **out, struct connection *c, struct buf *unit, bool is_single)
{
    struct buf identity;
    if (is_single)
        return make(out, c, unit); /* there is none like it, and others may be many */
    worker_identity(c->uid, c->gid, buf_slice(&c->groups), c->user, buf_slice(unit), &identity);
    *out = find(c->supervisor, buf_slice(&identity));
    buf_done(&identity);
    return *out ? OK : make(out, c, unit);
}

/* ---- the hand-over ---- */

static void append_names(const struct string_list *names, struct buf *out)
{
    for (size_t i = 0; i < names->count; i++) {
        if (buf_append(out, names->items[i], strlen(names->items[i]) + 1) != OK)
            return; /* more groups than a ticket holds: no rule on one of these matches then */
    }
}

static enum err write_ticket(struct connection *c, const struct buf *unit)
{
    struct buf group_names;
    buf_init(&group_names, ROLE_MSG_NAMES_MAX);
    append_names(&c->group_names, &group_names);
    struct role_msg m = {.kind = ROLE_MSG_TICKET,
                         .user = slice_text(c->user),
                         .uid = c->uid,
                         .gid = c->gid,
                         .groups = buf_slice(&c->groups),
                         .group_names = buf_slice(&group_names),
                         .unit = buf_slice(unit),
                         .key = buf_slice(&c->login_key),
                         .fingerprint = buf_slice(&c->fingerprint),
                         .options = buf_slice(&c->key_options),
                         .host_key = buf_slice(&c->host_key),
                         .session_id = buf_slice(&c->session_id)};
    connection_add_ends(c, &m);
    enum err err = ticket_write(&m, &c->ticket_fd);
    c->ticket_number = ticket_number(c->ticket_fd);
    buf_done(&group_names);
    return err;
}

static enum err give(struct connection *c, const struct buf *unit)
{
    TRY(write_ticket(c, unit));
    const int fds[] = {c->in_fd, c->out_fd, c->config_fd, c->ticket_fd};
    const struct role_msg m = {
        .kind = ROLE_MSG_ADOPT, .connection = c->id, .record = buf_slice(&c->record)};
    return worker_send(c->worker, &m, fds, ARRAY_LEN(fds));
}

enum err workers_adopt(struct connection *c)
{
    struct buf unit;
    bool is_single;
    struct worker *w;
    enum err err = unit_of(c, &unit, &is_single);
    if (err == OK)
        err = choose(&w, c, &unit, is_single);
    if (err == OK) {
        stop_waiting(w);
        w->is_single = is_single;
        worker_add(w, c);
        err = give(c, &unit);
    }
    buf_done(&unit);
    return err;
}
