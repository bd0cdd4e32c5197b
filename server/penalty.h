/*
 * PerSourcePenalties (sshd_config(5) of OpenSSH 10.5): sources that misbehave are refused for a
 * while, longer where they go on. Pure: the clock is passed in (monotonic milliseconds), nothing is
 * logged. Memory is bounded whatever peers do: at most PENALTY_SOURCES_MAX sources a family.
 */
#ifndef ADIT_SERVER_PENALTY_H
#define ADIT_SERVER_PENALTY_H

#include "config/sshd_config.h"

#define PENALTY_SOURCES_MAX 65536u

struct penalty_table;

/* What the options say is copied. The seed is random and nobody else's. */
struct penalty_table *penalty_table_new(const struct server_options *o,
                                        const uint64_t seed[2]) MUST_USE;
void penalty_table_free(struct penalty_table *t); /* NULL allowed */

/* After a reload. What was gathered stays, unless PerSourceNetBlockSize has changed. */
void penalty_table_configure(struct penalty_table *t, const struct server_options *o);

enum penalty_effect {
    PENALTY_NOTHING,  /* none is configured, the source is exempt or has no address */
    PENALTY_NOTED,    /* gathered, and still below min: not refused yet */
    PENALTY_BEGINS,   /* refused from now on: worth a line in the log */
    PENALTY_PROLONGS, /* refused already, and longer now */
};

/*
 * A source did something. *left_ms (may be NULL): what it has gathered, if anything. Penalties of a
 * source add up to at most max.
 */
enum penalty_effect penalty_add(struct penalty_table *t, const char *address,
                                enum penalty_kind kind, uint64_t now_ms, uint64_t *left_ms);

/*
 * Whether a new connection from address is to be refused before anything is said to it. *why (may
 * be NULL): a constant sentence.
 */
bool penalty_is_refused(struct penalty_table *t, const char *address, uint64_t now_ms,
                        const char **why) MUST_USE;

/* How many sources are remembered. */
size_t penalty_count(const struct penalty_table *t);

/* "failed authentication", ...: for the log. */
const char *penalty_kind_name(enum penalty_kind kind);

#endif
