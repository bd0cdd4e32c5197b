/*
 * aditd-authz: one question about one login, then it ends. It looks the account up, reads its key
 * files and verifies the signature itself over bytes it rebuilds from what the supervisor told. It
 * believes nothing of the connection's worker. An account that may not log in takes the same path
 * without its files being read.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "auth/auth_blob.h"
#include "auth/authorized_keys.h"
#include "crypto/pubkey.h"
#include "io/ipc_blocking.h"
#include "server/account.h"
#include "server/config_text.h"
#include "server/role.h"
#include "wire/namelist.h"

#define KEYS_FILE_MAX (4u << 20)

/* What is asked, what is known, and what came of it. */
struct question {
    struct role_msg m;
    char *user, *address;
    struct server_options options;
    struct account account;
    struct crypto *crypto;
    struct pubkey *key;
    bool is_key_listed;
    struct buf key_options; /* of the line that lists it */
    char reason[512];       /* the first thing that forbids it; "" */
};

static void refuse(struct question *q, const char *format, ...) PRINTF_LIKE(2, 3);
static void refuse(struct question *q, const char *format, ...)
{
    va_list arguments;
    if (q->reason[0])
        return;
    va_start(arguments, format);
    vsnprintf(q->reason, sizeof(q->reason), format, arguments);
    va_end(arguments);
}

/* ---- the signature ---- */

enum verdict { VERDICT_BAD, VERDICT_NOTHING_SIGNED, VERDICT_VERIFIED };

static enum verdict verify(const struct question *q)
{
    const struct algo_sign *algo = algo_sign_find(q->m.name);
    enum verdict verdict = VERDICT_BAD;
    if (!q->key || !algo || algo->kind != pubkey_kind(q->key))
        return VERDICT_BAD;
    if (!q->m.has_signature)
        return VERDICT_NOTHING_SIGNED;
    struct auth_blob blob = {
        .session_id = q->m.session_id,
        .user = q->m.user,
        .service = q->m.service,
        .algorithm = q->m.name,
        .key_blob = q->m.key,
        .host_key = q->m.is_hostbound ? q->m.host_key : SLICE_NONE,
    };
    struct buf signed_bytes;
    buf_init(&signed_bytes, AUTH_BLOB_MAX);
    /* An empty host key would be read as "plain publickey". */
    bool is_whole = !q->m.is_hostbound || q->m.host_key.len > 0;
    if (is_whole && auth_blob_build(&blob, &signed_bytes) == OK &&
        pubkey_verify(q->key, algo, q->m.signature, buf_slice(&signed_bytes)) == OK)
        verdict = VERDICT_VERIFIED; /* the one place */
    buf_done(&signed_bytes);
    return verdict;
}

/* ---- the account ---- */

static void check_account(struct question *q)
{
    struct connection_facts facts = {.user = q->user,
                                     .host = q->address,
                                     .address = q->address,
                                     .is_invalid_user = !q->account.is_known};
    if (!q->account.is_known) {
        refuse(q, "no such account");
        return;
    }
    if (q->account.uid != geteuid()) {
        struct passwd *me = getpwuid(geteuid());
        const char *name = me ? me->pw_name : "its own user";
        refuse(q, "only %s can log in here: aditd runs as %s", name, name);
        return;
    }
    if (!server_options_may_log_in(&q->options, &facts))
        refuse(q, "not allowed by AllowUsers or DenyUsers");
    if (!q->options.pubkey_authentication)
        refuse(q, "PubkeyAuthentication no");
    char *algorithm CLEANUP(mem_cleanup) = slice_strdup(q->m.name);
    if (!namelist_contains(slice_text(q->options.pubkey_accepted_algorithms), algorithm))
        refuse(q, "the signature algorithm is not in PubkeyAcceptedAlgorithms");
    if (q->account.uid == 0 && q->options.permit_root_login == ROOT_NO)
        refuse(q, "PermitRootLogin no");
}

static void check_root_command(struct question *q, const struct key_options *o)
{
    if (q->account.uid == 0 && q->options.permit_root_login == ROOT_FORCED_COMMANDS_ONLY &&
        !o->command)
        refuse(q, "PermitRootLogin forced-commands-only, and the key has no command=");
}

/* ---- the key files ---- */

static int64_t wall_clock_s(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec;
}

/* True: this line lists the key, and nothing in it forbids the login. */
static bool is_listed_in(struct question *q, struct slice line, struct buf *blob, const char *path,
                         unsigned number)
{
    struct slice text;
    struct key_options o;
    const char *why;
    if (authorized_keys_split(line, &text, blob) != OK || !slice_equal(buf_slice(blob), q->m.key))
        return false;
    if (key_options_parse(text, &o, &why) != OK) {
        log_info("%s line %u: %s: the line is passed over", path, number, why);
        return false;
    }
    bool may = key_options_may_log_in(
        &o, &(struct key_use){KEY_USE_PLAIN, q->address, NULL, wall_clock_s()}, &why);
    if (may) {
        check_root_command(q, &o);
        may = buf_append_slice(&q->key_options, text) == OK;
    } else {
        log_info("%s line %u: %s", path, number, why);
    }
    key_options_done(&o);
    return may;
}

