/* The client's side of authentication. */
#include "auth/auth_client.h"

#include "auth/auth_blob.h"
#include "wire/msg_auth.h"
#include "wire/msg_transport.h"
#include "wire/namelist.h"
#include "wire/numbers.h"

#define SERVICE "ssh-connection"
#define OUT_MAX (512 * 1024)

static const char malformed[] = "malformed authentication message (RFC 4252)";
static const char out_of_order[] = "authentication message out of order (RFC 4252)";
static const char wrong_key[] = "the server accepted a key that was not offered (RFC 4252 7)";

enum client_state {
    STATE_NEW,
    STATE_SERVICE, /* the service was asked for */
    STATE_ASKED,   /* a request without signature is out: none, or a key's query */
    STATE_SIGNING, /* the question is out */
    STATE_SIGNED,  /* the signed request is out */
    STATE_DONE,
};

struct client_key {
    struct buf blob;
    char *type;
    const struct algo_sign *algorithm; /* chosen when it is tried */
    bool hostbound; /* likewise: an EXT_INFO may come between query and signature */
};

struct auth_client {
    struct auth_client_config config;
    enum client_state state;
    struct client_key keys[AUTH_CLIENT_KEYS_MAX];
    size_t key_count;
    size_t key; /* being tried; key_count: none left */
    bool asked_none;
    bool knows_extensions, has_sig_algs, hostbound, service_accepted;
    char *sig_algs;
    struct buf out;  /* u32 length + payload, again and again */
    struct buf blob; /* what is to be signed */
    struct buf methods;
    struct fault fault;
};

struct auth_client *auth_client_new(const struct auth_client_config *config)
{
    struct auth_client *a = NEW(struct auth_client);
    a->config = *config;
    buf_init(&a->out, OUT_MAX);
    buf_init(&a->blob, AUTH_BLOB_MAX);
    buf_init(&a->methods, 65536);
    return a;
}

void auth_client_free(struct auth_client *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->key_count; i++) {
        buf_done(&a->keys[i].blob);
        mem_free(a->keys[i].type);
    }
    buf_done(&a->out);
    buf_done(&a->blob);
    buf_done(&a->methods);
    mem_free(a->sig_algs);
    mem_free(a);
}

/* The first accepted algorithm for the key type that the server, if it told, takes too. */
static const struct algo_sign *choose(const struct auth_client *a, const char *type)
{
    struct slice rest = slice_text(a->config.accepted);
    struct slice name;
    while (namelist_next(&rest, &name)) {
        const struct algo_sign *algo = algo_sign_find(name);
        if (!algo || strcmp(algo->key_type, type) != 0)
            continue;
        if (!a->has_sig_algs || namelist_contains(slice_text(a->sig_algs), algo->name))
            return algo;
    }
    return NULL;
}

bool auth_client_add_key(struct auth_client *a, const char *type, struct slice blob)
{
    CHECK(a->state == STATE_NEW);
    if (a->key_count == AUTH_CLIENT_KEYS_MAX || !choose(a, type))
        return false;
    struct client_key *k = &a->keys[a->key_count];
    buf_init(&k->blob, 65536);
    if (buf_append_slice(&k->blob, blob) != OK)
        return false;
    k->type = mem_strdup(type);
    a->key_count++;
    return true;
}

void auth_client_set_extensions(struct auth_client *a, bool has_sig_algs, struct slice sig_algs,
                                bool hostbound)
{
    a->knows_extensions = true;
    a->hostbound = hostbound;
    if (!has_sig_algs)
        return;
    a->has_sig_algs = true;
    mem_free(a->sig_algs);
    a->sig_algs = slice_strdup(sig_algs);
}

/* ---- payloads out ---- */

static void queue(struct auth_client *a, const struct msg_userauth_request *m)
{
    struct writer w;
    writer_init(&w, &a->out);
    size_t mark = writer_open(&w);
    if (m)
        msg_userauth_request_encode(&w, m);
    else
        msg_service_encode(&w, SSH_MSG_SERVICE_REQUEST, "ssh-userauth");
    writer_close(&w, mark);
    CHECK(writer_done(&w) == OK); /* sizes are our own */
}

