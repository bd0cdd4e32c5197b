/* An agent that a child of ours plays: what it answers is hostile, late, or right. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/agent.h"
#include "tests/unit.h"
#include "wire/reader.h"
#include "wire/writer.h"

struct stage {
    char folder[32];
    struct sockaddr_un address;
    int listener;
    struct buf request;
};

static int setup(void **state)
{
    struct stage *s = NEW(struct stage);
    snprintf(s->folder, sizeof(s->folder), "/tmp/adit-agent-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    s->address.sun_family = AF_UNIX;
    snprintf(s->address.sun_path, sizeof(s->address.sun_path), "%s/sock", s->folder);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&s->address, sizeof(s->address)), 0);
    assert_int_equal(listen(s->listener, 4), 0);
    buf_init(&s->request, AGENT_MSG_MAX);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    close(s->listener);
    assert_int_equal(unlink(s->address.sun_path), 0);
    assert_int_equal(rmdir(s->folder), 0);
    buf_done(&s->request);
    mem_free(s);
    return 0;
}

/* Takes one question on the next connection and answers so; the child's status is the question's
 * first byte. */
static pid_t play(struct stage *s, struct slice answer)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    uint8_t question[4096];
    int fd = accept(s->listener, NULL, NULL);
    ssize_t n = 0;
    while (n < 5 || (size_t)n < 4 + (size_t)get_u32(question)) {
        ssize_t got = recv(fd, question + n, sizeof(question) - (size_t)n, 0);
        if (got <= 0)
            _exit(0);
        n += got;
    }
    if (answer.len && send(fd, answer.ptr, answer.len, MSG_NOSIGNAL) < 0)
        _exit(0);
    _exit(question[4]);
}

static int played(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void framed(struct buf *out, struct slice body)
{
    struct writer w;
    writer_init(&w, out);
    writer_string(&w, body);
    assert_ok(writer_done(&w));
}

static void identities(struct buf *out, uint32_t count)
{
    struct buf body;
    struct writer w;
    buf_init(&body, 4096);
    writer_init(&w, &body);
    writer_u8(&w, 12);
    writer_u32(&w, count);
    writer_text(&w, "blob one");
    writer_text(&w, "first");
    writer_text(&w, "blob two");
    writer_text(&w, "");
    assert_ok(writer_done(&w));
    framed(out, buf_slice(&body));
    buf_done(&body);
}

static enum err list_from(struct stage *s, struct slice answer, struct agent_keys *keys)
{
    struct agent *a;
    pid_t pid = play(s, answer);
    assert_ok(agent_connect(&a, s->address.sun_path));
    enum err err = agent_list(a, keys);
    /* Whatever it was, a broken conversation is over, and says so. */
    struct agent_keys again;
    assert_int_equal(agent_list(a, &again) == OK, false);
    agent_free(a);
    assert_int_equal(played(pid), 11);
    return err;
}

static void keys_are_listed_with_their_comments(void **state)
{
    struct stage *s = *state;
    struct agent_keys keys;
    struct buf answer;
    buf_init(&answer, 4096);
    identities(&answer, 2);
    assert_ok(list_from(s, buf_slice(&answer), &keys));
    assert_int_equal(keys.count, 2);
    assert_true(slice_is(buf_slice(&keys.items[1].blob), "blob two"));
    assert_string_equal(keys.items[0].comment, "first");
    agent_keys_done(&keys);
    buf_done(&answer);
}

/* Cut at any length, on the wire and inside: never keys, never a wait. */
static void cut_answers_are_no_keys(void **state)
{
    struct stage *s = *state;
    struct agent_keys keys;
    struct buf whole, cut;
    buf_init(&whole, 4096);
    buf_init(&cut, 4096);
    identities(&whole, 2);
    struct slice bytes = buf_slice(&whole);
    for (size_t n = 0; n < bytes.len; n++) {
        assert_true(list_from(s, slice_of(bytes.ptr, n), &keys) != OK);
        if (n < 4)
            continue;
        buf_clear(&cut);
        framed(&cut, slice_of(bytes.ptr + 4, n - 4));
        assert_true(list_from(s, buf_slice(&cut), &keys) != OK);
        assert_int_equal(keys.count, 0);
    }
    buf_done(&whole);
    buf_done(&cut);
}

static void counts_and_lengths_that_lie_are_refused(void **state)
{
    struct stage *s = *state;
    struct agent_keys keys;
    static const uint32_t counts[] = {0, 1, 3, AGENT_KEYS_MAX + 1, UINT32_MAX};
    static const char *const frames[] = {"\xff\xff\xff\xff", "\0\4\0\1", "\0\0\0\0"};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct buf answer;
        buf_init(&answer, 4096);
        identities(&answer, counts[i]);
        assert_true(list_from(s, buf_slice(&answer), &keys) != OK);
        buf_done(&answer);
    }
    for (size_t i = 0; i < ARRAY_LEN(frames); i++)
        assert_int_equal(list_from(s, slice_of(frames[i], 4), &keys), ERR_LIMIT);
}

