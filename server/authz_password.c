/* Login by a password. */
#include "server/authz_password.h"

#include <unistd.h>

#include "server/authz_account.h"
#include "server/authz_pam.h"
#include "server/role.h"
#include "wire/msg_auth.h"

#define PROMPT "Password: "

/* The rules that no right password changes. They are asked first, and the crypt comes all the same:
 * it costs what it costs, whoever asks. */
static void check_rules(struct attempt *l, struct slice password)
{
    if (password.len == 0 && !l->options.permit_empty_passwords)
        attempt_refuse(l, "PermitEmptyPasswords no");
    if (password.len > MSG_PASSWORD_MAX)
        attempt_refuse(l, "the password is too long");
    authz_account_check_root(l);
}

/* The one place that says a password is right. */
static void judge(struct attempt *l, const struct shadow *shadow, struct slice password)
{
    bool is_long = password.len > MSG_PASSWORD_MAX;
    check_rules(l, password);
    bool is_right = shadow_is_password(shadow, is_long ? SLICE_NONE : password);
    if (!shadow->is_read && geteuid() != 0)
        attempt_refuse(l, "aditd does not run as root, so it cannot check passwords");
    if (!is_right)
        attempt_refuse(l, "the password is wrong");
    if (shadow_must_change(shadow, l->now_s))
        attempt_refuse(l, "the password has expired");
    l->is_granted = is_right && !attempt_is_refused(l);
}

enum err authz_password(struct attempt *l, const struct shadow *shadow)
{
    if (!l->options.password_authentication)
        attempt_refuse(l, "PasswordAuthentication no");
    if (!authz_pam_is_used(&l->options)) {
        judge(l, shadow, l->m.password);
        return OK;
    }
    check_rules(l, l->m.password);
    return authz_pam_password(l);
}

/* ---- keyboard-interactive without PAM: one question ---- */

static enum err ask(struct attempt *l)
{
    struct buf prompts, body;
    struct writer w;
    buf_init(&prompts, 256);
    buf_init(&body, 1024);
    writer_init(&w, &prompts);
    info_prompt_encode(&w, slice_text(PROMPT), false);
    enum err err = writer_done(&w);
    writer_init(&w, &body);
    body_info_request_encode(
        &w, &(struct body_info_request){SLICE_NONE, SLICE_NONE, 1, buf_slice(&prompts)});
    if (err == OK)
        err = writer_done(&w);
    if (err == OK)
        err =
            role_send(l->fd, &(struct role_msg){.kind = ROLE_MSG_PROMPT, .body = buf_slice(&body)});
    buf_done(&prompts);
    buf_done(&body);
    return err;
}

static enum err dialog(struct attempt *l, const struct shadow *shadow)
{
    struct body_info_response response;
    struct slice password = SLICE_NONE;
    TRY(ask(l));
    TRY(attempt_receive(l, ROLE_MSG_RESPONSE, NULL));
    TRY(body_info_response_decode(l->m.body, &response));
    bool is_one = response.count == 1 && info_response_next(&response.responses, &password);
    if (!is_one)
        attempt_refuse(l, "one answer was asked for");
    l->m.method = ROLE_AUTH_INTERACTIVE; /* RESPONSE has no such field */
    judge(l, shadow, is_one ? password : SLICE_NONE);
    return OK;
}

enum err authz_interactive(struct attempt *l, const struct shadow *shadow)
{
    if (!l->options.kbd_interactive_authentication)
        attempt_refuse(l, "KbdInteractiveAuthentication no");
    return authz_pam_is_used(&l->options) ? authz_pam_interactive(l) : dialog(l, shadow);
}
