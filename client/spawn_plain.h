/*
 * How programs are started whose answer is waited for beside the loop (an askpass,
 * KnownHostsCommand). The loop has SIGPIPE ignored; what a program's pipeline ends by that signal
 * must end by it. Others of our handlers end with exec of themselves.
 */
#ifndef ADIT_CLIENT_SPAWN_PLAIN_H
#define ADIT_CLIENT_SPAWN_PLAIN_H

#include <spawn.h>

/* 0, or an errno; on 0 the caller destroys *attributes. */
int spawn_attributes_init(posix_spawnattr_t *attributes);

#endif
