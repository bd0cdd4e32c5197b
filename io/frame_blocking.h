/*
 * Questions and answers with four bytes of length in front, over a connected Unix socket, without
 * a loop: an ssh-agent is asked so. Answers are hostile bytes.
 */
#ifndef ADIT_IO_FRAME_BLOCKING_H
#define ADIT_IO_FRAME_BLOCKING_H

#include "base/buf.h"

#define FRAME_FOR_EVER 0

/* ERR_NOT_FOUND: nothing listens at path; ERR_LIMIT: it is too long; ERR_TIMEOUT; ERR_IO. */
enum err frame_connect(const char *path, unsigned timeout_ms, int *fd) MUST_USE;

/*
 * Replaces what is in answer. timeout_ms: for question and answer together. ERR_TIMEOUT: nothing
 * useful can be asked over fd any more; ERR_LIMIT: longer than answer's cap; ERR_EOF, ERR_IO.
 */
enum err frame_ask(int fd, struct slice request, unsigned timeout_ms, struct buf *answer) MUST_USE;

#endif
