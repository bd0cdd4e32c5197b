/*
 * Login by a key. What only root may read, and the administrator's commands, come before the change
 * of uid; whatever lies below the home directory comes after it.
 */
#include "server/authz_publickey.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "server/authz_account.h"
#include "server/authz_command.h"
#include "server/authz_lists.h"

#define KEYS_FILE_MAX (4u << 20)

/* What was gathered while still root. */
struct gathered {
    bool is_authority_trusted;
    bool has_principals_command, has_keys_command; /* one is configured and was asked */
    struct buf principals, keys;                   /* what they printed */
};

static bool is_set(const char *value)
{
    return value && strcmp(value, "none") != 0;
}

/* ---- as root ---- */

static bool is_authority_trusted(const struct attempt *l, const struct offered_key *k)
{
    const char *path = l->options.trusted_user_ca_keys;
    struct buf text;
    if (!k->cert || !is_set(path))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        log_error("TrustedUserCAKeys %s cannot be read", path);
        return false;
    }
    buf_init(&text, KEYS_FILE_MAX + 1);
    bool found = account_read_fd(fd, KEYS_FILE_MAX, &text) == OK &&
                 lists_have_authority(buf_slice(&text), offered_key_authority(k));
    buf_done(&text);
    close(fd);
    return found;
}

/* The words that tokens stand for; owned. */
struct words {
    char uid[16], serial[24];
    char *type, *print, *key, *authority_type, *authority_print, *authority_key, *key_id, *ends;
};

static void words_init(const struct attempt *l, const struct offered_key *k, struct words *w)
{
    struct slice authority = offered_key_authority(k);
    snprintf(w->uid, sizeof(w->uid), "%u", (unsigned)l->account.uid);
    snprintf(w->serial, sizeof(w->serial), "%llu",
             (unsigned long long)(k->cert ? cert_info(k->cert)->serial : 0));
    w->type = slice_strdup(offered_key_type(l->m.key));
    w->print = authz_fingerprint(l, offered_key_plain(k));
    w->key = base64_encode(l->m.key, true);
    w->authority_type =
        k->cert ? mem_strdup(pubkey_type_name(cert_info(k->cert)->authority)) : NULL;
    w->authority_print = k->cert ? authz_fingerprint(l, authority) : NULL;
    w->authority_key = k->cert ? base64_encode(authority, true) : NULL;
    w->key_id = k->cert ? slice_strdup(cert_info(k->cert)->key_id) : NULL;
    w->ends = mem_printf("%s %u %s %u", l->address, (unsigned)l->m.port, l->local_address,
                         (unsigned)l->m.local_port);
}

static void words_done(struct words *w)
{
    char *const all[] = {w->type,          w->print,  w->key, w->authority_type, w->authority_print,
                         w->authority_key, w->key_id, w->ends};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        mem_free(all[i]);
}

/* True: it ran, and what it printed is in out. */
static bool ask_command(const struct attempt *l, const struct offered_key *k, const char *keyword,
                        const char *line, const char *user, struct buf *out)
{
    struct words w;
    words_init(l, k, &w);
    const struct expand_token tokens[] = {
        {'u', l->account.name},
        {'U', w.uid},
        {'h', l->account.home},
        {'t', w.type},
        {'f', w.print},
        {'k', w.key},
        {'C', w.ends},
        {'T', w.authority_type},
        {'F', w.authority_print},
        {'K', w.authority_key},
        {'i', w.key_id},
        {'s', k->cert ? w.serial : NULL},
    };
    const struct command command = {.keyword = keyword,
                                    .line = line,
                                    .user = user,
                                    .tokens = tokens,
                                    .token_count = ARRAY_LEN(tokens),
                                    .only_argument = l->account.name};
    enum err err = command_run(&command, out);
    words_done(&w);
    return err == OK;
}

/* For an account that may not log in nothing is run: its name may be anything. */
static void gather(struct attempt *l, const struct offered_key *k, struct gathered *g)
{
    const struct server_options *o = &l->options;
    g->is_authority_trusted = is_authority_trusted(l, k);
    if (attempt_is_refused(l))
        return;
    g->has_principals_command =
        g->is_authority_trusted && is_set(o->authorized_principals_command) &&
        ask_command(l, k, "AuthorizedPrincipalsCommand", o->authorized_principals_command,
                    o->authorized_principals_command_user, &g->principals);
    g->has_keys_command = is_set(o->authorized_keys_command) &&
                          ask_command(l, k, "AuthorizedKeysCommand", o->authorized_keys_command,
                                      o->authorized_keys_command_user, &g->keys);
}

/* ---- as the account ---- */

