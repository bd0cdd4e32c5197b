/*
 * Spawns a program with pipes and passed descriptors. uv_spawn (fork + exec): a loop is never
 * forked and used on both sides.
 */
#ifndef ADIT_IO_CHILD_H
#define ADIT_IO_CHILD_H

#include "io/loop.h"

struct child;

/* status: exit status, or 128 + signal number. Comes once; the child object frees itself after. */
typedef void child_exited(void *owner, int status, int signal_number);

struct child_spec {
    const char *file;         /* path, or a name looked up in PATH */
    char *const *arguments;   /* argv, NULL behind the last */
    char *const *environment; /* NULL: inherited */
    const int *fds;           /* fds[i] becomes descriptor i of the child (i = 0, 1, 2, ...); -1:
                                 /dev/null; all others are closed in the child */
    size_t fd_count;
};
/* ERR_NOT_FOUND: no such program; ERR_IO else. The caller keeps (and closes) its descriptors. */
enum err child_new(struct child **out, struct loop *l, const struct child_spec *spec,
                   child_exited *exited, void *owner) MUST_USE;
int child_pid(const struct child *c);
void child_kill(struct child *c, int signal_number);
/* The owner hears nothing more; the child is still reaped. NULL allowed. */
void child_forget(struct child *c);

/* A pair of pipes or a socketpair for a child: close-on-exec. ERR_IO. */
enum err child_pipe(int fds[2]) MUST_USE;
enum err child_socketpair(int fds[2]) MUST_USE;

#endif
