/* What a server says of its other keys. */
#include "client/host_keys_update.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/log.h"
#include "client/file.h"
#include "client/host_trust.h"
#include "client/prompt.h"
#include "client/tty.h"
#include "wire/namelist.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define PROVE        "hostkeys-prove-00@openssh.com"
#define COOKIE       (UINT64_MAX - 1)
#define KEYS_MAX     KNOWN_HOSTS_WISH_MAX
#define KEYS_TOLD    256 /* more than that is nonsense */
#define BODY_MAX     (32 * 1024)
#define FILE_MAX     (16u << 20)
#define SIGNATURE_OF 4096

struct host_keys_update {
    char *name;                  /* in known_hosts */
    struct slice keys[KEYS_MAX]; /* owned blobs */
    size_t count;
    uint64_t present; /* bit i: known already */
    bool is_asked;    /* the proof is awaited */
};

static struct known_hosts_wish wish_of(const struct client *c)
{
    const struct host_keys_update *u = c->keys_update;
    return (struct known_hosts_wish){
        .crypto = c->crypto, .name = u->name, .keys = u->keys, .count = u->count};
}

void host_keys_update_done(struct client *c)
{
    struct host_keys_update *u = c->keys_update;
    if (!u)
        return;
    for (size_t i = 0; i < u->count; i++)
        mem_free((void *)(uintptr_t)u->keys[i].ptr);
    mem_free(u->name);
    mem_free(u);
    c->keys_update = NULL;
}

/* ---- which keys ---- */

/* One that a connection could be verified by: in HostKeyAlgorithms, plain, and not too small. */
static bool is_usable(const struct client *c, struct slice blob)
{
    const struct client_options *o = c->options;
    struct slice rest = slice_text(o->host_key_algorithms), name;
    struct pubkey *key;
    bool fits = false;
    if (pubkey_parse(&key, c->crypto, blob) != OK)
        return false;
    while (!fits && namelist_next(&rest, &name)) {
        const struct algo_sign *algo = algo_sign_find(name);
        fits = algo && algo->kind == pubkey_kind(key) &&
               strcmp(algo->key_type, pubkey_type_name(key)) == 0;
    }
    if (pubkey_kind(key) == KEY_RSA && pubkey_bits(key) < (unsigned)MAX(o->required_rsa_size, 0))
        fits = false;
    pubkey_free(key);
    return fits;
}

static bool has(const struct host_keys_update *u, struct slice blob)
{
    for (size_t i = 0; i < u->count; i++) {
        if (slice_equal(u->keys[i], blob))
            return true;
    }
    return false;
}

/* False: malformed, or no key that is of use. */
static bool read_keys(const struct client *c, struct slice body)
{
    struct host_keys_update *u = c->keys_update;
    struct reader r;
    reader_init(&r, body);
    for (size_t n = 0; n < KEYS_TOLD && reader_left(&r) > 0; n++) {
        struct slice blob = reader_string_max(&r, PUBKEY_BLOB_MAX);
        if (!reader_is_ok(&r))
            return false;
        if (u->count == KEYS_MAX || has(u, blob) || !is_usable(c, blob))
            continue;
        uint8_t *copy = mem_new(blob.len, 1);
        memcpy(copy, blob.ptr, blob.len);
        u->keys[u->count++] = slice_of(copy, blob.len);
    }
    return reader_done(&r) == OK && u->count > 0;
}

/* ---- the files ---- */

static bool is_file(const char *path)
{
    return strcmp(path, "none") != 0;
}

