/* Keys from files. */
#include "client/identity.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "client/file.h"
#include "crypto/keyfile.h"

#define KEY_FILE_MAX (64 * 1024)

static bool is_private(const char *path, const struct stat *st)
{
    if (st->st_uid != geteuid() || (st->st_mode & 077) == 0)
        return true;
    log_error("WARNING: UNPROTECTED PRIVATE KEY FILE! Permissions %04o for '%s' are too open: "
              "others could read it. It is not used; chmod 600 mends it.",
              st->st_mode & 07777, path);
    return false;
}

static const char *why_unusable(enum err err)
{
    switch ((int)err) {
    case ERR_DENIED:
        return "it is encrypted, and asking for a passphrase is not built yet";
    case ERR_UNSUPPORTED:
        return "its key type is not built";
    case ERR_LIMIT:
        return "its RSA key is shorter than 2048 or longer than 16384 bits, or the file too large";
    default:
        return "it is no private key file";
    }
}

static struct privkey *load_one(const struct crypto *c, const char *path, bool is_explicit)
{
    struct buf text;
    struct stat st;
    struct privkey *key = NULL;
    char *comment = NULL;
    buf_init_secret(&text, KEY_FILE_MAX);
    int error_number = file_read(path, &text, &st);
    if (error_number != 0) {
        if (is_explicit || error_number != ENOENT)
            log_info("Identity file %s not accessible: %s.", path, strerror(error_number));
    } else if (is_private(path, &st)) {
        enum err err = keyfile_parse(&key, &comment, c, buf_slice(&text));
        if (err != OK) {
            log_error("Load key \"%s\": %s.", path, why_unusable(err));
            key = NULL;
        }
    }
    mem_free(comment);
    buf_done(&text);
    return key;
}

void identity_list_load(struct identity_list *list, const struct crypto *c,
                        const struct string_list *paths, bool explicit_paths)
{
    *list = (struct identity_list){0};
    for (size_t i = 0; i < paths->count; i++) {
        struct privkey *key = load_one(c, paths->items[i], explicit_paths);
        if (!key) {
            log_debug("identity file %s type -1", paths->items[i]);
            continue;
        }
        log_debug("identity file %s type %s", paths->items[i],
                  pubkey_type_name(privkey_pubkey(key)));
        list->items = mem_resize(list->items, list->count + 1, sizeof(*list->items));
        list->items[list->count++] = (struct identity){mem_strdup(paths->items[i]), key};
    }
}

void identity_list_done(struct identity_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        mem_free(list->items[i].path);
        privkey_free(list->items[i].key);
    }
    mem_free(list->items);
    *list = (struct identity_list){0};
}
