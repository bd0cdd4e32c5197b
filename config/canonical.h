/*
 * CanonicalizeHostname: the name to connect to, made whole by CanonicalDomains and
 * CanonicalizePermittedCNAMEs. Asks names through the world that is passed in. For ssh_config.c
 * alone.
 */
#ifndef ADIT_CONFIG_CANONICAL_H
#define ADIT_CONFIG_CANONICAL_H

#include "config/ssh_config.h"

/*
 * The final name of host, which the caller owns, in *name. The options count as they stand, before
 * their defaults are filled in. ERR_CONFIG with an entry in report: it cannot be found, and
 * CanonicalizeFallbackLocal says no, or only its CNAME was asked for.
 */
enum err canonical_name(const struct client_options *o, const struct client_world *world,
                        const char *host, char **name, struct report *report) MUST_USE;

#endif
