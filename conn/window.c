/* Window arithmetic. */
#include "conn/window.h"

/* A credit is given when an eighth of the window is due, or a MiB: few messages, no stall. */
#define CREDIT_FRACTION 8
#define CREDIT_MOST     (1024 * 1024)
/* A flow that paused for so long has no claim to what it had grown to. */
#define PAUSE_US (10 * 1000 * 1000u)
/* Of the headroom of a sender that hoards: what no flow needs more of, and no large one less. */
#define HEADROOM_MOST  (8u * 1024 * 1024)
#define HEADROOM_LEAST (4u * 1024 * 1024)
/* More of the target than this waiting all the time: the consumer is what limits the flow. */
#define LAG_FRACTION 4

/* ---- budgets ---- */

/*
 * Growth and first sizes get three quarters; the last one is for floors. So 16,384 windows fit into
 * a connection's 256 MiB whatever the others have grown to.
 */
static uint64_t free_of(const struct window_budget *b)
{
    uint64_t quota = b->limit / 4 * 3;
    return quota > b->held ? quota - b->held : 0;
}

/* The n-th window gets an n-th of an eighth: a harmonic row, whose sum grows like a logarithm. */
static uint64_t size_at_first(const struct window_budget *b, uint32_t wanted)
{
    uint64_t size = wanted;
    for (; b; b = b->parent) {
        uint64_t share = b->limit / 8 / ((uint64_t)b->count + 1);
        size = MIN(size, MIN(share, free_of(b) / 4));
    }
    return MAX(size, (uint64_t)MIN(wanted, WINDOW_FLOOR));
}

static bool has_room(const struct window_budget *b, uint64_t n)
{
    for (; b; b = b->parent) {
        if (b->held > b->limit || n > b->limit - b->held)
            return false;
    }
    return true;
}

/* Never more than half of what is free: the next one that wants to grow finds something, too. */
static uint64_t room_to_grow(const struct window_budget *b)
{
    uint64_t room = UINT64_MAX;
    for (; b; b = b->parent)
        room = MIN(room, free_of(b) / 2);
    return room;
}

static void hold(struct recv_window *w, uint32_t held)
{
    for (struct window_budget *b = w->budget; b; b = b->parent) {
        CHECK(b->held >= w->held);
        b->held = b->held - w->held + held;
    }
    w->held = held;
}

static void count(struct window_budget *b, int more)
{
    for (; b; b = b->parent)
        b->count += (uint32_t)more;
}

/* ---- a window ---- */

enum err window_init(struct recv_window *w, struct window_budget *budget, uint32_t wanted)
{
    uint32_t size = (uint32_t)size_at_first(budget, MIN(wanted, WINDOW_TOP));
    *w = (struct recv_window){0};
    if (!has_room(budget, size))
        return ERR_LIMIT;
    *w = (struct recv_window){.budget = budget, .first = size, .target = size, .left = size};
    count(budget, 1);
    hold(w, size);
    return OK;
}

void window_done(struct recv_window *w)
{
    hold(w, 0);
    count(w->budget, -1);
    w->budget = NULL;
}

static uint32_t granted(const struct recv_window *w)
{
    return w->left + w->waiting;
}

static void set_target(struct recv_window *w, uint32_t target)
{
    w->target = target;
    hold(w, MAX(target, granted(w)));
}

void window_ended(struct recv_window *w)
{
    w->left = w->first = 0;
    set_target(w, 0);
}

static void begin_round(struct recv_window *w, uint64_t now_us)
{
    w->from_us = now_us;
    w->received = w->taken = 0;
    w->least_waiting = w->waiting;
}

static void add(uint32_t *sum, size_t n)
{
    *sum += (uint32_t)MIN(n, (size_t)(UINT32_MAX - *sum));
}

/* What it holds beyond its target already needs nothing of the budget. */
static void grow(struct recv_window *w, uint64_t wanted)
{
    uint64_t more = wanted > w->held ? wanted - w->held : 0;
    if (more > 0)
        wanted = w->held + MIN(more, room_to_grow(w->budget));
    if (wanted > w->target)
        set_target(w, (uint32_t)wanted);
}

/* What a sender that hoards gets above its flow: enough to show what more it could do. */
static uint64_t headroom(uint64_t flow, bool has_grown)
{
    uint64_t steady = MIN(flow, MAX(flow / 4, (uint64_t)HEADROOM_LEAST));
    return MIN(has_grown ? flow * 2 : steady, (uint64_t)HEADROOM_MOST);
}

