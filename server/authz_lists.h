/*
 * Text that lets keys in: authorized_keys, principals, trusted authorities. Pure: a file's or a
 * command's text in, and whether the offered key is in it with which options out. Where the text
 * comes from is authz_publickey.c's.
 */
#ifndef ADIT_SERVER_AUTHZ_LISTS_H
#define ADIT_SERVER_AUTHZ_LISTS_H

#include "server/authz_key.h"

/* Where a text comes from, and what it says of the offered key when nothing there lets it in. */
struct list_source {
    const char *what; /* "authorized_keys", or the command; named in the log */
    char why[256];    /* a line that has the key and forbids it; "": none has */
};

/*
 * True: a line of authorized_keys lets the key in (or the certificate, by its authority), and
 * *options is what the line and the certificate permit together; key_options_done. Lines that
 * cannot be understood are passed over; one that forbids says so in the source, and the next
 * counts.
 */
bool lists_have_key(const struct attempt *l, const struct offered_key *k, struct slice text,
                    struct list_source *source, struct key_options *options);

/* The same of a list of principals ("[options] PRINCIPAL" a line), for a certificate. */
bool lists_have_principal(const struct attempt *l, const struct offered_key *k, struct slice text,
                          struct list_source *source, struct key_options *options);

/* Without a list of principals the certificate must name the account. */
bool lists_name_account(const struct attempt *l, const struct offered_key *k,
                        struct list_source *source, struct key_options *options);

/* TrustedUserCAKeys: a public key a line. */
bool lists_have_authority(struct slice text, struct slice authority);

#endif
