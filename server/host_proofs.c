/* All host keys told, and proved on demand. */
#include "server/host_proofs.h"

#include "wire/reader.h"
#include "wire/writer.h"

#define TELL     "hostkeys-00@openssh.com"
#define PROVE    "hostkeys-prove-00@openssh.com"
#define BODY_MAX (256 * 1024)

struct host_proofs {
    struct link *link;
    const struct server_keys *keys;
    host_proofs_ask *ask;
    void *owner;
    bool is_busy; /* a request is being proved: its answer goes out whole */
    uint64_t request;
    struct buf wanted; /* string key; each */
    struct slice rest; /* of wanted: not asked for yet */
    uint32_t tag;      /* of the question that is out */
    struct buf proofs; /* string signature; each */
};

static bool is_certificate(const char *type)
{
    return strstr(type, "-cert-v01@openssh.com") != NULL;
}

static void tell_keys(struct host_proofs *p)
{
    struct buf body;
    struct writer w;
    buf_init(&body, BODY_MAX);
    writer_init(&w, &body);
    for (size_t i = 0; i < p->keys->count; i++) {
        if (!is_certificate(p->keys->keys[i].key_type))
            writer_string(&w, p->keys->keys[i].blob);
    }
    if (writer_done(&w) == OK)
        link_global_request(p->link, TELL, false, buf_slice(&body), 0);
    buf_done(&body);
}

struct host_proofs *host_proofs_new(struct link *l, const struct server_keys *keys,
                                    host_proofs_ask *ask, void *owner)
{
    struct host_proofs *p = NEW(struct host_proofs);
    p->link = l;
    p->keys = keys;
    p->ask = ask;
    p->owner = owner;
    buf_init(&p->wanted, BODY_MAX);
    buf_init(&p->proofs, BODY_MAX);
    tell_keys(p);
    return p;
}

void host_proofs_free(struct host_proofs *p)
{
    if (!p)
        return;
    buf_done(&p->wanted);
    buf_done(&p->proofs);
    mem_free(p);
}

static void finish(struct host_proofs *p, bool success)
{
    link_reply(p->link, p->request, success, success ? buf_slice(&p->proofs) : SLICE_NONE);
    p->is_busy = false;
    buf_done(&p->wanted);
    buf_done(&p->proofs);
}

/* An RSA key signs as in the key exchange, if it was one, else with the longer hash. */
static const char *algorithm_of(const struct host_proofs *p, struct slice key)
{
    static const char rsa[] = "ssh-rsa";
    for (size_t i = 0; i < p->keys->count; i++) {
        const struct transport_host_key *k = &p->keys->keys[i];
        if (!slice_equal(k->blob, key))
            continue;
        if (strcmp(k->key_type, rsa) != 0)
            return is_certificate(k->key_type) ? NULL : k->key_type;
        const char *used = transport_algorithms(link_transport(p->link)).host_key;
        return strcmp(used, "rsa-sha2-256") == 0 ? used : "rsa-sha2-512";
    }
    return NULL;
}

static void ask_next(struct host_proofs *p)
{
    struct reader r;
    if (p->rest.len == 0) {
        finish(p, true);
        return;
    }
    reader_init(&r, p->rest);
    struct slice key = reader_string(&r);
    const char *algorithm = reader_is_ok(&r) ? algorithm_of(p, key) : NULL;
    if (!algorithm) {
        finish(p, false);
        return;
    }
    p->rest = slice_of(p->rest.ptr + 4 + key.len, p->rest.len - 4 - key.len);
    p->tag++;
    const struct role_msg m = {.kind = ROLE_MSG_PROVE,
                               .tag = p->tag,
                               .name = slice_text(algorithm),
                               .key = key,
                               .session_id = transport_session_id(link_transport(p->link))};
    if (p->ask(p->owner, &m) != OK)
        finish(p, false);
}

bool host_proofs_request(struct host_proofs *p, const struct link_event *e)
{
    if (!slice_is(e->name, PROVE))
        return false;
    if (!e->want_reply)
        return true;
    if (p->is_busy || e->body.len == 0 || buf_append_slice(&p->wanted, e->body) != OK) {
        link_reply(p->link, e->request, false, SLICE_NONE);
        return true;
    }
    p->is_busy = true;
    p->request = e->request;
    p->rest = buf_slice(&p->wanted);
    ask_next(p);
    return true;
}

void host_proofs_lost(struct host_proofs *p)
{
    if (p->is_busy)
        finish(p, false);
}

void host_proofs_proved(struct host_proofs *p, uint32_t tag, struct slice signature)
{
    struct writer w;
    if (!p->is_busy || tag != p->tag)
        return;
    writer_init(&w, &p->proofs);
    writer_string(&w, signature);
    if (signature.len == 0 || writer_done(&w) != OK)
        finish(p, false);
    else
        ask_next(p);
}
