/*
 * aditd-sign: holds the host's private keys and signs exchange hashes and, for a client that wants
 * to learn all of the host's keys, proofs whose text it builds itself. Nothing else: it reads no
 * network byte and answers one descriptor, the supervisor's. An agent may hold keys for it
 * (HostKeyAgent). With -t it only says whether the keys load; with -m it makes those missing.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/agent_msg.h"
#include "crypto/legacy.h"
#include "io/frame_blocking.h"
#include "io/ipc_blocking.h"
#include "server/role.h"
#include "server/role_sandbox.h"
#include "server/sign_keys.h"
#include "wire/writer.h"

#define COMEBACK_FD    4     /* listens where the next supervisor looks for us */
#define COMEBACK_MS    60000 /* how long it is waited for */
#define PROOF_TEXT     "hostkeys-prove-00@openssh.com"
#define PROOF_TEXT_MAX (ROLE_MSG_KEY_MAX + 256)

enum mode { MODE_SERVE, MODE_TEST, MODE_MAKE };

struct signer {
    struct sign_keys keys;
    enum mode mode;
    bool is_default;       /* nobody named the paths: a missing file is no fault */
    bool may_use_sha1;     /* HostKeyAlgorithms names ssh-rsa or ssh-dss */
    bool is_sandboxed;     /* the first message says what to become */
    int fd;                /* to the supervisor */
    const char *keys_text; /* what a supervisor knows its keys again by; NULL: none comes back */
};

/* ---- signing ---- */

static const struct algo_sign *find_algorithm(const struct signer *s, struct slice name)
{
    const struct algo_sign *algo = algo_sign_find(name);
    return algo || !s->may_use_sha1 ? algo : legacy_sign_find(name);
}

static enum err sign_by_agent(const struct signer *s, const struct sign_key *key,
                              const struct algo_sign *algo, struct slice data,
                              struct buf *signature)
{
    struct buf request, answer;
    buf_init(&request, AGENT_MSG_MAX);
    buf_init(&answer, AGENT_MSG_MAX);
    enum err err = agent_msg_sign(pubkey_blob(key->public), algo, data, &request);
    if (err == OK)
        err = frame_ask(s->keys.agent_fd, buf_slice(&request), FRAME_FOR_EVER, &answer);
    if (err == OK)
        err = agent_msg_signature(buf_slice(&answer), signature);
    /* What the agent gives out in the host's name is looked at first. */
    if (err == OK)
        err = pubkey_verify(key->public, algo, buf_slice(signature), data);
    buf_done(&request);
    buf_done(&answer);
    return err;
}

/* An empty signature is the answer to whatever does not fit. */
static void sign(const struct signer *s, const struct role_msg *m, struct slice data,
                 struct buf *signature)
{
    const struct algo_sign *algo = find_algorithm(s, m->name);
    const struct sign_key *key = sign_keys_find(&s->keys, m->key);
    if (!algo || !key || algo->kind != pubkey_kind(key->public)) {
        log_error("refused to sign: algorithm and host key do not fit");
        return;
    }
    enum err err = key->private ? privkey_sign(key->private, algo, data, signature)
                                : sign_by_agent(s, key, algo, data, signature);
    if (err != OK) {
        log_error("could not sign with the %s host key%s: %s", algo->key_type,
                  key->private ? "" : " in the agent", err_name(err));
        buf_clear(signature);
    }
}

/* OpenSSH's PROTOCOL 2.5. No caller chooses these bytes, so they can be no exchange hash. */
static void prove(const struct signer *s, const struct role_msg *m, struct buf *signature)
{
    const struct sign_key *key = sign_keys_find(&s->keys, m->key);
    struct buf text;
    struct writer w;
    if (!key || !slice_equal(pubkey_blob(key->public), m->key))
        return; /* certificates are not proven: their keys are */
    buf_init(&text, PROOF_TEXT_MAX);
    writer_init(&w, &text);
    writer_text(&w, PROOF_TEXT);
    writer_string(&w, m->session_id);
    writer_string(&w, m->key);
    if (writer_done(&w) == OK)
        sign(s, m, buf_slice(&text), signature);
    buf_done(&text);
}

/* ---- serving ---- */

static enum err tell_key(int fd, const char *type, struct slice blob)
{
    struct role_msg m = {.kind = ROLE_MSG_HOST_KEY, .name = slice_text(type), .key = blob};
    return role_send(fd, &m);
}

static enum err tell_keys(int fd, const struct sign_keys *s)
{
    for (size_t i = 0; i < s->count; i++)
        TRY(tell_key(fd, pubkey_type_name(s->keys[i].public), pubkey_blob(s->keys[i].public)));
    for (size_t i = 0; i < s->cert_count; i++) {
        char *type CLEANUP(mem_cleanup) = cert_type_name(s->certs[i].cert);
        TRY(tell_key(fd, type, cert_blob(s->certs[i].cert)));
    }
    return role_send(fd, &(struct role_msg){.kind = ROLE_MSG_READY});
}

static enum err answer_one(const struct signer *s, const struct role_msg *m)
{
    struct buf signature;
    struct role_msg answer = {.connection = m->connection, .tag = m->tag};
    buf_init(&signature, ROLE_MSG_SIGNATURE_MAX);
    if (m->kind == ROLE_MSG_PROVE) {
        prove(s, m, &signature);
        answer.kind = ROLE_MSG_PROOF;
    } else {
        sign(s, m, m->hash, &signature);
        answer.kind = ROLE_MSG_SIGNATURE;
    }
    answer.signature = buf_slice(&signature);
    enum err err = role_send(s->fd, &answer);
    buf_done(&signature);
    return err;
}

