/* What aditd-sign is told of the configuration, besides the keys' paths. */
#ifndef ADIT_SERVER_SIGN_OPTIONS_H
#define ADIT_SERVER_SIGN_OPTIONS_H

#include "config/sshd_config.h"

#define SIGN_OPTIONS_MAX 72

/* Adds to arguments (SIGN_OPTIONS_MAX of room) what lives as long as the options; how many. */
size_t sign_options(const struct server_options *o, const char **arguments);

#endif
