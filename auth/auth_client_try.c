/* Keys, methods, and what is tried next. */
#include "auth/auth_blob.h"
#include "auth/auth_client_internal.h"
#include "crypto/cert.h"
#include "crypto/legacy.h"
#include "wire/namelist.h"

/* A server counts to six by default (sshd_config(5), MaxAuthTries): behind the fifth there is one
 * try left. */
#define TRIES_SPARED 5
#define KEY_BLOB_MAX 65536

/* ---- keys ---- */

/* What a name of the accepted list signs by, and the type of key it is for. */
static const struct algo_sign *named(struct slice name, const char **own, const char **type)
{
    if (cert_algo_names(name, own, type))
        return cert_algo_sign(name);
    const struct algo_sign *sign = algo_sign_find(name);
    if (!sign)
        sign = legacy_sign_find(name);
    if (sign) {
        *own = sign->name;
        *type = sign->key_type;
    }
    return sign;
}

/* The first accepted algorithm for the key type that the server, if it told, takes too. */
static bool choose(const struct auth_client *a, struct client_key *k)
{
    struct slice rest = slice_text(a->config.accepted);
    struct slice name;
    while (namelist_next(&rest, &name)) {
        const char *own, *type;
        const struct algo_sign *sign = named(name, &own, &type);
        if (!sign || strcmp(type, k->type) != 0)
            continue;
        /* RFC 8308 3.1 lists signature algorithms: a certificate's is the plain one. */
        if (a->has_sig_algs && !namelist_contains(slice_text(a->sig_algs), sign->name))
            continue;
        k->algorithm = own;
        k->sign = sign;
        return true;
    }
    return false;
}

bool auth_client_key_set(struct client_key *k, const char *type, struct slice blob)
{
    buf_clear(&k->blob);
    if (buf_append_slice(&k->blob, blob) != OK)
        return false;
    k->type = mem_strdup(type);
    return true;
}

bool auth_client_add_key(struct auth_client *a, const struct auth_client_key *key)
{
    CHECK(a->state == STATE_NEW);
    if (a->key_count == AUTH_CLIENT_KEYS_MAX)
        return false;
    struct client_key *k = &a->keys[a->key_count];
    *k = (struct client_key){.is_spare = key->is_spare, .is_at_hand = key->is_at_hand};
    buf_init(&k->blob, KEY_BLOB_MAX);
    if (key->type && (!auth_client_key_set(k, key->type, key->blob) || !choose(a, k))) {
        buf_done(&k->blob);
        mem_free(k->type);
        return false;
    }
    a->key_count++;
    return true;
}

void auth_client_set_extensions(struct auth_client *a, bool has_sig_algs, struct slice sig_algs,
                                bool hostbound)
{
    a->knows_extensions = true;
    a->hostbound = hostbound && a->config.may_hostbound;
    if (!has_sig_algs)
        return;
    a->has_sig_algs = true;
    mem_free(a->sig_algs);
    a->sig_algs = slice_strdup(sig_algs);
}

struct msg_userauth_request auth_client_key_request(const struct auth_client *a)
{
    const struct client_key *k = &a->keys[a->key];
    struct msg_userauth_request m =
        auth_client_request(a, k->hostbound ? USERAUTH_PUBLICKEY_HOSTBOUND : USERAUTH_PUBLICKEY);
    m.algorithm = slice_text(k->algorithm);
    m.key_blob = buf_slice(&k->blob);
    m.host_key = a->config.server_key;
    return m;
}

/* ---- what to try next ---- */

static const struct method_row {
    const char *name;
    enum userauth_method method;
} method_rows[] = {
    {"publickey", USERAUTH_PUBLICKEY},
    {"keyboard-interactive", USERAUTH_INTERACTIVE},
    {"password", USERAUTH_PASSWORD},
};

static const struct method_row *method_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(method_rows); i++) {
        if (slice_is(name, method_rows[i].name))
            return &method_rows[i];
    }
    return NULL;
}

static bool is_exhausted(const struct auth_client *a, enum userauth_method method)
{
    return a->exhausted & (1U << method);
}

static bool server_takes(const struct auth_client *a, const struct method_row *row)
{
    return namelist_contains(buf_slice(&a->methods), row->name);
}

/* Whether a person could still be asked. */
static bool has_person(const struct auth_client *a)
{
    struct slice rest = slice_text(a->config.methods);
    struct slice name;
    while (a->knows_methods && a->config.prompts && namelist_next(&rest, &name)) {
        const struct method_row *row = method_find(name);
        if (row && row->method != USERAUTH_PUBLICKEY && !is_exhausted(a, row->method) &&
            server_takes(a, row))
            return true;
    }
    return false;
}

/*
 * The bytes to sign are fixed here, and the request that follows is the same: an EXT_INFO may come
 * between query and signature.
 */
