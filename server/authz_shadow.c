/* Shadow passwords. */
#include "server/authz_shadow.h"

#include <crypt.h>
#include <errno.h>
#include <shadow.h>
#include <unistd.h>

#define ENTRY_MAX 8192 /* hashes, even the longest, and seven numbers */
#define DAY_S     86400
/* yescrypt with Debian's cost, of no password that anybody knows; where root has no hash. */
#define DECOY "$y$j9T$2ZHn9rE5nVvTtcTcGGZcB.$aD8rQ1r1Zkq8jX1mG2kE9sVw4bYc3dNf5hLp6uTz7xA"

static bool is_hash(const char *text)
{
    return text[0] == '$' || (strlen(text) == 13 && text[0] != '*' && text[0] != '!');
}

static void take_entry(struct shadow *s, const struct spwd *entry)
{
    s->is_read = true;
    mem_free(s->hash);
    s->hash = mem_strdup(entry->sp_pwdp ? entry->sp_pwdp : "!");
    s->changed = entry->sp_lstchg;
    s->max_days = entry->sp_max;
    s->expires = entry->sp_expire;
}

void shadow_read(const char *user, struct shadow *s)
{
    char *room CLEANUP(mem_cleanup) = mem_new(ENTRY_MAX, 1);
    struct spwd entry, *found = NULL;
    *s = (struct shadow){.hash = mem_strdup("!"), .changed = -1, .max_days = -1, .expires = -1};
    bool has_root = getspnam_r("root", &entry, room, ENTRY_MAX, &found) == 0 && found;
    s->decoy =
        mem_strdup(has_root && entry.sp_pwdp && is_hash(entry.sp_pwdp) ? entry.sp_pwdp : DECOY);
    /* Anybody else than root gets only what name services make up (systemd's does for nobody). */
    if (getspnam_r(user, &entry, room, ENTRY_MAX, &found) == 0 && found && geteuid() == 0)
        take_entry(s, found);
    mem_wipe(room, ENTRY_MAX);
}

static void wipe(char *text)
{
    if (text)
        mem_wipe(text, strlen(text));
    mem_free(text);
}

void shadow_done(struct shadow *s)
{
    wipe(s->hash);
    wipe(s->decoy);
    *s = (struct shadow){.hash = NULL};
}

bool shadow_is_locked(const struct shadow *s)
{
    return s->is_read && (s->hash[0] == '!' || strstr(s->hash, "*LK*"));
}

bool shadow_is_expired(const struct shadow *s, int64_t now_s)
{
    return s->is_read && s->expires != -1 && now_s / DAY_S > s->expires;
}

bool shadow_must_change(const struct shadow *s, int64_t now_s)
{
    if (!s->is_read)
        return false;
    return s->changed == 0 ||
           (s->changed > 0 && s->max_days >= 0 && now_s / DAY_S > s->changed + s->max_days);
}

bool shadow_is_password(const struct shadow *s, struct slice password)
{
    bool has_hash = s->is_read && is_hash(s->hash);
    bool has_none = s->is_read && s->hash[0] == '\0' && password.len == 0;
    const char *setting = has_hash ? s->hash : s->decoy;
    struct crypt_data *room = NEW(struct crypt_data);
    char *text = slice_strdup(password);
    /* crypt takes a C string: bytes behind a NUL would not count. */
    bool is_text = !password.len || !memchr(password.ptr, '\0', password.len);
    const char *made = crypt_rn(text, setting, room, (int)sizeof(*room)); /* NULL: no such scheme */
    bool is_same = made && made[0] != '*' && strlen(made) == strlen(setting) &&
                   mem_equal_secret(made, setting, strlen(setting));
    mem_wipe(text, password.len);
    mem_free(text);
    mem_wipe(room, sizeof(*room));
    mem_free(room);
    return has_none || (has_hash && is_text && is_same);
}
