/*
 * Penalties: a map of sources a family, and a heap of their ends beside it, so that the one that
 * ends first is at hand when it is to be forgotten.
 */
#include "server/penalty.h"

#include "base/match.h"
#include "server/source.h"

struct penalty {
    uint64_t ends_ms;
    uint32_t heap_at;
    bool is_active;         /* it has reached min; then it is refused to its end */
    enum penalty_kind kind; /* the last */
};

struct family {
    struct source_map map;
    struct penalty *items; /* by number */
    uint32_t *heap;        /* numbers; the first ends first */
    uint32_t size;         /* of both */
    uint32_t most;
    enum penalty_overflow overflow;
};

enum family_kind { FAMILY_V4, FAMILY_V6, FAMILIES };

struct penalty_table {
    struct source_penalties rules;
    struct net_block_size block;
    char *exempt; /* "none": nobody */
    struct family families[FAMILIES];
};

static void family_clear(struct family *f)
{
    source_map_clear(&f->map);
    mem_free(f->items);
    mem_free(f->heap);
    f->items = NULL;
    f->heap = NULL;
    f->size = 0;
}

struct penalty_table *penalty_table_new(const struct server_options *o, const uint64_t seed[2])
{
    struct penalty_table *t = NEW(struct penalty_table);
    for (size_t i = 0; i < FAMILIES; i++)
        source_map_init(&t->families[i].map, seed);
    t->block = o->per_source_net_block_size;
    penalty_table_configure(t, o);
    return t;
}

void penalty_table_free(struct penalty_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < FAMILIES; i++)
        family_clear(&t->families[i]);
    mem_free(t->exempt);
    mem_free(t);
}

/* ---- the heap ---- */

static bool ends_before(const struct family *f, uint32_t a, uint32_t b)
{
    return f->items[f->heap[a]].ends_ms < f->items[f->heap[b]].ends_ms;
}

static void swap(struct family *f, uint32_t a, uint32_t b)
{
    uint32_t number = f->heap[a];
    f->heap[a] = f->heap[b];
    f->heap[b] = number;
    f->items[f->heap[a]].heap_at = a;
    f->items[f->heap[b]].heap_at = b;
}

/* Moves an entry to where it belongs among count. */
static void settle(struct family *f, uint32_t at, uint32_t count)
{
    while (at > 0 && ends_before(f, at, (at - 1) / 2)) {
        swap(f, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child < count && child + 1 < count && ends_before(f, child + 1, child))
            child++;
        if (child >= count || !ends_before(f, child, at))
            return;
        swap(f, at, child);
        at = child;
    }
}

static void forget(struct family *f, uint32_t number)
{
    uint32_t last = f->map.count - 1;
    uint32_t at = f->items[number].heap_at;
    swap(f, at, last);
    if (at != last)
        settle(f, at, last);
    source_map_remove(&f->map, number);
    if (number == last)
        return;
    f->items[number] = f->items[last];
    f->heap[f->items[number].heap_at] = number;
}

static void forget_ended(struct family *f, uint64_t now_ms)
{
    while (f->map.count > 0 && f->items[f->heap[0]].ends_ms <= now_ms)
        forget(f, f->heap[0]);
}

static uint32_t remember(struct family *f, const struct source *s, uint64_t ends_ms)
{
    uint32_t number = source_map_add(&f->map, s);
    if (f->map.size > f->size) {
        f->size = f->map.size;
        f->items = mem_resize(f->items, f->size, sizeof(f->items[0]));
        f->heap = mem_resize(f->heap, f->size, sizeof(f->heap[0]));
    }
    f->items[number] = (struct penalty){.ends_ms = ends_ms, .heap_at = number};
    f->heap[number] = number;
    settle(f, number, f->map.count);
    return number;
}

/* ---- rules ---- */

static void family_configure(struct family *f, uint32_t most, enum penalty_overflow overflow)
{
    f->most = MIN(most, PENALTY_SOURCES_MAX);
    f->overflow = overflow;
    while (f->map.count > f->most)
        forget(f, f->heap[0]);
}

