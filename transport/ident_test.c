/* The identification exchange: what is one, its limits, and what is said to who sends none. */
#include "tests/unit.h"
#include "transport/internal.h"

struct fixture {
    struct crypto *crypto;
    struct rng *rng;
};

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->crypto = crypto_new();
    f->rng = rng_new_seeded(1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    rng_free(f->rng);
    crypto_free(f->crypto);
    mem_free(f);
    return 0;
}

static struct transport *transport_of(struct fixture *f, enum transport_role role)
{
    const struct transport_config config = {.role = role,
                                            .crypto = f->crypto,
                                            .rng = f->rng,
                                            .ident = "SSH-2.0-test",
                                            .kex = "curve25519-sha256",
                                            .host_key = "ssh-ed25519",
                                            .cipher = "aes128-ctr",
                                            .mac = "hmac-sha2-256"};
    return transport_new(&config, 1);
}

static void feed(struct transport *t, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    while (n) {
        struct iovec room;
        assert_ok(transport_recv_room(t, n, &room));
        size_t piece = MIN(n, room.iov_len);
        memcpy(room.iov_base, at, piece);
        transport_recv_commit(t, piece);
        at += piece;
        n -= piece;
    }
}

/* Gives the bytes in one piece or one by one; the kind of the last event that says anything. */
static enum transport_event_kind outcome(struct transport *t, const char *text, size_t n,
                                         bool bytewise, char *ident, size_t *banners)
{
    enum transport_event_kind last = TRANSPORT_NONE;
    for (size_t at = 0; at < n;) {
        size_t piece = bytewise ? 1 : n;
        struct transport_event event;
        feed(t, text + at, piece);
        at += piece;
        for (;;) {
            transport_next(t, &event, 1);
            if (event.kind == TRANSPORT_NONE)
                break;
            last = event.kind;
            *banners += event.kind == TRANSPORT_BANNER ? 1 : 0;
            if (event.kind == TRANSPORT_IDENT)
                memcpy(ident, event.text.ptr, event.text.len + 1);
            if (event.kind == TRANSPORT_IDENT || event.kind == TRANSPORT_FAILED)
                return event.kind;
        }
    }
    return last;
}

#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X240 X50 X50 X50 X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void lines_are_taken_or_refused(void **state)
{
    static const struct {
        enum transport_role role; /* ours */
        const char *text;
        enum transport_event_kind kind;
        const char *ident;
        enum err err;
    } rows[] = {
        {TRANSPORT_SERVER, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", TRANSPORT_IDENT,
         "SSH-2.0-OpenSSH_9.2p1 Debian-2", OK},
        {TRANSPORT_SERVER, "SSH-2.0-bare\n", TRANSPORT_IDENT, "SSH-2.0-bare", OK},
        {TRANSPORT_SERVER, "SSH-2.0-\r\n", TRANSPORT_IDENT, "SSH-2.0-", OK},
        {TRANSPORT_SERVER, "SSH-1.5-old\n", TRANSPORT_FAILED, NULL, ERR_UNSUPPORTED},
        {TRANSPORT_SERVER, "SSH-1.99-both\r\n", TRANSPORT_FAILED, NULL, ERR_UNSUPPORTED},
        {TRANSPORT_SERVER, "SSH-2.1-new\r\n", TRANSPORT_FAILED, NULL, ERR_UNSUPPORTED},
        {TRANSPORT_SERVER, "SSH-20.0-x\r\n", TRANSPORT_FAILED, NULL, ERR_UNSUPPORTED},
        {TRANSPORT_SERVER,
         "SSH-2.0-a\x01"
         "b\r\n",
         TRANSPORT_FAILED, NULL, ERR_FORMAT},
        {TRANSPORT_SERVER, "SSH-2.0-a\rb\r\n", TRANSPORT_FAILED, NULL, ERR_FORMAT},
        {TRANSPORT_SERVER, "SSH-2.0-a\x1b[2J\n", TRANSPORT_FAILED, NULL, ERR_FORMAT},
        {TRANSPORT_SERVER, "GET / HTTP/1.1\r\n", TRANSPORT_FAILED, NULL, ERR_FORMAT},
        {TRANSPORT_SERVER, "G", TRANSPORT_FAILED, NULL, ERR_FORMAT}, /* no need to wait */
        {TRANSPORT_SERVER, "\n", TRANSPORT_FAILED, NULL, ERR_FORMAT},
        {TRANSPORT_SERVER, "ssh-2.0-lower\n", TRANSPORT_FAILED, NULL, ERR_FORMAT},
        {TRANSPORT_SERVER, "SSH", TRANSPORT_NONE, NULL, OK},
        {TRANSPORT_SERVER, "banner\r\nSSH-2.0-x\r\n", TRANSPORT_FAILED, NULL, ERR_FORMAT},
        {TRANSPORT_SERVER, "SSH-2.0-" X240 "12345\r\n", TRANSPORT_IDENT, "SSH-2.0-" X240 "12345",
         OK}, /* 255 with CR LF */
        {TRANSPORT_SERVER, "SSH-2.0-" X240 "123456\r\n", TRANSPORT_FAILED, NULL, ERR_LIMIT},
        {TRANSPORT_SERVER, "SSH-2.0-" X240 X50, TRANSPORT_FAILED, NULL, ERR_LIMIT},
        {TRANSPORT_CLIENT, "SSH-2.0-server\r\n", TRANSPORT_IDENT, "SSH-2.0-server", OK},
        {TRANSPORT_CLIENT, "SSH-1.99-both\r\n", TRANSPORT_IDENT, "SSH-1.99-both", OK},
        {TRANSPORT_CLIENT, "SSH-1.5-old\r\n", TRANSPORT_FAILED, NULL, ERR_UNSUPPORTED},
        {TRANSPORT_CLIENT, "SSH-2.0-" X240 "123456\r\n", TRANSPORT_FAILED, NULL, ERR_LIMIT},
        {TRANSPORT_CLIENT, "hello\r\n", TRANSPORT_BANNER, NULL, OK},
        {TRANSPORT_CLIENT, "hello\r\n\nSSH-2.0-x\n", TRANSPORT_IDENT, "SSH-2.0-x", OK},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        size_t row = i / 2, banners = 0;
        char ident[IDENT_LINE_MAX + 1];
        struct transport *t = transport_of(*state, rows[row].role);
        enum transport_event_kind kind =
            outcome(t, rows[row].text, strlen(rows[row].text), i % 2, ident, &banners);
        if (kind != rows[row].kind)
            fail_msg("%s: event %d", rows[row].text, (int)kind);
        assert_int_equal(transport_fault(t).code, rows[row].err);
        if (rows[row].ident) {
            assert_string_equal(ident, rows[row].ident);
            assert_true(slice_is(transport_peer_ident(t), rows[row].ident));
        }
        transport_free(t);
    }
}

