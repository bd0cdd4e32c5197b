/* The rate of a link's socket. */
#include "tunnel/pace.h"

#define SPAN_MS  20 /* one measurement; the clock stands still within a turn of the loop */
#define AHEAD_MS 2

void pace_init(struct pace *p)
{
    *p = (struct pace){.lowat = PACE_LOWAT_FIRST};
}

bool pace_wrote(struct pace *p, size_t n, bool is_full, uint64_t now_ms)
{
    if (p->since_ms == 0) {
        if (is_full)
            *p = (struct pace){.since_ms = now_ms, .lowat = p->lowat};
        return false;
    }
    p->bytes += n;
    uint64_t span = now_ms - p->since_ms;
    if (!is_full || span < SPAN_MS)
        return false;
    uint64_t ahead = p->bytes / span * AHEAD_MS;
    uint32_t wanted = (uint32_t)MAX(MIN(ahead, PACE_LOWAT_MAX), PACE_LOWAT_MIN);
    bool has_changed = wanted >= 2 * p->lowat || wanted <= p->lowat / 2;
    *p = (struct pace){.since_ms = now_ms, .lowat = has_changed ? wanted : p->lowat};
    return has_changed;
}

void pace_idle(struct pace *p)
{
    p->since_ms = 0;
}
