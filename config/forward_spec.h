/*
 * "[bind:]port:host:port" and its cousins <-> struct forward_spec. Text only: it resolves no name,
 * binds nothing and knows no policy; a bind address is kept as it was asked for (RFC 4254 7.1 gives
 * "", "localhost" and "0.0.0.0" different meanings).
 */
#ifndef ADIT_CONFIG_FORWARD_SPEC_H
#define ADIT_CONFIG_FORWARD_SPEC_H

#include "base/buf.h"

enum forward_kind {
    FORWARD_LOCAL,          /* -L: listen here, connect from the server */
    FORWARD_REMOTE,         /* -R: listen at the server, connect from here */
    FORWARD_DYNAMIC,        /* -D: listen here, SOCKS says where to */
    FORWARD_REMOTE_DYNAMIC, /* -R port: listen at the server, SOCKS in the client */
};

/* An end is a TCP address or, where path is not NULL, a Unix socket. */
struct forward_listen {
    bool has_address; /* false: none was written; GatewayPorts decides */
    char *address;    /* NULL unless has_address; "" was written as ":port:..." ; "*" stays "*" */
    uint16_t port;    /* 0: the server chooses (remote kinds only) */
    char *path;
};

struct forward_target {
    char *host; /* without brackets; NULL for dynamic kinds and for a path */
    uint16_t port;
    char *path;
};

struct forward_spec {
    enum forward_kind kind;
    struct forward_listen listen;
    struct forward_target target;
};

struct forward_list {
    struct forward_spec *items;
    size_t count;
};

/* Why a specification is refused: one sentence that says what was wrong, and the column from 1. */
struct forward_fault {
    unsigned column;
    char text[256];
};

void forward_spec_done(struct forward_spec *spec);
void forward_spec_copy(struct forward_spec *to, const struct forward_spec *from);
bool forward_spec_equal(const struct forward_spec *a, const struct forward_spec *b);

/*
 * Reads one specification as it follows -L, -R or -D. wanted is FORWARD_LOCAL, FORWARD_REMOTE or
 * FORWARD_DYNAMIC; with FORWARD_REMOTE and no target the result is FORWARD_REMOTE_DYNAMIC.
 * ERR_CONFIG with *fault filled, and *spec empty, if it cannot be read. Unix-socket ends are
 * parsed (forward_spec_is_unix): refusing them is up to the caller.
 */
enum err forward_spec_parse(enum forward_kind wanted, const char *text, struct forward_spec *spec,
                            struct forward_fault *fault) MUST_USE;

/* The configuration file's form: listen and target as two words; target NULL for dynamic kinds. */
enum err forward_spec_parse_pair(enum forward_kind wanted, const char *listen, const char *target,
                                 struct forward_spec *spec, struct forward_fault *fault) MUST_USE;

bool forward_spec_is_unix(const struct forward_spec *spec); /* either end is a path */
bool forward_spec_is_remote(const struct forward_spec *spec);

/* "127.0.0.1:4406:remote-host:3306": reads back to the same. The caller owns it. */
char *forward_spec_print(const struct forward_spec *spec) MUST_USE;

/*
 * ssh -G's form: "[127.0.0.1]:4406 [remote-host]:3306"; a path is quoted where a configuration
 * line needs it. The caller owns it.
 */
char *forward_spec_print_config(const struct forward_spec *spec) MUST_USE;

/* "host:port", "[::1]:443": for -W and PermitOpen. The port is 1..65535. The caller owns *host. */
enum err forward_spec_parse_target(const char *text, char **host, uint16_t *port,
                                   struct forward_fault *fault) MUST_USE;

void forward_list_add(struct forward_list *list, const struct forward_spec *spec); /* copies */
void forward_list_done(struct forward_list *list);

#endif
