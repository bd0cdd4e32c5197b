/*
 * The supervisor: listens, admits, starts a worker for each connection, carries questions between
 * the roles, reaps. It reads no byte from the network and links no crypto: signatures, hashes and
 * keys pass through it as bytes.
 */
#ifndef ADIT_SERVER_SUPERVISOR_H
#define ADIT_SERVER_SUPERVISOR_H

#include "config/sshd_config.h"
#include "server/programs.h"
#include "server/service.h"

struct supervisor_setup {
    const struct programs *programs;
    const struct server_config_request *request; /* to read again at SIGHUP */
    struct sshd_config *config;                  /* taken over */
    const struct string_list *only_ports;        /* -p: the file's Port lines do not count */
    const struct service *service;
    bool is_inetd;   /* serve descriptors 0 and 1, then end */
    bool to_system;  /* children log to the system's log */
    bool is_daemon;  /* standard error is gone: log to the system's log once all listens */
    int terminal_fd; /* of a daemon: hears errors until all listens, then closed; -1: none */
    int ready_fd;    /* a byte is written and it is closed once all listens; -1: nobody waits */
};

/* Runs until it is told to end. The exit status. */
int supervisor_run(const struct supervisor_setup *setup) MUST_USE;

#endif
