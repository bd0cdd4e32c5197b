/* The server's folder. */
#include "server/run_folder.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define ROOTS_FOLDER "/run/adit"
#define EMPTY        ROOTS_FOLDER "/empty"

static char *folder(void)
{
    struct stat st;
    if (geteuid() == 0)
        return mem_strdup(ROOTS_FOLDER);
    char *users CLEANUP(mem_cleanup) = mem_printf("/run/user/%u", (unsigned)geteuid());
    if (stat(users, &st) == 0 && st.st_uid == geteuid())
        return mem_printf("%s/adit", users);
    return mem_printf("/tmp/adit-%u", (unsigned)geteuid());
}

/* A folder that another made, or may change, is no place for a socket that is trusted. */
static enum err make(const char *path, mode_t mode)
{
    struct stat st;
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        log_error("cannot make %s: %s", path, strerror(errno));
        return ERR_IO;
    }
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        st.st_mode & 022) {
        log_fatal("%s must be a folder of ours that nobody else may change", path);
        return ERR_DENIED;
    }
    return OK;
}

enum err run_folder_make(void)
{
    char *path CLEANUP(mem_cleanup) = folder();
    TRY(make(path, geteuid() == 0 ? 0755 : 0700));
    return geteuid() == 0 ? make(EMPTY, 0755) : OK;
}

const char *run_folder_empty(void)
{
    return EMPTY;
}

char *run_folder_socket(const char *host, uint16_t port)
{
    struct stat st = {.st_ino = 0};
    char *path CLEANUP(mem_cleanup) = folder();
    (void)stat("/proc/self/ns/net", &st);
    return mem_printf("%s/%s-%u-%lu.sock", path, host ? host : "all", port,
                      (unsigned long)st.st_ino);
}
