/* Transport and auth_server, joined. */
#include "server/login.h"

#include "wire/numbers.h"

struct login {
    struct login_config config;
    struct transport *transport;
    struct auth_server *auth;         /* NULL before the first keys */
    struct auth_server_event pending; /* what the answer to WHO raised at once */
    bool is_done, has_ended;
};

struct login *login_new(const struct login_config *config, uint64_t now_ms)
{
    struct login *l = NEW(struct login);
    l->config = *config;
    l->transport = transport_new(config->transport, now_ms);
    transport_begin(l->transport);
    return l;
}

void login_free(struct login *l)
{
    if (!l)
        return;
    auth_server_free(l->auth);
    transport_free(l->transport);
    mem_free(l);
}

struct transport *login_transport(struct login *l)
{
    return l->transport;
}

const char *login_user(const struct login *l)
{
    return l->auth ? auth_server_user(l->auth) : "";
}

static void fail_by_auth(struct login *l)
{
    struct fault f = auth_server_fault(l->auth);
    transport_fail(l->transport, f.code, f.disconnect_reason, f.text);
}

/* What authentication has to say goes into packets as soon as the transport takes it. */
static void send_queued(struct login *l)
{
    struct slice payload;
    while (l->auth && transport_may_send(l->transport) &&
           auth_server_next_payload(l->auth, &payload)) {
        if (transport_send(l->transport, payload) != OK)
            return; /* the wire must take something first */
        auth_server_payload_taken(l->auth);
    }
}

static bool is_all_sent(const struct login *l)
{
    struct slice payload;
    return !auth_server_next_payload(l->auth, &payload);
}

static void on_secured(struct login *l)
{
    struct auth_server_config config = {.session_id = transport_session_id(l->transport),
                                        .host_key = transport_server_key(l->transport),
                                        .accepted = l->config.accepted,
                                        .max_tries = l->config.max_tries};
    if (!l->auth)
        l->auth = auth_server_new(&config);
}

/* True: event is one to tell. */
static bool on_payload(struct login *l, const struct transport_event *e, struct login_event *event)
{
    if (!l->auth || e->to != MESSAGE_TO_AUTH) {
        transport_fail(l->transport, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                       "message out of order before authentication (RFC 4252)");
        return false;
    }
    if (auth_server_recv(l->auth, e->text, &event->auth) != OK) {
        fail_by_auth(l);
        return false;
    }
    event->kind = event->auth.kind == AUTH_SERVER_NONE ? LOGIN_NONE : LOGIN_ASK;
    return event->kind == LOGIN_ASK;
}

/* True: event is one to tell; else the drain goes on. */
static bool take(struct login *l, const struct transport_event *e, struct login_event *event)
{
    event->text = e->text;
    switch (e->kind) {
    case TRANSPORT_PAYLOAD:
        return on_payload(l, e, event);
    case TRANSPORT_IDENT:
        event->kind = LOGIN_IDENT;
        return true;
    case TRANSPORT_NEED_SIGNATURE:
        event->kind = LOGIN_SIGN;
        return true;
    case TRANSPORT_SECURED:
        on_secured(l);
        return false;
    case TRANSPORT_DEBUG:
        event->kind = LOGIN_DEBUG;
        return true;
    case TRANSPORT_DISCONNECTED:
        event->by_peer = true;
        event->fault = (struct fault){ERR_EOF, e->reason, "disconnected by the client"};
        break;
    case TRANSPORT_FAILED:
        event->fault = transport_fault(l->transport);
        break;
    case TRANSPORT_EXT_INFO:
    case TRANSPORT_REKEYED:
    case TRANSPORT_BANNER:
    case TRANSPORT_SERVER_KEY:
    case TRANSPORT_FLUSH:
    case TRANSPORT_PONG:
    case TRANSPORT_NONE:
        return false;
    }
    event->kind = LOGIN_ENDED;
    l->has_ended = true;
    return true;
}

void login_next(struct login *l, struct login_event *event, uint64_t now_ms)
{
    struct transport_event e;
    do {
        *event = (struct login_event){.kind = LOGIN_NONE};
        send_queued(l);
        if (l->has_ended || l->is_done)
            return;
        if (l->pending.kind != AUTH_SERVER_NONE) {
            *event = (struct login_event){.kind = LOGIN_ASK, .auth = l->pending};
            l->pending = (struct auth_server_event){.kind = AUTH_SERVER_NONE};
            return;
        }
        if (l->auth && auth_server_is_asking(l->auth) && !transport_is_ended(l->transport))
            return;
        /* Nothing that follows SUCCESS is decrypted here. */
        if (l->auth && auth_server_is_done(l->auth)) {
            if (!is_all_sent(l))
                return;
            l->is_done = true;
            transport_set_authenticated(l->transport);
            event->kind = LOGIN_DONE;
            return;
        }
        transport_next(l->transport, &e, now_ms);
        if (take(l, &e, event))
            return;
    } while (e.kind != TRANSPORT_NONE);
}

void login_give_signature(struct login *l, struct slice signature, uint64_t now_ms)
{
    transport_give_signature(l->transport, signature, now_ms);
}

void login_answer_who(struct login *l, struct slice methods, struct slice banner)
{
    if (auth_server_answer_who(l->auth, methods, banner, &l->pending) != OK)
        fail_by_auth(l);
}

void login_answer(struct login *l, enum auth_verdict verdict, struct slice methods)
{
    if (auth_server_answer(l->auth, verdict, methods) != OK)
        fail_by_auth(l);
}

void login_prompt(struct login *l, struct slice body)
{
    if (auth_server_prompt(l->auth, body) != OK)
        fail_by_auth(l);
}
