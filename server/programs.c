/* Where the helper programs are. */
#include "server/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "io/ipc_blocking.h"

#define SPAWN_MORE_MAX 2
#define FD_FLOOR       64 /* above what a child gets as its own descriptors */

const char *program_name(enum program program)
{
    static const char *const names[PROGRAM_COUNT] = {
        "aditd-sign", "aditd-pre", "aditd-authz", "aditd-work", "aditd-session", "aditd-resolve"};
    return names[program];
}

static int open_program(const char *folder, const char *name)
{
    char *path CLEANUP(mem_cleanup) = mem_printf("%s/%s", folder, name);
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, FD_FLOOR);
    close(fd);
    return high;
}

enum err programs_open(struct programs *p)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    for (int i = 0; i < PROGRAM_COUNT; i++)
        p->fds[i] = -1;
    for (int i = 0; i < PROGRAM_COUNT; i++) {
        const char *name = program_name((enum program)i);
        p->fds[i] = open_program(self, name);
        if (p->fds[i] < 0)
            p->fds[i] = open_program(ADIT_LIBEXECDIR, name);
        if (p->fds[i] < 0) {
            log_fatal("cannot find %s: looked in %s and %s", name, self, ADIT_LIBEXECDIR);
            programs_close(p);
            return ERR_NOT_FOUND;
        }
        snprintf(p->paths[i], sizeof(p->paths[i]), "/proc/self/fd/%d", p->fds[i]);
    }
    return OK;
}

void programs_close(struct programs *p)
{
    for (int i = 0; i < PROGRAM_COUNT; i++) {
        if (p->fds[i] >= 0)
            close(p->fds[i]);
        p->fds[i] = -1;
    }
}

enum err programs_spawn(const struct programs *p, enum program program, struct loop *loop,
                        const char *const *arguments, const int *more, size_t more_count,
                        child_exited *exited, void *owner, struct child **child, int *ipc_fd)
{
    int pair[2];
    int fds[4 + SPAWN_MORE_MAX] = {-1, -1, STDERR_FILENO};
    CHECK(more_count <= SPAWN_MORE_MAX);
    TRY(ipc_pair(pair));
    fds[3] = pair[1];
    for (size_t i = 0; i < more_count; i++)
        fds[4 + i] = more[i];
    const struct child_spec spec = {.file = p->paths[program],
                                    .arguments = (char *const *)(uintptr_t)arguments,
                                    .fds = fds,
                                    .fd_count = 4 + more_count};
    enum err err = child_new(child, loop, &spec, exited, owner);
    close(pair[1]);
    if (err == OK)
        *ipc_fd = pair[0];
    else
        close(pair[0]);
    return err;
}

int programs_run(const struct programs *p, enum program program, char *const *arguments)
{
    pid_t pid;
    int status;
    if (posix_spawn(&pid, p->paths[program], NULL, NULL, arguments, environ) != 0) {
        log_error("cannot run %s", program_name(program));
        return -1;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
