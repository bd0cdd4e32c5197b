/* Further connections: dialled, logged in, lost, dialled again. */
#include "client/links.h"

#include "base/log.h"
#include "client/internal.h"
#include "wire/numbers.h"

#define PAUSE_MIN_MS 1000u
#define PAUSE_MAX_MS 60000u
#define STEADY_MS    60000u /* what lived so long was no failure: the pause begins anew */
#define PATIENCE_MS  60000u /* for a dial and its login, without ConnectTimeout */

/* One of them: idle, on its way, or up. */
struct further {
    struct links *all;
    unsigned number; /* as people count: the first link is 1 */
    struct way way;
    struct link *link;
    struct loop_turn end_turn; /* a link is not freed inside its own event */
    bool is_busy, is_up;
    uint64_t up_ms; /* when it came up */
};

struct links {
    struct client *client;
    struct further items[FORWARD_LINKS_MAX - 1];
    size_t count;
    struct further *coming; /* on its way; one at a time. NULL: none */
    struct loop_timer *pause, *patience;
    uint64_t pause_ms; /* the next */
    bool is_pausing;
    bool is_told;  /* that they fail to come; until one does */
    bool has_done; /* no more are made: the run ends, or they cannot be */
};

static void go_on(struct links *all);

static unsigned wanted(const struct client *c)
{
    return (unsigned)c->options->connections;
}

/* ---- words ---- */

static void tell_lost(const struct further *x, const struct link_event *e)
{
    const struct client *c = x->all->client;
    log_info("Connection %u of %u to %s was lost (%s): the streams on it are cut, the others go "
             "on.%s",
             x->number, wanted(c), c->options->host_name,
             e->by_peer ? ESCAPED(e->text) : e->fault.text,
             x->all->has_done ? "" : " It is dialled again.");
}

/* Once until one comes: a server that is away would fill the screen. */
static void tell_failed(const struct further *x, const char *why)
{
    struct links *all = x->all;
    const struct client *c = all->client;
    if (c->ending)
        return;
    log_write(all->is_told ? LOG_VERBOSE : LOG_INFO,
              "Connection %u of %u to %s did not come about (%s); it is tried again.", x->number,
              wanted(c), c->options->host_name, why);
    all->is_told = true;
}

/* What the login was done with is not needed any more. */
static void make_no_more(struct links *all)
{
    all->has_done = true;
    loop_timer_stop(all->pause);
    loop_timer_stop(all->patience);
    login_forget(all->client);
}

/* ---- the end of one, or of a try ---- */

static void pause_first(struct links *all)
{
    if (all->is_pausing || all->has_done)
        return;
    all->is_pausing = true;
    loop_timer_start(all->pause, all->pause_ms);
    all->pause_ms = MIN(2 * all->pause_ms, (uint64_t)PAUSE_MAX_MS);
}

static void on_pause_over(void *owner)
{
    struct links *all = owner;
    all->is_pausing = false;
    go_on(all);
}

static void come_to_nothing(struct further *x)
{
    struct links *all = x->all;
    way_end(&x->way);
    x->is_busy = x->is_up = false;
    if (all->coming == x)
        all->coming = NULL;
    if (!all->coming)
        loop_timer_stop(all->patience);
    pause_first(all);
}

static void on_end_turn(void *owner)
{
    struct further *x = owner;
    link_free(x->link);
    x->link = NULL;
    come_to_nothing(x);
}

static void on_down(struct further *x, const struct link_event *e)
{
    struct links *all = x->all;
    struct client *c = all->client;
    forward_set_drop_link(&c->forwards, x->link);
    if (x->is_up && loop_now(c->loop) - x->up_ms >= STEADY_MS)
        all->pause_ms = PAUSE_MIN_MS;
    if (!c->ending && x->is_up)
        tell_lost(x, e);
    else if (!all->has_done)
        tell_failed(x, e->by_peer ? ESCAPED(e->text) : e->fault.text);
    x->is_up = false;
    x->end_turn = (struct loop_turn){.callback = on_end_turn, .owner = x};
    loop_turn_request(c->loop, &x->end_turn);
    client_look_for_end(c);
}

/* ---- what happens on one ---- */