/*
 * To a sender that hoards: what lies in its queue is the window less the flow. Flows falter for a
 * moment, so what is left of the last one counts, less each round trip; and they waver, so only one
 * above all that were lately has grown.
 */
static void fit(struct recv_window *w, uint64_t flow, bool is_round, const struct window_terms *t)
{
    bool has_grown = flow > w->highest_flow + (uint64_t)w->highest_flow / 8;
    uint64_t lasting = MAX(flow, (uint64_t)w->last_flow - w->last_flow / 4);
    uint64_t wanted =
        MIN(lasting + headroom(lasting, has_grown), (uint64_t)MIN(t->most, WINDOW_TOP));
    grow(w, wanted);
    if (!is_round)
        return;
    if (wanted < w->target)
        set_target(w, MAX(MIN(w->first, w->target), (uint32_t)wanted));
    w->last_flow = (uint32_t)MIN(lasting, (uint64_t)UINT32_MAX);
    w->highest_flow = MAX(w->last_flow, w->highest_flow - w->highest_flow / 32);
}

static uint64_t round_trip_of(const struct window_terms *t)
{
    uint64_t least_us = t->round_trip_us;
    return t->sender_hoards ? MIN(MAX(least_us, t->last_round_trip_us), 2 * least_us) : least_us;
}

static void look_back(struct recv_window *w, const struct window_terms *t)
{
    uint64_t elapsed_us = t->now_us - w->from_us;
    uint64_t flow = t->round_trip_us ? MIN(w->received, w->taken) : 0;
    uint64_t span_us = round_trip_of(t);
    bool lags = w->least_waiting > w->target / LAG_FRACTION;
    /* Before a round trip has passed it is more than what came by now, never less. */
    if (elapsed_us > span_us)
        flow = flow * span_us / elapsed_us;
    bool is_round = elapsed_us >= span_us;
    bool still_grows = flow > w->last_flow + (uint64_t)w->last_flow / 2;
    if (t->sender_hoards && !lags)
        fit(w, flow, is_round, t);
    else if (!lags && flow > w->target / 2)
        grow(w, MIN((still_grows ? 4 : 2) * flow, (uint64_t)MIN(t->most, WINDOW_TOP)));
    if (!is_round)
        return;
    if (!t->sender_hoards || lags)
        w->last_flow = (uint32_t)MIN(flow, (uint64_t)UINT32_MAX);
    if (lags && 2 * flow < w->target)
        set_target(w, MIN(w->target, MAX(w->first, (uint32_t)(2 * flow))));
    begin_round(w, t->now_us);
}

/*
 * The first bytes behind a round trip begin the next one: the time in which nothing came belongs to
 * no flow.
 */
enum err window_received(struct recv_window *w, size_t n, const struct window_terms *t)
{
    if (n > w->left)
        return ERR_LIMIT;
    uint64_t elapsed_us = t->now_us - w->from_us;
    if (elapsed_us >= PAUSE_US) {
        set_target(w, MIN(w->target, w->first));
        w->last_flow = w->highest_flow = 0;
        begin_round(w, t->now_us);
    } else if (w->received == 0) {
        w->from_us = t->now_us;
    } else if (elapsed_us >= round_trip_of(t)) {
        look_back(w, t);
    }
    w->left -= (uint32_t)n;
    w->waiting += (uint32_t)n;
    add(&w->received, n);
    return OK;
}

static uint32_t due(const struct recv_window *w)
{
    return w->target > granted(w) ? w->target - granted(w) : 0;
}

bool window_consumed(struct recv_window *w, size_t n)
{
    CHECK(n <= w->waiting);
    w->waiting -= (uint32_t)n;
    w->least_waiting = MIN(w->least_waiting, w->waiting);
    add(&w->taken, n);
    if (w->held > w->target)
        hold(w, MAX(w->target, granted(w)));
    uint32_t step = MIN(w->target / CREDIT_FRACTION, (uint32_t)CREDIT_MOST);
    return due(w) >= MAX(step, 1u);
}

uint32_t window_take_credit(struct recv_window *w, const struct window_terms *t)
{
    look_back(w, t);
    uint32_t credit = due(w);
    w->left += credit;
    return credit;
}

enum err window_adjusted(uint32_t *send_window, uint32_t bytes)
{
    if (bytes > UINT32_MAX - *send_window)
        return ERR_LIMIT;
    *send_window += bytes;
    return OK;
}
