/* The client's side, fed answers: the order of keys, and servers that claim too much. */
#include "auth/auth_blob.h"
#include "auth/auth_client.h"
#include "tests/unit.h"
#include "wire/msg_auth.h"
#include "wire/msg_transport.h"
#include "wire/numbers.h"

struct bed {
    struct auth_client *a;
    struct auth_client_event event;
    struct buf payload;
};

static void bed_init(struct bed *b)
{
    const struct auth_client_config config = {"ada", "ssh-ed25519,rsa-sha2-512,rsa-sha2-256",
                                              slice_text("session"), slice_text("HOST")};
    *b = (struct bed){.a = auth_client_new(&config)};
    buf_init(&b->payload, 200000);
}

static void bed_done(struct bed *b)
{
    auth_client_free(b->a);
    buf_done(&b->payload);
}

static struct writer begin(struct bed *b)
{
    struct writer w;
    buf_clear(&b->payload);
    writer_init(&w, &b->payload);
    return w;
}

static enum err end(struct bed *b, struct writer *w)
{
    assert_ok(writer_done(w));
    return auth_client_recv(b->a, buf_slice(&b->payload), &b->event);
}

static enum err recv_accept(struct bed *b, const char *service)
{
    struct writer w = begin(b);
    msg_service_encode(&w, SSH_MSG_SERVICE_ACCEPT, service);
    return end(b, &w);
}

static enum err recv_failure(struct bed *b, const char *methods)
{
    struct writer w = begin(b);
    const struct msg_userauth_failure m = {slice_text(methods), false};
    msg_userauth_failure_encode(&w, &m);
    return end(b, &w);
}

static enum err recv_success(struct bed *b)
{
    struct writer w = begin(b);
    msg_userauth_success_encode(&w);
    return end(b, &w);
}

static enum err recv_pk_ok(struct bed *b, const char *algorithm, const char *blob)
{
    struct writer w = begin(b);
    const struct msg_userauth_pk_ok m = {slice_text(algorithm), slice_text(blob)};
    msg_userauth_pk_ok_encode(&w, &m);
    return end(b, &w);
}

/* Takes the next payload and decodes it as a request; false if none waits. */
static bool next_request(struct bed *b, struct msg_userauth_request *m, struct buf *keep)
{
    struct slice payload;
    if (!auth_client_next_payload(b->a, &payload))
        return false;
    buf_clear(keep);
    assert_ok(buf_append_slice(keep, payload));
    auth_client_payload_taken(b->a);
    if (keep->data[keep->start] == SSH_MSG_USERAUTH_REQUEST)
        assert_ok(msg_userauth_request_decode(buf_slice(keep), m));
    return true;
}

/* Up to where the first request is out. */
static void ask_first(struct bed *b, bool with_key)
{
    struct msg_userauth_request m = {0};
    struct buf keep;
    buf_init(&keep, 65536);
    bed_init(b);
    if (with_key)
        assert_true(auth_client_add_key(b->a, "ssh-ed25519", slice_text("KEY")));
    auth_client_begin(b->a);
    assert_true(next_request(b, &m, &keep)); /* SERVICE_REQUEST */
    assert_int_equal(keep.data[keep.start], SSH_MSG_SERVICE_REQUEST);
    assert_false(next_request(b, &m, &keep)); /* nothing is known of the server yet */
    assert_ok(recv_accept(b, "ssh-userauth"));
    assert_true(next_request(b, &m, &keep));
    assert_int_equal(m.method, with_key ? USERAUTH_PUBLICKEY : USERAUTH_NONE);
    assert_false(m.has_signature);
    buf_done(&keep);
}

static void a_key_is_asked_for_signed_and_accepted(void **state)
{
    (void)state;
    struct bed b;
    struct msg_userauth_request m = {0};
    struct buf keep, expected;
    buf_init(&keep, 65536);
    buf_init(&expected, AUTH_BLOB_MAX);
    ask_first(&b, true);
    assert_ok(recv_pk_ok(&b, "ssh-ed25519", "KEY"));
    assert_int_equal(b.event.kind, AUTH_CLIENT_SIGN);
    assert_string_equal(b.event.algorithm->name, "ssh-ed25519");
    const struct auth_blob blob = {.session_id = slice_text("session"),
                                   .user = slice_text("ada"),
                                   .service = slice_text("ssh-connection"),
                                   .algorithm = slice_text("ssh-ed25519"),
                                   .key_blob = slice_text("KEY")};
    assert_ok(auth_blob_build(&blob, &expected));
    assert_true(slice_equal(b.event.data, buf_slice(&expected)));
    auth_client_give_signature(b.a, slice_text("SIG"), &b.event);
    assert_true(next_request(&b, &m, &keep));
    assert_true(m.has_signature && slice_is(m.signature, "SIG"));
    assert_ok(recv_success(&b));
    assert_int_equal(b.event.kind, AUTH_CLIENT_SUCCESS);
    assert_int_equal(recv_success(&b), ERR_PROTOCOL);
    buf_done(&keep);
    buf_done(&expected);
    bed_done(&b);
}

