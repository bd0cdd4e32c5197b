/*
 * Where the helper programs are: beside the running one (/proc/self/exe), else in libexecdir. They
 * are opened once, at the start, and run by descriptor, so that replacing or removing the files
 * does not break a running server.
 */
#ifndef ADIT_SERVER_PROGRAMS_H
#define ADIT_SERVER_PROGRAMS_H

#include "io/child.h"

enum program {
    PROGRAM_SIGN,
    PROGRAM_PRE,
    PROGRAM_AUTHZ,
    PROGRAM_WORK,
    PROGRAM_SESSION,
    PROGRAM_RESOLVE,
    PROGRAM_COUNT,
};

struct programs {
    int fds[PROGRAM_COUNT];
    char paths[PROGRAM_COUNT][32]; /* "/proc/self/fd/N", for exec */
};

const char *program_name(enum program program);

/* ERR_NOT_FOUND, said in the log: one is missing. */
enum err programs_open(struct programs *p) MUST_USE;
void programs_close(struct programs *p);

/*
 * Starts one that speaks with us over its descriptor 3: *ipc_fd is our end of it, the caller's.
 * more: its descriptors from 4 on (-1: /dev/null); standard error is inherited.
 */
enum err programs_spawn(const struct programs *p, enum program program, struct loop *loop,
                        const char *const *arguments, const int *more, size_t more_count,
                        child_exited *exited, void *owner, struct child **child,
                        int *ipc_fd) MUST_USE;

/* Runs one to its end without a loop, descriptors 0 to 2 inherited. Its exit status, or -1. */
int programs_run(const struct programs *p, enum program program, char *const *arguments) MUST_USE;

#endif
