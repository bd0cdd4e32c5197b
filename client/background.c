/* Leaving the foreground. */
#include "client/background.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "client/client.h"

enum err background_fork(pid_t *child, int *ready_fd)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        log_error("adit: %s", strerror(errno));
        return ERR_IO;
    }
    *child = fork();
    if (*child < 0) {
        log_error("adit: %s", strerror(errno));
        close(fds[0]);
        close(fds[1]);
        return ERR_IO;
    }
    *ready_fd = *child ? fds[0] : fds[1];
    close(*child ? fds[1] : fds[0]);
    return OK;
}

int background_wait(pid_t child, int fd, bool *is_ready)
{
    char byte;
    ssize_t n;
    int status;
    do
        n = read(fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    close(fd);
    *is_ready = n == 1;
    if (*is_ready)
        return 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return EXIT_FAILED;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

/* The folder stays, as with ssh: paths that were given relative to it are still to be found. */
static void detach(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (setsid() < 0 || null < 0)
        log_debug("going to the background: %s", strerror(errno));
    for (int fd = 0; fd <= 2; fd++) {
        if (null >= 0 && !(fd == 2 && log_would(LOG_DEBUG1)) && dup2(null, fd) < 0)
            log_debug("/dev/null: %s", strerror(errno));
    }
    if (null > 2)
        close(null);
}

void background_leave(int ready_fd)
{
    char byte = 0;
    detach();
    if (write(ready_fd, &byte, 1) != 1)
        log_debug("the waiting parent has gone");
    close(ready_fd);
}
