/*
 * ChannelTimeout and UnusedConnectionTimeout: channels on which nothing moves are closed, and a
 * connection without channels ends. It looks twice a second, and only where one of them is set.
 */
#ifndef ADIT_SERVER_IDLE_H
#define ADIT_SERVER_IDLE_H

#include "config/sshd_config.h"
#include "tunnel/link.h"

struct idle;

/* For a link that is up; the options are borrowed. NULL: nothing is to be watched. */
struct idle *idle_new(struct link *l, const struct server_options *o) MUST_USE;
void idle_free(struct idle *i); /* NULL allowed; before link_free */

#endif
