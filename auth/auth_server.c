/* The server's side of authentication. */
#include "auth/auth_server.h"

#include "wire/msg_auth.h"
#include "wire/msg_transport.h"
#include "wire/namelist.h"
#include "wire/numbers.h"

#define SERVICE     "ssh-connection"
#define METHODS     "publickey"
#define OUT_MAX     (128 * 1024)
#define BANNER_STEP 16384 /* bytes a message: clients need take no more */

static const char malformed[] = "malformed authentication message (RFC 4252)";
static const char out_of_order[] = "authentication message out of order (RFC 4252)";
static const char no_service[] = "no such service (RFC 4252 5)";
static const char changed_user[] = "Change of username or service not allowed";
static const char too_many[] = "Too many authentication failures";
static const char not_read[] = "the peer does not read the answers to its requests";

struct auth_server {
    struct auth_server_config config;
    bool service_accepted, said_banner, is_asking, is_query, is_done, asked_none;
    unsigned failures;
    char *user;                    /* NULL before the first request */
    struct buf request;            /* the payload of the question that is out */
    struct msg_userauth_request m; /* slices into request */
    struct buf out;
    struct fault fault;
};

struct auth_server *auth_server_new(const struct auth_server_config *config)
{
    struct auth_server *a = NEW(struct auth_server);
    a->config = *config;
    buf_init(&a->request, 65536);
    buf_init(&a->out, OUT_MAX + 2 * config->banner.len);
    return a;
}

void auth_server_free(struct auth_server *a)
{
    if (!a)
        return;
    mem_free(a->user);
    buf_done(&a->request);
    buf_done(&a->out);
    mem_free(a);
}

struct fault auth_server_fault(const struct auth_server *a)
{
    return a->fault;
}

static enum err broken(struct auth_server *a, enum err code, uint32_t reason, const char *text)
{
    a->fault = (struct fault){code, reason, text};
    return code;
}

/* ---- payloads out ---- */

/* A queue that is full says that the peer asks and does not read. */
static enum err queue_end(struct auth_server *a, struct writer *w, size_t mark)
{
    writer_close(w, mark);
    if (writer_done(w) != OK)
        return broken(a, ERR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR, not_read);
    return OK;
}

static enum err queue_failure(struct auth_server *a)
{
    struct writer w;
    struct msg_userauth_failure m = {slice_text(METHODS), false};
    writer_init(&w, &a->out);
    size_t mark = writer_open(&w);
    msg_userauth_failure_encode(&w, &m);
    return queue_end(a, &w, mark);
}

static enum err fail_attempt(struct auth_server *a)
{
    if (++a->failures >= a->config.max_tries)
        return broken(a, ERR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR, too_many);
    return queue_failure(a);
}

static enum err queue_success(struct auth_server *a)
{
    struct writer w;
    writer_init(&w, &a->out);
    size_t mark = writer_open(&w);
    msg_userauth_success_encode(&w);
    TRY(queue_end(a, &w, mark));
    a->is_done = true;
    return OK;
}

static enum err queue_pk_ok(struct auth_server *a)
{
    struct writer w;
    struct msg_userauth_pk_ok m = {a->m.algorithm, a->m.key_blob};
    writer_init(&w, &a->out);
    size_t mark = writer_open(&w);
    msg_userauth_pk_ok_encode(&w, &m);
    return queue_end(a, &w, mark);
}

bool auth_server_next_payload(struct auth_server *a, struct slice *payload)
{
    struct slice queued = buf_slice(&a->out);
    if (queued.len == 0)
        return false;
    *payload = slice_of(queued.ptr + 4, get_u32(queued.ptr));
    return true;
}

void auth_server_payload_taken(struct auth_server *a)
{
    struct slice queued = buf_slice(&a->out);
    buf_consume(&a->out, 4 + (size_t)get_u32(queued.ptr));
}

/* ---- requests in ---- */

static enum err on_service_request(struct auth_server *a, struct slice payload)
{
    struct slice service;
    if (msg_service_decode(payload, &service) != OK)
        return broken(a, ERR_FORMAT, SSH_DISCONNECT_PROTOCOL_ERROR, malformed);
    if (a->service_accepted)
        return broken(a, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, out_of_order);
    if (!slice_is(service, "ssh-userauth"))
        return broken(a, ERR_PROTOCOL, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE, no_service);
    struct writer w;
    writer_init(&w, &a->out);
    size_t mark = writer_open(&w);
    msg_service_encode(&w, SSH_MSG_SERVICE_ACCEPT, "ssh-userauth");
    TRY(queue_end(a, &w, mark));
    a->service_accepted = true;
    return OK;
}

