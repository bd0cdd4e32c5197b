/*
 * Intrusive doubly linked list. A list is a struct list whose ends point to itself; a member
 * that is in no list points to itself too, so list_remove twice is harmless.
 */
#ifndef ADIT_BASE_LIST_H
#define ADIT_BASE_LIST_H

#include "base/base.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *l, struct list *item)
{
    item->prev = l->prev;
    item->next = l;
    l->prev->next = item;
    l->prev = item;
}

static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

/* Takes the first item off, or NULL. */
static inline struct list *list_take_first(struct list *l)
{
    if (list_is_empty(l))
        return NULL;
    struct list *item = l->next;
    list_remove(item);
    return item;
}

/* The loop variable may be removed and freed in the body; no other item may. */
#define LIST_FOR(item, list_, type, member)                                                        \
    for (struct list *pos_##item = (list_)->next, *after_##item = pos_##item->next;                \
         pos_##item != (list_); pos_##item = after_##item, after_##item = pos_##item->next)        \
        for (type *item = container_of(pos_##item, type, member), *once_##item = item;             \
             once_##item; once_##item = NULL)

#endif
