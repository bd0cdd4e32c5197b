/* What login.c and login_again.c share: a run's keys, and what its login was done with. */
#ifndef ADIT_CLIENT_LOGIN_INTERNAL_H
#define ADIT_CLIENT_LOGIN_INTERNAL_H

#include "client/identity.h"
#include "client/login_ask.h"
#include "client/login_kept.h"

struct client;

struct login {
    struct identity_list identities;
    struct identity_request request;
    struct string_list paths, certificates;
    char *agent_path; /* NULL: no agent */
    char *methods;    /* what may be tried, in order */
    struct login_ask ask;
    struct tried {
        size_t identity; /* index */
        bool was_offered;
    } * tried; /* by the key index of auth_client */
    size_t tried_count;
    struct login_kept kept; /* where further connections may log in by it */
    bool is_done, keeps;
};

struct identity *login_identity(const struct login *l, size_t key);
/* False: no accepted algorithm fits it. */
bool login_add_identity(const struct login *l, struct auth_client *a, const struct identity *id);
/* As ssh's debug lines describe a key: file, type, fingerprint, where it came from. Owned. */
char *login_describe(const struct client *c, const struct identity *id);
void login_tell_unsigned(const struct identity *id, enum err err);

#endif
