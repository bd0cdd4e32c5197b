/* Logins in sealed memory files. */
#include "server/ticket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

enum err ticket_write(const struct role_msg *m, int *fd)
{
    struct buf bytes;
    buf_init(&bytes, ROLE_MSG_MAX);
    *fd = -1;
    enum err err = role_msg_encode(m, &bytes);
    if (err == OK) {
        *fd = memfd_create("aditd-ticket", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        struct slice s = buf_slice(&bytes);
        if (*fd < 0 || write(*fd, s.ptr, s.len) != (ssize_t)s.len ||
            fcntl(*fd, F_ADD_SEALS, SEALS) != 0)
            err = ERR_IO;
    }
    if (err != OK && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    buf_done(&bytes);
    return err;
}

/* A file of another kind has no seals, and one of another uid's was made by somebody else. */
static bool is_genuine(int fd)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 && st.st_uid == geteuid();
}

uint64_t ticket_number(int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

enum err ticket_read(int fd, enum role reader, struct buf *bytes, struct role_msg *m)
{
    uint8_t *room;
    if (reader == ROLE_SUPERVISOR && !is_genuine(fd))
        return ERR_DENIED;
    buf_clear(bytes);
    TRY(buf_reserve(bytes, ROLE_MSG_MAX, &room));
    ssize_t n = pread(fd, room, ROLE_MSG_MAX, 0);
    if (n < 0)
        return ERR_IO;
    buf_commit(bytes, (size_t)n);
    TRY(role_msg_decode(buf_slice(bytes), ROLE_STORE, reader, m));
    return m->kind == ROLE_MSG_TICKET ? OK : ERR_FORMAT;
}
