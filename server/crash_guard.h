/*
 * Which accounts' workers crash again and again: after three crashes within 60 s an account's
 * connections get a process each for ten minutes, so that a client that brings its worker down
 * brings down only itself. Pure: the time is passed in. Bounded: the oldest entries make room.
 */
#ifndef ADIT_SERVER_CRASH_GUARD_H
#define ADIT_SERVER_CRASH_GUARD_H

#include "base/base.h"

#define CRASH_GUARD_ACCOUNTS  64
#define CRASH_GUARD_CRASHES   3
#define CRASH_GUARD_WITHIN_MS (60 * 1000u)
#define CRASH_GUARD_APART_MS  (600 * 1000u)

struct crash_guard {
    struct crash_record {
        uint32_t uid;
        bool is_used;
        unsigned count;                         /* of times */
        uint64_t times_ms[CRASH_GUARD_CRASHES]; /* the latest, oldest first */
        uint64_t apart_until_ms;
    } records[CRASH_GUARD_ACCOUNTS];
};

/* A worker of the account crashed. True: from now on its connections are kept apart. */
bool crash_guard_add(struct crash_guard *g, uint32_t uid, uint64_t now_ms);
bool crash_guard_is_apart(const struct crash_guard *g, uint32_t uid, uint64_t now_ms);

#endif
