/*
 * What the connection is made of and what runs through it, as text for a person: ~I, ~#, and
 * "-O conninfo", "-O channels". Lines end with "\n".
 */
#ifndef ADIT_CLIENT_STATUS_H
#define ADIT_CLIENT_STATUS_H

struct client;

/* The caller owns them. */
char *status_connection(const struct client *c);
char *status_channels(const struct client *c);

#endif
