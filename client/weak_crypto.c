/* WarnWeakCrypto: what a connection that stands is not protected against. */
#include <string.h>

#include "base/algo_names.h"
#include "base/log.h"
#include "client/internal.h"

static bool is_unwanted(const struct client_options *o)
{
    for (size_t i = 0; i < o->warn_weak_crypto.count; i++) {
        const char *word = o->warn_weak_crypto.items[i];
        if (strcmp(word, "no") == 0 || strcmp(word, "no-pq-kex") == 0)
            return true;
    }
    return client_options_is_given(o, "KexAlgorithms"); /* who chose knows */
}

/*
 * OpenSSH's three lines, which advise to look at the server, only where the server is what lacks
 * it. Where adit does, upgrading the server would be wrong advice.
 */
void weak_crypto_tell(const struct client *c)
{
    const struct transport *t = link_transport(c->link);
    if (is_unwanted(c->options) || transport_exchanges(t) ||
        algo_names_is_post_quantum(slice_text(transport_algorithms(t).kex)))
        return;
    if (transport_peer_ext_info(t)->post_quantum) {
        log_verbose("the server has a post-quantum key exchange, but this adit has none: the "
                    "session may be recorded now and decrypted later");
        return;
    }
    log_info("** WARNING: connection is not using a post-quantum key exchange algorithm.");
    log_info("** This session may be vulnerable to \"store now, decrypt later\" attacks.");
    log_info("** The server may need to be upgraded. See https://openssh.com/pq.html");
}
