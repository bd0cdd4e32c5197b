/*
 * What the exec'd roles have in common: their few arguments, logging, and messages over descriptor
 * 3 with blocking calls.
 */
#ifndef ADIT_SERVER_ROLE_H
#define ADIT_SERVER_ROLE_H

#include "server/role_log.h"
#include "server/role_msg.h"

#define ROLE_IPC_FD    3
#define ROLE_CONFIG_FD 4

/*
 * Takes -S FACILITY (log to the system), -J (as JSON) and -l LEVEL off the front of the arguments
 * and sets up the log (else descriptor 2). Makes the process undumpable, without core files.
 * Returns the index of the first argument that is left.
 */
int role_start(int argc, char **argv, const char *program);

/* The same without the limit on core files, which a program run by it would inherit. */
int role_start_unlimited(int argc, char **argv, const char *program);

/* ERR_LIMIT, ERR_EOF, ERR_IO. */
enum err role_send(int fd, const struct role_msg *m) MUST_USE;

#endif
