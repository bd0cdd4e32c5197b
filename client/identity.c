/* Keys from files and from an agent. */
#include "client/identity.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "client/file.h"
#include "crypto/keyfile.h"

#define KEY_FILE_MAX (64 * 1024)

/* ---- the list ---- */

static void identity_clear(struct identity *id)
{
    pubkey_free(id->pubkey);
    privkey_free(id->key);
    cert_free(id->cert);
    mem_free(id->name);
    mem_free(id->path);
}

struct slice identity_blob(const struct identity *id)
{
    CHECK(id->cert || id->pubkey);
    return id->cert ? cert_blob(id->cert) : pubkey_blob(id->pubkey);
}

char *identity_type(const struct identity *id)
{
    return id->cert ? cert_type_name(id->cert) : mem_strdup(pubkey_type_name(id->pubkey));
}

static bool is_known(const struct identity *id)
{
    return id->cert || id->pubkey;
}

/* The same blob, with certificate or without; both must be known. */
static bool shows(const struct identity *id, struct slice blob)
{
    return is_known(id) && slice_equal(identity_blob(id), blob);
}

static bool has_plain(const struct identity *id, const struct pubkey *key)
{
    return id->pubkey && key && slice_equal(pubkey_blob(id->pubkey), pubkey_blob(key));
}

static struct identity *find_blob(const struct identity_list *list, struct slice blob)
{
    for (size_t i = 0; i < list->count; i++) {
        if (shows(&list->items[i], blob))
            return &list->items[i];
    }
    return NULL;
}

