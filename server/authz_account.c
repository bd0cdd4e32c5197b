/* The rules about an account. */
#include "server/authz_account.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/authz_pam.h"

#define NOLOGIN       "/etc/nologin"
#define DEFAULT_SHELL "/bin/sh"

/* ---- lists ---- */

static const struct string_list empty = {NULL, 0};

/* Which of the four lists it is: each is asked with the others empty. */
static void check_lists(struct attempt *l)
{
    const struct connection_facts facts = {.user = l->account.name,
                                           .host = l->host,
                                           .address = l->address,
                                           .local_address = l->local_address,
                                           .groups = &l->account.group_names};
    static const char *const names[] = {"DenyUsers", "AllowUsers", "DenyGroups", "AllowGroups"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct server_options o = l->options; /* borrows */
        struct string_list *lists[] = {&o.deny_users, &o.allow_users, &o.deny_groups,
                                       &o.allow_groups};
        for (size_t j = 0; j < ARRAY_LEN(lists); j++) {
            if (j != i)
                *lists[j] = empty;
        }
        if (!server_options_may_log_in(&o, &facts))
            attempt_refuse(l, "%s (sshd_config)", names[i]);
    }
    /* Together they are what counts. */
    if (!server_options_may_log_in(&l->options, &facts))
        attempt_refuse(l, "AllowUsers, DenyUsers, AllowGroups or DenyGroups (sshd_config)");
}

/* ---- the account ---- */

static void check_shell(struct attempt *l)
{
    struct stat st;
    const char *shell = l->account.shell[0] ? l->account.shell : DEFAULT_SHELL;
    if (strcmp(l->options.chroot_directory, "none") != 0)
        return; /* it would be looked for in another tree */
    if (stat(shell, &st) != 0)
        attempt_refuse(l, "the account's shell %s does not exist", shell);
    else if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
        attempt_refuse(l, "the account's shell %s is not executable", shell);
}

static void check_shadow(struct attempt *l, const struct shadow *shadow)
{
    if (authz_pam_is_used(&l->options))
        return; /* it is PAM's matter then */
    /* With PAM, sshd takes a '!' for a password that nobody has, and lets keys in: useradd and
     * cloud images make such accounts. A file that says UsePAM yes counts on it. */
    if (!l->options.use_pam && shadow_is_locked(shadow))
        attempt_refuse(l, "the account is locked (its password begins with '!')");
    if (shadow_is_expired(shadow, l->now_s))
        attempt_refuse(l, "the account has expired");
}

static void check_own(struct attempt *l)
{
    if (geteuid() == 0 || l->account.uid == geteuid())
        return;
    struct passwd *me = getpwuid(geteuid());
    const char *name = me ? me->pw_name : "its own user";
    attempt_refuse(l, "only %s can log in here: aditd runs as %s", name, name);
}

void authz_account_check(struct attempt *l, const struct shadow *shadow)
{
    if (!l->account.is_known) {
        attempt_refuse(l, "no such account");
        return;
    }
    check_own(l);
    check_shadow(l, shadow);
    check_shell(l);
    check_lists(l);
    if (l->account.uid == 0 && l->options.permit_root_login == ROOT_NO)
        attempt_refuse(l, "PermitRootLogin no");
    if (l->account.uid != 0 && access(NOLOGIN, F_OK) == 0)
        attempt_refuse(l, NOLOGIN " exists");
}

void authz_account_check_root(struct attempt *l)
{
    bool is_key = l->m.method == ROLE_AUTH_PUBLICKEY;
    if (l->account.uid != 0)
        return;
    switch (l->options.permit_root_login) {
    case ROOT_YES:
        return;
    case ROOT_PROHIBIT_PASSWORD:
        if (!is_key)
            attempt_refuse(l, "PermitRootLogin prohibit-password");
        return;
    case ROOT_FORCED_COMMANDS_ONLY:
        if (!is_key || !l->granted.command)
            attempt_refuse(l, "PermitRootLogin forced-commands-only, and the key has no command=");
        return;
    case ROOT_NO:
        break;
    }
    attempt_refuse(l, "PermitRootLogin no");
}
