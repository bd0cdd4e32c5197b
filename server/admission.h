/*
 * Whether one more connection may begin to log in (sshd_config(5)): MaxStartups with its random
 * early drop, and PerSourceMaxStartups. Pure; the random number is passed in.
 */
#ifndef ADIT_SERVER_ADMISSION_H
#define ADIT_SERVER_ADMISSION_H

#include "server/source.h"

struct admission_limits {
    unsigned begin, rate, full; /* as in MaxStartups begin:rate:full; rate in percent */
};

/* waiting: connections not logged in yet. random_percent: uniform in 0..99. */
bool admission_may_start(const struct admission_limits *limits, unsigned waiting,
                         unsigned random_percent) MUST_USE;

/* How many connections of each source are not logged in yet. */
struct admission;
struct admission *admission_new(const uint64_t seed[2]) MUST_USE;
void admission_free(struct admission *a); /* NULL allowed */

/* most: PerSourceMaxStartups. A source without an address is never held to it. */
bool admission_source_may_start(const struct admission *a, const struct source *s,
                                unsigned most) MUST_USE;

/*
 * Whether one who waits should give way to a newcomer that would be dropped: another source has
 * two more than the newcomer's, so that afterwards it still has no fewer. *crowd: that source.
 */
bool admission_gives_way(const struct admission *a, const struct source *newcomer,
                         struct source *crowd) MUST_USE;

/*
 * A connection begins to wait, and ends to (logged in, or gone): in pairs, with the same source,
 * which the caller keeps with the connection (the block size may change meanwhile).
 */
void admission_enter(struct admission *a, const struct source *s);
void admission_leave(struct admission *a, const struct source *s);

#endif
