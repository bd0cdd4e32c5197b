/*
 * Workers that outlived another supervisor: they come by themselves, say who they are, and show a
 * ticket for each connection they hold. What they say counts for nothing but that; a ticket can
 * only have been written by a supervisor.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "server/supervisor_internal.h"
#include "server/ticket.h"

#define COMERS_MAX      1024
#define COMERS_OF_ONE   64 /* of one uid: those who are turned away come again */
#define INTRODUCTION_MS 5000

/* A process that came, until it has shown a ticket: it is a worker then. */
struct comer {
    struct list link;
    struct supervisor *supervisor;
    uid_t uid;
    struct ipc *ipc; /* NULL: given to a worker */
    struct loop_timer *patience;
    struct buf unit;
    bool has_introduced;
};

static void comer_free(struct comer *c)
{
    list_remove(&c->link);
    c->supervisor->comer_count--;
    loop_timer_close(c->patience);
    ipc_close(c->ipc);
    buf_done(&c->unit);
    mem_free(c);
}

/* ---- a connection it holds ---- */

static void take_account(struct connection *c, const struct role_msg *t)
{
    c->user = slice_strdup(t->user);
    c->login = mem_strdup(c->user);
    c->is_user_known = true;
    c->uid = t->uid;
    c->gid = t->gid;
    connection_keep_groups(c, t->group_names);
}

static enum err fill(struct connection *c, const struct role_msg *t)
{
    take_account(c, t);
    c->host = slice_strdup(t->host);
    snprintf(c->address, sizeof(c->address), "%.*s", (int)t->address.len,
             (const char *)t->address.ptr);
    snprintf(c->local_address, sizeof(c->local_address), "%.*s", (int)t->local_address.len,
             (const char *)t->local_address.ptr);
    c->port = (uint16_t)t->port;
    c->local_port = (uint16_t)t->local_port;
    c->order.phase = SESSION_WORK;
    TRY(connection_keep(&c->groups, t->groups));
    TRY(connection_keep(&c->login_key, t->key));
    TRY(connection_keep(&c->key_options, t->options));
    TRY(connection_keep(&c->fingerprint, t->fingerprint));
    TRY(connection_keep(&c->host_key, t->host_key));
    TRY(connection_keep(&c->session_id, t->session_id));
    return connection_resolve(c);
}

/* A ticket of another account than the process has is another's ticket. */
static enum err read_ticket(uid_t uid, struct slice unit, int fd, struct buf *bytes,
                            struct role_msg *t)
{
    TRY(ticket_read(fd, ROLE_SUPERVISOR, bytes, t));
    return t->uid == uid && slice_equal(t->unit, unit) ? OK : ERR_DENIED;
}

/* A ticket is for one connection: shown twice, it would be as many as the worker likes. */
static enum err check_new(const struct worker *w, uint32_t id, int ticket_fd, uint64_t *number)
{
    if (w->connections >= CONNECTIONS_MAX)
        return ERR_LIMIT;
    *number = ticket_number(ticket_fd);
    LIST_FOR (c, &w->supervisor->connections, struct connection, link) {
        if (c->id == id || c->ticket_number == *number)
            return ERR_EXISTS;
    }
    return *number ? OK : ERR_IO;
}

/* What the configuration says by now holds at once, as after a reload. */
static enum err take_connection(struct worker *w, uint32_t id, const struct role_msg *t,
                                int ticket_fd)
{
    const struct role_msg options = {.kind = ROLE_MSG_OPTIONS, .connection = id};
    uint64_t number;
    TRY(check_new(w, id, ticket_fd, &number));
    struct connection *c = connection_new(w->supervisor, id);
    enum err err = fill(c, t);
    if (err == OK)
        err = worker_send(w, &options, &c->config_fd, 1);
    if (err != OK) {
        connection_free(c);
        return err;
    }
    worker_add(w, c);
    c->ticket_fd = fcntl(ticket_fd, F_DUPFD_CLOEXEC, 3);
    c->ticket_number = number;
    log_info("user %s from %s port %u goes on", c->user, c->address, c->port);
    return OK;
}

/* ---- a worker that came ---- */

static enum err serve_worker(struct worker *w, struct slice bytes, const int *fds, size_t fd_count)
{
    struct role_msg m, t;
    struct buf ticket;
    TRY(role_msg_decode(bytes, ROLE_WORK, ROLE_SUPERVISOR, &m));
    if (m.kind == ROLE_MSG_REGISTER)
        return ERR_PROTOCOL;
    if (m.kind != ROLE_MSG_HELD) {
        worker_message(w, &m, fds, fd_count);
        return OK;
    }
    if (fd_count != 1)
        return ERR_PROTOCOL;
    buf_init(&ticket, ROLE_MSG_MAX);
    enum err err = read_ticket(w->uid, buf_slice(&w->unit), fds[0], &ticket, &t);
    if (err == OK)
        err = take_connection(w, m.connection, &t, fds[0]);
    buf_done(&ticket);
    return err;
}

