/*
 * Login attempts from end to end: a child that answers as aditd-authz does, asked over a socket
 * pair, with real keys, files and commands of whoever runs the test. Each refusal is told by its
 * rule.
 */
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/auth_blob.h"
#include "crypto/cert_fixture.h"
#include "crypto/digest.h"
#include "crypto/legacy.h"
#include "io/ipc.h"
#include "server/authz.h"
#include "server/role.h"
#include "tests/unit.h"
#include "wire/msg_auth.h"

#define SESSION_ID "0123456789abcdef0123456789abcdef"
#define HOST_KEY   "host key"

struct bed {
    struct crypto *crypto;
    struct privkey *key, *other, *authority;
    char dir[64];
    char *user;
    /* The question. */
    const char *as;                  /* NULL: user */
    const char *config;              /* further lines of configuration, first */
    const char *address;             /* NULL: 127.0.0.1 */
    struct slice offered;            /* empty: key's blob */
    const struct privkey *signer;    /* NULL: key */
    const struct algo_sign *sign_by; /* NULL: ssh-ed25519 */
    bool is_query, is_spoiled;
    const char *algorithm; /* NULL: by the offered type */
    struct slice used_keys;
    const char *earlier; /* options of the steps before; NULL: none */
    /* The answer. */
    bool is_allowed;
    char options[1024], fingerprint[512], text[512];
};