void penalty_table_configure(struct penalty_table *t, const struct server_options *o)
{
    bool is_other_block = t->block.v4 != o->per_source_net_block_size.v4 ||
                          t->block.v6 != o->per_source_net_block_size.v6;
    t->rules = o->per_source_penalties;
    t->block = o->per_source_net_block_size;
    mem_free(t->exempt);
    t->exempt = mem_strdup(o->per_source_penalty_exempt_list);
    for (size_t i = 0; i < FAMILIES && (is_other_block || !t->rules.is_enabled); i++)
        family_clear(&t->families[i]);
    family_configure(&t->families[FAMILY_V4], t->rules.max_sources4, t->rules.overflow4);
    family_configure(&t->families[FAMILY_V6], t->rules.max_sources6, t->rules.overflow6);
}

static bool is_exempt(const struct penalty_table *t, const char *address)
{
    enum match match;
    return strcmp(t->exempt, "none") != 0 && match_address_list(address, t->exempt, &match) == OK &&
           match == MATCH_YES;
}

/* NULL: no penalty can concern this source. */
static struct family *family_of(struct penalty_table *t, const char *address, struct source *s)
{
    if (!t->rules.is_enabled)
        return NULL;
    *s = source_of(address, t->block);
    if (s->size == 0 || is_exempt(t, address))
        return NULL;
    return &t->families[s->size == 4 ? FAMILY_V4 : FAMILY_V6];
}

/* Room for one more; false: everybody is refused anyway. */
static bool make_room(struct family *f)
{
    if (f->map.count < f->most)
        return true;
    if (f->most == 0 || f->overflow == PENALTY_DENY_ALL)
        return false;
    forget(f, f->heap[0]);
    return true;
}

enum penalty_effect penalty_add(struct penalty_table *t, const char *address,
                                enum penalty_kind kind, uint64_t now_ms, uint64_t *left_ms)
{
    struct source s;
    struct family *f = family_of(t, address, &s);
    CHECK(kind < PENALTY_KINDS);
    uint64_t more_ms = t->rules.ms[kind];
    if (left_ms)
        *left_ms = 0;
    if (!f || more_ms == 0)
        return PENALTY_NOTHING;
    forget_ended(f, now_ms);
    uint32_t number = source_map_find(&f->map, &s);
    if (number == SOURCE_NONE && !make_room(f))
        return PENALTY_NOTHING;
    if (number == SOURCE_NONE)
        number = remember(f, &s, now_ms);
    struct penalty *p = &f->items[number];
    bool was_active = p->is_active;
    p->ends_ms = now_ms + MIN(p->ends_ms - now_ms + more_ms, t->rules.max_ms);
    p->kind = kind;
    p->is_active = was_active || p->ends_ms - now_ms >= t->rules.min_ms;
    if (left_ms)
        *left_ms = p->ends_ms - now_ms;
    enum penalty_effect effect = was_active     ? PENALTY_PROLONGS
                                 : p->is_active ? PENALTY_BEGINS
                                                : PENALTY_NOTED;
    settle(f, p->heap_at, f->map.count);
    return effect;
}

static const char *const names[PENALTY_KINDS] = {
    [PENALTY_CRASH] = "caused a crash",
    [PENALTY_AUTHFAIL] = "failed authentication",
    [PENALTY_NOAUTH] = "left without attempting authentication",
    [PENALTY_INVALID_USER] = "attempted authentication as an invalid user",
    [PENALTY_GRACE_EXCEEDED] = "exceeded LoginGraceTime",
    [PENALTY_REFUSE_CONNECTION] = "was refused by RefuseConnection",
};

const char *penalty_kind_name(enum penalty_kind kind)
{
    CHECK(kind < PENALTY_KINDS);
    return names[kind];
}

bool penalty_is_refused(struct penalty_table *t, const char *address, uint64_t now_ms,
                        const char **why)
{
    struct source s;
    struct family *f = family_of(t, address, &s);
    const char *reason = NULL;
    if (f) {
        forget_ended(f, now_ms);
        uint32_t number = source_map_find(&f->map, &s);
        if (number != SOURCE_NONE && f->items[number].is_active)
            reason = names[f->items[number].kind];
        else if (f->overflow == PENALTY_DENY_ALL && f->map.count >= f->most)
            reason = "too many sources are penalised (overflow:deny-all)";
    }
    if (why)
        *why = reason;
    return reason != NULL;
}

size_t penalty_count(const struct penalty_table *t)
{
    return t->families[FAMILY_V4].map.count + t->families[FAMILY_V6].map.count;
}
