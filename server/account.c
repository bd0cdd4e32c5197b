/* An account of this host and its files. */
#include "server/account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/expand.h"

#define ENTRY_USUAL 2048 /* one entry of the password or group database */
#define ENTRY_MAX   65536
#define READ_STEP   16384

void account_set(struct account *a, const char *name, const char *home, uid_t uid)
{
    *a = (struct account){.is_known = true,
                          .uid = uid,
                          .gid = (gid_t)-1,
                          .name = mem_strdup(name),
                          .home = mem_strdup(home),
                          .shell = mem_strdup("")};
    string_list_init(&a->group_names);
}

/* False: ask again with more room. */
static bool find_in(const char *user, size_t size, struct account *a)
{
    char *room CLEANUP(mem_cleanup) = mem_new(size, 1);
    struct passwd entry, *found = NULL;
    int result = getpwnam_r(user, &entry, room, size, &found);
    if (result == ERANGE && size < ENTRY_MAX)
        return false;
    if (result == 0 && found) {
        account_set(a, found->pw_name, found->pw_dir, found->pw_uid);
        a->gid = found->pw_gid;
        mem_free(a->shell);
        a->shell = mem_strdup(found->pw_shell);
        return true;
    }
    account_set(a, "", "", (uid_t)-1);
    a->is_known = false;
    return true;
}

void account_find(const char *user, struct account *a)
{
    if (!find_in(user, ENTRY_USUAL, a))
        (void)find_in(user, ENTRY_MAX, a);
}

void account_done(struct account *a)
{
    mem_free(a->name);
    mem_free(a->home);
    mem_free(a->shell);
    mem_free(a->groups);
    string_list_done(&a->group_names);
    *a = (struct account){.is_known = false};
}

/* False: ask again with more room. */
static bool add_group_name_in(struct account *a, gid_t gid, size_t size)
{
    char *room CLEANUP(mem_cleanup) = mem_new(size, 1);
    struct group entry, *found = NULL;
    int result = getgrgid_r(gid, &entry, room, size, &found);
    if (result == 0 && found)
        string_list_add(&a->group_names, found->gr_name);
    return result != ERANGE || size >= ENTRY_MAX;
}

static void add_group_name(struct account *a, gid_t gid)
{
    if (!add_group_name_in(a, gid, ENTRY_USUAL))
        (void)add_group_name_in(a, gid, ENTRY_MAX);
}

void account_find_groups(struct account *a)
{
    int count = ACCOUNT_GROUPS_MAX;
    mem_free(a->groups);
    a->groups = mem_new(ACCOUNT_GROUPS_MAX, sizeof(gid_t));
    a->group_count = 0;
    string_list_done(&a->group_names);
    if (!a->is_known)
        return;
    int found = getgrouplist(a->name, a->gid, a->groups, &count);
    a->is_known = found >= 0; /* a group that is left out may be one of DenyGroups */
    a->group_count = found < 0 ? 0 : (size_t)found;
    for (size_t i = 0; i < a->group_count; i++)
        add_group_name(a, a->groups[i]);
}

enum err account_become(const struct account *a)
{
    uid_t real, effective, saved;
    if (a->uid == (uid_t)-1 || a->gid == (gid_t)-1)
        return ERR_DENIED;
    if (setgroups(a->group_count, a->groups) != 0 || setresgid(a->gid, a->gid, a->gid) != 0 ||
        setresuid(a->uid, a->uid, a->uid) != 0)
        return ERR_DENIED;
    if (getresuid(&real, &effective, &saved) != 0 || real != a->uid || effective != a->uid ||
        saved != a->uid)
        return ERR_DENIED;
    /* If root can be had again, the change was none. */
    return a->uid != 0 && setuid(0) == 0 ? ERR_DENIED : OK;
}

enum err account_keys_path(const struct account *a, const char *pattern, char **path,
                           struct account_fault *why)
{
    char uid[16];
    snprintf(uid, sizeof(uid), "%u", (unsigned)a->uid);
    const struct expand_token tokens[] = {{'u', a->name}, {'h', a->home}, {'U', uid}};
    const struct expand_facts facts = {.tokens = tokens, .token_count = ARRAY_LEN(tokens)};
    struct expand_fault fault;
    char *text CLEANUP(mem_cleanup) = NULL;
    *path = NULL;
    enum err err = expand_text(pattern, &facts, &text, &fault);
    if (err != OK) {
        snprintf(why->text, sizeof(why->text), "AuthorizedKeysFile: %s", fault.text);
        return ERR_CONFIG;
    }
    *path = text[0] == '/' ? mem_strdup(text) : mem_printf("%s/%s", a->home, text);
    return OK;
}

static bool is_safe(const struct account *a, const struct stat *st)
{
    return (st->st_uid == 0 || st->st_uid == a->uid) && (st->st_mode & 022) == 0;
}

/* Each directory above the file, up to the home directory if it is among them. */
static enum err check_directories(const struct account *a, const char *path,
                                  struct account_fault *why)
{
    char real[PATH_MAX], home[PATH_MAX];
    struct stat st;
    if (!realpath(path, real)) {
        snprintf(why->text, sizeof(why->text), "cannot resolve %s", path);
        return ERR_DENIED;
    }
    if (!realpath(a->home, home))
        home[0] = '\0';
    for (;;) {
        char *slash = strrchr(real, '/');
        if (slash == real)
            real[1] = '\0';
        else
            *slash = '\0';
        if (stat(real, &st) != 0 || !is_safe(a, &st)) {
            snprintf(why->text, sizeof(why->text), "bad ownership or modes for directory %.200s",
                     real);
            return ERR_DENIED;
        }
        if (strcmp(real, home) == 0 || strcmp(real, "/") == 0)
            return OK;
    }
}

enum err account_open_keys(const struct account *a, const char *path, bool is_strict, int *fd,
                           struct account_fault *why)
{
    struct stat st;
    why->text[0] = '\0';
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0) {
        snprintf(why->text, sizeof(why->text), "cannot open %.180s: %s", path,
                 errno == ENOENT ? "no such file" : "permission denied or unreadable");
        return ERR_NOT_FOUND;
    }
    enum err err = OK;
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        snprintf(why->text, sizeof(why->text), "%.180s is not a regular file", path);
        err = ERR_DENIED;
    } else if (is_strict && !is_safe(a, &st)) {
        snprintf(why->text, sizeof(why->text), "bad ownership or modes for file %.180s", path);
        err = ERR_DENIED;
    } else if (is_strict) {
        err = check_directories(a, path, why);
    }
    if (err != OK) {
        close(*fd);
        *fd = -1;
    }
    return err;
}

enum err account_read_fd(int fd, size_t max, struct buf *text)
{
    size_t before = buf_len(text);
    for (;;) {
        uint8_t *room;
        size_t taken = buf_len(text) - before;
        size_t want = MIN(max + 1 - taken, (size_t)READ_STEP);
        if (taken > max)
            return ERR_LIMIT;
        TRY(buf_reserve(text, want, &room));
        ssize_t n = read(fd, room, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? ERR_IO : OK;
        buf_commit(text, (size_t)n);
    }
}
