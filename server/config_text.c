/* Configuration between files, descriptors and struct server_options. */
#include "server/config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err read_all(int fd, struct buf *text)
{
    off_t at = 0;
    for (;;) {
        uint8_t *room;
        TRY(buf_reserve(text, 16384, &room));
        ssize_t n = pread(fd, room, 16384, at);
        if (n < 0 && errno == ESPIPE)
            n = read(fd, room, 16384); /* a pipe: "-f /dev/stdin" */
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? ERR_IO : OK;
        buf_commit(text, (size_t)n);
        at += n;
    }
}

static enum err read_file(void *arg UNUSED, const char *path, struct buf *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    /* The buf must have room for a whole step behind a file of exactly the greatest size. */
    struct buf wide;
    buf_init(&wide, CONFIG_FILE_MAX + 16384);
    enum err err = read_all(fd, &wide);
    if (err == OK)
        err = buf_append_slice(text, buf_slice(&wide));
    buf_done(&wide);
    close(fd);
    return err;
}

static enum err glob_files(void *arg UNUSED, const char *pattern, struct string_list *paths)
{
    glob_t found;
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

const struct config_source config_text_files = {NULL, read_file, glob_files};

void config_text_log_report(const struct report *r)
{
    /* A note names what a line asks for and does not get: whoever replaces sshd wants to know. */
    static const enum log_level levels[] = {
        [REPORT_NOTE] = LOG_INFO, [REPORT_WARNING] = LOG_INFO, [REPORT_ERROR] = LOG_ERROR};
    for (size_t i = 0; i < r->count; i++) {
        char *line CLEANUP(mem_cleanup) = report_entry_format(&r->entries[i]);
        log_write(levels[r->entries[i].severity], "%s", line);
    }
}

#define GROUPS_MAX 65536 /* the kernel's NGROUPS_MAX */

bool config_text_groups(const char *user, struct string_list *groups)
{
    const struct passwd *account = getpwnam(user);
    if (account == NULL)
        return false;
    int count = GROUPS_MAX;
    gid_t *ids = mem_new(GROUPS_MAX, sizeof(*ids));
    if (getgrouplist(user, account->pw_gid, ids, &count) < 0)
        count = 0;
    for (int i = 0; i < count; i++) {
        const struct group *group = getgrgid(ids[i]);
        if (group != NULL)
            string_list_add(groups, group->gr_name);
    }
    mem_free(ids);
    return count > 0;
}

static enum err write_all(int fd, struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        bytes = slice_of(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return OK;
}

static enum err seal(struct slice text, int *fd)
{
    *fd = memfd_create("aditd-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    enum err err = *fd < 0 ? ERR_IO : write_all(*fd, text);
    if (err == OK &&
        fcntl(*fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        err = ERR_IO;
    if (err != OK && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return err;
}

enum err config_text_to_fd(const struct server_options *o, bool is_whole, int *fd)
{
    struct buf text;
    buf_init(&text, CONFIG_FILE_MAX);
    *fd = -1;
    enum err err = is_whole ? server_options_print(o, &text) : server_options_print_given(o, &text);
    if (err == OK)
        err = seal(buf_slice(&text), fd);
    buf_done(&text);
    return err;
}

/* *fd is -1 where there is no such file, or none to read. */
static enum err seal_file(const char *path, size_t max, int *fd)
{
    struct stat st;
    *fd = -1;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0)
        return OK;
    struct buf text;
    buf_init(&text, max + 16384);
    enum err err = OK;
    if (fstat(file, &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size <= max &&
        read_all(file, &text) == OK)
        err = seal(buf_slice(&text), fd);
    buf_done(&text);
    close(file);
    return err;
}

enum err config_text_banner(const struct server_options *o, int *fd)
{
    *fd = -1;
    if (strcmp(o->banner, "none") == 0)
        return OK;
    return seal_file(o->banner, CONFIG_TEXT_BANNER_MAX, fd);
}

enum err config_text_moduli(const struct server_options *o, int *fd)
{
    *fd = -1;
    if (!o->kex_algorithms || !strstr(o->kex_algorithms, "diffie-hellman-group-exchange-"))
        return OK;
    return seal_file(o->moduli_file, CONFIG_TEXT_MODULI_MAX, fd);
}

/* The one file of this source is the descriptor: there is nothing to include. */
static enum err read_fd(void *arg, const char *path UNUSED, struct buf *text)
{
    const int *fd = arg;
    struct buf wide;
    buf_init(&wide, CONFIG_FILE_MAX + 16384);
    enum err err = read_all(*fd, &wide);
    if (err == OK)
        err = buf_append_slice(text, buf_slice(&wide));
    buf_done(&wide);
    return err;
}

static enum err glob_nothing(void *arg UNUSED, const char *pattern UNUSED,
                             struct string_list *paths UNUSED)
{
    return OK;
}

enum err config_text_from_fd(int fd, struct server_options *o)
{
    struct config_source source = {&fd, read_fd, glob_nothing};
    struct server_config_request request = {.file = "effective configuration", .source = &source};
    struct sshd_config *config;
    struct report report;
    report_init(&report);
    enum err err = sshd_config_load(&request, &config, &report);
    if (err == OK)
        err = sshd_config_resolve(config, NULL, o, &report);
    if (err != OK)
        config_text_log_report(&report);
    sshd_config_free(config);
    report_done(&report);
    return err;
}
