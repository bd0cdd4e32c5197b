/*
 * Which methods may be tried, and when a user is through: AuthenticationMethods, pure. A step that
 * was done is its method's name, "publickey"; keyboard-interactive with its device behind it,
 * "keyboard-interactive:pam". That one key is no two steps is aditd-authz's matter.
 */
#ifndef ADIT_SERVER_AUTH_METHODS_H
#define ADIT_SERVER_AUTH_METHODS_H

#include "base/buf.h"
#include "config/string_list.h"

struct auth_methods {
    const struct string_list *lists; /* as configured: "a,b" each; empty, or "any" alone */
    bool has_publickey, has_password, has_interactive; /* what is switched on */
};

#define AUTH_METHODS_TEXT_MAX 256

/*
 * Appends what may be tried after these steps, as the list that USERAUTH_FAILURE names, in
 * OpenSSH's order. Nothing where no list can be fulfilled with what is switched on.
 */
void auth_methods_next(const struct auth_methods *m, const struct string_list *done,
                       struct buf *out);

/* May method ("keyboard-interactive" without its device) be tried after these steps? */
bool auth_methods_may(const struct auth_methods *m, const struct string_list *done,
                      const char *method);

/* Do these steps fulfil a list? */
bool auth_methods_is_complete(const struct auth_methods *m, const struct string_list *done);

#endif