/* The "trivial authentication" attack: a server that lets in who has proven nothing. */
static void success_without_a_signature_is_refused(void **state)
{
    (void)state;
    struct bed b;
    ask_first(&b, true); /* a query is out */
    assert_int_equal(recv_success(&b), ERR_PROTOCOL);
    bed_done(&b);
    ask_first(&b, true);
    assert_ok(recv_pk_ok(&b, "ssh-ed25519", "KEY")); /* asked to sign, not signed yet */
    assert_int_equal(recv_success(&b), ERR_PROTOCOL);
    bed_done(&b);
    bed_init(&b);
    assert_true(auth_client_add_key(b.a, "ssh-ed25519", slice_text("KEY")));
    auth_client_begin(b.a); /* nothing was asked at all */
    assert_int_equal(recv_success(&b), ERR_PROTOCOL);
    bed_done(&b);
}

static void without_keys_none_may_succeed(void **state)
{
    (void)state;
    struct bed b;
    ask_first(&b, false);
    assert_ok(recv_success(&b));
    assert_int_equal(b.event.kind, AUTH_CLIENT_SUCCESS);
    bed_done(&b);
}

static void an_answer_about_another_key_is_refused(void **state)
{
    (void)state;
    struct bed b;
    ask_first(&b, true);
    assert_int_equal(recv_pk_ok(&b, "ssh-ed25519", "YEK"), ERR_PROTOCOL);
    bed_done(&b);
    ask_first(&b, false); /* none was asked */
    assert_int_equal(recv_pk_ok(&b, "ssh-ed25519", "KEY"), ERR_PROTOCOL);
    bed_done(&b);
    ask_first(&b, true);
    assert_ok(recv_pk_ok(&b, "ssh-ed25519", "KEY"));
    assert_int_equal(recv_pk_ok(&b, "ssh-ed25519", "KEY"), ERR_PROTOCOL); /* twice */
    bed_done(&b);
}

static void keys_are_tried_in_order_until_none_is_left(void **state)
{
    (void)state;
    struct bed b;
    struct msg_userauth_request m = {0};
    struct buf keep;
    buf_init(&keep, 65536);
    bed_init(&b);
    assert_true(auth_client_add_key(b.a, "ssh-ed25519", slice_text("A")));
    assert_false(auth_client_add_key(b.a, "ecdsa-sha2-nistp256", slice_text("B")));
    assert_true(auth_client_add_key(b.a, "ssh-rsa", slice_text("C")));
    auth_client_set_extensions(b.a, true, slice_text("rsa-sha2-256,ssh-ed25519"), true);
    auth_client_begin(b.a);
    assert_true(next_request(&b, &m, &keep)); /* SERVICE_REQUEST */
    assert_true(next_request(&b, &m, &keep)); /* and, as extensions are known, the first key */
    assert_int_equal(m.method, USERAUTH_PUBLICKEY_HOSTBOUND);
    assert_true(slice_is(m.key_blob, "A") && slice_is(m.host_key, "HOST"));
    assert_ok(recv_accept(&b, "ssh-userauth"));
    assert_ok(recv_failure(&b, "publickey,password"));
    assert_int_equal(b.event.kind, AUTH_CLIENT_REFUSED);
    assert_int_equal(b.event.key, 0);
    assert_true(slice_is(b.event.methods, "publickey,password"));
    assert_true(next_request(&b, &m, &keep));
    assert_true(slice_is(m.key_blob, "C"));
    assert_true(slice_is(m.algorithm, "rsa-sha2-256")); /* what the server takes too */
    assert_ok(recv_pk_ok(&b, "rsa-sha2-256", "C"));
    auth_client_give_signature(b.a, SLICE_NONE, &b.event); /* the agent refused */
    assert_int_equal(b.event.kind, AUTH_CLIENT_FAILED);
    assert_true(slice_is(b.event.methods, "publickey,password"));
    assert_false(next_request(&b, &m, &keep));
    assert_int_equal(recv_failure(&b, "publickey"), ERR_PROTOCOL); /* nothing was asked */
    buf_done(&keep);
    bed_done(&b);
}

