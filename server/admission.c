/* Random early drop: from `begin` on with `rate` percent, rising to all at `full`. */
#include "server/admission.h"

struct admission {
    struct source_map map;
    unsigned *waiting; /* by number; never 0 */
    uint32_t size;
};

bool admission_may_start(const struct admission_limits *limits, unsigned waiting,
                         unsigned random_percent)
{
    if (waiting < limits->begin)
        return true;
    if (waiting >= limits->full)
        return false;
    if (limits->rate >= 100)
        return false;
    uint64_t above = waiting - limits->begin;
    uint64_t drop = limits->rate + (100 - limits->rate) * above / (limits->full - limits->begin);
    return random_percent >= drop;
}

struct admission *admission_new(const uint64_t seed[2])
{
    struct admission *a = NEW(struct admission);
    source_map_init(&a->map, seed);
    return a;
}

void admission_free(struct admission *a)
{
    if (!a)
        return;
    source_map_done(&a->map);
    mem_free(a->waiting);
    mem_free(a);
}

static unsigned waiting_of(const struct admission *a, const struct source *s)
{
    uint32_t number = source_map_find(&a->map, s);
    return number == SOURCE_NONE ? 0 : a->waiting[number];
}

bool admission_source_may_start(const struct admission *a, const struct source *s, unsigned most)
{
    return s->size == 0 || waiting_of(a, s) < most;
}

bool admission_gives_way(const struct admission *a, const struct source *newcomer,
                         struct source *crowd)
{
    unsigned most = 0;
    if (newcomer->size == 0)
        return false;
    for (uint32_t i = 0; i < a->map.count; i++) {
        if (a->map.keys[i].size == 0 || a->waiting[i] <= most)
            continue;
        most = a->waiting[i];
        *crowd = a->map.keys[i];
    }
    return most >= waiting_of(a, newcomer) + 2;
}

void admission_enter(struct admission *a, const struct source *s)
{
    uint32_t number = source_map_find(&a->map, s);
    if (number != SOURCE_NONE) {
        a->waiting[number]++;
        return;
    }
    number = source_map_add(&a->map, s);
    if (a->map.size > a->size) {
        a->size = a->map.size;
        a->waiting = mem_resize(a->waiting, a->size, sizeof(a->waiting[0]));
    }
    a->waiting[number] = 1;
}

void admission_leave(struct admission *a, const struct source *s)
{
    uint32_t number = source_map_find(&a->map, s);
    CHECK(number != SOURCE_NONE);
    if (--a->waiting[number] > 0)
        return;
    a->waiting[number] = a->waiting[a->map.count - 1];
    source_map_remove(&a->map, number);
}
