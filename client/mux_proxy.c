/* A shared connection's client that speaks for itself. */
#include "client/mux_proxy.h"

#include "base/log.h"
#include "client/internal.h"
#include "tunnel/relay.h"
#include "wire/msg_conn.h"
#include "wire/numbers.h"

#define LISTENS_MAX 256
#define ASKED_MAX   256
#define TEXT_MAX    4096
/* Cookies of ours in the connection's; forward_set counts from 1. */
#define COOKIE (1ull << 62)

/* Where the server listens for it: an address and a port, or a path. */
struct listening {
    char *text;
    uint32_t port;
    bool is_path;
};

/* A global request that is with the server. */
struct asked {
    uint64_t cookie, request;
    bool has_request;       /* it wants to know */
    struct listening place; /* of a listener that is asked for; text NULL: none */
};

struct mux_proxy {
    struct client *client;
    struct link *link;
    struct transport_config transport;
    mux_proxy_ended *ended;
    void *owner;
    struct listening listens[LISTENS_MAX];
    size_t listen_count;
    struct asked asked[ASKED_MAX];
    size_t asked_count;
    struct list relays;
};

/* ---- listeners ---- */

/* The body of tcpip-forward and of streamlocal-forward@openssh.com. False: neither. */
static bool place_of(struct slice name, struct slice body, struct listening *out)
{
    struct body_tcpip_forward tcp;
    struct slice path;
    bool is_tcp = slice_is(name, "tcpip-forward") || slice_is(name, "cancel-tcpip-forward");
    *out = (struct listening){0};
    if (is_tcp && body_tcpip_forward_decode(body, &tcp) == OK) {
        *out = (struct listening){slice_strdup(tcp.address), tcp.port, false};
    } else if (!is_tcp && body_streamlocal_forward_decode(body, &path) == OK) {
        *out = (struct listening){slice_strdup(path), 0, true};
    }
    return out->text != NULL;
}

static struct listening *find_place(struct mux_proxy *p, const struct listening *like)
{
    for (size_t i = 0; i < p->listen_count; i++) {
        struct listening *at = &p->listens[i];
        if (at->is_path == like->is_path && at->port == like->port &&
            strcmp(at->text, like->text) == 0)
            return at;
    }
    return NULL;
}

static void forget_place(struct mux_proxy *p, struct listening *at)
{
    mem_free(at->text);
    *at = p->listens[--p->listen_count];
}

/* What the server may say goes up unchanged; nothing that would change the connection for others.
 */
static void on_global_request(struct mux_proxy *p, const struct link_event *e)
{
    static const char *const known[] = {"tcpip-forward", "cancel-tcpip-forward",
                                        "streamlocal-forward@openssh.com",
                                        "cancel-streamlocal-forward@openssh.com"};
    struct client *c = p->client;
    struct listening place = {0};
    size_t i = 0;
    while (i < ARRAY_LEN(known) && !slice_is(e->name, known[i]))
        i++;
    bool is_taken = i < ARRAY_LEN(known) && p->asked_count < ASKED_MAX &&
                    p->listen_count + p->asked_count < LISTENS_MAX &&
                    place_of(e->name, e->body, &place) && link_is_up(c->link) &&
                    conn_may_pass_on(link_conn(c->link), e->body.len);
    if (!is_taken) {
        mem_free(place.text);
        if (e->want_reply)
            link_reply(p->link, e->request, false, SLICE_NONE);
        return;
    }
    bool is_cancel = i % 2 != 0;
    struct listening *at = is_cancel ? find_place(p, &place) : NULL;
    if (at)
        forget_place(p, at);
    if (is_cancel) {
        mem_free(place.text);
        place.text = NULL;
    }
    struct asked *asked = &p->asked[p->asked_count++];
    *asked = (struct asked){COOKIE | c->next_proxy_cookie++, e->request, e->want_reply, place};
    link_global_request(c->link, known[i], true, e->body, asked->cookie);
}

