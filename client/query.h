/* adit -Q: what can be negotiated, one name a line, in ssh's words. */
#ifndef ADIT_CLIENT_QUERY_H
#define ADIT_CLIENT_QUERY_H

#include "base/buf.h"

/*
 * Appends the answer to "kex", "cipher-auth", "KexAlgorithms", ..., in any case. ERR_NOT_FOUND:
 * there is no such question.
 */
enum err query_answer(const char *what, struct buf *out) MUST_USE;

#endif
