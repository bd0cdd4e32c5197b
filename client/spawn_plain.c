/* Signals of programs that are waited for. */
#include "client/spawn_plain.h"

#include <signal.h>

int spawn_attributes_init(posix_spawnattr_t *attributes)
{
    sigset_t plain;
    int error = posix_spawnattr_init(attributes);
    if (error)
        return error;
    sigemptyset(&plain);
    sigaddset(&plain, SIGPIPE);
    error = posix_spawnattr_setsigdefault(attributes, &plain);
    if (!error)
        error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF);
    if (error)
        posix_spawnattr_destroy(attributes);
    return error;
}
