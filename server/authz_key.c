/* The offered key. */
#include "server/authz_key.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "auth/auth_blob.h"
#include "crypto/krl.h"
#include "crypto/legacy.h"
#include "wire/namelist.h"
#include "wire/reader.h"

/* ---- reading ---- */

struct slice offered_key_type(struct slice blob)
{
    struct reader r;
    reader_init(&r, blob);
    return reader_string(&r);
}

static void parse(const struct attempt *l, struct slice blob, struct offered_key *k)
{
    *k = (struct offered_key){.key = NULL};
    if (cert_is_type(offered_key_type(blob))) {
        if (cert_parse(&k->cert, l->crypto, blob) == OK)
            k->key = cert_info(k->cert)->key;
        else
            k->cert = NULL;
        return;
    }
    if (pubkey_parse(&k->owned, l->crypto, blob) != OK)
        k->owned = NULL;
    k->key = k->owned;
}

void offered_key_done(struct offered_key *k)
{
    pubkey_free(k->owned);
    cert_free(k->cert);
    *k = (struct offered_key){.key = NULL};
}

struct slice offered_key_plain(const struct offered_key *k)
{
    return k->key ? pubkey_blob(k->key) : SLICE_NONE;
}

struct slice offered_key_authority(const struct offered_key *k)
{
    return k->cert ? pubkey_blob(cert_info(k->cert)->authority) : SLICE_NONE;
}

static bool is_accepted(const struct attempt *l)
{
    char *name CLEANUP(mem_cleanup) = slice_strdup(l->m.name);
    return namelist_contains(slice_text(l->options.pubkey_accepted_algorithms), name);
}

/* The algorithm of the signature: a certificate's name for a certificate, a plain one for a key. A
 * legacy one (ssh-rsa) exists only where the configuration names it. */
static const struct algo_sign *algorithm(const struct attempt *l, const struct offered_key *k)
{
    const struct algo_sign *algo = k->cert ? cert_algo_sign(l->m.name) : algo_sign_find(l->m.name);
    const char *own;
    if (!algo && is_accepted(l))
        algo = k->cert ? legacy_cert_sign(l->m.name, &own) : legacy_sign_find(l->m.name);
    return algo && k->key && algo->kind == pubkey_kind(k->key) ? algo : NULL;
}

static enum key_verdict verify(const struct attempt *l, struct offered_key *k)
{
    const struct algo_sign *algo = algorithm(l, k);
    enum key_verdict verdict = KEY_VERDICT_BAD;
    if (!algo)
        return KEY_VERDICT_BAD;
    if (!l->m.has_signature)
        return KEY_VERDICT_NOTHING_SIGNED;
    struct auth_blob blob = {
        .session_id = l->m.session_id,
        .user = l->m.user,
        .service = l->m.service,
        .algorithm = l->m.name,
        .key_blob = l->m.key,
        .host_key = l->m.is_hostbound ? l->m.host_key : SLICE_NONE,
    };
    struct buf signed_bytes;
    buf_init(&signed_bytes, AUTH_BLOB_MAX);
    /* An empty host key would be read as "plain publickey". */
    bool is_whole = !l->m.is_hostbound || l->m.host_key.len > 0;
    if (is_whole && auth_blob_build(&blob, &signed_bytes) == OK &&
        pubkey_verify_sk(k->key, algo, l->m.signature, buf_slice(&signed_bytes), &k->sk) == OK)
        verdict = KEY_VERDICT_VERIFIED; /* the one place */
    buf_done(&signed_bytes);
    return verdict;
}

/* ---- describing ---- */

char *authz_fingerprint(const struct attempt *l, struct slice blob)
{
    return l->options.fingerprint_hash == FINGERPRINT_MD5 ? fingerprint_md5(l->crypto, blob)
                                                          : fingerprint_sha256(l->crypto, blob);
}

static void describe_cert(struct attempt *l, const struct offered_key *k, const char *print)
{
    const struct cert_info *info = cert_info(k->cert);
    char *authority CLEANUP(mem_cleanup) = authz_fingerprint(l, pubkey_blob(info->authority));
    snprintf(l->fingerprint, sizeof(l->fingerprint), "%s-CERT %s ID %s (serial %llu) CA %s %s",
             pubkey_short_name(k->key), print, ESCAPED(info->key_id),
             (unsigned long long)info->serial, pubkey_short_name(info->authority), authority);
}

static void describe(struct attempt *l, const struct offered_key *k)
{
    char *print CLEANUP(mem_cleanup) =
        authz_fingerprint(l, k->key ? offered_key_plain(k) : l->m.key);
    if (k->cert)
        describe_cert(l, k, print);
    else
        snprintf(l->fingerprint, sizeof(l->fingerprint), "%s %s",
                 k->key ? pubkey_short_name(k->key) : "UNKNOWN", print);
}

