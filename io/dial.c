/*
 * From a name and a port to a connected descriptor. Addresses are tried in the order of RFC 8305,
 * each next one 250 ms after the last or at once when one fails; the first that connects wins. It
 * does not know what the connection is for, nor any rule about where one may connect.
 */
#include "io/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "io/address.h"
#include "io/resolver.h"
#include "io/watch.h"

#define STAGGER_MS       250u /* RFC 8305 5: Connection Attempt Delay */
#define ADDRESSES_MAX    32
#define UNIX_RETRY_MS    20u  /* a full backlog of a Unix socket is EAGAIN, and cannot be polled */
#define UNIX_RETRY_LIMIT 500u /* 10 s */

/* What the resolver works on; outlives the dial if that is cancelled meanwhile. */
struct lookup {
    uv_getaddrinfo_t uv;
    struct dial *dial; /* NULL: cancelled */
};

struct attempt {
    struct dial *parent;
    int fd; /* -1: over */
    struct loop_watch *watch;
    size_t address;
};

struct target {
    struct sockaddr_storage sa;
    socklen_t len;
};

struct dial {
    struct loop *loop;
    struct loop_item item;
    struct loop_turn begin;
    struct loop_timer *stagger, *deadline;
    struct lookup *lookup;
    struct resolver_question *question; /* instead, where another process looks up */
    char *host;                         /* the path of a Unix socket */
    uint16_t port;
    int family;
    char *bind_address; /* or NULL */
    char *interface;    /* or NULL; counts before bind_address */
    struct target targets[ADDRESSES_MAX];
    size_t target_count;
    size_t next; /* the first not tried */
    struct attempt attempts[ADDRESSES_MAX];
    size_t running;
    unsigned unix_retries;
    int last_error;
    size_t last_target;
    dial_done *done;
    dial_may *may; /* or NULL */
    void *owner;
    bool finished;
};

/* ---- the end ---- */

static void end_attempt(struct attempt *a, bool keep_fd)
{
    if (a->fd < 0)
        return;
    loop_watch_close(a->watch);
    a->watch = NULL;
    if (!keep_fd)
        close(a->fd);
    a->fd = -1;
    a->parent->running--;
}

static void release(struct dial *d)
{
    d->finished = true;
    loop_unkeep(&d->item);
    loop_turn_cancel(&d->begin);
    loop_timer_close(d->stagger);
    loop_timer_close(d->deadline);
    if (d->lookup) {
        d->lookup->dial = NULL;
        (void)uv_cancel((uv_req_t *)&d->lookup->uv);
    }
    if (d->question)
        resolver_cancel(d->question);
    for (size_t i = 0; i < d->next; i++)
        end_attempt(&d->attempts[i], false);
}

static void free_dial(struct dial *d)
{
    mem_free(d->host);
    mem_free(d->bind_address);
    mem_free(d->interface);
    mem_free(d);
}

void dial_cancel(struct dial *d)
{
    CHECK(!d->finished);
    release(d);
    free_dial(d);
}

static void drop(void *owner)
{
    dial_cancel(owner);
}

/* The one terminal event; d is gone afterwards. */
static void finish(struct dial *d, int fd, enum dial_stage stage, int error)
{
    char text[ADDRESS_TEXT_MAX] = "";
    const struct target *t = &d->targets[d->last_target];
    if (d->target_count)
        address_text(&t->sa, text);
    struct dial_result result = {
        .fd = fd, .stage = stage, .error_number = error, .address = text, .port = d->port};
    release(d);
    d->done(d->owner, &result);
    free_dial(d);
}

/* ---- connecting ---- */

/* TCP lets a socket connect to its own port if the kernel happened to choose it as source. */
static bool is_connected_to_itself(int fd, const struct target *t)
{
    struct sockaddr_storage ours = {0};
    struct sockaddr_storage theirs = {0};
    socklen_t our_len = sizeof(ours);
    socklen_t their_len = sizeof(theirs);
    if (t->sa.ss_family == AF_UNIX || getsockname(fd, (struct sockaddr *)&ours, &our_len) != 0 ||
        address_port(&ours) != address_port(&t->sa) ||
        getpeername(fd, (struct sockaddr *)&theirs, &their_len) != 0)
        return false;
    return our_len == their_len && memcmp(&ours, &theirs, our_len) == 0;
}

static void try_next(struct dial *d);

