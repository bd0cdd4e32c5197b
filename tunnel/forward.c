/* The set of forwards and their states. */
#include "tunnel/forward.h"

#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

void forward_set_init(struct forward_set *set, struct loop *loop, forward_changed *changed,
                      void *owner)
{
    *set = (struct forward_set){
        .loop = loop, .changed = changed, .owner = owner, .family = AF_UNSPEC, .next_cookie = 1};
    list_init(&set->forwards);
}

struct forward *forward_set_add(struct forward_set *set, const struct forward_spec *spec)
{
    struct forward *f = NEW(struct forward);
    f->set = set;
    forward_spec_copy(&f->spec, spec);
    f->port = spec->listen.port;
    list_append(&set->forwards, &f->item);
    return f;
}

void forward_set_done(struct forward_set *set)
{
    LIST_FOR (f, &set->forwards, struct forward, item) {
        if (f->listener)
            listener_close(f->listener);
        list_remove(&f->item);
        forward_spec_done(&f->spec);
        mem_free(f->reason);
        mem_free(f);
    }
}

void forward_set_state(struct forward *f, enum forward_state state, const char *reason)
{
    char *copy = reason ? mem_strdup(reason) : NULL;
    mem_free(f->reason);
    f->reason = copy;
    f->state = state;
    if (state == FORWARD_ACTIVE || state == FORWARD_REFUSED)
        f->set->changed(f->set->owner, f);
}

void forward_set_bind(struct forward_set *set)
{
    LIST_FOR (f, &set->forwards, struct forward, item) {
        if (!forward_spec_is_remote(&f->spec) && f->state != FORWARD_CANCELLED)
            forward_local_bind(f);
    }
}

static void start(struct forward *f)
{
    if (forward_spec_is_remote(&f->spec))
        forward_remote_start(f);
    else
        forward_local_start(f);
}

void forward_set_start(struct forward_set *set, struct link *l)
{
    set->link = l;
    LIST_FOR (f, &set->forwards, struct forward, item) {
        if (f->state == FORWARD_WANTED || f->state == FORWARD_REFUSED)
            start(f);
    }
}

struct forward *forward_set_launch(struct forward_set *set, const struct forward_spec *spec)
{
    struct forward *f = forward_set_add(set, spec);
    f->is_late = true;
    start(f);
    return f;
}

static bool is_live(const struct forward *f)
{
    return f->state == FORWARD_ACTIVE || f->state == FORWARD_ASKED;
}

struct forward *forward_set_find(struct forward_set *set, const struct forward_spec *spec)
{
    LIST_FOR (f, &set->forwards, struct forward, item) {
        if (is_live(f) && forward_spec_equal(&f->spec, spec))
            return f;
    }
    return NULL;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* A port that the server chose may be named by either number. */
static bool listens_at(const struct forward *f, const struct forward_listen *where)
{
    const struct forward_listen *listen = &f->spec.listen;
    if (listen->path || where->path)
        return is_same_text(listen->path, where->path);
    return (where->port == listen->port || where->port == f->port) &&
           is_same_text(listen->address, where->address);
}

static bool is_same_side(enum forward_kind a, enum forward_kind b)
{
    bool is_remote[] = {a == FORWARD_REMOTE || a == FORWARD_REMOTE_DYNAMIC,
                        b == FORWARD_REMOTE || b == FORWARD_REMOTE_DYNAMIC};
    return a == b || (is_remote[0] && is_remote[1]);
}

enum err forward_set_cancel(struct forward_set *set, const struct forward_spec *spec)
{
    LIST_FOR (f, &set->forwards, struct forward, item) {
        if (!is_live(f) || !is_same_side(f->spec.kind, spec->kind) || !listens_at(f, &spec->listen))
            continue;
        if (forward_spec_is_remote(&f->spec))
            forward_remote_cancel(f);
        if (f->listener)
            listener_close(f->listener);
        f->listener = NULL;
        /* Visitors that are on their way still point here: it stays until the set goes. */
        bool was_settled = f->state == FORWARD_ACTIVE;
        f->state = FORWARD_CANCELLED;
        if (!was_settled)
            set->changed(set->owner, f); /* somebody may wait for the answer that never counts */
        return OK;
    }
    return ERR_NOT_FOUND;
}

void forward_set_link_down(struct forward_set *set)
{
    set->link = NULL;
    LIST_FOR (f, &set->forwards, struct forward, item) {
        if (!forward_spec_is_remote(&f->spec))
            forward_local_stop(f);
        if (f->state == FORWARD_ACTIVE || f->state == FORWARD_ASKED)
            forward_set_state(f, FORWARD_WANTED, NULL);
    }
}

size_t forward_set_count(const struct forward_set *set, enum forward_state state)
{
    size_t count = 0;
    LIST_FOR (f, &set->forwards, struct forward, item) {
        count += f->state == state;
    }
    return count;
}

bool forward_set_is_settled(const struct forward_set *set)
{
    return forward_set_count(set, FORWARD_WANTED) == 0 &&
           forward_set_count(set, FORWARD_ASKED) == 0;
}

bool forward_set_reply(struct forward_set *set, const struct link_event *e)
{
    LIST_FOR (f, &set->forwards, struct forward, item) {
        if (f->state == FORWARD_ASKED && f->cookie == e->cookie) {
            forward_remote_reply(f, e->success, e->body);
            return true;
        }
    }
    return false;
}

void forward_set_open(struct forward_set *set, struct link *l, const struct link_event *e)
{
    forward_remote_open(set, l, e);
}

char *forward_describe(const struct forward *f)
{
    const struct forward_target *t = &f->spec.target;
    if (t->path)
        return mem_printf("socket %s", t->path);
    if (!t->host)
        return mem_strdup("wherever SOCKS asks for");
    if (strchr(t->host, ':'))
        return mem_printf("[%s]:%u", t->host, t->port);
    return mem_printf("%s:%u", t->host, t->port);
}

char *forward_describe_listen(const struct forward *f)
{
    if (f->spec.listen.path)
        return mem_printf("socket %s", f->spec.listen.path);
    return mem_printf("port %u", f->port);
}
