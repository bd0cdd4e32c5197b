/*
 * The folder for what lives as long as the server: the empty directory that the sandbox shows as
 * "/", and the socket where workers find a new supervisor. /run/adit for root; for another account
 * /run/user/UID/adit, or /tmp/adit-UID, which must be its own and nobody else's.
 */
#ifndef ADIT_SERVER_RUN_FOLDER_H
#define ADIT_SERVER_RUN_FOLDER_H

#include "base/err.h"

/* Makes it if it is not there. ERR_DENIED: it is another's; ERR_IO. Both are said in the log. */
enum err run_folder_make(void) MUST_USE;

/* The empty directory: root's alone, for none else needs it. */
const char *run_folder_empty(void);

/* The socket of the server that listens there (NULL: everywhere); in a network of its own it has
 * a name of its own. The caller owns the text. */
char *run_folder_socket(const char *host, uint16_t port) MUST_USE;

#endif