static struct msg_userauth_request key_request(const struct auth_client *a)
{
    const struct client_key *k = &a->keys[a->key];
    return (struct msg_userauth_request){
        .user = slice_text(a->config.user),
        .service = slice_text(SERVICE),
        .method = k->hostbound ? USERAUTH_PUBLICKEY_HOSTBOUND : USERAUTH_PUBLICKEY,
        .algorithm = slice_text(k->algorithm->name),
        .key_blob = buf_slice(&k->blob),
        .host_key = a->config.server_key,
    };
}

/* The next thing to try: the present key, or `none` if there never was a key. False: nothing. */
static bool try_next(struct auth_client *a)
{
    for (; a->key < a->key_count; a->key++) {
        struct client_key *k = &a->keys[a->key];
        k->algorithm = choose(a, k->type);
        if (!k->algorithm)
            continue;
        k->hostbound = a->hostbound;
        struct msg_userauth_request m = key_request(a);
        queue(a, &m);
        a->state = STATE_ASKED;
        return true;
    }
    if (a->asked_none || buf_len(&a->methods))
        return false;
    /* Tells which methods the server takes, and lets in whom it lets in without any. */
    struct msg_userauth_request none = {.user = slice_text(a->config.user),
                                        .service = slice_text(SERVICE),
                                        .method = USERAUTH_NONE};
    a->asked_none = true;
    queue(a, &none);
    a->state = STATE_ASKED;
    return true;
}

void auth_client_begin(struct auth_client *a)
{
    CHECK(a->state == STATE_NEW);
    queue(a, NULL);
    a->state = STATE_SERVICE;
}

bool auth_client_next_payload(struct auth_client *a, struct slice *payload)
{
    /*
     * With the server's extensions known the first request need not wait for SERVICE_ACCEPT: it
     * leaves in the same write.
     */
    if (a->state == STATE_SERVICE && (a->knows_extensions || a->service_accepted))
        try_next(a);
    struct slice queued = buf_slice(&a->out);
    if (queued.len == 0)
        return false;
    *payload = slice_of(queued.ptr + 4, get_u32(queued.ptr));
    return true;
}

void auth_client_payload_taken(struct auth_client *a)
{
    struct slice queued = buf_slice(&a->out);
    buf_consume(&a->out, 4 + (size_t)get_u32(queued.ptr));
}

/* ---- payloads in ---- */

struct fault auth_client_fault(const struct auth_client *a)
{
    return a->fault;
}

static enum err broken(struct auth_client *a, enum err code, const char *text)
{
    a->fault = (struct fault){code, SSH_DISCONNECT_PROTOCOL_ERROR, text};
    return code;
}

static void next_or_failed(struct auth_client *a, struct auth_client_event *event)
{
    if (!try_next(a)) {
        a->state = STATE_DONE;
        event->kind = AUTH_CLIENT_FAILED;
        event->methods = buf_slice(&a->methods);
    }
}

static enum err on_failure(struct auth_client *a, struct slice payload,
                           struct auth_client_event *event)
{
    struct msg_userauth_failure m;
    if (msg_userauth_failure_decode(payload, &m) != OK)
        return broken(a, ERR_FORMAT, malformed);
    if (a->state != STATE_ASKED && a->state != STATE_SIGNED)
        return broken(a, ERR_PROTOCOL, out_of_order);
    buf_clear(&a->methods);
    if (buf_append_slice(&a->methods, m.methods) != OK)
        return broken(a, ERR_LIMIT, malformed);
    if (a->key < a->key_count && !(a->asked_none && a->state == STATE_ASKED)) {
        event->kind = AUTH_CLIENT_REFUSED;
        event->key = a->key++;
        event->methods = buf_slice(&a->methods);
    }
    if (!try_next(a)) {
        a->state = STATE_DONE;
        event->kind = AUTH_CLIENT_FAILED;
        event->methods = buf_slice(&a->methods);
    }
    return OK;
}

