/* Login by a key: which files and commands of the account are asked, and in which order. */
#ifndef ADIT_SERVER_AUTHZ_PUBLICKEY_H
#define ADIT_SERVER_AUTHZ_PUBLICKEY_H

#include "server/authz_attempt.h"

/*
 * Fills reason or is_granted and granted, and fingerprint. As root this process is the account's
 * uid (or nobody's) afterwards. An error ends the attempt without an answer.
 */
enum err authz_publickey(struct attempt *l) MUST_USE;

#endif
