/* A line into a known_hosts file: by a new file and a rename, see host_trust.h for the reasons. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "client/host_trust.h"

#define COPY_STEP 65536
#define TEXT_MAX  (16u << 20) /* of a file that lines are taken out of */

/* For CLEANUP: errno of what came before stays. */
static void fd_cleanup(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    errno = saved;
}

static enum err write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        bytes += n;
        length -= (size_t)n;
    }
    return OK;
}

static void folder_make(const char *path)
{
    char *copy CLEANUP(mem_cleanup) = mem_strdup(path);
    /* A failure shows when the file is opened. */
    if (mkdir(dirname(copy), 0700) != 0)
        return;
}

/*
 * Opens (makes) the file and locks it. A file that was replaced while we waited for the lock is
 * not the one that others read: then again.
 */
static enum err file_lock(const char *path, int *fd, struct stat *status)
{
    for (;;) {
        int file =
            open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
        if (file < 0)
            return ERR_IO;
        *fd = file;
        struct stat named;
        if (fstat(file, status) != 0)
            return ERR_IO;
        if (!S_ISREG(status->st_mode))
            return ERR_UNSUPPORTED;
        int locked;
        do
            locked = flock(file, LOCK_EX);
        while (locked != 0 && errno == EINTR);
        if (locked != 0)
            return ERR_IO;
        if (stat(path, &named) == 0 && named.st_ino == status->st_ino &&
            named.st_dev == status->st_dev)
            return fstat(file, status) == 0 ? OK : ERR_IO;
        close(file);
        *fd = -1;
    }
}

