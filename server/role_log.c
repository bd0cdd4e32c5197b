/* Where the four programs log. */
#include "server/role_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* RFC 3164's severities. */
static int severity_of(enum log_level level)
{
    switch (level) {
    case LOG_FATAL:
        return 2;
    case LOG_ERROR:
        return 3;
    case LOG_QUIET:
    case LOG_INFO:
    case LOG_VERBOSE:
        return 6;
    case LOG_DEBUG1:
    case LOG_DEBUG2:
    case LOG_DEBUG3:
        break;
    }
    return 7;
}

#define FACILITY_BITS 8 /* of the sink's argument; the descriptor is above them */

static void system_sink(void *arg, enum log_level level, const char *line, size_t length)
{
    char record[4096 + 64];
    int fd = (int)((intptr_t)arg >> FACILITY_BITS);
    int facility = (int)((intptr_t)arg & ((1 << FACILITY_BITS) - 1));
    int n = snprintf(record, sizeof(record), "<%d>%.*s", facility << 3 | severity_of(level),
                     (int)MIN(length, (size_t)4096), line);
    if (n > 0)
        (void)!send(fd, record, MIN((size_t)n, sizeof(record) - 1), MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool role_log_to_system(const char *program, int facility)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    role_log_set_name(program);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0) {
        log_set_sink(system_sink, (void *)((intptr_t)fd << FACILITY_BITS | facility));
        return true;
    }
    if (fd >= 0)
        close(fd);
    return false;
}

static uint64_t wall_clock_ms(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void role_log_set_json(bool is_json)
{
    log_set_json(is_json ? wall_clock_ms : NULL);
}

void role_log_set_name(const char *program)
{
    char name[64];
    snprintf(name, sizeof(name), "%s[%d]", program, (int)getpid());
    log_set_name(name);
}