/* The text of a file of the account's, or nothing, and the log says why. */
static bool read_file(const struct attempt *l, const char *pattern, char **path, struct buf *text)
{
    const struct account *a = attempt_whom(l);
    struct account_fault why;
    int fd = -1;
    if (account_keys_path(a, pattern, path, &why) != OK) {
        log_error("%s", why.text);
        return false;
    }
    enum err err = account_open_keys(a, *path, l->options.strict_modes, &fd, &why);
    if (err != OK) {
        log_write(err == ERR_DENIED ? LOG_INFO : LOG_DEBUG1, "%s%s",
                  err == ERR_DENIED ? "Authentication refused: " : "", why.text);
        return false;
    }
    err = account_read_fd(fd, KEYS_FILE_MAX, text);
    if (err != OK)
        log_error("%s is not read: %s", *path, err == ERR_LIMIT ? "too large" : "input error");
    close(fd);
    return err == OK;
}

/* What one text that lets keys in has to say; its word against the key is kept for the end. */
typedef bool text_search(const struct attempt *l, const struct offered_key *k, struct slice text,
                         struct list_source *source, struct key_options *options);

static void keep_why(char *why, size_t size, const struct list_source *source)
{
    if (why[0] == '\0' && source->why[0])
        snprintf(why, size, "%s", source->why);
}

struct search {
    struct attempt *l;
    const struct offered_key *k;
    const struct gathered *g;
    char why[256]; /* the first line that has the key and forbids it */
};

/* Takes the options over. */
static void grant(struct attempt *l, const struct key_options *options)
{
    key_options_done(&l->granted);
    l->granted = *options;
}

static bool search_text(struct search *s, text_search *has, struct slice text, const char *what)
{
    struct list_source source = {.what = what};
    struct key_options options;
    if (!has(s->l, s->k, text, &source, &options)) {
        keep_why(s->why, sizeof(s->why), &source);
        return false;
    }
    grant(s->l, &options);
    return true;
}

static bool search_file(struct search *s, text_search *has, const char *pattern)
{
    struct buf text;
    char *path = NULL;
    buf_init(&text, KEYS_FILE_MAX + 1);
    bool found =
        read_file(s->l, pattern, &path, &text) && search_text(s, has, buf_slice(&text), path);
    buf_done(&text);
    mem_free(path);
    return found;
}

/* A certificate of an authority in TrustedUserCAKeys: its principals are a file's or a command's
 * matter where one is configured, else it must name the account. */
static bool is_certified(struct search *s)
{
    const struct server_options *o = &s->l->options;
    bool has_file = is_set(o->authorized_principals_file);
    bool has_command = is_set(o->authorized_principals_command);
    struct list_source source = {.what = "certificate"};
    struct key_options options;
    if (!s->g->is_authority_trusted)
        return false;
    if (has_file && search_file(s, lists_have_principal, o->authorized_principals_file))
        return true;
    if (s->g->has_principals_command &&
        search_text(s, lists_have_principal, buf_slice(&s->g->principals),
                    "AuthorizedPrincipalsCommand"))
        return true;
    if (has_file || has_command) {
        snprintf(source.why, sizeof(source.why), "principal not listed");
    } else if (lists_name_account(s->l, s->k, &source, &options)) {
        grant(s->l, &options);
        return true;
    }
    keep_why(s->why, sizeof(s->why), &source);
    return false;
}

static bool is_listed(struct search *s)
{
    const struct string_list *files = &s->l->options.authorized_keys_files;
    if (s->g->has_keys_command &&
        search_text(s, lists_have_key, buf_slice(&s->g->keys), "AuthorizedKeysCommand"))
        return true;
    for (size_t i = 0; i < files->count; i++) {
        if (is_set(files->items[i]) && search_file(s, lists_have_key, files->items[i]))
            return true;
    }
    return false;
}

static void search_all(struct search *s)
{
    struct attempt *l = s->l;
    bool was_refused = attempt_is_refused(l);
    bool found = is_certified(s) || is_listed(s);
    if (!found)
        attempt_refuse(l, "%s", s->why[0] ? s->why : "the key is not listed for this account");
    else if (!was_refused)
        offered_key_check_touch(l, s->k);
    if (found && !was_refused)
        authz_account_check_root(l);
    l->is_granted =
        found && !attempt_is_refused(l) &&
        s->k->verdict == (l->m.has_signature ? KEY_VERDICT_VERIFIED : KEY_VERDICT_NOTHING_SIGNED);
}

enum err authz_publickey(struct attempt *l)
{
    struct offered_key k;
    struct gathered g = {.is_authority_trusted = false};
    struct search s = {.l = l, .k = &k, .g = &g};
    buf_init(&g.principals, COMMAND_OUTPUT_MAX + 1);
    buf_init(&g.keys, COMMAND_OUTPUT_MAX + 1);
    if (!l->options.pubkey_authentication)
        attempt_refuse(l, "PubkeyAuthentication no");
    offered_key_read(l, &k);
    offered_key_check(l, &k);
    gather(l, &k, &g);
    enum err err = attempt_become(l);
    if (err == OK)
        search_all(&s);
    offered_key_done(&k);
    buf_done(&g.principals);
    buf_done(&g.keys);
    return err;
}
