/* Several links of one set: which one carries the next channel. */
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
    if (set->other_count < ARRAY_LEN(set->others))
        set->others[set->other_count++] = l;
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
