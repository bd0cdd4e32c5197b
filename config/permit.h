/*
 * The rules of PermitOpen and PermitListen: OpenSSH's "host:port" with '*' on either side, and
 * beyond it networks ("10.0.0.0/8:*", "[fd00::/8]:443"), port ranges ("host:1000-2000") and '!' in
 * front. Pure text and numbers: no name is looked up here.
 *
 * A list permits what one rule fits and no negated rule fits. A host that is plain text is compared
 * with the text that the peer wrote, so that no other spelling of an address walks through; a
 * network is compared with the address that is meant to be used. A negated rule that names an
 * address by number fits that address however the peer came by it.
 */
#ifndef ADIT_CONFIG_PERMIT_H
#define ADIT_CONFIG_PERMIT_H

#include "base/buf.h"
#include "config/string_list.h"

enum permit_kind {
    PERMIT_OPEN,
    PERMIT_LISTEN, /* the host and its ':' may be left out */
};

enum permit_host {
    PERMIT_HOST_ANY,     /* "*" */
    PERMIT_HOST_TEXT,    /* a name, or one address */
    PERMIT_HOST_NETWORK, /* ADDRESS/BITS */
};

struct permit_rule {
    bool is_negated;
    enum permit_host host;
    struct slice text; /* borrowed; without brackets */
    bool is_any_port;
    uint16_t first, last;
};

/* Reads one rule. A plain one is OpenSSH's grammar alone (key options). False: it is none. */
bool permit_rule_read(struct permit_rule *rule, const char *item, enum permit_kind kind,
                      bool is_plain) MUST_USE;

/* Who asks for what. */
struct permit_target {
    struct slice host;   /* as the peer wrote it */
    uint32_t port;       /* PERMIT_LISTEN: 0: the server chooses */
    const char *address; /* numeric; NULL: any address may come of it */
};

/* What a list says. */
enum permit_answer {
    PERMIT_NO,
    PERMIT_YES,
    PERMIT_IF_ADDRESS, /* only with an address that a network rule fits, or none forbids */
};

struct permit_list {
    char *const *items; /* borrowed */
    size_t count;
    enum permit_kind kind;
    bool is_plain;
};

/*
 * Before the host is looked up: PERMIT_NO where no address could help. target->address is not
 * read. *rule: the item that forbids it, or NULL if nothing permits it.
 */
enum permit_answer permit_before_lookup(const struct permit_list *list,
                                        const struct permit_target *target,
                                        const char **rule) MUST_USE;

/* With the address. A network never fits a target without one; a negated network always does. */
bool permit_allows(const struct permit_list *list, const struct permit_target *target,
                   const char **rule) MUST_USE;

/* No negated rule fits (for a port that the server chose). */
bool permit_does_not_forbid(const struct permit_list *list, const struct permit_target *target,
                            const char **rule) MUST_USE;

/*
 * A Unix socket, as sshd does it: a list of targets holds for paths, too, and lets them in by
 * "PATH:*" or "*:*" alone.
 */
bool permit_allows_path(const struct permit_list *list, struct slice path,
                        const char **rule) MUST_USE;

/*
 * PermitListen of the configuration names this port itself: by a number or a range, not by '*' or
 * "any", and no negated rule fits. Ports below 1024 are granted by that alone. address: as the peer
 * wrote it.
 */
bool permit_list_names_port(const struct string_list *permit_listen, const char *address,
                            uint16_t port) MUST_USE;

#endif