/* Copies from *at to the file's end; *at moves there. *last: the last byte copied, if any. */
static enum err copy_from(int from, int to, off_t *at, char *last)
{
    char *piece CLEANUP(mem_cleanup) = mem_new(COPY_STEP, 1);
    for (;;) {
        ssize_t n = pread(from, piece, COPY_STEP, *at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return OK;
        TRY(write_all(to, piece, (size_t)n));
        *at += n;
        *last = piece[n - 1];
    }
}

static enum err line_write(int fd, char last, const char *line)
{
    char *text CLEANUP(mem_cleanup) = mem_printf("%s%s", last == '\n' ? "" : "\n", line);
    return write_all(fd, text, strlen(text));
}

static void folder_sync(const char *real)
{
    char *copy CLEANUP(mem_cleanup) = mem_strdup(real);
    int fd CLEANUP(fd_cleanup) = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Only a crash of the whole machine asks for this, and not every file system can. */
    if (fd < 0 || fsync(fd) != 0)
        return;
}

/* temp's content and names are ready for the rename, or ERR_IO. */
static enum err temp_fill(int temp, int old, const struct stat *status, const char *line,
                          off_t *copied)
{
    char last = '\n';
    if ((status->st_uid != geteuid() || status->st_gid != getegid()) &&
        fchown(temp, status->st_uid, status->st_gid) != 0)
        return ERR_IO;
    if (fchmod(temp, status->st_mode & 07777) != 0)
        return ERR_IO;
    TRY(copy_from(old, temp, copied, &last));
    TRY(line_write(temp, last, line));
    return fsync(temp) == 0 ? OK : ERR_IO;
}

/*
 * An error means that nothing was replaced. The new file is locked too, before anybody can see it,
 * as the old file's lock says nothing to who opens the new one.
 */
static enum err file_replace(const char *real, int old, const struct stat *status, const char *line)
{
    char *temp_path CLEANUP(mem_cleanup) = mem_printf("%s.XXXXXX", real);
    int temp CLEANUP(fd_cleanup) = mkostemp(temp_path, O_CLOEXEC);
    if (temp < 0)
        return ERR_IO;
    off_t copied = 0;
    enum err err = flock(temp, LOCK_EX) == 0 ? OK : ERR_IO;
    if (err == OK)
        err = temp_fill(temp, old, status, line, &copied);
    if (err == OK && rename(temp_path, real) != 0)
        err = ERR_IO;
    if (err != OK) {
        int saved = errno;
        (void)unlink(temp_path);
        errno = saved;
        return err;
    }
    char last;
    if (copy_from(old, temp, &copied, &last) != OK) /* what a writer without lock added meanwhile */
        log_debug("%s: what was added during the rename is lost", real);
    folder_sync(real);
    return OK;
}

static enum err file_append(int fd, const char *line)
{
    char last = '\n';
    struct stat status;
    if (fstat(fd, &status) != 0)
        return ERR_IO;
    if (status.st_size > 0 && pread(fd, &last, 1, status.st_size - 1) != 1)
        return ERR_IO;
    TRY(line_write(fd, last, line));
    return fsync(fd) == 0 ? OK : ERR_IO;
}

enum err host_trust_file_add(const char *path, const char *line)
{
    int fd CLEANUP(fd_cleanup) = -1;
    struct stat status;
    folder_make(path);
    TRY(file_lock(path, &fd, &status));
    char *real = realpath(path, NULL);
    if (!real)
        return ERR_IO;
    enum err err = file_replace(real, fd, &status, line);
    mem_free(real);
    if (err != OK)
        err = file_append(fd, line);
    return err;
}

/* ---- taking lines out ---- */

static enum err text_read(int fd, struct buf *text)
{
    off_t at = 0;
    for (;;) {
        uint8_t *room;
        TRY(buf_reserve(text, COPY_STEP, &room));
        ssize_t n = pread(fd, room, COPY_STEP, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return OK;
        buf_commit(text, (size_t)n);
        at += n;
    }
}

/* As file_replace, but the content is given. */
static enum err file_rewrite(const char *real, const struct stat *status, struct slice text)
{
    char *temp_path CLEANUP(mem_cleanup) = mem_printf("%s.XXXXXX", real);
    int temp CLEANUP(fd_cleanup) = mkostemp(temp_path, O_CLOEXEC);
    if (temp < 0)
        return ERR_IO;
    enum err err = flock(temp, LOCK_EX) == 0 ? OK : ERR_IO;
    if (err == OK && (status->st_uid != geteuid() || status->st_gid != getegid()) &&
        fchown(temp, status->st_uid, status->st_gid) != 0)
        err = ERR_IO;
    if (err == OK && fchmod(temp, status->st_mode & 07777) != 0)
        err = ERR_IO;
    if (err == OK)
        err = write_all(temp, (const char *)text.ptr, text.len);
    if (err == OK && (fsync(temp) != 0 || rename(temp_path, real) != 0))
        err = ERR_IO;
    if (err != OK) {
        int saved = errno;
        (void)unlink(temp_path);
        errno = saved;
        return err;
    }
    folder_sync(real);
    return OK;
}

static enum err text_update(int fd, const struct known_hosts_wish *wish, const char *lines,
                            struct buf *old, struct buf *new)
{
    TRY(text_read(fd, old));
    TRY(known_hosts_text_prune(buf_slice(old), wish, new));
    struct slice kept = buf_slice(new);
    if (*lines && kept.len && kept.ptr[kept.len - 1] != '\n')
        TRY(buf_append(new, "\n", 1));
    return buf_append(new, lines, strlen(lines));
}

enum err host_trust_file_update(const char *path, const struct known_hosts_wish *wish,
                                const char *lines)
{
    int fd CLEANUP(fd_cleanup) = -1;
    struct stat status;
    struct buf old, new;
    if (!*lines && access(path, F_OK) != 0)
        return OK;
    folder_make(path);
    TRY(file_lock(path, &fd, &status));
    char *real = realpath(path, NULL);
    if (!real)
        return ERR_IO;
    buf_init(&old, TEXT_MAX);
    buf_init(&new, TEXT_MAX);
    enum err err = text_update(fd, wish, lines, &old, &new);
    if (err == OK && !slice_equal(buf_slice(&old), buf_slice(&new)))
        err = file_rewrite(real, &status, buf_slice(&new));
    buf_done(&old);
    buf_done(&new);
    int saved = errno;
    free(real);
    errno = saved;
    return err;
}
