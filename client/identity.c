/* Keys from files and from an agent. */
#include "client/identity.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "client/file.h"
#include "crypto/keyfile.h"

#define KEY_FILE_MAX (64 * 1024)

/* ---- the list ---- */

/* Takes over key, or pubkey where key is NULL. */
static void add(struct identity_list *list, const char *name, struct privkey *key,
                struct pubkey *pubkey)
{
    list->items = mem_resize(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = (struct identity){mem_strdup(name), key, pubkey};
    log_debug("identity %s type %s%s", name, pubkey_type_name(pubkey), key ? "" : " (agent)");
}

static bool has(const struct identity_list *list, struct slice blob)
{
    for (size_t i = 0; i < list->count; i++) {
        if (slice_equal(pubkey_blob(list->items[i].pubkey), blob))
            return true;
    }
    return false;
}

void identity_list_done(struct identity_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct identity *id = &list->items[i];
        if (!id->key)
            pubkey_free(id->pubkey);
        privkey_free(id->key);
        mem_free(id->name);
    }
    mem_free(list->items);
    agent_free(list->agent);
    *list = (struct identity_list){0};
}

/* ---- files ---- */

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
        return "it is encrypted, and no agent holds it";
    case ERR_UNSUPPORTED:
        return "its key type is not built";
    case ERR_LIMIT:
        return "its RSA key is shorter than 2048 or longer than 16384 bits, or the file too large";
    default:
        return "it is no private key file";
    }
}

/* The public half beside a private file that cannot be read, or named itself: "KEY.pub". */
static struct pubkey *public_of(const struct crypto *c, const char *path, struct slice text)
{
    struct pubkey *key = NULL;
    struct buf line, blob;
    struct slice type, comment;
    struct stat st;
    if (keyfile_public(&key, c, text) == OK)
        return key;
    CLEANUP(mem_cleanup) char *beside = mem_printf("%s.pub", path);
    buf_init(&line, KEY_FILE_MAX);
    buf_init(&blob, PUBKEY_BLOB_MAX);
    struct slice source = text; /* the file may be a .pub itself */
    if (pubkey_line_parse(source, &type, &blob, &comment) != OK) {
        buf_clear(&blob);
        if (file_read(beside, &line, &st) == 0)
            source = buf_slice(&line);
        if (pubkey_line_parse(source, &type, &blob, &comment) != OK)
            buf_clear(&blob);
    }
    if (buf_len(&blob) && pubkey_parse(&key, c, buf_slice(&blob)) != OK)
        key = NULL;
    buf_done(&line);
    buf_done(&blob);
    return key;
}

static bool agent_holds(const struct agent_keys *keys, const struct pubkey *key)
{
    for (size_t i = 0; key && i < keys->count; i++) {
        if (slice_equal(buf_slice(&keys->items[i].blob), pubkey_blob(key)))
            return true;
    }
    return false;
}

static void load_text(struct identity_list *list, const struct identity_request *q,
                      const char *path, struct slice text, const struct stat *st,
                      const struct agent_keys *in_agent)
{
    struct privkey *key = NULL;
    char *comment = NULL;
    enum err err = ERR_DENIED;
    if (is_private(path, st))
        err = keyfile_parse(&key, &comment, q->crypto, text, SLICE_NONE);
    mem_free(comment);
    if (err == OK) {
        add(list, path, key, (struct pubkey *)(uintptr_t)privkey_pubkey(key));
        return;
    }
    struct pubkey *public_half = public_of(q->crypto, path, text);
    if (agent_holds(in_agent, public_half)) {
        add(list, path, NULL, public_half);
        return;
    }
    pubkey_free(public_half);
    log_error("Load key \"%s\": %s.", path, why_unusable(err));
}

static void load_file(struct identity_list *list, const struct identity_request *q,
                      const char *path, const struct agent_keys *in_agent)
{
    struct buf text;
    struct stat st;
    buf_init_secret(&text, KEY_FILE_MAX);
    int error_number = file_read(path, &text, &st);
    if (error_number == 0)
        load_text(list, q, path, buf_slice(&text), &st, in_agent);
    else if (q->is_explicit || error_number != ENOENT)
        log_info("Identity file %s not accessible: %s.", path, strerror(error_number));
    else
        log_debug("identity file %s type -1", path);
    buf_done(&text);
}

static void load_files(struct identity_list *list, const struct identity_request *q,
                       const struct agent_keys *in_agent)
{
    for (size_t i = 0; i < q->paths->count; i++)
        load_file(list, q, q->paths->items[i], in_agent);
}

/* ---- the agent ---- */

static void ask_agent(struct identity_list *list, const char *path, struct agent_keys *keys)
{
    *keys = (struct agent_keys){0};
    if (!path)
        return;
    enum err err = agent_connect(&list->agent, path);
    if (err == OK)
        err = agent_list(list->agent, keys);
    if (err != OK)
        log_debug("agent at %s: %s", path, err_name(err));
}

static void add_agents(struct identity_list *list, const struct identity_request *q,
                       const struct agent_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        struct pubkey *key;
        struct slice blob = buf_slice(&keys->items[i].blob);
        if (!has(list, blob) && pubkey_parse(&key, q->crypto, blob) == OK)
            add(list, ESCAPED(slice_text(keys->items[i].comment)), NULL, key);
    }
}

void identity_list_load(struct identity_list *list, const struct identity_request *request)
{
    struct agent_keys keys;
    *list = (struct identity_list){0};
    ask_agent(list, request->agent_path, &keys);
    if (request->is_explicit)
        load_files(list, request, &keys);
    if (!request->identities_only)
        add_agents(list, request, &keys);
    if (!request->is_explicit)
        load_files(list, request, &keys);
    agent_keys_done(&keys);
}

enum err identity_sign(const struct identity_list *list, const struct identity *id,
                       const struct algo_sign *algo, struct slice data, struct buf *signature)
{
    if (id->key)
        return privkey_sign(id->key, algo, data, signature);
    return agent_sign(list->agent, pubkey_blob(id->pubkey), algo, data, signature);
}