static enum err serve_one(const struct signer *s, struct buf *record)
{
    int fds[IPC_FDS_MAX];
    size_t fd_count = 0;
    struct role_msg m;
    TRY(ipc_recv_blocking(s->fd, record, fds, &fd_count));
    ipc_close_fds(fds, fd_count);
    TRY(role_msg_decode(buf_slice(record), ROLE_SUPERVISOR, ROLE_SIGN, &m));
    if (m.kind == ROLE_MSG_KILL)
        return ERR_CANCELLED; /* no supervisor will come after this one */
    if (m.kind != ROLE_MSG_SIGN && m.kind != ROLE_MSG_PROVE)
        return ERR_PROTOCOL;
    return answer_one(s, &m);
}

/* Files and the agent's socket were opened before; nothing is asked of the world any more. */
static enum err lock_in(void)
{
    struct sandbox *sandbox = sandbox_prepare(SANDBOX_SIGN);
    enum err err = sandbox ? role_enter_sandbox(ROLE_IPC_FD, ROLE_SIGN, sandbox) : ERR_IO;
    sandbox_free(sandbox);
    return err;
}

/* The supervisor is gone. For a while the next one finds us where the last one made the place. */
static enum err wait_for_supervisor(struct signer *s)
{
    struct pollfd polled = {.fd = COMEBACK_FD, .events = POLLIN};
    close(s->fd);
    s->fd = -1;
    if (!s->keys_text || poll(&polled, 1, COMEBACK_MS) <= 0)
        return ERR_EOF;
    s->fd = accept4(COMEBACK_FD, NULL, NULL, SOCK_CLOEXEC);
    if (s->fd < 0)
        return ERR_IO;
    log_info("a supervisor is there again: the host keys stay where they are");
    TRY(role_send(s->fd,
                  &(struct role_msg){.kind = ROLE_MSG_REGISTER, .unit = slice_text(s->keys_text)}));
    return tell_keys(s->fd, &s->keys);
}

static int serve(struct signer *s)
{
    struct buf record;
    buf_init(&record, ROLE_MSG_MAX);
    enum err err = s->is_sandboxed ? lock_in() : OK;
    if (err == OK)
        err = tell_keys(s->fd, &s->keys);
    while (err == OK) {
        err = serve_one(s, &record);
        if (err == ERR_EOF)
            err = wait_for_supervisor(s);
    }
    buf_done(&record);
    if (err == ERR_CANCELLED)
        err = ERR_EOF;
    if (err != ERR_EOF)
        log_error("aditd-sign ends: %s", err_name(err));
    return err == ERR_EOF ? 0 : 1;
}

/* ---- starting ---- */

/* "SSH_AUTH_SOCK" is OpenSSH's word for the agent of whoever started the server. */
static void connect_agent(struct signer *s, const char *path)
{
    if (strcmp(path, "SSH_AUTH_SOCK") == 0)
        path = getenv("SSH_AUTH_SOCK");
    if (!path || frame_connect(path, FRAME_FOR_EVER, &s->keys.agent_fd) != OK)
        log_error("Could not connect to agent \"%s\"", path ? path : "SSH_AUTH_SOCK");
}

static int run(struct signer *s, char **paths, char *const *certificates)
{
    bool all_made = true;
    for (; *paths; paths++) {
        if (s->mode == MODE_MAKE)
            all_made = sign_keys_make(s->keys.crypto, *paths) == OK && all_made;
        else
            (void)sign_keys_load(&s->keys, *paths, s->is_default); /* the others may do */
    }
    if (s->mode == MODE_MAKE)
        return all_made ? 0 : 1;
    for (; *certificates; certificates++)
        (void)sign_keys_load_certificate(&s->keys, *certificates);
    if (s->mode == MODE_TEST)
        return s->keys.count ? 0 : 1;
    /* Best effort, as RLIMIT_MEMLOCK may be small; not MCL_FUTURE, which makes allocations fail. */
    (void)mlockall(MCL_CURRENT);
    return serve(s);
}

/*
 * -q: default paths; -1: SHA-1 may be signed; -s: a sandbox; -R TEXT: wait for another supervisor;
 * -c CERTIFICATE; -a AGENT. The first that is left.
 */
static int read_arguments(struct signer *s, int argc, char **argv, int i, char **certificates)
{
    size_t count = 0;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-t") == 0)
            s->mode = MODE_TEST;
        else if (strcmp(argv[i], "-m") == 0)
            s->mode = MODE_MAKE;
        else if (strcmp(argv[i], "-q") == 0)
            s->is_default = true;
        else if (strcmp(argv[i], "-1") == 0)
            s->may_use_sha1 = true;
        else if (strcmp(argv[i], "-s") == 0)
            s->is_sandboxed = true;
        else if (strcmp(argv[i], "-R") == 0 && i + 1 < argc)
            s->keys_text = argv[++i];
        else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc && count < SIGN_KEYS_MAX)
            certificates[count++] = argv[++i];
        else if (strcmp(argv[i], "-a") == 0 && i + 1 < argc)
            connect_agent(s, argv[++i]);
        else
            return -1;
    }
    return i;
}

int main(int argc, char **argv)
{
    struct signer s = {.keys = {.agent_fd = -1}, .fd = ROLE_IPC_FD};
    char *certificates[SIGN_KEYS_MAX + 1] = {NULL};
    int i = role_start(argc, argv, "aditd-sign");
    i = read_arguments(&s, argc, argv, i, certificates);
    if (i < 0)
        return 1;
    struct crypto *crypto = crypto_new();
    if (!crypto) {
        log_fatal("libcrypto lacks an algorithm that is needed");
        return 1;
    }
    s.keys.crypto = crypto;
    int status = run(&s, argv + i, certificates);
    sign_keys_done(&s.keys);
    crypto_free(crypto);
    return status;
}
