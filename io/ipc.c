/*
 * Records on a loop: queued where the kernel takes no more. What a record means, and whether its
 * sender may say it, is decided above. Records may hold secrets, so every copy here is wiped.
 */
#include "io/ipc.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/watch.h"

#define QUEUE_MAX     600 /* a worker that introduces itself names each of 256 connections */
#define RECEIVE_BATCH 16  /* records taken before others get their turn */

struct record {
    struct list link;
    int fds[IPC_FDS_MAX];
    size_t fd_count;
    size_t length;
    uint8_t bytes[];
};

struct ipc {
    struct loop *loop;
    struct loop_item item;
    int fd;
    struct loop_watch *watch;
    ipc_message *message;
    void *owner;
    struct list queue;
    size_t queued;
    bool over;       /* the last event was given */
    bool in_message; /* the owner is being told something */
    bool closed;     /* freed when in_message ends */
};

static void update_interest(struct ipc *i)
{
    if (!i->closed)
        loop_watch_set(i->watch, i->over     ? 0u
                                 : i->queued ? WATCH_READ | WATCH_WRITE
                                             : (unsigned)WATCH_READ);
}

static void free_record(struct record *r)
{
    list_remove(&r->link);
    ipc_close_fds(r->fds, r->fd_count);
    mem_wipe(r->bytes, r->length);
    mem_free(r);
}

static void drop_queue(struct ipc *i)
{
    LIST_FOR (r, &i->queue, struct record, link)
        free_record(r);
    i->queued = 0;
}

static void flush_queue(struct ipc *i)
{
    LIST_FOR (r, &i->queue, struct record, link) {
        enum err err = ipc_record_send(i->fd, slice_of(r->bytes, r->length), r->fds, r->fd_count,
                                       MSG_DONTWAIT);
        if (err == ERR_AGAIN)
            return;
        if (err != OK) {
            /* Reading comes to the same end, after what the other side sent before it. */
            drop_queue(i);
            return;
        }
        free_record(r);
        i->queued--;
    }
}

/* The room for a record is there for the turn only: an idle process costs its peer none. */
static void receive_all(struct ipc *i)
{
    uint8_t *received = mem_new(1, IPC_MESSAGE_MAX);
    for (int n = 0; n < RECEIVE_BATCH && !i->closed && !i->over; n++) {
        int fds[IPC_FDS_MAX];
        size_t fd_count;
        size_t length;
        enum err err = ipc_record_receive(i->fd, received, IPC_MESSAGE_MAX, &length, fds, &fd_count,
                                          MSG_DONTWAIT);
        if (err == ERR_AGAIN)
            break;
        i->over = err != OK;
        i->message(i->owner, err, slice_of(received, length), fds, fd_count);
        mem_wipe(received, length);
    }
    mem_free(received);
}

static void socket_ready(void *owner, unsigned ready)
{
    struct ipc *i = owner;
    i->in_message = true;
    if (ready & WATCH_WRITE)
        flush_queue(i);
    if (ready & WATCH_READ)
        receive_all(i);
    i->in_message = false;
    if (i->closed)
        mem_free(i);
    else
        update_interest(i);
}

void ipc_drain(struct ipc *i)
{
    CHECK(!i->in_message);
    socket_ready(i, WATCH_READ);
}

static void drop(void *owner)
{
    ipc_close(owner);
}

struct ipc *ipc_new(struct loop *l, int fd, ipc_message *message, void *owner)
{
    struct ipc *i = NEW(struct ipc);
    i->loop = l;
    i->fd = fd;
    i->message = message;
    i->owner = owner;
    list_init(&i->queue);
    i->watch = loop_watch_new(l, fd, socket_ready, i);
    CHECK(i->watch); /* a socket can always be polled */
    loop_keep(l, &i->item, drop, i);
    update_interest(i);
    return i;
}

void ipc_set_owner(struct ipc *i, ipc_message *message, void *owner)
{
    i->message = message;
    i->owner = owner;
}

void ipc_close(struct ipc *i)
{
    if (!i)
        return;
    CHECK(!i->closed);
    i->closed = true;
    loop_unkeep(&i->item);
    flush_queue(i); /* what the kernel takes is still delivered */
    drop_queue(i);
    loop_watch_close(i->watch);
    close(i->fd);
    if (!i->in_message)
        mem_free(i);
}

static enum err queue_record(struct ipc *i, struct slice bytes, const int *fds, size_t fd_count)
{
    struct record *r = mem_new(1, sizeof(*r) + bytes.len);
    list_init(&r->link);
    memcpy(r->bytes, bytes.ptr, bytes.len);
    r->length = bytes.len;
    for (size_t n = 0; n < fd_count; n++) {
        int copy = fcntl(fds[n], F_DUPFD_CLOEXEC, 3);
        if (copy < 0) {
            free_record(r);
            return ERR_IO;
        }
        r->fds[r->fd_count++] = copy;
    }
    list_append(&i->queue, &r->link);
    i->queued++;
    update_interest(i);
    return OK;
}

enum err ipc_send(struct ipc *i, struct slice bytes, const int *fds, size_t fd_count)
{
    CHECK(bytes.len > 0 && bytes.len <= IPC_MESSAGE_MAX && fd_count <= IPC_FDS_MAX);
    if (i->over)
        return ERR_EOF;
    if (i->queued == 0) {
        enum err err = ipc_record_send(i->fd, bytes, fds, fd_count, MSG_DONTWAIT);
        if (err != ERR_AGAIN)
            return err;
    }
    if (i->queued >= QUEUE_MAX)
        return ERR_LIMIT;
    return queue_record(i, bytes, fds, fd_count);
}
