/* The server's side, fed requests: order, users, tries, and what it asks. */
#include "auth/auth_server.h"
#include "tests/unit.h"
#include "wire/msg_auth.h"
#include "wire/msg_transport.h"
#include "wire/namelist.h"
#include "wire/numbers.h"

static void encode_password_change(struct writer *w)
{
    writer_u8(w, SSH_MSG_USERAUTH_REQUEST);
    writer_text(w, "ada");
    writer_text(w, "ssh-connection");
    writer_text(w, "password");
    writer_bool(w, true);
    writer_text(w, "old");
    writer_text(w, "new");
}

struct bed {
    struct auth_server *a;
    struct auth_server_event event;
    const char *methods; /* WHO is answered by these two */
    struct slice banner;
};

static const struct msg_userauth_request query = {
    .user = {(const uint8_t *)"ada", 3},
    .service = {(const uint8_t *)"ssh-connection", 14},
    .method = USERAUTH_PUBLICKEY,
    .algorithm = {(const uint8_t *)"ssh-ed25519", 11},
    .key_blob = {(const uint8_t *)"KEY", 3},
};

static void bed_init(struct bed *b, unsigned max_tries)
{
    const struct auth_server_config config = {slice_text("session"), slice_text("HOST"),
                                              "ssh-ed25519,rsa-sha2-256", max_tries};
    *b = (struct bed){.a = auth_server_new(&config), .methods = "publickey", .banner = SLICE_NONE};
}

static enum err recv_service(struct bed *b, const char *name)
{
    struct buf out;
    struct writer w;
    buf_init(&out, 1024);
    writer_init(&w, &out);
    msg_service_encode(&w, SSH_MSG_SERVICE_REQUEST, name);
    assert_ok(writer_done(&w));
    enum err err = auth_server_recv(b->a, buf_slice(&out), &b->event);
    buf_done(&out);
    return err;
}

static enum err recv_unanswered(struct bed *b, const struct msg_userauth_request *m)
{
    struct buf out;
    struct writer w;
    buf_init(&out, 100000);
    writer_init(&w, &out);
    msg_userauth_request_encode(&w, m);
    assert_ok(writer_done(&w));
    enum err err = auth_server_recv(b->a, buf_slice(&out), &b->event);
    buf_done(&out);
    return err;
}

static enum err recv_request(struct bed *b, const struct msg_userauth_request *m)
{
    enum err err = recv_unanswered(b, m);
    if (err == OK && b->event.kind == AUTH_SERVER_WHO)
        err = auth_server_answer_who(b->a, slice_text(b->methods), b->banner, &b->event);
    return err;
}

static enum err recv_responses(struct bed *b, const char *body, size_t length)
{
    uint8_t payload[64] = {SSH_MSG_USERAUTH_INFO_RESPONSE};
    memcpy(payload + 1, body, length);
    return auth_server_recv(b->a, slice_of(payload, 1 + length), &b->event);
}

static enum err answer(struct bed *b, bool is_allowed)
{
    return auth_server_answer(b->a, is_allowed ? AUTH_VERDICT_YES : AUTH_VERDICT_NO, SLICE_NONE);
}

static uint8_t sent(struct bed *b)
{
    struct slice payload;
    if (!auth_server_next_payload(b->a, &payload))
        return 0;
    uint8_t number = payload.ptr[0];
    auth_server_payload_taken(b->a);
    return number;
}

static void begin(struct bed *b, unsigned max_tries)
{
    bed_init(b, max_tries);
    assert_ok(recv_service(b, "ssh-userauth"));
    assert_int_equal(sent(b), SSH_MSG_SERVICE_ACCEPT);
}

static void the_service_comes_first_and_once(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, 6);
    assert_int_equal(recv_request(&b, &query), ERR_PROTOCOL);
    auth_server_free(b.a);
    bed_init(&b, 6);
    assert_int_equal(recv_service(&b, "ssh-connection"), ERR_PROTOCOL);
    assert_int_equal(auth_server_fault(b.a).disconnect_reason,
                     SSH_DISCONNECT_SERVICE_NOT_AVAILABLE);
    auth_server_free(b.a);
    begin(&b, 6);
    assert_int_equal(recv_service(&b, "ssh-userauth"), ERR_PROTOCOL);
    auth_server_free(b.a);
}

