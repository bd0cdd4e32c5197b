/* PAM's dialogs as role messages. */
#include "server/authz_pam.h"

#include <security/pam_appl.h>
#include <unistd.h>

#include "server/authz_account.h"
#include "server/role.h"
#include "wire/msg_auth.h"

/* What a conversation has to go on. */
struct dialog {
    struct attempt *l;
    bool is_interactive;
    bool is_hopeless;      /* a rule forbids the login whatever PAM says */
    struct slice password; /* of a request: answers every question without echo */
    struct buf notes;      /* what PAM told meanwhile: shown with the next questions */
    enum err err;          /* the supervisor is gone: ends the attempt */
};

bool authz_pam_is_used(const struct server_options *o)
{
    return o->use_pam && geteuid() == 0;
}

/* ---- asking ---- */

static bool is_question(const struct pam_message *m)
{
    return m->msg_style == PAM_PROMPT_ECHO_OFF || m->msg_style == PAM_PROMPT_ECHO_ON;
}

static void note(struct dialog *d, const char *text)
{
    if (buf_append_slice(&d->notes, slice_text(text)) != OK || buf_append(&d->notes, "\n", 1) != OK)
        log_debug("PAM says more than fits");
}

static enum err send_questions(struct dialog *d, const struct pam_message **messages, int count)
{
    struct buf prompts, body;
    struct writer list, w;
    uint32_t asked = 0;
    buf_init(&prompts, ROLE_MSG_BODY_MAX);
    buf_init(&body, ROLE_MSG_BODY_MAX);
    writer_init(&list, &prompts);
    for (int i = 0; i < count; i++) {
        if (!is_question(messages[i]))
            continue;
        info_prompt_encode(&list, slice_text(messages[i]->msg),
                           messages[i]->msg_style == PAM_PROMPT_ECHO_ON);
        asked++;
    }
    writer_init(&w, &body);
    body_info_request_encode(&w, &(struct body_info_request){SLICE_NONE, buf_slice(&d->notes),
                                                             asked, buf_slice(&prompts)});
    enum err err = writer_done(&list) == OK ? writer_done(&w) : ERR_LIMIT;
    if (err == OK)
        err = role_send(d->l->fd,
                        &(struct role_msg){.kind = ROLE_MSG_PROMPT, .body = buf_slice(&body)});
    buf_clear(&d->notes);
    buf_done(&prompts);
    buf_done(&body);
    return err;
}

/* Played for an account that is refused already, so that nobody learns whether he was right. */
static const char junk[] = "\b\n\r\177not this one";

/* libpam frees it by free(3), as mem_free does. */
static char *for_pam(const struct dialog *d, struct slice text)
{
    return slice_strdup(d->is_hopeless ? slice_text(junk) : text);
}

static enum err ask_user(struct dialog *d, const struct pam_message **messages, int count,
                         struct pam_response *answers)
{
    struct body_info_response response;
    struct slice text;
    TRY(send_questions(d, messages, count));
    TRY(attempt_receive(d->l, ROLE_MSG_RESPONSE, NULL));
    TRY(body_info_response_decode(d->l->m.body, &response));
    d->l->m.method = ROLE_AUTH_INTERACTIVE;
    for (int i = 0; i < count; i++) {
        if (!is_question(messages[i]))
            continue;
        if (!info_response_next(&response.responses, &text) || text.len > MSG_PASSWORD_MAX)
            return ERR_FORMAT;
        answers[i].resp = for_pam(d, text);
    }
    return response.responses.len ? ERR_FORMAT : OK;
}

/* A request's password is the answer to whatever is asked without echo; nothing else has one. */
static enum err answer_by_password(struct dialog *d, const struct pam_message **messages, int count,
                                   struct pam_response *answers)
{
    for (int i = 0; i < count; i++) {
        if (messages[i]->msg_style == PAM_PROMPT_ECHO_ON)
            return ERR_DENIED;
        if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF)
            answers[i].resp = for_pam(d, d->password);
    }
    return OK;
}