bool mux_proxy_reply(struct mux_proxy *p, const struct link_event *e)
{
    size_t i = 0;
    while (i < p->asked_count && p->asked[i].cookie != e->cookie)
        i++;
    if (i == p->asked_count)
        return false;
    struct asked asked = p->asked[i];
    p->asked[i] = p->asked[--p->asked_count];
    uint32_t port;
    if (asked.place.text && e->success) {
        if (asked.place.port == 0 && !asked.place.is_path &&
            body_allocated_port_decode(e->body, &port) == OK)
            asked.place.port = port;
        p->listens[p->listen_count++] = asked.place;
    } else {
        mem_free(asked.place.text);
    }
    if (asked.has_request)
        link_reply(p->link, asked.request, e->success, e->body);
    return true;
}

bool mux_proxy_takes(struct mux_proxy *p, const struct link_event *e)
{
    struct body_tcpip_open open;
    struct slice path;
    struct listening like = {0};
    if (slice_is(e->name, "forwarded-tcpip") && body_tcpip_open_decode(e->body, &open) == OK)
        like = (struct listening){slice_strdup(open.address), open.port, false};
    else if (slice_is(e->name, "forwarded-streamlocal@openssh.com") &&
             body_forwarded_streamlocal_decode(e->body, &path) == OK)
        like = (struct listening){slice_strdup(path), 0, true};
    bool is_ours = like.text && find_place(p, &like);
    mem_free(like.text);
    if (is_ours)
        relay_open(p->client->link, e->channel, p->link, e->name, e->body, &p->relays);
    return is_ours;
}

/* ---- the client's link ---- */

static void on_link(void *owner, const struct link_event *e)
{
    struct mux_proxy *p = owner;
    switch (e->kind) {
    case LINK_OPEN_REQUEST:
        if (link_is_up(p->client->link))
            relay_open(p->link, e->channel, p->client->link, e->name, e->body, &p->relays);
        else
            link_refuse(p->link, e->channel, SSH_OPEN_CONNECT_FAILED, "the connection is down");
        break;
    case LINK_GLOBAL_REQUEST:
        on_global_request(p, e);
        break;
    case LINK_DOWN:
        log_debug("shared connection: a proxy client has gone: %s",
                  e->fault.text ? e->fault.text : "");
        p->ended(p->owner);
        break;
    case LINK_IDENT:
    case LINK_STRAY_LINE:
    case LINK_BANNER:
    case LINK_SERVER_KEY:
    case LINK_NEED_SIGNATURE:
    case LINK_SECURED:
    case LINK_AUTH:
    case LINK_UP:
    case LINK_REKEYED:
    case LINK_GLOBAL_REPLY:
    case LINK_NO_CHANNELS:
    case LINK_DEBUG:
        break;
    }
}

struct mux_proxy *mux_proxy_new(struct client *c, int fd, mux_proxy_ended *ended, void *owner)
{
    struct mux_proxy *p = NEW(struct mux_proxy);
    p->client = c;
    list_init(&p->relays);
    p->ended = ended;
    p->owner = owner;
    p->transport = (struct transport_config){
        .role = TRANSPORT_SERVER, .crypto = c->crypto, .rng = c->rng, .ident = c->transport.ident};
    struct link_config config = {
        .loop = c->loop,
        .transport = &p->transport,
        .adopted = transport_new_bare(&p->transport, loop_now(c->loop)),
        .event = on_link,
        .owner = p,
        .window = client_window(c),
    };
    p->link = link_new(&config, stream_new(c->loop, fd, fd, 0, NULL, NULL));
    return p;
}

void mux_proxy_free(struct mux_proxy *p)
{
    if (!p)
        return;
    relay_end_all(&p->relays);
    link_free(p->link);
    for (size_t i = 0; i < p->listen_count; i++)
        mem_free(p->listens[i].text);
    for (size_t i = 0; i < p->asked_count; i++)
        mem_free(p->asked[i].place.text);
    mem_free(p);
}
