/*
 * adit's own session, at the terminal or the pipes that it was started with: what the person sees
 * of it, LocalCommand before it, escapes in it, and the exit status behind it.
 */
#ifndef ADIT_CLIENT_OWN_SESSION_H
#define ADIT_CLIENT_OWN_SESSION_H

#include "client/session_choice.h"

struct client;
struct own_session;

/* Decides what it is to be. ERR_CONFIG: said already. Before there is a link. */
enum err own_session_init(struct client *c) MUST_USE;
void own_session_done(struct client *c);
/* The link is up: LocalCommand, then the session, if one is wanted. */
void own_session_start(struct client *c);
/* LocalCommand runs, and the session waits for it. */
bool own_session_is_waiting(const struct client *c);
/* It was wanted, and has ended with *status; the run ends when no channel is left. */
bool own_session_is_over(const struct client *c, int *status);
/* The link is gone: what is said from here on begins on a line of its own, in a sane terminal. */
void own_session_give_terminal_back(struct client *c);
/* Ends it without waiting for what it has not delivered yet. */
void own_session_cut(struct client *c);
/* There is one, perhaps with something to deliver still, although the link is gone. */
bool own_session_is_open(const struct client *c);

/*
 * Escapes that every session has, also one of a shared connection (which has fewer); ESCAPE_COMMAND
 * and ESCAPE_SUSPEND are the owner's.
 */
void escape_serve(struct client *c, struct session *s, enum escape_action action, bool is_shared);

#endif
