/* Going to the background (-f, ControlPersist): a fork before any loop exists, and a pipe on which
 * the child says when the parent may go. */
#ifndef ADIT_CLIENT_BACKGROUND_H
#define ADIT_CLIENT_BACKGROUND_H

#include <sys/types.h>

#include "base/err.h"

/* *child: 0 in the child, whose end of the pipe is *ready_fd. ERR_IO: said. */
enum err background_fork(pid_t *child, int *ready_fd) MUST_USE;
/* The parent: 0 when the child says so, else the child's exit status. *is_ready tells which. */
int background_wait(pid_t child, int fd, bool *is_ready);
/* The child, once all is well: leaves terminal and folder, and tells the parent. Closes ready_fd.
 */
void background_leave(int ready_fd);

#endif
