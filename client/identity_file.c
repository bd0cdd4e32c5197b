/* Keys and certificates from files. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "client/file.h"
#include "client/identity_internal.h"
#include "crypto/keyfile.h"

#define KEY_FILE_MAX (64 * 1024)

const char *identity_why_unusable(enum err err)
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

static bool is_private(const char *path, const struct stat *st)
{
    if (st->st_uid != geteuid() || (st->st_mode & 077) == 0)
        return true;
    log_error("WARNING: UNPROTECTED PRIVATE KEY FILE! Permissions %04o for '%s' are too open: "
              "others could read it. It is not used; chmod 600 mends it.",
              st->st_mode & 07777, path);
    return false;
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
            *key = identity_pubkey_copy(c, cert_info(*cert)->key);
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

/* Beside a private file that does not say what its public half is: KEY.pub, or what certifies it.
 */
static struct pubkey *public_beside(const struct crypto *c, const char *path)
{
    static const char *const ends[] = {".pub", "-cert.pub"};
    struct pubkey *key = NULL;
    for (size_t i = 0; !key && i < ARRAY_LEN(ends); i++) {
        CLEANUP(mem_cleanup) char *beside = mem_printf("%s%s", path, ends[i]);
        struct cert *cert;
        (void)public_file(c, beside, &key, &cert);
        cert_free(cert);
    }
    return key;
}

static enum err private_text(const struct identity_request *q, const char *path, struct slice text,
                             struct identity *id)
{
    char *comment = NULL;
    enum err err = keyfile_parse(&id->key, &comment, q->crypto, text, SLICE_NONE);
    mem_free(comment);
    if (err == OK) {
        id->pubkey = identity_pubkey_copy(q->crypto, privkey_pubkey(id->key));
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
    identity_add(
        list,
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
        identity_add(list, id);
    } else {
        if (id.path)
            log_error("Load key \"%s\": %s.", path, identity_why_unusable(err));
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
        id->pubkey = identity_pubkey_copy(crypto, privkey_pubkey(key));
    id->key = key;
    id->is_locked = false;
    return OK;
}
