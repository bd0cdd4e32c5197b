/* Lines that let keys in. */
#include "server/authz_lists.h"

#include <stdio.h>

#include "auth/cert_options.h"

#define LINE_MAX_ AUTHORIZED_KEYS_LINE_MAX

/* What is walked: a text, line by line. */
struct lines {
    struct slice rest;
    struct slice line;
    unsigned number;
    struct list_source *source;
};

/* False at the end, or where a line is too long: then the rest is not read. */
static bool next_line(struct lines *lines)
{
    struct slice text = lines->rest;
    if (text.len == 0)
        return false;
    const uint8_t *end = memchr(text.ptr, '\n', text.len);
    size_t n = end ? (size_t)(end - text.ptr) : text.len;
    size_t step = n + (end ? 1 : 0);
    lines->number++;
    lines->line = slice_of(text.ptr, n);
    lines->rest = slice_of(text.ptr + step, text.len - step);
    if (n > LINE_MAX_)
        log_error("%s line %u is too long: the rest is not read", lines->source->what,
                  lines->number);
    return n <= LINE_MAX_;
}

/* Why a line that has the key does not let it in; the first is kept. */
static bool forbid(struct lines *lines, const char *why)
{
    log_verbose("%s line %u: %s", lines->source->what, lines->number, why);
    if (lines->source->why[0] == '\0')
        snprintf(lines->source->why, sizeof(lines->source->why), "%s", why);
    return false;
}

/* ---- certificates ---- */

/* principal NULL: whoever it is for was asked elsewhere, but it must be for somebody. */
static enum err check_cert(const struct attempt *l, const struct offered_key *k,
                           const char *principal, const char **why)
{
    const struct cert_wish wish = {.kind = CERT_USER,
                                   .principal = principal,
                                   .now_s = (uint64_t)l->now_s,
                                   .may_lack_principals = false,
                                   .known = cert_options_known};
    return cert_check(k->cert, &wish, why);
}

/* Adds the certificate's own options to those of the line that lets it in. */
static enum err add_cert_options(const struct attempt *l, const struct offered_key *k,
                                 struct key_options *options, const char **why)
{
    struct key_options own;
    struct key_use use = attempt_use(l, KEY_USE_PRINCIPAL);
    enum err err = cert_options_read(cert_info(k->cert), &own, why);
    if (err == OK && !key_options_may_log_in(&own, &use, why)) {
        *why = "the certificate may not be used from this address (source-address)";
        err = ERR_DENIED;
    }
    if (err == OK)
        err = key_options_merge(options, &own, why);
    key_options_done(&own);
    return err;
}

static bool has_principal(const struct offered_key *k, struct slice wanted)
{
    struct slice list = cert_info(k->cert)->principals, name;
    while (cert_next_principal(&list, &name)) {
        if (slice_equal(name, wanted))
            return true;
    }
    return false;
}

/* principals="a,b": the certificate has one of them. A comma in a certificate's is no separator. */
static bool has_one_of(const struct offered_key *k, const char *list)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        if (n && has_principal(k, slice_of(list, n)))
            return true;
        list += n + (list[n] ? 1 : 0);
    }
    return false;
}

/* ---- authorized_keys ---- */

static enum err check_authority_line(const struct attempt *l, const struct offered_key *k,
                                     struct key_options *o, const char **why)
{
    if (o->principals && !has_one_of(k, o->principals)) {
        *why = "the certificate has none of the line's principals";
        return ERR_DENIED;
    }
    TRY(check_cert(l, k, o->principals ? NULL : l->account.name, why));
    return add_cert_options(l, k, o, why);
}

/* The line's key is the one we look for. True: it lets it in; o is to be done by the caller. */
static bool is_let_in(const struct attempt *l, const struct offered_key *k, struct slice text,
                      struct lines *lines, struct key_options *o)
{
    const char *why;
    struct key_use use = attempt_use(l, k->cert ? KEY_USE_AUTHORITY : KEY_USE_PLAIN);
    if (key_options_parse(text, o, &why) != OK)
        return forbid(lines, why);
    if (!key_options_may_log_in(o, &use, &why) ||
        (k->cert && check_authority_line(l, k, o, &why) != OK)) {
        key_options_done(o);
        return forbid(lines, why);
    }
    return true;
}

