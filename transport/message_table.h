/*
 * Legality as data: which message number may come from whom, when, and where it goes. Looked up
 * before any parser runs.
 */
#ifndef ADIT_TRANSPORT_MESSAGE_TABLE_H
#define ADIT_TRANSPORT_MESSAGE_TABLE_H

#include "base/base.h"

enum transport_role { TRANSPORT_CLIENT, TRANSPORT_SERVER };

/* The state of what the PEER may send. */
enum message_phase {
    PHASE_FIRST_KEX,        /* before the peer's first NEWKEYS */
    PHASE_FIRST_KEX_STRICT, /* the same once strict KEX is agreed */
    PHASE_AUTH,
    PHASE_CONNECTED,
    PHASE_REKEY, /* from the peer's KEXINIT to its NEWKEYS, in a later exchange */
    PHASE_COUNT,
};

enum message_to {
    MESSAGE_ILLEGAL,       /* known or reserved, but not now or not from this side: disconnect */
    MESSAGE_UNIMPLEMENTED, /* unknown: answered with UNIMPLEMENTED (RFC 4253 11.4) */
    MESSAGE_TO_TRANSPORT,
    MESSAGE_TO_KEX,
    MESSAGE_TO_AUTH,
    MESSAGE_TO_CONN,
    MESSAGE_IGNORED, /* legal and without effect (RFC 4252 5.1: requests after success) */
};

enum message_to message_lookup(uint8_t number, enum transport_role sender,
                               enum message_phase phase);
/* "KEXINIT", ...; "unknown" for a number without a row. */
const char *message_name(uint8_t number);

#endif
