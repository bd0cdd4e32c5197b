/*
 * VisualHostKey: a digest as a picture that a person knows again. The walk is the "drunken bishop"
 * (Loss, Limmer, von Gernler: The drunken bishop: An analysis of the OpenSSH fingerprint
 * visualization algorithm, 2009); OpenSSH's size, signs and frame.
 */
#ifndef ADIT_CLIENT_RANDOMART_H
#define ADIT_CLIENT_RANDOMART_H

#include "base/buf.h"

/* title ("ED25519 256") and hash ("SHA256") stand in the frame. Eleven lines, caller owns. */
char *randomart(struct slice digest, const char *title, const char *hash) MUST_USE;

#endif
