/* Authentication: which keys are offered, and what signs. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "client/internal.h"
#include "client/login_internal.h"
#include "client/trust.h"
#include "wire/namelist.h"

/* Without PreferredAuthentications; ssh_config(5). Names that are not built are skipped. */
#define METHODS "gssapi-with-mic,hostbased,publickey,keyboard-interactive,password"

/* ---- before the connection ---- */

static char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? mem_strdup(value) : NULL;
}

/* A socket as the configuration has it: a path, or "$NAME" for the environment's. Owned. */
static char *socket_path(const char *text)
{
    return text[0] == '$' ? from_environment(text + 1) : mem_strdup(text);
}

/* IdentityAgent: a socket, "none", or "SSH_AUTH_SOCK" for the environment's. Owned. */
static char *agent_path(const struct client *c)
{
    const char *name = c->options->identity_agent;
    if (!name || strcmp(name, "SSH_AUTH_SOCK") == 0)
        return from_environment("SSH_AUTH_SOCK");
    return strcmp(name, "none") == 0 ? NULL : socket_path(name);
}

/* ForwardAgent. What is lent is the agent that logs in, unless another one is named. */
static struct agent_forward *lend_agent(const struct client *c)
{
    const struct client_options *o = c->options;
    if (o->forward_agent == AGENT_FORWARD_NO)
        return NULL;
    CLEANUP(mem_cleanup) char *own = NULL;
    const char *path = c->login->agent_path;
    if (o->forward_agent == AGENT_FORWARD_PATH)
        path = own = socket_path(o->forward_agent_path);
    return path ? agent_forward_new(path) : NULL;
}

static bool is_wanted(const struct client_options *o, bool has_person, struct slice method)
{
    if (slice_is(method, "publickey"))
        return o->pubkey_authentication != PUBKEY_NO;
    if (slice_is(method, "password"))
        return o->password_authentication && has_person;
    if (slice_is(method, "keyboard-interactive"))
        return o->kbd_interactive_authentication && has_person;
    return false;
}

/* PreferredAuthentications, without what is switched off or needs somebody who is not there. */
static char *wanted_methods(const struct client_options *o, bool has_person)
{
    struct slice rest =
        slice_text(o->preferred_authentications ? o->preferred_authentications : METHODS);
    struct slice name;
    char *list = mem_strdup("");
    while (namelist_next(&rest, &name)) {
        if (!is_wanted(o, has_person, name))
            continue;
        CLEANUP(mem_cleanup) char *before = list;
        CLEANUP(mem_cleanup) char *method = slice_strdup(name);
        list = mem_printf("%s%s%s", before, *before ? "," : "", method);
    }
    return list;
}

void login_init(struct client *c)
{
    const struct client_options *o = c->options;
    struct login *l = c->login = NEW(struct login);
    l->ask = (struct login_ask){
        .prompt = prompt_config_from_environment(o->batch_mode),
        .user = o->user,
        .host = o->host_key_alias ? o->host_key_alias : o->host_name,
        .tries = (unsigned)MAX(o->number_of_password_prompts, 0),
    };
    login_kept_init(&l->kept);
    l->keeps = o->connections > 1;
    bool has_person = prompt_has_somebody(&l->ask.prompt);
    l->methods = wanted_methods(o, has_person);
    l->agent_path = agent_path(c);
    c->agent_forward = lend_agent(c);
    string_list_init(&l->paths);
    string_list_init(&l->certificates);
    if (o->pubkey_authentication == PUBKEY_NO)
        return;
    trust_expand_paths(o, c->request->facts, &o->identity_files, &l->paths);
    trust_expand_paths(o, c->request->facts, &o->certificate_files, &l->certificates);
    l->request = (struct identity_request){
        .crypto = c->crypto,
        .paths = &l->paths,
        .certificates = &l->certificates,
        .is_explicit = client_options_is_given(o, "IdentityFile"),
        .identities_only = o->identities_only,
        .may_ask = has_person && l->ask.tries > 0,
        .rsa_bits = (unsigned)MAX(o->required_rsa_size, 0),
    };
    identity_list_load(&l->identities, &l->request);
}

void login_done(struct client *c)
{
    struct login *l = c->login;
    if (!l)
        return;
    login_kept_done(&l->kept);
    identity_list_done(&l->identities);
    string_list_done(&l->paths);
    string_list_done(&l->certificates);
    mem_free(l->agent_path);
    mem_free(l->methods);
    mem_free(l->tried);
    mem_free(l);
    c->login = NULL;
    agent_forward_free(c->agent_forward);
}

/* ---- the beginning ---- */

/* A key of a file that is open costs nothing to sign by: it may do so unasked. */
static bool is_at_hand(const struct login *l, const struct identity *id)
{
    return identity_signer(&l->identities, id) != NULL;
}

