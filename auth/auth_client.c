/* The client's side of authentication: what comes in and goes out. */
#include "auth/auth_blob.h"
#include "auth/auth_client_internal.h"
#include "wire/msg_transport.h"
#include "wire/numbers.h"

#define SERVICE "ssh-connection"
#define OUT_MAX (512 * 1024)
/* No server has so many; one that goes on and on is not to keep us for ever. */
#define STEPS_MAX 32
#define INFOS_MAX 256

static const char malformed[] = "malformed authentication message (RFC 4252)";
static const char out_of_order[] = "authentication message out of order (RFC 4252)";
static const char wrong_key[] = "the server accepted a key that was not offered (RFC 4252 7)";
static const char endless[] = "the server's authentication has no end";

struct auth_client *auth_client_new(const struct auth_client_config *config)
{
    struct auth_client *a = NEW(struct auth_client);
    a->config = *config;
    buf_init_secret(&a->out, OUT_MAX);
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

bool auth_client_is_question(enum auth_client_event_kind kind)
{
    return kind >= AUTH_CLIENT_SIGN;
}

/* ---- events ---- */

struct auth_client_event *auth_client_push(struct auth_client *a, enum auth_client_event_kind kind)
{
    CHECK(a->event_count < EVENTS_MAX);
    size_t at = (a->event_first + a->event_count++) % EVENTS_MAX;
    a->events[at] = (struct auth_client_event){.kind = kind, .key = AUTH_CLIENT_NO_KEY};
    return &a->events[at];
}

struct auth_client_event *auth_client_ask(struct auth_client *a, enum auth_client_event_kind kind)
{
    a->state = STATE_ASKING;
    a->question = kind;
    return auth_client_push(a, kind);
}

/* ---- payloads out ---- */

/* Sizes are our own: caps of keys, of prompts and of what a person types. */
static struct writer queue_open(struct auth_client *a, size_t *mark)
{
    struct writer w;
    writer_init(&w, &a->out);
    *mark = writer_open(&w);
    return w;
}

static void queue_close(struct writer *w, size_t mark)
{
    writer_close(w, mark);
    CHECK(writer_done(w) == OK);
}

void auth_client_queue(struct auth_client *a, const struct msg_userauth_request *m)
{
    size_t mark;
    struct writer w = queue_open(a, &mark);
    msg_userauth_request_encode(&w, m);
    queue_close(&w, mark);
}

struct msg_userauth_request auth_client_request(const struct auth_client *a,
                                                enum userauth_method method)
{
    return (struct msg_userauth_request){
        .user = slice_text(a->config.user), .service = slice_text(SERVICE), .method = method};
}

void auth_client_begin(struct auth_client *a)
{
    size_t mark;
    CHECK(a->state == STATE_NEW);
    struct writer w = queue_open(a, &mark);
    msg_service_encode(&w, SSH_MSG_SERVICE_REQUEST, "ssh-userauth");
    queue_close(&w, mark);
    a->state = STATE_SERVICE;
}

bool auth_client_next_payload(struct auth_client *a, struct slice *payload)
{
    struct slice queued = buf_slice(&a->out);
    if (queued.len == 0)
        return false;
    *payload = slice_of(queued.ptr + 4, get_u32(queued.ptr));
    return true;
}

void auth_client_payload_taken(struct auth_client *a)
{
    struct slice queued = buf_slice(&a->out);
    size_t length = 4 + (size_t)get_u32(queued.ptr);
    mem_wipe((void *)(uintptr_t)queued.ptr, length); /* it may hold a password */
    buf_consume(&a->out, length);
}

void auth_client_next(struct auth_client *a, struct auth_client_event *event)
{
    if (a->state == STATE_SERVICE && auth_client_may_start(a))
        auth_client_proceed(a);
    *event = (struct auth_client_event){.kind = AUTH_CLIENT_NONE, .key = AUTH_CLIENT_NO_KEY};
    if (a->event_count == 0)
        return;
    *event = a->events[a->event_first];
    a->event_first = (a->event_first + 1) % EVENTS_MAX;
    a->event_count--;
}

/* ---- answers ---- */

static void answer_signature(struct auth_client *a, struct slice signature)
{
    struct msg_userauth_request m = auth_client_key_request(a);
    m.has_signature = true;
    m.signature = signature;
    auth_client_queue(a, &m);
    a->state = STATE_SIGNED;
}

static void answer_password(struct auth_client *a, const struct auth_client_answer *answer)
{
    struct msg_userauth_request m = auth_client_request(a, USERAUTH_PASSWORD);
    m.password = answer->text;
    m.changes_password = a->question == AUTH_CLIENT_CHANGE_PASSWORD;
    m.new_password = answer->new_password;
    auth_client_queue(a, &m);
    a->state = STATE_PASSWORD;
}

static void answer_info(struct auth_client *a, const struct slice *responses)
{
    size_t mark;
    struct writer w = queue_open(a, &mark);
    writer_u8(&w, SSH_MSG_USERAUTH_INFO_RESPONSE);
    writer_u32(&w, a->info_count);
    for (uint32_t i = 0; i < a->info_count; i++)
        writer_string(&w, responses[i]);
    queue_close(&w, mark);
    a->state = STATE_INTERACTIVE;
}

static void decline(struct auth_client *a)
{
    if (a->question == AUTH_CLIENT_SIGN || a->question == AUTH_CLIENT_LOAD_KEY)
        a->key++;
    else if (a->question == AUTH_CLIENT_INFO_REQUEST)
        a->exhausted |= 1U << USERAUTH_INTERACTIVE;
    else
        a->exhausted |= 1U << USERAUTH_PASSWORD;
    auth_client_proceed(a);
}

void auth_client_answer(struct auth_client *a, const struct auth_client_answer *answer)
{
    CHECK(a->state == STATE_ASKING);
    if (answer->is_declined) {
        decline(a);
    } else if (a->question == AUTH_CLIENT_SIGN) {
        answer_signature(a, answer->text);
    } else if (a->question == AUTH_CLIENT_INFO_REQUEST) {
        answer_info(a, answer->responses);
    } else if (a->question == AUTH_CLIENT_LOAD_KEY) {
        if (!auth_client_key_set(&a->keys[a->key], answer->key_type, answer->text))
            a->key++;
        auth_client_proceed(a);
    } else {
        answer_password(a, answer);
    }
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

/* The method whose request is out; OTHER: none is. */
static enum userauth_method method_out(const struct auth_client *a)
{
    switch (a->state) {
    case STATE_NONE:
        return USERAUTH_NONE;
    case STATE_QUERY:
    case STATE_SIGNED:
        return USERAUTH_PUBLICKEY;
    case STATE_PASSWORD:
        return USERAUTH_PASSWORD;
    case STATE_INTERACTIVE:
        return USERAUTH_INTERACTIVE;
    case STATE_NEW:
    case STATE_SERVICE:
    case STATE_ASKING:
    case STATE_DONE:
        break;
    }
    return USERAUTH_OTHER;
}

/* Whether what is out proves something, so that it may succeed in part. */
static bool is_proof(const struct auth_client *a)
{
    return a->state == STATE_SIGNED || a->state == STATE_PASSWORD || a->state == STATE_INTERACTIVE;
}

/* RFC 4252 5.1: right, and more is wanted: everything may be tried anew, but for keys. */
static void begin_step(struct auth_client *a)
{
    a->steps++;
    a->exhausted = 0;
    a->passwords = a->interactives = 0;
    a->has_seen_info = false;
}

static enum err on_failure(struct auth_client *a, struct slice payload)
{
    struct msg_userauth_failure m;
    enum userauth_method method = method_out(a);
    if (msg_userauth_failure_decode(payload, &m) != OK)
        return broken(a, ERR_FORMAT, malformed);
    if (method == USERAUTH_OTHER)
        return broken(a, ERR_PROTOCOL, out_of_order);
    if (a->steps >= STEPS_MAX)
        return broken(a, ERR_LIMIT, endless);
    buf_clear(&a->methods);
    if (buf_append_slice(&a->methods, m.methods) != OK)
        return broken(a, ERR_LIMIT, malformed);
    a->knows_methods = true;
    struct auth_client_event *event = auth_client_push(a, AUTH_CLIENT_REFUSED);
    event->method = method;
    event->methods = buf_slice(&a->methods);
    event->is_partial = m.partial_success && is_proof(a);
    if (event->is_partial)
        begin_step(a);
    else if (method != USERAUTH_NONE)
        a->failures++;
    if (method == USERAUTH_PUBLICKEY)
        event->key = a->key++;
    auth_client_proceed(a);
    return OK;
}

static enum err on_pk_ok(struct auth_client *a, struct slice payload)
{
    struct msg_userauth_pk_ok m;
    if (msg_userauth_pk_ok_decode(payload, &m) != OK)
        return broken(a, ERR_FORMAT, malformed);
    if (!slice_equal(m.key_blob, buf_slice(&a->keys[a->key].blob)))
        return broken(a, ERR_PROTOCOL, wrong_key);
    auth_client_ask_signature(a, false);
    return OK;
}

static enum err on_change(struct auth_client *a, struct slice payload)
{
    struct slice prompt;
    if (msg_userauth_change_decode(payload, &prompt) != OK)
        return broken(a, ERR_FORMAT, malformed);
    auth_client_ask(a, AUTH_CLIENT_CHANGE_PASSWORD)->data = prompt;
    return OK;
}

static enum err on_info_request(struct auth_client *a, struct slice payload)
{
    struct body_info_request body;
    enum err err = body_info_request_decode(slice_of(payload.ptr + 1, payload.len - 1), &body);
    if (err != OK)
        return broken(a, err == ERR_LIMIT ? ERR_LIMIT : ERR_FORMAT, malformed);
    if (++a->infos > INFOS_MAX)
        return broken(a, ERR_LIMIT, endless);
    a->has_seen_info = true;
    a->info_count = body.count;
    struct auth_client_event *event = auth_client_ask(a, AUTH_CLIENT_INFO_REQUEST);
    event->info = body;
    event->attempt = a->interactives;
    return OK;
}

/* Number 60 means what the method that is out makes of it. */
static enum err on_sixty(struct auth_client *a, struct slice payload)
{
    if (a->state == STATE_QUERY)
        return on_pk_ok(a, payload);
    if (a->state == STATE_PASSWORD)
        return on_change(a, payload);
    if (a->state == STATE_INTERACTIVE)
        return on_info_request(a, payload);
    return broken(a, ERR_PROTOCOL, out_of_order);
}

/* A server that lets in who has proven nothing and did not come as `none` is not to be trusted. */
static enum err on_success(struct auth_client *a, struct slice payload)
{
    if (msg_userauth_success_decode(payload) != OK)
        return broken(a, ERR_FORMAT, malformed);
    if (!is_proof(a) && a->state != STATE_NONE)
        return broken(a, ERR_PROTOCOL, out_of_order);
    struct auth_client_event *event = auth_client_push(a, AUTH_CLIENT_SUCCESS);
    event->method = method_out(a);
    event->key = a->state == STATE_SIGNED ? a->key : AUTH_CLIENT_NO_KEY;
    a->state = STATE_DONE;
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

static enum err on_banner(struct auth_client *a, struct slice payload)
{
    struct slice text;
    if (msg_userauth_banner_decode(payload, &text) != OK)
        return broken(a, ERR_FORMAT, malformed);
    auth_client_push(a, AUTH_CLIENT_BANNER)->data = text;
    return OK;
}

enum err auth_client_recv(struct auth_client *a, struct slice payload)
{
    CHECK(a->event_count == 0);
    switch (payload.ptr[0]) {
    case SSH_MSG_SERVICE_ACCEPT:
        return on_service_accept(a, payload);
    case SSH_MSG_USERAUTH_FAILURE:
        return on_failure(a, payload);
    case SSH_MSG_USERAUTH_SUCCESS:
        return on_success(a, payload);
    case SSH_MSG_USERAUTH_PK_OK:
        return on_sixty(a, payload);
    case SSH_MSG_USERAUTH_BANNER:
        return on_banner(a, payload);
    default:
        return broken(a, ERR_PROTOCOL, out_of_order);
    }
}
