/*
 * Key agreement as a KEM, so that hybrids fit: the client makes a public value, the server answers
 * it, the client finishes. RFC 5656 4, RFC 8731; and the groups of kex_dh.h (RFC 8268).
 * The shared secret comes out already encoded as it
 * enters the exchange hash and the key derivation (an mpint here, a string for hybrids later).
 */
#ifndef ADIT_CRYPTO_KEX_ECDH_H
#define ADIT_CRYPTO_KEX_ECDH_H

#include "crypto/algo.h"
#include "crypto/kex_dh.h"

struct kex_client; /* the client's ephemeral key */

/*
 * Makes an ephemeral key; appends the public value (Q_C, without a length) to out. group: of a
 * group exchange, else NULL; then errors are as in kex_dh_new_in, too.
 */
enum err kex_client_new(struct kex_client **out, const struct crypto *c,
                        const struct algo_kex *algo, const struct kex_group *group,
                        struct buf *public_out) MUST_USE;
void kex_client_free(struct kex_client *k);

/*
 * The server's public value -> the encoded shared secret K, appended to secret (init it with
 * buf_init_secret). ERR_FORMAT: wrong length, not on the curve or out of range; ERR_CRYPTO:
 * all-zero X25519 result (RFC 8731 3).
 */
enum err kex_client_finish(struct kex_client *k, struct slice server_public,
                           struct buf *secret) MUST_USE;

/* Server: from the client's public value, own public value and encoded K. Errors as above. */
enum err kex_server(const struct crypto *c, const struct algo_kex *algo,
                    const struct kex_group *group, struct slice client_public,
                    struct buf *public_out, struct buf *secret) MUST_USE;

#endif
