/* Prompts of a login; the words are OpenSSH's, which people and their scripts know. */
#include "client/login_ask.h"

#include "base/log.h"
#include "client/internal.h"

#define SHOWN_MAX 4096 /* of a prompt: more is no prompt */

/* A signal ends the run; whatever else went wrong, there is no answer. */
static enum err as_answer(enum err err)
{
    if (err == ERR_LIMIT)
        log_error("what was typed is longer than %d bytes", PROMPT_ANSWER_MAX);
    return err == OK || err == ERR_CANCELLED ? err : ERR_DENIED;
}

static enum err ask_secret(const struct login_ask *a, const char *text, struct buf *answer)
{
    return as_answer(prompt_ask(&a->prompt, text, true, answer));
}

enum err login_ask_password(const struct login_ask *a, unsigned attempt, struct buf *password)
{
    CLEANUP(mem_cleanup) char *text = mem_printf("%s@%s's password: ", a->user, a->host);
    if (attempt > 1)
        log_error("Permission denied, please try again.");
    return ask_secret(a, text, password);
}

/* ---- a password that is too old (RFC 4252 8) ---- */

static enum err ask_new(const struct login_ask *a, struct buf *password)
{
    CLEANUP(mem_cleanup) char *text = mem_printf("Enter %s@%s's new password: ", a->user, a->host);
    CLEANUP(mem_cleanup)
    char *again_text = mem_printf("Retype %s@%s's new password: ", a->user, a->host);
    for (;;) {
        struct buf again;
        buf_init_secret(&again, PROMPT_ANSWER_MAX);
        enum err err = ask_secret(a, text, password);
        if (err == OK)
            err = ask_secret(a, again_text, &again);
        bool is_same = slice_equal(buf_slice(password), buf_slice(&again));
        buf_done(&again);
        if (err != OK || is_same)
            return err;
        log_error("Mismatch; try again, EOF to quit.");
        buf_clear(password);
    }
}

enum err login_ask_change(const struct login_ask *a, struct slice said, struct buf *old_password,
                          struct buf *new_password)
{
    CLEANUP(mem_cleanup) char *text = mem_printf("Enter %s@%s's old password: ", a->user, a->host);
    tell_banner(said);
    TRY(ask_secret(a, text, old_password));
    return ask_new(a, new_password);
}

/* ---- keyboard-interactive ---- */

/* Newlines and tabs stay: servers lay out what they ask. Caller owns. */
static char *made_safe(struct slice text)
{
    struct buf out;
    buf_init(&out, SHOWN_MAX);
    while (text.len) {
        char piece[SHOWN_MAX];
        size_t n = 0;
        while (n < text.len && text.ptr[n] != '\n' && text.ptr[n] != '\t')
            n++;
        log_escape(piece, sizeof(piece), slice_of(text.ptr, n));
        size_t taken = n < text.len ? n + 1 : n;
        if (buf_append_slice(&out, slice_text(piece)) != OK ||
            buf_append(&out, text.ptr + n, taken - n) != OK)
            break; /* clipped */
        text = slice_of(text.ptr + taken, text.len - taken);
    }
    char *safe = buf_strdup(&out);
    buf_done(&out);
    return safe;
}

enum err login_ask_info(const struct login_ask *a, const struct body_info_request *info,
                        struct buf *responses)
{
    struct slice rest = info->prompts;
    struct slice prompt;
    bool echo;
    for (uint32_t i = 0; i < info->count; i++)
        buf_init_secret(&responses[i], PROMPT_ANSWER_MAX);
    tell_banner(info->name);
    tell_banner(info->instruction);
    for (uint32_t i = 0; i < info->count && info_prompt_next(&rest, &prompt, &echo); i++) {
        CLEANUP(mem_cleanup) char *safe = made_safe(prompt);
        CLEANUP(mem_cleanup) char *text = mem_printf("(%s@%s) %s", a->user, a->host, safe);
        TRY(as_answer(prompt_ask(&a->prompt, text, !echo, &responses[i])));
    }
    return OK;
}

/* ---- keys ---- */

enum err login_ask_passphrase(const struct login_ask *a, const struct crypto *crypto,
                              struct identity *locked)
{
    CLEANUP(mem_cleanup)
    char *text = mem_printf("Enter passphrase for key '%s': ", locked->path);
    for (unsigned i = 0; i < a->tries; i++) {
        struct buf typed;
        buf_init_secret(&typed, PROMPT_ANSWER_MAX);
        enum err err = ask_secret(a, text, &typed);
        if (err == OK && buf_len(&typed) == 0)
            err = ERR_DENIED; /* nothing typed: on to the next key, as with ssh */
        if (err != OK) {
            buf_done(&typed);
            return err;
        }
        err = identity_open(locked, crypto, buf_slice(&typed));
        buf_done(&typed);
        if (err == OK)
            return OK;
        log_debug2("bad passphrase for %s: %s", locked->path, err_name(err));
        if (err != ERR_CRYPTO)
            break;
    }
    return ERR_DENIED;
}

enum err login_ask_add_key(const struct login_ask *a, const struct identity *id)
{
    CLEANUP(mem_cleanup) char *text = mem_printf("Add key %s to agent? (yes/no) ", id->path);
    return prompt_confirm(&a->prompt, text);
}
