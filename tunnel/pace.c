/* The rate of a link's socket. */
#include "tunnel/pace.h"

#include "base/clock.h"

#define US_PER_MS 1000u

#define SPAN_MS  20 /* one measurement; the clock stands still within a turn of the loop */
#define AHEAD_MS 2

#define COMPANY_MS       2000 /* so long after its last word somebody interactive is there */
#define QUEUE_US         5000 /* a queue of this, or of an eighth of the round trip, is too long */
#define QUEUE_FRACTION   8
#define SLOWED_MOST      24                  /* to a third of the rate; then it is not our queue */
#define REST_MS          30000               /* where limiting did not help */
#define LIMIT_MOST       (200 * 1000 * 1000) /* bytes a second: faster paths have short queues */
#define SLOWER(rate)     ((rate) / 100 * 96)
#define FASTER(rate)     ((rate) / 100 * 105)
#define SHORT_ENOUGH(us) ((us) / 5 * 3)

void pace_init(struct pace *p)
{
    *p = (struct pace){.lowat = PACE_LOWAT_FIRST};
}

static void begin(struct pace *p, uint64_t now_ms)
{
    p->since_ms = now_ms;
    p->bytes = 0;
}

bool pace_wrote(struct pace *p, size_t n, bool is_full, uint64_t now_ms)
{
    if (p->since_ms == 0) {
        if (is_full)
            begin(p, now_ms);
        return false;
    }
    p->bytes += n;
    uint64_t span = now_ms - p->since_ms;
    if (!is_full || span < SPAN_MS)
        return false;
    uint64_t ahead = p->bytes / span * AHEAD_MS;
    uint32_t wanted = (uint32_t)MAX(MIN(ahead, PACE_LOWAT_MAX), PACE_LOWAT_MIN);
    bool has_changed = wanted >= 2 * p->lowat || wanted <= p->lowat / 2;
    p->rate = p->bytes * MS_PER_S / span;
    if (has_changed)
        p->lowat = wanted;
    begin(p, now_ms);
    return has_changed;
}

void pace_idle(struct pace *p)
{
    p->since_ms = 0;
}

void pace_company(struct pace *p, uint64_t now_ms)
{
    p->company_ms = now_ms;
}

static bool has_company(const struct pace *p, uint64_t now_ms)
{
    return p->company_ms && now_ms - p->company_ms <= COMPANY_MS;
}

bool pace_should_look(const struct pace *p, uint64_t now_ms)
{
    if (p->rate == 0 || now_ms < p->look_ms)
        return false;
    return p->limit || (has_company(p, now_ms) && p->rate <= LIMIT_MOST);
}

/* Slower than what arrives, and each time slower than before. */
static uint64_t slower(const struct pace *p, uint64_t delivered)
{
    uint64_t rate = p->limit ? p->limit : p->rate;
    return SLOWER(delivered ? MIN(rate, delivered) : rate);
}

static uint64_t limit_for(struct pace *p, const struct pace_path *path, uint64_t now_ms)
{
    uint64_t least_us = path->least_round_trip_us;
    uint64_t queue_us = MAX(path->round_trip_us, least_us) - least_us;
    uint64_t too_long_us = MAX((uint64_t)QUEUE_US, least_us / QUEUE_FRACTION);
    if (!has_company(p, now_ms))
        return 0;
    if (queue_us > too_long_us) {
        if (p->slowed++ < SLOWED_MOST)
            return slower(p, path->delivered);
        p->look_ms = now_ms + REST_MS;
        p->slowed = 0;
        return 0;
    }
    p->slowed = 0;
    if (p->limit && queue_us < SHORT_ENOUGH(too_long_us))
        return FASTER(p->limit) <= LIMIT_MOST ? FASTER(p->limit) : 0;
    return p->limit;
}

bool pace_looked(struct pace *p, const struct pace_path *path, uint64_t now_ms)
{
    uint64_t before = p->limit;
    /* The next look sees what this one has changed: a round trip later. */
    p->look_ms = now_ms + MAX(path->round_trip_us / US_PER_MS, (uint64_t)SPAN_MS);
    p->limit = limit_for(p, path, now_ms);
    return p->limit != before;
}