static bool is_listed(struct question *q, struct slice text, const char *path)
{
    struct buf blob;
    bool found = false;
    buf_init(&blob, PUBKEY_BLOB_MAX);
    for (unsigned number = 1; text.len && !found; number++) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t n = end ? (size_t)(end - text.ptr) : text.len;
        if (n > AUTHORIZED_KEYS_LINE_MAX) {
            log_error("%s line %u is too long: the rest of the file is not read", path, number);
            break;
        }
        found = is_listed_in(q, slice_of(text.ptr, n), &blob, path, number);
        size_t step = n + (end ? 1 : 0);
        text = slice_of(text.ptr + step, text.len - step);
    }
    buf_done(&blob);
    return found;
}

static enum err read_all(int fd, struct buf *text)
{
    for (;;) {
        uint8_t *room;
        TRY(buf_reserve(text, 16384, &room));
        ssize_t n = read(fd, room, 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? ERR_IO : OK;
        buf_commit(text, (size_t)n);
    }
}

static bool search_file(struct question *q, const char *pattern)
{
    struct account_fault why;
    char *path CLEANUP(mem_cleanup) = NULL;
    int fd = -1;
    if (account_keys_path(&q->account, pattern, &path, &why) != OK) {
        log_error("%s", why.text);
        return false;
    }
    enum err err = account_open_keys(&q->account, path, q->options.strict_modes, &fd, &why);
    if (err != OK) {
        log_write(err == ERR_DENIED ? LOG_INFO : LOG_DEBUG1, "%s%s",
                  err == ERR_DENIED ? "Authentication refused: " : "", why.text);
        return false;
    }
    struct buf text;
    buf_init(&text, KEYS_FILE_MAX);
    err = read_all(fd, &text);
    bool found = false;
    if (err == OK)
        found = is_listed(q, buf_slice(&text), path);
    else
        log_error("%s is not read: %s", path, err == ERR_LIMIT ? "too large" : "input error");
    buf_done(&text);
    close(fd);
    return found;
}

static void search_keys(struct question *q)
{
    const struct string_list *files = &q->options.authorized_keys_files;
    for (size_t i = 0; i < files->count && !q->is_key_listed; i++) {
        if (strcmp(files->items[i], "none") != 0)
            q->is_key_listed = search_file(q, files->items[i]);
    }
    if (!q->is_key_listed)
        refuse(q, "the key is not listed for this account");
}

/* ---- one question ---- */

static void describe_key(const struct question *q, char *out, size_t size)
{
    char *print CLEANUP(mem_cleanup) = fingerprint_sha256(q->crypto, q->m.key);
    snprintf(out, size, "%s %s", q->key ? pubkey_short_name(q->key) : "UNKNOWN", print);
}

static enum err answer(struct question *q)
{
    char fingerprint[256];
    enum verdict verdict = verify(q);
    check_account(q);
    if (q->reason[0] == '\0')
        search_keys(q);
    if (!q->key)
        refuse(q, "the key cannot be read");
    if (!slice_is(q->m.service, "ssh-connection"))
        refuse(q, "no such service");
    if (verdict == VERDICT_BAD)
        refuse(q, q->m.has_signature ? "the signature does not hold"
                                     : "the algorithm does not fit the key");
    describe_key(q, fingerprint, sizeof(fingerprint));
    bool may = q->reason[0] == '\0' && q->is_key_listed &&
               verdict == (q->m.has_signature ? VERDICT_VERIFIED : VERDICT_NOTHING_SIGNED);
    struct role_msg m = {.kind = ROLE_MSG_ANSWER,
                         .is_allowed = may,
                         .options = may ? buf_slice(&q->key_options) : SLICE_NONE,
                         .fingerprint = slice_text(fingerprint),
                         .text = slice_text(q->reason)};
    return role_send(ROLE_IPC_FD, &m);
}

static enum err serve(struct question *q)
{
    q->user = slice_strdup(q->m.user);
    q->user[strcspn(q->user, ":")] = '\0'; /* "user:style": the signature covers the whole */
    q->address = slice_strdup(q->m.address);
    server_options_init(&q->options);
    buf_init(&q->key_options, KEY_OPTIONS_TEXT_MAX);
    account_find(q->user, &q->account);
    enum err err = config_text_from_fd(ROLE_CONFIG_FD, &q->options);
    if (err == OK) {
        log_set_level(q->options.log_level);
        if (pubkey_parse(&q->key, q->crypto, q->m.key) != OK)
            q->key = NULL;
        err = answer(q);
    }
    pubkey_free(q->key);
    account_done(&q->account);
    buf_done(&q->key_options);
    server_options_done(&q->options);
    mem_free(q->user);
    mem_free(q->address);
    return err;
}

int main(int argc, char **argv)
{
    struct question q = {.user = NULL};
    struct buf record;
    int fds[IPC_FDS_MAX];
    size_t fd_count = 0;
    (void)role_start(argc, argv, "aditd-authz");
    q.crypto = crypto_new();
    if (!q.crypto) {
        log_fatal("libcrypto lacks an algorithm that is needed");
        return 1;
    }
    buf_init(&record, ROLE_MSG_MAX);
    enum err err = ipc_recv_blocking(ROLE_IPC_FD, &record, fds, &fd_count);
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
    if (err == OK)
        err = role_msg_decode(buf_slice(&record), ROLE_SUPERVISOR, ROLE_AUTHZ, &q.m);
    if (err == OK)
        err = serve(&q);
    if (err != OK)
        log_error("a login question could not be answered: %s", err_name(err));
    buf_done(&record);
    crypto_free(q.crypto);
    return err == OK ? 0 : 1;
}
