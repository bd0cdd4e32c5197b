/*
 * aditd-sign: holds the host's private keys and signs exchange hashes, nothing else. It reads no
 * network byte and answers one descriptor, the supervisor's. With -t it only says whether the keys
 * load; with -m it makes the ones that are missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "crypto/keyfile.h"
#include "io/ipc_blocking.h"
#include "server/role.h"

#define KEYS_MAX     32
#define KEY_FILE_MAX 65536

struct signer {
    struct crypto *crypto;
    struct privkey *keys[KEYS_MAX];
    size_t count;
};

/* ---- loading ---- */

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

static bool load_key(struct signer *s, const char *path, bool is_default)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        bool is_quiet = is_default && errno == ENOENT;
        log_write(is_quiet ? LOG_DEBUG1 : LOG_ERROR, "Unable to load host key \"%s\": %s", path,
                  strerror(errno));
        return false;
    }
    struct buf text;
    buf_init_secret(&text, KEY_FILE_MAX + 4096);
    enum err err = is_private(fd, path) ? read_key_file(fd, &text) : ERR_DENIED;
    if (err == OK) {
        err = keyfile_parse(&s->keys[s->count], NULL, s->crypto, buf_slice(&text), SLICE_NONE);
        if (err == OK)
            s->count++;
        else if (err == ERR_DENIED)
            log_error("Host key \"%s\" is encrypted: a server's key has no passphrase", path);
        else
            log_error("Unable to load host key \"%s\": error in the file (%s)", path,
                      err_name(err));
    }
    buf_done(&text);
    close(fd);
    return err == OK;
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

static enum err make_key(const struct signer *s, const char *path)
{
    struct privkey *key;
    if (access(path, F_OK) == 0) {
        printf("%s is there already\n", path);
        return OK;
    }
    enum err err = privkey_generate(&key, s->crypto, kind_by_path(path), 0);
    if (err != OK)
        return err;
    err = write_pair(key, path);
    if (err == OK) {
        char *print CLEANUP(mem_cleanup) =
            fingerprint_sha256(s->crypto, pubkey_blob(privkey_pubkey(key)));
        printf("made %s (%s %s)\n", path, pubkey_short_name(privkey_pubkey(key)), print);
    }
    privkey_free(key);
    return err;
}

/* ---- serving ---- */

static const struct privkey *find_key(const struct signer *s, struct slice blob)
{
    for (size_t i = 0; i < s->count; i++) {
        if (slice_equal(pubkey_blob(privkey_pubkey(s->keys[i])), blob))
            return s->keys[i];
    }
    return NULL;
}

/* An empty signature is the answer to whatever does not fit. */
static void sign(const struct signer *s, const struct role_msg *m, struct buf *signature)
{
    const struct algo_sign *algo = algo_sign_find(m->name);
    const struct privkey *key = find_key(s, m->key);
    if (!algo || !key || algo->kind != pubkey_kind(privkey_pubkey(key)))
        log_error("refused to sign: algorithm and host key do not fit");
    else if (privkey_sign(key, algo, m->hash, signature) != OK) {
        log_error("could not sign with the %s host key", algo->key_type);
        buf_clear(signature);
    }
}

static enum err tell_keys(const struct signer *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct pubkey *k = privkey_pubkey(s->keys[i]);
        struct role_msg m = {.kind = ROLE_MSG_HOST_KEY,
                             .name = slice_text(pubkey_type_name(k)),
                             .key = pubkey_blob(k)};
        TRY(role_send(ROLE_IPC_FD, &m));
    }
    return role_send(ROLE_IPC_FD, &(struct role_msg){.kind = ROLE_MSG_READY});
}

static enum err serve_one(const struct signer *s, struct buf *record)
{
    int fds[IPC_FDS_MAX];
    size_t fd_count = 0;
    struct role_msg m;
    TRY(ipc_recv_blocking(ROLE_IPC_FD, record, fds, &fd_count));
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
    TRY(role_msg_decode(buf_slice(record), ROLE_SUPERVISOR, ROLE_SIGN, &m));
    struct buf signature;
    buf_init(&signature, ROLE_MSG_SIGNATURE_MAX);
    sign(s, &m, &signature);
    struct role_msg answer = {
        .kind = ROLE_MSG_SIGNATURE, .connection = m.connection, .signature = buf_slice(&signature)};
    enum err err = role_send(ROLE_IPC_FD, &answer);
    buf_done(&signature);
    return err;
}

static int serve(const struct signer *s)
{
    struct buf record;
    buf_init(&record, ROLE_MSG_MAX);
    enum err err = tell_keys(s);
    while (err == OK)
        err = serve_one(s, &record);
    buf_done(&record);
    if (err != ERR_EOF)
        log_error("aditd-sign ends: %s", err_name(err));
    return err == ERR_EOF ? 0 : 1;
}

enum mode { MODE_SERVE, MODE_TEST, MODE_MAKE };

static int run(struct signer *s, enum mode mode, bool is_default, char **paths)
{
    bool all_made = true;
    for (; *paths; paths++) {
        if (mode == MODE_MAKE)
            all_made = make_key(s, *paths) == OK && all_made;
        else if (s->count < KEYS_MAX)
            (void)load_key(s, *paths, is_default); /* has said why not; the others may do */
    }
    if (mode == MODE_MAKE)
        return all_made ? 0 : 1;
    if (mode == MODE_TEST)
        return s->count ? 0 : 1;
    /* Best effort, as RLIMIT_MEMLOCK may be small; not MCL_FUTURE, which makes allocations fail. */
    (void)mlockall(MCL_CURRENT);
    return serve(s);
}

int main(int argc, char **argv)
{
    struct signer s = {.count = 0};
    enum mode mode = MODE_SERVE;
    bool is_default = false;
    int i = role_start(argc, argv, "aditd-sign");
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-t") == 0)
            mode = MODE_TEST;
        else if (strcmp(argv[i], "-m") == 0)
            mode = MODE_MAKE;
        else if (strcmp(argv[i], "-q") == 0)
            is_default = true; /* nobody named these paths: a missing file is no fault */
        else
            return 1;
    }
    s.crypto = crypto_new();
    if (!s.crypto) {
        log_fatal("libcrypto lacks an algorithm that is needed");
        return 1;
    }
    int status = run(&s, mode, is_default, argv + i);
    for (size_t k = 0; k < s.count; k++)
        privkey_free(s.keys[k]);
    crypto_free(s.crypto);
    return status;
}
