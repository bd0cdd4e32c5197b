/*
 * Parses certificates of every type by one table: between nonce and serial stand exactly the
 * fields of the plain key, so these bytes behind the plain name are the plain key's blob. Does not
 * know which authorities are trusted.
 */
#include "crypto/cert.h"

#include "base/match.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define NAME_LEN_MAX 1024

/* clang-format off */
static const struct cert_type {
    const char *name;
    const char *plain;
    uint8_t fields; /* of the plain key, each a string or an mpint */
} types[] = {
    {"ssh-ed25519-cert-v01@openssh.com",             "ssh-ed25519",                        1},
    {"ecdsa-sha2-nistp256-cert-v01@openssh.com",     "ecdsa-sha2-nistp256",                2},
    {"ecdsa-sha2-nistp384-cert-v01@openssh.com",     "ecdsa-sha2-nistp384",                2},
    {"ecdsa-sha2-nistp521-cert-v01@openssh.com",     "ecdsa-sha2-nistp521",                2},
    {"ssh-rsa-cert-v01@openssh.com",                 "ssh-rsa",                            2},
    {"ssh-dss-cert-v01@openssh.com",                 "ssh-dss",                            4},
    {"sk-ssh-ed25519-cert-v01@openssh.com",          "sk-ssh-ed25519@openssh.com",         2},
    {"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",  "sk-ecdsa-sha2-nistp256@openssh.com", 3},
};
/* Names that differ from the type in the blob (RFC 8332, for certificates by OpenSSH). */
static const struct {
    const char *name;
    const char *plain;
} rsa_names[] = {
    {"rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-512"},
    {"rsa-sha2-256-cert-v01@openssh.com", "rsa-sha2-256"},
};
/* clang-format on */

struct cert {
    struct buf blob;
    struct pubkey *key;
    struct pubkey *authority;
    struct cert_info info;
};

static const struct cert_type *type_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (slice_is(name, types[i].name))
            return &types[i];
    }
    return NULL;
}

bool cert_is_type(struct slice type)
{
    return type_find(type) != NULL;
}

const struct algo_sign *cert_algo_sign(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(rsa_names); i++) {
        if (slice_is(name, rsa_names[i].name))
            return algo_sign_find(slice_text(rsa_names[i].plain));
    }
    /* "ssh-rsa" and "ssh-dss" are no signature algorithms here (legacy.h), so their certificates'
     * names find nothing. */
    const struct cert_type *type = type_find(name);
    return type ? algo_sign_find(slice_text(type->plain)) : NULL;
}

bool cert_algo_names(struct slice name, const char **own, const char **type)
{
    for (size_t i = 0; i < ARRAY_LEN(rsa_names); i++) {
        if (slice_is(name, rsa_names[i].name)) {
            *own = rsa_names[i].name;
            *type = "ssh-rsa-cert-v01@openssh.com";
            return true;
        }
    }
    if (!cert_algo_sign(name))
        return false;
    *own = *type = type_find(name)->name;
    return true;
}

bool cert_next_principal(struct slice *list, struct slice *name)
{
    struct reader r;
    reader_init(&r, *list);
    if (list->len == 0)
        return false;
    *name = reader_string(&r);
    *list = reader_rest(&r);
    return reader_is_ok(&r);
}

bool cert_next_option(struct slice *list, struct slice *name, struct slice *value)
{
    struct reader r;
    if (list->len == 0)
        return false;
    reader_init(&r, *list);
    *name = reader_string(&r);
    struct slice data = reader_string(&r);
    *list = reader_rest(&r);
    bool ok = reader_is_ok(&r);
    reader_init(&r, data);
    *value = data.len ? reader_string(&r) : SLICE_NONE;
    return ok && reader_done(&r) == OK;
}

bool cert_has_option(struct slice list, const char *name, struct slice *value)
{
    struct slice found;
    while (cert_next_option(&list, &found, value)) {
        if (slice_is(found, name))
            return true;
    }
    return false;
}

static bool has_nul(struct slice text)
{
    return text.len && memchr(text.ptr, '\0', text.len);
}

static enum err principals_check(struct slice list)
{
    struct reader r;
    size_t count = 0;
    reader_init(&r, list);
    while (reader_is_ok(&r) && reader_left(&r)) {
        if (reader_text(&r, NAME_LEN_MAX).len == 0)
            reader_fail(&r, ERR_FORMAT);
        if (++count > CERT_PRINCIPALS_MAX)
            reader_fail(&r, ERR_LIMIT);
    }
    return reader_done(&r);
}

/* Names and values that a caller may walk without looking at errors; no name comes twice. */
static enum err options_check(struct slice list)
{
    struct slice rest = list;
    struct slice name, value, other;
    for (size_t count = 0; rest.len; count++) {
        if (!cert_next_option(&rest, &name, &value) || name.len == 0 || has_nul(name) ||
            has_nul(value))
            return ERR_FORMAT;
        if (name.len > NAME_LEN_MAX || count == CERT_OPTIONS_MAX)
            return ERR_LIMIT;
        struct slice behind = rest;
        while (cert_next_option(&behind, &other, &value)) {
            if (slice_equal(other, name))
                return ERR_FORMAT;
        }
    }
    return OK;
}