/* Takes id's parts over; what is shown already is not shown twice. */
static void add(struct identity_list *list, struct identity id)
{
    struct identity *same = is_known(&id) ? find_blob(list, identity_blob(&id)) : NULL;
    if (same) {
        same->is_signer_only &= id.is_signer_only;
        identity_clear(&id);
        return;
    }
    list->items = mem_resize(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = id;
    CLEANUP(mem_cleanup) char *type = is_known(&id) ? identity_type(&id) : mem_strdup("unknown");
    log_debug("identity %s type %s%s%s", id.name, type, id.in_agent ? " (agent)" : "",
              id.is_locked ? " (encrypted)" : "");
}

void identity_list_done(struct identity_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        identity_clear(&list->items[i]);
    mem_free(list->items);
    agent_free(list->agent);
    *list = (struct identity_list){0};
}

/* ---- files ---- */

static bool is_private(const char *path, const struct stat *st)
{
    if (st->st_uid != geteuid() || (st->st_mode & 077) == 0)
        return true;
    log_error("WARNING: UNPROTECTED PRIVATE KEY FILE! Permissions %04o for '%s' are too open: "
              "others could read it. It is not used; chmod 600 mends it.",
              st->st_mode & 07777, path);
    return false;
}

static const char *why_unusable(enum err err)
{
    switch ((int)err) {
    case ERR_DENIED:
        return "it is encrypted, nobody may be asked for its passphrase, and no agent holds it";
    case ERR_NOT_FOUND:
        return "it is the public half, and no agent holds the private one";
    case ERR_UNSUPPORTED:
        return "its key type is not built, or is a security key's, which takes an agent";
    case ERR_LIMIT:
        return "its RSA key is shorter than 2048 or longer than 16384 bits, or the file too large";
    default:
        return "it is no private key file";
    }
}

/* A copy, as struct identity owns its public half. */
static struct pubkey *pubkey_copy(const struct crypto *c, const struct pubkey *key)
{
    struct pubkey *copy = NULL;
    enum err err = pubkey_parse(&copy, c, pubkey_blob(key));
    CHECK(err == OK); /* it was parsed before */
    return copy;
}

/* One line "TYPE BASE64 comment": a key, or a certificate with the key in it. */
static bool public_line(const struct crypto *c, struct slice text, struct pubkey **key,
                        struct cert **cert)
{
    struct buf blob;
    struct slice type, comment;
    buf_init(&blob, PUBKEY_BLOB_MAX);
    *key = NULL;
    *cert = NULL;
    if (pubkey_line_parse(text, &type, &blob, &comment) != OK) {
        /* neither */
    } else if (cert_is_type(type)) {
        if (cert_parse(cert, c, buf_slice(&blob)) == OK)
            *key = pubkey_copy(c, cert_info(*cert)->key);
    } else if (pubkey_parse(key, c, buf_slice(&blob)) != OK) {
        *key = NULL;
    }
    buf_done(&blob);
    return *key != NULL;
}

static bool public_file(const struct crypto *c, const char *path, struct pubkey **key,
                        struct cert **cert)
{
    struct buf text;
    struct stat st;
    buf_init(&text, KEY_FILE_MAX);
    *key = NULL;
    *cert = NULL;
    bool is_there = file_read(path, &text, &st) == 0;
    bool is_good = is_there && public_line(c, buf_slice(&text), key, cert);
    buf_done(&text);
    return is_good;
}

/* KEY.pub beside a private file that does not say what its public half is. */
static struct pubkey *public_beside(const struct crypto *c, const char *path)
{
    CLEANUP(mem_cleanup) char *beside = mem_printf("%s.pub", path);
    struct pubkey *key;
    struct cert *cert;
    (void)public_file(c, beside, &key, &cert);
    cert_free(cert);
    return key;
}

static enum err private_text(const struct identity_request *q, const char *path, struct slice text,
                             struct identity *id)
{
    char *comment = NULL;
    enum err err = keyfile_parse(&id->key, &comment, q->crypto, text, SLICE_NONE);
    mem_free(comment);
    if (err == OK) {
        id->pubkey = pubkey_copy(q->crypto, privkey_pubkey(id->key));
        return OK;
    }
    if (keyfile_public(&id->pubkey, q->crypto, text) != OK)
        id->pubkey = public_beside(q->crypto, path);
    id->is_locked = err == ERR_DENIED;
    id->trouble = err;
    return err;
}

/*
 * Whatever the file is: a private key, the public half of one that an agent has, or a certificate.
 * OK: it may be of use by itself; else why not, unless an agent helps.
 */
static enum err identity_read(const struct identity_request *q, const char *path,
                              struct identity *id)
{
    struct buf text;
    struct stat st;
    enum err err;
    buf_init_secret(&text, KEY_FILE_MAX);
    int error_number = file_read(path, &text, &st);
    if (error_number) {
        id->pubkey = public_beside(q->crypto, path);
        if (!id->pubkey && (q->is_explicit || error_number != ENOENT))
            log_info("Identity file %s not accessible: %s.", path, strerror(error_number));
        else if (!id->pubkey)
            log_debug("identity file %s type -1", path);
        err = ERR_NOT_FOUND;
    } else if (public_line(q->crypto, buf_slice(&text), &id->pubkey, &id->cert)) {
        err = ERR_NOT_FOUND;
    } else if (!is_private(path, &st)) {
        id->pubkey = public_beside(q->crypto, path);
        err = ERR_NOT_FOUND;
    } else {
        id->path = mem_strdup(path);
        err = private_text(q, path, buf_slice(&text), id);
    }
    buf_done(&text);
    return err;
}

/* Adds the certificate as an identity of its own; by which key it signs is found when it does. */
static void add_certificate(struct identity_list *list, const char *name, struct pubkey *key,
                            struct cert *cert)
{
    if (cert_info(cert)->kind != CERT_USER) {
        log_error("%s: is no certificate of a user", name);
        pubkey_free(key);
        cert_free(cert);
        return;
    }
    add(list,
        (struct identity){.name = mem_strdup(name), .pubkey = key, .cert = cert, .is_named = true});
}

static void load_certificate(struct identity_list *list, const struct identity_request *q,
                             const char *path, bool must_exist)
{
    struct pubkey *key;
    struct cert *cert;
    if (public_file(q->crypto, path, &key, &cert) && cert) {
        add_certificate(list, path, key, cert);
        return;
    }
    if (must_exist || key)
        log_error("Load certificate \"%s\": it is missing, or no certificate that can be used.",
                  path);
    pubkey_free(key);
    cert_free(cert);
}

/* A KEY.pub that is a certificate stands for the key: that is not shown by itself (as ssh does). */
static bool load_certificates_beside(struct identity_list *list, const struct identity_request *q,
                                     const char *path)
{
    CLEANUP(mem_cleanup) char *beside = mem_printf("%s-cert.pub", path);
    CLEANUP(mem_cleanup) char *instead = mem_printf("%s.pub", path);
    struct pubkey *key;
    struct cert *cert;
    bool is_instead = public_file(q->crypto, instead, &key, &cert) && cert;
    if (is_instead)
        add_certificate(list, path, key, cert);
    else
        pubkey_free(key);
    load_certificate(list, q, beside, false);
    return is_instead;
}

/* A file that nothing can be made of stays nameless: it was told already. */
static void load_file(struct identity_list *list, const struct identity_request *q,
                      const char *path)
{
    struct identity id = {.name = mem_strdup(path), .is_named = q->is_explicit};
    enum err err = identity_read(q, path, &id);
    id.is_signer_only = load_certificates_beside(list, q, path);
    if (id.cert) {
        add_certificate(list, path, id.pubkey, id.cert);
        id.pubkey = NULL;
        id.cert = NULL;
        identity_clear(&id);
    } else if (err == OK || id.pubkey || id.is_locked) {
        add(list, id);
    } else {
        if (id.path)
            log_error("Load key \"%s\": %s.", path, why_unusable(err));
        identity_clear(&id);
    }
}

void identity_list_load(struct identity_list *list, const struct identity_request *request)
{
    *list = (struct identity_list){0};
    for (size_t i = 0; i < request->certificates->count; i++)
        load_certificate(list, request, request->certificates->items[i], true);
    for (size_t i = 0; i < request->paths->count; i++)
        load_file(list, request, request->paths->items[i]);
}

/* ---- the agent ---- */

static void ask_agent(struct identity_list *list, const char *path,
                      const struct agent_session *session, struct agent_keys *keys)
{
    *keys = (struct agent_keys){0};
    if (!path)
        return;
    enum err err = agent_connect(&list->agent, path);
    if (err == OK) {
        err = agent_bind_session(list->agent, session);
        log_debug("agent: session %s", err == OK ? "bound to this host key" : "not bound");
        if (err != ERR_TIMEOUT)
            err = agent_list(list->agent, keys);
    }
    if (err == ERR_TIMEOUT)
        log_error("The agent at %s does not answer: its keys are not used. Is it stopped, or does "
                  "it wait for its owner?",
                  path);
    else if (err != OK)
        log_debug("agent at %s: %s", path, err_name(err));
}

static void add_agent_key(struct identity_list *list, const struct crypto *c,
                          const struct agent_key *item)
{
    struct slice blob = buf_slice(&item->blob);
    struct identity id = {.in_agent = true};
    if (find_blob(list, blob))
        return;
    if (cert_parse(&id.cert, c, blob) == OK)
        id.pubkey = pubkey_copy(c, cert_info(id.cert)->key);
    else if (pubkey_parse(&id.pubkey, c, blob) != OK)
        return;
    id.name = mem_strdup(ESCAPED(slice_text(item->comment)));
    add(list, id);
}

static void mark_agent_keys(struct identity_list *list, const struct agent_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        for (size_t k = 0; k < list->count; k++)
            list->items[k].in_agent |= shows(&list->items[k], buf_slice(&keys->items[i].blob));
    }
}