bool login_add_identity(const struct login *l, struct auth_client *a, const struct identity *id)
{
    bool is_known = id->cert || id->pubkey;
    CLEANUP(mem_cleanup) char *type = is_known ? identity_type(id) : NULL;
    struct auth_client_key key = {
        .type = type,
        .blob = is_known ? identity_blob(id) : SLICE_NONE,
        .is_spare = !id->is_named,
        .is_at_hand = is_known && is_at_hand(l, id),
    };
    return auth_client_add_key(a, &key);
}

static void add_identities(struct login *l, struct auth_client *a)
{
    l->tried = mem_new(l->identities.count + 1, sizeof(*l->tried));
    for (size_t i = 0; i < l->identities.count; i++) {
        const struct identity *id = &l->identities.items[i];
        if (id->is_signer_only)
            continue;
        if (login_add_identity(l, a, id))
            l->tried[l->tried_count++].identity = i;
        else
            log_debug("key %s: no accepted algorithm fits it", id->name);
    }
}

void login_start(struct client *c)
{
    const struct client_options *o = c->options;
    const struct transport *t = link_transport(c->link);
    struct login *l = c->login;
    const struct agent_session session = {
        .host_key = transport_server_key(t),
        .session_id = transport_session_id(t),
        .signature = transport_host_signature(t),
    };
    struct auth_client_config config = {
        .user = o->user,
        .accepted = o->pubkey_accepted_algorithms,
        .methods = l->methods,
        .devices = o->kbd_interactive_devices,
        .prompts = l->ask.tries,
        .may_hostbound =
            o->pubkey_authentication == PUBKEY_YES || o->pubkey_authentication == PUBKEY_HOST_BOUND,
    };
    struct auth_client *a = link_auth_client(c->link, &config);
    if (o->pubkey_authentication != PUBKEY_NO) {
        identity_list_complete(&l->identities, &l->request, l->agent_path, &session);
        add_identities(l, a);
    }
    link_start_auth_client(c->link);
}

/* ---- keys ---- */

struct identity *login_identity(const struct login *l, size_t key)
{
    return &l->identities.items[l->tried[key].identity];
}

char *login_describe(const struct client *c, const struct identity *id)
{
    CLEANUP(mem_cleanup)
    char *print = fingerprint_sha256(c->crypto, id->pubkey ? pubkey_blob(id->pubkey) : SLICE_NONE);
    return mem_printf("%s %s%s %s%s%s", id->name, pubkey_short_name(id->pubkey),
                      id->cert ? "-CERT" : "", print, id->is_named ? " explicit" : "",
                      id->in_agent ? " agent" : "");
}

static void on_offer(struct client *c, const struct auth_client_event *e)
{
    CLEANUP(mem_cleanup) char *what = login_describe(c, login_identity(c->login, e->key));
    c->login->tried[e->key].was_offered = true;
    log_debug("Offering public key: %s", what);
}

/* AddKeysToAgent. The connection is one of its own: it is bound to no host. */
static void add_to_agent(struct client *c, struct identity *id)
{
    const struct client_options *o = c->options;
    const struct agent_constraints constraints = {
        .lifetime_s = o->add_keys_lifetime_s,
        .must_confirm = o->add_keys_to_agent == ADD_KEYS_CONFIRM,
    };
    struct agent *agent;
    if (o->add_keys_to_agent == ADD_KEYS_NO || id->in_agent || !id->path || !c->login->agent_path)
        return;
    if (o->add_keys_to_agent == ADD_KEYS_ASK && login_ask_add_key(&c->login->ask, id) != OK)
        return;
    enum err err = agent_connect(&agent, c->login->agent_path);
    if (err == OK) {
        err = agent_add(agent, id->key, id->path, &constraints);
        agent_free(agent);
    }
    if (err == OK)
        log_debug("identity added to agent: %s", id->path);
    else
        log_info("%s could not be added to the agent: %s", id->path, err_name(err));
}

/* So that id can sign, or its public half is known. */
static enum err make_ready(struct client *c, const struct identity *id)
{
    struct identity *locked = identity_locked(&c->login->identities, id);
    if (!locked)
        return OK;
    reach_arrived(c); /* a person has the time that it takes */
    return login_ask_passphrase(&c->login->ask, c->crypto, locked);
}

void login_tell_unsigned(const struct identity *id, enum err err)
{
    const char *why = err == ERR_TIMEOUT  ? "the agent did not answer"
                      : err == ERR_DENIED ? "the agent refused"
                      : err == ERR_EOF    ? "the agent has gone"
                                          : err_name(err);
    log_error("signing with %s failed: %s", id->name, why);
}

static enum err sign(struct client *c, const struct auth_client_event *e, struct buf *signature)
{
    struct identity_list *list = &c->login->identities;
    const struct identity *id = login_identity(c->login, e->key);
    CLEANUP(mem_cleanup) char *what = login_describe(c, id);
    log_debug("%s: %s", e->is_unasked ? "Signing, as the only key, with" : "Server accepts key",
              what);
    TRY(make_ready(c, id));
    const struct identity *signer = identity_signer(list, id);
    if (signer)
        add_to_agent(c, (struct identity *)(uintptr_t)signer);
    enum err err = identity_sign(list, id, e->algorithm, e->data, signature);
    if (err != OK)
        login_tell_unsigned(id, err);
    return err;
}

