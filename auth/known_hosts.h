/*
 * known_hosts text (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): one line -> matchers, and what a whole
 * text says of a host and its key. Text in, answers out: this room opens no file, asks nobody and
 * decides nothing; what to do about a changed or a new key is the caller's (client/host_trust.h).
 */
#ifndef ADIT_AUTH_KNOWN_HOSTS_H
#define ADIT_AUTH_KNOWN_HOSTS_H

#include "crypto/pubkey.h"
#include "crypto/rand.h"

#define KNOWN_HOSTS_PORT       22 /* the port that is not written */
#define KNOWN_HOSTS_TYPES_MAX  1024
#define KNOWN_HOSTS_OTHERS_MAX 8

enum known_hosts_marker {
    KNOWN_HOSTS_NO_MARKER,
    KNOWN_HOSTS_CERT_AUTHORITY, /* never matches a plain key */
    KNOWN_HOSTS_REVOKED_MARKER,
};

struct known_hosts_line {
    enum known_hosts_marker marker;
    struct slice names; /* borrowed from the line, like type and comment */
    struct slice type;
    struct slice comment;
    struct buf blob;
};

/*
 * Parses a line without its newline; lines of known_hosts_line_parse must be passed to
 * known_hosts_line_done whatever the result. ERR_NOT_FOUND: blank or a comment. ERR_FORMAT: an
 * unknown marker, a hashed name that is not |1|salt|hash of 20 bytes each, a key whose blob is of
 * another type than is written, bytes below a blank other than a tab; ERR_LIMIT: too long a key.
 */
enum err known_hosts_line_parse(struct slice text, struct known_hosts_line *line) MUST_USE;
void known_hosts_line_done(struct known_hosts_line *line);

/*
 * What is looked up and written: "host", or "[host]:port" for another port than 22. Caller owns.
 * A HostKeyAlias is looked up with port 22, as OpenSSH does.
 */
char *known_hosts_name(const char *host, uint16_t port) MUST_USE;

/* True if the line's names hold name (of known_hosts_name). Letters' case does not count. */
bool known_hosts_line_is_for(const struct known_hosts_line *line, const struct crypto *c,
                             const char *name);

/* In rising order of weight: over several texts, the heaviest answer found stays. */
enum known_hosts_result {
    KNOWN_HOSTS_NEW,     /* no line of this host has a key of this type */
    KNOWN_HOSTS_CHANGED, /* lines of this host have other keys of this type */
    KNOWN_HOSTS_MATCH,   /* a line of this host has this key: verified. Set in one place. */
    KNOWN_HOSTS_REVOKED, /* an @revoked line that names this host has this key or its authority */
};

struct known_hosts_place {
    const char *file; /* borrowed: as given to known_hosts_search_text; NULL: nowhere */
    unsigned line;    /* from 1 */
};

/*
 * A search over any number of texts. Zeroed by known_hosts_search_init; the fields below the
 * question are the answer so far.
 */
struct known_hosts_search {
    const struct crypto *crypto;
    char *name;             /* owned; of known_hosts_name */
    struct slice key;       /* borrowed blob; empty: only the known types are wanted */
    struct slice type;      /* inside key */
    struct slice authority; /* borrowed blob: who signed the certificate of key; may be empty */
    bool is_other_wanted;   /* collect lines that have this key for other names */

    enum known_hosts_result result;
    struct known_hosts_place place; /* what decided; for CHANGED the first such line */
    struct buf types; /* comma list of the key types known for the host, no markers, each once */
    struct known_hosts_place first_of_types; /* the first line that added to types */
    struct known_hosts_place others[KNOWN_HOSTS_OTHERS_MAX];
    size_t other_count;
    struct known_hosts_place authority_place; /* an @cert-authority line of it for this host */
    bool has_authorities;                     /* there are such lines for this host, of anybody */
    unsigned bad_lines;                       /* skipped because they do not parse */
};

/* ERR_FORMAT: the key's blob does not begin with a type. search_done follows whatever happens. */
enum err known_hosts_search_init(struct known_hosts_search *s, const struct crypto *c,
                                 const char *host, uint16_t port, struct slice key) MUST_USE;
/* Goes through a whole file's text; file is its name for the answer. */
void known_hosts_search_text(struct known_hosts_search *s, const char *file, struct slice text);
/* True if a key of this type ("ssh-ed25519") is known for the host. */
bool known_hosts_search_has_type(const struct known_hosts_search *s, struct slice type);
void known_hosts_search_done(struct known_hosts_search *s);

/* The keys that a host is to have (UpdateHostKeys). All borrowed. */
struct known_hosts_wish {
    const struct crypto *crypto;
    const char *name;         /* of known_hosts_name */
    const struct slice *keys; /* blobs */
    size_t count;             /* at most KNOWN_HOSTS_WISH_MAX */
};
#define KNOWN_HOSTS_WISH_MAX 64

/* What files say of it; zeroed first, then over any number of texts. */
struct known_hosts_state {
    uint64_t present;   /* bit i: keys[i] stands there for the name */
    size_t superfluous; /* lines of the name with other keys */
    bool is_complex;    /* a line of the name is by a pattern, or names more than two */
    bool has_other;     /* one of the keys stands there under other names only */
};
void known_hosts_state_add(struct known_hosts_state *state, const struct known_hosts_wish *wish,
                           struct slice text);

/*
 * Appends the text to out without the lines of the name whose key is not wished, byte for byte
 * otherwise. Lines with markers stay.
 */
enum err known_hosts_text_prune(struct slice text, const struct known_hosts_wish *wish,
                                struct buf *out) MUST_USE;

/*
 * A new line for a key, newline included; caller owns. rng NULL: the name in plain text; else
 * hashed with a salt of it (HashKnownHosts). ERR_FORMAT: the host has bytes that would mean
 * something else in the file (blanks, commas, wildcards...), or the blob has no type.
 */
enum err known_hosts_line_format(char **line, const struct crypto *c, struct rng *rng,
                                 const char *host, uint16_t port, struct slice key) MUST_USE;

#endif
