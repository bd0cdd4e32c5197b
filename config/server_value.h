/*
 * Values that only the server's keywords have, text <-> struct: PerSourcePenalties,
 * PerSourceNetBlockSize, IPQoS. Pure text; what they are for is not known here.
 */
#ifndef ADIT_CONFIG_SERVER_VALUE_H
#define ADIT_CONFIG_SERVER_VALUE_H

#include "base/buf.h"

/* What a source is punished for. */
enum penalty_kind {
    PENALTY_CRASH,             /* its connection made one of our processes crash */
    PENALTY_AUTHFAIL,          /* it tried to log in and was refused */
    PENALTY_NOAUTH,            /* it left without trying */
    PENALTY_INVALID_USER,      /* it named a user that is none */
    PENALTY_GRACE_EXCEEDED,    /* LoginGraceTime passed */
    PENALTY_REFUSE_CONNECTION, /* RefuseConnection */
    PENALTY_KINDS,
};

enum penalty_overflow {
    PENALTY_PERMISSIVE, /* too many sources: the penalties that end soonest are forgotten */
    PENALTY_DENY_ALL,   /* too many sources: everybody is refused until some have ended */
};

struct source_penalties {
    bool is_enabled;
    uint64_t ms[PENALTY_KINDS]; /* 0: none */
    uint64_t max_ms;            /* of what one source has gathered */
    uint64_t min_ms;            /* below this it is not refused yet */
    uint32_t max_sources4, max_sources6;
    enum penalty_overflow overflow4, overflow6;
    unsigned given; /* which items a line has set: the first value of each wins */
};

/* One word of PerSourcePenalties: "yes", "no", "crash:90s", "overflow:deny-all". False: bad. */
bool source_penalties_read(struct source_penalties *p, const char *word) MUST_USE;
enum err source_penalties_print(const struct source_penalties *p, struct buf *out) MUST_USE;

/* How many leading bits of an address make one source. */
struct net_block_size {
    int v4, v6;
};

/* "24" or "24:56"; without the second, IPv6 stays at 128. */
bool net_block_size_read(struct net_block_size *size, const char *text) MUST_USE;

#define IP_QOS_NONE (-1) /* what the system does */

/* The TOS bytes of the connection to the client. */
struct ip_qos {
    int interactive, bulk; /* 0..255 or IP_QOS_NONE */
};

/* "ef", "cs0", "0x10", "none"; the retired "lowdelay", "throughput", "reliability" mean none. */
bool ip_qos_read(int *value, const char *text) MUST_USE;

/* Its name, or "0x.." written to room. */
const char *ip_qos_name(int value, char room[8]) MUST_USE;

#endif
