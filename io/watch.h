/*
 * What the rooms of io/ share, and nobody else includes: a watched descriptor, the list of things
 * that loop_free must put away, and the way to the event library's own loop. The types of the
 * event library stay out of this header too.
 */
#ifndef ADIT_IO_WATCH_H
#define ADIT_IO_WATCH_H

#include "io/loop.h"

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

/*
 * Level triggered. ready is a mask of what was asked for; a descriptor in an error state is ready
 * for everything asked: the owner's read or write finds out why. The owner may close the watch.
 */
struct loop_watch;
typedef void loop_watch_callback(void *owner, unsigned ready);

/*
 * Makes fd non-blocking and watches nothing yet; fd stays the caller's. NULL: this kind of file
 * cannot be polled (a regular file, /dev/null, an O_PATH descriptor) and was left alone.
 */
struct loop_watch *loop_watch_new(struct loop *l, int fd, loop_watch_callback *callback,
                                  void *owner) MUST_USE;
/* The same for a socket that does not block: never NULL, and the kernel hears of it when something
 * is wanted of it. */
struct loop_watch *loop_watch_new_socket(struct loop *l, int fd, loop_watch_callback *callback,
                                         void *owner) MUST_USE;
void loop_watch_set(struct loop_watch *w, unsigned what); /* 0: not polled at all */
/* From here fd may be closed or given away. NULL allowed. */
void loop_watch_close(struct loop_watch *w);

/* Something on a loop that holds memory and descriptors; drop is called by loop_free. */
struct loop_item {
    struct list link;
    void (*drop)(void *owner);
    void *owner;
};
void loop_keep(struct loop *l, struct loop_item *item, void (*drop)(void *owner), void *owner);
static inline void loop_unkeep(struct loop_item *item)
{
    list_remove(&item->link);
}

/* Who looks names up for it; NULL: its own threads. */
struct resolver;
void loop_set_resolver(struct loop *l, struct resolver *r);
struct resolver *loop_resolver(struct loop *l);

/* An EAI_ code for the event library's own number. */
int resolver_error(int status);

/*
 * All watches of a loop, for the loop alone: it sleeps in them, and native_fd, which is the event
 * library's own descriptor, is one that wakes it up.
 */
struct watches;
struct watches *watches_new(int native_fd) MUST_USE;
void watches_free(struct watches *set); /* closes what is left */
struct watches *loop_watches(struct loop *l) MUST_USE;
/* Does any want anything? */
bool watches_are_wanted(const struct watches *set) MUST_USE;
/* Until something is ready; timeout_ms: 0 looks only, -1 for ever. */
void watches_sleep(struct watches *set, int timeout_ms);
/* Calls back for what sleep found. True: the event library has something to do. */
bool watches_serve(struct watches *set) MUST_USE;

/* One turn, with its sleep if anything can still happen. */
void loop_round(struct loop *l);
/* How many turns there have been: tests see by it whether a loop spins. */
uint64_t loop_round_count(const struct loop *l) MUST_USE;

/* The limit of descriptors for children; NULL: the process's own. */
struct rlimit;
const struct rlimit *loop_child_files(const struct loop *l) MUST_USE;

/* The event library's loop. */
void *loop_native(struct loop *l) MUST_USE;
/* Closes one of its handles; then the memory at the handle's data pointer is freed. */
void loop_close_handle(void *handle);

#endif