static void user_and_service_may_not_change(void **state)
{
    (void)state;
    struct bed b;
    begin(&b, 6);
    struct msg_userauth_request m = query;
    m.method = USERAUTH_NONE;
    assert_string_equal(auth_server_user(b.a), "");
    assert_ok(recv_request(&b, &m));
    assert_string_equal(auth_server_user(b.a), "ada");
    m.user = slice_text("adam");
    assert_int_equal(recv_request(&b, &m), ERR_PROTOCOL);
    assert_string_equal(auth_server_user(b.a), "ada");
    auth_server_free(b.a);
    begin(&b, 6);
    m = query;
    m.service = slice_text("ssh-userauth");
    assert_int_equal(recv_request(&b, &m), ERR_PROTOCOL);
    auth_server_free(b.a);
}

static void failures_are_counted_and_the_first_none_is_free(void **state)
{
    (void)state;
    struct bed b;
    begin(&b, 3);
    struct msg_userauth_request none = query;
    none.method = USERAUTH_NONE;
    assert_ok(recv_request(&b, &none)); /* free */
    assert_int_equal(sent(&b), SSH_MSG_USERAUTH_FAILURE);
    assert_ok(recv_request(&b, &none)); /* 1 */
    assert_int_equal(sent(&b), SSH_MSG_USERAUTH_FAILURE);
    assert_ok(recv_request(&b, &query)); /* 2 */
    assert_int_equal(b.event.kind, AUTH_SERVER_KEY);
    assert_ok(answer(&b, false));
    assert_int_equal(sent(&b), SSH_MSG_USERAUTH_FAILURE);
    assert_ok(recv_request(&b, &query)); /* a good query costs nothing */
    assert_ok(answer(&b, true));
    assert_int_equal(sent(&b), SSH_MSG_USERAUTH_PK_OK);
    assert_int_equal(recv_request(&b, &none), ERR_LIMIT); /* 3 */
    assert_string_equal(auth_server_fault(b.a).text, "Too many authentication failures");
    assert_int_equal(sent(&b), 0);
    assert_false(auth_server_is_done(b.a));
    auth_server_free(b.a);
}

static void the_last_answer_counts_too(void **state)
{
    (void)state;
    struct bed b;
    begin(&b, 1);
    assert_ok(recv_request(&b, &query));
    assert_int_equal(answer(&b, false), ERR_LIMIT);
    auth_server_free(b.a);
}

static void what_cannot_be_used_is_refused_unasked(void **state)
{
    (void)state;
    struct msg_userauth_request rows[5] = {query, query, query, query, query};
    rows[0].algorithm = slice_text("ecdsa-sha2-nistp256"); /* built, not accepted */
    rows[1].algorithm = slice_text("ssh-rsa");             /* SHA-1 */
    rows[2].algorithm = slice_text("unheard-of");
    rows[3].method = USERAUTH_PUBLICKEY_HOSTBOUND;
    rows[3].host_key = slice_text("OTHER"); /* not the key of this connection */
    rows[4].method = USERAUTH_PUBLICKEY_HOSTBOUND;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            struct bed b;
            begin(&b, 6);
            rows[i].has_signature = is_signed;
            rows[i].signature = slice_text("SIG");
            assert_ok(recv_request(&b, &rows[i]));
            assert_int_equal(b.event.kind, AUTH_SERVER_NONE);
            assert_int_equal(sent(&b), SSH_MSG_USERAUTH_FAILURE);
            auth_server_free(b.a);
        }
    }
}