static int set_up(void **state)
{
    struct bed *b = NEW(struct bed);
    b->crypto = crypto_new();
    assert_ok(privkey_generate(&b->key, b->crypto, KEY_ED25519, 0));
    assert_ok(privkey_generate(&b->other, b->crypto, KEY_ED25519, 0));
    assert_ok(privkey_generate(&b->authority, b->crypto, KEY_ED25519, 0));
    snprintf(b->dir, sizeof(b->dir), "%s", "/tmp/authz_test_XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    assert_int_equal(chmod(b->dir, 0755), 0);
    struct passwd *me = getpwuid(getuid());
    assert_non_null(me);
    b->user = mem_strdup(me->pw_name);
    *state = b;
    return 0;
}

static char *path_of(struct bed *b, const char *name)
{
    return mem_printf("%s/%s", b->dir, name);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"keys", "principals", "authorities", "revoked", "command"};
    struct bed *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path CLEANUP(mem_cleanup) = path_of(b, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(b->dir);
    privkey_free(b->key);
    privkey_free(b->other);
    privkey_free(b->authority);
    crypto_free(b->crypto);
    mem_free(b->user);
    mem_free(b);
    return 0;
}

static void write_file(struct bed *b, const char *name, const char *text, mode_t mode)
{
    char *path CLEANUP(mem_cleanup) = path_of(b, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

/* "OPTIONS ssh-ed25519 AAAA..." */
static char *line_of(const char *options, const struct privkey *k)
{
    char *text CLEANUP(mem_cleanup) = base64_encode(pubkey_blob(privkey_pubkey(k)), true);
    return mem_printf("%s%sssh-ed25519 %s test\n", options, options[0] ? " " : "", text);
}

static void list_key(struct bed *b, const char *file, const char *options, const struct privkey *k)
{
    char *line CLEANUP(mem_cleanup) = line_of(options, k);
    write_file(b, file, line, 0644);
}

/* ---- the other side ---- */

static int config_file(const struct bed *b)
{
    int fd = memfd_create("config", MFD_CLOEXEC);
    FILE *f = fdopen(dup(fd), "w");
    assert_non_null(f);
    fprintf(f, "%sAuthorizedKeysFile %s/keys\nStrictModes no\nPermitRootLogin yes\n",
            b->config ? b->config : "", b->dir);
    fclose(f);
    return fd;
}

static pid_t start(const struct bed *b, int *fd)
{
    int ends[2];
    assert_ok(ipc_pair(ends));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        _exit(authz_run(ends[1], b->crypto) == OK ? 0 : 1);
    }
    close(ends[1]);
    *fd = ends[0];
    return pid;
}

static enum err receive(int fd, struct buf *record, struct role_msg *m)
{
    int fds[IPC_FDS_MAX];
    size_t count;
    TRY(ipc_recv_blocking(fd, record, fds, &count));
    return role_msg_decode(buf_slice(record), ROLE_AUTHZ, ROLE_SUPERVISOR, m);
}

static void ask_who(const struct bed *b, int fd)
{
    struct role_msg m = {.kind = ROLE_MSG_WHO,
                         .user = slice_text(b->as ? b->as : b->user),
                         .service = slice_text("ssh-connection"),
                         .address = slice_text("127.0.0.1"),
                         .host = slice_text("localhost"),
                         .local_address = slice_text("127.0.0.1")};
    assert_ok(role_send(fd, &m));
}

static void send_question(const struct bed *b, int fd, struct role_msg m)
{
    struct buf bytes;
    int config = config_file(b);
    const char *address = b->address ? b->address : "127.0.0.1";
    assert_int_equal(lseek(config, 0, SEEK_SET), 0);
    m.kind = ROLE_MSG_AUTHZ;
    m.user = slice_text(b->as ? b->as : b->user);
    m.service = slice_text("ssh-connection");
    m.host_key = slice_text(HOST_KEY);
    m.session_id = slice_text(SESSION_ID);
    m.used_keys = b->used_keys;
    m.options = slice_text(b->earlier ? b->earlier : "");
    m.address = m.host = slice_text(address);
    m.local_address = slice_text("127.0.0.1");
    buf_init(&bytes, ROLE_MSG_MAX);
    assert_ok(role_msg_encode(&m, &bytes));
    assert_ok(ipc_send_blocking(fd, buf_slice(&bytes), &config, 1));
    buf_done(&bytes);
    close(config);
}

static void keep(char *to, size_t size, struct slice text)
{
    snprintf(to, size, "%.*s", (int)text.len, text.len ? (const char *)text.ptr : "");
}

static void take_answer(struct bed *b, const struct role_msg *m)
{
    assert_int_equal(m->kind, ROLE_MSG_ANSWER);
    b->is_allowed = m->is_allowed;
    keep(b->options, sizeof(b->options), m->options);
    keep(b->fingerprint, sizeof(b->fingerprint), m->fingerprint);
    keep(b->text, sizeof(b->text), m->text);
    assert_int_equal(b->is_allowed, b->text[0] == '\0');
    assert_true(b->is_allowed || b->options[0] == '\0');
}

/* One attempt; answers a prompt with response. */
static void attempt(struct bed *b, struct role_msg question, struct slice response)
{
    struct buf record;
    struct role_msg m;
    int fd, status;
    buf_init(&record, ROLE_MSG_MAX);
    pid_t pid = start(b, &fd);
    ask_who(b, fd);
    assert_ok(receive(fd, &record, &m));
    assert_int_equal(m.kind, ROLE_MSG_ACCOUNT);
    assert_int_equal(m.is_known, b->as == NULL);
    send_question(b, fd, question);
    assert_ok(receive(fd, &record, &m));
    if (m.kind == ROLE_MSG_PROMPT) {
        struct body_info_request asked;
        assert_ok(body_info_request_decode(m.body, &asked));
        assert_int_equal(asked.count, 1);
        assert_ok(role_send(fd, &(struct role_msg){.kind = ROLE_MSG_RESPONSE, .body = response}));
        assert_ok(receive(fd, &record, &m));
    }
    take_answer(b, &m);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    buf_done(&record);
}

static void sign(const struct bed *b, struct slice algorithm, struct slice blob, struct buf *out)
{
    struct buf bytes;
    struct auth_blob what = {.session_id = slice_text(SESSION_ID),
                             .user = slice_text(b->as ? b->as : b->user),
                             .service = slice_text("ssh-connection"),
                             .algorithm = algorithm,
                             .key_blob = blob};
    buf_init(&bytes, AUTH_BLOB_MAX);
    assert_ok(auth_blob_build(&what, &bytes));
    if (b->is_spoiled)
        bytes.data[bytes.start] ^= 1;
    const struct algo_sign *algo =
        b->sign_by ? b->sign_by : algo_sign_find(slice_text("ssh-ed25519"));
    assert_ok(privkey_sign(b->signer ? b->signer : b->key, algo, buf_slice(&bytes), out));
    buf_done(&bytes);
}

static void log_in(struct bed *b)
{
    struct buf signature;
    struct reader r;
    struct slice blob = b->offered.len ? b->offered : pubkey_blob(privkey_pubkey(b->key));
    reader_init(&r, blob);
    struct slice algorithm = b->algorithm ? slice_text(b->algorithm) : reader_string(&r);
    buf_init(&signature, 1024);
    sign(b, algorithm, blob, &signature);
    struct role_msg m = {.method = ROLE_AUTH_PUBLICKEY,
                         .name = algorithm,
                         .key = blob,
                         .has_signature = !b->is_query,
                         .signature = b->is_query ? SLICE_NONE : buf_slice(&signature)};
    attempt(b, m, SLICE_NONE);
    buf_done(&signature);
}

static void assert_let_in(struct bed *b, const char *options)
{
    log_in(b);
    if (!b->is_allowed)
        fail_msg("refused: %s", b->text);
    assert_string_equal(b->options, options);
}

static void assert_refused(struct bed *b, const char *text)
{
    log_in(b);
    if (b->is_allowed)
        fail_msg("let in, not refused by: %s", text);
    if (!strstr(b->text, text))
        fail_msg("refused by \"%s\", not by \"%s\"", b->text, text);
}

/* ---- plain keys ---- */

static void a_listed_key_logs_in_with_its_options(void **state)
{
    struct bed *b = *state;
    list_key(b, "keys", "", b->key);
    assert_let_in(b, "");
    assert_true(strncmp(b->fingerprint, "ED25519 SHA256:", 15) == 0);
    b->is_query = true;
    assert_let_in(b, "");
    b->is_query = false;
    list_key(b, "keys", "no-pty,command=\"run\"", b->key);
    assert_let_in(b, "no-pty,command=\"run\"");
    list_key(b, "keys", "from=\"10.0.0.0/8\"", b->key);
    assert_refused(b, "from=");
    list_key(b, "keys", "cert-authority", b->key);
    assert_refused(b, "certificate authority only");
    list_key(b, "keys", "", b->other);
    assert_refused(b, "not listed for this account");
}

static void a_signature_must_hold_over_what_is_known_here(void **state)
{
    struct bed *b = *state;
    list_key(b, "keys", "", b->key);
    b->is_spoiled = true;
    assert_refused(b, "the signature does not hold");
    b->is_spoiled = false;
    b->signer = b->other;
    assert_refused(b, "the signature does not hold");
    b->signer = NULL;
    b->algorithm = "ecdsa-sha2-nistp256";
    assert_refused(b, "the signature does not hold");
    b->is_query = true;
    assert_refused(b, "does not fit the key");
}

static void an_rsa_key_signs_by_what_is_accepted_for_it(void **state)
{
    struct bed *b = *state;
    struct privkey *rsa;
    assert_ok(privkey_generate(&rsa, b->crypto, KEY_RSA, 2048));
    struct slice blob = pubkey_blob(privkey_pubkey(rsa));
    char *base64 CLEANUP(mem_cleanup) = base64_encode(blob, true);
    char *line CLEANUP(mem_cleanup) = mem_printf("ssh-rsa %s\n", base64);
    write_file(b, "keys", line, 0644);
    b->signer = rsa;
    b->offered = blob;
    b->algorithm = "rsa-sha2-512";
    b->sign_by = algo_sign_find(slice_text("rsa-sha2-512"));
    assert_let_in(b, "");
    b->config = "RequiredRSASize 3072\n";
    assert_refused(b, "RequiredRSASize");
    b->config = "";
    b->algorithm = "ssh-rsa"; /* SHA-1: where it is named in full */
    b->sign_by = legacy_sign_find(slice_text("ssh-rsa"));
    assert_refused(b, "PubkeyAcceptedAlgorithms");
    b->config = "PubkeyAcceptedAlgorithms +ssh-rsa\n";
    assert_let_in(b, "");
    privkey_free(rsa);
}

static void the_configuration_s_rules_are_named(void **state)
{
    struct bed *b = *state;
    static const struct {
        const char *config, *text;
    } rows[] = {
        {"AllowUsers nobody-else\n", "AllowUsers (sshd_config)"},
        {"DenyUsers *\n", "DenyUsers (sshd_config)"},
        {"AllowGroups no-such-group\n", "AllowGroups (sshd_config)"},
        {"DenyGroups *\n", "DenyGroups (sshd_config)"},
        {"PubkeyAuthentication no\n", "PubkeyAuthentication no"},
        {"PubkeyAcceptedAlgorithms rsa-sha2-512\n", "PubkeyAcceptedAlgorithms"},
        {"AllowUsers *@10.0.0.1\n", "AllowUsers (sshd_config)"},
    };
    list_key(b, "keys", "", b->key);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        b->config = rows[i].config;
        assert_refused(b, rows[i].text);
    }
    b->config = "AllowGroups *\nAllowUsers *\n";
    assert_let_in(b, "");
}

static void what_root_may_is_permit_root_login_s(void **state)
{
    struct bed *b = *state;
    if (getuid() != 0)
        skip();
    list_key(b, "keys", "", b->key);
    b->config = "PermitRootLogin no\n";
    assert_refused(b, "PermitRootLogin no");
    b->config = "PermitRootLogin prohibit-password\n";
    assert_let_in(b, "");
    b->config = "PermitRootLogin forced-commands-only\n";
    assert_refused(b, "forced-commands-only");
    list_key(b, "keys", "command=\"run\"", b->key);
    assert_let_in(b, "command=\"run\"");
}

static void nobody_logs_in_as_whom_there_is_not(void **state)
{
    struct bed *b = *state;
    list_key(b, "keys", "", b->key);
    b->as = "no-such-account-here";
    assert_refused(b, "no such account");
    b->is_query = true;
    assert_refused(b, "no such account");
}

static void one_key_is_one_step(void **state)
{
    struct bed *b = *state;
    struct buf used;
    struct writer w;
    buf_init(&used, 4096);
    writer_init(&w, &used);
    writer_string(&w, pubkey_blob(privkey_pubkey(b->other)));
    list_key(b, "keys", "", b->key);
    b->used_keys = buf_slice(&used);
    assert_let_in(b, "");
    writer_string(&w, pubkey_blob(privkey_pubkey(b->key)));
    b->used_keys = buf_slice(&used);
    assert_refused(b, "used already");
    b->used_keys.len--;
    assert_refused(b, "used already"); /* what cannot be read hides nothing */
    buf_done(&used);
}

/* Go CVE-2026-39828: what an earlier step restricted was forgotten. */
static void what_an_earlier_step_restricts_stays_restricted(void **state)
{
    struct bed *b = *state;
    static const struct {
        const char *earlier, *line, *options, *text; /* text: NULL: let in */
    } rows[] = {
        {"no-pty", "", "no-pty", NULL},
        {"no-pty", "no-port-forwarding", "no-port-forwarding,no-pty", NULL},
        {"command=\"a\"", "", "command=\"a\"", NULL},
        {"command=\"a\"", "command=\"b\"", "", "do not go together"},
        {"permitopen=\"a:1\"", "permitopen=\"b:1\"", "", "do not go together"},
        {"permitopen=\"a:1\"", "no-pty", "no-pty,permitopen=\"a:1\"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        list_key(b, "keys", rows[i].line, b->key);
        b->earlier = rows[i].earlier;
        if (rows[i].text)
            assert_refused(b, rows[i].text);
        else
            assert_let_in(b, rows[i].options);
    }
}

static void a_revoked_key_does_not_log_in(void **state)
{
    struct bed *b = *state;
    char *config CLEANUP(mem_cleanup) = mem_printf("RevokedKeys %s/revoked\n", b->dir);
    list_key(b, "keys", "", b->key);
    b->config = config;
    assert_refused(b, "the list cannot be read"); /* there is none: nobody logs in */
    list_key(b, "revoked", "", b->other);
    assert_let_in(b, "");
    list_key(b, "revoked", "", b->key);
    assert_refused(b, "the key is revoked (RevokedKeys ");
    write_file(b, "revoked", "ssh-ed25519 AAAA\n", 0644);
    assert_refused(b, "the list cannot be read");
}

/* ---- certificates ---- */

static void certify(struct bed *b, struct cert_plan plan, struct buf *blob)
{
    plan.key = b->key;
    plan.authority = b->authority;
    buf_clear(blob);
    cert_make(&plan, blob);
    b->offered = buf_slice(blob);
}

static void an_authority_s_line_lets_its_certificates_in(void **state)
{
    struct bed *b = *state;
    struct buf blob;
    struct cert_plan plan = {.principals = {b->user},
                             .key_id = "id\n1",
                             .serial = 7,
                             .extensions = {{"permit-port-forwarding", NULL}}};
    static const char restricted[] = "no-agent-forwarding,no-x11-forwarding,no-pty,no-user-rc";
    buf_init(&blob, PUBKEY_BLOB_MAX);
    certify(b, plan, &blob);
    list_key(b, "keys", "cert-authority", b->authority);
    assert_let_in(b, restricted);
    assert_true(strncmp(b->fingerprint, "ED25519-CERT SHA256:", 20) == 0);
    assert_non_null(strstr(b->fingerprint, " ID id\\0121 (serial 7) CA ED25519 SHA256:"));
    list_key(b, "keys", "", b->authority); /* a key of its own, and no authority */
    assert_refused(b, "not listed as a certificate authority");
    list_key(b, "keys", "", b->key); /* the plain key is listed: not the certificate */
    assert_refused(b, "not listed for this account");
    list_key(b, "keys", "cert-authority,principals=\"a,b\"", b->authority);
    assert_refused(b, "none of the line's principals");
    char *options CLEANUP(mem_cleanup) =
        mem_printf("cert-authority,principals=\"a,%s\",permitopen=\"h:1\"", b->user);
    list_key(b, "keys", options, b->authority);
    char *merged CLEANUP(mem_cleanup) = mem_printf("%s,permitopen=\"h:1\"", restricted);
    assert_let_in(b, merged);
    buf_done(&blob);
}

static void a_certificate_s_own_limits_hold(void **state)
{
    struct bed *b = *state;
    struct buf blob;
    char *comma CLEANUP(mem_cleanup) = mem_printf("%s,x", b->user);
    const struct {
        struct cert_plan plan;
        const char *text;
    } rows[] = {
        {{.principals = {"somebody-else"}}, "for other principals"},
        {{.principals = {comma}}, "for other principals"},
        {{.serial = 1}, "lacks principals"},
        {{.principals = {b->user}, .kind = CERT_HOST}, "not for users"},
        {{.principals = {b->user}, .valid_before = 1000}, "has expired"},
        {{.principals = {b->user}, .valid_after = UINT64_C(1) << 40}, "not yet valid"},
        {{.principals = {b->user}, .critical = {{"source-address", "10.0.0.0/8"}}},
         "source-address"},
        {{.principals = {b->user}, .critical = {{"unheard-of", "1"}}}, "critical option"},
        {{.principals = {b->user}, .critical = {{"force-command", NULL}}}, "force-command"},
    };
    buf_init(&blob, PUBKEY_BLOB_MAX);
    list_key(b, "keys", "cert-authority", b->authority);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        certify(b, rows[i].plan, &blob);
        assert_refused(b, rows[i].text);
    }
    certify(b, (struct cert_plan){.principals = {b->user}, .critical = {{"force-command", "run"}}},
            &blob);
    assert_let_in(b, "no-port-forwarding,no-agent-forwarding,no-x11-forwarding,no-pty,no-user-rc,"
                     "command=\"run\"");
    list_key(b, "keys", "cert-authority,command=\"other\"", b->authority);
    assert_refused(b, "differ");
    b->config = "CASignatureAlgorithms ecdsa-sha2-nistp256\n";
    assert_refused(b, "CASignatureAlgorithms");
    buf_done(&blob);
}

static void a_revoked_authority_certifies_nobody(void **state)
{
    struct bed *b = *state;
    struct buf blob;
    char *config CLEANUP(mem_cleanup) = mem_printf("RevokedKeys %s/revoked\n", b->dir);
    buf_init(&blob, PUBKEY_BLOB_MAX);
    certify(b, (struct cert_plan){.principals = {b->user}}, &blob);
    list_key(b, "keys", "cert-authority", b->authority);
    b->config = config;
    list_key(b, "revoked", "", b->authority);
    assert_refused(b, "the key is revoked");
    list_key(b, "revoked", "", b->key);
    assert_refused(b, "the key is revoked");
    list_key(b, "revoked", "", b->other);
    log_in(b);
    assert_true(b->is_allowed);
    buf_done(&blob);
}

#define FULL                                                                                       \
    {                                                                                              \
        {"permit-port-forwarding", NULL}, {"permit-agent-forwarding", NULL},                       \
            {"permit-X11-forwarding", NULL}, {"permit-pty", NULL},                                 \
        {                                                                                          \
            "permit-user-rc", NULL                                                                 \
        }                                                                                          \
    }

static void trusted_authorities_let_in_by_name_or_by_list(void **state)
{
    struct bed *b = *state;
    struct buf blob;
    char *trusted CLEANUP(mem_cleanup) = mem_printf("TrustedUserCAKeys %s/authorities\n", b->dir);
    char *listed CLEANUP(mem_cleanup) =
        mem_printf("%sAuthorizedPrincipalsFile %s/principals\n", trusted, b->dir);
    buf_init(&blob, PUBKEY_BLOB_MAX);
    write_file(b, "keys", "", 0644);
    list_key(b, "authorities", "", b->authority);
    b->config = trusted;
    certify(b, (struct cert_plan){.principals = {b->user}, .extensions = FULL}, &blob);
    assert_let_in(b, "");
    certify(b, (struct cert_plan){.principals = {"ops"}, .extensions = FULL}, &blob);
    assert_refused(b, "for other principals");
    b->config = listed;
    assert_refused(b, "principal not listed"); /* no file */
    write_file(b, "principals", "# x\n\n  dev\nops2\n", 0644);
    assert_refused(b, "principal not listed");
    write_file(b, "principals", "dev\nno-pty,command=\"a b\" \t ops \n", 0644);
    assert_let_in(b, "no-pty,command=\"a b\"");
    write_file(b, "principals", "from=\"10.0.0.0/8\" ops\n", 0644);
    assert_refused(b, "from=");
    list_key(b, "authorities", "", b->other);
    assert_refused(b, "not listed for this account");
    buf_done(&blob);
}

/* ---- security keys ---- */

#define SK_NAME "sk-ssh-ed25519@openssh.com"

/* The blob of a device's key: b->key's public half, and whom it signs for. */
static void sk_blob(const struct bed *b, struct buf *out)
{
    struct reader r;
    struct writer w;
    reader_init(&r, pubkey_blob(privkey_pubkey(b->key)));
    (void)reader_string(&r);
    writer_init(&w, out);
    writer_text(&w, SK_NAME);
    writer_bytes(&w, reader_rest(&r));
    writer_text(&w, "ssh:");
    assert_ok(writer_done(&w));
}

/* What a device signs (PROTOCOL.u2f): hashes of application and message, flags and counter. */
static void sk_sign(const struct bed *b, struct slice data, uint8_t flags, struct buf *out)
{
    uint8_t text[32 + 5 + 32] = {0};
    struct buf plain;
    struct reader r;
    struct writer w;
    digest(b->crypto, DIGEST_SHA256, slice_text("ssh:"), text);
    text[32] = flags;
    digest(b->crypto, DIGEST_SHA256, data, text + 37);
    buf_init(&plain, 1024);
    assert_ok(privkey_sign(b->key, algo_sign_find(slice_text("ssh-ed25519")),
                           slice_of(text, sizeof(text)), &plain));
    reader_init(&r, buf_slice(&plain));
    (void)reader_string(&r);
    writer_init(&w, out);
    writer_text(&w, SK_NAME);
    writer_string(&w, reader_string(&r));
    writer_u8(&w, flags);
    writer_u32(&w, 0);
    assert_ok(writer_done(&w));
    buf_done(&plain);
}

static void attempt_by_device(struct bed *b, uint8_t flags)
{
    struct buf blob, bytes, signature;
    buf_init(&blob, 1024);
    buf_init(&bytes, AUTH_BLOB_MAX);
    buf_init(&signature, 1024);
    sk_blob(b, &blob);
    struct auth_blob what = {.session_id = slice_text(SESSION_ID),
                             .user = slice_text(b->user),
                             .service = slice_text("ssh-connection"),
                             .algorithm = slice_text(SK_NAME),
                             .key_blob = buf_slice(&blob)};
    assert_ok(auth_blob_build(&what, &bytes));
    sk_sign(b, buf_slice(&bytes), flags, &signature);
    struct role_msg m = {.method = ROLE_AUTH_PUBLICKEY,
                         .name = slice_text(SK_NAME),
                         .key = buf_slice(&blob),
                         .has_signature = 1,
                         .signature = buf_slice(&signature)};
    attempt(b, m, SLICE_NONE);
    buf_done(&blob);
    buf_done(&bytes);
    buf_done(&signature);
}

/* Who asks for a touch or a PIN: the line, the configuration, and nobody. */
static void touch_and_pin_are_demanded_as_configured(void **state)
{
    struct bed *b = *state;
    static const struct {
        const char *options, *config;
        uint8_t flags;
        const char *text; /* NULL: let in */
    } rows[] = {
        {"", "", SK_TOUCHED, NULL},
        {"", "", 0, "touch-required"},
        {"no-touch-required ", "", 0, NULL},
        {"no-touch-required ", "PubkeyAuthOptions touch-required\n", 0, "touch-required"},
        {"verify-required ", "", SK_TOUCHED, "verify-required"},
        {"verify-required ", "", SK_TOUCHED | SK_VERIFIED, NULL},
        {"", "PubkeyAuthOptions verify-required\n", SK_TOUCHED, "verify-required"},
    };
    struct buf blob;
    buf_init(&blob, 1024);
    sk_blob(b, &blob);
    char *base64 CLEANUP(mem_cleanup) = base64_encode(buf_slice(&blob), true);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *line CLEANUP(mem_cleanup) = mem_printf("%s" SK_NAME " %s\n", rows[i].options, base64);
        write_file(b, "keys", line, 0644);
        b->config = rows[i].config;
        attempt_by_device(b, rows[i].flags);
        if (b->is_allowed != (rows[i].text == NULL) ||
            (rows[i].text && !strstr(b->text, rows[i].text)))
            fail_msg("row %zu: %s", i, b->text);
        assert_true(strncmp(b->fingerprint, "ED25519-SK SHA256:", 18) == 0);
    }
    buf_done(&blob);
}

