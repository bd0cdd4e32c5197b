/* Replaces tokens left to right; what is put in is never looked at again. */
#include "config/expand.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"

static enum err refuse(struct expand_fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);

static enum err refuse(struct expand_fault *fault, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof(fault->text), format, args);
    va_end(args);
    return ERR_CONFIG;
}

/* A name from the configuration made safe to show; the room must outlive the answer. */
static const char *shown(struct escaped *room, const char *name, size_t length)
{
    return log_escape(room->text, 80, slice_of(name, length));
}

static enum err put(struct buf *out, const char *text, size_t length, struct expand_fault *fault)
{
    if (buf_append(out, text, length) == OK)
        return OK;
    snprintf(fault->text, sizeof(fault->text), "the expanded value is longer than %u bytes",
             EXPAND_MAX);
    return ERR_LIMIT;
}

/* *text is behind the '%'. */
static enum err put_token(const char **text, const struct expand_facts *facts, struct buf *out,
                          struct expand_fault *fault)
{
    char letter = **text;
    struct escaped room;
    if (letter == '\0')
        return refuse(fault, "a lone '%%' stands at the end; a percent sign is written %%%%");
    (*text)++;
    if (letter == '%')
        return put(out, "%", 1, fault);
    for (size_t i = 0; i < facts->token_count; i++) {
        const struct expand_token *token = &facts->tokens[i];
        if (token->letter != letter)
            continue;
        if (token->value == NULL)
            return refuse(fault, "the token %%%s is not known here", shown(&room, *text - 1, 1));
        return put(out, token->value, strlen(token->value), fault);
    }
    return refuse(fault, "there is no token %%%s", shown(&room, *text - 1, 1));
}

/* *text is at the '$' of "${". */
static enum err put_variable(const char **text, const struct expand_facts *facts, struct buf *out,
                             struct expand_fault *fault)
{
    const char *name = *text + 2;
    const char *close = strchr(name, '}');
    struct escaped room;
    if (close == NULL)
        return refuse(fault, "\"${%s\" is not closed", shown(&room, name, strlen(name)));
    size_t length = (size_t)(close - name);
    char *copy CLEANUP(mem_cleanup) = mem_strndup(name, length);
    const char *value = length > 0 ? facts->environment(facts->arg, copy) : NULL;
    if (value == NULL)
        return refuse(fault, "the environment variable \"%s\" is not set",
                      shown(&room, name, length));
    *text = close + 1;
    return put(out, value, strlen(value), fault);
}

/* "~" and "~user" at the beginning, up to the first slash. */
static enum err put_home(const char **text, const struct expand_facts *facts, struct buf *out,
                         struct expand_fault *fault)
{
    const char *user = *text + 1;
    size_t length = strcspn(user, "/");
    const char *home = facts->home;
    struct escaped room;
    if (length > 0) {
        char *copy CLEANUP(mem_cleanup) = mem_strndup(user, length);
        home = facts->user_home ? facts->user_home(facts->arg, copy) : NULL;
        if (home == NULL)
            return refuse(fault, "there is no home directory of \"%s\"",
                          shown(&room, user, length));
    }
    if (home == NULL && facts->has_tilde)
        return refuse(fault, "the home directory is not known");
    if (home == NULL)
        return OK;
    *text = user + length;
    TRY(put(out, home, strlen(home), fault));
    /* As ssh has it: "~" alone is a directory, and says so. */
    return **text == '\0' ? put(out, "/", 1, fault) : OK;
}

static enum err expand_all(const char *text, const struct expand_facts *facts, struct buf *out,
                           struct expand_fault *fault)
{
    /* A command's ~ is the shell's. */
    if (text[0] == '~' && (facts->home || facts->user_home || facts->has_tilde))
        TRY(put_home(&text, facts, out, fault));
    while (*text != '\0') {
        size_t plain = strcspn(text, "%$");
        TRY(put(out, text, plain, fault));
        text += plain;
        if (*text == '%') {
            text++;
            TRY(put_token(&text, facts, out, fault));
        } else if (*text == '$' && text[1] == '{' && facts->environment != NULL) {
            TRY(put_variable(&text, facts, out, fault));
        } else if (*text == '$') {
            TRY(put(out, text++, 1, fault));
        }
    }
    return OK;
}

enum err expand_text(const char *text, const struct expand_facts *facts, char **out,
                     struct expand_fault *fault)
{
    struct buf built;
    buf_init(&built, EXPAND_MAX);
    *out = NULL;
    fault->text[0] = '\0';
    enum err result = expand_all(text, facts, &built, fault);
    if (result == OK)
        *out = buf_strdup(&built);
    buf_done(&built);
    return result;
}
