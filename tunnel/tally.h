/*
 * What went through a forward: ended connections summed up, open ones asked while they run. The
 * connections may outlive the tally; then they are counted nowhere.
 */
#ifndef ADIT_TUNNEL_TALLY_H
#define ADIT_TUNNEL_TALLY_H

#include "base/list.h"
#include "tunnel/splice.h"

/* As the server sees it: in = came from the SSH client, out = went to it. */
struct tally_sum {
    uint64_t bytes_in, bytes_out;
    uint64_t connections; /* ever */
    uint64_t open;        /* of them, now */
};

struct tally {
    struct list open;
    struct tally_sum ended; /* bytes of those that ended; connections of all */
};

/* One spliced connection. Its owner embeds it, and frees it after visit_end. */
struct visit {
    struct list link;
    struct tally *tally; /* NULL: the tally is gone */
    const struct splice *splice;
};

void tally_init(struct tally *t);
void tally_done(struct tally *t);
struct tally_sum tally_sum(const struct tally *t);

void visit_begin(struct visit *v, struct tally *t, const struct splice *sp);
void visit_end(struct visit *v, const struct splice_report *report);

#endif
