/* The list of keys: what the agent adds, what is of use, in which order, and who signs. */
#include <string.h>

#include "base/log.h"
#include "client/identity_internal.h"

/* ---- the list ---- */

void identity_clear(struct identity *id)
{
    pubkey_free(id->pubkey);
    privkey_free(id->key);
    cert_free(id->cert);
    mem_free(id->name);
    mem_free(id->path);
}

struct slice identity_blob(const struct identity *id)
{
    CHECK(id->cert || id->pubkey);
    return id->cert ? cert_blob(id->cert) : pubkey_blob(id->pubkey);
}

char *identity_type(const struct identity *id)
{
    return id->cert ? cert_type_name(id->cert) : mem_strdup(pubkey_type_name(id->pubkey));
}

static bool is_known(const struct identity *id)
{
    return id->cert || id->pubkey;
}

/* The same blob, with certificate or without; both must be known. */
static bool shows(const struct identity *id, struct slice blob)
{
    return is_known(id) && slice_equal(identity_blob(id), blob);
}

static bool has_plain(const struct identity *id, const struct pubkey *key)
{
    return id->pubkey && key && slice_equal(pubkey_blob(id->pubkey), pubkey_blob(key));
}

static struct identity *find_blob(const struct identity_list *list, struct slice blob)
{
    for (size_t i = 0; i < list->count; i++) {
        if (shows(&list->items[i], blob))
            return &list->items[i];
    }
    return NULL;
}

/* Takes id's parts over; what is shown already is not shown twice. */
void identity_add(struct identity_list *list, struct identity id)
{
    struct identity *same = is_known(&id) ? find_blob(list, identity_blob(&id)) : NULL;
    if (same) {
        same->is_signer_only &= id.is_signer_only;
        identity_clear(&id);
        return;
    }
    list->items = mem_resize(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = id;
    CLEANUP(mem_cleanup) char *type = is_known(&id) ? identity_type(&id) : mem_strdup("unknown");
    log_debug("identity %s type %s%s%s", id.name, type, id.in_agent ? " (agent)" : "",
              id.is_locked ? " (encrypted)" : "");
}

void identity_list_done(struct identity_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        identity_clear(&list->items[i]);
    mem_free(list->items);
    agent_free(list->agent);
    *list = (struct identity_list){0};
}

/* A copy, as struct identity owns its public half. */
struct pubkey *identity_pubkey_copy(const struct crypto *c, const struct pubkey *key)
{
    struct pubkey *copy = NULL;
    enum err err = pubkey_parse(&copy, c, pubkey_blob(key));
    CHECK(err == OK); /* it was parsed before */
    return copy;
}

/* ---- the agent ---- */

static void ask_agent(struct identity_list *list, const char *path,
                      const struct agent_session *session, struct agent_keys *keys)
{
    *keys = (struct agent_keys){0};
    if (!path)
        return;
    enum err err = agent_connect(&list->agent, path);
    if (err == OK) {
        err = agent_bind_session(list->agent, session);
        log_debug("agent: session %s", err == OK ? "bound to this host key" : "not bound");
        if (err != ERR_TIMEOUT)
            err = agent_list(list->agent, keys);
    }
    if (err == ERR_TIMEOUT)
        log_error("The agent at %s does not answer: its keys are not used. Is it stopped, or does "
                  "it wait for its owner?",
                  path);
    else if (err != OK)
        log_debug("agent at %s: %s", path, err_name(err));
}

static void add_agent_key(struct identity_list *list, const struct crypto *c,
                          const struct agent_key *item)
{
    struct slice blob = buf_slice(&item->blob);
    struct identity id = {.in_agent = true};
    if (find_blob(list, blob))
        return;
    if (cert_parse(&id.cert, c, blob) == OK)
        id.pubkey = identity_pubkey_copy(c, cert_info(id.cert)->key);
    else if (pubkey_parse(&id.pubkey, c, blob) != OK)
        return;
    id.name = mem_strdup(ESCAPED(slice_text(item->comment)));
    identity_add(list, id);
}

static void mark_agent_keys(struct identity_list *list, const struct agent_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        for (size_t k = 0; k < list->count; k++)
            list->items[k].in_agent |= shows(&list->items[k], buf_slice(&keys->items[i].blob));
    }
}

/* ---- what is of use ---- */

/* By itself, or with the plain key that another identity has. */
static bool may_sign(const struct identity_list *list, const struct identity *id, bool may_ask)
{
    if (id->key || id->in_agent || (id->is_locked && may_ask))
        return true;
    for (size_t i = 0; id->cert && i < list->count; i++) {
        const struct identity *other = &list->items[i];
        if (!other->cert && has_plain(other, id->pubkey) && may_sign(list, other, may_ask))
            return true;
    }
    return false;
}

