/*
 * What systemd gives a service, without its library: a socket to say "ready" to (sd_notify(3)) and
 * sockets that listen already (sd_listen_fds(3)). Both come in the environment, which the server
 * clears; so they are taken first of all.
 */
#ifndef ADIT_SERVER_SERVICE_H
#define ADIT_SERVER_SERVICE_H

#include "base/err.h"

#define SERVICE_SOCKETS_MAX 16

struct service {
    char *notify_path;                /* NULL: nobody listens. '@' in front: an abstract name */
    int sockets[SERVICE_SOCKETS_MAX]; /* close-on-exec, non-blocking */
    size_t socket_count;
};

/* Reads the environment. Sockets that are meant for another process are left alone. */
void service_take(struct service *s);
void service_done(struct service *s);

/* "READY=1", "STOPPING=1", ...: nothing is waited for, and nobody minds if it is lost. */
void service_notify(const struct service *s, const char *text);

#endif
