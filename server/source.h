/*
 * Where a connection comes from, as far as limits and penalties tell sources apart: an address cut
 * to PerSourceNetBlockSize bits. And a map from sources to small numbers. Pure; peers choose the
 * addresses, so the map's hash has a seed that they do not know.
 */
#ifndef ADIT_SERVER_SOURCE_H
#define ADIT_SERVER_SOURCE_H

#include "config/server_value.h"

struct source {
    uint8_t size;      /* of the address: 4, 16, or 0: it has none ("UNKNOWN") */
    uint8_t bytes[16]; /* zero behind the block's bits */
};

/* An IPv4 address inside an IPv6 one is that IPv4 address. A text that is no address: size 0. */
struct source source_of(const char *address, struct net_block_size block);

struct source_map {
    struct source *keys; /* dense: 0..count-1; the owner keeps arrays beside it */
    uint32_t *next;      /* in the bucket's chain */
    uint32_t *buckets;
    uint32_t count, size; /* buckets: size, a power of two */
    uint64_t seed[2];
};

#define SOURCE_NONE UINT32_MAX

void source_map_init(struct source_map *m, const uint64_t seed[2]);
void source_map_done(struct source_map *m);
void source_map_clear(struct source_map *m);

/* The number of a source, or SOURCE_NONE. */
uint32_t source_map_find(const struct source_map *m, const struct source *s) MUST_USE;

/* Adds one that is not there; its number is the greatest. The owner bounds how many there are. */
uint32_t source_map_add(struct source_map *m, const struct source *s) MUST_USE;

/* Takes one out; the last one gets its number. */
void source_map_remove(struct source_map *m, uint32_t number);

#endif
