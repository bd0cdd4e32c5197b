/*
 * What the supervisor knows of a login, sealed into a memory file that goes with the connection to
 * its worker. A supervisor that was started anew learns from it whom the worker holds: such a file
 * can only have been written by a supervisor, since its owner is and nobody can change it.
 */
#ifndef ADIT_SERVER_TICKET_H
#define ADIT_SERVER_TICKET_H

#include "server/role_msg.h"

/* A sealed memory file, close-on-exec, of a message of kind TICKET. ERR_LIMIT, ERR_IO. */
enum err ticket_write(const struct role_msg *m, int *fd) MUST_USE;

/* Tells a ticket from every other that is held somewhere; 0: it cannot be looked at. */
uint64_t ticket_number(int fd);

/*
 * Reads one; m borrows from bytes. reader is who reads: a supervisor asks who made the file as
 * well. ERR_DENIED: not sealed, or not by a process with our uid; ERR_FORMAT and others.
 */
enum err ticket_read(int fd, enum role reader, struct buf *bytes, struct role_msg *m) MUST_USE;

#endif
