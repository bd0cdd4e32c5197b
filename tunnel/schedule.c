/* Turns by deficit round robin. */
#include "tunnel/schedule.h"

void schedule_init(struct schedule *s)
{
    list_init(&s->fresh);
    list_init(&s->round);
    s->ready = 0;
}

void schedule_item_init(struct schedule_item *item)
{
    *item = (struct schedule_item){.place = SCHEDULE_OUT};
    list_init(&item->link);
}

static void place(struct schedule *s, struct schedule_item *item, enum schedule_place to)
{
    list_remove(&item->link);
    item->place = to;
    if (to == SCHEDULE_FRESH)
        list_append(&s->fresh, &item->link);
    else if (to == SCHEDULE_ROUND)
        list_append(&s->round, &item->link);
}

static void set_ready(struct schedule *s, struct schedule_item *item, bool is_ready)
{
    if (item->is_ready == is_ready)
        return;
    item->is_ready = is_ready;
    if (is_ready)
        s->ready++;
    else
        s->ready--;
}

void schedule_add(struct schedule *s, struct schedule_item *item, uint32_t credit)
{
    set_ready(s, item, true);
    if (item->place != SCHEDULE_OUT)
        return;
    item->credit = credit;
    place(s, item, SCHEDULE_FRESH);
}

void schedule_remove(struct schedule *s, struct schedule_item *item)
{
    set_ready(s, item, false);
    place(s, item, SCHEDULE_OUT);
}

static struct schedule_item *first(struct schedule *s)
{
    struct list *l = list_is_empty(&s->fresh) ? &s->round : &s->fresh;
    return list_is_empty(l) ? NULL : container_of(l->next, struct schedule_item, link);
}

struct schedule_item *schedule_next(struct schedule *s, uint32_t quantum)
{
    struct schedule_item *item;
    while ((item = first(s))) {
        if (!item->is_ready) {
            /* A newcomer keeps a place for one round, so that it is not new again at once. */
            place(s, item, item->place == SCHEDULE_FRESH ? SCHEDULE_ROUND : SCHEDULE_OUT);
        } else if (item->credit <= 0) {
            item->credit += quantum;
            place(s, item, SCHEDULE_ROUND);
        } else {
            item->credit = MIN(item->credit, (int64_t)quantum);
            set_ready(s, item, false);
            return item;
        }
    }
    return NULL;
}

void schedule_spent(struct schedule_item *item, size_t bytes)
{
    item->credit -= (int64_t)bytes;
}