static void who_does_not_speak_ssh_is_told_in_openssh_s_words(void **state)
{
    static const char refusal[] = "Invalid SSH identification string.\r\n";
    char ident[IDENT_LINE_MAX + 1];
    size_t banners = 0;
    struct transport *t = transport_of(*state, TRANSPORT_SERVER);
    assert_int_equal(outcome(t, "GET /\n", 6, false, ident, &banners), TRANSPORT_FAILED);
    assert_true(slice_is(transport_output(t), refusal));
    transport_free(t);
    t = transport_of(*state, TRANSPORT_CLIENT);
    assert_int_equal(outcome(t, "SSH-1.5-x\n", 10, false, ident, &banners), TRANSPORT_FAILED);
    assert_int_equal(transport_output(t).len, 0);
    transport_free(t);
}

static void banner_lines_are_bounded_for_a_client(void **state)
{
    char ident[IDENT_LINE_MAX + 1];
    size_t banners = 0;
    struct transport *t = transport_of(*state, TRANSPORT_CLIENT);
    for (size_t i = 0; i < BANNER_LINES_MAX; i++)
        assert_int_equal(outcome(t, "x\n", 2, false, ident, &banners), TRANSPORT_BANNER);
    assert_int_equal(banners, BANNER_LINES_MAX);
    assert_int_equal(outcome(t, "x\n", 2, false, ident, &banners), TRANSPORT_FAILED);
    transport_free(t);

    char *line CLEANUP(mem_cleanup) = mem_new(BANNER_LINE_MAX + 1, 1);
    memset(line, 'x', BANNER_LINE_MAX + 1);
    t = transport_of(*state, TRANSPORT_CLIENT);
    assert_int_equal(outcome(t, line, BANNER_LINE_MAX, false, ident, &banners), TRANSPORT_NONE);
    assert_int_equal(outcome(t, line, 1, false, ident, &banners), TRANSPORT_FAILED);
    assert_int_equal(transport_fault(t).code, ERR_LIMIT);
    transport_free(t);

    line[BANNER_LINE_MAX - 1] = '\n';
    t = transport_of(*state, TRANSPORT_CLIENT);
    assert_int_equal(outcome(t, line, BANNER_LINE_MAX, false, ident, &banners), TRANSPORT_BANNER);
    transport_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_taken_or_refused),
        cmocka_unit_test(who_does_not_speak_ssh_is_told_in_openssh_s_words),
        cmocka_unit_test(banner_lines_are_bounded_for_a_client),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
