/*
 * Text against patterns: wildcards, comma lists with negation, address lists with CIDR. Text only:
 * this room asks no name service and does not know where a pattern was written.
 */
#ifndef ADIT_BASE_MATCH_H
#define ADIT_BASE_MATCH_H

#include "base/err.h"

/* What a list says. A negated entry that matches decides at once, whatever else matched. */
enum match {
    MATCH_NO,
    MATCH_YES,
    MATCH_NEGATED,
};

/* '*' is any run of characters, '?' exactly one byte; all of text must be covered. */
bool match_is_pattern(const char *text, const char *pattern) MUST_USE;

/* The same, with ASCII letters of both sides alike (host names). */
bool match_is_pattern_folded(const char *text, const char *pattern) MUST_USE;

/* Patterns separated by commas, each may begin with '!'. Blank entries match nothing. */
enum match match_list(const char *text, const char *list) MUST_USE;
enum match match_list_folded(const char *text, const char *list) MUST_USE;

/*
 * A list of ADDRESS, ADDRESS/BITS and wildcard patterns over the address text, with negation.
 * ERR_FORMAT for a mask that is no number, is too long for its family, or leaves host bits set
 * (10.0.0.1/8), and for an address that is no address where a mask is given; found or not, the
 * whole list is checked. address NULL only checks the list. An address that is none ("UNKNOWN")
 * can match wildcard patterns only.
 */
enum err match_address_list(const char *address, const char *list, enum match *result) MUST_USE;

/* True if address (text) lies in network ("10.0.0.0/8", "fe80::/10", "::1"); bad text is false. */
bool match_is_in_network(const char *address, const char *network) MUST_USE;

/* True if text is a numeric IPv4 or IPv6 address (a scope "%eth0" is allowed on IPv6). */
bool match_is_address(const char *text) MUST_USE;

#endif
