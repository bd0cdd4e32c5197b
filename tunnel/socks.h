/*
 * The SOCKS 4, 4a and 5 (RFC 1928) server's parser, without a socket: it says how many bytes it
 * wants next, so that nothing behind the request is ever read by it. CONNECT only, no
 * authentication, as in OpenSSH.
 */
#ifndef ADIT_TUNNEL_SOCKS_H
#define ADIT_TUNNEL_SOCKS_H

#include "base/buf.h"

#define SOCKS_MAX       600 /* bytes of a whole dialogue */
#define SOCKS_REPLY_MAX 300

enum socks_step {
    SOCKS_MORE,    /* want `want` more bytes */
    SOCKS_SAY,     /* send `reply`, then go on feeding */
    SOCKS_REQUEST, /* host and port are known; answer with socks_result */
    SOCKS_BAD,     /* not SOCKS, or not CONNECT: send `reply` (may be empty) and close */
};

struct socks {
    uint8_t in[SOCKS_MAX];
    size_t have;
    size_t want;  /* bytes to read next, at least 1 */
    bool greeted; /* SOCKS 5: the methods were answered */
    uint8_t version;
    char host[256];
    uint16_t port;
    uint8_t reply[SOCKS_REPLY_MAX];
    size_t reply_len;
    const char *fault; /* with SOCKS_BAD: one sentence */
};

void socks_init(struct socks *s);

/* n (at most s->want) bytes were stored at s->in + s->have. */
enum socks_step socks_feed(struct socks *s, size_t n);

enum socks_outcome { SOCKS_CONNECTED, SOCKS_NOT_ALLOWED, SOCKS_REFUSED, SOCKS_FAILED };
/* Fills reply with the answer to the request. */
void socks_result(struct socks *s, enum socks_outcome outcome);

#endif
