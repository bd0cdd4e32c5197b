/*
 * Dense id -> pointer, lowest free id first. Channels and questions live in it; the cap bounds
 * what a peer can make us hold.
 */
#ifndef ADIT_BASE_IDMAP_H
#define ADIT_BASE_IDMAP_H

#include "base/err.h"

struct idmap {
    void **slots;   /* NULL: free */
    uint32_t size;  /* slots allocated */
    uint32_t used;  /* slots not NULL */
    uint32_t first; /* no free slot below this one */
    uint32_t ever;  /* ids below this were given out at some time */
    uint32_t cap;
};

void idmap_init(struct idmap *m, uint32_t cap);
void idmap_done(struct idmap *m); /* frees the map, not what it points to */

/* Stores pointer (not NULL) under the lowest free id. ERR_LIMIT at the cap. */
enum err idmap_add(struct idmap *m, void *pointer, uint32_t *id) MUST_USE;
void *idmap_get(const struct idmap *m, uint32_t id); /* NULL if there is none */
void idmap_remove(struct idmap *m, uint32_t id);

/* True if the id was given out at some time, taken or not now. */
bool idmap_was_used(const struct idmap *m, uint32_t id);

#endif
