/*
 * Names to addresses, asked of another process: a look-up may hang, fill a pool of threads, load
 * modules and open sockets of every kind, and a process that carries tunnels shall meet none of
 * that. A loop that has a resolver gives it every name its dials meet; numeric addresses meet
 * none. Both ends are here.
 */
#ifndef ADIT_IO_RESOLVER_H
#define ADIT_IO_RESOLVER_H

#include <netdb.h>

#include "io/loop.h"

#define RESOLVER_NAME_MAX      253
#define RESOLVER_ADDRESSES_MAX 32
#define RESOLVER_WAITING_MAX   64    /* look-ups of one asker at once */
#define RESOLVER_PATIENCE_MS   10000 /* then it is EAI_AGAIN */

/* ---- who asks ---- */

struct resolver;
struct resolver_question;

/* Takes over fd, a SOCK_SEQPACKET socket to who answers. The loop's dials use it from now on. */
struct resolver *resolver_new(struct loop *l, int fd) MUST_USE;
void resolver_close(struct resolver *r); /* no question may be out. NULL allowed */

/* The other side is another from now on: the first may be gone. What was asked there is not asked
 * again. Takes over fd. */
void resolver_turn_to(struct resolver *r, int fd);

/* The loop's, or NULL. */
struct resolver *resolver_of(struct loop *l);

/* error: 0 or an EAI_ code; list lives during the call. Never comes before resolver_ask returned.
 */
typedef void resolver_answered(void *owner, int error, const struct addrinfo *list);
struct resolver_question *resolver_ask(struct resolver *r, const char *host, int family,
                                       resolver_answered *answered, void *owner) MUST_USE;
void resolver_cancel(struct resolver_question *q); /* no answer comes */

/* ---- who answers ---- */

/* Answers whoever is at the other side of fd (taken over) until he goes: ended comes then. */
typedef void resolver_ended(void *owner);
void resolver_serve(struct loop *l, int fd, resolver_ended *ended, void *owner);

#endif
