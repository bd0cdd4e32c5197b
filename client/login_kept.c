/* What was right once. */
#include "client/login_kept.h"

#define ANSWER_MAX 65536 /* a bound; what a person may type is bounded where it is asked */

const char *login_method_name(enum userauth_method method)
{
    switch (method) {
    case USERAUTH_NONE:
        return "none";
    case USERAUTH_PASSWORD:
        return "password";
    case USERAUTH_INTERACTIVE:
        return "keyboard-interactive";
    case USERAUTH_PUBLICKEY:
    case USERAUTH_PUBLICKEY_HOSTBOUND:
    case USERAUTH_OTHER:
        break;
    }
    return "publickey";
}

/* ---- prompts ---- */

static void said_done(struct login_said *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        buf_done(&s->texts[i]);
    buf_done(&s->prompts);
    mem_free(s->texts);
    mem_free(s->responses);
    *s = (struct login_said){.count = 0};
}

static void forget_said(struct login_kept *k)
{
    for (size_t i = 0; i < k->said_count; i++)
        said_done(&k->said[i]);
    k->said_count = 0;
}

static void keep_said(struct login_kept *k, const struct body_info_request *info,
                      const struct slice *responses)
{
    if (k->said_count == LOGIN_KEPT_SAID_MAX || info->count == 0)
        return;
    struct login_said *s = &k->said[k->said_count++];
    buf_init(&s->prompts, SIZE_MAX);
    CHECK(buf_append_slice(&s->prompts, info->prompts) == OK);
    s->texts = mem_new(info->count, sizeof(*s->texts));
    s->responses = mem_new(info->count, sizeof(*s->responses));
    s->count = info->count;
    for (uint32_t i = 0; i < s->count; i++) {
        buf_init_secret(&s->texts[i], ANSWER_MAX);
        if (buf_append_slice(&s->texts[i], responses[i]) != OK)
            buf_clear(&s->texts[i]);
        s->responses[i] = buf_slice(&s->texts[i]);
    }
}

static const struct login_said *find_said(const struct login_kept *k,
                                          const struct body_info_request *info)
{
    for (size_t i = 0; k->has_said && i < k->said_count; i++) {
        if (k->said[i].count == info->count &&
            slice_equal(buf_slice(&k->said[i].prompts), info->prompts))
            return &k->said[i];
    }
    return NULL;
}

/* ---- what is told ---- */

void login_kept_init(struct login_kept *k)
{
    *k = (struct login_kept){.methods = mem_strdup("")};
    buf_init_secret(&k->password, ANSWER_MAX);
}

void login_kept_done(struct login_kept *k)
{
    forget_said(k);
    buf_done(&k->password);
    mem_free(k->methods);
    *k = (struct login_kept){.methods = NULL};
}

static void keep_password(struct login_kept *k, struct slice text)
{
    buf_done(&k->password);
    if (buf_append_slice(&k->password, text) != OK)
        buf_done(&k->password);
}

void login_kept_answer(struct login_kept *k, const struct auth_client_event *question,
                       const struct auth_client_answer *answer)
{
    if (answer->is_declined)
        return;
    if (question->kind == AUTH_CLIENT_PASSWORD)
        keep_password(k, answer->text);
    else if (question->kind == AUTH_CLIENT_CHANGE_PASSWORD)
        keep_password(k, answer->new_password);
    else if (question->kind == AUTH_CLIENT_INFO_REQUEST)
        keep_said(k, &question->info, answer->responses);
}

static void add_method(struct login_kept *k, enum userauth_method method)
{
    CLEANUP(mem_cleanup) char *before = k->methods;
    k->methods = mem_printf("%s%s%s", before, *before ? "," : "", login_method_name(method));
}

static void on_right(struct login_kept *k, const struct auth_client_event *e)
{
    if (e->method == USERAUTH_NONE)
        return; /* tried anyway */
    add_method(k, e->method);
    k->has_password |= e->method == USERAUTH_PASSWORD;
    k->has_said |= e->method == USERAUTH_INTERACTIVE;
    if (e->key != AUTH_CLIENT_NO_KEY && k->key_count < ARRAY_LEN(k->keys))
        k->keys[k->key_count++] = e->key;
}

static void on_wrong(struct login_kept *k, enum userauth_method method)
{
    if (method == USERAUTH_PASSWORD && !k->has_password)
        buf_done(&k->password);
    else if (method == USERAUTH_INTERACTIVE && !k->has_said)
        forget_said(k);
}

void login_kept_result(struct login_kept *k, const struct auth_client_event *e)
{
    if (e->kind == AUTH_CLIENT_SUCCESS || (e->kind == AUTH_CLIENT_REFUSED && e->is_partial))
        on_right(k, e);
    else if (e->kind == AUTH_CLIENT_REFUSED)
        on_wrong(k, e->method);
}

/* ---- what is given ---- */

bool login_kept_give(const struct login_kept *k, const struct auth_client_event *question,
                     struct auth_client_answer *answer)
{
    *answer = (struct auth_client_answer){.is_declined = false};
    if (question->kind == AUTH_CLIENT_PASSWORD && k->has_password) {
        answer->text = buf_slice(&k->password);
        return true;
    }
    if (question->kind != AUTH_CLIENT_INFO_REQUEST)
        return false;
    const struct login_said *s = find_said(k, &question->info);
    if (s)
        answer->responses = s->responses;
    return s || question->info.count == 0; /* PAM's last word often asks nothing */
}
