/* The client's side, fed answers: the order of keys, and servers that claim too much. */
#include "auth/auth_blob.h"
#include "auth/auth_client.h"
#include "tests/unit.h"
#include "wire/msg_auth.h"
#include "wire/msg_transport.h"
#include "wire/numbers.h"

#define METHODS "publickey,keyboard-interactive,password"

struct bed {
    struct auth_client *a;
    struct auth_client_event event; /* the last one, but for OFFER and REFUSED */
    struct auth_client_event offer, refused;
    unsigned offers;
    struct buf payload;
    struct buf request; /* the last one that was taken; m points into it */
    struct msg_userauth_request m;
};

static void bed_with(struct bed *b, const char *methods, unsigned prompts)
{
    const struct auth_client_config config = {
        .user = "ada",
        .accepted = "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519,"
                    "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-512,rsa-sha2-256",
        .methods = methods,
        .devices = "pam,otp",
        .prompts = prompts,
        .may_hostbound = true,
        .session_id = slice_text("session"),
        .server_key = slice_text("HOST"),
    };
    *b = (struct bed){.a = auth_client_new(&config)};
    buf_init(&b->payload, 200000);
    buf_init(&b->request, 200000);
}

static void bed_init(struct bed *b)
{
    bed_with(b, METHODS, 3);
}

static void bed_done(struct bed *b)
{
    auth_client_free(b->a);
    buf_done(&b->payload);
    buf_done(&b->request);
}

static bool add_key(struct bed *b, const char *type, const char *blob)
{
    return auth_client_add_key(b->a,
                               &(struct auth_client_key){type, slice_text(blob), false, false});
}

/* Fetches what happened. */
static void drain(struct bed *b)
{
    struct auth_client_event event;
    b->event = b->refused = (struct auth_client_event){.kind = AUTH_CLIENT_NONE};
    for (auth_client_next(b->a, &event); event.kind; auth_client_next(b->a, &event)) {
        if (event.kind == AUTH_CLIENT_OFFER) {
            b->offer = event;
            b->offers++;
        } else if (event.kind == AUTH_CLIENT_REFUSED) {
            b->refused = event;
        } else {
            assert_int_equal(b->event.kind, AUTH_CLIENT_NONE);
            b->event = event;
        }
    }
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
    enum err err = auth_client_recv(b->a, buf_slice(&b->payload));
    if (err == OK)
        drain(b);
    return err;
}

static void answer(struct bed *b, const struct auth_client_answer *with)
{
    auth_client_answer(b->a, with);
    drain(b);
}

static void sign(struct bed *b)
{
    assert_int_equal(b->event.kind, AUTH_CLIENT_SIGN);
    answer(b, &(struct auth_client_answer){.text = slice_text("SIG")});
}

static void say_password(struct bed *b, const char *password)
{
    assert_int_equal(b->event.kind, AUTH_CLIENT_PASSWORD);
    answer(b, &(struct auth_client_answer){.text = slice_text(password)});
}

static void decline(struct bed *b)
{
    assert_true(auth_client_is_question(b->event.kind));
    answer(b, &(struct auth_client_answer){.is_declined = true});
}

static enum err recv_accept(struct bed *b, const char *service)
{
    struct writer w = begin(b);
    msg_service_encode(&w, SSH_MSG_SERVICE_ACCEPT, service);
    return end(b, &w);
}

static enum err recv_refusal(struct bed *b, const char *methods, bool is_partial)
{
    struct writer w = begin(b);
    const struct msg_userauth_failure m = {slice_text(methods), is_partial};
    msg_userauth_failure_encode(&w, &m);
    return end(b, &w);
}

