/* One login attempt, from "who is this" to the answer. */
#include "server/authz.h"

#include <time.h>
#include <unistd.h>

#include "server/authz_account.h"
#include "server/authz_pam.h"
#include "server/authz_password.h"
#include "server/authz_publickey.h"
#include "server/config_text.h"
#include "server/role.h"

static int64_t wall_clock_s(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec;
}

/* ---- who ---- */

static enum err add_numbers(struct buf *out, const struct account *a)
{
    for (size_t i = 0; i < a->group_count; i++) {
        uint32_t gid = (uint32_t)a->groups[i];
        uint8_t bytes[] = {(uint8_t)(gid >> 24), (uint8_t)(gid >> 16), (uint8_t)(gid >> 8),
                           (uint8_t)gid};
        TRY(buf_append(out, bytes, sizeof(bytes)));
    }
    return OK;
}

static enum err add_names(struct buf *out, const struct account *a)
{
    for (size_t i = 0; i < a->group_names.count; i++)
        TRY(buf_append(out, a->group_names.items[i], strlen(a->group_names.items[i]) + 1));
    return OK;
}

/* Groups that do not fit would be rules that do not hold: then there is no answer. */
static enum err send_account(struct attempt *l)
{
    const struct account *a = &l->account;
    struct buf numbers, names;
    buf_init(&numbers, ROLE_MSG_GROUPS_MAX);
    buf_init(&names, ROLE_MSG_NAMES_MAX);
    enum err err = add_numbers(&numbers, a);
    if (err == OK)
        err = add_names(&names, a);
    struct role_msg m = {.kind = ROLE_MSG_ACCOUNT,
                         .is_known = a->is_known,
                         .uid = (uint32_t)(a->is_known ? a->uid : l->decoy.uid),
                         .gid = (uint32_t)(a->is_known ? a->gid : l->decoy.gid),
                         .groups = buf_slice(&numbers),
                         .group_names = buf_slice(&names)};
    if (err == OK)
        err = role_send(l->fd, &m);
    buf_done(&numbers);
    buf_done(&names);
    return err;
}

/* "user:style": the style is the client's wish, which nobody here fulfils. */
static void find_account(struct attempt *l)
{
    l->name = slice_strdup(l->m.user);
    l->name[strcspn(l->name, ":")] = '\0';
    account_find(l->name, &l->account);
    account_find_groups(&l->account);
}

/* ---- what ---- */

static enum err take_facts(struct attempt *l, int config_fd)
{
    const char *why;
    TRY(config_text_from_fd(config_fd, &l->options));
    log_set_level(l->options.log_level);
    l->address = slice_strdup(l->m.address);
    l->host = slice_strdup(l->m.host.len ? l->m.host : l->m.address);
    l->local_address = slice_strdup(l->m.local_address);
    TRY(key_options_parse(l->m.options, &l->earlier, &why));
    char *user CLEANUP(mem_cleanup) = slice_strdup(l->m.user);
    user[strcspn(user, ":")] = '\0';
    return strcmp(user, l->name) == 0 ? OK : ERR_PROTOCOL; /* one attempt, one user */
}

static enum err take_question(struct attempt *l)
{
    int config_fd = -1;
    TRY(attempt_receive(l, ROLE_MSG_AUTHZ, &config_fd));
    enum err err = take_facts(l, config_fd);
    close(config_fd);
    return err;
}

static enum err decide(struct attempt *l)
{
    struct shadow shadow;
    enum err err = ERR_PROTOCOL;
    shadow_read(l->name, &shadow);
    authz_account_check(l, &shadow);
    if (!slice_is(l->m.service, "ssh-connection"))
        attempt_refuse(l, "no such service");
    if (l->m.method == ROLE_AUTH_PUBLICKEY) {
        if (authz_pam_is_used(&l->options) && !attempt_is_refused(l))
            authz_pam_account(l);
        err = authz_publickey(l);
    } else if (l->m.method == ROLE_AUTH_PASSWORD) {
        err = authz_password(l, &shadow);
    } else if (l->m.method == ROLE_AUTH_INTERACTIVE) {
        err = authz_interactive(l, &shadow);
    }
    shadow_done(&shadow);
    return err;
}

/* What this step restricts, and all before it (AuthenticationMethods): each restriction holds. */
static void add_earlier(struct attempt *l)
{
    const char *why = "";
    if (l->is_granted && key_options_merge(&l->granted, &l->earlier, &why) != OK)
        attempt_refuse(l, "the options of two steps do not go together: %s", why);
}

/* As AuthenticationMethods calls it ("keyboard-interactive:pam"). */
static const char *device(const struct attempt *l)
{
    if (l->m.method != ROLE_AUTH_INTERACTIVE)
        return "";
    return authz_pam_is_used(&l->options) ? "pam" : "bsdauth";
}

/* Options that cannot be said would be restrictions that do not hold. */
static enum err send_answer(struct attempt *l)
{
    struct buf options;
    buf_init(&options, ROLE_MSG_OPTIONS_MAX);
    add_earlier(l);
    if (l->is_granted && !attempt_is_refused(l) && key_options_print(&l->granted, &options) != OK) {
        attempt_refuse(l, "the options that restrict the login cannot be expressed");
        buf_clear(&options);
    }
    bool may = l->is_granted && !attempt_is_refused(l);
    struct role_msg m = {.kind = ROLE_MSG_ANSWER,
                         .is_allowed = may,
                         .name = slice_text(device(l)),
                         .options = may ? buf_slice(&options) : SLICE_NONE,
                         .fingerprint = slice_text(l->fingerprint),
                         .text = slice_text(l->reason)};
    enum err err = role_send(l->fd, &m);
    buf_done(&options);
    return err;
}

enum err authz_run(int fd, const struct crypto *crypto)
{
    struct attempt l;
    attempt_init(&l, fd, crypto, wall_clock_s());
    enum err err = attempt_receive(&l, ROLE_MSG_WHO, NULL);
    if (err == OK) {
        find_account(&l);
        err = send_account(&l);
    }
    if (err == OK)
        err = take_question(&l);
    if (err == OK)
        err = decide(&l);
    if (err == OK)
        err = send_answer(&l);
    attempt_done(&l);
    return err;
}