static enum err on_pk_ok(struct auth_client *a, struct slice payload,
                         struct auth_client_event *event)
{
    struct msg_userauth_pk_ok m;
    if (a->state != STATE_ASKED || a->key >= a->key_count)
        return broken(a, ERR_PROTOCOL, out_of_order);
    if (msg_userauth_pk_ok_decode(payload, &m) != OK)
        return broken(a, ERR_FORMAT, malformed);
    struct msg_userauth_request request = key_request(a);
    if (!slice_equal(m.key_blob, request.key_blob))
        return broken(a, ERR_PROTOCOL, wrong_key);
    struct auth_blob blob = {
        .session_id = a->config.session_id,
        .user = request.user,
        .service = request.service,
        .algorithm = request.algorithm,
        .key_blob = request.key_blob,
        .host_key = a->keys[a->key].hostbound ? request.host_key : SLICE_NONE,
    };
    buf_clear(&a->blob);
    if (auth_blob_build(&blob, &a->blob) != OK)
        return broken(a, ERR_LIMIT, malformed);
    a->state = STATE_SIGNING;
    event->kind = AUTH_CLIENT_SIGN;
    event->key = a->key;
    event->algorithm = a->keys[a->key].algorithm;
    event->data = buf_slice(&a->blob);
    return OK;
}

void auth_client_give_signature(struct auth_client *a, struct slice signature,
                                struct auth_client_event *event)
{
    *event = (struct auth_client_event){.kind = AUTH_CLIENT_NONE};
    CHECK(a->state == STATE_SIGNING);
    if (signature.len == 0) {
        a->key++;
        next_or_failed(a, event);
        return;
    }
    struct msg_userauth_request m = key_request(a);
    m.has_signature = true;
    m.signature = signature;
    queue(a, &m);
    a->state = STATE_SIGNED;
}

static enum err on_success(struct auth_client *a, struct slice payload,
                           struct auth_client_event *event)
{
    if (msg_userauth_success_decode(payload) != OK)
        return broken(a, ERR_FORMAT, malformed);
    bool may_succeed = a->state == STATE_SIGNED ||
                       (a->state == STATE_ASKED && a->asked_none && a->key >= a->key_count);
    if (!may_succeed)
        return broken(a, ERR_PROTOCOL, out_of_order);
    a->state = STATE_DONE;
    event->kind = AUTH_CLIENT_SUCCESS;
    event->key = a->key;
    return OK;
}

static enum err on_service_accept(struct auth_client *a, struct slice payload)
{
    struct slice service;
    if (msg_service_decode(payload, &service) != OK)
        return broken(a, ERR_FORMAT, malformed);
    if (a->state == STATE_NEW || a->service_accepted || !slice_is(service, "ssh-userauth"))
        return broken(a, ERR_PROTOCOL, out_of_order);
    a->service_accepted = true;
    return OK;
}

enum err auth_client_recv(struct auth_client *a, struct slice payload,
                          struct auth_client_event *event)
{
    *event = (struct auth_client_event){.kind = AUTH_CLIENT_NONE};
    switch (payload.ptr[0]) {
    case SSH_MSG_SERVICE_ACCEPT:
        return on_service_accept(a, payload);
    case SSH_MSG_USERAUTH_FAILURE:
        return on_failure(a, payload, event);
    case SSH_MSG_USERAUTH_SUCCESS:
        return on_success(a, payload, event);
    case SSH_MSG_USERAUTH_PK_OK:
        return on_pk_ok(a, payload, event);
    case SSH_MSG_USERAUTH_BANNER:
        if (msg_userauth_banner_decode(payload, &event->data) != OK)
            return broken(a, ERR_FORMAT, malformed);
        event->kind = AUTH_CLIENT_BANNER;
        return OK;
    default:
        return broken(a, ERR_PROTOCOL, out_of_order);
    }
}
