/*
 * What reading ssh_config may ask of this machine: run a program (Match exec), our addresses
 * (Match localnetwork), a name's addresses (CanonicalizeHostname). It blocks: for the time before
 * any loop exists.
 */
#ifndef ADIT_CLIENT_WORLD_H
#define ADIT_CLIENT_WORLD_H

#include "config/ssh_config.h"

extern const struct client_world client_world;

#endif