/* The first was trusted by known hosts or by a person. This one must be the same machine. */
static void on_server_key(struct further *x, struct slice blob)
{
    const struct client *c = x->all->client;
    bool is_same = slice_equal(blob, transport_server_key(link_transport(c->link)));
    if (!is_same) {
        log_error("Connection %u of %u to %s shows another host key than the first: it is refused, "
                  "and no more are made. Somebody may stand in between, or several machines "
                  "answer at that address.",
                  x->number, wanted(c), c->options->host_name);
        make_no_more(x->all);
    }
    link_trust(x->link, is_same);
}

static void on_auth(struct further *x, const struct auth_client_event *e)
{
    struct client *c = x->all->client;
    unsigned up = 0;
    if (e->kind != AUTH_CLIENT_FAILED) {
        login_again_event(c, x->link, e);
        return;
    }
    for (unsigned i = 0; i < wanted(c); i++)
        up += links_at(c, i) != NULL;
    log_info("Connection %u of %u to %s: the server wants a login that a person has to answer "
             "(%s); no more are made, the tunnel goes on with %u.",
             x->number, wanted(c), c->options->host_name, ESCAPED(e->methods), up);
    make_no_more(x->all);
}

static void on_up(struct further *x)
{
    struct links *all = x->all;
    struct client *c = all->client;
    log_verbose("Connection %u of %u to %s is up.", x->number, wanted(c), c->options->host_name);
    x->is_up = true;
    x->up_ms = loop_now(c->loop);
    all->coming = NULL;
    all->is_told = false;
    loop_timer_stop(all->patience);
    forward_set_add_link(&c->forwards, x->link);
    go_on(all);
}

static void on_open(struct further *x, const struct link_event *e)
{
    if (slice_is(e->name, "forwarded-tcpip"))
        forward_set_open(&x->all->client->forwards, x->link, e);
    else
        link_refuse(x->link, e->channel, SSH_OPEN_UNKNOWN_CHANNEL_TYPE,
                    "this connection takes forwarded connections only");
}

static void on_link(void *owner, const struct link_event *e)
{
    struct further *x = owner;
    struct client *c = x->all->client;
    switch (e->kind) {
    case LINK_SERVER_KEY:
        on_server_key(x, e->text);
        break;
    case LINK_SECURED:
        login_again_start(c, x->link);
        break;
    case LINK_AUTH:
        on_auth(x, e->auth_client);
        break;
    case LINK_UP:
        on_up(x);
        break;
    case LINK_REKEYED:
        log_debug("connection %u: rekeyed", x->number);
        break;
    case LINK_GLOBAL_REQUEST:
        if (e->want_reply)
            link_reply(x->link, e->request, false, SLICE_NONE);
        break;
    case LINK_OPEN_REQUEST:
        on_open(x, e);
        break;
    case LINK_NO_CHANNELS:
        client_look_for_end(c);
        break;
    case LINK_DEBUG:
        tell_debug(e);
        break;
    case LINK_DOWN:
        on_down(x, e);
        break;
    case LINK_GLOBAL_REPLY:
        forward_set_joined(&c->forwards, e);
        break;
    case LINK_IDENT:
    case LINK_STRAY_LINE:
    case LINK_BANNER: /* it was shown once */
    case LINK_NEED_SIGNATURE:
        break;
    }
}

/* ---- getting there ---- */

static void on_way(void *owner, const struct way_result *result)
{
    struct further *x = owner;
    if (result->read_fd >= 0) {
        x->link = client_new_link(x->all->client, result->read_fd, result->write_fd, on_link, x);
        return;
    }
    tell_failed(x, result->failed ? dial_reason(result->failed) : "no way to it");
    come_to_nothing(x);
}

static void on_impatient(void *owner)
{
    struct links *all = owner;
    struct further *x = all->coming;
    if (!x)
        return;
    if (x->link) {
        link_fail(x->link, ERR_TIMEOUT, SSH_DISCONNECT_NONE, "no login in time");
        return;
    }
    tell_failed(x, "nothing answers");
    come_to_nothing(x);
}