static enum err recv_failure(struct bed *b, const char *methods)
{
    return recv_refusal(b, methods, false);
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

static enum err recv_change(struct bed *b, const char *prompt)
{
    struct writer w = begin(b);
    msg_userauth_change_encode(&w, slice_text(prompt));
    return end(b, &w);
}

/* prompts: pairs of text and "echo" or "", then NULL. */
static enum err recv_info(struct bed *b, const char *instruction, const char *const *prompts)
{
    struct buf list;
    struct writer w;
    uint32_t count = 0;
    buf_init(&list, 65536);
    writer_init(&w, &list);
    for (; *prompts; prompts += 2, count++)
        info_prompt_encode(&w, slice_text(prompts[0]), prompts[1][0] != '\0');
    assert_ok(writer_done(&w));
    w = begin(b);
    writer_u8(&w, SSH_MSG_USERAUTH_INFO_REQUEST);
    body_info_request_encode(&w, &(struct body_info_request){slice_text("name"),
                                                             slice_text(instruction), count,
                                                             buf_slice(&list)});
    enum err err = end(b, &w);
    buf_done(&list);
    return err;
}

/* Takes the next payload, decoded into b->m if it is a request; its number, 0 if none waits. */
static uint8_t next_payload(struct bed *b)
{
    struct slice payload;
    if (!auth_client_next_payload(b->a, &payload))
        return 0;
    buf_clear(&b->request);
    assert_ok(buf_append_slice(&b->request, payload));
    auth_client_payload_taken(b->a);
    uint8_t number = buf_slice(&b->request).ptr[0];
    if (number == SSH_MSG_USERAUTH_REQUEST)
        assert_ok(msg_userauth_request_decode(buf_slice(&b->request), &b->m));
    return number;
}

static void expect_request(struct bed *b, enum userauth_method method)
{
    assert_int_equal(next_payload(b), SSH_MSG_USERAUTH_REQUEST);
    assert_int_equal(b->m.method, method);
    assert_true(slice_is(b->m.user, "ada") && slice_is(b->m.service, "ssh-connection"));
}

/* Up to where the first request is out. */
static void ask_first(struct bed *b, bool with_key)
{
    bed_init(b);
    if (with_key)
        assert_true(add_key(b, "ssh-ed25519", "KEY"));
    auth_client_begin(b->a);
    drain(b);
    assert_int_equal(next_payload(b), SSH_MSG_SERVICE_REQUEST);
    expect_request(b, with_key ? USERAUTH_PUBLICKEY : USERAUTH_NONE);
    assert_false(b->m.has_signature);
    assert_int_equal(next_payload(b), 0);
    assert_ok(recv_accept(b, "ssh-userauth"));
}

/* Up to where the server has said which methods it takes; nothing was proven. */
static void methods_known(struct bed *b, const char *methods, unsigned prompts, const char *server)
{
    bed_with(b, methods, prompts);
    auth_client_begin(b->a);
    drain(b);
    assert_int_equal(next_payload(b), SSH_MSG_SERVICE_REQUEST);
    expect_request(b, USERAUTH_NONE);
    assert_ok(recv_accept(b, "ssh-userauth"));
    assert_ok(recv_failure(b, server));
}

static void check_signed_bytes(struct bed *b, const char *algorithm, const char *key,
                               bool hostbound)
{
    struct buf expected;
    buf_init(&expected, AUTH_BLOB_MAX);
    const struct auth_blob blob = {.session_id = slice_text("session"),
                                   .user = slice_text("ada"),
                                   .service = slice_text("ssh-connection"),
                                   .algorithm = slice_text(algorithm),
                                   .key_blob = slice_text(key),
                                   .host_key = hostbound ? slice_text("HOST") : SLICE_NONE};
    assert_ok(auth_blob_build(&blob, &expected));
    assert_int_equal(b->event.kind, AUTH_CLIENT_SIGN);
    assert_true(slice_equal(b->event.data, buf_slice(&expected)));
    buf_done(&expected);
}

/* ---- keys ---- */

static void a_key_is_asked_for_signed_and_accepted(void **state)
{
    (void)state;
    struct bed b;
    ask_first(&b, true);
    assert_int_equal(b.offer.key, 0);
    assert_ok(recv_pk_ok(&b, "ssh-ed25519", "KEY"));
    assert_string_equal(b.event.algorithm->name, "ssh-ed25519");
    check_signed_bytes(&b, "ssh-ed25519", "KEY", false);
    sign(&b);
    expect_request(&b, USERAUTH_PUBLICKEY);
    assert_true(b.m.has_signature && slice_is(b.m.signature, "SIG"));
    assert_ok(recv_success(&b));
    assert_int_equal(b.event.kind, AUTH_CLIENT_SUCCESS);
    assert_int_equal(b.event.method, USERAUTH_PUBLICKEY);
    assert_int_equal(b.event.key, 0);
    assert_int_equal(recv_success(&b), ERR_PROTOCOL);
    bed_done(&b);
}

static void the_only_key_at_hand_signs_without_asking(void **state)
{
    (void)state;
    static const struct {
        bool at_hand, knows_extensions, second;
        bool signs;
    } rows[] = {
        {true, true, false, true},
        {true, false, false, false}, /* hostbound or not is not known yet */
        {true, true, true, false},
        {false, true, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bed b;
        bed_init(&b);
        struct auth_client_key key = {"ssh-ed25519", slice_text("KEY"), false, rows[i].at_hand};
        assert_true(auth_client_add_key(b.a, &key));
        if (rows[i].second)
            assert_true(add_key(&b, "ssh-rsa", "OTHER"));
        if (rows[i].knows_extensions)
            auth_client_set_extensions(b.a, true, slice_text("ssh-ed25519"), true);
        auth_client_begin(b.a);
        drain(&b);
        assert_int_equal(next_payload(&b), SSH_MSG_SERVICE_REQUEST);
        assert_int_equal(b.event.kind == AUTH_CLIENT_SIGN, rows[i].signs);
        assert_int_equal(b.event.is_unasked, rows[i].signs);
        if (rows[i].signs) {
            check_signed_bytes(&b, "ssh-ed25519", "KEY", true);
            sign(&b);
        }
        expect_request(&b, rows[i].signs ? USERAUTH_PUBLICKEY_HOSTBOUND : USERAUTH_PUBLICKEY);
        assert_int_equal(b.m.has_signature, rows[i].signs);
        bed_done(&b);
    }
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
    assert_true(add_key(&b, "ssh-rsa", "KEY"));
    auth_client_begin(b.a); /* nothing was asked at all */
    assert_int_equal(recv_success(&b), ERR_PROTOCOL);
    bed_done(&b);
    methods_known(&b, METHODS, 3, "password");
    assert_int_equal(recv_success(&b), ERR_PROTOCOL); /* no password was said yet */
    bed_done(&b);
}

static void without_keys_none_may_succeed(void **state)
{
    (void)state;
    struct bed b;
    ask_first(&b, false);
    assert_ok(recv_success(&b));
    assert_int_equal(b.event.kind, AUTH_CLIENT_SUCCESS);
    assert_int_equal(b.event.method, USERAUTH_NONE);
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
    bed_with(&b, "publickey", 3);
    assert_true(add_key(&b, "ssh-ed25519", "A"));
    assert_false(add_key(&b, "ecdsa-sha2-nistp256", "B"));
    assert_true(add_key(&b, "ssh-rsa", "C"));
    auth_client_set_extensions(b.a, true, slice_text("rsa-sha2-256,ssh-ed25519"), true);
    auth_client_begin(b.a);
    drain(&b);
    assert_int_equal(next_payload(&b), SSH_MSG_SERVICE_REQUEST);
    expect_request(&b, USERAUTH_PUBLICKEY); /* a query is never bound */
    assert_true(slice_is(b.m.key_blob, "A"));
    assert_ok(recv_accept(&b, "ssh-userauth"));
    assert_ok(recv_failure(&b, "publickey,password"));
    assert_int_equal(b.refused.key, 0);
    assert_true(slice_is(b.refused.methods, "publickey,password"));
    assert_int_equal(b.offer.key, 1);
    expect_request(&b, USERAUTH_PUBLICKEY);
    assert_true(slice_is(b.m.key_blob, "C"));
    assert_true(slice_is(b.m.algorithm, "rsa-sha2-256")); /* what the server takes too */
    assert_ok(recv_pk_ok(&b, "rsa-sha2-256", "C"));
    decline(&b); /* the agent refused */
    assert_int_equal(b.event.kind, AUTH_CLIENT_FAILED);
    assert_true(slice_is(b.event.methods, "publickey,password"));
    assert_int_equal(next_payload(&b), 0);
    assert_int_equal(recv_failure(&b, "publickey"), ERR_PROTOCOL); /* nothing was asked */
    bed_done(&b);
}

/* dropbear knows rsa-sha2-256 alone, and says so behind NEWKEYS. */
static void an_rsa_key_waits_for_what_the_server_can_verify(void **state)
{
    (void)state;
    static const struct {
        const char *sig_algs; /* NULL: no EXT_INFO at all */
        const char *expected;
    } rows[] = {{"rsa-sha2-256", "rsa-sha2-256"}, {NULL, "rsa-sha2-512"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bed b;
        bed_init(&b);
        assert_true(add_key(&b, "ssh-rsa", "KEY"));
        auth_client_begin(b.a);
        drain(&b);
        assert_int_equal(next_payload(&b), SSH_MSG_SERVICE_REQUEST);
        assert_int_equal(next_payload(&b), 0);
        if (rows[i].sig_algs)
            auth_client_set_extensions(b.a, true, slice_text(rows[i].sig_algs), false);
        assert_ok(recv_accept(&b, "ssh-userauth"));
        expect_request(&b, USERAUTH_PUBLICKEY);
        assert_true(slice_is(b.m.algorithm, rows[i].expected));
        bed_done(&b);
    }
}

static void a_certificate_is_named_and_signs_by_the_plain_algorithm(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    assert_true(add_key(&b, "ssh-rsa-cert-v01@openssh.com", "CERT"));
    assert_false(add_key(&b, "ecdsa-sha2-nistp256-cert-v01@openssh.com", "B"));
    auth_client_set_extensions(b.a, true, slice_text("ssh-ed25519,rsa-sha2-512"), false);
    auth_client_begin(b.a);
    drain(&b);
    assert_int_equal(next_payload(&b), SSH_MSG_SERVICE_REQUEST);
    expect_request(&b, USERAUTH_PUBLICKEY);
    assert_true(slice_is(b.m.algorithm, "rsa-sha2-512-cert-v01@openssh.com"));
    assert_ok(recv_accept(&b, "ssh-userauth"));
    assert_ok(recv_pk_ok(&b, "rsa-sha2-512-cert-v01@openssh.com", "CERT"));
    assert_string_equal(b.event.algorithm->name, "rsa-sha2-512");
    check_signed_bytes(&b, "rsa-sha2-512-cert-v01@openssh.com", "CERT", false);
    bed_done(&b);
}

/* What is signed and what is sent must be the same request, whatever comes in between. */
static void extensions_that_change_midway_leave_a_signature_as_asked(void **state)
{
    (void)state;
    for (int before = 0; before < 2; before++) {
        struct bed b;
        ask_first(&b, true);
        auth_client_set_extensions(b.a, false, SLICE_NONE, before);
        assert_ok(recv_pk_ok(&b, "ssh-ed25519", "KEY"));
        check_signed_bytes(&b, "ssh-ed25519", "KEY", before);
        auth_client_set_extensions(b.a, false, SLICE_NONE, !before);
        sign(&b);
        expect_request(&b, before ? USERAUTH_PUBLICKEY_HOSTBOUND : USERAUTH_PUBLICKEY);
        assert_true(b.m.has_signature);
        bed_done(&b);
    }
}

/* An encrypted file without a .pub: its public half costs a passphrase. */
static void a_key_may_be_loaded_when_its_turn_comes(void **state)
{
    (void)state;
    struct bed b;
    bed_with(&b, "publickey", 3);
    assert_true(add_key(&b, NULL, "")); /* loads */
    assert_true(add_key(&b, NULL, "")); /* does not */
    assert_true(add_key(&b, NULL, "")); /* loads to what is not accepted */
    auth_client_begin(b.a);
    drain(&b);
    assert_int_equal(next_payload(&b), SSH_MSG_SERVICE_REQUEST);
    assert_int_equal(b.event.kind, AUTH_CLIENT_LOAD_KEY);
    assert_int_equal(b.event.key, 0);
    assert_int_equal(next_payload(&b), 0);
    answer(&b, &(struct auth_client_answer){.text = slice_text("KEY"), .key_type = "ssh-ed25519"});
    expect_request(&b, USERAUTH_PUBLICKEY);
    assert_true(slice_is(b.m.key_blob, "KEY"));
    assert_ok(recv_accept(&b, "ssh-userauth"));
    assert_ok(recv_failure(&b, "publickey"));
    assert_int_equal(b.event.key, 1);
    decline(&b);
    assert_int_equal(b.event.kind, AUTH_CLIENT_LOAD_KEY);
    assert_int_equal(b.event.key, 2);
    answer(&b, &(struct auth_client_answer){.text = slice_text("K"), .key_type = "ssh-dss"});
    assert_int_equal(b.event.kind, AUTH_CLIENT_FAILED);
    bed_done(&b);
}

/* ---- more than one step ---- */

static void partial_success_goes_on_with_keys_that_were_not_used(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    assert_true(add_key(&b, "ssh-ed25519", "A"));
    assert_true(add_key(&b, "ssh-ed25519", "B"));
    auth_client_begin(b.a);
    drain(&b);
    assert_int_equal(next_payload(&b), SSH_MSG_SERVICE_REQUEST);
    expect_request(&b, USERAUTH_PUBLICKEY);
    assert_ok(recv_accept(&b, "ssh-userauth"));
    assert_ok(recv_pk_ok(&b, "ssh-ed25519", "A"));
    sign(&b);
    expect_request(&b, USERAUTH_PUBLICKEY);
    assert_ok(recv_refusal(&b, "publickey", true));
    assert_true(b.refused.is_partial);
    assert_int_equal(b.refused.method, USERAUTH_PUBLICKEY);
    expect_request(&b, USERAUTH_PUBLICKEY);
    assert_true(slice_is(b.m.key_blob, "B"));
    assert_ok(recv_pk_ok(&b, "ssh-ed25519", "B"));
    sign(&b);
    expect_request(&b, USERAUTH_PUBLICKEY);
    assert_ok(recv_refusal(&b, "password", true));
    say_password(&b, "secret");
    expect_request(&b, USERAUTH_PASSWORD);
    assert_ok(recv_success(&b));
    bed_done(&b);
}

static void a_query_cannot_succeed_in_part(void **state)
{
    (void)state;
    struct bed b;
    ask_first(&b, true);
    assert_ok(recv_refusal(&b, "publickey", true));
    assert_false(b.refused.is_partial);
    assert_int_equal(b.event.kind, AUTH_CLIENT_FAILED);
    bed_done(&b);
}

static void a_server_that_never_has_enough_is_left(void **state)
{
    (void)state;
    struct bed b;
    enum err err = OK;
    unsigned steps = 0;
    methods_known(&b, METHODS, 3, "password");
    for (; err == OK && steps < 1000; steps++) {
        say_password(&b, "secret");
        expect_request(&b, USERAUTH_PASSWORD);
        err = recv_refusal(&b, "password", true);
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_non_null(auth_client_fault(b.a).text);
    bed_done(&b);
    methods_known(&b, METHODS, 3, "keyboard-interactive");
    expect_request(&b, USERAUTH_INTERACTIVE);
    for (err = OK, steps = 0; err == OK && steps < 1000; steps++) {
        err = recv_info(&b, "", (const char *const[]){NULL});
        if (err == OK)
            answer(&b, &(struct auth_client_answer){0});
    }
    assert_int_equal(err, ERR_LIMIT);
    bed_done(&b);
}

/* ---- what a person types ---- */

static void a_password_has_as_many_tries_as_were_given(void **state)
{
    (void)state;
    for (unsigned prompts = 0; prompts < 4; prompts++) {
        struct bed b;
        methods_known(&b, METHODS, prompts, "publickey,password");
        for (unsigned i = 1; i <= prompts; i++) {
            assert_int_equal(b.event.attempt, i);
            say_password(&b, "wrong");
            expect_request(&b, USERAUTH_PASSWORD);
            assert_true(slice_is(b.m.password, "wrong") && !b.m.changes_password);
            assert_ok(recv_failure(&b, "publickey,password"));
            assert_int_equal(b.refused.method, USERAUTH_PASSWORD);
            assert_int_equal(b.refused.key, AUTH_CLIENT_NO_KEY);
        }
        assert_int_equal(b.event.kind, AUTH_CLIENT_FAILED);
        assert_int_equal(next_payload(&b), 0);
        bed_done(&b);
    }
}

static void a_password_that_is_too_old_is_changed(void **state)
{
    (void)state;
    struct bed b;
    methods_known(&b, METHODS, 3, "password");
    say_password(&b, "old");
    expect_request(&b, USERAUTH_PASSWORD);
    assert_ok(recv_change(&b, "Too old.\n"));
    assert_int_equal(b.event.kind, AUTH_CLIENT_CHANGE_PASSWORD);
    assert_true(slice_is(b.event.data, "Too old.\n"));
    answer(&b, &(struct auth_client_answer){.text = slice_text("old"),
                                            .new_password = slice_text("new")});
    expect_request(&b, USERAUTH_PASSWORD);
    assert_true(b.m.changes_password);
    assert_true(slice_is(b.m.password, "old") && slice_is(b.m.new_password, "new"));
    assert_ok(recv_change(&b, "Too simple.\n")); /* RFC 4252 8: asked again */
    assert_int_equal(b.event.kind, AUTH_CLIENT_CHANGE_PASSWORD);
    decline(&b);
    assert_int_equal(b.event.kind, AUTH_CLIENT_FAILED);
    bed_done(&b);
}

static void prompts_are_answered_in_their_order(void **state)
{
    (void)state;
    static const char *const prompts[] = {"Password: ", "", "Number: ", "echo", NULL};
    const struct slice responses[] = {slice_text("secret"), slice_text("42")};
    struct body_info_response sent;
    struct slice prompt, response;
    struct bed b;
    bool echo;
    methods_known(&b, METHODS, 3, "keyboard-interactive,password");
    expect_request(&b, USERAUTH_INTERACTIVE);
    assert_true(slice_is(b.m.submethods, "pam,otp"));
    assert_ok(recv_info(&b, "Do this.", prompts));
    assert_int_equal(b.event.kind, AUTH_CLIENT_INFO_REQUEST);
    assert_true(slice_is(b.event.info.name, "name"));
    assert_true(slice_is(b.event.info.instruction, "Do this."));
    assert_int_equal(b.event.info.count, 2);
    assert_true(info_prompt_next(&b.event.info.prompts, &prompt, &echo));
    assert_true(slice_is(prompt, "Password: ") && !echo);
    assert_true(info_prompt_next(&b.event.info.prompts, &prompt, &echo));
    assert_true(slice_is(prompt, "Number: ") && echo);
    answer(&b, &(struct auth_client_answer){.responses = responses});
    assert_int_equal(next_payload(&b), SSH_MSG_USERAUTH_INFO_RESPONSE);
    struct slice body = buf_slice(&b.request);
    assert_ok(body_info_response_decode(slice_of(body.ptr + 1, body.len - 1), &sent));
    assert_int_equal(sent.count, 2);
    assert_true(info_response_next(&sent.responses, &response) && slice_is(response, "secret"));
    assert_true(info_response_next(&sent.responses, &response) && slice_is(response, "42"));
    assert_ok(recv_info(&b, "", (const char *const[]){NULL})); /* the empty round PAM ends with */
    answer(&b, &(struct auth_client_answer){0});
    assert_int_equal(next_payload(&b), SSH_MSG_USERAUTH_INFO_RESPONSE);
    assert_ok(recv_success(&b));
    assert_int_equal(b.event.method, USERAUTH_INTERACTIVE);
    bed_done(&b);
}

static void a_method_that_asks_nothing_is_not_tried_again(void **state)
{
    (void)state;
    struct bed b;
    methods_known(&b, METHODS, 3, "keyboard-interactive,password");
    expect_request(&b, USERAUTH_INTERACTIVE);
    assert_ok(recv_failure(&b, "keyboard-interactive,password"));
    assert_int_equal(b.event.kind, AUTH_CLIENT_PASSWORD);
    bed_done(&b);
}

static void who_declines_comes_to_the_next_method(void **state)
{
    (void)state;
    static const char *const prompts[] = {"Password: ", "", NULL};
    struct bed b;
    methods_known(&b, METHODS, 3, "keyboard-interactive,password");
    expect_request(&b, USERAUTH_INTERACTIVE);
    assert_ok(recv_info(&b, "", prompts));
    decline(&b);
    assert_int_equal(b.event.kind, AUTH_CLIENT_PASSWORD);
    decline(&b);
    assert_int_equal(b.event.kind, AUTH_CLIENT_FAILED);
    assert_int_equal(next_payload(&b), 0);
    bed_done(&b);
}

static void methods_go_in_the_users_order(void **state)
{
    (void)state;
    static const struct {
        const char *methods, *server;
        enum userauth_method first; /* behind the probe; OTHER: nothing */
    } rows[] = {
        {METHODS, "publickey,password,keyboard-interactive", USERAUTH_INTERACTIVE},
        {"gssapi-with-mic,hostbased," METHODS, "hostbased,password", USERAUTH_PASSWORD},
        {"password,keyboard-interactive", "keyboard-interactive,password", USERAUTH_PASSWORD},
        {"password", "publickey,keyboard-interactive", USERAUTH_OTHER},
        {"keyboard-interactive", "password,keyboard-interactive@example", USERAUTH_OTHER},
        {"", "publickey,password", USERAUTH_OTHER},
        {METHODS, "", USERAUTH_OTHER},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bed b;
        methods_known(&b, rows[i].methods, 3, rows[i].server);
        if (rows[i].first == USERAUTH_INTERACTIVE) {
            expect_request(&b, USERAUTH_INTERACTIVE);
            bed_done(&b);
            continue;
        }
        assert_int_equal(b.event.kind, rows[i].first == USERAUTH_PASSWORD ? AUTH_CLIENT_PASSWORD
                                                                          : AUTH_CLIENT_FAILED);
        bed_done(&b);
    }
}

/* A key that nobody asked for must not burn the try that a password could have. */
static void spare_keys_leave_the_last_try_to_a_person(void **state)
{
    (void)state;
    static const struct {
        bool spare;
        const char *methods;
        unsigned offers;
    } rows[] = {
        {true, METHODS, 5}, {false, METHODS, 9}, {true, "publickey", 9}, /* nothing else is left */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bed b;
        bed_with(&b, rows[i].methods, 3);
        for (int k = 0; k < 9; k++) {
            struct auth_client_key key = {"ssh-ed25519", slice_text("KEY"), rows[i].spare, false};
            assert_true(auth_client_add_key(b.a, &key));
        }
        auth_client_begin(b.a);
        drain(&b);
        assert_ok(recv_accept(&b, "ssh-userauth"));
        while (b.event.kind == AUTH_CLIENT_NONE)
            assert_ok(recv_failure(&b, "publickey,password"));
        assert_int_equal(b.offers, rows[i].offers);
        bed_done(&b);
    }
}

/* ---- hostile bytes ---- */

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
        assert_int_equal(auth_client_recv(b.a, slice_of(&numbers[i], 1)), ERR_PROTOCOL);
        bed_done(&b);
    }
    ask_first(&b, false); /* `none` has no sixty */
    assert_int_equal(recv_change(&b, "x"), ERR_PROTOCOL);
    bed_done(&b);
    methods_known(&b, METHODS, 3, "password"); /* a question is out: nothing is due */
    assert_int_equal(recv_change(&b, "x"), ERR_PROTOCOL);
    assert_int_equal(recv_failure(&b, "x"), ERR_PROTOCOL);
    bed_done(&b);
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

/* Cut anywhere, or with a count that is not kept, it is no message. */
static void cut_and_lying_prompts_are_refused(void **state)
{
    (void)state;
    static const char *const prompts[] = {"Password: ", "", "Number: ", "echo", NULL};
    static const struct {
        uint32_t count;
        enum err expected;
    } counts[] = {{1, ERR_FORMAT},
                  {3, ERR_FORMAT},
                  {INFO_PROMPTS_MAX + 1, ERR_LIMIT},
                  {UINT32_MAX, ERR_LIMIT}};
    struct bed b;
    methods_known(&b, METHODS, 3, "keyboard-interactive");
    assert_ok(recv_info(&b, "how", prompts));
    struct buf whole;
    buf_init(&whole, 65536);
    assert_ok(buf_append_slice(&whole, buf_slice(&b.payload)));
    bed_done(&b);
    for (size_t n = 1; n < buf_len(&whole); n++) {
        methods_known(&b, METHODS, 3, "keyboard-interactive");
        enum err err = auth_client_recv(b.a, slice_of(buf_slice(&whole).ptr, n));
        assert_true(err == ERR_FORMAT || err == ERR_LIMIT);
        assert_non_null(auth_client_fault(b.a).text);
        bed_done(&b);
    }
    size_t at = 1 + 4 + 4 + 4 + 3 + 4; /* number, name, instruction, language */
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        put_u32(whole.data + whole.start + at, counts[i].count);
        methods_known(&b, METHODS, 3, "keyboard-interactive");
        assert_int_equal(auth_client_recv(b.a, buf_slice(&whole)), counts[i].expected);
        bed_done(&b);
    }
    buf_done(&whole);
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
        cmocka_unit_test(the_only_key_at_hand_signs_without_asking),
        cmocka_unit_test(success_without_a_signature_is_refused),
        cmocka_unit_test(without_keys_none_may_succeed),
        cmocka_unit_test(an_answer_about_another_key_is_refused),
        cmocka_unit_test(keys_are_tried_in_order_until_none_is_left),
        cmocka_unit_test(an_rsa_key_waits_for_what_the_server_can_verify),
        cmocka_unit_test(a_certificate_is_named_and_signs_by_the_plain_algorithm),
        cmocka_unit_test(extensions_that_change_midway_leave_a_signature_as_asked),
        cmocka_unit_test(a_key_may_be_loaded_when_its_turn_comes),
        cmocka_unit_test(partial_success_goes_on_with_keys_that_were_not_used),
        cmocka_unit_test(a_query_cannot_succeed_in_part),
        cmocka_unit_test(a_server_that_never_has_enough_is_left),
        cmocka_unit_test(a_password_has_as_many_tries_as_were_given),
        cmocka_unit_test(a_password_that_is_too_old_is_changed),
        cmocka_unit_test(prompts_are_answered_in_their_order),
        cmocka_unit_test(a_method_that_asks_nothing_is_not_tried_again),
        cmocka_unit_test(who_declines_comes_to_the_next_method),
        cmocka_unit_test(methods_go_in_the_users_order),
        cmocka_unit_test(spare_keys_leave_the_last_try_to_a_person),
        cmocka_unit_test(messages_out_of_order_are_refused),
        cmocka_unit_test(lists_of_methods_are_checked),
        cmocka_unit_test(cut_and_lying_prompts_are_refused),
        cmocka_unit_test(banners_come_through_any_time),
    };
    return RUN_TESTS(tests);
}
