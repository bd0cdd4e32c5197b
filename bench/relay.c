/*
 * A TCP relay that makes a line out of loopback: a delay, a rate, and faults.
 *
 * usage: relay LISTEN TO [delay=MS] [rate=BYTES_A_SECOND] [queue=BYTES] [pieces=MAX] [seed=N]
 *              [cut=DIR:AT] [flip=DIR:AT] [stall=DIR:AT:MS]
 *
 * delay is one way's, so a round trip takes two; rate and queue are each connection's own. pieces:
 * what passes is written in pieces of random size up to MAX. DIR is up (from who connects), down,
 * or any, and AT the number of a byte in each connection; with any, direction and byte (below AT)
 * are drawn for each connection from the seed and its number, and said on standard error, so that a
 * failure can be had again.
 *
 * Without options it copies and does nothing else: two of them are the cost of two hops, the limit
 * of any tunnel. TCP does not see the delay, which is behind the relay's own socket: a long line
 * for windows of SSH, not for TCP's. One thread; ends by a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "bench/line.h"
#include "bench/tool.h"

#define READ_SIZE    (256 * 1024)
#define EVENTS       64
#define READS_A_TURN 8
#define QUEUE_RATED  (64 * 1024)          /* a router's, where the line has a rate */
#define HELD_MOST    (512u * 1024 * 1024) /* on the way in one direction: 5 GB/s for 100 ms */

struct piece { /* on the way; `size` 0: the end of the stream, or the cut */
    struct list link;
    uint64_t due_ns;
    size_t size, written;
    bool is_cut;
    uint8_t bytes[];
};

struct half { /* one direction */
    int from, to;
    struct line line;
    struct faults faults;
    struct list pieces;
    uint64_t held;   /* bytes in pieces */
    uint64_t passed; /* bytes read */
    bool readable, writable, got_end, sent_end;
};

struct end { /* what an event names: one socket of a pair, and what goes out of it and into it */
    struct pair *pair;
    struct half *reads, *writes;
};

struct pair {
    struct list link; /* in relay.busy while something is to be done that no event will tell */
    struct half up, down;
    struct end near, far;
    struct dice dice;
    uint64_t number; /* from 1 */
    bool is_dead;
};

static struct {
    int epoll, listener;
    const char *to;
    struct line line;
    size_t pieces;
    uint64_t seed, count;
    char **words;
    struct list busy, dead;
    uint8_t room[READ_SIZE];
} relay;

/* ---- faults from words ---- */

/* "up:1000:50" -> direction and numbers. */
static struct half *parse_fault(struct pair *p, const char *text, uint64_t *at, uint64_t *more)
{
    char *copy CLEANUP(mem_cleanup) = mem_strdup(text);
    char *save = strchr(copy, ':');
    if (!save)
        tool_die("a fault is DIRECTION:BYTE");
    *save++ = '\0';
    char *second = strchr(save, ':');
    if (second)
        *second++ = '\0';
    *at = tool_parse(save);
    *more = second ? tool_parse(second) : 0;
    if (strcmp(copy, "any") == 0) {
        *at = *at ? dice_below(&p->dice, *at) : 0;
        return dice_below(&p->dice, 2) ? &p->up : &p->down;
    }
    return strcmp(copy, "up") == 0 ? &p->up : &p->down;
}

/* Faults are said twice: where they are to be, and when they have come. */
static void tell(const struct pair *p, const char *what, const struct half *h, uint64_t at)
{
    fprintf(stderr, "connection %llu: %s %s byte %llu\n", (unsigned long long)p->number, what,
            h == &p->up ? "up" : "down", (unsigned long long)at);
}

static void set_faults(struct pair *p)
{
    uint64_t at, more;
    const char *text = tool_word(relay.words, "cut");
    if (text) {
        struct half *h = parse_fault(p, text, &at, &more);
        h->faults.cut_at = at;
        tell(p, "cut at", h, at);
    }
    if ((text = tool_word(relay.words, "flip"))) {
        struct half *h = parse_fault(p, text, &at, &more);
        h->faults.flip_at = at;
        tell(p, "flip at", h, at);
    }
    if ((text = tool_word(relay.words, "stall"))) {
        struct half *h = parse_fault(p, text, &at, &more);
        h->faults.stall_at = at;
        h->faults.stall_ns = more * 1000000;
        tell(p, "stall at", h, at);
    }
}

/* ---- a pair's life ---- */

static void half_init(struct half *h, int from, int to)
{
    *h = (struct half){.from = from, .to = to, .line = relay.line, .faults = FAULTS_NONE};
    list_init(&h->pieces);
    h->writable = true;
}

static void watch(int fd, struct end *end)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = end};
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(relay.epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        tool_die("epoll_ctl");
}

static void pair_new(int near, int far)
{
    struct pair *p = NEW(struct pair);
    p->number = ++relay.count;
    p->dice.state = relay.seed + p->number * 1000003;
    half_init(&p->up, near, far);
    half_init(&p->down, far, near);
    p->near = (struct end){p, &p->up, &p->down};
    p->far = (struct end){p, &p->down, &p->up};
    list_init(&p->link);
    set_faults(p);
    watch(near, &p->near);
    watch(far, &p->far);
}