/* Without a list every algorithm that is built is asked about, a certificate's by its own name. */
static void certificates_and_security_keys_are_asked_about(void **state)
{
    (void)state;
    static const char *const names[] = {
        "ssh-ed25519-cert-v01@openssh.com", "rsa-sha2-512-cert-v01@openssh.com",
        "sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com",
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"};
    const struct auth_server_config config = {slice_text("session"), slice_text("HOST"), NULL, 6};
    struct bed b = {.a = auth_server_new(&config), .methods = "publickey", .banner = SLICE_NONE};
    assert_ok(recv_service(&b, "ssh-userauth"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct msg_userauth_request m = query;
        m.algorithm = slice_text(names[i]);
        assert_ok(recv_request(&b, &m));
        assert_int_equal(b.event.kind, AUTH_SERVER_KEY);
        assert_ok(answer(&b, true));
    }
    auth_server_free(b.a);
}

/* What is told in EXT_INFO can be verified, every name of it. */
static void every_algorithm_that_is_told_is_built(void **state)
{
    (void)state;
    struct slice rest = slice_text(AUTH_SERVER_SIG_ALGS), name;
    size_t count = 0;
    for (; namelist_next(&rest, &name); count++)
        assert_non_null(algo_sign_find(name));
    assert_int_equal(count, 8);
}

static void only_an_allowed_signed_request_succeeds(void **state)
{
    (void)state;
    for (int hostbound = 0; hostbound < 2; hostbound++) {
        struct bed b;
        struct msg_userauth_request m = query;
        m.method = hostbound ? USERAUTH_PUBLICKEY_HOSTBOUND : USERAUTH_PUBLICKEY;
        m.host_key = slice_text("HOST");
        begin(&b, 6);
        assert_ok(recv_request(&b, &m));
        assert_int_equal(b.event.kind, AUTH_SERVER_KEY);
        assert_true(auth_server_is_asking(b.a));
        assert_ok(answer(&b, true));
        assert_false(auth_server_is_done(b.a)); /* a query alone logs nobody in */
        assert_int_equal(sent(&b), SSH_MSG_USERAUTH_PK_OK);
        m.has_signature = true;
        m.signature = slice_text("SIG");
        assert_ok(recv_request(&b, &m));
        assert_int_equal(b.event.kind, AUTH_SERVER_SIGNED);
        assert_true(slice_is(b.event.user, "ada") && slice_is(b.event.key_blob, "KEY") &&
                    slice_is(b.event.signature, "SIG") && b.event.hostbound == hostbound);
        assert_ok(answer(&b, true));
        assert_true(auth_server_is_done(b.a));
        assert_int_equal(sent(&b), SSH_MSG_USERAUTH_SUCCESS);
        auth_server_free(b.a);
    }
}

static void malformed_requests_end_the_connection(void **state)
{
    (void)state;
    struct buf out;
    struct writer w;
    buf_init(&out, 1024);
    writer_init(&w, &out);
    msg_userauth_request_encode(&w, &query);
    for (size_t length = 1; length < buf_len(&out); length++) {
        struct bed b;
        begin(&b, 6);
        assert_int_equal(auth_server_recv(b.a, slice_of(buf_slice(&out).ptr, length), &b.event),
                         ERR_FORMAT);
        auth_server_free(b.a);
    }
    buf_done(&out);
    struct bed b;
    static const uint8_t success[] = {SSH_MSG_USERAUTH_SUCCESS};
    begin(&b, 6);
    assert_int_equal(auth_server_recv(b.a, slice_of(success, 1), &b.event), ERR_PROTOCOL);
    auth_server_free(b.a);
}

/* Good queries cost no try, so that only the queue bounds them. */
static void queries_whose_answers_are_not_read_end_the_connection(void **state)
{
    (void)state;
    struct bed b;
    struct msg_userauth_request m = query;
    char *blob CLEANUP(mem_cleanup) = mem_new(60000, 1);
    enum err err = OK;
    begin(&b, 6);
    m.key_blob = slice_of(blob, 60000);
    for (int i = 0; i < 10 && err == OK; i++) {
        assert_ok(recv_request(&b, &m));
        err = answer(&b, true);
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_non_null(auth_server_fault(b.a).text);
    auth_server_free(b.a);
}

static void the_banner_stands_whole_and_once_before_the_first_answer(void **state)
{
    (void)state;
    uint8_t *text CLEANUP(mem_cleanup) = mem_new(100000, 1);
    for (size_t i = 0; i < 100000; i++)
        text[i] = (uint8_t)('a' + i % 26);
    struct bed b;
    begin(&b, 6);
    b.banner = slice_of(text, 100000);
    struct msg_userauth_request m = query;
    m.method = USERAUTH_NONE;
    assert_ok(recv_request(&b, &m));
    size_t shown = 0;
    struct slice payload, piece;
    while (auth_server_next_payload(b.a, &payload) &&
           msg_userauth_banner_decode(payload, &piece) == OK) {
        assert_true(shown + piece.len <= 100000);
        assert_memory_equal(piece.ptr, text + shown, piece.len);
        shown += piece.len;
        auth_server_payload_taken(b.a);
    }
    assert_int_equal(shown, 100000);
    assert_int_equal(sent(&b), SSH_MSG_USERAUTH_FAILURE);
    assert_ok(recv_request(&b, &m));
    assert_int_equal(sent(&b), SSH_MSG_USERAUTH_FAILURE);
    assert_int_equal(sent(&b), 0);
    auth_server_free(b.a);
}

/* ---- who, and by which methods ---- */

static void nothing_is_answered_before_it_is_known_who_asks(void **state)
{
    (void)state;
    struct bed b;
    begin(&b, 6);
    assert_ok(recv_unanswered(&b, &query));
    assert_int_equal(b.event.kind, AUTH_SERVER_WHO);
    assert_true(slice_is(b.event.user, "ada") && slice_is(b.event.service, "ssh-connection"));
    assert_true(auth_server_is_asking(b.a));
    assert_int_equal(sent(&b), 0);
    assert_ok(auth_server_answer_who(b.a, slice_text("publickey"), SLICE_NONE, &b.event));
    assert_int_equal(b.event.kind, AUTH_SERVER_KEY); /* the request that raised it goes on */
    assert_ok(answer(&b, true));
    assert_int_equal(sent(&b), SSH_MSG_USERAUTH_PK_OK);
    assert_ok(recv_unanswered(&b, &query));
    assert_int_equal(b.event.kind, AUTH_SERVER_KEY); /* and who is asked once */
    auth_server_free(b.a);
}

static void assert_failure(struct bed *b, const char *methods, bool is_partial)
{
    struct slice payload;
    struct msg_userauth_failure m;
    assert_true(auth_server_next_payload(b->a, &payload));
    assert_ok(msg_userauth_failure_decode(payload, &m));
    assert_true(slice_is(m.methods, methods));
    assert_int_equal(m.partial_success, is_partial);
    auth_server_payload_taken(b->a);
}

static struct msg_userauth_request with_method(enum userauth_method method)
{
    struct msg_userauth_request m = query;
    m.method = method;
    m.password = slice_text("secret");
    return m;
}

static void a_method_that_is_not_offered_is_refused_unasked(void **state)
{
    (void)state;
    static const enum userauth_method methods[] = {USERAUTH_PUBLICKEY, USERAUTH_PASSWORD,
                                                   USERAUTH_INTERACTIVE};
    static const char *const names[] = {"publickey", "password", "keyboard-interactive"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        for (size_t j = 0; j < ARRAY_LEN(names); j++) {
            struct bed b;
            struct msg_userauth_request m = with_method(methods[i]);
            begin(&b, 6);
            b.methods = names[j];
            assert_ok(recv_request(&b, &m));
            assert_int_equal(b.event.kind != AUTH_SERVER_NONE, i == j);
            if (i != j)
                assert_failure(&b, names[j], false);
            auth_server_free(b.a);
        }
    }
}

static void a_password_is_asked_about_and_then_wiped(void **state)
{
    (void)state;
    struct bed b;
    struct msg_userauth_request m = with_method(USERAUTH_PASSWORD);
    begin(&b, 6);
    b.methods = "publickey,password";
    assert_ok(recv_request(&b, &m));
    assert_int_equal(b.event.kind, AUTH_SERVER_PASSWORD);
    assert_true(slice_is(b.event.password, "secret"));
    const uint8_t *at = b.event.password.ptr;
    assert_ok(answer(&b, false));
    assert_failure(&b, "publickey,password", false);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(at[i], 0); /* the memory is kept for the next request */
    assert_ok(recv_request(&b, &m));
    assert_ok(answer(&b, true));
    assert_int_equal(sent(&b), SSH_MSG_USERAUTH_SUCCESS);
    assert_true(auth_server_is_done(b.a));
    auth_server_free(b.a);
}

/* CVE-2016-6515: hashing what nobody types is work for nothing. */
static void a_long_password_and_a_change_of_it_fail_unasked(void **state)
{
    (void)state;
    static char text[MSG_PASSWORD_MAX + 1];
    struct bed b;
    struct msg_userauth_request m = with_method(USERAUTH_PASSWORD);
    memset(text, 'x', sizeof(text));
    begin(&b, 6);
    b.methods = "password";
    m.password = slice_of(text, MSG_PASSWORD_MAX + 1);
    assert_ok(recv_request(&b, &m));
    assert_int_equal(b.event.kind, AUTH_SERVER_NONE);
    assert_failure(&b, "password", false);
    m.password = slice_of(text, MSG_PASSWORD_MAX);
    assert_ok(recv_request(&b, &m));
    assert_int_equal(b.event.kind, AUTH_SERVER_PASSWORD);
    assert_ok(answer(&b, false));
    assert_failure(&b, "password", false);
    struct buf out;
    struct writer w;
    buf_init(&out, 1024);
    writer_init(&w, &out);
    encode_password_change(&w);
    assert_ok(auth_server_recv(b.a, buf_slice(&out), &b.event));
    assert_int_equal(b.event.kind, AUTH_SERVER_NONE);
    assert_failure(&b, "password", false);
    buf_done(&out);
    auth_server_free(b.a);
}

static void partial_success_names_what_is_next_and_counts_no_failure(void **state)
{
    (void)state;
    struct bed b;
    struct msg_userauth_request m = query;
    m.has_signature = true;
    m.signature = slice_text("SIG");
    begin(&b, 1);
    assert_ok(recv_request(&b, &m));
    assert_ok(auth_server_answer(b.a, AUTH_VERDICT_PARTIAL, slice_text("password")));
    assert_failure(&b, "password", true);
    assert_false(auth_server_is_done(b.a));
    m = with_method(USERAUTH_PASSWORD);
    assert_ok(recv_request(&b, &m));
    assert_int_equal(b.event.kind, AUTH_SERVER_PASSWORD);
    assert_ok(auth_server_answer(b.a, AUTH_VERDICT_PARTIAL, slice_text("publickey")));
    assert_failure(&b, "publickey", true);
    assert_int_equal(recv_request(&b, &m), ERR_LIMIT); /* no longer offered: the one failure */
    auth_server_free(b.a);
}

/* A query grants nothing, whatever the answer is. */
static void a_query_is_never_more_than_acceptable(void **state)
{
    (void)state;
    static const enum auth_verdict verdicts[] = {AUTH_VERDICT_YES, AUTH_VERDICT_PARTIAL};
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        struct bed b;
        begin(&b, 6);
        assert_ok(recv_request(&b, &query));
        assert_ok(auth_server_answer(b.a, verdicts[i], slice_text("password")));
        assert_int_equal(sent(&b), SSH_MSG_USERAUTH_PK_OK);
        assert_int_equal(sent(&b), 0);
        assert_false(auth_server_is_done(b.a));
        auth_server_free(b.a);
    }
}

/* ---- keyboard-interactive ---- */

#define PROMPT   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x02p:\0"
#define RESPONSE "\0\0\0\x01\0\0\0\x03pin"

static void begin_dialog(struct bed *b, unsigned max_tries)
{
    struct msg_userauth_request m = with_method(USERAUTH_INTERACTIVE);
    m.submethods = slice_text("pam");
    begin(b, max_tries);
    b->methods = "publickey,keyboard-interactive";
    assert_ok(recv_request(b, &m));
    assert_int_equal(b->event.kind, AUTH_SERVER_INTERACTIVE);
    assert_true(slice_is(b->event.submethods, "pam"));
    assert_ok(auth_server_prompt(b->a, slice_of(PROMPT, sizeof(PROMPT) - 1)));
    struct slice payload;
    assert_true(auth_server_next_payload(b->a, &payload));
    assert_int_equal(payload.ptr[0], SSH_MSG_USERAUTH_INFO_REQUEST);
    assert_memory_equal(payload.ptr + 1, PROMPT, sizeof(PROMPT) - 1);
    auth_server_payload_taken(b->a);
    assert_false(auth_server_is_asking(b->a));
}

static void a_dialog_goes_on_until_there_is_a_verdict(void **state)
{
    (void)state;
    struct bed b;
    begin_dialog(&b, 6);
    for (int i = 0; i < 3; i++) {
        assert_ok(recv_responses(&b, RESPONSE, sizeof(RESPONSE) - 1));
        assert_int_equal(b.event.kind, AUTH_SERVER_RESPONSES);
        assert_false(b.event.abandoned);
        assert_true(slice_equal(b.event.body, slice_of(RESPONSE, sizeof(RESPONSE) - 1)));
        if (i < 2) {
            assert_ok(auth_server_prompt(b.a, slice_of(PROMPT, sizeof(PROMPT) - 1)));
            assert_int_equal(sent(&b), SSH_MSG_USERAUTH_INFO_REQUEST);
        }
    }
    assert_ok(answer(&b, true));
    assert_int_equal(sent(&b), SSH_MSG_USERAUTH_SUCCESS);
    auth_server_free(b.a);
}

static void a_response_nobody_asked_for_ends_the_connection(void **state)
{
    (void)state;
    struct bed b;
    begin(&b, 6);
    assert_int_equal(recv_responses(&b, RESPONSE, sizeof(RESPONSE) - 1), ERR_PROTOCOL);
    auth_server_free(b.a);
    begin_dialog(&b, 6);
    assert_ok(recv_responses(&b, RESPONSE, sizeof(RESPONSE) - 1));
    assert_ok(answer(&b, false));
    assert_int_equal(sent(&b), SSH_MSG_USERAUTH_FAILURE);
    assert_int_equal(recv_responses(&b, RESPONSE, sizeof(RESPONSE) - 1), ERR_PROTOCOL);
    auth_server_free(b.a);
    begin_dialog(&b, 6);
    assert_int_equal(recv_responses(&b, RESPONSE, sizeof(RESPONSE) - 2), ERR_FORMAT);
    auth_server_free(b.a);
}

static void another_request_abandons_the_dialog_and_counts(void **state)
{
    (void)state;
    struct bed b;
    begin_dialog(&b, 3);
    assert_ok(recv_request(&b, &query)); /* 1 */
    assert_true(b.event.abandoned);
    assert_int_equal(b.event.kind, AUTH_SERVER_KEY);
    assert_ok(answer(&b, true));
    assert_int_equal(recv_responses(&b, RESPONSE, sizeof(RESPONSE) - 1), ERR_PROTOCOL);
    auth_server_free(b.a);
    begin_dialog(&b, 2);
    struct msg_userauth_request none = with_method(USERAUTH_NONE);
    assert_int_equal(recv_request(&b, &none), ERR_LIMIT); /* 1, and none is another */
    assert_true(b.event.abandoned);
    auth_server_free(b.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_and_security_keys_are_asked_about),
        cmocka_unit_test(every_algorithm_that_is_told_is_built),
        cmocka_unit_test(nothing_is_answered_before_it_is_known_who_asks),
        cmocka_unit_test(a_method_that_is_not_offered_is_refused_unasked),
        cmocka_unit_test(a_password_is_asked_about_and_then_wiped),
        cmocka_unit_test(a_long_password_and_a_change_of_it_fail_unasked),
        cmocka_unit_test(partial_success_names_what_is_next_and_counts_no_failure),
        cmocka_unit_test(a_query_is_never_more_than_acceptable),
        cmocka_unit_test(a_dialog_goes_on_until_there_is_a_verdict),
        cmocka_unit_test(a_response_nobody_asked_for_ends_the_connection),
        cmocka_unit_test(another_request_abandons_the_dialog_and_counts),
        cmocka_unit_test(the_banner_stands_whole_and_once_before_the_first_answer),
        cmocka_unit_test(the_service_comes_first_and_once),
        cmocka_unit_test(user_and_service_may_not_change),
        cmocka_unit_test(failures_are_counted_and_the_first_none_is_free),
        cmocka_unit_test(the_last_answer_counts_too),
        cmocka_unit_test(what_cannot_be_used_is_refused_unasked),
        cmocka_unit_test(only_an_allowed_signed_request_succeeds),
        cmocka_unit_test(malformed_requests_end_the_connection),
        cmocka_unit_test(queries_whose_answers_are_not_read_end_the_connection),
    };
    return RUN_TESTS(tests);
}