static void free_answers(struct pam_response *answers, int count)
{
    for (int i = 0; i < count; i++) {
        if (answers[i].resp)
            mem_wipe(answers[i].resp, strlen(answers[i].resp));
        mem_free(answers[i].resp);
    }
    mem_free(answers);
}

static int converse(int count, const struct pam_message **messages, struct pam_response **out,
                    void *arg)
{
    struct dialog *d = arg;
    bool has_question = false;
    if (count <= 0 || count > INFO_PROMPTS_MAX)
        return PAM_CONV_ERR;
    struct pam_response *answers = mem_new((size_t)count, sizeof(*answers)); /* libpam's, too */
    for (int i = 0; i < count; i++) {
        has_question |= is_question(messages[i]);
        if (!is_question(messages[i]))
            note(d, messages[i]->msg);
    }
    enum err err = OK;
    if (has_question)
        err = d->is_interactive ? ask_user(d, messages, count, answers)
                                : answer_by_password(d, messages, count, answers);
    if (err != OK) {
        d->err = err == ERR_DENIED ? OK : err;
        free_answers(answers, count);
        return PAM_CONV_ERR;
    }
    *out = answers;
    return PAM_SUCCESS;
}

/* ---- a transaction ---- */

static int no_dialog(int count UNUSED, const struct pam_message **messages UNUSED,
                     struct pam_response **out UNUSED, void *arg UNUSED)
{
    return PAM_CONV_ERR;
}

static int begin(struct attempt *l, struct pam_conv *conversation, pam_handle_t **handle)
{
    *handle = NULL;
    int result = pam_start(l->options.pam_service_name, l->name, conversation, handle);
    if (result == PAM_SUCCESS)
        result = pam_set_item(*handle, PAM_RHOST, l->host);
    if (result == PAM_SUCCESS)
        result = pam_set_item(*handle, PAM_TTY, "ssh"); /* modules want one, as OpenSSH knows */
    return result;
}

static void refuse_by(struct attempt *l, pam_handle_t *handle, const char *phase, int result)
{
    if (result != PAM_SUCCESS)
        attempt_refuse(l, "PAM (%s %s): %s", l->options.pam_service_name, phase,
                       handle ? pam_strerror(handle, result) : "cannot be started");
}

/* Both phases. For an account that is refused already, PAM plays its part, and it stays refused. */
static enum err authenticate(struct attempt *l, struct dialog *d)
{
    struct pam_conv conversation = {converse, d};
    pam_handle_t *handle;
    int flags = l->options.permit_empty_passwords ? 0 : PAM_DISALLOW_NULL_AUTHTOK;
    buf_init(&d->notes, 8192);
    d->is_hopeless = attempt_is_refused(l);
    int result = begin(l, &conversation, &handle);
    if (result == PAM_SUCCESS)
        result = pam_authenticate(handle, flags);
    refuse_by(l, handle, "auth", result);
    if (result == PAM_SUCCESS) {
        result = pam_acct_mgmt(handle, flags);
        refuse_by(l, handle, "account", result);
    }
    authz_account_check_root(l);
    l->is_granted = result == PAM_SUCCESS && d->err == OK && !attempt_is_refused(l);
    if (handle)
        (void)pam_end(handle, result);
    buf_done(&d->notes);
    return d->err;
}

enum err authz_pam_password(struct attempt *l)
{
    struct buf password;
    buf_init_secret(&password, MSG_PASSWORD_MAX);
    bool is_kept = buf_append_slice(&password, l->m.password) == OK;
    struct dialog d = {.l = l, .password = is_kept ? buf_slice(&password) : SLICE_NONE};
    enum err err = authenticate(l, &d);
    buf_done(&password);
    return err;
}

enum err authz_pam_interactive(struct attempt *l)
{
    struct dialog d = {.l = l, .is_interactive = true};
    return authenticate(l, &d);
}

void authz_pam_account(struct attempt *l)
{
    struct pam_conv conversation = {no_dialog, NULL};
    pam_handle_t *handle;
    int result = begin(l, &conversation, &handle);
    if (result == PAM_SUCCESS)
        result = pam_acct_mgmt(handle, 0);
    refuse_by(l, handle, "account", result);
    if (handle)
        (void)pam_end(handle, result);
}
