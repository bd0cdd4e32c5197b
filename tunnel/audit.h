/*
 * One line a forward, for whoever asks later: who, with which key, from where, what, and what came
 * of it. Peer text is escaped by the log.
 */
#ifndef ADIT_TUNNEL_AUDIT_H
#define ADIT_TUNNEL_AUDIT_H

#include "base/log.h"

/* Strings are borrowed, and may be NULL: not known, left out. */
struct audit_who {
    const char *user;
    const char *key;     /* "ED25519 SHA256:...", and a certificate's identity */
    const char *address; /* the peer's */
    uint32_t port;
};

enum audit_result {
    AUDIT_OPEN,    /* it is there */
    AUDIT_CLOSED,  /* and is no more */
    AUDIT_REFUSED, /* not permitted */
    AUDIT_FAILED,  /* permitted, and could not be had */
};

struct audit_forward {
    const char *kind;    /* "local", "remote", "local-unix", "remote-unix", "tun", "agent" */
    struct slice target; /* as the peer wrote it: what it wants to reach, or to listen on */
    uint32_t port;       /* 0: a path, or none */
    enum audit_result result;
    const char *reason; /* NULL: none. What was bound, or why not */
};

/* What came of it, for its last line. */
struct audit_use {
    uint64_t bytes_in, bytes_out; /* from the client, to the client */
    uint64_t connections, duration_ms;
};

/* A log of one connection's forwards; whoever makes many is told of in fewer lines. */
struct audit {
    struct audit_who who;
    struct log_limit opened, ended, refused;
};

#define AUDIT_OPENED_PER_S  100
#define AUDIT_REFUSED_PER_S 10

/* Listeners (remote, remote-unix), tun and agent are always told of. */
void audit_forward(struct audit *a, const struct audit_forward *f, uint64_t now_ms);
/* Its end: result is AUDIT_CLOSED. */
void audit_forward_end(struct audit *a, const struct audit_forward *f, const struct audit_use *use,
                       uint64_t now_ms);

#endif
