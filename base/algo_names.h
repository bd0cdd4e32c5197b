/*
 * Algorithm names and their order, as data. Configuration is checked against it, and proposals
 * are made of it; this room does not know how any algorithm works (crypto/algo.h does).
 * "Built" names can be proposed; "known" ones are OpenSSH's, so a configuration may name them.
 */
#ifndef ADIT_BASE_ALGO_NAMES_H
#define ADIT_BASE_ALGO_NAMES_H

#include "base/buf.h"

enum algo_kind {
    ALGO_NAMES_KEX,
    ALGO_NAMES_HOST_KEY, /* also PubkeyAcceptedAlgorithms and signature algorithms */
    ALGO_NAMES_CIPHER,
    ALGO_NAMES_MAC,
    ALGO_NAMES_COMPRESSION,
};

/* "key exchange method", "cipher", ...: for sentences. */
const char *algo_names_kind_name(enum algo_kind kind);

/*
 * The comma list proposed when nothing is configured, in order of preference. Static. For
 * compression it is "none": what is negotiated, not what is known. A client's ciphers begin with
 * AES-GCM where the processor has instructions for it.
 */
const char *algo_names_default(enum algo_kind kind, bool is_client);

/* The built names one by one (-Q), legacy ones last: index 0, 1, ... until NULL. Static. */
const char *algo_names_built(enum algo_kind kind, size_t index);

bool algo_names_is_built(enum algo_kind kind, struct slice name);
/* Built, but never by default and never by a pattern: kept for configurations that name it. */
bool algo_names_is_legacy(enum algo_kind kind, struct slice name);
/* A key exchange that a quantum computer does not undo; whether it is built or not. */
bool algo_names_is_post_quantum(struct slice name);
bool algo_names_is_known(enum algo_kind kind, struct slice name); /* built ones are known too */

/* What a specification came to. algo_choice_done frees all; each may be NULL. */
struct algo_choice {
    char *list;    /* final comma list, order kept, no name twice */
    char *dropped; /* comma list of names that are OpenSSH's but not built here */
    char *unknown; /* the first name nobody knows; then the result was an error */
};
void algo_choice_done(struct algo_choice *choice);

/*
 * Applies a configuration value to the default list: "a,b" replaces it, "+a" appends, "-p" takes
 * out what the patterns match, "^a" puts first. In replacing, appending and heading lists a name
 * may be a pattern too, which stands for the built names it matches (legacy ones must be spelt
 * out). Whatever the result, *choice is to be passed to algo_choice_done. ERR_CONFIG: unknown name
 * (choice->unknown). ERR_NO_COMMON: nothing is left. ERR_FORMAT: empty.
 */
enum err algo_names_apply(enum algo_kind kind, const char *spec, bool is_client,
                          struct algo_choice *choice) MUST_USE;

#endif