/* The worker may be gone when a message has been served. */
static void worker_heard(void *owner, enum err err, struct slice bytes, const int *fds,
                         size_t fd_count)
{
    struct worker *w = owner;
    if (err == OK)
        err = serve_worker(w, bytes, fds, fd_count);
    ipc_close_fds(fds, fd_count);
    if (err != OK && err != ERR_EOF)
        log_error("a worker of uid %u cannot be believed: %s", w->uid, err_name(err));
    if (err != OK)
        worker_lost(w, 0, 0);
}

/* The first ticket says whose worker it is. */
static enum err become_worker(struct comer *comer, const struct role_msg *m, int ticket_fd)
{
    struct buf bytes;
    struct role_msg t;
    buf_init(&bytes, ROLE_MSG_MAX);
    enum err err = read_ticket(comer->uid, buf_slice(&comer->unit), ticket_fd, &bytes, &t);
    if (err == OK) {
        char *user CLEANUP(mem_cleanup) = slice_strdup(t.user);
        struct worker *w = worker_new(comer->supervisor, user, t.uid);
        worker_identity(t.uid, t.gid, t.groups, user, t.unit, &w->identity);
        buf_init(&w->unit, ROLE_MSG_KEY_MAX);
        CHECK(buf_append_slice(&w->unit, t.unit) == OK);
        w->ipc = comer->ipc;
        comer->ipc = NULL;
        ipc_set_owner(w->ipc, worker_heard, w);
        err = take_connection(w, m->connection, &t, ticket_fd);
        if (err != OK)
            worker_lost(w, 0, 0);
    }
    buf_done(&bytes);
    return err;
}

/* ---- a process that came ---- */

static enum err send_key(void *to, const struct role_msg *m)
{
    return role_ipc_send(to, m, NULL, 0);
}

static enum err serve_comer(struct comer *c, struct slice bytes, const int *fds, size_t fd_count)
{
    struct role_msg m;
    TRY(role_msg_decode(bytes, ROLE_WORK, ROLE_SUPERVISOR, &m));
    if (m.kind == ROLE_MSG_REGISTER && !c->has_introduced) {
        c->has_introduced = true;
        TRY(connection_keep(&c->unit, m.unit));
        return supervisor_tell_keys(c->supervisor, send_key, c->ipc);
    }
    if (m.kind != ROLE_MSG_HELD || !c->has_introduced || fd_count != 1)
        return ERR_PROTOCOL;
    return become_worker(c, &m, fds[0]);
}

static void comer_heard(void *owner, enum err err, struct slice bytes, const int *fds,
                        size_t fd_count)
{
    struct comer *c = owner;
    if (err == OK)
        err = serve_comer(c, bytes, fds, fd_count);
    ipc_close_fds(fds, fd_count);
    if (err != OK && err != ERR_EOF)
        log_error("a process of uid %u came and cannot be believed: %s", (unsigned)c->uid,
                  err_name(err));
    if (err != OK || !c->ipc)
        comer_free(c);
}

static void lose_patience(void *owner)
{
    comer_free(owner);
}

/* The place is open to all uids: one of them must not keep the others out. */
static bool may_come(const struct supervisor *s, uid_t uid)
{
    unsigned count = 0;
    LIST_FOR (c, &s->comers, struct comer, link)
        count += c->uid == uid;
    return s->comer_count < COMERS_MAX && count < COMERS_OF_ONE;
}

static void came(void *owner, int fd, uid_t uid)
{
    struct supervisor *s = owner;
    if (!may_come(s, uid)) {
        close(fd);
        return;
    }
    struct comer *c = NEW(struct comer);
    c->supervisor = s;
    c->uid = uid;
    buf_init(&c->unit, ROLE_MSG_KEY_MAX);
    c->ipc = ipc_new(s->loop, fd, comer_heard, c);
    c->patience = loop_timer_new(s->loop, lose_patience, c);
    loop_timer_start(c->patience, INTRODUCTION_MS);
    list_append(&s->comers, &c->link);
    s->comer_count++;
}

/* Root's workers come with every uid; nobody but a ticket's holder is believed. */
enum err comeback_listen(struct supervisor *s)
{
    if (!s->comeback_path)
        return OK;
    return ipc_listener_new(&s->comeback, s->loop, s->comeback_path, geteuid() == 0 ? 0666 : 0600,
                            came, s);
}

void comeback_close(struct supervisor *s)
{
    LIST_FOR (c, &s->comers, struct comer, link)
        comer_free(c);
    ipc_listener_close(s->comeback);
    s->comeback = NULL;
}
