/* aditd-sign as the supervisor sees it: what it signs, and what it does not. */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/pubkey.h"
#include "io/ipc_blocking.h"
#include "server/role_msg.h"
#include "tests/unit.h"
#include "wire/writer.h"

static const char *program;

struct fixture {
    char folder[64], *path;
    pid_t pid;
    int fd;
    struct crypto *crypto;
    struct pubkey *key;
    struct buf record;
};

static pid_t run(char *const *argv, int fd)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 01, 0), 0);
    if (fd >= 0)
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fd, 3), 0);
    assert_int_equal(posix_spawn(&pid, program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static enum err receive(struct fixture *f, struct role_msg *m)
{
    int fds[IPC_FDS_MAX];
    size_t count;
    TRY(ipc_recv_blocking(f->fd, &f->record, fds, &count));
    return role_msg_decode(buf_slice(&f->record), ROLE_SIGN, ROLE_SUPERVISOR, m);
}

static void learn_key(struct fixture *f)
{
    struct role_msg m;
    assert_ok(receive(f, &m));
    assert_int_equal(m.kind, ROLE_MSG_HOST_KEY);
    assert_true(slice_is(m.name, "ssh-ed25519"));
    assert_ok(pubkey_parse(&f->key, f->crypto, m.key));
    assert_ok(receive(f, &m));
    assert_int_equal(m.kind, ROLE_MSG_READY);
}

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    int pair[2], status;
    snprintf(f->folder, sizeof(f->folder), "%s", "/tmp/sign_test_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->path = mem_printf("%s/ed25519", f->folder);
    char *make[] = {(char[]){"aditd-sign"}, (char[]){"-m"}, f->path, NULL};
    assert_int_equal(waitpid(run(make, -1), &status, 0) > 0 && status == 0, 1);
    assert_ok(ipc_pair(pair));
    char *serve[] = {(char[]){"aditd-sign"}, f->path, NULL};
    f->pid = run(serve, pair[1]);
    close(pair[1]);
    f->fd = pair[0];
    f->crypto = crypto_new();
    buf_init(&f->record, ROLE_MSG_MAX);
    learn_key(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int status;
    char *public CLEANUP(mem_cleanup) = mem_printf("%s.pub", f->path);
    close(f->fd);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    (void)unlink(f->path);
    (void)unlink(public);
    (void)rmdir(f->folder);
    buf_done(&f->record);
    pubkey_free(f->key);
    crypto_free(f->crypto);
    mem_free(f->path);
    mem_free(f);
    return 0;
}

static void ask(struct fixture *f, const struct role_msg *question, struct role_msg *answer)
{
    struct buf bytes;
    buf_init(&bytes, ROLE_MSG_MAX);
    assert_ok(role_msg_encode(question, &bytes));
    assert_ok(ipc_send_blocking(f->fd, buf_slice(&bytes), NULL, 0));
    buf_done(&bytes);
    assert_ok(receive(f, answer));
    assert_int_equal(answer->connection, question->connection);
}

static void an_exchange_hash_is_signed(void **state)
{
    struct fixture *f = *state;
    uint8_t hash[32] = {1, 2, 3};
    struct role_msg m;
    struct role_msg q = {.kind = ROLE_MSG_SIGN,
                         .connection = 7,
                         .name = slice_text("ssh-ed25519"),
                         .key = pubkey_blob(f->key),
                         .hash = slice_of(hash, sizeof(hash))};
    ask(f, &q, &m);
    assert_int_equal(m.kind, ROLE_MSG_SIGNATURE);
    assert_ok(pubkey_verify(f->key, algo_sign_find(q.name), m.signature, q.hash));
}

/* OpenSSH's PROTOCOL 2.5: the text is the signer's own. */
static void a_proof_is_over_a_text_of_its_own(void **state)
{
    struct fixture *f = *state;
    uint8_t id[32] = {9, 8, 7};
    struct buf text;
    struct writer w;
    struct role_msg m;
    struct role_msg q = {.kind = ROLE_MSG_PROVE,
                         .connection = 8,
                         .tag = 5,
                         .name = slice_text("ssh-ed25519"),
                         .key = pubkey_blob(f->key),
                         .session_id = slice_of(id, sizeof(id))};
    ask(f, &q, &m);
    assert_int_equal(m.kind, ROLE_MSG_PROOF);
    assert_int_equal(m.tag, q.tag);
    buf_init(&text, 4096);
    writer_init(&w, &text);
    writer_text(&w, "hostkeys-prove-00@openssh.com");
    writer_string(&w, q.session_id);
    writer_string(&w, q.key);
    assert_ok(writer_done(&w));
    const struct algo_sign *algo = algo_sign_find(q.name);
    assert_ok(pubkey_verify(f->key, algo, m.signature, buf_slice(&text)));
    assert_int_equal(pubkey_verify(f->key, algo, m.signature, q.session_id), ERR_CRYPTO);
    buf_done(&text);
}

static void what_does_not_fit_gets_an_empty_signature(void **state)
{
    struct fixture *f = *state;
    uint8_t hash[32] = {0};
    struct role_msg m;
    struct role_msg questions[] = {
        {.kind = ROLE_MSG_SIGN, .name = slice_text("rsa-sha2-256"), .key = pubkey_blob(f->key)},
        {.kind = ROLE_MSG_SIGN, .name = slice_text("ssh-rsa"), .key = pubkey_blob(f->key)},
        {.kind = ROLE_MSG_SIGN, .name = slice_text("ssh-ed25519"), .key = slice_text("another")},
        {.kind = ROLE_MSG_PROVE, .name = slice_text("ssh-ed25519"), .key = slice_text("another")},
        {.kind = ROLE_MSG_PROVE, .name = slice_text("no-such"), .key = pubkey_blob(f->key)},
    };
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        questions[i].hash = questions[i].session_id = slice_of(hash, sizeof(hash));
        ask(f, &questions[i], &m);
        assert_int_equal(m.signature.len, 0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_exchange_hash_is_signed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_proof_is_over_a_text_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_gets_an_empty_signature, setup, teardown),
    };
    if (argc != 2)
        return 1;
    program = argv[1];
    return RUN_TESTS(tests);
}
