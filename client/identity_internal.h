/* What the rooms of identity share; nobody else includes it. */
#ifndef ADIT_CLIENT_IDENTITY_INTERNAL_H
#define ADIT_CLIENT_IDENTITY_INTERNAL_H

#include "client/identity.h"

/* Frees what is in it. */
void identity_clear(struct identity *id);
/* Takes id's parts over; what is shown already is not shown twice. */
void identity_add(struct identity_list *list, struct identity id);
/* A copy, as struct identity owns its public half. */
struct pubkey *identity_pubkey_copy(const struct crypto *c, const struct pubkey *key) MUST_USE;
/* Half a sentence: why a file is of no use. */
const char *identity_why_unusable(enum err err);

#endif
