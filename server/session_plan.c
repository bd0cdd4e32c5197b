/* What a session runs and with which environment. */
#include "server/session_plan.h"

#include "base/match.h"

#define PATH_USER   "/usr/local/bin:/usr/bin:/bin:/usr/games"
#define PATH_ROOT   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define MAIL_FOLDER "/var/mail"
#define SFTP_SERVER "/usr/lib/openssh/sftp-server"
#define INTERNAL    "internal-sftp"
#define NAME_MAX_   256 /* bytes of a variable's name */

const char *session_forced_command(const struct server_options *o, const struct key_options *key)
{
    if (o->force_command && strcmp(o->force_command, "none") != 0)
        return o->force_command;
    return key->command;
}

const char *session_subsystem_command(const struct server_options *o, struct slice name)
{
    for (size_t i = 0; i < o->subsystems.count; i++) {
        const char *text = o->subsystems.items[i];
        size_t length = strcspn(text, " ");
        if (slice_equal(name, slice_of(text, length)))
            return text + length + strspn(text + length, " ");
    }
    return NULL;
}

bool session_may_set(const struct server_options *o, const char *name)
{
    for (size_t i = 0; i < o->accept_env.count; i++) {
        if (match_is_pattern(name, o->accept_env.items[i]))
            return true;
    }
    return false;
}

/* "internal-sftp [arguments]" is OpenSSH's program, which takes the same arguments. */
static bool is_internal_sftp(const char *command)
{
    size_t n = strlen(INTERNAL);
    return strncmp(command, INTERNAL, n) == 0 && (command[n] == '\0' || command[n] == ' ');
}

enum err session_plan_make(const struct server_options *o, const struct key_options *key,
                           const struct role_msg *asked, struct session_plan *plan)
{
    const char *forced = session_forced_command(o, key);
    char *wanted = NULL;
    *plan = (struct session_plan){.is_subsystem = asked->session_kind == ROLE_SESSION_SUBSYSTEM};
    if (asked->session_kind == ROLE_SESSION_EXEC) {
        wanted = slice_strdup(asked->command);
    } else if (plan->is_subsystem) {
        const char *command = session_subsystem_command(o, asked->command);
        if (!command)
            return ERR_NOT_FOUND;
        wanted = mem_strdup(command);
    }
    if (forced) {
        plan->original = wanted;
        wanted = mem_strdup(forced);
    }
    plan->is_sftp = wanted && is_internal_sftp(wanted);
    if (plan->is_sftp) {
        plan->command = mem_printf("exec " SFTP_SERVER "%s", wanted + strlen(INTERNAL));
        mem_free(wanted);
    } else {
        plan->command = wanted;
    }
    plan->has_pty = asked->has_pty && o->permit_tty && key->may_use_pty;
    bool is_forced_by_admin = forced && forced != key->command;
    plan->has_rc = !plan->is_subsystem && !plan->is_sftp && !is_forced_by_admin &&
                   o->permit_user_rc && key->may_use_rc;
    return OK;
}

void session_plan_done(struct session_plan *plan)
{
    mem_free(plan->command);
    mem_free(plan->original);
    *plan = (struct session_plan){.command = NULL};
}

void session_set(struct string_list *environment, const char *name, const char *value)
{
    size_t n = strlen(name);
    char *text = mem_printf("%s=%s", name, value);
    for (size_t i = 0; i < environment->count; i++) {
        if (strncmp(environment->items[i], text, n + 1) == 0) {
            mem_free(environment->items[i]);
            environment->items[i] = text;
            return;
        }
    }
    string_list_add(environment, text);
    mem_free(text);
}

/* "NAME=value" as one text. */
static void set_text(struct string_list *environment, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || equals - text > NAME_MAX_)
        return;
    char *name CLEANUP(mem_cleanup) = mem_strndup(text, (size_t)(equals - text));
    session_set(environment, name, equals + 1);
}

static void set_slice(struct string_list *environment, const char *name, struct slice value)
{
    char *text CLEANUP(mem_cleanup) = slice_strdup(value);
    session_set(environment, name, text);
}

