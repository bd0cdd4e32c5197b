/*
 * Numeric socket addresses: text to sockaddr and back, without any resolver. Shared by listeners
 * and dials; knows nothing of names.
 */
#ifndef ADIT_IO_ADDRESS_H
#define ADIT_IO_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/err.h"

#define ADDRESS_TEXT_MAX 64 /* an IPv6 address, '%', an interface name, NUL */

/* "127.0.0.1", "::1", "[::1]", "fe80::1%eth0", port 0; ERR_FORMAT for all else ("127.1" too). */
enum err address_parse(const char *text, struct sockaddr_storage *out, socklen_t *len) MUST_USE;

/* The numeric text; an IPv4 address inside IPv6 is shown as IPv4. "" if it is neither. */
void address_text(const struct sockaddr_storage *sa, char text[ADDRESS_TEXT_MAX]);

/* 0 and no effect if it is neither IPv4 nor IPv6. */
uint16_t address_port(const struct sockaddr_storage *sa);
void address_set_port(struct sockaddr_storage *sa, uint16_t port);

#endif
