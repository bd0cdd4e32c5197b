/* The client's side of authentication. */
#include "auth/auth_client.h"

#include "auth/auth_blob.h"
#include "crypto/cert.h"
#include "crypto/legacy.h"
#include "wire/msg_transport.h"
#include "wire/namelist.h"
#include "wire/numbers.h"

#define SERVICE      "ssh-connection"
#define OUT_MAX      (512 * 1024)
#define KEY_BLOB_MAX 65536
#define EVENTS_MAX   8
/* A server counts to six by default (sshd_config(5), MaxAuthTries): behind the fifth there is one
 * try left. */
#define TRIES_SPARED 5
/* No server has so many; one that goes on and on is not to keep us for ever. */
#define STEPS_MAX 32
#define INFOS_MAX 256

static const char malformed[] = "malformed authentication message (RFC 4252)";
static const char out_of_order[] = "authentication message out of order (RFC 4252)";
static const char wrong_key[] = "the server accepted a key that was not offered (RFC 4252 7)";
static const char endless[] = "the server's authentication has no end";

enum client_state {
    STATE_NEW,
    STATE_SERVICE,     /* the service was asked for; the first request is due */
    STATE_ASKING,      /* a question is out */
    STATE_NONE,        /* the request `none` is out */
    STATE_QUERY,       /* a key's query is out */
    STATE_SIGNED,      /* a signed request is out */
    STATE_PASSWORD,    /* a password is out */
    STATE_INTERACTIVE, /* a request or response of keyboard-interactive is out */
    STATE_DONE,
};

struct client_key {
    struct buf blob;
    char *type; /* NULL: not loaded yet */
    bool is_spare, is_at_hand;
    const char *algorithm; /* chosen when it is tried */
    const struct algo_sign *sign;
    bool hostbound; /* chosen when it signs */
};

struct auth_client {
    struct auth_client_config config;
    enum client_state state;
    enum auth_client_event_kind question; /* STATE_ASKING: which */
    struct client_key keys[AUTH_CLIENT_KEYS_MAX];
    size_t key_count;
    size_t key;         /* being tried; key_count: none left */
    unsigned exhausted; /* bits of enum userauth_method */
    unsigned passwords, interactives, infos, failures, steps;
    uint32_t info_count;
    bool has_seen_info; /* of the keyboard-interactive attempt that runs */
    bool asked_none, knows_methods;
    bool knows_extensions, has_sig_algs, hostbound, service_accepted;
    char *sig_algs;
    struct buf out;     /* u32 length + payload, again and again */
    struct buf blob;    /* what is to be signed */
    struct buf methods; /* what the server would take */
    struct auth_client_event events[EVENTS_MAX];
    size_t event_first, event_count;
    struct fault fault;
};

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