/* What is signed and what is sent must be the same request, whatever comes in between. */
static void extensions_that_change_midway_leave_a_key_as_asked(void **state)
{
    (void)state;
    for (int before = 0; before < 2; before++) {
        struct bed b;
        struct msg_userauth_request m = {0};
        struct buf keep, expected;
        buf_init(&keep, 65536);
        buf_init(&expected, AUTH_BLOB_MAX);
        bed_init(&b);
        assert_true(auth_client_add_key(b.a, "ssh-ed25519", slice_text("KEY")));
        assert_true(auth_client_add_key(b.a, "ssh-ed25519", slice_text("NEXT")));
        auth_client_set_extensions(b.a, false, SLICE_NONE, before);
        auth_client_begin(b.a);
        assert_true(next_request(&b, &m, &keep)); /* SERVICE_REQUEST */
        assert_true(next_request(&b, &m, &keep));
        enum userauth_method asked = m.method;
        assert_int_equal(asked, before ? USERAUTH_PUBLICKEY_HOSTBOUND : USERAUTH_PUBLICKEY);
        assert_ok(recv_accept(&b, "ssh-userauth"));
        auth_client_set_extensions(b.a, false, SLICE_NONE, !before);
        assert_ok(recv_pk_ok(&b, "ssh-ed25519", "KEY"));
        const struct auth_blob blob = {.session_id = slice_text("session"),
                                       .user = slice_text("ada"),
                                       .service = slice_text("ssh-connection"),
                                       .algorithm = slice_text("ssh-ed25519"),
                                       .key_blob = slice_text("KEY"),
                                       .host_key = before ? slice_text("HOST") : SLICE_NONE};
        assert_ok(auth_blob_build(&blob, &expected));
        assert_true(slice_equal(b.event.data, buf_slice(&expected)));
        auth_client_set_extensions(b.a, false, SLICE_NONE, before);
        auth_client_set_extensions(b.a, false, SLICE_NONE, !before);
        auth_client_give_signature(b.a, slice_text("SIG"), &b.event);
        assert_true(next_request(&b, &m, &keep));
        assert_int_equal(m.method, asked);
        assert_ok(recv_failure(&b, "publickey"));
        assert_true(next_request(&b, &m, &keep)); /* the next key follows the newest word */
        assert_int_equal(m.method, before ? USERAUTH_PUBLICKEY : USERAUTH_PUBLICKEY_HOSTBOUND);
        buf_done(&keep);
        buf_done(&expected);
        bed_done(&b);
    }
}

static void messages_out_of_order_are_refused(void **state)
{
    (void)state;
    static const uint8_t numbers[] = {SSH_MSG_USERAUTH_REQUEST, SSH_MSG_SERVICE_REQUEST, 61, 255};
    struct bed b;
    bed_init(&b);
    assert_int_equal(recv_accept(&b, "ssh-userauth"), ERR_PROTOCOL); /* not asked yet */
    bed_done(&b);
    bed_init(&b);
    auth_client_begin(b.a);
    assert_int_equal(recv_accept(&b, "ssh-connection"), ERR_PROTOCOL);
    bed_done(&b);
    ask_first(&b, true);
    assert_int_equal(recv_accept(&b, "ssh-userauth"), ERR_PROTOCOL); /* again */
    bed_done(&b);
    bed_init(&b);
    auth_client_begin(b.a);
    assert_int_equal(recv_failure(&b, "publickey"), ERR_PROTOCOL);
    bed_done(&b);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        ask_first(&b, true);
        assert_int_equal(auth_client_recv(b.a, slice_of(&numbers[i], 1), &b.event), ERR_PROTOCOL);
        bed_done(&b);
    }
}

static void lists_of_methods_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"a,,b", ",", "public key", "a\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct bed b;
        ask_first(&b, true);
        assert_int_equal(recv_failure(&b, bad[i]), ERR_FORMAT);
        bed_done(&b);
    }
    struct bed b;
    ask_first(&b, true);
    assert_ok(recv_failure(&b, ""));
    bed_done(&b);
}

static void banners_come_through_any_time(void **state)
{
    (void)state;
    struct bed b;
    ask_first(&b, true);
    struct writer w = begin(&b);
    msg_userauth_banner_encode(&w, slice_text("Welcome.\n"));
    assert_ok(end(&b, &w));
    assert_int_equal(b.event.kind, AUTH_CLIENT_BANNER);
    assert_true(slice_is(b.event.data, "Welcome.\n"));
    assert_ok(recv_pk_ok(&b, "ssh-ed25519", "KEY"));
    bed_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_asked_for_signed_and_accepted),
        cmocka_unit_test(success_without_a_signature_is_refused),
        cmocka_unit_test(without_keys_none_may_succeed),
        cmocka_unit_test(an_answer_about_another_key_is_refused),
        cmocka_unit_test(keys_are_tried_in_order_until_none_is_left),
        cmocka_unit_test(extensions_that_change_midway_leave_a_key_as_asked),
        cmocka_unit_test(messages_out_of_order_are_refused),
        cmocka_unit_test(lists_of_methods_are_checked),
        cmocka_unit_test(banners_come_through_any_time),
    };
    return RUN_TESTS(tests);
}
