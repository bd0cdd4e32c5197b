/* A place where processes that live already may come to speak. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/ipc.h"
#include "io/watch.h"

#define ACCEPT_BATCH 64

struct ipc_listener {
    struct loop_item item;
    struct loop_watch *watch;
    int fd;
    char *path;
    dev_t device; /* of the file that was bound: what is removed at the end must be it */
    ino_t inode;
    ipc_accepted *accepted;
    void *owner;
};

static void socket_ready(void *owner, unsigned ready UNUSED)
{
    struct ipc_listener *i = owner;
    for (int n = 0; n < ACCEPT_BATCH; n++) {
        struct ucred who;
        socklen_t size = sizeof(who);
        int fd = accept4(i->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return; /* nobody more, or a fault that the next turn sees again */
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0)
            i->accepted(i->owner, fd, who.uid);
        else
            close(fd);
    }
}

static void drop(void *owner)
{
    ipc_listener_close(owner);
}

static enum err bind_at(struct ipc_listener *i, const char *path, unsigned mode)
{
    struct stat st;
    TRY(ipc_bind(path, mode, &i->fd));
    if (lstat(path, &st) != 0)
        return ERR_IO;
    i->path = mem_strdup(path);
    i->device = st.st_dev;
    i->inode = st.st_ino;
    return OK;
}

enum err ipc_listener_new(struct ipc_listener **out, struct loop *l, const char *path,
                          unsigned mode, ipc_accepted *accepted, void *owner)
{
    struct ipc_listener *i = NEW(struct ipc_listener);
    i->accepted = accepted;
    i->owner = owner;
    i->fd = -1;
    enum err err = bind_at(i, path, mode);
    if (err != OK) {
        if (i->fd >= 0)
            close(i->fd);
        mem_free(i);
        return err;
    }
    i->watch = loop_watch_new(l, i->fd, socket_ready, i);
    loop_watch_set(i->watch, WATCH_READ);
    loop_keep(l, &i->item, drop, i);
    *out = i;
    return OK;
}

void ipc_listener_close(struct ipc_listener *i)
{
    struct stat st;
    if (!i)
        return;
    loop_unkeep(&i->item);
    loop_watch_close(i->watch);
    close(i->fd);
    if (lstat(i->path, &st) == 0 && st.st_dev == i->device && st.st_ino == i->inode)
        (void)unlink(i->path);
    mem_free(i->path);
    mem_free(i);
}
