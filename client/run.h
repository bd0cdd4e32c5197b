/*
 * How adit runs, once it is known what is wanted: through a master that is there already
 * (ControlPath), by a connection of its own, in the foreground or not (-f), or by one that stays
 * behind as a master (ControlPersist).
 */
#ifndef ADIT_CLIENT_RUN_H
#define ADIT_CLIENT_RUN_H

#include "client/client.h"

/* The exit status. Forks before any loop exists. */
int run_adit(const struct args *a, const struct client_options *o,
             const struct client_facts *facts);

#endif
