/*
 * A client of a shared connection: asks the master at ControlPath for a session, for forwards or
 * for what -O says. Needs a loop of its own, and so comes after any fork.
 */
#ifndef ADIT_CLIENT_MUX_CLIENT_H
#define ADIT_CLIENT_MUX_CLIENT_H

#include "client/client.h"

struct mux_client_request {
    const struct client_request *run; /* its control_path is set */
    bool forwards_done;               /* the master began with the same forwards: not again */
};

/*
 * ERR_NOT_FOUND: no master (nothing was said, but with -O); ERR_DENIED: it would not (said): a
 * connection of one's own is next. OK: *status is the exit status; with -O proxy,
 * where the master agreed, *proxy_fd is the socket through which all is to go (else it stays).
 */
enum err mux_client_run(const struct mux_client_request *request, int *status,
                        int *proxy_fd) MUST_USE;

/* Whether somebody listens at path; a dead socket is removed if may_remove. */
bool mux_client_finds_master(const char *path, bool may_remove);

#endif
