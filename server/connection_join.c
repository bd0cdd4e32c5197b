/*
 * A client that has several connections shares a listener among them (tcpip-forward-join@adit,
 * doc/PROTOCOL.md). The processes that serve them do not know one another: the one that joins names
 * the other connection by its session identifier, which nobody else knows, and the supervisor, who
 * knows it of each, asks that one's worker to lend the listener. Both must be one login: the same
 * account, key and restrictions, so that neither gets what it might not have by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "server/port_right.h"
#include "server/supervisor_internal.h"

#define JOINS_MAX 256 /* of one connection, at once: as many as it may have listeners */

struct join {
    struct list link;
    uint32_t number;        /* what its holder is asked by */
    uint32_t asker, holder; /* connections */
    uint32_t tag;           /* the asker's */
    char *address;
    uint16_t port;
};

static void join_free(struct join *j)
{
    list_remove(&j->link);
    mem_free(j->address);
    mem_free(j);
}

/* One that is dying has nobody to tell any more. */
static bool has_worker(const struct connection *c)
{
    return c->worker && !c->worker->is_leaving;
}

static void answer(struct connection *c, uint32_t tag, int error_number, const int *fds,
                   size_t fd_count)
{
    const struct role_msg m = {.kind = ROLE_MSG_BOUND,
                               .connection = c->id,
                               .tag = tag,
                               .error_number = (uint32_t)error_number};
    if (has_worker(c) && worker_send(c->worker, &m, fds, fd_count) != OK)
        connection_cut(c, "its worker takes no answer");
}

/* ---- who has it ---- */

static bool is_same(const struct buf *a, const struct buf *b)
{
    return slice_equal(buf_slice(a), buf_slice(b));
}

static bool is_one_login(const struct connection *a, const struct connection *b)
{
    return a->uid == b->uid && a->gid == b->gid && strcmp(a->user, b->user) == 0 &&
           is_same(&a->groups, &b->groups) && is_same(&a->login_key, &b->login_key) &&
           is_same(&a->key_options, &b->key_options);
}

static bool has_id(const struct connection *c, struct slice id)
{
    return id.len == buf_len(&c->session_id) &&
           mem_equal_secret(id.ptr, buf_slice(&c->session_id).ptr, id.len);
}

static struct connection *find_holder(const struct connection *asker, struct slice session_id)
{
    LIST_FOR (c, &asker->supervisor->connections, struct connection, link) {
        if (c != asker && connection_is_at_work(c) && has_worker(c) && !c->is_cut &&
            has_id(c, session_id) && is_one_login(c, asker))
            return c;
    }
    return NULL;
}

static size_t count_of(const struct connection *c)
{
    size_t count = 0;
    LIST_FOR (j, &c->supervisor->joins, struct join, link)
        count += j->asker == c->id;
    return count;
}

void connection_on_join(struct connection *c, const struct role_msg *m)
{
    struct supervisor *s = c->supervisor;
    struct connection *holder = find_holder(c, m->session_id);
    if (!holder || count_of(c) >= JOINS_MAX) {
        answer(c, m->tag, holder ? ENOBUFS : ENOENT, NULL, 0);
        return;
    }
    struct join *j = NEW(struct join);
    j->number = ++s->last_join;
    j->asker = c->id;
    j->holder = holder->id;
    j->tag = m->tag;
    j->address = slice_strdup(m->host);
    j->port = (uint16_t)m->port;
    list_append(&s->joins, &j->link);
    struct role_msg question = *m;
    question.connection = holder->id;
    question.tag = j->number;
    if (worker_send(holder->worker, &question, NULL, 0) != OK)
        connection_cut(holder, "its worker takes no question");
}

/* ---- its answer ---- */

/* What only root may bind, beside what was lent. 0, or errno. */
static int bind_beside(const struct connection *c, const struct join *j, const int *fds,
                       size_t fd_count, int *made, size_t *count)
{
    int error = connection_may_bind(c, j->address, j->port) ? 0 : EACCES;
    for (size_t i = 0; i < fd_count && !error; i++) {
        error = socket_beside(fds[i], &made[*count]);
        *count += error == 0;
        if (!error && !connection_may_hold(c, j->address, j->port, made[*count - 1]))
            error = EACCES; /* the worker that lent it decides nothing */
    }
    while (error && *count > 0)
        close(made[--*count]);
    return error;
}

static void pass_on(struct connection *c, const struct join *j, int error_number, const int *fds,
                    size_t fd_count)
{
    int made[IPC_FDS_MAX];
    size_t count = 0;
    bool is_made_here = fd_count && j->port <= PORT_PRIVILEGED_MAX && c->uid != 0;
    if (is_made_here)
        error_number = bind_beside(c, j, fds, fd_count, made, &count);
    log_verbose("port %u for %s: %s", j->port, c->user,
                error_number ? strerror(error_number) : "shared");
    if (error_number)
        answer(c, j->tag, error_number, NULL, 0);
    else
        answer(c, j->tag, 0, is_made_here ? made : fds, is_made_here ? count : fd_count);
    while (count > 0)
        close(made[--count]);
}

void connection_on_lent(struct connection *c, const struct role_msg *m, const int *fds,
                        size_t fd_count)
{
    LIST_FOR (j, &c->supervisor->joins, struct join, link) {
        if (j->number != m->tag || j->holder != c->id)
            continue;
        struct connection *asker = connection_find(c->supervisor, j->asker);
        int error_number = fd_count ? 0 : m->error_number ? (int)m->error_number : ENOENT;
        pass_on(asker, j, error_number, fds, fd_count);
        join_free(j);
        return;
    }
    /* It was asked by one that has ended meanwhile. */
}

/* ---- its end ---- */

void connection_leave_joins(struct connection *c)
{
    LIST_FOR (j, &c->supervisor->joins, struct join, link) {
        struct connection *asker = connection_find(c->supervisor, j->asker);
        if (j->holder == c->id && asker && asker != c)
            answer(asker, j->tag, ENOENT, NULL, 0);
        if (j->holder == c->id || j->asker == c->id)
            join_free(j);
    }
}
