/* Sources and the map of them: chains in an array, grown by doubling. */
#include "server/source.h"

#include <arpa/inet.h>
#include <stdio.h>

#define SIZE_FIRST 64

static void cut(struct source *s, unsigned bits)
{
    for (unsigned i = 0; i < s->size; i++) {
        unsigned kept = bits > i * 8 ? MIN(bits - i * 8, 8u) : 0;
        s->bytes[i] &= (uint8_t)(0xff00u >> kept);
    }
}

struct source source_of(const char *address, struct net_block_size block)
{
    struct source s = {.size = 0};
    struct in6_addr v6;
    char text[INET6_ADDRSTRLEN];
    size_t length = strcspn(address, "%"); /* the scope says by which door, not who */
    if (length >= sizeof(text))
        return s;
    memcpy(text, address, length);
    text[length] = '\0';
    if (inet_pton(AF_INET, text, s.bytes) == 1) {
        s.size = 4;
    } else if (inet_pton(AF_INET6, text, &v6) == 1) {
        bool is_mapped = IN6_IS_ADDR_V4MAPPED(&v6);
        s.size = is_mapped ? 4 : 16;
        memcpy(s.bytes, v6.s6_addr + (is_mapped ? 12 : 0), s.size);
    }
    cut(&s, (unsigned)(s.size == 4 ? block.v4 : block.v6));
    return s;
}

void source_map_init(struct source_map *m, const uint64_t seed[2])
{
    *m = (struct source_map){.seed = {seed[0], seed[1]}};
}

void source_map_clear(struct source_map *m)
{
    mem_free(m->keys);
    mem_free(m->next);
    mem_free(m->buckets);
    source_map_init(m, (const uint64_t[]){m->seed[0], m->seed[1]});
}

void source_map_done(struct source_map *m)
{
    source_map_clear(m);
}

static uint64_t mixed(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t bucket_of(const struct source_map *m, const struct source *s)
{
    uint64_t halves[2];
    memcpy(halves, s->bytes, sizeof(halves));
    uint64_t hash =
        mixed(halves[0] ^ m->seed[0] ^ s->size, halves[1] ^ m->seed[1] ^ 0x9e3779b97f4a7c15u);
    return (uint32_t)mixed(hash ^ m->seed[0], m->seed[1] | 1) & (m->size - 1);
}

static bool is_same(const struct source *a, const struct source *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

uint32_t source_map_find(const struct source_map *m, const struct source *s)
{
    if (m->size == 0)
        return SOURCE_NONE;
    uint32_t at = m->buckets[bucket_of(m, s)];
    while (at != SOURCE_NONE && !is_same(&m->keys[at], s))
        at = m->next[at];
    return at;
}

static void link_in(struct source_map *m, uint32_t number)
{
    uint32_t *head = &m->buckets[bucket_of(m, &m->keys[number])];
    m->next[number] = *head;
    *head = number;
}

static void grow(struct source_map *m)
{
    m->size = m->size ? 2 * m->size : SIZE_FIRST;
    m->keys = mem_resize(m->keys, m->size, sizeof(m->keys[0]));
    m->next = mem_resize(m->next, m->size, sizeof(m->next[0]));
    m->buckets = mem_resize(m->buckets, m->size, sizeof(m->buckets[0]));
    for (uint32_t i = 0; i < m->size; i++)
        m->buckets[i] = SOURCE_NONE;
    for (uint32_t i = 0; i < m->count; i++)
        link_in(m, i);
}

uint32_t source_map_add(struct source_map *m, const struct source *s)
{
    if (m->count == m->size)
        grow(m);
    m->keys[m->count] = *s;
    link_in(m, m->count);
    return m->count++;
}

/* What points to number in its chain. */
static uint32_t *link_to(struct source_map *m, uint32_t number)
{
    uint32_t *at = &m->buckets[bucket_of(m, &m->keys[number])];
    while (*at != number)
        at = &m->next[*at];
    return at;
}

void source_map_remove(struct source_map *m, uint32_t number)
{
    CHECK(number < m->count);
    uint32_t last = m->count - 1;
    *link_to(m, number) = m->next[number];
    m->count--;
    if (number == last)
        return;
    uint32_t *to_last = link_to(m, last);
    m->keys[number] = m->keys[last];
    m->next[number] = m->next[last];
    *to_last = number;
}
