/*
 * Host keys from files. A key's file may be its public half only, where an agent has the private
 * one; a certificate stands for a key that is there.
 */
#include "server/sign_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/cert.h"
#include "crypto/digest.h"
#include "crypto/keyfile.h"

#define KEY_FILE_MAX 65536

/* OpenSSH's rule: only a file of our own is held to its mode; root reads others' at his own risk.
 */
static bool is_private(int fd, const char *path)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    if (!S_ISREG(st.st_mode)) {
        log_error("%s is not a regular file.", path);
        return false;
    }
    if (st.st_uid != getuid() || (st.st_mode & 077) == 0)
        return true;
    log_error("WARNING: UNPROTECTED PRIVATE KEY FILE!");
    log_error("Permissions 0%3.3o for '%s' are too open.", (unsigned)st.st_mode & 0777, path);
    log_error("It is required that your private key files are NOT accessible by others.");
    log_error("This private key will be ignored.");
    return false;
}

static enum err read_key_file(int fd, struct buf *text)
{
    for (;;) {
        uint8_t *room;
        TRY(buf_reserve(text, 4096, &room));
        ssize_t n = read(fd, room, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? ERR_IO : OK;
        buf_commit(text, (size_t)n);
    }
}

/* OK; ERR_NOT_FOUND, ERR_IO; ERR_DENIED: others could read it. */
static enum err read_file(const char *path, bool is_secret, struct buf *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    enum err err = !is_secret || is_private(fd, path) ? read_key_file(fd, text) : ERR_DENIED;
    close(fd);
    return err;
}

/* "TYPE BASE64 comment", as ssh-keygen writes it. */
static enum err read_public(const char *path, struct buf *blob)
{
    struct buf text;
    struct slice type, comment;
    buf_init(&text, KEY_FILE_MAX + 4096);
    enum err err = read_file(path, false, &text);
    if (err == OK)
        err = pubkey_line_parse(buf_slice(&text), &type, blob, &comment);
    buf_done(&text);
    return err;
}

static enum err load_private(struct sign_keys *s, const char *path)
{
    struct sign_key *k = &s->keys[s->count];
    struct buf text;
    buf_init_secret(&text, KEY_FILE_MAX + 4096);
    enum err err = read_file(path, true, &text);
    if (err == OK)
        err = keyfile_parse(&k->private, NULL, s->crypto, buf_slice(&text), SLICE_NONE);
    buf_done(&text);
    if (err == OK)
        k->public = privkey_pubkey(k->private);
    return err;
}

/* The file itself, or the .pub beside where it would be: an agent has to have the rest. */
static enum err load_public(struct sign_keys *s, const char *path)
{
    struct sign_key *k = &s->keys[s->count];
    char *beside CLEANUP(mem_cleanup) = mem_printf("%s.pub", path);
    struct buf blob;
    buf_init(&blob, PUBKEY_BLOB_MAX);
    enum err err = read_public(path, &blob);
    if (err != OK)
        err = read_public(beside, &blob);
    if (err == OK)
        err = pubkey_parse(&k->owned_public, s->crypto, buf_slice(&blob));
    buf_done(&blob);
    k->public = k->owned_public;
    return err;
}

static void say_why_not(const char *path, enum err err, bool is_default)
{
    if (err == ERR_DENIED)
        log_error("Host key \"%s\" cannot be used: it is encrypted, or others can read it", path);
    else if (err == ERR_NOT_FOUND)
        log_write(is_default ? LOG_DEBUG1 : LOG_ERROR, "Unable to load host key \"%s\": %s", path,
                  strerror(ENOENT));
    else
        log_error("Unable to load host key \"%s\": error in the file (%s)", path, err_name(err));
}

bool sign_keys_load(struct sign_keys *s, const char *path, bool is_default)
{
    if (s->count == SIGN_KEYS_MAX)
        return false;
    enum err err = load_private(s, path);
    if (err != OK && s->agent_fd >= 0 && load_public(s, path) == OK) {
        log_debug("will rely on agent for hostkey %s", path);
        err = OK;
    }
    if (err == OK)
        s->count++;
    else
        say_why_not(path, err, is_default);
    return err == OK;
}

/* ---- certificates ---- */

static const struct sign_key *key_of(const struct sign_keys *s, const struct pubkey *public)
{
    for (size_t i = 0; i < s->count; i++) {
        if (slice_equal(pubkey_blob(s->keys[i].public), pubkey_blob(public)))
            return &s->keys[i];
    }
    return NULL;
}

static const char *certificate_fault(const struct sign_keys *s, struct sign_cert *c)
{
    if (cert_info(c->cert)->kind != CERT_HOST)
        return "it is not a host's";
    c->key = key_of(s, cert_info(c->cert)->key);
    return c->key ? NULL : "there is no host key for it";
}

bool sign_keys_load_certificate(struct sign_keys *s, const char *path)
{
    const char *why = "it is no certificate";
    struct buf blob;
    if (s->cert_count == SIGN_KEYS_MAX)
        return false;
    struct sign_cert *c = &s->certs[s->cert_count];
    buf_init(&blob, PUBKEY_BLOB_MAX);
    enum err err = read_public(path, &blob);
    if (err == OK)
        err = cert_parse(&c->cert, s->crypto, buf_slice(&blob));
    buf_done(&blob);
    if (err == OK) {
        why = certificate_fault(s, c);
        if (why) {
            cert_free(c->cert);
            c->cert = NULL;
        }
    }
    if (why)
        log_error("Could not use host certificate \"%s\": %s", path, why);
    else
        s->cert_count++;
    return !why;
}

const struct sign_key *sign_keys_find(const struct sign_keys *s, struct slice blob)
{
    for (size_t i = 0; i < s->count; i++) {
        if (slice_equal(pubkey_blob(s->keys[i].public), blob))
            return &s->keys[i];
    }
    for (size_t i = 0; i < s->cert_count; i++) {
        if (slice_equal(cert_blob(s->certs[i].cert), blob))
            return s->certs[i].key;
    }
    return NULL;
}

void sign_keys_done(struct sign_keys *s)
{
    for (size_t i = 0; i < s->cert_count; i++)
        cert_free(s->certs[i].cert);
    for (size_t i = 0; i < s->count; i++) {
        pubkey_free(s->keys[i].owned_public);
        privkey_free(s->keys[i].private);
    }
    if (s->agent_fd >= 0)
        close(s->agent_fd);
}

/* ---- making ---- */

static enum key_kind kind_by_path(const char *path)
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    if (strstr(name, "rsa"))
        return KEY_RSA;
    return strstr(name, "ecdsa") ? KEY_ECDSA256 : KEY_ED25519;
}

