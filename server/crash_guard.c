/* Accounts whose workers crash. */
#include "server/crash_guard.h"

#include <string.h>

static struct crash_record *find(struct crash_guard *g, uint32_t uid)
{
    struct crash_record *oldest = &g->records[0];
    for (size_t i = 0; i < ARRAY_LEN(g->records); i++) {
        struct crash_record *r = &g->records[i];
        if (r->is_used && r->uid == uid)
            return r;
        if (!r->is_used)
            oldest = r;
        else if (oldest->is_used && r->times_ms[r->count - 1] < oldest->times_ms[oldest->count - 1])
            oldest = r;
    }
    *oldest = (struct crash_record){.uid = uid, .is_used = true};
    return oldest;
}

bool crash_guard_add(struct crash_guard *g, uint32_t uid, uint64_t now_ms)
{
    struct crash_record *r = find(g, uid);
    if (r->count == CRASH_GUARD_CRASHES) {
        memmove(r->times_ms, r->times_ms + 1, sizeof(r->times_ms) - sizeof(r->times_ms[0]));
        r->count--;
    }
    r->times_ms[r->count++] = now_ms;
    if (r->count < CRASH_GUARD_CRASHES || now_ms - r->times_ms[0] > CRASH_GUARD_WITHIN_MS)
        return false;
    r->apart_until_ms = now_ms + CRASH_GUARD_APART_MS;
    return true;
}

bool crash_guard_is_apart(const struct crash_guard *g, uint32_t uid, uint64_t now_ms)
{
    for (size_t i = 0; i < ARRAY_LEN(g->records); i++) {
        if (g->records[i].is_used && g->records[i].uid == uid)
            return now_ms < g->records[i].apart_until_ms;
    }
    return false;
}