static void attempt_ready(void *owner, unsigned ready)
{
    struct attempt *a = owner;
    struct dial *d = a->parent;
    int error = 0;
    socklen_t size = sizeof(error);
    int fd = a->fd;
    (void)ready;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (!error && is_connected_to_itself(fd, &d->targets[a->address]))
        error = ECONNREFUSED;
    d->last_target = a->address;
    end_attempt(a, error == 0);
    if (error) {
        d->last_error = error;
        try_next(d);
    } else {
        finish(d, fd, DIAL_CONNECT, 0);
    }
}

/* Good beyond this machine, or this link. */
static bool is_wide(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)sa;
        return (ntohl(v4->sin_addr.s_addr) >> 24) != IN_LOOPBACKNET;
    }
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
    return !IN6_IS_ADDR_LOOPBACK(v6) && !IN6_IS_ADDR_LINKLOCAL(v6);
}

/* family AF_UNSPEC: any will do. */
static bool interface_address(const char *name, int family, struct target *out)
{
    struct ifaddrs *all;
    bool found = false;
    if (getifaddrs(&all) != 0)
        return false;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        const struct sockaddr *sa = i->ifa_addr;
        if (!sa || strcmp(i->ifa_name, name) != 0 ||
            (sa->sa_family != AF_INET && sa->sa_family != AF_INET6) ||
            (family != AF_UNSPEC && sa->sa_family != family) || (found && !is_wide(sa)))
            continue;
        out->len =
            sa->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        memcpy(&out->sa, sa, out->len);
        found = true;
        if (is_wide(sa))
            break;
    }
    freeifaddrs(all);
    return found;
}

/* 0 or errno. */
static int bind_source(const struct dial *d, int fd, int family)
{
    struct target source;
    const int on = 1;
    if ((!d->bind_address && !d->interface) || family == AF_UNIX)
        return 0;
    if (d->interface && !interface_address(d->interface, family, &source))
        return EADDRNOTAVAIL;
    if (!d->interface && address_parse(d->bind_address, &source.sa, &source.len) != OK)
        return EINVAL;
    if (source.sa.ss_family != family)
        return EADDRNOTAVAIL;
    /* The port is chosen at connect, so that one source address serves many destinations. */
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    return bind(fd, (const struct sockaddr *)&source.sa, source.len) == 0 ? 0 : errno;
}

