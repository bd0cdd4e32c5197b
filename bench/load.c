/*
 * Loads for a tunnel, and the target behind it: one mode a run, one JSON object on standard output.
 * load.h has the modes and their options. Streams are threads that block, so that a generator costs
 * little of what is to be measured and its code has no loop that could be wrong.
 */
#include "bench/load.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STACK (128 * 1024)

void load_thread(void *(*run)(void *), void *argument, pthread_t *thread)
{
    pthread_attr_t attributes;
    pthread_t nobodys;
    int state = thread ? PTHREAD_CREATE_JOINABLE : PTHREAD_CREATE_DETACHED;
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, STACK) != 0 ||
        pthread_attr_setdetachstate(&attributes, state) != 0 ||
        pthread_create(thread ? thread : &nobodys, &attributes, run, argument) != 0)
        tool_die("a thread");
    pthread_attr_destroy(&attributes);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(char **words);
        int words; /* at least */
    } modes[] = {
        {"target", load_target, 1}, {"bulk", load_bulk, 2}, {"ping", load_ping, 1},
        {"visits", load_visits, 1}, {"idle", load_idle, 1}, {"logins", load_logins, 2},
    };
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(modes); i++) {
        if (strcmp(argv[1], modes[i].name) == 0 && argc - 2 >= modes[i].words)
            return modes[i].run(argv + 2);
    }
    fputs("usage: load target|bulk|ping|visits|idle|logins ...; see load.h\n", stderr);
    return 2;
}