/* The plain key: its name, and the bytes of its fields as they stand here. */
static enum err key_parse(struct cert *k, const struct crypto *c, const struct cert_type *type,
                          struct reader *r)
{
    struct buf plain;
    struct writer w;
    const uint8_t *start = r->at;
    for (size_t i = 0; i < type->fields; i++)
        (void)reader_string(r);
    if (!reader_is_ok(r))
        return ERR_FORMAT;
    buf_init(&plain, PUBKEY_BLOB_MAX);
    writer_init(&w, &plain);
    writer_text(&w, type->plain);
    writer_bytes(&w, slice_of(start, (size_t)(r->at - start)));
    enum err err = writer_done(&w);
    if (err == OK)
        err = pubkey_parse(&k->key, c, buf_slice(&plain));
    buf_done(&plain);
    return err;
}

/* The only place that says a certificate is verified. */
static enum err authority_verify(struct cert *k, const struct crypto *c, struct slice authority,
                                 struct slice signature, struct slice signed_bytes)
{
    struct reader r;
    reader_init(&r, signature);
    const struct algo_sign *algo = algo_sign_find(reader_string(&r));
    enum err err = pubkey_parse(&k->authority, c, authority);
    if (err != OK)
        return err;
    if (!algo)
        return ERR_CRYPTO; /* SHA-1 among them */
    TRY(pubkey_verify(k->authority, algo, signature, signed_bytes));
    k->info.algo = algo;
    k->info.is_verified = true;
    return OK;
}

static enum err body_parse(struct cert *k, const struct crypto *c)
{
    struct cert_info *info = &k->info;
    struct slice blob = buf_slice(&k->blob);
    struct reader r;
    reader_init(&r, blob);
    const struct cert_type *type = type_find(reader_string(&r));
    if (!type)
        return reader_is_ok(&r) ? ERR_UNSUPPORTED : ERR_FORMAT;
    (void)reader_string(&r); /* a nonce, against collisions */
    TRY(key_parse(k, c, type, &r));
    info->serial = reader_u64(&r);
    uint32_t kind = reader_u32(&r);
    info->key_id = reader_text(&r, NAME_LEN_MAX);
    info->principals = reader_string(&r);
    info->valid_after = reader_u64(&r);
    info->valid_before = reader_u64(&r);
    info->critical = reader_string(&r);
    info->extensions = reader_string(&r);
    (void)reader_string(&r); /* reserved */
    struct slice authority = reader_string(&r);
    size_t signed_len = blob.len - reader_left(&r);
    struct slice signature = reader_string(&r);
    TRY(reader_done(&r));
    if (kind != CERT_USER && kind != CERT_HOST)
        return ERR_FORMAT;
    info->kind = (enum cert_kind)kind;
    TRY(principals_check(info->principals));
    TRY(options_check(info->critical));
    TRY(options_check(info->extensions));
    return authority_verify(k, c, authority, signature, slice_of(blob.ptr, signed_len));
}

enum err cert_parse(struct cert **out, const struct crypto *c, struct slice blob)
{
    struct cert *k = NEW(struct cert);
    buf_init(&k->blob, PUBKEY_BLOB_MAX);
    enum err err = buf_append_slice(&k->blob, blob);
    if (err == OK)
        err = body_parse(k, c);
    if (err != OK) {
        cert_free(k);
        return err == ERR_TRUNCATED ? ERR_FORMAT : err;
    }
    CHECK(k->info.is_verified);
    k->info.key = k->key;
    k->info.authority = k->authority;
    *out = k;
    return OK;
}

void cert_free(struct cert *k)
{
    if (!k)
        return;
    pubkey_free(k->key);
    pubkey_free(k->authority);
    buf_done(&k->blob);
    mem_free(k);
}

const struct cert_info *cert_info(const struct cert *k)
{
    return &k->info;
}

char *cert_type_name(const struct cert *k)
{
    struct reader r;
    reader_init(&r, buf_slice(&k->blob));
    return slice_strdup(reader_string(&r)); /* it was parsed once */
}

struct slice cert_blob(const struct cert *k)
{
    return buf_slice(&k->blob);
}

static bool is_for(const struct cert_info *info, const struct cert_wish *wish)
{
    struct slice list = info->principals;
    struct slice name;
    if (list.len == 0)
        return wish->may_lack_principals;
    if (!wish->principal)
        return true;
    while (cert_next_principal(&list, &name)) {
        if (info->kind == CERT_USER) {
            if (slice_is(name, wish->principal))
                return true;
            continue;
        }
        char *pattern CLEANUP(mem_cleanup) = slice_strdup(name);
        if (match_is_pattern_folded(wish->principal, pattern))
            return true;
    }
    return false;
}

static bool is_every_critical_known(struct slice list, const char *const *known)
{
    struct slice name, value;
    while (cert_next_option(&list, &name, &value)) {
        const char *const *row = known;
        while (row && *row && !slice_is(name, *row))
            row++;
        if (!row || !*row)
            return false;
    }
    return true;
}

enum err cert_check(const struct cert *k, const struct cert_wish *wish, const char **why)
{
    const struct cert_info *info = &k->info;
    if (info->kind != wish->kind)
        *why = wish->kind == CERT_USER ? "certificate is not for users"
                                       : "certificate is not for hosts";
    else if (wish->now_s < info->valid_after)
        *why = "certificate is not yet valid";
    else if (wish->now_s >= info->valid_before)
        *why = "certificate has expired";
    else if (!is_for(info, wish))
        *why = info->principals.len ? "certificate is for other principals"
                                    : "certificate lacks principals";
    else if (!is_every_critical_known(info->critical, wish->known))
        *why = "certificate has a critical option that is not supported";
    else
        return OK;
    return ERR_DENIED;
}