static bool key_set(struct client_key *k, const char *type, struct slice blob)
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
    if (key->type && (!key_set(k, key->type, key->blob) || !choose(a, k))) {
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

/* ---- events ---- */

static struct auth_client_event *push(struct auth_client *a, enum auth_client_event_kind kind)
{
    CHECK(a->event_count < EVENTS_MAX);
    size_t at = (a->event_first + a->event_count++) % EVENTS_MAX;
    a->events[at] = (struct auth_client_event){.kind = kind, .key = AUTH_CLIENT_NO_KEY};
    return &a->events[at];
}

static struct auth_client_event *ask(struct auth_client *a, enum auth_client_event_kind kind)
{
    a->state = STATE_ASKING;
    a->question = kind;
    return push(a, kind);
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

static void queue_request(struct auth_client *a, const struct msg_userauth_request *m)
{
    size_t mark;
    struct writer w = queue_open(a, &mark);
    msg_userauth_request_encode(&w, m);
    queue_close(&w, mark);
}

static struct msg_userauth_request request_of(const struct auth_client *a,
                                              enum userauth_method method)
{
    return (struct msg_userauth_request){
        .user = slice_text(a->config.user), .service = slice_text(SERVICE), .method = method};
}

static struct msg_userauth_request key_request(const struct auth_client *a)
{
    const struct client_key *k = &a->keys[a->key];
    struct msg_userauth_request m =
        request_of(a, k->hostbound ? USERAUTH_PUBLICKEY_HOSTBOUND : USERAUTH_PUBLICKEY);
    m.algorithm = slice_text(k->algorithm);
    m.key_blob = buf_slice(&k->blob);
    m.host_key = a->config.server_key;
    return m;
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
static void ask_signature(struct auth_client *a, bool is_unasked)
{
    struct client_key *k = &a->keys[a->key];
    k->hostbound = a->hostbound;
    struct msg_userauth_request request = key_request(a);
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
    struct auth_client_event *event = ask(a, AUTH_CLIENT_SIGN);
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
            ask(a, AUTH_CLIENT_LOAD_KEY)->key = a->key;
            return true;
        }
        if (!choose(a, k))
            continue;
        push(a, AUTH_CLIENT_OFFER)->key = a->key;
        if (k->is_at_hand && a->key_count == 1 && a->knows_extensions) {
            ask_signature(a, true);
            return true;
        }
        k->hostbound = false; /* as OpenSSH asks: only what is signed is bound */
        struct msg_userauth_request query = key_request(a);
        queue_request(a, &query);
        a->state = STATE_QUERY;
        return true;
    }
    return false;
}

static bool try_password(struct auth_client *a)
{
    if (a->passwords >= a->config.prompts)
        return false;
    ask(a, AUTH_CLIENT_PASSWORD)->attempt = ++a->passwords;
    return true;
}

/* A server that refuses without a single prompt will do so again. */
static bool try_interactive(struct auth_client *a)
{
    if (a->interactives >= a->config.prompts || (a->interactives && !a->has_seen_info))
        return false;
    a->interactives++;
    a->has_seen_info = false;
    struct msg_userauth_request m = request_of(a, USERAUTH_INTERACTIVE);
    m.submethods = slice_text(a->config.devices ? a->config.devices : "");
    queue_request(a, &m);
    a->state = STATE_INTERACTIVE;
    return true;
}

/* Tells which methods the server takes, and lets in whom it lets in without any. */
static bool try_none(struct auth_client *a)
{
    if (a->asked_none)
        return false;
    a->asked_none = true;
    struct msg_userauth_request m = request_of(a, USERAUTH_NONE);
    queue_request(a, &m);
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

static void proceed(struct auth_client *a)
{
    enum userauth_method method;
    while (pick(a, &method)) {
        if (try_method(a, method))
            return;
        a->exhausted |= 1U << method;
    }
    a->state = STATE_DONE;
    push(a, AUTH_CLIENT_FAILED)->methods = buf_slice(&a->methods);
}

/*
 * Whether the first request can be made. An RSA key's depends on what the server can verify: an
 * EXT_INFO is behind NEWKEYS or does not come, so with SERVICE_ACCEPT it is known.
 */
static bool may_start(const struct auth_client *a)
{
    if (a->knows_extensions || a->service_accepted)
        return true;
    return a->key_count == 0 || !a->keys[0].type || strncmp(a->keys[0].type, "ssh-rsa", 7) != 0;
}

void auth_client_next(struct auth_client *a, struct auth_client_event *event)
{
    if (a->state == STATE_SERVICE && may_start(a))
        proceed(a);
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
    struct msg_userauth_request m = key_request(a);
    m.has_signature = true;
    m.signature = signature;
    queue_request(a, &m);
    a->state = STATE_SIGNED;
}

static void answer_password(struct auth_client *a, const struct auth_client_answer *answer)
{
    struct msg_userauth_request m = request_of(a, USERAUTH_PASSWORD);
    m.password = answer->text;
    m.changes_password = a->question == AUTH_CLIENT_CHANGE_PASSWORD;
    m.new_password = answer->new_password;
    queue_request(a, &m);
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
    proceed(a);
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
        if (!key_set(&a->keys[a->key], answer->key_type, answer->text))
            a->key++;
        proceed(a);
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
    struct auth_client_event *event = push(a, AUTH_CLIENT_REFUSED);
    event->method = method;
    event->methods = buf_slice(&a->methods);
    event->is_partial = m.partial_success && is_proof(a);
    if (event->is_partial)
        begin_step(a);
    else if (method != USERAUTH_NONE)
        a->failures++;
    if (method == USERAUTH_PUBLICKEY)
        event->key = a->key++;
    proceed(a);
    return OK;
}

static enum err on_pk_ok(struct auth_client *a, struct slice payload)
{
    struct msg_userauth_pk_ok m;
    if (msg_userauth_pk_ok_decode(payload, &m) != OK)
        return broken(a, ERR_FORMAT, malformed);
    if (!slice_equal(m.key_blob, buf_slice(&a->keys[a->key].blob)))
        return broken(a, ERR_PROTOCOL, wrong_key);
    ask_signature(a, false);
    return OK;
}

static enum err on_change(struct auth_client *a, struct slice payload)
{
    struct slice prompt;
    if (msg_userauth_change_decode(payload, &prompt) != OK)
        return broken(a, ERR_FORMAT, malformed);
    ask(a, AUTH_CLIENT_CHANGE_PASSWORD)->data = prompt;
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
    struct auth_client_event *event = ask(a, AUTH_CLIENT_INFO_REQUEST);
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
    struct auth_client_event *event = push(a, AUTH_CLIENT_SUCCESS);
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
    push(a, AUTH_CLIENT_BANNER)->data = text;
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