/* ---- questions ---- */

/* What an answer is made of; wiped when it was given. */
struct reply {
    struct auth_client_answer answer;
    struct buf text, other;
    struct buf typed[INFO_PROMPTS_MAX];
    struct slice responses[INFO_PROMPTS_MAX];
    uint32_t count;
    char *type;
};

static enum err ask_info(struct client *c, const struct auth_client_event *e, struct reply *r)
{
    r->count = e->info.count;
    enum err err = login_ask_info(&c->login->ask, &e->info, r->typed);
    for (uint32_t i = 0; i < r->count; i++)
        r->responses[i] = buf_slice(&r->typed[i]);
    return err;
}

static enum err load_key(struct client *c, const struct auth_client_event *e, struct reply *r)
{
    const struct identity *id = login_identity(c->login, e->key);
    TRY(make_ready(c, id));
    r->type = identity_type(id);
    return buf_append_slice(&r->text, identity_blob(id));
}

static enum err ask(struct client *c, const struct auth_client_event *e, struct reply *r)
{
    const struct login_ask *how = &c->login->ask;
    if (e->kind == AUTH_CLIENT_SIGN)
        return sign(c, e, &r->text);
    if (e->kind == AUTH_CLIENT_LOAD_KEY)
        return load_key(c, e, r);
    reach_arrived(c);
    if (e->kind == AUTH_CLIENT_INFO_REQUEST)
        return ask_info(c, e, r);
    if (e->kind == AUTH_CLIENT_CHANGE_PASSWORD)
        return login_ask_change(how, e->data, &r->text, &r->other);
    return login_ask_password(how, e->attempt, &r->text);
}

static void answer(struct client *c, const struct auth_client_event *e)
{
    struct reply *r = NEW(struct reply);
    buf_init_secret(&r->text, PUBKEY_BLOB_MAX);
    buf_init_secret(&r->other, PROMPT_ANSWER_MAX);
    enum err err = ask(c, e, r);
    r->answer = (struct auth_client_answer){
        .is_declined = err != OK,
        .text = buf_slice(&r->text),
        .new_password = buf_slice(&r->other),
        .key_type = r->type,
        .responses = r->responses,
    };
    if (c->login->keeps) /* first: the question lives until it is answered */
        login_kept_answer(&c->login->kept, e, &r->answer);
    /* After a signal the run ends: the server is told nothing more. */
    if (err != ERR_CANCELLED)
        link_answer_auth(c->link, &r->answer);
    buf_done(&r->text);
    buf_done(&r->other);
    for (uint32_t i = 0; i < r->count; i++)
        buf_done(&r->typed[i]);
    mem_free(r->type);
    mem_free(r);
}

/* ---- what happens ---- */

static void tell_success(const struct client *c, const struct auth_client_event *e)
{
    const struct client_options *o = c->options;
    CLEANUP(mem_cleanup)
    char *where = c->address ? mem_printf("[%s]:%u", c->address, o->port) : mem_strdup("via proxy");
    log_verbose("Authenticated to %s (%s) using \"%s\".", o->host_name, where,
                login_method_name(e->method));
}

void login_event(struct client *c, const struct auth_client_event *e)
{
    if (c->login->keeps)
        login_kept_result(&c->login->kept, e);
    if (auth_client_is_question(e->kind)) {
        answer(c, e);
    } else if (e->kind == AUTH_CLIENT_OFFER) {
        on_offer(c, e);
    } else if (e->kind == AUTH_CLIENT_REFUSED) {
        if (e->is_partial)
            log_verbose("Authenticated using \"%s\" with partial success.",
                        login_method_name(e->method));
        log_debug("Authentications that can continue: %s", ESCAPED(e->methods));
    } else if (e->kind == AUTH_CLIENT_FAILED) {
        c->methods = slice_strdup(slice_text(ESCAPED(e->methods)));
    } else if (e->kind == AUTH_CLIENT_SUCCESS) {
        c->login->is_done = true;
        tell_success(c, e);
    }
}

static size_t tell_each_offered(const struct client *c)
{
    const struct login *l = c->login;
    size_t count = 0;
    for (size_t i = 0; i < l->tried_count; i++) {
        if (!l->tried[i].was_offered)
            continue;
        CLEANUP(mem_cleanup) char *what = login_describe(c, login_identity(l, i));
        log_info("offered there: %s", what);
        count++;
    }
    return count;
}

void login_tell_offered(const struct client *c)
{
    if (tell_each_offered(c) == 0 && c->options->pubkey_authentication != PUBKEY_NO)
        log_info("no key was offered: none of the identity files could be used (-v tells each)");
}

void login_tell_cut(const struct client *c)
{
    if (!c->login || c->login->is_done || tell_each_offered(c) < 2)
        return; /* no login yet: it was the key exchange that the server left */
    log_info(
        "(a server counts each key as a try: -i KEY -o IdentitiesOnly=yes offers that one alone)");
}