/* ---- commands ---- */

static void write_command(struct bed *b, const char *text)
{
    char *script CLEANUP(mem_cleanup) = mem_printf("#!/bin/sh\n%s\n", text);
    write_file(b, "command", script, 0755);
}

/* As root a program in /tmp may be changed by others, and that is refused. */
static void a_keys_command_lists_keys(void **state)
{
    struct bed *b = *state;
    char *line CLEANUP(mem_cleanup) = line_of("no-pty", b->key);
    char *config CLEANUP(mem_cleanup) = mem_printf(
        "AuthorizedKeysCommand %s/command %%u\nAuthorizedKeysCommandUser %s\n", b->dir, b->user);
    char *print CLEANUP(mem_cleanup) = mem_printf("test \"$1\" = %s && echo '%s'", b->user, line);
    write_file(b, "keys", "", 0644);
    write_command(b, print);
    b->config = config;
    if (getuid() == 0) {
        assert_refused(b, "not listed");
        return;
    }
    assert_let_in(b, "no-pty");
    char *fail CLEANUP(mem_cleanup) = mem_printf("%s; exit 1", print);
    write_command(b, fail);
    assert_refused(b, "not listed");
}

/* ---- passwords ---- */

static void a_password_needs_its_switch_and_a_right_one(void **state)
{
    struct bed *b = *state;
    struct role_msg m = {.method = ROLE_AUTH_PASSWORD, .password = slice_text("wrong")};
    attempt(b, m, SLICE_NONE);
    assert_false(b->is_allowed);
    assert_true(strstr(b->text, "wrong") || strstr(b->text, "root"));
    m.password = SLICE_NONE;
    attempt(b, m, SLICE_NONE);
    assert_string_equal(b->text, "PermitEmptyPasswords no");
    b->config = "PasswordAuthentication no\n";
    attempt(b, m, SLICE_NONE);
    assert_string_equal(b->text, "PasswordAuthentication no");
    if (getuid() != 0)
        return;
    b->config = "PermitRootLogin prohibit-password\n";
    m.password = slice_text("wrong");
    attempt(b, m, SLICE_NONE);
    assert_string_equal(b->text, "PermitRootLogin prohibit-password");
}

