/*
 * Streams without descriptors, the third implementer of struct stream_ops: pairs of byte pipes in
 * memory that read and write short, say AGAIN, and fail at the n-th call. For torture: count the
 * calls of one clean run, then fail each once.
 */
#ifndef ADIT_TESTS_FAKE_STREAM_H
#define ADIT_TESTS_FAKE_STREAM_H

#include "io/stream.h"

/* Shared by all streams of a run. */
struct fake_world {
    struct loop *loop;
    unsigned calls;       /* read and write calls so far */
    unsigned fail_at;     /* this call fails with ERR_IO and breaks its pair; 0: none */
    size_t most;          /* bytes a call moves at most; 0: no limit */
    unsigned again_every; /* each n-th call says "nothing now"; 0: never */
};

struct fake_stream;

/* Two joined ends; each owns nothing of the other. capacity: bytes in flight each way. */
void fake_pair(struct fake_world *w, size_t capacity, struct fake_stream **a,
               struct fake_stream **b);
struct stream *fake_as_stream(struct fake_stream *f);

/* What the other end did to this one. */
enum fake_end { FAKE_OPEN, FAKE_ENDED /* FIN */, FAKE_RESET };
enum fake_end fake_peer_end(const struct fake_stream *f);

/* Frees ends that were closed or aborted by their owners, and those given here. */
void fake_free_pair(struct fake_stream *a);

#endif
