/* The server's side of authentication. */
#include "auth/auth_server.h"

#include "crypto/cert.h"
#include "crypto/legacy.h"
#include "wire/msg_auth.h"
#include "wire/msg_transport.h"
#include "wire/namelist.h"
#include "wire/numbers.h"

#define SERVICE     "ssh-connection"
#define OUT_MAX     (128 * 1024)
#define BANNER_STEP 16384 /* bytes a message: clients need take no more */

static const char malformed[] = "malformed authentication message (RFC 4252)";
static const char out_of_order[] = "authentication message out of order (RFC 4252)";
static const char no_service[] = "no such service (RFC 4252 5)";
static const char changed_user[] = "Change of username or service not allowed";
static const char too_many[] = "Too many authentication failures";
static const char not_read[] = "the peer does not read the answers to its requests";

enum asking { ASKING_NOTHING, ASKING_WHO, ASKING_QUERY, ASKING_LOGIN, ASKING_DIALOG };

struct auth_server {
    struct auth_server_config config;
    bool service_accepted, is_done;
    bool is_first;     /* no request was answered yet: "none" costs nothing */
    bool is_prompting; /* INFO_RESPONSE may come */
    enum asking asking;
    unsigned failures;
    char *user;                    /* NULL before the first request */
    struct buf methods;            /* the comma list of FAILURE */
    struct buf request;            /* the payload of the question that is out */
    struct msg_userauth_request m; /* slices into request */
    struct buf out;
    struct fault fault;
};

struct auth_server *auth_server_new(const struct auth_server_config *config)
{
    struct auth_server *a = NEW(struct auth_server);
    a->config = *config;
    a->is_first = true;
    buf_init(&a->methods, AUTH_SERVER_METHODS_MAX);
    buf_init_secret(&a->request, 65536); /* passwords are among them */
    buf_init(&a->out, OUT_MAX);
    return a;
}

