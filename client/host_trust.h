/*
 * Whether a server's host key is the server's: the known_hosts files, StrictHostKeyChecking and
 * OpenSSH's words. It reads and writes files but asks nobody: a question is text in the answer.
 *
 * Stricter than OpenSSH in three things, because adit runs unattended:
 * - a changed or revoked key is refused whatever StrictHostKeyChecking says. OpenSSH goes on with
 *   "no" (without passwords and forwardings), which leaves nothing that a tunnel is for.
 * - "accept-new" and "no" do not take a key for a host of which only keys of other types are
 *   known: whoever sits in between chooses the type, and could so turn CHANGED into NEW.
 * - with these two a known_hosts file that is there but cannot be read is a refusal.
 * In all three cases the text says how to go on.
 */
#ifndef ADIT_CLIENT_HOST_TRUST_H
#define ADIT_CLIENT_HOST_TRUST_H

#include "auth/known_hosts.h"
#include "config/ssh_config.h"

/* Everything is borrowed. Paths are expanded; a list of "none" alone is no file. */
struct host_trust_request {
    const struct crypto *crypto;
    struct rng *rng;     /* salts of hashed names */
    const char *host;    /* lower case, HostKeyAlias applied */
    const char *address; /* numeric, for the question; NULL: not known (a proxy dialled) */
    uint16_t port;       /* 22 where HostKeyAlias was applied: an alias stands without a port */
    bool is_alias;       /* then the host's name without a port is not tried as a second choice */
    struct slice key;    /* blob whose signature over the exchange hash was verified */
    enum strict_host_key strict;
    const struct string_list *user_files; /* new keys go to the first */
    const struct string_list *global_files;
    bool hash_known_hosts;
    bool batch_mode; /* nobody can be asked */
    /* One more known_hosts text, read after the files (KnownHostsCommand); name NULL: none. */
    const char *more_name;
    struct slice more_text;
    const struct string_list *revoked_files; /* RevokedHostKeys; NULL: none */
    const char *ca_algorithms;               /* comma list: how authorities may sign */
    uint64_t now_s;                          /* since 1970, for certificates */
    unsigned min_rsa_bits;                   /* RequiredRSASize; 0: pubkey.h's */
    bool is_md5;                             /* FingerprintHash */
    bool shows_picture;                      /* VisualHostKey */
    bool checks_address;                     /* CheckHostIP; heeded where address is known */
};

enum host_trust_verdict {
    HOST_TRUST_REFUSED,
    HOST_TRUST_VERIFIED,           /* a known_hosts line has this key: go on, say nothing */
    HOST_TRUST_ADDED,              /* accepted and written */
    HOST_TRUST_ASK,                /* ask text; go on only after host_trust_accept */
    HOST_TRUST_ACCEPTED_UNWRITTEN, /* accepted, but no file keeps it: text says why */
};

struct host_trust_answer {
    enum host_trust_verdict verdict;
    bool
        is_by_user_file; /* VERIFIED by a plain key in a user file: what UpdateHostKeys builds on */
    /* Lines for the person, without the last newline; NULL: nothing to say. With VERIFIED they are
       worth saying, too. */
    char *text;
    char *fingerprint;              /* "SHA256:...": also a valid answer to the question */
    struct known_hosts_place place; /* the line that decided, if one did */
    char *place_file;               /* owns place.file */
};

/*
 * Decides. Fills *answer, to be passed to host_trust_answer_done. A key whose blob cannot be
 * parsed is refused.
 */
void host_trust_check(const struct host_trust_request *request, struct host_trust_answer *answer);

/* The person said yes to HOST_TRUST_ASK: writes. ADDED or ACCEPTED_UNWRITTEN. */
void host_trust_accept(const struct host_trust_request *request, struct host_trust_answer *answer);

void host_trust_answer_done(struct host_trust_answer *answer);

/*
 * Whether one of the files (host_trust.h's RevokedHostKeys) has the key, a certificate's key or its
 * authority: then, or where a file cannot be read, *why is a sentence, which the caller owns.
 */
bool host_trust_is_revoked(const struct crypto *c, const struct string_list *files,
                           struct slice key, const char *fingerprint, char **why) MUST_USE;

/*
 * The comma list of host key algorithms with those first that fit a key already known for the
 * host, so that the server shows a key that can be verified; certificates first of all where an
 * authority is known for the host. The order is kept otherwise. Of the
 * request only crypto, host, port, is_alias and the files count. Caller owns.
 */
char *host_trust_order_algorithms(const struct host_trust_request *request,
                                  const char *algorithms) MUST_USE;

/*
 * Adds one line (newline included) to a known_hosts file. ERR_IO: errno says why.
 *
 * A reader sees the old file or the new one, never half a line: the whole text goes to a new file
 * in the same folder, which is synced and renamed over the old one; mode and owner are kept,
 * symbolic links followed, a missing last newline added, and a missing folder made (0700), a
 * missing file too (0600). Of our own processes one at a time does this, by flock on the file
 * itself. OpenSSH takes no lock and appends: what it appended to the old file up to the rename is
 * carried over. Where no new file can be put beside it (a folder that is read-only, a file of
 * another owner) the line is appended in one write instead. ERR_UNSUPPORTED: no regular file
 * (/dev/null): nothing was written.
 */
enum err host_trust_file_add(const char *path, const char *line) MUST_USE;

/*
 * Takes out what the wish does not have and appends lines ("": none), the same way; never in
 * place. A file that is not there is made only for lines. ERR_IO: errno says why; ERR_LIMIT: too
 * large; ERR_UNSUPPORTED: no regular file. Nothing was changed then.
 */
enum err host_trust_file_update(const char *path, const struct known_hosts_wish *wish,
                                const char *lines) MUST_USE;

#endif
