/*
 * An account of this host: its entry, its groups, and the files that let people in, with the
 * permission checks of StrictModes. It reads no key out of them (authz_lists.c does) and changes
 * no uid.
 */
#ifndef ADIT_SERVER_ACCOUNT_H
#define ADIT_SERVER_ACCOUNT_H

#include <sys/types.h>

#include "base/buf.h"
#include "config/string_list.h"

#define ACCOUNT_GROUPS_MAX 1024

struct account {
    bool is_known;
    uid_t uid;
    gid_t gid;
    char *name, *home, *shell; /* owned; "" if unknown */
    gid_t *groups;             /* primary and supplementary; see account_find_groups */
    size_t group_count;
    struct string_list group_names; /* of those that have one */
};

/* Looks the name up in the password database. account_done in any case. */
void account_find(const char *user, struct account *a);
void account_done(struct account *a);

/* Fills the groups of a known account. One with more than ACCOUNT_GROUPS_MAX is known no more. */
void account_find_groups(struct account *a);

/*
 * Becomes the account for good: groups, gid, uid, and that there is no way back. Needs its groups.
 * ERR_DENIED: the kernel did not let us, and nothing may be done as if it had.
 */
enum err account_become(const struct account *a) MUST_USE;

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

/* Appends the whole file. ERR_IO; ERR_LIMIT: more than max bytes. The cap of text: max + 1. */
enum err account_read_fd(int fd, size_t max, struct buf *text) MUST_USE;

#endif
