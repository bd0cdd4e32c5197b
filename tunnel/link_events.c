/* What comes in on a link: the machines' events, passed on to the owner and to channels' users. */
#include "tunnel/link_internal.h"
#include "wire/numbers.h"

static void fail_by(struct link *l, struct fault fault)
{
    link_fail(l, fault.code, fault.disconnect_reason, fault.text);
}

static void auth_client_event(struct link *l, const struct auth_client_event *e)
{
    struct link_event event = {.kind = LINK_AUTH, .auth_client = e};
    l->asking = auth_client_is_question(e->kind);
    if (e->kind == AUTH_CLIENT_BANNER) {
        event.kind = LINK_BANNER;
        event.text = e->data;
    }
    link_tell(l, event);
    if (e->kind == AUTH_CLIENT_FAILED)
        link_fail(l, ERR_DENIED, SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE,
                  "Permission denied");
    else if (e->kind == AUTH_CLIENT_SUCCESS)
        link_go_up(l);
}

/* Answers given meanwhile are found by the same loop. */
void link_serve_auth_client(struct link *l)
{
    struct auth_client_event event;
    while (l->auth_client && !l->asking && !l->dead) {
        auth_client_next(l->auth_client, &event);
        if (event.kind == AUTH_CLIENT_NONE)
            break;
        auth_client_event(l, &event);
    }
}

static void on_auth_payload(struct link *l, struct slice payload)
{
    if (!l->auth_client) {
        link_fail(l, ERR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                  "authentication message out of order (RFC 4252)");
        return;
    }
    if (auth_client_recv(l->auth_client, payload) != OK)
        fail_by(l, auth_client_fault(l->auth_client));
    else
        link_serve_auth_client(l);
}

static void channel_event(struct link *l, const struct conn_event *e)
{
    struct channel_user *u = channel_user(e->channel);
    if (!u)
        return;
    const struct channel_ops *ops = u->ops;
    switch (e->kind) {
    case CONN_OPENED:
        if (ops->opened)
            ops->opened(u);
        break;
    case CONN_OPEN_FAILED:
        if (ops->open_failed)
            ops->open_failed(u, e->reason, e->body);
        break;
    case CONN_DATA:
        if (ops->data)
            ops->data(u, e->body);
        else
            channel_consumed(e->channel, e->body.len);
        break;
    case CONN_EXTENDED_DATA:
        if (ops->extended_data)
            ops->extended_data(u, e->reason, e->body);
        else
            channel_consumed(e->channel, e->body.len);
        break;
    case CONN_WINDOW:
        if (u->is_starved)
            link_user_wants_turn(u);
        break;
    case CONN_EOF:
        if (ops->eof)
            ops->eof(u);
        break;
    case CONN_CLOSED:
        if (ops->closed)
            ops->closed(u);
        break;
    case CONN_CHANNEL_REQUEST: {
        if (ops->request_later) {
            ops->request_later(u, e->name, e->body, e->want_reply);
            break;
        }
        bool success = ops->request && ops->request(u, e->name, e->body);
        if (e->want_reply && u->channel)
            channel_reply(u->channel, success);
        break;
    }
    case CONN_CHANNEL_REPLY:
        if (ops->reply)
            ops->reply(u, e->success);
        break;
    case CONN_NONE:
    case CONN_GLOBAL_REQUEST:
    case CONN_GLOBAL_REPLY:
    case CONN_OPEN_REQUEST:
        break;
    }
    link_touch(l);
}