static bool is_long_enough(const struct identity *id, unsigned rsa_bits)
{
    if (!id->pubkey || pubkey_kind(id->pubkey) != KEY_RSA || pubkey_bits(id->pubkey) >= rsa_bits)
        return true;
    log_error("Key %s: RSA of %u bits, and RequiredRSASize is %u.", id->name,
              pubkey_bits(id->pubkey), rsa_bits);
    return false;
}

static bool is_of_use(const struct identity_list *list, const struct identity_request *q,
                      const struct identity *id)
{
    if (!is_long_enough(id, q->rsa_bits))
        return false;
    if (may_sign(list, id, q->may_ask))
        return true;
    if (id->cert && !id->path)
        log_error("Certificate %s: no key file and no agent has its private key.", id->name);
    else
        log_write(q->is_explicit ? LOG_ERROR : LOG_DEBUG1, "Load key \"%s\": %s.", id->name,
                  identity_why_unusable(id->path ? id->trouble : ERR_NOT_FOUND));
    return false;
}

/* Smaller goes first. */
static unsigned rank(const struct identity *id, bool is_explicit)
{
    if (id->cert)
        return id->is_named ? 0 : 1;
    if (is_explicit)
        return id->is_named ? 2 : 3;
    return id->in_agent ? 2 : 3;
}

static void order(struct identity_list *list, bool is_explicit)
{
    struct identity *sorted = mem_new(list->count + 1, sizeof(*sorted));
    size_t n = 0;
    for (unsigned r = 0; r <= 3; r++) {
        for (size_t i = 0; i < list->count; i++) {
            if (rank(&list->items[i], is_explicit) == r)
                sorted[n++] = list->items[i];
        }
    }
    mem_free(list->items);
    list->items = sorted;
}

void identity_list_complete(struct identity_list *list, const struct identity_request *request,
                            const char *path, const struct agent_session *session)
{
    struct agent_keys keys;
    ask_agent(list, path, session, &keys);
    mark_agent_keys(list, &keys);
    /* A certificate may be signed for by a key that is not to be offered by itself. */
    size_t own = list->count;
    for (size_t i = 0; i < keys.count; i++)
        add_agent_key(list, request->crypto, &keys.items[i]);
    bool *keep = mem_new(list->count + 1, sizeof(*keep));
    for (size_t i = 0; i < list->count; i++)
        keep[i] = is_of_use(list, request, &list->items[i]);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].is_signer_only |= i >= own && request->identities_only;
        if (keep[i])
            list->items[kept++] = list->items[i];
        else
            identity_clear(&list->items[i]);
    }
    list->count = kept;
    mem_free(keep);
    order(list, request->is_explicit);
    agent_keys_done(&keys);
}

/* ---- signing ---- */

const struct identity *identity_signer(const struct identity_list *list, const struct identity *id)
{
    if (id->key)
        return id;
    for (size_t i = 0; !id->in_agent && i < list->count; i++) {
        if (list->items[i].key && has_plain(&list->items[i], id->pubkey))
            return &list->items[i];
    }
    return NULL;
}

/* What the agent can sign by for id: what is shown, or the plain key of its certificate. */
static bool agent_signs(const struct identity_list *list, const struct identity *id,
                        struct slice *blob)
{
    *blob = identity_blob(id);
    if (id->in_agent)
        return true;
    for (size_t i = 0; i < list->count; i++) {
        const struct identity *other = &list->items[i];
        if (other->in_agent && !other->cert && has_plain(other, id->pubkey)) {
            *blob = identity_blob(other);
            return true;
        }
    }
    return false;
}

struct identity *identity_locked(struct identity_list *list, const struct identity *id)
{
    struct slice blob;
    if (!is_known(id))
        return id->is_locked ? (struct identity *)(uintptr_t)id : NULL;
    if (identity_signer(list, id) || agent_signs(list, id, &blob))
        return NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].is_locked && has_plain(&list->items[i], id->pubkey))
            return &list->items[i];
    }
    return NULL;
}

enum err identity_sign(struct identity_list *list, const struct identity *id,
                       const struct algo_sign *algo, struct slice data, struct buf *signature)
{
    const struct identity *signer = identity_signer(list, id);
    struct slice blob;
    if (signer)
        return privkey_sign(signer->key, algo, data, signature);
    if (!list->agent || !agent_signs(list, id, &blob))
        return ERR_NOT_FOUND;
    return agent_sign(list->agent, blob, algo, data, signature);
}

enum err identity_sign_again(const struct identity_list *list, const struct identity *id,
                             const char *path, const struct agent_session *session,
                             const struct algo_sign *algo, struct slice data, struct buf *signature)
{
    struct identity_list other = *list;
    other.agent = NULL;
    if (!identity_signer(list, id)) {
        if (!path)
            return ERR_NOT_FOUND;
        TRY(agent_connect(&other.agent, path));
        agent_hurry(other.agent);
        if (agent_bind_session(other.agent, session) != OK)
            log_debug("agent: session not bound");
    }
    enum err err = identity_sign(&other, id, algo, data, signature);
    agent_free(other.agent);
    return err;
}
