/*
 * What a role may still ask of the kernel once it is locked in: an empty root, another uid, small
 * limits and a filter of system calls. The filter is built once, in the zygote, before any fork;
 * the child applies it before it reads a byte of a peer. What a role is not given it keeps: an
 * ordinary user's aditd gives neither uid nor root, and that is the only difference.
 *
 * Whatever a filter does not name kills the process (SIGSYS). The calls, and why each is there,
 * are the table in sandbox.c.
 */
#ifndef ADIT_SERVER_SANDBOX_H
#define ADIT_SERVER_SANDBOX_H

#include <sys/types.h>

#include "base/err.h"

enum sandbox_profile {
    SANDBOX_PRE,     /* before authentication: its descriptors, memory and time */
    SANDBOX_WORK,    /* the account's sockets on a loop; no process but itself */
    SANDBOX_SIGN,    /* its descriptors, memory and time, locked */
    SANDBOX_RESOLVE, /* name services: files to read, sockets, modules, threads */
    SANDBOX_PROFILE_COUNT,
};

struct sandbox;

struct sandbox_spec {
    bool has_uid; /* become uid, gid, groups, for good */
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
    const char *root; /* the new root directory; NULL: stay */
};

/* NULL: the filter cannot be built (the log says why). */
struct sandbox *sandbox_prepare(enum sandbox_profile profile) MUST_USE;
void sandbox_free(struct sandbox *s); /* NULL allowed */

/*
 * Locks the process in, one thread only. ERR_IO, ERR_DENIED (what was given up could be had back):
 * it is half done, and the process has to end.
 */
enum err sandbox_apply(const struct sandbox *s, const struct sandbox_spec *spec) MUST_USE;

#endif
