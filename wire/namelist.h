/* Name-lists (RFC 4251 5): comma-separated names out of a string that a reader checked. */
#ifndef ADIT_WIRE_NAMELIST_H
#define ADIT_WIRE_NAMELIST_H

#include "base/buf.h"

#define NAMELIST_MAX_NAMES 1024

/* Takes the first name off *rest; false at the end. */
bool namelist_next(struct slice *rest, struct slice *name);

/*
 * ERR_FORMAT: an empty name, a byte that is not printable US-ASCII, a blank; ERR_LIMIT: more than
 * NAMELIST_MAX_NAMES. An empty list is fine, and so is one comma at the end, which the RFC forbids
 * and libssh 0.10 writes.
 */
enum err namelist_check(struct slice list) MUST_USE;

bool namelist_contains(struct slice list, const char *name);

/*
 * RFC 4253 7.1: the first of the client's names that the server's list has too. False if none.
 * *common borrows from client.
 */
bool namelist_first_common(struct slice client, struct slice server, struct slice *common);

#endif
