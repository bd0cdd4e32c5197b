/*
 * One line of an authorized_keys file (sshd(8), AUTHORIZED_KEYS FILE FORMAT) -> options and key.
 * Pure text: it opens no file, asks no clock and decides about no account. Whatever is not wholly
 * understood makes the line authorise nobody.
 */
#ifndef ADIT_AUTH_AUTHORIZED_KEYS_H
#define ADIT_AUTH_AUTHORIZED_KEYS_H

#include "base/buf.h"

#define AUTHORIZED_KEYS_LINE_MAX 65536 /* bytes of a line */
#define KEY_OPTIONS_TEXT_MAX     8192  /* bytes of a line's options */
#define KEY_OPTIONS_LIST_MAX     4096 /* permitopen, permitlisten: entries each (OpenSSH's limit) */

struct key_rule_list {
    char **items;
    size_t count;
};

/* What the options of a line say. Fields are owned; key_options_done frees them. */
struct key_options {
    bool may_forward_ports; /* after restrict, port-forwarding and no-port-forwarding, in order */
    bool may_forward_agent, may_forward_x11, may_use_pty, may_use_rc;
    bool is_cert_authority;                  /* the line names an authority and never a plain key */
    bool needs_verification, needs_no_touch; /* FIDO keys only */
    struct key_rule_list permit_open;        /* "host:port"; count 0: none was given */
    struct key_rule_list permit_listen;      /* "[host:]port" */
    struct key_rule_list environment;        /* "NAME=value", the first of a name */
    char *from;                              /* address list; NULL: from anywhere */
    char *command;                           /* NULL: none is forced */
    char *principals;                        /* for authorities only */
    bool has_tunnel;
    uint32_t tunnel; /* the device's number, or KEY_TUNNEL_ANY */
    bool has_expiry;
    int64_t expires_at; /* seconds since 1970; the key ends with this second */
};

#define KEY_TUNNEL_ANY 0x7fffffffu

/*
 * Reads "restrict,permitopen=\"host:443\"". Empty text: nothing is restricted. ERR_FORMAT or
 * ERR_LIMIT, *why (a constant sentence) says what; *o is empty then.
 */
enum err key_options_parse(struct slice text, struct key_options *o, const char **why) MUST_USE;
void key_options_done(struct key_options *o);

/* How a line is used. */
enum key_use_kind {
    KEY_USE_PLAIN,     /* it lists the key itself: never one of an authority */
    KEY_USE_AUTHORITY, /* it lists who signed the key's certificate: it must say cert-authority */
    KEY_USE_PRINCIPAL, /* options in front of a principal, or a certificate's own */
};
struct key_use {
    enum key_use_kind kind;
    const char *address; /* numeric, or "UNKNOWN" */
    const char *host;    /* the peer's name, where UseDNS found one; NULL: not known */
    int64_t now_s;
};

/* May a key with these options be used so? If not, *why says which option forbids it. */
bool key_options_may_log_in(const struct key_options *o, const struct key_use *use,
                            const char **why) MUST_USE;

/*
 * Makes o what o and other both permit: a line and the certificate it lets in. Where and until when
 * (from=, expiry-time=) was asked of each before. ERR_DENIED: two commands are forced that differ,
 * or two lists of rules cannot be joined; *why is a constant sentence. The variables of both stay,
 * o's first.
 */
enum err key_options_merge(struct key_options *o, const struct key_options *other,
                           const char **why) MUST_USE;

/*
 * Appends the options that restrict a session, so that key_options_parse reads them back. What was
 * asked at the login (from=, principals=, cert-authority, expiry-time=, touch-required) is left
 * out. ERR_FORMAT: a value that ends with a backslash, which the grammar cannot say; ERR_LIMIT.
 */
enum err key_options_print(const struct key_options *o, struct buf *out) MUST_USE;

/*
 * Splits a line (without newline). OK: *options (may be empty) borrows from it, and blob, emptied
 * first, has the key of "TYPE BASE64 [comment]". ERR_NOT_FOUND: blank or a comment; ERR_FORMAT: no
 * key in it; ERR_LIMIT: longer than the caps above.
 */
enum err authorized_keys_split(struct slice line, struct slice *options, struct buf *blob) MUST_USE;

#endif
