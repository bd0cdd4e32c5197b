/*
 * Between the configuration and host_trust: paths made ready, the question put to a person, and
 * the order of host key algorithms that known hosts suggest.
 */
#ifndef ADIT_CLIENT_TRUST_H
#define ADIT_CLIENT_TRUST_H

#include "config/ssh_config.h"
#include "crypto/algo.h"
#include "crypto/rand.h"

struct trust_request {
    const struct crypto *crypto;
    struct rng *rng; /* not for the order */
    const struct client_options *options;
    const struct client_facts *facts;
    const char *address; /* the server's, numeric; NULL through a proxy */
};

struct trust_verdict {
    bool is_trusted;
    bool may_learn; /* by a plain key of a user file, or a person: UpdateHostKeys may go on it */
};

/*
 * Decides, asking the person where StrictHostKeyChecking says so, and writes known_hosts. blob: a
 * key or a certificate.
 */
void trust_server_key(const struct trust_request *request, struct slice blob,
                      struct trust_verdict *verdict);

/*
 * The comma list with those algorithms first whose key types are known for the host (as ssh does,
 * so that a server with several keys shows the one we know), certificates before them where an
 * authority is. A list of the user's own stays as it is. Caller owns.
 */
char *trust_order_algorithms(const struct trust_request *request, const char *algorithms) MUST_USE;

/*
 * Tokens, variables and ~ of a list of paths (IdentityFile, CertificateFile); "none" and what
 * cannot be expanded is left out (and told).
 */
void trust_expand_paths(const struct client_options *o, const struct client_facts *facts,
                        const struct string_list *paths, struct string_list *out);

#endif
