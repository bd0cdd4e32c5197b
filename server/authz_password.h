/*
 * Login by a password: said in the request, or asked for (keyboard-interactive). By shadow and
 * crypt(3), or by PAM where it is built in and UsePAM is on. No password is ever logged, and each
 * is wiped with the message that brought it.
 */
#ifndef ADIT_SERVER_AUTHZ_PASSWORD_H
#define ADIT_SERVER_AUTHZ_PASSWORD_H

#include "server/authz_attempt.h"
#include "server/authz_shadow.h"

/* Fill reason or is_granted. An error ends the attempt without an answer. */
enum err authz_password(struct attempt *l, const struct shadow *shadow) MUST_USE;
enum err authz_interactive(struct attempt *l, const struct shadow *shadow) MUST_USE;

#endif