/* What the client asked for. The worker has asked AcceptEnv already; here it is decided. */
static void set_accepted(const struct server_options *o, struct slice asked,
                         struct string_list *environment)
{
    while (asked.len) {
        const uint8_t *end = memchr(asked.ptr, '\0', asked.len);
        if (!end)
            return;
        const char *text = (const char *)asked.ptr;
        const char *equals = strchr(text, '=');
        char *name CLEANUP(mem_cleanup) =
            mem_strndup(text, equals ? (size_t)(equals - text) : strlen(text));
        if (equals && session_may_set(o, name))
            set_text(environment, text);
        size_t n = (size_t)(end - asked.ptr) + 1;
        asked = slice_of(asked.ptr + n, asked.len - n);
    }
}

/* PermitUserEnvironment: no, yes, or patterns of names. */
static bool may_user_set(const struct server_options *o, const char *assignment)
{
    const char *permitted = o->permit_user_environment;
    char *name CLEANUP(mem_cleanup) = mem_strndup(assignment, strcspn(assignment, "="));
    if (strcmp(permitted, "no") == 0)
        return false;
    return strcmp(permitted, "yes") == 0 || match_list(name, permitted) == MATCH_YES;
}

static void set_of_key(const struct server_options *o, const struct key_options *key,
                       struct string_list *environment)
{
    for (size_t i = 0; i < key->environment.count; i++) {
        if (may_user_set(o, key->environment.items[i]))
            set_text(environment, key->environment.items[i]);
    }
}

/* What comes behind the user's own in OpenSSH's order stays as it is. */
static bool is_stronger(const struct server_options *o, const char *assignment)
{
    size_t n = strcspn(assignment, "=") + 1;
    for (size_t i = 0; i < o->set_env.count; i++) {
        if (strncmp(o->set_env.items[i], assignment, n) == 0)
            return true;
    }
    return strncmp(assignment, "SSH_", 4) == 0;
}

void session_add_lines(const struct server_options *o, struct slice text,
                       struct string_list *environment)
{
    while (text.len) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t n = end ? (size_t)(end - text.ptr) : text.len;
        char *line CLEANUP(mem_cleanup) = slice_strdup(slice_of(text.ptr, n));
        const char *start = line + strspn(line, " \t");
        if (*start != '#' && strchr(start, '=') && may_user_set(o, start) && !is_stronger(o, start))
            set_text(environment, start);
        size_t step = n + (end ? 1 : 0);
        text = slice_of(text.ptr + step, text.len - step);
    }
}

static void set_connection(const struct role_msg *asked, struct string_list *environment)
{
    char *from CLEANUP(mem_cleanup) = slice_strdup(asked->address);
    char *to CLEANUP(mem_cleanup) = slice_strdup(asked->local_address);
    char *client CLEANUP(mem_cleanup) =
        mem_printf("%s %u %u", from, (unsigned)asked->port, (unsigned)asked->local_port);
    char *connection CLEANUP(mem_cleanup) =
        mem_printf("%s %u %s %u", from, (unsigned)asked->port, to, (unsigned)asked->local_port);
    session_set(environment, "SSH_CLIENT", client);
    session_set(environment, "SSH_CONNECTION", connection);
}

void session_environment(const struct server_options *o, const struct key_options *key,
                         const struct role_msg *asked, const struct session_plan *plan,
                         const struct session_facts *facts, struct string_list *environment)
{
    const struct account *a = facts->account;
    char *mail CLEANUP(mem_cleanup) = mem_printf(MAIL_FOLDER "/%s", a->name);
    set_accepted(o, asked->environment, environment);
    session_set(environment, "USER", a->name);
    session_set(environment, "LOGNAME", a->name);
    session_set(environment, "HOME", a->home);
    session_set(environment, "PATH", a->uid == 0 ? PATH_ROOT : PATH_USER);
    session_set(environment, "MAIL", mail);
    session_set(environment, "SHELL", a->shell);
    if (facts->time_zone)
        session_set(environment, "TZ", facts->time_zone);
    if (facts->tty && asked->term.len)
        set_slice(environment, "TERM", asked->term);
    set_of_key(o, key, environment);
    for (size_t i = 0; i < o->set_env.count; i++)
        set_text(environment, o->set_env.items[i]);
    set_connection(asked, environment);
    if (facts->tty)
        session_set(environment, "SSH_TTY", facts->tty);
    if (plan->original)
        session_set(environment, "SSH_ORIGINAL_COMMAND", plan->original);
    if (facts->auth_file)
        session_set(environment, "SSH_USER_AUTH", facts->auth_file);
    if (asked->agent_path.len)
        set_slice(environment, "SSH_AUTH_SOCK", asked->agent_path);
}
