/* The modes of load: each is a file's one door. words: what follows the mode on the command line.
 */
#ifndef ADIT_BENCH_LOAD_H
#define ADIT_BENCH_LOAD_H

#include <pthread.h>

#include "bench/tool.h"

/* What a visitor of the target says first; the number belongs to the kind. */
enum target_kind {
    TARGET_SINK = 1, /* reads to the end, answers with the count (8 bytes), ends */
    TARGET_SOURCE,   /* sends `number` bytes (0: without end), less if the visitor ends its side */
    TARGET_ECHO,
};
struct target_hello {
    uint64_t kind, number;
};
/* Connected to the target at `to`, through whatever is between, and told what it is for; -1. */
int target_visit(const char *to, enum target_kind kind, uint64_t number) MUST_USE;

int load_target(char **words); /* LISTEN: serves until a signal */
int load_bulk(char **words);   /* TO up|down [streams=N] [bytes=N] [seconds=N] [skip=N] */
int load_ping(char **words);   /* TO [size=N] [count=N] [seconds=N] [gap_us=N] */
int load_visits(char **words); /* TO [at_once=N] [count=N] [seconds=N] */
int load_idle(char **words);   /* TO [count=N]: until standard input ends */
int load_logins(char **words); /* [at_once=N] [count=N] [seconds=N] -- COMMAND... */

/* A thread with a small stack. thread: for pthread_join; NULL: nobody waits for its end. */
void load_thread(void *(*run)(void *), void *argument, pthread_t *thread);

#endif
