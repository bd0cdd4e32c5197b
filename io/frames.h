/*
 * Frames on a Unix stream socket: a length of four bytes (big-endian) and as many bytes, with
 * descriptors between frames where both sides expect them, each along one byte of its own: the form
 * of OpenSSH's multiplexing protocol (PROTOCOL.mux). What a frame means is the owner's business;
 * the other side is hostile as far as forms go.
 */
#ifndef ADIT_IO_FRAMES_H
#define ADIT_IO_FRAMES_H

#include "base/buf.h"
#include "io/loop.h"

#define FRAMES_FDS_MAX 3

struct frames;

enum frames_event_kind {
    FRAMES_FRAME, /* frame: valid inside the call */
    FRAMES_FDS,   /* what frames_want_fds asked for; the owner's from here on */
    FRAMES_ENDED, /* the other side has ended, or broke the form (fault says so); last */
};
struct frames_event {
    enum frames_event_kind kind;
    struct slice frame;
    const int *fds;
    size_t fd_count;
    const char *fault; /* ENDED: NULL for a plain end */
};
typedef void frames_owner(void *owner, const struct frames_event *e);

/*
 * Takes over fd. max: of a frame, either way. Inside its event function the owner may call anything
 * here, frames_close too.
 */
struct frames *frames_new(struct loop *l, int fd, size_t max, frames_owner *event,
                          void *owner) MUST_USE;
/* What is queued is still tried once. NULL allowed. */
void frames_close(struct frames *f);

/* Queues; at most 256 KiB and 32 descriptors may wait: beyond, the other side is given up on. */
void frames_send(struct frames *f, struct slice frame);
/* The descriptor is duplicated; the caller keeps its own. */
void frames_send_fd(struct frames *f, int fd);
/* Before the next frame come n descriptors (at most FRAMES_FDS_MAX). From inside FRAMES_FRAME. */
void frames_want_fds(struct frames *f, size_t n);

/* Connects to path. ERR_NOT_FOUND: nothing is there; ERR_IO: *error_number says what. */
enum err frames_connect(const char *path, int *fd, int *error_number) MUST_USE;
/*
 * A listening socket at path (mode 0600) that appears there ready, or not at all. ERR_EXISTS:
 * something is there; ERR_IO: *error_number says what. fd is the caller's.
 */
struct frames_place {
    int fd;
    char *path;
    uint64_t device, inode;
};
enum err frames_listen(const char *path, struct frames_place *place, int *error_number) MUST_USE;
/* Removes the file, if it is still that one; the descriptor is not touched. */
void frames_leave(struct frames_place *place);

/*
 * Gives the socket up without closing it, for a connection that goes on in another form; nothing
 * behind the last frame was read. frames_close is still due.
 */
int frames_release(struct frames *f) MUST_USE;

#endif