/* To the address that the first reached, so that a name with several means one machine. */
static void begin(struct further *x)
{
    struct links *all = x->all;
    struct client *c = all->client;
    uint64_t own = (uint64_t)c->options->connect_timeout_s * MS_PER_S;
    x->is_busy = true;
    all->coming = x;
    loop_timer_start(all->patience, own ? own : PATIENCE_MS);
    x->way = (struct way){.loop = c->loop,
                          .args = c->request->args,
                          .options = c->options,
                          .host = c->address ? c->address : c->options->host_name,
                          .asks_nobody = true,
                          .done = on_way,
                          .owner = x};
    way_begin(&x->way);
}

static void go_on(struct links *all)
{
    if (all->coming || all->is_pausing || all->has_done || all->client->ending)
        return;
    for (size_t i = 0; i < all->count; i++) {
        if (!all->items[i].is_busy) {
            begin(&all->items[i]);
            return;
        }
    }
}

/* ---- all of them ---- */

static bool may_spread(const struct forward *f)
{
    return forward_spec_is_remote(&f->spec) ? forward_may_join(f) : f->state == FORWARD_ACTIVE;
}

/* A command or a shell alone is one channel: nothing is dialled for it. */
static bool is_of_use(const struct client *c)
{
    LIST_FOR (f, &c->forwards.forwards, struct forward, item) {
        if (may_spread(f))
            return true;
    }
    return false;
}

static struct links *make(struct client *c)
{
    struct links *all = NEW(struct links);
    all->client = c;
    all->pause_ms = PAUSE_MIN_MS;
    all->pause = loop_timer_new(c->loop, on_pause_over, all);
    all->patience = loop_timer_new(c->loop, on_impatient, all);
    all->count = MIN((size_t)wanted(c) - 1, ARRAY_LEN(all->items));
    for (size_t i = 0; i < all->count; i++)
        all->items[i] = (struct further){.all = all, .number = (unsigned)i + 2};
    return all;
}

void links_forward_changed(struct client *c, const struct forward *f)
{
    bool is_up = forward_spec_is_remote(&f->spec) && f->state == FORWARD_ACTIVE;
    char *listen CLEANUP(mem_cleanup) = forward_describe_listen(f);
    if (is_up && wanted(c) > 1 && !forward_may_join(f))
        log_verbose("remote %s stays on the first connection: %s", listen,
                    f->spec.listen.path ? "sockets are not shared"
                                        : "the server does not know tcpip-forward-join@adit");
    links_look(c);
}

static bool may_be(const struct client *c)
{
    return wanted(c) > 1 && c->request->proxy_fd < 0 && !c->ending && c->link &&
           link_is_up(c->link);
}

void links_look(struct client *c)
{
    if (may_be(c) && (c->links || is_of_use(c)))
        links_want(c);
}

void links_want(struct client *c)
{
    if (!may_be(c))
        return;
    if (!c->links)
        c->links = make(c);
    go_on(c->links);
}

void links_leave(struct client *c)
{
    if (!c->links)
        return;
    make_no_more(c->links);
    for (size_t i = 0; i < c->links->count; i++) {
        struct further *x = &c->links->items[i];
        if (x->link)
            link_disconnect(x->link, "disconnected by user");
    }
}

void links_done(struct client *c)
{
    if (!c->links)
        return;
    for (size_t i = 0; i < c->links->count; i++) {
        struct further *x = &c->links->items[i];
        loop_turn_cancel(&x->end_turn);
        if (x->link)
            forward_set_drop_link(&c->forwards, x->link);
        link_free(x->link);
        way_end(&x->way);
    }
    loop_timer_close(c->links->pause);
    loop_timer_close(c->links->patience);
    mem_free(c->links);
    c->links = NULL;
}

struct link *links_at(const struct client *c, unsigned i)
{
    if (i == 0)
        return c->link;
    if (!c->links || i > c->links->count || !c->links->items[i - 1].is_up)
        return NULL;
    return c->links->items[i - 1].link;
}

uint32_t links_channels(const struct client *c)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < wanted(c); i++) {
        struct link *l = links_at(c, i);
        count += l ? conn_channel_count(link_conn(l)) : 0;
    }
    return count;
}

void links_rekey(struct client *c)
{
    for (unsigned i = 0; i < wanted(c); i++) {
        struct link *l = links_at(c, i);
        if (!l)
            continue;
        transport_rekey(link_transport(l), loop_now(c->loop));
        link_touch(l);
    }
}