/* ---- what is of use ---- */

/* By itself, or with the plain key that another identity has. */
static bool may_sign(const struct identity_list *list, const struct identity *id, bool may_ask)
{
    if (id->key || id->in_agent || (id->is_locked && may_ask))
        return true;
    for (size_t i = 0; id->cert && i < list->count; i++) {
        const struct identity *other = &list->items[i];
        if (!other->cert && has_plain(other, id->pubkey) && may_sign(list, other, may_ask))
            return true;
    }
    return false;
}

static bool is_long_enough(const struct identity *id, unsigned rsa_bits)
{
    if (!id->pubkey || pubkey_kind(id->pubkey) != KEY_RSA || pubkey_bits(id->pubkey) >= rsa_bits)
        return true;
    log_error("Key %s: RSA of %u bits, and RequiredRSASize is %u.", id->name,
              pubkey_bits(id->pubkey), rsa_bits);
    return false;
}

static bool is_of_use(const struct identity_list *list, const struct identity_request *q,
                      const struct identity *id)
{
    if (!is_long_enough(id, q->rsa_bits))
        return false;
    if (may_sign(list, id, q->may_ask))
        return true;
    if (id->cert && !id->path)
        log_error("Certificate %s: no key file and no agent has its private key.", id->name);
    else if (q->is_explicit || id->path)
        log_error("Load key \"%s\": %s.", id->name,
                  why_unusable(id->path ? id->trouble : ERR_NOT_FOUND));
    return false;
}

