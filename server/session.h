/*
 * Session channels of one link. Where sessions are permitted, session_run.c has them. With
 * "PermitSession no" there is no shell and no command: a shell request gets a page of the user's
 * own forwards (page.c) that moves with them, until Ctrl-C; a command gets one sentence and
 * status 1.
 */
#ifndef ADIT_SERVER_SESSION_H
#define ADIT_SERVER_SESSION_H

#include "server/session_run.h"
#include "tunnel/accept_direct.h"
#include "tunnel/accept_listen.h"

struct sessions; /* those of one link */

/* forwards, direct and what setup points to are borrowed. */
struct sessions *sessions_new(struct link *l, const struct accept_listen *forwards,
                              const struct accept_direct *direct,
                              const struct session_setup *setup) MUST_USE;
void sessions_free(struct sessions *s); /* NULL allowed; before link_free */

/* Accepts or refuses a LINK_OPEN_REQUEST of type "session". */
void sessions_open(struct sessions *s, struct channel *ch);

/* "no-more-sessions@openssh.com": later opens are refused. */
void sessions_close_door(struct sessions *s);

/* A forward came or went: every page gets the new list. */
void sessions_refresh(struct sessions *s);

#endif
