/* A forked child's first step. */
#include "server/role_sandbox.h"

#include <unistd.h>

#include "base/log.h"
#include "io/ipc_blocking.h"

static gid_t get_gid(const uint8_t *at)
{
    return (gid_t)at[0] << 24 | (gid_t)at[1] << 16 | (gid_t)at[2] << 8 | (gid_t)at[3];
}

static enum err apply(const struct role_msg *m, const struct sandbox *sandbox)
{
    size_t count = m->groups.len / 4;
    gid_t *groups = mem_new(count + 1, sizeof(gid_t));
    for (size_t i = 0; i < count; i++)
        groups[i] = get_gid(m->groups.ptr + 4 * i);
    char *root CLEANUP(mem_cleanup) = m->root.len ? slice_strdup(m->root) : NULL;
    const struct sandbox_spec spec = {.has_uid = m->has_uid,
                                      .uid = m->uid,
                                      .gid = m->gid,
                                      .groups = groups,
                                      .group_count = count,
                                      .root = root};
    enum err err = sandbox_apply(sandbox, &spec);
    mem_free(groups);
    return err;
}

enum err role_enter_sandbox(int fd, enum role role, const struct sandbox *sandbox)
{
    int fds[IPC_FDS_MAX];
    size_t fd_count = 0;
    struct buf record;
    struct role_msg m;
    buf_init(&record, ROLE_MSG_MAX);
    enum err err = ipc_recv_blocking(fd, &record, fds, &fd_count);
    ipc_close_fds(fds, fd_count);
    if (err == OK)
        err = role_msg_decode(buf_slice(&record), ROLE_SUPERVISOR, role, &m);
    if (err == OK && m.kind != ROLE_MSG_SANDBOX)
        err = ERR_PROTOCOL;
    if (err == OK)
        err = apply(&m, sandbox);
    buf_done(&record);
    if (err != OK && err != ERR_EOF)
        log_fatal("the sandbox cannot be entered: %s", err_name(err));
    return err;
}
