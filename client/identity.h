/*
 * The user's keys and certificates, from files and from an agent, in the order they are offered:
 * certificates, then with IdentityFile given the files' keys and the agent's others (not with
 * IdentitiesOnly), else the agent's first. A file whose private half is encrypted counts: what it
 * costs to open it is paid when a server wants it.
 */
#ifndef ADIT_CLIENT_IDENTITY_H
#define ADIT_CLIENT_IDENTITY_H

#include "client/agent.h"
#include "config/string_list.h"
#include "crypto/cert.h"

struct identity {
    char *name;            /* the file's path, or the agent's comment, escaped */
    char *path;            /* of the private file; NULL: only the agent has it */
    struct privkey *key;   /* NULL: not read, or not here */
    struct pubkey *pubkey; /* of the plain key, owned; NULL: not known before it is opened */
    struct cert *cert;     /* NULL: the plain key is shown */
    enum err trouble;      /* why the file was not read; OK: it was */
    bool is_locked;        /* the file is encrypted, and not opened yet */
    bool in_agent;         /* the agent signs by what is shown */
    bool is_named;         /* by IdentityFile or CertificateFile */
    bool is_signer_only;   /* for a certificate: IdentitiesOnly keeps it back by itself */
};
struct identity_list {
    struct identity *items;
    size_t count;
    struct agent *agent; /* NULL: none */
};

/* All borrowed. */
struct identity_request {
    const struct crypto *crypto;
    const struct string_list *paths;        /* expanded */
    const struct string_list *certificates; /* CertificateFile, expanded */
    bool is_explicit; /* the user named the paths: one that is missing is told */
    bool identities_only;
    bool may_ask;      /* for a passphrase */
    unsigned rsa_bits; /* RequiredRSASize */
};

/*
 * Reads the files. One that cannot be used is told, with the reason, here or when the agent has
 * not got it either; a private file that others may read is refused, as ssh does.
 */
void identity_list_load(struct identity_list *list, const struct identity_request *request);

/*
 * Adds what the agent holds, brings all into order and leaves out what nothing can sign by. path:
 * NULL: no agent. session: what the agent is told before it is asked for anything (PROTOCOL.agent
 * 1); it answers then what may be used there.
 */
void identity_list_complete(struct identity_list *list, const struct identity_request *request,
                            const char *path, const struct agent_session *session);
void identity_list_done(struct identity_list *list);

/* What is shown to the server; not of one whose public half is not known (CHECK). */
struct slice identity_blob(const struct identity *id);
char *identity_type(const struct identity *id) MUST_USE; /* caller owns */

/* The encrypted file that must be opened before id can sign; NULL: it can. */
struct identity *identity_locked(struct identity_list *list, const struct identity *id) MUST_USE;

/*
 * Opens an encrypted file. ERR_CRYPTO: a wrong passphrase; else as keyfile_parse, or ERR_IO. On
 * success pubkey is known.
 */
enum err identity_open(struct identity *id, const struct crypto *crypto,
                       struct slice passphrase) MUST_USE;

/*
 * Appends the signature blob by the file's key or the agent's. ERR_TIMEOUT: the agent's owner did
 * not answer; ERR_DENIED: he or it refused.
 */
enum err identity_sign(struct identity_list *list, const struct identity *id,
                       const struct algo_sign *algo, struct slice data,
                       struct buf *signature) MUST_USE;

/*
 * The same for another connection of the run, whose session an agent is told over a connection of
 * its own; its owner is not waited for (ERR_TIMEOUT). path: the agent's; NULL: none.
 */
enum err identity_sign_again(const struct identity_list *list, const struct identity *id,
                             const char *path, const struct agent_session *session,
                             const struct algo_sign *algo, struct slice data,
                             struct buf *signature) MUST_USE;

/* The key that identity_sign signs by; NULL: the agent's, or a locked one. */
const struct identity *identity_signer(const struct identity_list *list, const struct identity *id);

#endif
