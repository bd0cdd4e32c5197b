/*
 * One try to get to the server: a dial, a proxy's pipes, or a descriptor that a proxy passes. How
 * often it is tried, and what a person is told of a dial that failed, is its owner's.
 */
#ifndef ADIT_CLIENT_WAY_H
#define ADIT_CLIENT_WAY_H

#include "client/args.h"
#include "config/ssh_config.h"
#include "io/child.h"
#include "io/dial.h"
#include "io/fd_receiver.h"

struct way_result {
    int read_fd, write_fd;            /* the caller's, one number for a socket; -1: it failed */
    const char *address;              /* of the server, numeric; NULL through pipes */
    const struct dial_result *failed; /* a dial's; NULL: what was wrong has been said */
};
typedef void way_done(void *owner, const struct way_result *result);

struct way {
    struct loop *loop;
    const struct args *args;
    const struct client_options *options;
    const char *host; /* what is dialled: the name, or an address that was reached before */
    bool asks_nobody; /* the hops of a ProxyJump may not ask a person */
    way_done *done;
    void *owner;
    /* its own */
    struct dial *dial;
    struct child *proxy; /* lives as long as what goes through it */
    struct fd_receiver *receiver;
};

/* AF_INET, AF_INET6 or AF_UNSPEC, by AddressFamily. */
int way_family(const struct client_options *o);

/* The fields above dial are filled in, the others 0. done comes once, perhaps before it returns. */
void way_begin(struct way *w);
/* A proxy that is left is ended with it. Harmless where nothing was begun. */
void way_end(struct way *w);

#endif