void auth_server_free(struct auth_server *a)
{
    if (!a)
        return;
    mem_free(a->user);
    buf_done(&a->methods);
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

static enum err queue_failure(struct auth_server *a, bool is_partial)
{
    struct writer w;
    struct msg_userauth_failure m = {buf_slice(&a->methods), is_partial};
    writer_init(&w, &a->out);
    size_t mark = writer_open(&w);
    msg_userauth_failure_encode(&w, &m);
    return queue_end(a, &w, mark);
}

static enum err fail_attempt(struct auth_server *a)
{
    if (++a->failures >= a->config.max_tries)
        return broken(a, ERR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR, too_many);
    return queue_failure(a, false);
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
static enum err queue_banner(struct auth_server *a, struct slice rest)
{
    if (rest.len > AUTH_SERVER_BANNER_MAX)
        return OK;
    a->out.cap = OUT_MAX + 2 * rest.len; /* once, before anything of size is in it */
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

/* A certificate's algorithm is usable where the one of its signature is built, a legacy one where
 * the configuration names it: who answers the question looks. */
static bool is_usable(const struct auth_server *a)
{
    const char *own;
    bool is_built = algo_sign_find(a->m.algorithm) || cert_algo_sign(a->m.algorithm) ||
                    legacy_sign_find(a->m.algorithm) || legacy_cert_sign(a->m.algorithm, &own);
    char *name CLEANUP(mem_cleanup) = slice_strdup(a->m.algorithm);
    if (!is_built ||
        (a->config.accepted && !namelist_contains(slice_text(a->config.accepted), name)))
        return false;
    /* OpenSSH's PROTOCOL 3.1: the key named must be the one this connection was signed with. */
    return a->m.method != USERAUTH_PUBLICKEY_HOSTBOUND ||
           slice_equal(a->m.host_key, a->config.host_key);
}

static bool is_offered(const struct auth_server *a, const char *method)
{
    return namelist_contains(buf_slice(&a->methods), method);
}

static void ask(struct auth_server *a, enum asking asking, enum auth_server_event_kind kind,
                struct auth_server_event *event)
{
    a->asking = asking;
    event->kind = kind;
    event->user = a->m.user;
    event->service = a->m.service;
}

static enum err on_publickey(struct auth_server *a, struct auth_server_event *event)
{
    if (!is_offered(a, "publickey") || !is_usable(a))
        return fail_attempt(a);
    if (a->m.has_signature)
        ask(a, ASKING_LOGIN, AUTH_SERVER_SIGNED, event);
    else
        ask(a, ASKING_QUERY, AUTH_SERVER_KEY, event);
    event->algorithm = a->m.algorithm;
    event->key_blob = a->m.key_blob;
    event->hostbound = a->m.method == USERAUTH_PUBLICKEY_HOSTBOUND;
    event->signature = a->m.signature;
    return OK;
}

/* A long password costs whoever hashes it (CVE-2016-6515); none is ever changed here. */
static enum err on_password(struct auth_server *a, struct auth_server_event *event)
{
    if (!is_offered(a, "password") || a->m.changes_password || a->m.password.len > MSG_PASSWORD_MAX)
        return fail_attempt(a);
    ask(a, ASKING_LOGIN, AUTH_SERVER_PASSWORD, event);
    event->password = a->m.password;
    return OK;
}

static enum err on_interactive(struct auth_server *a, struct auth_server_event *event)
{
    if (!is_offered(a, "keyboard-interactive"))
        return fail_attempt(a);
    ask(a, ASKING_DIALOG, AUTH_SERVER_INTERACTIVE, event);
    event->submethods = a->m.submethods;
    return OK;
}

/* The first request, if it is "none", is how a client asks for the methods: it costs nothing. */
static enum err on_none(struct auth_server *a, bool is_first)
{
    return is_first ? queue_failure(a, false) : fail_attempt(a);
}

static enum err on_method(struct auth_server *a, struct auth_server_event *event)
{
    bool is_first = a->is_first;
    a->is_first = false;
    switch (a->m.method) {
    case USERAUTH_PUBLICKEY:
    case USERAUTH_PUBLICKEY_HOSTBOUND:
        return on_publickey(a, event);
    case USERAUTH_PASSWORD:
        return on_password(a, event);
    case USERAUTH_INTERACTIVE:
        return on_interactive(a, event);
    case USERAUTH_NONE:
        return on_none(a, is_first);
    case USERAUTH_OTHER:
        break;
    }
    return fail_attempt(a);
}

static enum err abandon_prompt(struct auth_server *a, struct auth_server_event *event)
{
    a->is_prompting = false;
    event->abandoned = true;
    if (++a->failures >= a->config.max_tries)
        return broken(a, ERR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR, too_many);
    return OK;
}

static enum err keep_request(struct auth_server *a, struct slice payload)
{
    buf_clear(&a->request);
    return buf_append_slice(&a->request, payload);
}

static enum err on_request(struct auth_server *a, struct slice payload,
                           struct auth_server_event *event)
{
    if (!a->service_accepted)
        return broken(a, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, out_of_order);
    if (keep_request(a, payload) != OK ||
        msg_userauth_request_decode(buf_slice(&a->request), &a->m) != OK)
        return broken(a, ERR_FORMAT, SSH_DISCONNECT_PROTOCOL_ERROR, malformed);
    bool is_new = !a->user;
    TRY(check_user(a));
    if (is_new) {
        ask(a, ASKING_WHO, AUTH_SERVER_WHO, event);
        return OK;
    }
    if (a->is_prompting)
        TRY(abandon_prompt(a, event));
    return on_method(a, event);
}

static enum err on_responses(struct auth_server *a, struct slice payload,
                             struct auth_server_event *event)
{
    struct body_info_response b;
    if (!a->is_prompting)
        return broken(a, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, out_of_order);
    if (keep_request(a, payload) != OK)
        return broken(a, ERR_FORMAT, SSH_DISCONNECT_PROTOCOL_ERROR, malformed);
    struct slice whole = buf_slice(&a->request);
    struct slice body = slice_of(whole.ptr + 1, whole.len - 1);
    if (body_info_response_decode(body, &b) != OK)
        return broken(a, ERR_FORMAT, SSH_DISCONNECT_PROTOCOL_ERROR, malformed);
    a->is_prompting = false;
    a->asking = ASKING_DIALOG;
    event->kind = AUTH_SERVER_RESPONSES;
    event->body = body;
    return OK;
}

enum err auth_server_recv(struct auth_server *a, struct slice payload,
                          struct auth_server_event *event)
{
    *event = (struct auth_server_event){.kind = AUTH_SERVER_NONE};
    CHECK(a->asking == ASKING_NOTHING && !a->is_done);
    enum err err;
    if (payload.ptr[0] == SSH_MSG_SERVICE_REQUEST)
        err = on_service_request(a, payload);
    else if (payload.ptr[0] == SSH_MSG_USERAUTH_REQUEST)
        err = on_request(a, payload, event);
    else if (payload.ptr[0] == SSH_MSG_USERAUTH_INFO_RESPONSE)
        err = on_responses(a, payload, event);
    else
        err = broken(a, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, out_of_order);
    if (a->asking == ASKING_NOTHING)
        buf_clear(&a->request);
    return err;
}

/* ---- answers ---- */

static void set_methods(struct auth_server *a, struct slice methods)
{
    buf_clear(&a->methods);
    if (buf_append_slice(&a->methods, methods) != OK)
        buf_clear(&a->methods);
}

enum err auth_server_answer_who(struct auth_server *a, struct slice methods, struct slice banner,
                                struct auth_server_event *event)
{
    CHECK(a->asking == ASKING_WHO);
    *event = (struct auth_server_event){.kind = AUTH_SERVER_NONE};
    a->asking = ASKING_NOTHING;
    set_methods(a, methods);
    TRY(queue_banner(a, banner));
    enum err err = on_method(a, event);
    if (a->asking == ASKING_NOTHING)
        buf_clear(&a->request);
    return err;
}

static enum err give_verdict(struct auth_server *a, bool is_query, enum auth_verdict verdict,
                             struct slice methods)
{
    if (verdict == AUTH_VERDICT_NO)
        return fail_attempt(a);
    if (is_query)
        return queue_pk_ok(a);
    if (verdict == AUTH_VERDICT_YES)
        return queue_success(a);
    set_methods(a, methods);
    return queue_failure(a, true);
}

enum err auth_server_answer(struct auth_server *a, enum auth_verdict verdict, struct slice methods)
{
    CHECK(a->asking >= ASKING_QUERY);
    bool is_query = a->asking == ASKING_QUERY;
    a->asking = ASKING_NOTHING;
    enum err err = give_verdict(a, is_query, verdict, methods);
    buf_clear(&a->request);
    return err;
}

enum err auth_server_prompt(struct auth_server *a, struct slice body)
{
    CHECK(a->asking == ASKING_DIALOG);
    struct writer w;
    a->asking = ASKING_NOTHING;
    a->is_prompting = true;
    buf_clear(&a->request);
    writer_init(&w, &a->out);
    size_t mark = writer_open(&w);
    writer_u8(&w, SSH_MSG_USERAUTH_INFO_REQUEST);
    writer_bytes(&w, body);
    return queue_end(a, &w, mark);
}

bool auth_server_is_done(const struct auth_server *a)
{
    return a->is_done;
}

bool auth_server_is_asking(const struct auth_server *a)
{
    return a->asking != ASKING_NOTHING;
}

const char *auth_server_user(const struct auth_server *a)
{
    return a->user ? a->user : "";
}
