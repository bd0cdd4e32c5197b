/* sd_notify and sd_listen_fds, as far as a server needs them. */
#include "server/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

/* A decimal number from 1 to most; 0: it is none. */
static unsigned long number_of(const char *name, unsigned long most)
{
    const char *text = getenv(name);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    return errno || *end || value > most ? 0 : value;
}

static void take_sockets(struct service *s)
{
    if (number_of("LISTEN_PID", INT32_MAX) != (unsigned long)getpid())
        return;
    size_t count = number_of("LISTEN_FDS", SERVICE_SOCKETS_MAX);
    for (size_t i = 0; i < count; i++) {
        int fd = FIRST_FD + (int)i, listens = 0;
        socklen_t size = sizeof(listens);
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens) {
            log_error("descriptor %d was passed to listen on, and does not listen", fd);
            continue;
        }
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        int flags = fcntl(fd, F_GETFL);
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        s->sockets[s->socket_count++] = fd;
    }
}

void service_take(struct service *s)
{
    const char *path = getenv("NOTIFY_SOCKET");
    *s = (struct service){.socket_count = 0};
    if (path && (path[0] == '/' || path[0] == '@') && path[1])
        s->notify_path = mem_strdup(path);
    take_sockets(s);
}

void service_done(struct service *s)
{
    mem_free(s->notify_path);
    s->notify_path = NULL;
}

void service_notify(const struct service *s, const char *text)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!s->notify_path || strlen(s->notify_path) >= sizeof(to.sun_path))
        return;
    size_t length = strlen(s->notify_path);
    memcpy(to.sun_path, s->notify_path, length);
    if (to.sun_path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&to,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        log_debug("systemd was not told \"%s\": %s", text, strerror(errno));
    close(fd);
}
