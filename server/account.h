/*
 * An account of this host and its authorized_keys files, with the permission checks of StrictModes.
 * It reads no key out of them (authz.c does) and changes no uid.
 */
#ifndef ADIT_SERVER_ACCOUNT_H
#define ADIT_SERVER_ACCOUNT_H

#include <sys/types.h>

#include "base/err.h"

struct account {
    bool is_known;
    uid_t uid;
    gid_t gid;
    char *name, *home, *shell; /* owned; "" if unknown */
};

/* Looks the name up in the password database. account_done in any case. */
void account_find(const char *user, struct account *a);
void account_done(struct account *a);

/* An account for tests, or one whose facts are known already. */
void account_set(struct account *a, const char *name, const char *home, uid_t uid);

struct account_fault {
    char text[256];
};

/*
 * AuthorizedKeysFile's value -> absolute path: %u %h %U %%, relative to the home directory. The
 * caller owns *path. ERR_CONFIG.
 */
enum err account_keys_path(const struct account *a, const char *pattern, char **path,
                           struct account_fault *why) MUST_USE;

/*
 * Opens a key file for reading. ERR_NOT_FOUND: there is none, or it cannot be read. ERR_DENIED: it
 * is no regular file, or is_strict and it, or a directory from it up to the home directory (else up
 * to "/"), belongs to another than the account or root, or is writable for others.
 */
enum err account_open_keys(const struct account *a, const char *path, bool is_strict, int *fd,
                           struct account_fault *why) MUST_USE;

#endif