static bool is_loopback(const struct sockaddr_storage *sa)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)sa;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)sa;
    return sa->ss_family == AF_INET
               ? (ntohl(v4->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET
               : sa->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/*
 * 0: connected. EINPROGRESS: it comes. Else errno. On this machine the peer's kernel answers before
 * connect returns, though that still says "in progress": asked again it tells how it ended, which
 * is cheaper, and sooner, than to wait for what is there.
 */
static int try_connect(int fd, const struct target *t)
{
    int error = connect(fd, (const struct sockaddr *)&t->sa, t->len) == 0 ? 0 : errno;
    if (error == EINPROGRESS && is_loopback(&t->sa))
        error = connect(fd, (const struct sockaddr *)&t->sa, t->len) == 0 ? 0 : errno;
    if (error == 0 && is_connected_to_itself(fd, t))
        return ECONNREFUSED;
    /* An interrupted connect goes on in the background, like one in progress. */
    return error == EINTR || error == EALREADY ? EINPROGRESS : error;
}

/* 0: *out is connected. EINPROGRESS: *out is a socket on its way. Else errno with nothing left. */
static int open_socket(const struct dial *d, const struct target *t, int *out)
{
    const int on = 1;
    int family = t->sa.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int error = bind_source(d, fd, family);
    if (!error && family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (!error)
        error = try_connect(fd, t);
    if (error && error != EINPROGRESS)
        close(fd);
    *out = fd;
    return error;
}

static void wait_for(struct dial *d, size_t index, int fd)
{
    struct attempt *a = &d->attempts[index];
    a->parent = d;
    a->fd = fd;
    a->address = index;
    a->watch = loop_watch_new_socket(d->loop, fd, attempt_ready, a);
    loop_watch_set(a->watch, WATCH_WRITE);
    d->running++;
}

static bool is_permitted(const struct dial *d, size_t index)
{
    char text[ADDRESS_TEXT_MAX];
    if (!d->may)
        return true;
    address_text(&d->targets[index].sa, text);
    return d->may(d->owner, text);
}

/* Starts the next address; the dial fails when all have. */
static void try_next(struct dial *d)
{
    while (d->next < d->target_count) {
        size_t index = d->next++;
        d->attempts[index].fd = -1;
        if (!is_permitted(d, index)) {
            d->last_error = d->last_error ? d->last_error : EACCES;
            continue;
        }
        d->last_target = index;
        int fd = -1;
        int error = open_socket(d, &d->targets[index], &fd);
        if (error == 0) {
            finish(d, fd, DIAL_CONNECT, 0);
            return;
        }
        if (error == EAGAIN && d->targets[index].sa.ss_family == AF_UNIX &&
            d->unix_retries++ < UNIX_RETRY_LIMIT) {
            d->next = index;
            loop_timer_start(d->stagger, UNIX_RETRY_MS);
            return;
        }
        if (error == EINPROGRESS) {
            wait_for(d, index, fd);
            if (d->next < d->target_count)
                loop_timer_start(d->stagger, STAGGER_MS);
            return;
        }
        d->last_error = error;
    }
    loop_timer_stop(d->stagger);
    if (d->running == 0)
        finish(d, -1, DIAL_CONNECT, d->last_error);
}

static void stagger_fired(void *owner)
{
    try_next(owner);
}

static void deadline_fired(void *owner)
{
    finish(owner, -1, DIAL_DEADLINE, ETIMEDOUT);
}

/* ---- resolving ---- */

/* RFC 8305 4: the resolver's first family leads, then the families take turns. */
static void interleave(struct dial *d, const struct addrinfo *list)
{
    const struct addrinfo *queue[2] = {list, list};
    int families[2] = {list->ai_family, list->ai_family == AF_INET ? AF_INET6 : AF_INET};
    for (int turn = 0; d->target_count < ADDRESSES_MAX && (queue[0] || queue[1]); turn = !turn) {
        const struct addrinfo **a = &queue[turn];
        while (*a && (*a)->ai_family != families[turn])
            *a = (*a)->ai_next;
        if (!*a)
            continue;
        struct target *t = &d->targets[d->target_count++];
        CHECK((*a)->ai_addrlen <= sizeof(t->sa));
        memcpy(&t->sa, (*a)->ai_addr, (*a)->ai_addrlen);
        t->len = (*a)->ai_addrlen;
        address_set_port(&t->sa, d->port);
        *a = (*a)->ai_next;
    }
}

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct lookup *lookup = request->data;
    struct dial *d = lookup->dial;
    if (d) {
        d->lookup = NULL;
        if (status == 0 && list)
            interleave(d, list);
        if (d->target_count)
            try_next(d);
        else
            finish(d, -1, DIAL_RESOLVE, status ? resolver_error(status) : EAI_NONAME);
    }
    uv_freeaddrinfo(list);
    mem_free(lookup);
}

/* What no resolver should be given: it might be an option, a control sequence, or cut short. */
static bool is_plausible_name(const char *host)
{
    size_t length = strlen(host);
    if (length == 0 || length > RESOLVER_NAME_MAX || host[0] == '-')
        return false;
    for (const unsigned char *p = (const unsigned char *)host; *p; p++)
        if (*p <= ' ' || *p == 0x7f)
            return false;
    return true;
}

static void answered(void *owner, int error, const struct addrinfo *list)
{
    struct dial *d = owner;
    d->question = NULL;
    if (list)
        interleave(d, list);
    if (d->target_count)
        try_next(d);
    else
        finish(d, -1, DIAL_RESOLVE, error ? error : EAI_NONAME);
}

static void resolve(struct dial *d)
{
    const struct addrinfo hints = {.ai_family = d->family, .ai_socktype = SOCK_STREAM};
    if (!is_plausible_name(d->host)) {
        finish(d, -1, DIAL_RESOLVE, EAI_NONAME);
        return;
    }
    if (resolver_of(d->loop)) {
        d->question = resolver_ask(resolver_of(d->loop), d->host, d->family, answered, d);
        return;
    }
    struct lookup *lookup = NEW(struct lookup);
    lookup->dial = d;
    lookup->uv.data = lookup;
    int result = uv_getaddrinfo(loop_native(d->loop), &lookup->uv, resolved, d->host, NULL, &hints);
    if (result == 0) {
        d->lookup = lookup;
        return;
    }
    mem_free(lookup);
    finish(d, -1, DIAL_RESOLVE, resolver_error(result));
}

static void begin_tcp(void *owner)
{
    struct dial *d = owner;
    struct target *t = &d->targets[0];
    if (address_parse(d->host, &t->sa, &t->len) != OK) {
        resolve(d);
        return;
    }
    if (d->family != AF_UNSPEC && d->family != t->sa.ss_family) {
        finish(d, -1, DIAL_RESOLVE, EAI_FAMILY);
        return;
    }
    address_set_port(&t->sa, d->port);
    d->target_count = 1;
    try_next(d);
}

static void begin_unix(void *owner)
{
    struct dial *d = owner;
    struct target *t = &d->targets[0];
    struct sockaddr_un *sa = (struct sockaddr_un *)(void *)&t->sa;
    size_t length = strlen(d->host);
    if (length == 0 || length >= sizeof(sa->sun_path)) {
        finish(d, -1, DIAL_CONNECT, length ? ENAMETOOLONG : ENOENT);
        return;
    }
    sa->sun_family = AF_UNIX;
    memcpy(sa->sun_path, d->host, length + 1);
    t->len = sizeof(*sa);
    d->target_count = 1;
    try_next(d);
}

/* ---- life ---- */

/* Nothing is tried before the end of this turn, so nothing can end before the caller has it. */
static struct dial *new_dial(struct loop *l, const char *host, void (*begin)(void *owner),
                             dial_done *done, void *owner)
{
    struct dial *d = NEW(struct dial);
    d->loop = l;
    d->host = mem_strdup(host);
    d->done = done;
    d->owner = owner;
    d->begin.callback = begin;
    d->begin.owner = d;
    d->stagger = loop_timer_new(l, stagger_fired, d);
    loop_keep(l, &d->item, drop, d);
    loop_turn_request(l, &d->begin);
    return d;
}

struct dial *dial_new(struct loop *l, const char *host, uint16_t port, int family,
                      const char *bind_address, uint64_t deadline_ms, dial_done *done, void *owner)
{
    struct dial *d = new_dial(l, host, begin_tcp, done, owner);
    d->port = port;
    d->family = family;
    d->bind_address = bind_address ? mem_strdup(bind_address) : NULL;
    if (deadline_ms) {
        d->deadline = loop_timer_new(l, deadline_fired, d);
        loop_timer_start(d->deadline, deadline_ms);
    }
    return d;
}

enum err dial_set_interface(struct dial *d, const char *name)
{
    struct target any;
    mem_free(d->interface);
    d->interface = mem_strdup(name);
    return interface_address(name, AF_UNSPEC, &any) ? OK : ERR_NOT_FOUND;
}

void dial_set_may(struct dial *d, dial_may *may)
{
    d->may = may;
}

struct dial *dial_new_unix(struct loop *l, const char *path, dial_done *done, void *owner)
{
    return new_dial(l, path, begin_unix, done, owner);
}

/* ---- words ---- */

static const struct {
    int error;
    const char *phrase;
} connect_phrases[] = {
    {ECONNREFUSED, "connection refused"},
    {ETIMEDOUT, "timed out"},
    {ENETUNREACH, "network unreachable"},
    {EHOSTUNREACH, "no route to host"},
    {EADDRNOTAVAIL, "no usable address"},
    {EACCES, "permission denied"},
    {EPERM, "not permitted"},
    {ENOENT, "no such socket"},
    {ECONNRESET, "connection reset"},
    {EMFILE, "too many open files"},
    {ENFILE, "too many open files"},
    {EAGAIN, "listener is too busy"},
    {ENAMETOOLONG, "path too long"},
};

static const char *resolver_phrase(int error)
{
    if (error == EAI_NONAME || error == EAI_NODATA)
        return "name not found";
    if (error == EAI_AGAIN)
        return "name lookup failed for now";
    if (error == EAI_FAMILY)
        return "no address of the wanted family";
    return "name lookup failed";
}

const char *dial_reason(const struct dial_result *result)
{
    if (result->fd >= 0)
        return "connected";
    if (result->stage == DIAL_RESOLVE)
        return resolver_phrase(result->error_number);
    if (result->stage == DIAL_DEADLINE)
        return "timed out";
    for (size_t i = 0; i < ARRAY_LEN(connect_phrases); i++)
        if (connect_phrases[i].error == result->error_number)
            return connect_phrases[i].phrase;
    const char *text = strerrordesc_np(result->error_number);
    return text ? text : "connect failed";
}
