/*
 * Questions and answers with four bytes of length in front, over a connected Unix socket, without
 * a loop: an ssh-agent is asked so. Answers are hostile bytes.
 */
#ifndef ADIT_IO_FRAME_BLOCKING_H
#define ADIT_IO_FRAME_BLOCKING_H

#include "base/buf.h"

/* ERR_NOT_FOUND: nothing listens at path; ERR_LIMIT: it is too long; ERR_IO. */
enum err frame_connect(const char *path, int *fd) MUST_USE;

/* Replaces what is in answer. ERR_LIMIT: longer than its cap; ERR_EOF, ERR_IO. */
enum err frame_ask(int fd, struct slice request, struct buf *answer) MUST_USE;

#endif
