/*
 * Forwards in plain words: what listens where, who can reach it, which side looks the target up.
 * For "adit explain SPEC...", and for the hints at the start of a run. Text only: it binds and asks
 * nothing, so it says what is asked for; what came of it is said when it is bound.
 */
#ifndef ADIT_CLIENT_EXPLAIN_H
#define ADIT_CLIENT_EXPLAIN_H

#include "client/args.h"

/* One paragraph a forward, hop and -W of the options. */
enum err explain_options(const struct args *a, const struct client_options *o,
                         struct buf *out) MUST_USE;

/*
 * What a person probably did not mean, one sentence each: -g that does nothing, a target that is
 * the SSH server itself, a bind that is wider than was asked for.
 */
void explain_hints(const struct client_options *o, struct string_list *out);

#endif
