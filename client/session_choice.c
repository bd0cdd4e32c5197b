/* Which session. */
#include "client/session_choice.h"

#include "base/match.h"

/* The words behind the destination, with a space between them, as ssh sends them. */
static char *join(char *const *words)
{
    char *text = mem_strdup(*words++);
    for (; *words; words++) {
        char *before CLEANUP(mem_cleanup) = text;
        text = mem_printf("%s %s", before, *words);
    }
    return text;
}

/* ssh(1): a terminal for a shell, and for a command only where it is asked for. */
static void choose_tty(const struct client_options *o, bool is_terminal, struct session_choice *out)
{
    out->wants_tty = o->request_tty == TTY_YES || o->request_tty == TTY_FORCE ||
                     (!out->command && o->request_tty != TTY_NO);
    if (!out->wants_tty || o->request_tty == TTY_FORCE || (is_terminal && !o->stdin_null))
        return;
    out->wants_tty = false;
    out->tty_was_denied = true;
}

static bool has_forwards(const struct client_options *o)
{
    return o->local_forwards.count || o->remote_forwards.count || o->dynamic_forwards.count ||
           o->tunnel != TUNNEL_NO;
}

bool session_is_declined(const struct args *a, const struct client_options *o)
{
    return o->session_type == SESSION_NONE || a->stdio_host;
}

enum err session_choose(const struct args *a, const struct client_options *o, bool is_terminal,
                        struct session_choice *out, const char **fault)
{
    *out = (struct session_choice){.kind = RUN_SHELL};
    /* "" alone is none, as ssh has it. */
    bool has_words = a->command && a->command[0] && (a->command[0][0] || a->command[1]);
    if (has_words && o->remote_command) {
        *fault = "Cannot execute command-line and remote command.";
        return ERR_CONFIG;
    }
    if (session_is_declined(a, o))
        return OK;
    if (has_words)
        out->command = join(a->command);
    else if (o->remote_command)
        out->command = mem_strdup(o->remote_command);
    if (o->session_type == SESSION_SUBSYSTEM && !out->command) {
        *fault = "You must specify a subsystem to invoke.";
        return ERR_CONFIG;
    }
    /* In the background nobody types into a shell: what is left are the forwards. */
    if (o->fork_after_authentication && !out->command && has_forwards(o))
        return OK;
    if (o->fork_after_authentication && !out->command) {
        *fault = "Cannot fork into background without a command to execute.";
        return ERR_CONFIG;
    }
    out->is_wanted = true;
    if (out->command)
        out->kind = o->session_type == SESSION_SUBSYSTEM ? RUN_SUBSYSTEM : RUN_EXEC;
    choose_tty(o, is_terminal, out);
    return OK;
}

void session_choice_done(struct session_choice *choice)
{
    mem_free(choice->command);
    choice->command = NULL;
}

static bool is_picked(const struct string_list *patterns, const char *item)
{
    const char *equals = strchr(item, '=');
    if (!equals || equals == item)
        return false;
    char *name CLEANUP(mem_cleanup) = slice_strdup(slice_of(item, (size_t)(equals - item)));
    for (size_t i = 0; i < patterns->count; i++) {
        if (match_is_pattern(name, patterns->items[i]))
            return true;
    }
    return false;
}

void session_environment(const struct client_options *o, char *const *environment,
                         struct string_list *out)
{
    for (; environment && *environment; environment++) {
        if (is_picked(&o->send_env, *environment))
            string_list_add(out, *environment);
    }
    for (size_t i = 0; i < o->set_env.count; i++)
        string_list_add(out, o->set_env.items[i]);
}