void offered_key_read(struct attempt *l, struct offered_key *k)
{
    parse(l, l->m.key, k);
    describe(l, k);
    k->verdict = verify(l, k);
}

/* ---- rules ---- */

static void check_algorithms(struct attempt *l, const struct offered_key *k)
{
    if (!is_accepted(l))
        attempt_refuse(l, "the signature algorithm is not in PubkeyAcceptedAlgorithms");
    const char *signed_by = k->cert ? cert_info(k->cert)->algo->name : NULL;
    if (signed_by && !namelist_contains(slice_text(l->options.ca_signature_algorithms), signed_by))
        attempt_refuse(l, "the certificate is signed by %s, which is not in CASignatureAlgorithms",
                       signed_by);
}

static void check_size(struct attempt *l, const struct pubkey *key)
{
    if (pubkey_kind(key) == KEY_RSA && (int)pubkey_bits(key) < l->options.required_rsa_size)
        attempt_refuse(l, "an RSA key of %u bits is below RequiredRSASize", pubkey_bits(key));
}

static bool is_in_list(const struct attempt *l, const struct krl *list, const struct offered_key *k)
{
    return k->cert ? krl_has_cert(list, l->crypto, k->cert)
                   : krl_has_key(list, l->crypto, offered_key_plain(k));
}

/* A list that cannot be read revokes everything. */
static void check_revoked_by(struct attempt *l, const struct offered_key *k, const char *path)
{
    struct buf bytes;
    struct krl *list = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    buf_init(&bytes, KRL_BYTES_MAX + 1);
    enum err err = fd < 0 ? ERR_IO : account_read_fd(fd, KRL_BYTES_MAX, &bytes);
    if (err == OK)
        err = krl_parse(&list, l->crypto, buf_slice(&bytes));
    if (err != OK)
        attempt_refuse(l, "no key is accepted: the list cannot be read (RevokedKeys %s: %s)", path,
                       err_name(err));
    else if (is_in_list(l, list, k))
        attempt_refuse(l, "the key is revoked (RevokedKeys %s)", path);
    krl_free(list);
    buf_done(&bytes);
    if (fd >= 0)
        close(fd);
}

static void check_revoked(struct attempt *l, const struct offered_key *k)
{
    const struct string_list *lists = &l->options.revoked_keys;
    for (size_t i = 0; i < lists->count; i++) {
        if (strcmp(lists->items[i], "none") != 0)
            check_revoked_by(l, k, lists->items[i]);
    }
}

/* A key and its certificate are one key. A list that cannot be read hides nothing: it refuses. */
static void check_unused(struct attempt *l, const struct offered_key *k)
{
    struct reader r;
    reader_init(&r, l->m.used_keys);
    while (reader_is_ok(&r) && reader_left(&r)) {
        struct offered_key used;
        parse(l, reader_string(&r), &used);
        if (!used.key || slice_equal(offered_key_plain(&used), offered_key_plain(k)))
            attempt_refuse(l, "the key was used already");
        offered_key_done(&used);
    }
    if (reader_done(&r) != OK)
        attempt_refuse(l, "the key was used already");
}

void offered_key_check(struct attempt *l, const struct offered_key *k)
{
    if (!k->key) {
        attempt_refuse(l, "the key cannot be read, or its certificate does not hold");
        return;
    }
    check_algorithms(l, k);
    check_size(l, k->key);
    if (k->cert)
        check_size(l, cert_info(k->cert)->authority);
    check_unused(l, k);
    check_revoked(l, k);
    if (k->verdict == KEY_VERDICT_BAD)
        attempt_refuse(l, l->m.has_signature ? "the signature does not hold"
                                             : "the algorithm does not fit the key");
}

void offered_key_check_touch(struct attempt *l, const struct offered_key *k)
{
    int wanted = l->options.pubkey_auth_options;
    if (k->verdict != KEY_VERDICT_VERIFIED || !pubkey_is_sk(k->key))
        return;
    if ((!l->granted.needs_no_touch || (wanted & PUBKEY_TOUCH_REQUIRED)) &&
        !(k->sk.flags & SK_TOUCHED))
        attempt_refuse(l, "the security key was not touched (touch-required)");
    if ((l->granted.needs_verification || (wanted & PUBKEY_VERIFY_REQUIRED)) &&
        !(k->sk.flags & SK_VERIFIED))
        attempt_refuse(l, "the security key asked for no PIN (verify-required)");
}
