/* What a login was done with: kept if it was right, wiped if not, given to the same question only.
 */
#include "client/login_kept.h"
#include "tests/unit.h"
#include "wire/writer.h"

struct bench {
    struct login_kept kept;
    struct buf prompts;
};

static int setup(void **state)
{
    struct bench *b = NEW(struct bench);
    login_kept_init(&b->kept);
    buf_init(&b->prompts, 4096);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    login_kept_done(&b->kept);
    buf_done(&b->prompts);
    mem_free(b);
    return 0;
}

static void password(struct bench *b, const char *text)
{
    const struct auth_client_event question = {.kind = AUTH_CLIENT_PASSWORD};
    const struct auth_client_answer answer = {.text = slice_text(text)};
    login_kept_answer(&b->kept, &question, &answer);
}

/* One prompt; a copy stays in b, as the server's bytes go. */
static struct auth_client_event prompt(struct bench *b, const char *text)
{
    struct writer w;
    buf_clear(&b->prompts);
    writer_init(&w, &b->prompts);
    info_prompt_encode(&w, slice_text(text), false);
    assert_ok(writer_done(&w));
    return (struct auth_client_event){.kind = AUTH_CLIENT_INFO_REQUEST,
                                      .info = {.count = 1, .prompts = buf_slice(&b->prompts)}};
}

static void said(struct bench *b, const char *asked, const char *text)
{
    const struct auth_client_event question = prompt(b, asked);
    const struct slice response = slice_text(text);
    const struct auth_client_answer answer = {.responses = &response};
    login_kept_answer(&b->kept, &question, &answer);
}

static void result(struct bench *b, enum auth_client_event_kind kind, enum userauth_method method,
                   bool is_partial, size_t key)
{
    login_kept_result(&b->kept,
                      &(struct auth_client_event){
                          .kind = kind, .method = method, .is_partial = is_partial, .key = key});
}

static void refused(struct bench *b, enum userauth_method method)
{
    result(b, AUTH_CLIENT_REFUSED, method, false, AUTH_CLIENT_NO_KEY);
}

static void succeeded(struct bench *b, enum userauth_method method)
{
    result(b, AUTH_CLIENT_SUCCESS, method, false, AUTH_CLIENT_NO_KEY);
}

static bool give(struct bench *b, struct auth_client_event question, struct slice *text)
{
    struct auth_client_answer answer;
    bool is_given = login_kept_give(&b->kept, &question, &answer);
    bool is_info = question.kind == AUTH_CLIENT_INFO_REQUEST;
    *text = is_given && is_info && question.info.count ? answer.responses[0] : answer.text;
    return is_given;
}

static const struct auth_client_event ask_password = {.kind = AUTH_CLIENT_PASSWORD, .attempt = 1};

static void the_password_that_was_right_is_given(void **state)
{
    struct bench *b = *state;
    struct slice text;
    refused(b, USERAUTH_NONE);
    password(b, "wrong");
    assert_false(give(b, ask_password, &text)); /* not known yet */
    refused(b, USERAUTH_PASSWORD);
    assert_int_equal(buf_len(&b->kept.password), 0);
    password(b, "right");
    succeeded(b, USERAUTH_PASSWORD);
    assert_true(give(b, ask_password, &text));
    assert_true(slice_is(text, "right"));
    assert_string_equal(b->kept.methods, "password");
}

static void a_new_password_takes_the_old_ones_place(void **state)
{
    struct bench *b = *state;
    struct slice text;
    const struct auth_client_event change = {.kind = AUTH_CLIENT_CHANGE_PASSWORD};
    const struct auth_client_answer answer = {.text = slice_text("old"),
                                              .new_password = slice_text("new")};
    password(b, "old");
    login_kept_answer(&b->kept, &change, &answer);
    succeeded(b, USERAUTH_PASSWORD);
    assert_true(give(b, ask_password, &text));
    assert_true(slice_is(text, "new"));
    assert_false(give(b, change, &text)); /* a person's own matter */
}

static void the_same_prompt_gets_the_same_answer(void **state)
{
    struct bench *b = *state;
    struct slice text;
    said(b, "Password: ", "first");
    refused(b, USERAUTH_INTERACTIVE);
    assert_int_equal(b->kept.said_count, 0);
    said(b, "Password: ", "second");
    said(b, "Colour: ", "green");
    succeeded(b, USERAUTH_INTERACTIVE);
    assert_true(give(b, prompt(b, "Colour: "), &text));
    assert_true(slice_is(text, "green"));
    assert_true(give(b, prompt(b, "Password: "), &text));
    assert_true(slice_is(text, "second"));
    assert_false(give(b, prompt(b, "Password:"), &text));
    assert_false(give(b, ask_password, &text));
    const struct auth_client_event nothing = {.kind = AUTH_CLIENT_INFO_REQUEST};
    assert_true(give(b, nothing, &text));
}

static void steps_are_kept_in_their_order(void **state)
{
    struct bench *b = *state;
    struct slice text;
    refused(b, USERAUTH_PUBLICKEY);
    result(b, AUTH_CLIENT_REFUSED, USERAUTH_PUBLICKEY, true, 3);
    password(b, "right");
    result(b, AUTH_CLIENT_REFUSED, USERAUTH_PASSWORD, true, AUTH_CLIENT_NO_KEY);
    refused(b, USERAUTH_PASSWORD); /* of the next step: what was right stays */
    result(b, AUTH_CLIENT_SUCCESS, USERAUTH_PUBLICKEY, false, 1);
    assert_string_equal(b->kept.methods, "publickey,password,publickey");
    assert_int_equal(b->kept.key_count, 2);
    assert_int_equal(b->kept.keys[0], 3);
    assert_int_equal(b->kept.keys[1], 1);
    assert_true(give(b, ask_password, &text));
    assert_true(slice_is(text, "right"));
}

static void what_nobody_said_is_not_kept(void **state)
{
    struct bench *b = *state;
    struct slice text;
    const struct auth_client_answer none = {.is_declined = true};
    const struct auth_client_event asked = prompt(b, "Password: ");
    login_kept_answer(&b->kept, &ask_password, &none);
    login_kept_answer(&b->kept, &asked, &none);
    succeeded(b, USERAUTH_NONE);
    assert_string_equal(b->kept.methods, "");
    assert_false(give(b, ask_password, &text));
    assert_false(give(b, prompt(b, "Password: "), &text));
    for (int i = 0; i < 2 * LOGIN_KEPT_SAID_MAX; i++)
        said(b, "again", "yes");
    assert_int_equal(b->kept.said_count, LOGIN_KEPT_SAID_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_password_that_was_right_is_given, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_password_takes_the_old_ones_place, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_prompt_gets_the_same_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(steps_are_kept_in_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_said_is_not_kept, setup, teardown),
    };
    return RUN_TESTS(tests);
}
