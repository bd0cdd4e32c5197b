/*
 * The supervisor's side of zygotes: a process of a role is asked for, speaks over its own
 * descriptor from the first moment on (messages wait there until it lives), and its end is told.
 * A zygote is replaced after 100 forks, by one that was made a little before; the old one stays
 * while it has children to reap.
 */
#ifndef ADIT_SERVER_OFFSPRING_H
#define ADIT_SERVER_OFFSPRING_H

#include "io/ipc.h"
#include "server/programs.h"
#include "server/role_msg.h"

struct zygotes;
struct offspring;

/* arguments: argv of the zygote of a program, at most 10 and NULL. */
typedef void zygote_arguments(void *owner, enum program program, const char *arguments[12]);

struct zygotes *zygotes_new(struct loop *l, const struct programs *programs,
                            zygote_arguments *arguments, void *owner) MUST_USE;
/* Its offspring live on without it. NULL allowed. */
void zygotes_free(struct zygotes *z);

/* Starts the zygote of a program before its first process is asked for. */
enum err zygotes_prepare(struct zygotes *z, enum program program) MUST_USE;

/* Comes once, when the process was reaped; also if its zygote died first (signal_number 0). */
typedef void offspring_ended(void *owner, uint32_t status, uint32_t signal_number);

enum err offspring_new(struct offspring **out, struct zygotes *z, enum program program,
                       ipc_message *message, offspring_ended *ended, void *owner) MUST_USE;
enum err offspring_send(struct offspring *o, const struct role_msg *m, const int *fds,
                        size_t fd_count) MUST_USE;
/* Another hears from here on. */
void offspring_give(struct offspring *o, ipc_message *message, offspring_ended *ended, void *owner);
/* Closes the way to it: one that is well ends by itself. */
void offspring_hang_up(struct offspring *o);
void offspring_kill(struct offspring *o, int signal_number);
/* The owner hears nothing more; the way is closed. NULL allowed. */
void offspring_forget(struct offspring *o);

/* A message to whoever has an ipc: ERR_EOF where it is NULL. */
enum err role_ipc_send(struct ipc *to, const struct role_msg *m, const int *fds,
                       size_t fd_count) MUST_USE;

#endif
