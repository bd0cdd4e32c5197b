/* Authentication: which keys are offered, and what signs. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "client/internal.h"
#include "client/trust.h"

/* IdentityAgent: a socket, "none", "SSH_AUTH_SOCK" or "$NAME" for the environment's. Owned. */
static char *agent_path(const struct client *c)
{
    const struct client_options *o = c->options;
    const char *name = o->identity_agent;
    if (name && strcmp(name, "none") == 0)
        return NULL;
    if (!name || strcmp(name, "SSH_AUTH_SOCK") == 0 || name[0] == '$') {
        const char *value = getenv(name && name[0] == '$' ? name + 1 : "SSH_AUTH_SOCK");
        return value && *value ? mem_strdup(value) : NULL;
    }
    struct string_list given, paths;
    char *path = NULL;
    string_list_init(&given);
    string_list_init(&paths);
    string_list_add(&given, name);
    trust_expand_paths(o, c->request->home, &given, &paths);
    if (paths.count)
        path = mem_strdup(paths.items[0]);
    string_list_done(&given);
    string_list_done(&paths);
    return path;
}

/* "~" and % tokens of the identity files. */
void login_init(struct client *c)
{
    struct string_list paths;
    string_list_init(&paths);
    trust_expand_paths(c->options, c->request->home, &c->options->identity_files, &paths);
    CLEANUP(mem_cleanup) char *agent = agent_path(c);
    struct identity_request request = {
        .crypto = c->crypto,
        .paths = &paths,
        .is_explicit = client_options_is_given(c->options, "IdentityFile"),
        .identities_only = c->options->identities_only,
        .agent_path = agent,
    };
    identity_list_load(&c->identities, &request);
    string_list_done(&paths);
}

void login_start(struct client *c)
{
    const struct client_options *o = c->options;
    struct auth_client_config config = {
        .user = o->user,
        .accepted = o->pubkey_accepted_algorithms,
        .methods = "publickey",
        .may_hostbound = o->pubkey_authentication != PUBKEY_UNBOUND,
    };
    struct auth_client *a = link_auth_client(c->link, &config);
    c->offered = mem_new(c->identities.count + 1, sizeof(*c->offered));
    bool wanted = c->options->pubkey_authentication != PUBKEY_NO;
    for (size_t i = 0; wanted && i < c->identities.count; i++) {
        const struct pubkey *key = c->identities.items[i].pubkey;
        struct auth_client_key k = {pubkey_type_name(key), pubkey_blob(key), false, false};
        if (auth_client_add_key(a, &k))
            c->offered[c->offered_count++] = i;
        else
            log_debug("key %s: no accepted algorithm fits it", c->identities.items[i].name);
    }
    link_start_auth_client(c->link);
}

static const struct identity *identity_of(const struct client *c, size_t key)
{
    return &c->identities.items[c->offered[key]];
}

static void sign(struct client *c, const struct auth_client_event *e)
{
    struct buf signature;
    const struct identity *id = identity_of(c, e->key);
    buf_init(&signature, 8192);
    log_debug("Server accepts key: %s", id->name);
    if (identity_sign(&c->identities, id, e->algorithm, e->data, &signature) != OK) {
        log_error("signing with %s failed%s", id->name, id->key ? "" : ": the agent refused");
        buf_clear(&signature);
    }
    struct auth_client_answer answer = {.is_declined = buf_len(&signature) == 0,
                                        .text = buf_slice(&signature)};
    link_answer_auth(c->link, &answer);
    buf_done(&signature);
}

void login_event(struct client *c, const struct auth_client_event *e)
{
    if (e->kind == AUTH_CLIENT_SIGN)
        sign(c, e);
    else if (e->kind == AUTH_CLIENT_REFUSED)
        log_debug("Authentications that can continue: %s", ESCAPED(e->methods));
    else if (e->kind == AUTH_CLIENT_FAILED)
        c->methods = slice_strdup(slice_text(ESCAPED(e->methods)));
    else if (e->kind == AUTH_CLIENT_SUCCESS)
        log_debug("Authenticated to %s using \"publickey\".", c->options->host_name);
}

void login_tell_offered(const struct client *c)
{
    if (c->offered_count == 0) {
        log_info("no key was offered: none of the identity files could be used (-v tells each)");
        return;
    }
    for (size_t i = 0; i < c->offered_count; i++) {
        const struct identity *id = identity_of(c, i);
        CLEANUP(mem_cleanup)
        char *print = fingerprint_sha256(c->crypto, pubkey_blob(id->pubkey));
        log_verbose("refused there: %s %s", id->name, print);
    }
}

void login_done(struct client *c)
{
    identity_list_done(&c->identities);
    mem_free(c->offered);
}
