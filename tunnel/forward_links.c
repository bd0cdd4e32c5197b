/* Several links of one set: which one carries the next channel. */
#include "base/log.h"
#include "tunnel/forward.h"

#define NOT_THIS UINT32_MAX

size_t forward_choose(const uint32_t *loads, size_t count, size_t last)
{
    size_t best = (last + 1) % count;
    for (size_t i = 2; i <= count; i++) {
        size_t next = (last + i) % count;
        if (loads[next] < loads[best])
            best = next;
    }
    return best;
}

static uint32_t load_of(struct link *l)
{
    return link_is_up(l) ? conn_channel_count(link_conn(l)) : NOT_THIS;
}

struct link *forward_set_pick(struct forward_set *set)
{
    uint32_t loads[FORWARD_LINKS_MAX];
    if (!set->link || set->other_count == 0)
        return set->link;
    loads[0] = load_of(set->link);
    for (size_t i = 0; i < set->other_count; i++)
        loads[i + 1] = load_of(set->others[i]);
    size_t chosen = forward_choose(loads, set->other_count + 1, set->last_used);
    set->last_used = chosen;
    return chosen ? set->others[chosen - 1] : set->link;
}

void forward_set_add_link(struct forward_set *set, struct link *l)
{
    if (set->other_count == ARRAY_LEN(set->others))
        return;
    set->others[set->other_count++] = l;
    LIST_FOR (f, &set->forwards, struct forward, item)
        forward_remote_join(f, l);
}

bool forward_may_join(const struct forward *f)
{
    const struct link *l = f->set->link;
    return l && forward_spec_is_remote(&f->spec) && !f->spec.listen.path &&
           f->state == FORWARD_ACTIVE &&
           transport_peer_ext_info(link_transport(f->set->link))->forward_join;
}

void forward_set_joined(struct forward_set *set, const struct link_event *e)
{
    LIST_FOR (f, &set->forwards, struct forward, item) {
        if (f->cookie != e->cookie || f->state != FORWARD_ACTIVE)
            continue;
        if (e->success)
            log_verbose("remote port %u is shared by one more connection", f->port);
        else
            log_info("remote port %u: the server lets one of the connections not share it",
                     f->port);
    }
}

void forward_set_drop_link(struct forward_set *set, struct link *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->other_count; i++) {
        if (set->others[i] != l)
            set->others[kept++] = set->others[i];
    }
    set->other_count = kept;
    set->last_used = MIN(set->last_used, kept);
}
