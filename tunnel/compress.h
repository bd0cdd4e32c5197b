/*
 * zlib for zlib@openssh.com, both ways: what transport's codec asks for. It lies here and not
 * beside the transport, so that aditd-pre, which meets strangers, holds no zlib.
 */
#ifndef ADIT_TUNNEL_COMPRESS_H
#define ADIT_TUNNEL_COMPRESS_H

#include "transport/transport.h"

/* About 260 KiB a connection that has sent, 45 KiB one that has received. */
extern const struct transport_codec compress_codec;

#endif
