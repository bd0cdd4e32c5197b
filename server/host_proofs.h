/*
 * hostkeys-00@openssh.com and hostkeys-prove-00@openssh.com (OpenSSH's PROTOCOL 2.5), the server's
 * side in a worker: tells the client all host keys, and lets aditd-sign prove those it asks for.
 */
#ifndef ADIT_SERVER_HOST_PROOFS_H
#define ADIT_SERVER_HOST_PROOFS_H

#include "server/server_transport.h"
#include "tunnel/link.h"

struct host_proofs;

/* Asks the supervisor for one proof: PROVE. */
typedef enum err host_proofs_ask(void *owner, const struct role_msg *m);

/* Tells the keys at once; the link is up. keys is borrowed. */
struct host_proofs *host_proofs_new(struct link *l, const struct server_keys *keys,
                                    host_proofs_ask *ask, void *owner) MUST_USE;
void host_proofs_free(struct host_proofs *p); /* NULL allowed */

/* True: it was hostkeys-prove-00, and is or will be answered. */
bool host_proofs_request(struct host_proofs *p, const struct link_event *e) MUST_USE;

/* Nobody answers the question that is out, if one is. */
void host_proofs_lost(struct host_proofs *p);

/* PROOF: an empty signature says that there is none. */
void host_proofs_proved(struct host_proofs *p, uint32_t tag, struct slice signature);

#endif
