/*
 * The user's keys, from files and from an agent, in the order they are offered: with IdentityFile
 * given these first, then the agent's others (not with IdentitiesOnly); else the agent's first. A
 * file whose private half cannot be read yet (encrypted) counts if its public half is known and the
 * agent holds it.
 */
#ifndef ADIT_CLIENT_IDENTITY_H
#define ADIT_CLIENT_IDENTITY_H

#include "client/agent.h"
#include "config/string_list.h"
#include "crypto/privkey.h"

struct identity {
    char *name;            /* the file's path, or the agent's comment */
    struct privkey *key;   /* NULL: the agent signs */
    struct pubkey *pubkey; /* owned if key is NULL, else key's */
};
struct identity_list {
    struct identity *items;
    size_t count;
    struct agent *agent; /* NULL: none */
};

struct identity_request {
    const struct crypto *crypto;
    const struct string_list *paths; /* expanded */
    bool is_explicit;                /* the user named them: one that is missing is told */
    bool identities_only;
    const char *agent_path; /* NULL: no agent */
};

/*
 * Reads files and asks the agent. One that cannot be used is told, with the reason; a file that
 * others may read is refused, as ssh does.
 */
void identity_list_load(struct identity_list *list, const struct identity_request *request);
void identity_list_done(struct identity_list *list);

/* Appends the signature blob by the file's key or the agent's. */
enum err identity_sign(const struct identity_list *list, const struct identity *id,
                       const struct algo_sign *algo, struct slice data,
                       struct buf *signature) MUST_USE;

#endif