bool lists_have_key(const struct attempt *l, const struct offered_key *k, struct slice text,
                    struct list_source *source, struct key_options *options)
{
    struct lines lines = {.rest = text, .source = source};
    struct slice wanted = k->cert ? offered_key_authority(k) : offered_key_plain(k);
    struct buf blob;
    bool found = false;
    buf_init(&blob, PUBKEY_BLOB_MAX);
    while (!found && wanted.len && next_line(&lines)) {
        struct slice text_of_options;
        if (authorized_keys_split(lines.line, &text_of_options, &blob) == OK &&
            slice_equal(buf_slice(&blob), wanted))
            found = is_let_in(l, k, text_of_options, &lines, options);
    }
    if (found)
        log_debug("matching %s found: %s line %u", k->cert ? "authority" : "key", source->what,
                  lines.number);
    buf_done(&blob);
    return found;
}

/* ---- principals ---- */

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static struct slice trim(struct slice text)
{
    while (text.len && is_blank(text.ptr[0]))
        text = slice_of(text.ptr + 1, text.len - 1);
    while (text.len && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* "[options] PRINCIPAL": the principal is the last word. Empty: a comment, or nothing. */
static void split_principal(struct slice line, struct slice *options, struct slice *principal)
{
    *options = *principal = SLICE_NONE;
    line = trim(line);
    if (line.len == 0 || line.ptr[0] == '#')
        return;
    size_t at = line.len;
    while (at && !is_blank(line.ptr[at - 1]))
        at--;
    *principal = slice_of(line.ptr + at, line.len - at);
    *options = trim(slice_of(line.ptr, at));
}

static bool is_principal_let_in(const struct attempt *l, const struct offered_key *k,
                                struct slice text, struct lines *lines, struct key_options *o)
{
    const char *why;
    struct key_use use = attempt_use(l, KEY_USE_PRINCIPAL);
    if (key_options_parse(text, o, &why) != OK)
        return forbid(lines, why);
    if (!key_options_may_log_in(o, &use, &why) || check_cert(l, k, NULL, &why) != OK ||
        add_cert_options(l, k, o, &why) != OK) {
        key_options_done(o);
        return forbid(lines, why);
    }
    return true;
}

bool lists_have_principal(const struct attempt *l, const struct offered_key *k, struct slice text,
                          struct list_source *source, struct key_options *options)
{
    struct lines lines = {.rest = text, .source = source};
    bool found = false;
    while (!found && next_line(&lines)) {
        struct slice text_of_options, principal;
        split_principal(lines.line, &text_of_options, &principal);
        if (principal.len && has_principal(k, principal))
            found = is_principal_let_in(l, k, text_of_options, &lines, options);
    }
    return found;
}

bool lists_name_account(const struct attempt *l, const struct offered_key *k,
                        struct list_source *source, struct key_options *options)
{
    const char *why;
    struct lines here = {.source = source};
    if (key_options_parse(SLICE_NONE, options, &why) != OK)
        return false;
    if (check_cert(l, k, l->account.name, &why) == OK &&
        add_cert_options(l, k, options, &why) == OK)
        return true;
    key_options_done(options);
    return forbid(&here, why);
}

bool lists_have_authority(struct slice text, struct slice authority)
{
    struct list_source source = {.what = "TrustedUserCAKeys"};
    struct lines lines = {.rest = text, .source = &source};
    bool found = false;
    while (!found && authority.len && next_line(&lines)) {
        struct slice line = trim(lines.line), type, comment;
        struct buf blob;
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        buf_init(&blob, PUBKEY_BLOB_MAX);
        found = pubkey_line_parse(line, &type, &blob, &comment) == OK &&
                slice_equal(buf_slice(&blob), authority);
        buf_done(&blob);
    }
    return found;
}