static void half_done(struct half *h)
{
    struct list *item;
    while ((item = list_take_first(&h->pieces)))
        mem_free(container_of(item, struct piece, link));
}

/* A reset where it was no end of both streams. Freed once the events at hand are served. */
static void pair_end(struct pair *p, bool is_clean)
{
    if (p->is_dead)
        return;
    struct linger at_once = {.l_onoff = 1};
    int sockets[2] = {p->up.from, p->up.to};
    for (int i = 0; i < 2; i++) {
        if (!is_clean)
            (void)setsockopt(sockets[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(sockets[i]);
    }
    half_done(&p->up);
    half_done(&p->down);
    p->is_dead = true;
    list_remove(&p->link);
    list_append(&relay.dead, &p->link);
}

static void bury(void)
{
    struct list *item;
    while ((item = list_take_first(&relay.dead)))
        mem_free(container_of(item, struct pair, link));
}

/* ---- bytes ---- */

static void hold(struct half *h, const uint8_t *bytes, size_t n, uint64_t due_ns, bool is_cut)
{
    struct piece *piece = mem_new(1, sizeof *piece + n);
    piece->due_ns = due_ns;
    piece->size = n;
    piece->is_cut = is_cut;
    if (n)
        memcpy(piece->bytes, bytes, n);
    list_append(&h->pieces, &piece->link);
    h->held += n;
}

/* Bytes that the socket took of these; it is not writable where they are less than n. */
static ssize_t put(struct half *h, const uint8_t *bytes, size_t n)
{
    ssize_t did = write(h->to, bytes, n);
    if (did < 0 && (errno == EAGAIN || errno == EINTR))
        did = 0;
    h->writable = did == (ssize_t)n;
    return did;
}

/* Writes the first piece if it is due. False: nothing more can be done now, or the pair is dead. */
static bool write_piece(struct pair *p, struct half *h, uint64_t now_ns)
{
    if (list_is_empty(&h->pieces))
        return false;
    struct piece *piece = container_of(h->pieces.next, struct piece, link);
    if (!h->writable || piece->due_ns > now_ns)
        return false;
    if (piece->is_cut) {
        pair_end(p, false);
        return false;
    }
    if (piece->size == 0) {
        h->sent_end = true;
        if (shutdown(h->to, SHUT_WR) != 0) {
            pair_end(p, false);
            return false;
        }
    } else {
        ssize_t did = put(h, piece->bytes + piece->written, piece->size - piece->written);
        if (did < 0) {
            pair_end(p, false);
            return false;
        }
        piece->written += (size_t)did;
        h->held -= (size_t)did;
        if (piece->written < piece->size)
            return false;
    }
    list_remove(&piece->link);
    mem_free(piece);
    return true;
}

/* n bytes of the room came in: on their way, in pieces of the sizes that were asked for. */
static bool take(struct pair *p, struct half *h, uint8_t *bytes, size_t n, uint64_t now_ns)
{
    if (faults_flip(&h->faults, h->passed, bytes, n))
        tell(p, "flipped", h, h->faults.flip_at);
    while (n) {
        if (h->passed == h->faults.stall_at) {
            line_stall(&h->line, now_ns, h->faults.stall_ns);
            tell(p, "stalled", h, h->passed);
        }
        if (h->passed == h->faults.cut_at) {
            tell(p, "reset", h, h->passed);
            hold(h, NULL, 0, line_take(&h->line, now_ns, 0), true);
            h->got_end = true;
            return true;
        }
        size_t size = relay.pieces ? dice_size(&p->dice, MIN(n, relay.pieces)) : n;
        size = faults_until(&h->faults, h->passed, size);
        if (size == 0) /* the stall is at this very byte, and was served */
            size = 1;
        uint64_t due = line_take(&h->line, now_ns, size);
        size_t did = 0;
        if (list_is_empty(&h->pieces) && h->writable && due <= now_ns) {
            ssize_t wrote = put(h, bytes, size);
            if (wrote < 0) {
                pair_end(p, false);
                return false;
            }
            did = (size_t)wrote;
        }
        if (did < size)
            hold(h, bytes + did, size - did, due, false);
        h->passed += size;
        bytes += size;
        n -= size;
    }
    return true;
}

/* What may be on the way: with a line a lot, without one only what goes on at once. */
static uint64_t held_most(const struct half *h)
{
    return h->line.delay_ns || h->line.rate ? HELD_MOST : 1;
}

static bool wants_to_read(const struct half *h)
{
    return h->readable && !h->got_end && h->held < held_most(h);
}

static size_t room_of(const struct half *h, uint64_t now_ns)
{
    size_t room = line_room(&h->line, now_ns, READ_SIZE);
    return h->line.rate && room < h->line.queue / 4 ? 0 : room; /* not by the byte */
}

static bool read_some(struct pair *p, struct half *h, uint64_t now_ns)
{
    size_t room = wants_to_read(h) ? room_of(h, now_ns) : 0;
    if (room == 0)
        return false;
    ssize_t n = read(h->from, relay.room, room);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        h->readable = false;
        return false;
    }
    if (n < 0) {
        pair_end(p, false);
        return false;
    }
    if (n == 0) {
        h->got_end = true;
        hold(h, NULL, 0, line_take(&h->line, now_ns, 0), false);
        return true;
    }
    return take(p, h, relay.room, (size_t)n, now_ns);
}

/* When a half wants to run again without an event; LINE_NEVER: events tell. */
static uint64_t wants_at(const struct half *h)
{
    uint64_t at = LINE_NEVER;
    if (h->writable && !list_is_empty(&h->pieces))
        at = container_of(h->pieces.next, struct piece, link)->due_ns;
    if (wants_to_read(h))
        at = MIN(at, h->line.rate ? line_room_at(&h->line) : 0);
    return at;
}

static void run_half(struct pair *p, struct half *h, uint64_t now_ns)
{
    int turns = 0;
    while (!p->is_dead && write_piece(p, h, now_ns))
        continue;
    while (!p->is_dead && turns++ < READS_A_TURN && read_some(p, h, now_ns)) {
        while (!p->is_dead && write_piece(p, h, now_ns))
            continue;
    }
}

static void run_pair(struct pair *p)
{
    uint64_t now_ns = tool_now_ns();
    run_half(p, &p->up, now_ns);
    if (!p->is_dead)
        run_half(p, &p->down, now_ns);
    if (!p->is_dead && p->up.sent_end && p->down.sent_end)
        pair_end(p, true);
    if (p->is_dead)
        return;
    list_remove(&p->link);
    if (MIN(wants_at(&p->up), wants_at(&p->down)) != LINE_NEVER)
        list_append(&relay.busy, &p->link);
}

/* ---- the loop ---- */

static void accept_all(void)
{
    for (;;) {
        int near = accept4(relay.listener, NULL, NULL, SOCK_CLOEXEC);
        if (near < 0)
            return;
        int far = tool_connect(relay.to);
        if (far < 0) {
            close(near);
            continue;
        }
        tool_nodelay(near);
        pair_new(near, far);
    }
}

static void on_event(const struct epoll_event *event)
{
    struct end *end = event->data.ptr;
    if (!end) {
        accept_all();
        return;
    }
    if (end->pair->is_dead)
        return;
    if (event->events & EPOLLERR) {
        pair_end(end->pair, false);
        return;
    }
    if (event->events & (EPOLLIN | EPOLLHUP))
        end->reads->readable = true;
    if (event->events & (EPOLLOUT | EPOLLHUP))
        end->writes->writable = true;
    run_pair(end->pair);
}

static void run_busy(void)
{
    struct list now;
    list_init(&now);
    struct list *item;
    while ((item = list_take_first(&relay.busy)))
        list_append(&now, item);
    while ((item = list_take_first(&now)))
        run_pair(container_of(item, struct pair, link));
}

/* Until the first of the busy wants to run; NULL: until an event. */
static const struct timespec *sleep_time(struct timespec *room)
{
    uint64_t at = LINE_NEVER, now_ns = tool_now_ns();
    LIST_FOR (p, &relay.busy, struct pair, link) {
        at = MIN(at, MIN(wants_at(&p->up), wants_at(&p->down)));
    }
    if (at == LINE_NEVER)
        return NULL;
    uint64_t rest = at > now_ns ? at - now_ns : 0;
    *room = (struct timespec){(time_t)(rest / 1000000000), (long)(rest % 1000000000)};
    return room;
}

static NORETURN void run(void)
{
    struct epoll_event events[EVENTS];
    struct timespec room;
    for (;;) {
        int n = epoll_pwait2(relay.epoll, events, EVENTS, sleep_time(&room), NULL);
        for (int i = 0; i < n; i++)
            on_event(&events[i]);
        run_busy();
        bury();
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: relay LISTEN TO [NAME=VALUE ...]; see the head of relay.c\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    relay.words = argv + 3;
    relay.to = argv[2];
    relay.line.delay_ns = tool_number(relay.words, "delay", 0) * 1000000;
    relay.line.rate = tool_number(relay.words, "rate", 0);
    relay.line.queue = tool_number(relay.words, "queue", QUEUE_RATED);
    relay.pieces = tool_number(relay.words, "pieces", 0);
    relay.seed = tool_number(relay.words, "seed", 1);
    list_init(&relay.busy);
    list_init(&relay.dead);
    relay.listener = tool_listen(argv[1], relay.line.rate ? (int)relay.line.queue : 0);
    relay.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (relay.epoll < 0 || fcntl(relay.listener, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(relay.epoll, EPOLL_CTL_ADD, relay.listener, &event) != 0)
        tool_die("epoll");
    run();
}