/* Whose end is waited for: the session that runs would stand still, and no signal would end it. */
static bool is_fifo(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* False: a file cannot be read, so nothing is known for sure. */
static bool look(const struct client *c, struct known_hosts_state *state)
{
    const struct string_list *files = &c->options->user_known_hosts_files;
    struct known_hosts_wish wish = wish_of(c);
    *state = (struct known_hosts_state){0};
    for (size_t i = 0; i < files->count; i++) {
        struct buf text;
        struct stat st;
        if (!is_file(files->items[i]))
            continue;
        if (is_fifo(files->items[i])) {
            log_debug("UpdateHostKeys: %s is a pipe: nothing is changed", files->items[i]);
            return false;
        }
        buf_init(&text, FILE_MAX);
        int error = file_read(files->items[i], &text, &st);
        if (!error)
            known_hosts_state_add(state, &wish, buf_slice(&text));
        buf_done(&text);
        if (error && error != ENOENT) {
            log_debug("UpdateHostKeys: %s: %s", files->items[i], strerror(error));
            return false;
        }
    }
    return true;
}

static uint64_t all_of(const struct host_keys_update *u)
{
    return u->count == 64 ? UINT64_MAX : (UINT64_C(1) << u->count) - 1;
}

/* The lines for the keys that are not there yet; NULL: they cannot be written. */
static char *new_lines(const struct client *c)
{
    const struct host_keys_update *u = c->keys_update;
    const struct client_options *o = c->options;
    const char *host = o->host_key_alias ? o->host_key_alias : o->host_name;
    char *lines = mem_strdup("");
    for (size_t i = 0; i < u->count; i++) {
        char *line CLEANUP(mem_cleanup) = NULL;
        if (u->present >> i & 1)
            continue;
        if (known_hosts_line_format(&line, c->crypto, o->hash_known_hosts ? c->rng : NULL, host,
                                    o->host_key_alias ? KNOWN_HOSTS_PORT : o->port,
                                    u->keys[i]) != OK) {
            mem_free(lines);
            return NULL;
        }
        char *longer = mem_printf("%s%s", lines, line);
        mem_free(lines);
        lines = longer;
    }
    return lines;
}

static void write_files(const struct client *c)
{
    const struct string_list *files = &c->options->user_known_hosts_files;
    struct known_hosts_wish wish = wish_of(c);
    char *lines CLEANUP(mem_cleanup) = new_lines(c);
    bool is_first = true;
    for (size_t i = 0; lines && i < files->count; i++) {
        if (!is_file(files->items[i]))
            continue;
        /* The first one first: a key that is learned is never lost between two files. */
        enum err err = host_trust_file_update(files->items[i], &wish, is_first ? lines : "");
        if (err != OK) {
            log_error("UpdateHostKeys: %s could not be changed: %s", files->items[i],
                      err == ERR_IO ? strerror(errno) : err_name(err));
            return;
        }
        is_first = false;
    }
}

/* ---- telling and asking ---- */

static void tell_changes(const struct client *c, size_t superfluous)
{
    const struct host_keys_update *u = c->keys_update;
    enum log_level level = c->options->update_host_keys == ANSWER_ASK ? LOG_INFO : LOG_VERBOSE;
    for (size_t i = 0; i < u->count; i++) {
        if (u->present >> i & 1)
            continue;
        struct reader r;
        reader_init(&r, u->keys[i]);
        struct slice type = reader_string(&r);
        char *print CLEANUP(mem_cleanup) = fingerprint_sha256(c->crypto, u->keys[i]);
        log_write(level, "Learned new hostkey: %s %s", ESCAPED(type), print);
    }
    if (superfluous)
        log_write(level, "Deprecating %zu obsolete hostkey%s of %s", superfluous,
                  superfluous == 1 ? "" : "s", u->name);
}

static bool may_write(const struct client *c)
{
    struct prompt_config config = prompt_config_from_environment(c->options->batch_mode);
    if (c->options->update_host_keys != ANSWER_ASK)
        return true;
    bool was_raw = tty_is_raw();
    tty_leave_raw();
    log_info("The server has updated its host keys.");
    log_info("These changes were verified by the server's existing trusted key.");
    bool yes = prompt_confirm(&config, "Accept updated hostkeys? (yes/no): ") == OK;
    if (was_raw)
        tty_enter_raw(0);
    return yes;
}

/* Looks again: somebody else may have written meanwhile. */
static void apply(struct client *c)
{
    struct host_keys_update *u = c->keys_update;
    struct known_hosts_state state;
    if (!look(c, &state))
        return;
    u->present = state.present;
    if (state.superfluous == 0 && state.present == all_of(u))
        return;
    tell_changes(c, state.superfluous);
    if (may_write(c))
        write_files(c);
}

/* ---- the proof ---- */

static void ask_proof(struct client *c)
{
    struct host_keys_update *u = c->keys_update;
    struct buf body;
    struct writer w;
    buf_init(&body, BODY_MAX);
    writer_init(&w, &body);
    for (size_t i = 0; i < u->count; i++) {
        if (!(u->present >> i & 1))
            writer_string(&w, u->keys[i]);
    }
    if (writer_done(&w) == OK) {
        u->is_asked = true;
        link_global_request(c->link, PROVE, true, buf_slice(&body), COOKIE);
    }
    buf_done(&body);
}

/* PROTOCOL 2.5: string "hostkeys-prove-00@openssh.com", string session id, string key. */
static bool is_proved(const struct client *c, struct slice blob, struct slice signature)
{
    struct pubkey *key;
    struct buf text;
    struct writer w;
    struct reader r;
    reader_init(&r, signature);
    const struct algo_sign *algo = algo_sign_find(reader_string(&r));
    if (!algo || pubkey_parse(&key, c->crypto, blob) != OK)
        return false;
    buf_init(&text, PUBKEY_BLOB_MAX + SIGNATURE_OF);
    writer_init(&w, &text);
    writer_text(&w, PROVE);
    writer_string(&w, transport_session_id(link_transport(c->link)));
    writer_string(&w, blob);
    bool holds = writer_done(&w) == OK && algo->kind == pubkey_kind(key) &&
                 pubkey_verify(key, algo, signature, buf_slice(&text)) == OK;
    buf_done(&text);
    pubkey_free(key);
    return holds;
}

static bool are_proved(const struct client *c, struct slice body)
{
    const struct host_keys_update *u = c->keys_update;
    struct reader r;
    reader_init(&r, body);
    for (size_t i = 0; i < u->count; i++) {
        if (u->present >> i & 1)
            continue;
        struct slice signature = reader_string_max(&r, SIGNATURE_OF);
        if (!reader_is_ok(&r) || !is_proved(c, u->keys[i], signature))
            return false;
    }
    return reader_done(&r) == OK;
}

bool host_keys_update_reply(struct client *c, const struct link_event *e)
{
    struct host_keys_update *u = c->keys_update;
    if (!u || !u->is_asked || e->cookie != COOKIE)
        return false;
    u->is_asked = false;
    if (!e->success)
        log_info("Server failed to confirm ownership of private host keys");
    else if (!are_proved(c, e->body))
        log_error("the server gave a bad signature for one of its new host keys: none is learned");
    else
        apply(c);
    return true;
}

/* ---- the beginning ---- */

static bool is_wanted(const struct client *c)
{
    const struct client_options *o = c->options;
    if (o->update_host_keys == ANSWER_NO)
        return false;
    if (o->update_host_keys == ANSWER_ASK && o->batch_mode)
        return false;
    if (!c->may_learn_keys)
        log_debug("hostkey not known or explicitly trusted: disabling UpdateHostkeys");
    return c->may_learn_keys;
}

void host_keys_update_told(struct client *c, struct slice body)
{
    const struct client_options *o = c->options;
    struct known_hosts_state state;
    if (c->keys_update || !is_wanted(c))
        return;
    struct host_keys_update *u = c->keys_update = NEW(struct host_keys_update);
    u->name = o->host_key_alias ? known_hosts_name(o->host_key_alias, KNOWN_HOSTS_PORT)
                                : known_hosts_name(o->host_name, o->port);
    if (!read_keys(c, body) || !look(c, &state)) {
        log_debug("UpdateHostKeys: nothing of use in what the server told");
        return;
    }
    u->present = state.present;
    bool is_new = state.present != all_of(u);
    if (!is_new && state.superfluous == 0)
        return;
    if (state.is_complex)
        log_debug("CheckHostIP/manual list or wildcard host pattern found, skipping "
                  "UserKnownHostsFile update");
    else if (state.has_other)
        log_debug("host key found matching a different name/address, skipping "
                  "UserKnownHostsFile update");
    else if (is_new)
        ask_proof(c);
    else
        apply(c);
}
