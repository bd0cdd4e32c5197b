/*
 * Whether one more connection may begin to log in (sshd_config(5), MaxStartups): random early
 * drop. Pure; the random number is passed in.
 */
#ifndef ADIT_SERVER_ADMISSION_H
#define ADIT_SERVER_ADMISSION_H

#include "base/base.h"

struct admission_limits {
    unsigned begin, rate, full; /* as in MaxStartups begin:rate:full; rate in percent */
};

/* waiting: connections not logged in yet. random_percent: uniform in 0..99. */
bool admission_may_start(const struct admission_limits *limits, unsigned waiting,
                         unsigned random_percent) MUST_USE;

#endif
