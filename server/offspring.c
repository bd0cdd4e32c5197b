/* The supervisor's side of zygotes. */
#include "server/offspring.h"

#include <signal.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "io/child.h"

#define FORKS_MAX  100 /* children that share one layout of addresses */
#define FORKS_LEFT 10  /* when it has these left, the next one gets ready */

struct zygote {
    struct list link;
    struct zygotes *all;
    enum program program;
    struct child *child;
    struct ipc *ipc;
    unsigned forks;
    struct list offspring;
};

struct zygotes {
    struct loop *loop;
    const struct programs *programs;
    zygote_arguments *arguments;
    void *owner;
    struct list open;
    uint32_t last_tag;
};

struct offspring {
    struct list link;
    struct zygote *zygote; /* NULL: it died */
    struct ipc *ipc;
    uint32_t tag, pid; /* pid 0: not known yet */
    int kill_signal;   /* wanted before the pid was known; 0: none */
    offspring_ended *ended;
    void *owner;
};

enum err role_ipc_send(struct ipc *to, const struct role_msg *m, const int *fds, size_t fd_count)
{
    struct buf bytes;
    buf_init(&bytes, ROLE_MSG_MAX);
    enum err err = to ? role_msg_encode(m, &bytes) : ERR_EOF;
    if (err == OK)
        err = ipc_send(to, buf_slice(&bytes), fds, fd_count);
    mem_wipe((void *)(uintptr_t)buf_slice(&bytes).ptr, buf_len(&bytes));
    buf_done(&bytes);
    return err;
}

/* ---- one process ---- */

static void offspring_free(struct offspring *o)
{
    list_remove(&o->link);
    ipc_close(o->ipc);
    mem_free(o);
}

static void tell_ended(struct offspring *o, uint32_t status, uint32_t signal_number)
{
    offspring_ended *ended = o->ended;
    void *owner = o->owner;
    offspring_free(o);
    if (ended)
        ended(owner, status, signal_number);
}

static void send_kill(struct offspring *o)
{
    const struct role_msg m = {
        .kind = ROLE_MSG_KILL, .pid = o->pid, .signal_number = (uint32_t)o->kill_signal};
    if (o->zygote && role_ipc_send(o->zygote->ipc, &m, NULL, 0) != OK)
        log_error("process %u cannot be ended: its zygote takes no message", o->pid);
}

void offspring_kill(struct offspring *o, int signal_number)
{
    o->kill_signal = signal_number;
    if (o->pid)
        send_kill(o);
}

void offspring_hang_up(struct offspring *o)
{
    ipc_close(o->ipc);
    o->ipc = NULL;
}

void offspring_give(struct offspring *o, ipc_message *message, offspring_ended *ended, void *owner)
{
    o->ended = ended;
    o->owner = owner;
    if (o->ipc)
        ipc_set_owner(o->ipc, message, owner);
}

void offspring_forget(struct offspring *o)
{
    if (!o)
        return;
    o->ended = NULL;
    offspring_hang_up(o);
    if (!o->zygote)
        offspring_free(o); /* nobody will tell its end */
}

enum err offspring_send(struct offspring *o, const struct role_msg *m, const int *fds,
                        size_t fd_count)
{
    return role_ipc_send(o->ipc, m, fds, fd_count);
}

/* ---- a zygote ---- */

static void zygote_free(struct zygote *z)
{
    list_remove(&z->link);
    ipc_close(z->ipc);
    child_forget(z->child); /* it ends at the end of its descriptor, and is reaped */
    mem_free(z);
}

/* Worn out, and without children: it may go. */
static void retire_if_done(struct zygote *z)
{
    if (z->forks >= FORKS_MAX && list_is_empty(&z->offspring))
        zygote_free(z);
}

static struct offspring *find(struct zygote *z, uint32_t tag, uint32_t pid)
{
    LIST_FOR (o, &z->offspring, struct offspring, link) {
        if ((tag && o->tag == tag) || (pid && o->pid == pid))
            return o;
    }
    return NULL;
}

static void on_forked(struct zygote *z, const struct role_msg *m)
{
    struct offspring *o = find(z, m->tag, 0);
    if (!o || o->pid)
        return;
    o->pid = m->pid;
    if (o->pid == 0)
        tell_ended(o, 255, 0);
    else if (o->kill_signal)
        send_kill(o);
}