static void on_conn_payload(struct link *l, struct slice payload)
{
    struct conn_event e;
    if (conn_recv(l->conn, payload, &e) != OK) {
        fail_by(l, conn_fault(l->conn));
        return;
    }
    struct link_event event = {.name = e.name,
                               .body = e.body,
                               .want_reply = e.want_reply,
                               .success = e.success,
                               .request = e.request,
                               .cookie = e.cookie,
                               .channel = e.channel};
    switch (e.kind) {
    case CONN_GLOBAL_REQUEST:
        event.kind = LINK_GLOBAL_REQUEST;
        link_tell(l, event);
        break;
    case CONN_GLOBAL_REPLY:
        if (e.cookie == COOKIE_KEEPALIVE)
            break; /* that it came is all it says */
        if (e.cookie == COOKIE_MEASURE) {
            link_on_round_trip(l);
            break;
        }
        event.kind = LINK_GLOBAL_REPLY;
        link_tell(l, event);
        break;
    case CONN_OPEN_REQUEST:
        event.kind = LINK_OPEN_REQUEST;
        round_trip_want(&l->round_trip, loop_now_us());
        link_tell(l, event);
        break;
    case CONN_NONE:
        break;
    case CONN_OPENED:
    case CONN_OPEN_FAILED:
    case CONN_DATA:
    case CONN_EXTENDED_DATA:
    case CONN_WINDOW:
    case CONN_EOF:
    case CONN_CLOSED:
    case CONN_CHANNEL_REQUEST:
    case CONN_CHANNEL_REPLY:
        channel_event(l, &e);
        break;
    }
    link_touch(l);
}

static void on_disconnected(struct link *l, const struct transport_event *e)
{
    l->by_peer = true;
    l->peer_text = slice_strdup(e->text);
    link_die(l, (struct fault){ERR_EOF, e->reason, link_closed_by_peer});
}

static void flush_gathered(struct link *l)
{
    while (!list_is_empty(&l->gathering)) {
        struct channel_user *u =
            container_of(list_take_first(&l->gathering), struct channel_user, gathering);
        u->ops->flush(u);
    }
}

/* What the owner hears as it came. */
static void pass_on(struct link *l, const struct transport_event *e, enum link_event_kind kind)
{
    link_tell(
        l, (struct link_event){.kind = kind, .text = e->text, .always_display = e->always_display});
}

static void on_ext_info(struct link *l)
{
    const struct transport_peer_info *info = transport_peer_ext_info(l->transport);
    if (l->auth_client)
        auth_client_set_extensions(l->auth_client, info->has_server_sig_algs, info->server_sig_algs,
                                   info->publickey_hostbound);
}

static void serve(struct link *l, const struct transport_event *e)
{
    switch (e->kind) {
    case TRANSPORT_PAYLOAD:
        if (e->to == MESSAGE_TO_AUTH)
            on_auth_payload(l, e->text);
        else
            on_conn_payload(l, e->text);
        break;
    case TRANSPORT_BANNER:
        pass_on(l, e, LINK_STRAY_LINE);
        break;
    case TRANSPORT_IDENT:
        pass_on(l, e, LINK_IDENT);
        break;
    case TRANSPORT_SERVER_KEY:
        pass_on(l, e, LINK_SERVER_KEY);
        break;
    case TRANSPORT_NEED_SIGNATURE:
        pass_on(l, e, LINK_NEED_SIGNATURE);
        break;
    case TRANSPORT_SECURED:
        pass_on(l, e, LINK_SECURED);
        break;
    case TRANSPORT_EXT_INFO:
        on_ext_info(l);
        break;
    case TRANSPORT_REKEYED:
        pass_on(l, e, LINK_REKEYED);
        break;
    case TRANSPORT_DEBUG:
        pass_on(l, e, LINK_DEBUG);
        break;
    case TRANSPORT_DISCONNECTED:
        on_disconnected(l, e);
        break;
    case TRANSPORT_FAILED:
        link_die(l, transport_fault(l->transport));
        break;
    case TRANSPORT_FLUSH:
        flush_gathered(l);
        break;
    case TRANSPORT_PONG:
        link_on_round_trip(l);
        break;
    case TRANSPORT_NONE:
        break;
    }
}

/* Drains the events of what was read. Answers given meanwhile are found by the same drain. */
void link_serve_input(struct link *l)
{
    struct transport_event event;
    if (l->serving)
        return;
    l->serving = true;
    link_tell_time(l);
    do {
        if (l->asking || l->dead)
            break;
        transport_next(l->transport, &event, loop_now(l->loop));
        serve(l, &event);
    } while (event.kind != TRANSPORT_NONE);
    link_serve_auth_client(l); /* the first request: all that came with NEWKEYS is known now */
    flush_gathered(l);
    l->serving = false;
    if (!l->dead)
        stream_reading(l->stream, !l->asking);
    link_touch(l);
}