/* Smaller goes first. */
static unsigned rank(const struct identity *id, bool is_explicit)
{
    if (id->cert)
        return id->is_named ? 0 : 1;
    if (is_explicit)
        return id->is_named ? 2 : 3;
    return id->in_agent ? 2 : 3;
}

static void order(struct identity_list *list, bool is_explicit)
{
    struct identity *sorted = mem_new(list->count + 1, sizeof(*sorted));
    size_t n = 0;
    for (unsigned r = 0; r <= 3; r++) {
        for (size_t i = 0; i < list->count; i++) {
            if (rank(&list->items[i], is_explicit) == r)
                sorted[n++] = list->items[i];
        }
    }
    mem_free(list->items);
    list->items = sorted;
}

void identity_list_complete(struct identity_list *list, const struct identity_request *request,
                            const char *path, const struct agent_session *session)
{
    struct agent_keys keys;
    ask_agent(list, path, session, &keys);
    mark_agent_keys(list, &keys);
    /* A certificate may be signed for by a key that is not to be offered by itself. */
    size_t own = list->count;
    for (size_t i = 0; i < keys.count; i++)
        add_agent_key(list, request->crypto, &keys.items[i]);
    bool *keep = mem_new(list->count + 1, sizeof(*keep));
    for (size_t i = 0; i < list->count; i++)
        keep[i] = is_of_use(list, request, &list->items[i]);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].is_signer_only |= i >= own && request->identities_only;
        if (keep[i])
            list->items[kept++] = list->items[i];
        else
            identity_clear(&list->items[i]);
    }
    list->count = kept;
    mem_free(keep);
    order(list, request->is_explicit);
    agent_keys_done(&keys);
}

/* ---- signing ---- */

const struct identity *identity_signer(const struct identity_list *list, const struct identity *id)
{
    if (id->key)
        return id;
    for (size_t i = 0; !id->in_agent && i < list->count; i++) {
        if (list->items[i].key && has_plain(&list->items[i], id->pubkey))
            return &list->items[i];
    }
    return NULL;
}

/* What the agent can sign by for id: what is shown, or the plain key of its certificate. */
static bool agent_signs(const struct identity_list *list, const struct identity *id,
                        struct slice *blob)
{
    *blob = identity_blob(id);
    if (id->in_agent)
        return true;
    for (size_t i = 0; i < list->count; i++) {
        const struct identity *other = &list->items[i];
        if (other->in_agent && !other->cert && has_plain(other, id->pubkey)) {
            *blob = identity_blob(other);
            return true;
        }
    }
    return false;
}

struct identity *identity_locked(struct identity_list *list, const struct identity *id)
{
    struct slice blob;
    if (!is_known(id))
        return id->is_locked ? (struct identity *)(uintptr_t)id : NULL;
    if (identity_signer(list, id) || agent_signs(list, id, &blob))
        return NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].is_locked && has_plain(&list->items[i], id->pubkey))
            return &list->items[i];
    }
    return NULL;
}

enum err identity_open(struct identity *id, const struct crypto *crypto, struct slice passphrase)
{
    struct buf text;
    struct stat st;
    struct privkey *key = NULL;
    buf_init_secret(&text, KEY_FILE_MAX);
    enum err err = file_read(id->path, &text, &st) == 0 ? OK : ERR_IO;
    if (err == OK)
        err = keyfile_parse(&key, NULL, crypto, buf_slice(&text), passphrase);
    buf_done(&text);
    TRY(err);
    if (id->pubkey && !slice_equal(pubkey_blob(id->pubkey), pubkey_blob(privkey_pubkey(key)))) {
        log_error("%s.pub is not the public half of %s", id->path, id->path);
        privkey_free(key);
        return ERR_FORMAT;
    }
    if (!id->pubkey)
        id->pubkey = pubkey_copy(crypto, privkey_pubkey(key));
    id->key = key;
    id->is_locked = false;
    return OK;
}

enum err identity_sign(struct identity_list *list, const struct identity *id,
                       const struct algo_sign *algo, struct slice data, struct buf *signature)
{
    const struct identity *signer = identity_signer(list, id);
    struct slice blob;
    if (signer)
        return privkey_sign(signer->key, algo, data, signature);
    if (!list->agent || !agent_signs(list, id, &blob))
        return ERR_NOT_FOUND;
    return agent_sign(list->agent, blob, algo, data, signature);
}