static enum err write_file(const char *path, mode_t mode, struct slice text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        log_error("cannot create %s: %s", path, strerror(errno));
        return ERR_IO;
    }
    bool is_written = fchmod(fd, mode) == 0;
    while (is_written && text.len) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        is_written = n > 0;
        if (is_written)
            text = slice_of(text.ptr + n, text.len - (size_t)n);
    }
    is_written = is_written && fsync(fd) == 0;
    close(fd);
    if (!is_written) {
        log_error("cannot write %s: %s", path, strerror(errno));
        (void)unlink(path);
    }
    return is_written ? OK : ERR_IO;
}

static enum err write_pair(const struct privkey *key, const char *path)
{
    const struct pubkey *public = privkey_pubkey(key);
    struct buf text;
    buf_init_secret(&text, KEY_FILE_MAX);
    enum err err = keyfile_write(key, "aditd", &text);
    if (err == OK)
        err = write_file(path, 0600, buf_slice(&text));
    buf_done(&text);
    TRY(err);
    char *base64 CLEANUP(mem_cleanup) = base64_encode(pubkey_blob(public), true);
    char *line CLEANUP(mem_cleanup) = mem_printf("%s %s aditd\n", pubkey_type_name(public), base64);
    char *public_path CLEANUP(mem_cleanup) = mem_printf("%s.pub", path);
    (void)unlink(public_path);
    return write_file(public_path, 0644, slice_text(line));
}

enum err sign_keys_make(const struct crypto *c, const char *path)
{
    struct privkey *key;
    if (access(path, F_OK) == 0) {
        printf("%s is there already\n", path);
        return OK;
    }
    enum err err = privkey_generate(&key, c, kind_by_path(path), 0);
    if (err != OK)
        return err;
    err = write_pair(key, path);
    if (err == OK) {
        char *print CLEANUP(mem_cleanup) = fingerprint_sha256(c, pubkey_blob(privkey_pubkey(key)));
        printf("made %s (%s %s)\n", path, pubkey_short_name(privkey_pubkey(key)), print);
    }
    privkey_free(key);
    return err;
}