static void lose_zygote(struct zygote *z)
{
    struct list orphans;
    log_error("the zygote of %s is gone", program_name(z->program));
    list_init(&orphans);
    while (!list_is_empty(&z->offspring)) {
        struct offspring *o = container_of(list_take_first(&z->offspring), struct offspring, link);
        o->zygote = NULL;
        list_append(&orphans, &o->link);
    }
    zygote_free(z);
    while (!list_is_empty(&orphans))
        tell_ended(container_of(list_take_first(&orphans), struct offspring, link), 255, 0);
}

static void zygote_message(void *owner, enum err err, struct slice bytes, const int *fds,
                           size_t fd_count)
{
    struct zygote *z = owner;
    struct role_msg m;
    ipc_close_fds(fds, fd_count);
    if (err == OK)
        err = role_msg_decode(bytes, ROLE_ZYGOTE, ROLE_SUPERVISOR, &m);
    if (err != OK) {
        lose_zygote(z);
        return;
    }
    if (m.kind == ROLE_MSG_FORKED) {
        on_forked(z, &m);
        return;
    }
    struct offspring *o = find(z, 0, m.pid);
    /* Both descriptors may be ready in one turn, and this one first: its last words are not lost.
     */
    if (o && o->ipc)
        ipc_drain(o->ipc);
    if (o)
        tell_ended(o, m.status_ended, m.signal_number);
    retire_if_done(z);
}

static void zygote_exited(void *owner, int status UNUSED, int signal_number UNUSED)
{
    struct zygote *z = owner;
    z->child = NULL; /* the end of its descriptor says the rest */
}

static enum err zygote_new(struct zygote **out, struct zygotes *all, enum program program)
{
    int ipc_fd;
    const char *arguments[12] = {NULL};
    all->arguments(all->owner, program, arguments);
    struct zygote *z = NEW(struct zygote);
    enum err err = programs_spawn(all->programs, program, all->loop, arguments, NULL, 0,
                                  zygote_exited, z, &z->child, &ipc_fd);
    if (err != OK) {
        mem_free(z);
        return err;
    }
    z->all = all;
    z->program = program;
    z->ipc = ipc_new(all->loop, ipc_fd, zygote_message, z);
    list_init(&z->offspring);
    list_append(&all->open, &z->link);
    *out = z;
    return OK;
}

static enum err find_zygote(struct zygote **out, struct zygotes *all, enum program program)
{
    LIST_FOR (z, &all->open, struct zygote, link) {
        if (z->program == program && z->forks < FORKS_MAX) {
            *out = z;
            return OK;
        }
    }
    return zygote_new(out, all, program);
}

enum err zygotes_prepare(struct zygotes *all, enum program program)
{
    struct zygote *z;
    return find_zygote(&z, all, program);
}

/* Nobody's login shall wait for it. One that cannot be made now is tried again when it must. */
static void prepare_successor(struct zygote *z)
{
    struct zygote *next;
    if (z->forks == FORKS_MAX - FORKS_LEFT)
        (void)!zygote_new(&next, z->all, z->program);
}

enum err offspring_new(struct offspring **out, struct zygotes *all, enum program program,
                       ipc_message *message, offspring_ended *ended, void *owner)
{
    struct zygote *z;
    int pair[2];
    TRY(find_zygote(&z, all, program));
    TRY(ipc_pair(pair));
    struct role_msg m = {.kind = ROLE_MSG_FORK, .tag = ++all->last_tag};
    enum err err = role_ipc_send(z->ipc, &m, &pair[1], 1);
    close(pair[1]);
    if (err != OK) {
        close(pair[0]);
        return err;
    }
    struct offspring *o = NEW(struct offspring);
    o->zygote = z;
    o->tag = m.tag;
    o->ended = ended;
    o->owner = owner;
    o->ipc = ipc_new(all->loop, pair[0], message, owner);
    list_append(&z->offspring, &o->link);
    z->forks++;
    prepare_successor(z);
    *out = o;
    return OK;
}

/* ---- all ---- */

struct zygotes *zygotes_new(struct loop *l, const struct programs *programs,
                            zygote_arguments *arguments, void *owner)
{
    struct zygotes *z = NEW(struct zygotes);
    z->loop = l;
    z->programs = programs;
    z->arguments = arguments;
    z->owner = owner;
    list_init(&z->open);
    return z;
}

void zygotes_free(struct zygotes *all)
{
    if (!all)
        return;
    LIST_FOR (z, &all->open, struct zygote, link) {
        LIST_FOR (o, &z->offspring, struct offspring, link)
            offspring_free(o);
        zygote_free(z);
    }
    mem_free(all);
}
