/*
 * Whether the options of a login let it listen on a port: the supervisor's own look at what
 * aditd-authz said, before it binds a port below 1024 for a worker. It links no floor that reads
 * such options, and needs of them only this. Pure; whatever it does not understand permits nothing.
 */
#ifndef ADIT_SERVER_PORT_RIGHT_H
#define ADIT_SERVER_PORT_RIGHT_H

#include "base/buf.h"

#define PORT_PRIVILEGED_MAX 1023

/* options: authorized_keys grammar, as key_options_print writes it; empty: nothing is restricted.
 */
bool port_right_may_listen(struct slice options, uint16_t port) MUST_USE;

#endif
