/* Reading small files. */
#include "client/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

static int read_all(int fd, struct buf *text)
{
    for (;;) {
        uint8_t *room;
        if (buf_reserve(text, 4096, &room) != OK)
            return EFBIG;
        ssize_t n = read(fd, room, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return 0;
        buf_commit(text, (size_t)n);
    }
}

int file_read(const char *path, struct buf *text, struct stat *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno;
    int error_number = fstat(fd, st) != 0 ? errno : 0;
    if (error_number == 0 && S_ISDIR(st->st_mode))
        error_number = EISDIR;
    if (error_number == 0)
        error_number = read_all(fd, text);
    close(fd);
    return error_number;
}

static bool is_below(const char *path, const char *home)
{
    size_t n = home ? strlen(home) : 0;
    return n && strncmp(path, home, n) == 0 && path[n] == '/';
}

static bool is_unsafe(const struct stat *st)
{
    return (st->st_uid != 0 && st->st_uid != getuid()) || (st->st_mode & 022);
}

static enum err source_read(void *arg, const char *path, struct buf *text)
{
    struct file_source *s = arg;
    struct stat st;
    int error_number = file_read(path, text, &st);
    switch (error_number) {
    case 0:
        return is_below(path, s->home) && is_unsafe(&st) ? ERR_DENIED : OK;
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EFBIG:
        return ERR_LIMIT;
    default:
        errno = error_number;
        return ERR_IO;
    }
}

static enum err source_glob(void *arg, const char *pattern, struct string_list *paths)
{
    glob_t found;
    (void)arg;
    int result = glob(pattern, 0, NULL, &found);
    if (result == GLOB_NOMATCH)
        return OK;
    if (result != 0)
        return ERR_IO;
    for (size_t i = 0; i < found.gl_pathc; i++)
        string_list_add(paths, found.gl_pathv[i]);
    globfree(&found);
    return OK;
}

void file_source_init(struct file_source *s, const char *home)
{
    *s = (struct file_source){.source = {s, source_read, source_glob}, .home = home};
}
