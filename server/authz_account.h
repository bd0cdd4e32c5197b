/*
 * May this account log in at all, whatever it shows? Lists of users and groups, root, the shell,
 * locks and expiry. It knows no method of authentication but by its number.
 */
#ifndef ADIT_SERVER_AUTHZ_ACCOUNT_H
#define ADIT_SERVER_AUTHZ_ACCOUNT_H

#include "server/authz_attempt.h"
#include "server/authz_shadow.h"

/* Refuses by the rule that forbids it. shadow: the account's; nothing is read but the shell. */
void authz_account_check(struct attempt *l, const struct shadow *shadow);

/* What PermitRootLogin says once a method has succeeded: l->granted is known then. */
void authz_account_check_root(struct attempt *l);

#endif
