/* Random early drop: from `begin` on with `rate` percent, rising to all at `full`. */
#include "server/admission.h"

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