/* What is said to the agent, and that its no is a no. */
static void a_host_is_told_and_may_be_refused(void **state)
{
    struct stage *s = *state;
    static const struct {
        const char *answer;
        size_t length;
        enum err err;
    } rows[] = {
        {"\0\0\0\1\6", 5, OK},
        {"\0\0\0\1\5", 5, ERR_UNSUPPORTED},
        {"\0\0\0\1\34", 5, ERR_UNSUPPORTED},
        {"\0\0\0\2\6\6", 6, ERR_UNSUPPORTED},
        {"", 0, ERR_EOF},
    };
    const struct agent_session session = {slice_text("host"), slice_text("id"), slice_text("sig"),
                                          true};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct agent *a;
        pid_t pid = play(s, slice_of(rows[i].answer, rows[i].length));
        assert_ok(agent_connect(&a, s->address.sun_path));
        assert_int_equal(agent_bind_session(a, &session), rows[i].err);
        agent_free(a);
        assert_int_equal(played(pid), 27);
    }
}

static void the_message_about_a_host_is_as_protocol_agent_has_it(void **state)
{
    struct stage *s = *state;
    const struct agent_session session = {slice_text("host"), slice_text("id"), slice_text("sig"),
                                          true};
    struct reader r;
    assert_ok(agent_msg_bind(&session, &s->request));
    reader_init(&r, buf_slice(&s->request));
    assert_int_equal(reader_u8(&r), 27);
    assert_true(slice_is(reader_string(&r), "session-bind@openssh.com"));
    assert_true(slice_is(reader_string(&r), "host"));
    assert_true(slice_is(reader_string(&r), "id"));
    assert_true(slice_is(reader_string(&r), "sig"));
    assert_int_equal(reader_u8(&r), 1);
    assert_ok(reader_done(&r));
}

static void a_key_is_given_with_its_constraints(void **state)
{
    struct stage *s = *state;
    static const struct {
        struct agent_constraints constraints;
        int number;
    } rows[] = {{{0, false}, 17}, {{60, false}, 25}, {{0, true}, 25}};
    struct crypto *c = crypto_new();
    struct privkey *key;
    assert_ok(privkey_generate(&key, c, KEY_ED25519, 0));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct agent *a;
        pid_t pid = play(s, slice_of("\0\0\0\1\6", 5));
        assert_ok(agent_connect(&a, s->address.sun_path));
        assert_ok(agent_add(a, key, "comment", &rows[i].constraints));
        agent_free(a);
        assert_int_equal(played(pid), rows[i].number);
    }
    privkey_free(key);
    crypto_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_are_listed_with_their_comments, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_answers_are_no_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_and_lengths_that_lie_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_host_is_told_and_may_be_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_message_about_a_host_is_as_protocol_agent_has_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_key_is_given_with_its_constraints, setup, teardown),
    };
    return RUN_TESTS(tests);
}
