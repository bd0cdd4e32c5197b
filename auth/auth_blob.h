/*
 * The bytes that a publickey signature covers (RFC 4252 7; hostbound: OpenSSH's PROTOCOL 3.1). One
 * function for who signs, who carries and who verifies: the verifier rebuilds the bytes from what
 * it knows itself, never from what it is told.
 */
#ifndef ADIT_AUTH_AUTH_BLOB_H
#define ADIT_AUTH_AUTH_BLOB_H

#include "base/buf.h"

struct auth_blob {
    struct slice session_id;
    struct slice user, service;
    struct slice algorithm, key_blob;
    struct slice host_key; /* empty: plain publickey */
};

#define AUTH_BLOB_MAX (256 * 1024)

/* Appends the bytes. ERR_LIMIT: out's cap. */
enum err auth_blob_build(const struct auth_blob *b, struct buf *out) MUST_USE;

#endif
