/*
 * PAM, where it is built in (meson -Dpam=enabled) and UsePAM is on: what an administrator wrote in
 * /etc/pam.d decides then about passwords, locks and expiry. Without it the same calls say no
 * (authz_pam_none.c). Sessions are aditd-session's.
 */
#ifndef ADIT_SERVER_AUTHZ_PAM_H
#define ADIT_SERVER_AUTHZ_PAM_H

#include "server/authz_attempt.h"

bool authz_pam_is_used(const struct server_options *o);

/* Fill reason or is_granted. An error ends the attempt without an answer. */
enum err authz_pam_password(struct attempt *l) MUST_USE;
enum err authz_pam_interactive(struct attempt *l) MUST_USE; /* its prompts are the user's */
/* Locks, expiry, hours: for a login by key. Still as root. */
void authz_pam_account(struct attempt *l);

#endif
