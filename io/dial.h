/*
 * Resolve, connect, try the next address, within a deadline. Happy Eyeballs (RFC 8305): the next
 * address starts 250 ms after the last without waiting for its failure. Numeric addresses meet no
 * resolver. Exactly one terminal event.
 */
#ifndef ADIT_IO_DIAL_H
#define ADIT_IO_DIAL_H

#include "base/buf.h"
#include "io/loop.h"

struct dial;

/* Where a dial failed, for messages that name side and cause. */
enum dial_stage { DIAL_RESOLVE, DIAL_CONNECT, DIAL_DEADLINE };

struct dial_result {
    int fd; /* >= 0: connected (non-blocking, close-on-exec, TCP_NODELAY); caller owns */
    enum dial_stage stage; /* fd < 0: where it failed */
    int error_number; /* errno of the last connect, or getaddrinfo's EAI_ code at DIAL_RESOLVE */
    const char
        *address; /* numeric address connected to, or last tried; valid during the callback */
    uint16_t port;
};
typedef void dial_done(void *owner, const struct dial_result *result);

/*
 * host: a name (at most 253 bytes) or a numeric address; family: AF_UNSPEC, AF_INET or AF_INET6;
 * bind_address: NULL or a numeric source address. deadline_ms: 0 = the kernel's own. The callback
 * never runs before dial_new returned.
 */
struct dial *dial_new(struct loop *l, const char *host, uint16_t port, int family,
                      const char *bind_address, uint64_t deadline_ms, dial_done *done,
                      void *owner) MUST_USE;
struct dial *dial_new_unix(struct loop *l, const char *path, dial_done *done, void *owner) MUST_USE;

/*
 * Asked for each address before it is tried: false leaves it out. Where that leaves none, the dial
 * fails at DIAL_CONNECT with EACCES. To be set in the turn in which the dial was made.
 */
typedef bool dial_may(void *owner, const char *address);
void dial_set_may(struct dial *d, dial_may *may);
/*
 * The source address is one of this interface, of the family that is dialled; an address that is
 * good for this link alone only if there is no other. ERR_NOT_FOUND: no such interface, or it has
 * no address at all. To be called in the turn in which the dial was made.
 */
enum err dial_set_interface(struct dial *d, const char *name) MUST_USE;
/* Takes it back: no callback comes. Not after the callback ran. */
void dial_cancel(struct dial *d);

/* "connection refused", "name not found", "timed out", ...: one short phrase for a person. */
const char *dial_reason(const struct dial_result *result);

#endif
