/*
 * The event loop: timers, signals, and work "once at the end of this turn". io/ is the only place
 * that knows libuv and descriptors. One loop per process, made after any fork and after any change
 * of uid.
 *
 * Close rule for everything in io/: after x_close() the owner hears nothing more, and the memory
 * goes back by itself when libuv's close callback has run.
 */
#ifndef ADIT_IO_LOOP_H
#define ADIT_IO_LOOP_H

#include "base/clock.h"
#include "base/list.h"

struct loop;

struct loop *loop_new(void) MUST_USE;
/*
 * Closes what is left (streams, listeners, timers, ... of this loop: do not touch them afterwards),
 * runs until all close callbacks came, frees. CHECKs that no handle is left. A name lookup that the
 * resolver has begun is waited for. NULL allowed.
 */
void loop_free(struct loop *l);

/*
 * Runs until loop_stop, or until nothing is left that could happen. Work requested for the end of
 * the last turn is still done before it returns.
 */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Monotonic milliseconds, as of the start of this turn. */
uint64_t loop_now(const struct loop *l);
/* The same clock finer, as of now: for what is measured, not for what is waited for. */
uint64_t loop_now_us(void);
/* Seconds since 1970: what certificates count. */
uint64_t loop_wall_clock_s(void);

/* One-shot timer. The callback may start it again or close it. */
struct loop_timer;
typedef void loop_timer_callback(void *owner);
struct loop_timer *loop_timer_new(struct loop *l, loop_timer_callback *callback,
                                  void *owner) MUST_USE;
void loop_timer_start(struct loop_timer *t, uint64_t delay_ms);
/* At an absolute time of loop_now's clock; CLOCK_NEVER stops it. */
void loop_timer_at(struct loop_timer *t, uint64_t when_ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_close(struct loop_timer *t); /* NULL allowed */

/* A signal, delivered in a turn of the loop; waiting for one keeps loop_run going. */
struct loop_signal;
typedef void loop_signal_callback(void *owner, int signal_number);
struct loop_signal *loop_signal_new(struct loop *l, int signal_number,
                                    loop_signal_callback *callback, void *owner) MUST_USE;
/*
 * The same, but who started the process with the signal ignored (nohup; a script, for what it puts
 * behind &) is obeyed: NULL, and it stays ignored.
 */
struct loop_signal *loop_signal_unless_ignored(struct loop *l, int signal_number,
                                               loop_signal_callback *callback,
                                               void *owner) MUST_USE;
void loop_signal_close(struct loop_signal *s); /* NULL allowed */

/*
 * Once at the end of this turn: embed a struct loop_turn, and loop_turn_request it any number of
 * times in a turn; its callback runs once, after all ready descriptors and timers of the turn were
 * served and before the loop sleeps. A request made inside an end-of-turn callback runs in the same
 * turn's end if its entry has not run yet, else in the next turn (which then comes without sleep).
 */
struct loop_turn {
    void (*callback)(void *owner);
    void *owner;
    /* The loop's own; zeroed before the first request. */
    struct list link;
    uint64_t ran_in; /* number of the last end-of-turn pass that called it */
    bool requested;
};
void loop_turn_request(struct loop *l, struct loop_turn *turn);
void loop_turn_cancel(struct loop_turn *turn); /* before freeing the owner; harmless if idle */

/*
 * From here on the process may open as many descriptors as it may be allowed at all; children that
 * are spawned on this loop get the limit that was, for some programs walk over all that might be.
 */
void loop_take_all_descriptors(struct loop *l);

/* SIGPIPE ignored; UV_USE_IO_URING=0; large memory is given back; by loop_new, idempotent. */
void loop_process_setup(void);

#endif
