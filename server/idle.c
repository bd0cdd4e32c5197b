/* Channels on which nothing moves, and connections without channels. */
#include "server/idle.h"

#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/match.h"

#define LOOK_MS 500
#define GLOBAL  "global" /* the timeout of all channels together */

struct idle {
    struct link *link;
    const struct server_options *options;
    struct loop_timer *timer;
    uint64_t unused_from_ms; /* CLOCK_NEVER: a channel was there */
};

/* The first TYPE=TIME that fits; 0: none. is_global asks for the one of all channels. */
static uint64_t timeout_ms(const struct string_list *timeouts, const char *type, bool is_global)
{
    for (size_t i = 0; i < timeouts->count; i++) {
        uint32_t seconds;
        const char *equals = strrchr(timeouts->items[i], '=');
        if (!equals || duration_parse_s(equals + 1, &seconds) != OK)
            continue;
        char *pattern CLEANUP(mem_cleanup) =
            mem_strndup(timeouts->items[i], (size_t)(equals - timeouts->items[i]));
        bool is_of_all = strcmp(pattern, GLOBAL) == 0;
        if (is_of_all == is_global && (is_global || match_is_pattern(type, pattern)))
            return (uint64_t)seconds * MS_PER_S;
    }
    return 0;
}

/* As if the peer had closed: what the user still has is delivered, and its CLOSE goes out. */
static void close_channel(struct channel *ch, uint64_t idle_ms)
{
    struct channel_user *u = channel_user(ch);
    if (!u || !u->ops->closed)
        return;
    log_info("channel %u: closing after %u seconds of inactivity (%s)", channel_id(ch),
             (unsigned)(idle_ms / MS_PER_S), channel_type(ch));
    u->ops->closed(u);
}

static void close_idle_channels(struct idle *i, uint64_t now_ms)
{
    const struct string_list *timeouts = &i->options->channel_timeouts;
    uint64_t least_ms = UINT64_MAX;
    uint32_t id = 0;
    struct channel *ch;
    while ((ch = conn_next_channel(link_conn(i->link), &id)))
        least_ms = MIN(least_ms, channel_idle_ms(ch, now_ms));
    uint64_t global_ms = timeout_ms(timeouts, "", true);
    bool are_all_idle = global_ms && least_ms >= global_ms;
    for (id = 0; (ch = conn_next_channel(link_conn(i->link), &id));) {
        uint64_t idle_ms = channel_idle_ms(ch, now_ms);
        uint64_t own_ms = timeout_ms(timeouts, channel_type(ch), false);
        if (are_all_idle || (own_ms && idle_ms >= own_ms))
            close_channel(ch, idle_ms);
    }
}

static void look_for_use(struct idle *i, uint64_t now_ms)
{
    uint64_t limit_ms = (uint64_t)i->options->unused_connection_timeout_s * MS_PER_S;
    if (limit_ms == 0)
        return;
    if (conn_channel_count(link_conn(i->link)) > 0)
        i->unused_from_ms = CLOCK_NEVER;
    else if (i->unused_from_ms == CLOCK_NEVER)
        i->unused_from_ms = now_ms;
    else if (now_ms - i->unused_from_ms >= limit_ms) {
        log_info("terminating inactive connection (UnusedConnectionTimeout)");
        link_disconnect(i->link, "terminating inactive connection");
        i->unused_from_ms = CLOCK_NEVER; /* once */
    }
}

static void on_time(void *owner)
{
    struct idle *i = owner;
    uint64_t now_ms = loop_now(link_loop(i->link));
    close_idle_channels(i, now_ms);
    look_for_use(i, now_ms);
    link_touch(i->link);
    loop_timer_start(i->timer, LOOK_MS);
}

struct idle *idle_new(struct link *l, const struct server_options *o)
{
    bool has_timeouts =
        o->channel_timeouts.count > 0 && strcasecmp(o->channel_timeouts.items[0], "none") != 0;
    if (!has_timeouts && o->unused_connection_timeout_s == 0)
        return NULL;
    struct idle *i = NEW(struct idle);
    i->link = l;
    i->options = o;
    i->unused_from_ms = loop_now(link_loop(l));
    i->timer = loop_timer_new(link_loop(l), on_time, i);
    loop_timer_start(i->timer, LOOK_MS);
    return i;
}

void idle_free(struct idle *i)
{
    if (!i)
        return;
    loop_timer_close(i->timer);
    mem_free(i);
}
