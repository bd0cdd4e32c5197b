/* The round trip. */
#include "tunnel/round_trip.h"

#define US_PER_S    (1000 * 1000u)
#define BULK        (64 * 1024u)    /* bytes since the last question: worth another one */
#define LIGHT       (64 * 1024u)    /* bytes beside a question that hardly hold its answer up */
#define INTERVAL_US (1 * US_PER_S)  /* between questions while bulk comes */
#define KEEP_US     (10 * US_PER_S) /* the least is not doubted for so long */

static bool is_old(const struct round_trip *r, uint64_t now_us)
{
    return r->least_us == 0 || now_us - r->seen_us >= KEEP_US;
}

void round_trip_want(struct round_trip *r, uint64_t now_us)
{
    r->is_wanted |= is_old(r, now_us);
}

bool round_trip_is_due(const struct round_trip *r, uint64_t now_us, uint64_t received)
{
    if (r->is_asked)
        return false;
    if (r->is_wanted)
        return true;
    return received - r->received_at_asked >= BULK &&
           now_us - r->asked_us >= MAX((uint64_t)INTERVAL_US, r->least_us);
}

void round_trip_asked(struct round_trip *r, uint64_t now_us, uint64_t received)
{
    r->is_asked = true;
    r->is_wanted = false;
    r->asked_us = now_us;
    r->received_at_asked = received;
}

void round_trip_answered(struct round_trip *r, uint64_t now_us, uint64_t received)
{
    if (!r->is_asked)
        return;
    r->is_asked = false;
    uint64_t took_us = MAX(now_us - r->asked_us, (uint64_t)1);
    r->last_us = took_us;
    bool is_loaded = received - r->received_at_asked > LIGHT;
    if (r->least_us == 0 || took_us < r->least_us || (!is_loaded && is_old(r, now_us)))
        r->least_us = took_us;
    else if (took_us - r->least_us > r->least_us / 8)
        return;
    r->seen_us = now_us;
}