static void interactively_one_password_is_asked_for(void **state)
{
    struct bed *b = *state;
    struct role_msg m = {.method = ROLE_AUTH_INTERACTIVE};
    attempt(b, m, slice_of("\0\0\0\x01\0\0\0\x05wrong", 13));
    assert_false(b->is_allowed);
    assert_true(strstr(b->text, "wrong") || strstr(b->text, "root"));
    attempt(b, m, slice_of("\0\0\0\0", 4));
    assert_string_equal(b->text, "one answer was asked for");
    b->config = "KbdInteractiveAuthentication no\n";
    attempt(b, m, slice_of("\0\0\0\x01\0\0\0\x05wrong", 13));
    assert_string_equal(b->text, "KbdInteractiveAuthentication no");
}

/* ---- order ---- */

static void what_comes_out_of_turn_is_not_answered(void **state)
{
    struct bed *b = *state;
    struct buf record;
    struct role_msg m;
    int fd, status;
    buf_init(&record, ROLE_MSG_MAX);
    pid_t pid = start(b, &fd);
    send_question(b, fd, (struct role_msg){.method = ROLE_AUTH_PASSWORD});
    assert_int_equal(receive(fd, &record, &m), ERR_EOF);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_not_equal(status, 0);
    pid = start(b, &fd);
    ask_who(b, fd);
    assert_ok(receive(fd, &record, &m));
    b->as = "another"; /* than was asked about */
    send_question(b, fd, (struct role_msg){.method = ROLE_AUTH_PASSWORD});
    assert_int_equal(receive(fd, &record, &m), ERR_EOF);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_not_equal(status, 0);
    buf_done(&record);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_listed_key_logs_in_with_its_options),
        TEST(a_signature_must_hold_over_what_is_known_here),
        TEST(an_rsa_key_signs_by_what_is_accepted_for_it),
        TEST(the_configuration_s_rules_are_named),
        TEST(what_root_may_is_permit_root_login_s),
        TEST(nobody_logs_in_as_whom_there_is_not),
        TEST(one_key_is_one_step),
        TEST(what_an_earlier_step_restricts_stays_restricted),
        TEST(a_revoked_key_does_not_log_in),
        TEST(an_authority_s_line_lets_its_certificates_in),
        TEST(a_certificate_s_own_limits_hold),
        TEST(a_revoked_authority_certifies_nobody),
        TEST(trusted_authorities_let_in_by_name_or_by_list),
        TEST(touch_and_pin_are_demanded_as_configured),
        TEST(a_keys_command_lists_keys),
        TEST(a_password_needs_its_switch_and_a_right_one),
        TEST(interactively_one_password_is_asked_for),
        TEST(what_comes_out_of_turn_is_not_answered),
    };
    return RUN_TESTS(tests);
}
