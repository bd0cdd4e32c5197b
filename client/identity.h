/*
 * The user's keys from files, in the order they are offered. Agents and encrypted files come with
 * a later issue: an encrypted file is named and passed over.
 */
#ifndef ADIT_CLIENT_IDENTITY_H
#define ADIT_CLIENT_IDENTITY_H

#include "config/string_list.h"
#include "crypto/privkey.h"

struct identity {
    char *path;
    struct privkey *key;
};
struct identity_list {
    struct identity *items;
    size_t count;
};

/*
 * Reads the files (paths expanded). A file that is missing is told only if it was named by the
 * user (explicit); one that cannot be used always is, with the reason. A file that others may read
 * is refused, as ssh does.
 */
void identity_list_load(struct identity_list *list, const struct crypto *c,
                        const struct string_list *paths, bool explicit_paths);
void identity_list_done(struct identity_list *list);

#endif
