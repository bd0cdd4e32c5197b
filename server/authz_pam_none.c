/* PAM is not built in: UsePAM yes changes nothing, and locks and expiry are shadow's. */
#include "server/authz_pam.h"

bool authz_pam_is_used(const struct server_options *o UNUSED)
{
    return false;
}

enum err authz_pam_password(struct attempt *l)
{
    attempt_refuse(l, "PAM is not built in");
    return OK;
}

enum err authz_pam_interactive(struct attempt *l)
{
    attempt_refuse(l, "PAM is not built in");
    return OK;
}

void authz_pam_account(struct attempt *l UNUSED)
{
}
