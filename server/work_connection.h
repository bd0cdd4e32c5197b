/*
 * One connection of a worker, from its hand-over to its last byte: the link, what its user may do,
 * and whom it asks. What needs the supervisor goes through the worker.
 */
#ifndef ADIT_SERVER_WORK_CONNECTION_H
#define ADIT_SERVER_WORK_CONNECTION_H

#include "server/server_transport.h"
#include "tunnel/link.h"

struct work_connection;

/* What the worker lends to all its connections. */
struct work_host {
    struct loop *loop;
    const struct crypto *crypto;
    struct rng *rng;
    const struct server_keys *keys;
    struct window_budget *windows; /* of all its connections */
    /* To the supervisor, if it is there: ERR_EOF if not. */
    enum err (*tell)(void *owner, const struct role_msg *m, const int *fds, size_t fd_count);
    /* The connection has ended: work_connection_free is due, though not inside this call. */
    void (*ended)(void *owner, struct work_connection *c);
    void *owner;
};

/* What came with ADOPT; the descriptors are taken over, whatever the result. */
struct work_adoption {
    uint32_t connection;
    struct slice record;
    int in_fd, out_fd; /* may be one socket twice */
    int config_fd, ticket_fd;
};

/* host is borrowed. An error: nothing was made, and the connection is lost. */
enum err work_connection_new(struct work_connection **out, const struct work_host *host,
                             const struct work_adoption *a) MUST_USE;
void work_connection_free(struct work_connection *c);

uint32_t work_connection_id(const struct work_connection *c);
int work_connection_ticket(const struct work_connection *c); /* stays the connection's */
int work_connection_status(const struct work_connection *c); /* once it has ended */

/* Answers of the supervisor. */
void work_connection_signed(struct work_connection *c, struct slice signature);
void work_connection_proved(struct work_connection *c, uint32_t tag, struct slice signature);
/* fds are taken over. */
void work_connection_bound(struct work_connection *c, const struct role_msg *m, const int *fds,
                           size_t fd_count);
/* Another connection of its login wants to share a listener: answered by LENT. */
void work_connection_lend(struct work_connection *c, const struct role_msg *asked);
/* Its options are new (SIGHUP); config_fd stays the caller's. */
void work_connection_options(struct work_connection *c, int config_fd);

/* The supervisor is gone: what it did not answer is refused, but for signatures, which wait. */
void work_connection_unanswered(struct work_connection *c);
/* A supervisor is there again: questions that are out are asked once more. */
void work_connection_ask_again(struct work_connection *c);

/* A polite end. */
void work_connection_say_goodbye(struct work_connection *c, const char *text);

#endif