void auth_client_ask_signature(struct auth_client *a, bool is_unasked)
{
    struct client_key *k = &a->keys[a->key];
    k->hostbound = a->hostbound;
    struct msg_userauth_request request = auth_client_key_request(a);
    struct auth_blob blob = {
        .session_id = a->config.session_id,
        .user = request.user,
        .service = request.service,
        .algorithm = request.algorithm,
        .key_blob = request.key_blob,
        .host_key = k->hostbound ? request.host_key : SLICE_NONE,
    };
    buf_clear(&a->blob);
    enum err err = auth_blob_build(&blob, &a->blob);
    CHECK(err == OK);
    struct auth_client_event *event = auth_client_ask(a, AUTH_CLIENT_SIGN);
    event->is_unasked = is_unasked;
    event->key = a->key;
    event->algorithm = k->sign;
    event->data = buf_slice(&a->blob);
}

static bool try_key(struct auth_client *a)
{
    for (; a->key < a->key_count; a->key++) {
        struct client_key *k = &a->keys[a->key];
        if (k->is_spare && a->failures >= TRIES_SPARED && has_person(a))
            continue;
        if (!k->type) {
            auth_client_ask(a, AUTH_CLIENT_LOAD_KEY)->key = a->key;
            return true;
        }
        if (!choose(a, k))
            continue;
        auth_client_push(a, AUTH_CLIENT_OFFER)->key = a->key;
        if (k->is_at_hand && a->key_count == 1 && a->knows_extensions) {
            auth_client_ask_signature(a, true);
            return true;
        }
        k->hostbound = false; /* as OpenSSH asks: only what is signed is bound */
        struct msg_userauth_request query = auth_client_key_request(a);
        auth_client_queue(a, &query);
        a->state = STATE_QUERY;
        return true;
    }
    return false;
}

static bool try_password(struct auth_client *a)
{
    if (a->passwords >= a->config.prompts)
        return false;
    auth_client_ask(a, AUTH_CLIENT_PASSWORD)->attempt = ++a->passwords;
    return true;
}

/* A server that refuses without a single prompt will do so again. */
static bool try_interactive(struct auth_client *a)
{
    if (a->interactives >= a->config.prompts || (a->interactives && !a->has_seen_info))
        return false;
    a->interactives++;
    a->has_seen_info = false;
    struct msg_userauth_request m = auth_client_request(a, USERAUTH_INTERACTIVE);
    m.submethods = slice_text(a->config.devices ? a->config.devices : "");
    auth_client_queue(a, &m);
    a->state = STATE_INTERACTIVE;
    return true;
}

/* Tells which methods the server takes, and lets in whom it lets in without any. */
static bool try_none(struct auth_client *a)
{
    if (a->asked_none)
        return false;
    a->asked_none = true;
    struct msg_userauth_request m = auth_client_request(a, USERAUTH_NONE);
    auth_client_queue(a, &m);
    a->state = STATE_NONE;
    return true;
}

static bool try_method(struct auth_client *a, enum userauth_method method)
{
    switch (method) {
    case USERAUTH_NONE:
        return try_none(a);
    case USERAUTH_PUBLICKEY:
        return try_key(a);
    case USERAUTH_PASSWORD:
        return try_password(a);
    case USERAUTH_INTERACTIVE:
        return try_interactive(a);
    case USERAUTH_PUBLICKEY_HOSTBOUND:
    case USERAUTH_OTHER:
        break;
    }
    return false;
}

/* Before the server has said what it takes only a key is worth a try; else it is asked first. */
static bool pick(const struct auth_client *a, enum userauth_method *method)
{
    struct slice rest = slice_text(a->config.methods);
    struct slice name;
    while (namelist_next(&rest, &name)) {
        const struct method_row *row = method_find(name);
        if (!row || is_exhausted(a, row->method))
            continue;
        if (!a->knows_methods && row->method != USERAUTH_PUBLICKEY)
            break;
        if (a->knows_methods && !server_takes(a, row))
            continue;
        *method = row->method;
        return true;
    }
    *method = USERAUTH_NONE;
    return !a->knows_methods && !is_exhausted(a, USERAUTH_NONE);
}

void auth_client_proceed(struct auth_client *a)
{
    enum userauth_method method;
    while (pick(a, &method)) {
        if (try_method(a, method))
            return;
        a->exhausted |= 1U << method;
    }
    a->state = STATE_DONE;
    auth_client_push(a, AUTH_CLIENT_FAILED)->methods = buf_slice(&a->methods);
}

/*
 * Whether the first request can be made. An RSA key's depends on what the server can verify: an
 * EXT_INFO is behind NEWKEYS or does not come, so with SERVICE_ACCEPT it is known.
 */
bool auth_client_may_start(const struct auth_client *a)
{
    if (a->knows_extensions || a->service_accepted)
        return true;
    return a->key_count == 0 || !a->keys[0].type || strncmp(a->keys[0].type, "ssh-rsa", 7) != 0;
}
