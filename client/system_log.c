/* One datagram a line, in the form of RFC 3164 that every system logger takes. */
#include "client/system_log.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define FACILITY_BITS 8
#define LINE_ROOM     4608 /* a log line and what stands before it */

/* RFC 5424 6.2.1 */
static int severity_of(enum log_level level)
{
    if (level <= LOG_FATAL)
        return 2;
    if (level == LOG_ERROR)
        return 3;
    return level <= LOG_VERBOSE ? 6 : 7;
}

/* What the sink needs is small enough for its argument: a descriptor and a facility. */
static void to_system(void *arg, enum log_level level, const char *line, size_t length)
{
    intptr_t packed = (intptr_t)arg;
    int fd = (int)(packed >> FACILITY_BITS);
    int facility = (int)(packed & ((1 << FACILITY_BITS) - 1));
    char text[LINE_ROOM];
    int n = snprintf(text, sizeof(text), "<%d>%.*s", facility * 8 + severity_of(level),
                     (int)MIN(length, sizeof(text) - 16), line);
    if (n > 0)
        (void)!send(fd, text, MIN((size_t)n, sizeof(text) - 1), MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool system_log_open(const char *program, int facility)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    char name[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return false;
    }
    snprintf(name, sizeof(name), "%s[%d]", program, (int)getpid());
    log_set_name(name);
    log_set_sink(to_system, (void *)((intptr_t)fd << FACILITY_BITS | facility));
    return true;
}
