/*
 * Whose turn it is to send on a link: deficit round robin by bytes (Shreedhar and Varghese 1995),
 * with a list of its own for those that just became ready, which go first (as in RFC 8290 4.1,
 * fq_codel). Who says something small now and then therefore never waits behind bulk, and cannot
 * starve it: an item that was served as a newcomer queues with the others if it comes again within
 * their round.
 *
 * Pure: items are the caller's, every call is O(1) (schedule_next amortised).
 */
#ifndef ADIT_TUNNEL_SCHEDULE_H
#define ADIT_TUNNEL_SCHEDULE_H

#include "base/list.h"

enum schedule_place { SCHEDULE_OUT, SCHEDULE_FRESH, SCHEDULE_ROUND };

struct schedule_item {
    struct list link;
    enum schedule_place place;
    bool is_ready;
    int64_t credit; /* bytes it may send before its next round; below 0: debt */
};

struct schedule {
    struct list fresh, round;
    unsigned ready; /* items that are ready */
};

void schedule_init(struct schedule *s);
void schedule_item_init(struct schedule_item *item);

/*
 * It has something to send. Harmless if it was said before. credit: bytes a newcomer may send
 * before it queues with the others.
 */
void schedule_add(struct schedule *s, struct schedule_item *item, uint32_t credit);
/* Forgets it: before its owner is freed. Harmless if it is not there. */
void schedule_remove(struct schedule *s, struct schedule_item *item);

/*
 * Whose turn it is; NULL: nobody is ready. It is not ready any more: who still has something says
 * schedule_add again. It has credit > 0, at most `quantum`.
 */
struct schedule_item *schedule_next(struct schedule *s, uint32_t quantum);
/* It sent so many bytes; more than its credit is a debt. */
void schedule_spent(struct schedule_item *item, size_t bytes);

#endif
