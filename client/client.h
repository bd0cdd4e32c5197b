/*
 * The life of one adit: get there (dial or ProxyCommand), trust, authenticate, start the forwards,
 * stay until something ends it. Exit statuses are ssh's.
 */
#ifndef ADIT_CLIENT_CLIENT_H
#define ADIT_CLIENT_CLIENT_H

#include "client/args.h"
#include "config/ssh_config.h"

#define EXIT_FAILED 255 /* connection or authentication failure, as ssh */

struct client_request {
    const struct args *args;
    const struct client_options *options;
    const char *home;                 /* may be NULL */
    const struct client_facts *facts; /* for client/expand_client.h */
    int ready_fd;             /* -f: told one byte when it may go to the background; -1: none */
    const char *control_path; /* ControlPath, NULL: none */
    bool is_master_only;      /* ControlPersist: no session of its own, ends when unused */
    int proxy_fd;             /* -O proxy: a master relays what is said here; -1: none */
};

/* Runs to the end; the exit status. Makes its own loop: not before any fork. */
int client_run(const struct client_request *request);

#endif