/* The banner (RFC 4252 5.4) stands in front of the first answer. */
static enum err queue_banner(struct auth_server *a)
{
    struct slice rest = a->config.banner;
    a->said_banner = true;
    while (rest.len) {
        struct writer w;
        size_t n = MIN(rest.len, (size_t)BANNER_STEP);
        writer_init(&w, &a->out);
        size_t mark = writer_open(&w);
        msg_userauth_banner_encode(&w, slice_of(rest.ptr, n));
        TRY(queue_end(a, &w, mark));
        rest = slice_of(rest.ptr + n, rest.len - n);
    }
    return OK;
}

/* The user is fixed by the first request: two processes must never mean different ones. */
static enum err check_user(struct auth_server *a)
{
    if (!slice_is(a->m.service, SERVICE))
        return broken(a, ERR_PROTOCOL, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE, no_service);
    if (!a->user)
        a->user = slice_strdup(a->m.user);
    else if (!slice_is(a->m.user, a->user))
        return broken(a, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, changed_user);
    return OK;
}

static bool is_usable(const struct auth_server *a)
{
    const struct algo_sign *algo = algo_sign_find(a->m.algorithm);
    if (!algo || !namelist_contains(slice_text(a->config.accepted), algo->name))
        return false;
    /* OpenSSH's PROTOCOL 3.1: the key named must be the one this connection was signed with. */
    return a->m.method != USERAUTH_PUBLICKEY_HOSTBOUND ||
           slice_equal(a->m.host_key, a->config.host_key);
}

static void ask(struct auth_server *a, struct auth_server_event *event)
{
    a->is_asking = true;
    a->is_query = !a->m.has_signature;
    *event = (struct auth_server_event){
        .kind = a->is_query ? AUTH_SERVER_KEY : AUTH_SERVER_SIGNED,
        .user = a->m.user,
        .service = a->m.service,
        .algorithm = a->m.algorithm,
        .key_blob = a->m.key_blob,
        .hostbound = a->m.method == USERAUTH_PUBLICKEY_HOSTBOUND,
        .signature = a->m.signature,
    };
}

static enum err on_request(struct auth_server *a, struct slice payload,
                           struct auth_server_event *event)
{
    if (!a->service_accepted)
        return broken(a, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, out_of_order);
    buf_clear(&a->request);
    if (buf_append_slice(&a->request, payload) != OK ||
        msg_userauth_request_decode(buf_slice(&a->request), &a->m) != OK)
        return broken(a, ERR_FORMAT, SSH_DISCONNECT_PROTOCOL_ERROR, malformed);
    TRY(check_user(a));
    if (!a->said_banner)
        TRY(queue_banner(a));
    switch (a->m.method) {
    case USERAUTH_PUBLICKEY:
    case USERAUTH_PUBLICKEY_HOSTBOUND:
        if (!is_usable(a))
            return fail_attempt(a);
        ask(a, event);
        return OK;
    case USERAUTH_NONE:
        /* The first one is how a client asks for the methods; it costs nothing (OpenSSH too). */
        if (a->asked_none)
            return fail_attempt(a);
        a->asked_none = true;
        return queue_failure(a);
    case USERAUTH_PASSWORD:
    case USERAUTH_OTHER:
        break;
    }
    return fail_attempt(a);
}

enum err auth_server_recv(struct auth_server *a, struct slice payload,
                          struct auth_server_event *event)
{
    *event = (struct auth_server_event){.kind = AUTH_SERVER_NONE};
    CHECK(!a->is_asking && !a->is_done);
    if (payload.ptr[0] == SSH_MSG_SERVICE_REQUEST)
        return on_service_request(a, payload);
    if (payload.ptr[0] == SSH_MSG_USERAUTH_REQUEST)
        return on_request(a, payload, event);
    return broken(a, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, out_of_order);
}

enum err auth_server_answer(struct auth_server *a, bool allowed)
{
    CHECK(a->is_asking);
    a->is_asking = false;
    if (!allowed)
        return fail_attempt(a);
    return a->is_query ? queue_pk_ok(a) : queue_success(a);
}

bool auth_server_is_done(const struct auth_server *a)
{
    return a->is_done;
}

bool auth_server_is_asking(const struct auth_server *a)
{
    return a->is_asking;
}

const char *auth_server_user(const struct auth_server *a)
{
    return a->user ? a->user : "";
}
