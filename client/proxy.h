/*
 * A way to the server that is not a dial: ProxyCommand by the user's shell, or ProxyJump by running
 * ourselves with -W through the jump host, hop by hop, without any shell.
 */
#ifndef ADIT_CLIENT_PROXY_H
#define ADIT_CLIENT_PROXY_H

#include "client/args.h"
#include "io/child.h"

bool proxy_is_wanted(const struct client_options *o);

/* ProxyUseFdpass: the program passes a connected descriptor over *socket, which is the caller's. */
enum err proxy_start_fdpass(struct child **child, struct loop *l, const struct client_options *o,
                            child_exited *exited, void *owner, int *socket) MUST_USE;

/* Borrowed. */
struct proxy_request {
    const struct args *args;
    const struct client_options *options;
    bool asks_nobody; /* the hops of a ProxyJump may not ask a person (BatchMode) */
};

/*
 * Starts the program; *read_fd and *write_fd are the caller's. ERR_CONFIG, ERR_IO: what was wrong
 * is logged.
 */
enum err proxy_start(struct child **child, struct loop *l, const struct proxy_request *q,
                     child_exited *exited, void *owner, int *read_fd, int *write_fd) MUST_USE;

/* One hop of ProxyJump: "[user@]host[:port]", "ssh://..." allowed. Borrowed parts are copied. */
struct jump_hop {
    char *user; /* NULL: not given */
    char *host;
    char *port; /* NULL: not given; digits */
};
/* ERR_CONFIG: malformed, or bytes that a shell or an option would read. */
enum err jump_hop_parse(struct slice text, struct jump_hop *hop) MUST_USE;
void jump_hop_done(struct jump_hop *hop);

#endif
