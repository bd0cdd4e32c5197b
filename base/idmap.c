/* Dense ids. */
#include "base/idmap.h"

void idmap_init(struct idmap *m, uint32_t cap)
{
    *m = (struct idmap){.cap = cap};
}

void idmap_done(struct idmap *m)
{
    mem_free(m->slots);
    idmap_init(m, m->cap);
}

static void grow(struct idmap *m)
{
    uint32_t size = m->size ? m->size * 2 : 4;
    size = MIN(size, m->cap);
    m->slots = mem_resize(m->slots, size, sizeof(*m->slots));
    for (uint32_t i = m->size; i < size; i++)
        m->slots[i] = NULL;
    m->size = size;
}

enum err idmap_add(struct idmap *m, void *pointer, uint32_t *id)
{
    CHECK(pointer);
    if (m->used == m->cap)
        return ERR_LIMIT;
    if (m->used == m->size)
        grow(m);
    uint32_t i = m->first;
    while (m->slots[i])
        i++;
    m->slots[i] = pointer;
    m->first = i + 1;
    m->used++;
    m->ever = MAX(m->ever, i + 1);
    *id = i;
    return OK;
}

void *idmap_get(const struct idmap *m, uint32_t id)
{
    return id < m->size ? m->slots[id] : NULL;
}

void idmap_remove(struct idmap *m, uint32_t id)
{
    CHECK(id < m->size && m->slots[id]);
    m->slots[id] = NULL;
    m->used--;
    m->first = MIN(m->first, id);
}

bool idmap_was_used(const struct idmap *m, uint32_t id)
{
    return id < m->ever;
}
