/*
 * Listening sockets: bound all or none, accepted from in bounded batches, and left alone for a
 * while when the process has run out of descriptors or memory. Who may connect, and what a
 * connection is for, is the owner's business.
 */
#include "io/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "io/address.h"
#include "io/watch.h"

#define BACKLOG          4096 /* the kernel clips it to net.core.somaxconn */
#define ACCEPT_BATCH     64   /* connections taken before others get their turn */
#define PAUSE_FIRST_MS   100u
#define PAUSE_LONGEST_MS 1000u
#define LOG_INTERVAL_MS  60000u
#define PORT_TRIES       16

struct listen_socket {
    struct listener *parent;
    int fd;
    struct loop_watch *watch;
    char address[ADDRESS_TEXT_MAX];
};

struct listener {
    struct loop *loop;
    struct loop_item item;
    listener_accepted *accepted;
    void *owner;
    struct listen_socket *sockets;
    size_t count;
    uint16_t port;
    struct loop_timer *pause_timer;
    uint64_t pause_ms; /* the next pause */
    uint64_t logged_ms;
    uint64_t shortages; /* since the last log line */
    bool has_logged;
    bool accepting, paused;
    bool is_from_elsewhere; /* it listened before it was ours: some may wait in it already */
    bool in_accept;         /* the owner is being told of a connection */
    bool closed;            /* freed when in_accept ends */
    char *path;             /* of a Unix socket we made */
    dev_t device;
    ino_t inode;
};

/* ---- accepting ---- */

static void update_interest(struct listener *li)
{
    bool on = li->accepting && !li->paused && !li->closed;
    for (size_t i = 0; i < li->count; i++)
        if (li->sockets[i].watch)
            loop_watch_set(li->sockets[i].watch, on ? WATCH_READ : 0);
}

static void pause_is_over(void *owner)
{
    struct listener *li = owner;
    li->paused = false;
    update_interest(li);
}

static void pause_accepting(const struct listen_socket *ls, int error)
{
    struct listener *li = ls->parent;
    uint64_t now = loop_now(li->loop);
    li->paused = true;
    li->shortages++;
    update_interest(li);
    loop_timer_start(li->pause_timer, li->pause_ms);
    li->pause_ms = MIN(li->pause_ms * 2, PAUSE_LONGEST_MS);
    if (li->has_logged && now - li->logged_ms < LOG_INTERVAL_MS)
        return;
    log_error("listener address=%s port=%u accept failed: %s (%llu times), pausing",
              li->path ? ESCAPED(slice_text(li->path)) : ls->address, (unsigned)li->port,
              strerrordesc_np(error), (unsigned long long)li->shortages);
    li->has_logged = true;
    li->logged_ms = now;
    li->shortages = 0;
}

/* Faults of the one connection that waited, or of its network: accept(2) names them. */
static bool is_passed_over(int error)
{
    static const int codes[] = {EINTR,       ECONNABORTED, ENETDOWN,  EPROTO,
                                ENOPROTOOPT, EHOSTDOWN,    ENONET,    EHOSTUNREACH,
                                EPERM,       ENETUNREACH,  ETIMEDOUT, EOPNOTSUPP};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i] == error)
            return true;
    return false;
}

/* What a listening socket has of it, those that are accepted from it have from their beginning. */
static void set_nodelay(int fd)
{
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void hand_over(struct listener *li, int fd, const struct sockaddr_storage *peer)
{
    char from[ADDRESS_TEXT_MAX];
    address_text(peer, from);
    if (li->is_from_elsewhere && peer->ss_family != AF_UNIX)
        set_nodelay(fd);
    li->accepted(li->owner, fd, from, address_port(peer));
}

static void free_listener(struct listener *li)
{
    mem_free(li->sockets);
    mem_free(li->path);
    mem_free(li);
}

static void socket_ready(void *owner, unsigned ready)
{
    struct listen_socket *ls = owner;
    struct listener *li = ls->parent;
    (void)ready;
    li->in_accept = true;
    for (int i = 0; i < ACCEPT_BATCH && li->accepting && !li->paused && !li->closed; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof(peer);
        int fd = accept4(ls->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            li->pause_ms = PAUSE_FIRST_MS;
            hand_over(li, fd, &peer);
        } else if (errno == EAGAIN) {
            break;
        } else if (!is_passed_over(errno)) {
            pause_accepting(ls, errno);
        }
    }
    li->in_accept = false;
    if (li->closed)
        free_listener(li);
}

/* ---- life ---- */

static struct listener *new_listener(struct loop *l, size_t count, listener_accepted *accepted,
                                     void *owner)
{
    struct listener *li = NEW(struct listener);
    li->loop = l;
    li->accepted = accepted;
    li->owner = owner;
    li->accepting = true;
    li->pause_ms = PAUSE_FIRST_MS;
    li->sockets = mem_new(count, sizeof(li->sockets[0]));
    return li;
}

static void close_sockets(struct listener *li)
{
    for (size_t i = 0; i < li->count; i++) {
        loop_watch_close(li->sockets[i].watch);
        close(li->sockets[i].fd);
    }
    li->count = 0;
}

static void add_socket(struct listener *li, int fd)
{
    struct listen_socket *ls = &li->sockets[li->count++];
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof(bound);
    ls->parent = li;
    ls->fd = fd;
    if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
        return;
    address_text(&bound, ls->address);
    if (li->port == 0)
        li->port = address_port(&bound);
}

static void drop(void *owner)
{
    listener_close(owner);
}

/* From here it hears of connections. */
static void begin_listening(struct listener *li)
{
    li->pause_timer = loop_timer_new(li->loop, pause_is_over, li);
    for (size_t i = 0; i < li->count; i++)
        li->sockets[i].watch =
            loop_watch_new(li->loop, li->sockets[i].fd, socket_ready, &li->sockets[i]);
    loop_keep(li->loop, &li->item, drop, li);
    update_interest(li);
}

void listener_close(struct listener *li)
{
    struct stat now;
    if (!li)
        return;
    CHECK(!li->closed);
    li->closed = true;
    loop_unkeep(&li->item);
    loop_timer_close(li->pause_timer);
    if (li->path && lstat(li->path, &now) == 0 && now.st_dev == li->device &&
        now.st_ino == li->inode)
        unlink(li->path);
    close_sockets(li);
    if (!li->in_accept)
        free_listener(li);
}

/* ---- TCP ---- */

static enum err err_of(int error)
{
    if (error == EADDRINUSE)
        return ERR_EXISTS;
    return error == EACCES || error == EPERM ? ERR_DENIED : ERR_IO;
}

/* A listening socket in *fd, or errno. */
static int open_tcp(const struct socket_address *address, uint16_t port, int *fd)
{
    struct sockaddr_storage sa = address->sa;
    const int on = 1;
    address_set_port(&sa, port);
    *fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return errno;
    set_nodelay(*fd);
    bool ok = setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0;
    if (ok && sa.ss_family == AF_INET6)
        ok = setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0;
    ok = ok && bind(*fd, (const struct sockaddr *)&sa, address->len) == 0;
    ok = ok && listen(*fd, BACKLOG) == 0;
    if (ok)
        return 0;
    int error = errno;
    close(*fd);
    return error;
}

static bool is_family_missing(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPROTONOSUPPORT;
}

/* Binds all that the host has, or none: 0 or errno. */
static int bind_all(struct listener *li, const struct socket_address *addresses, size_t count,
                    uint16_t port)
{
    int skipped = EADDRNOTAVAIL;
    li->port = port;
    for (size_t i = 0; i < count; i++) {
        int fd;
        int error = open_tcp(&addresses[i], li->port, &fd);
        if (is_family_missing(error)) {
            skipped = error;
        } else if (error) {
            close_sockets(li);
            return error;
        } else {
            add_socket(li, fd);
        }
    }
    return li->count ? 0 : skipped;
}

enum err listener_new_tcp(struct listener **out, struct loop *l,
                          const struct socket_address *addresses, size_t count, uint16_t port,
                          listener_accepted *accepted, void *owner, int *error_number)
{
    struct listener *li = new_listener(l, count, accepted, owner);
    int error = EADDRINUSE;
    *out = NULL;
    for (int i = 0; i < (port ? 1 : PORT_TRIES) && error == EADDRINUSE; i++)
        error = bind_all(li, addresses, count, port);
    *error_number = error;
    if (error) {
        free_listener(li);
        return err_of(error);
    }
    begin_listening(li);
    *out = li;
    return OK;
}

struct listener *listener_new_fds(struct loop *l, const int *fds, size_t count,
                                  listener_accepted *accepted, void *owner)
{
    struct listener *li = new_listener(l, count, accepted, owner);
    li->is_from_elsewhere = true;
    for (size_t i = 0; i < count; i++)
        add_socket(li, fds[i]);
    begin_listening(li);
    return li;
}

/* ---- TCP, beside others ---- */

static bool is_listening(int fd)
{
    int listens = 0;
    socklen_t size = sizeof(listens);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
}

int listener_share(struct listener *li)
{
    const int on = 1;
    for (size_t i = 0; i < li->count; i++) {
        if (setsockopt(li->sockets[i].fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
            return errno;
    }
    return 0;
}

size_t listener_fds(const struct listener *li, int *fds, size_t max)
{
    size_t count = MIN(li->count, max);
    for (size_t i = 0; i < count; i++)
        fds[i] = li->sockets[i].fd;
    return count;
}

uint16_t socket_port(int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t length = sizeof(sa);
    if (getsockname(fd, (struct sockaddr *)&sa, &length) != 0 ||
        (sa.ss_family != AF_INET && sa.ss_family != AF_INET6))
        return 0;
    return address_port(&sa);
}

int socket_beside(int fd, int *beside)
{
    struct sockaddr_storage sa = {0};
    socklen_t length = sizeof(sa);
    const int on = 1;
    bool is_named = getsockname(fd, (struct sockaddr *)&sa, &length) == 0;
    if (!is_named || (sa.ss_family != AF_INET && sa.ss_family != AF_INET6) || !is_listening(fd))
        return EINVAL;
    *beside = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*beside < 0)
        return errno;
    bool ok = setsockopt(*beside, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
              setsockopt(*beside, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0;
    if (ok && sa.ss_family == AF_INET6)
        ok = setsockopt(*beside, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0;
    if (ok && bind(*beside, (const struct sockaddr *)&sa, length) == 0)
        return 0;
    int error = errno;
    close(*beside);
    return error;
}

/* Makes the one beside fd, or takes fd if it is that already; it listens then. fd is taken over. */
static int listen_beside(struct listener *li, int fd)
{
    int own = fd, error = 0;
    if (is_listening(fd)) {
        error = socket_beside(fd, &own);
        close(fd);
    }
    if (error)
        return error;
    set_nodelay(own);
    if (listen(own, BACKLOG) == 0) {
        add_socket(li, own);
        return 0;
    }
    error = errno;
    close(own);
    return error;
}

enum err listener_new_beside(struct listener **out, struct loop *l, const int *fds, size_t count,
                             listener_accepted *accepted, void *owner, int *error_number)
{
    struct listener *li = new_listener(l, count, accepted, owner);
    int error = count ? 0 : EINVAL;
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        if (error)
            close(fds[i]);
        else
            error = listen_beside(li, fds[i]);
    }
    *error_number = error;
    if (error) {
        close_sockets(li);
        free_listener(li);
        return err_of(error);
    }
    begin_listening(li);
    *out = li;
    return OK;
}

/* ---- Unix ---- */

/* Only a socket, and only our own: a link or a foreign file in its place stays. */
static void remove_stale(const char *path)
{
    struct stat there;
    if (lstat(path, &there) == 0 && S_ISSOCK(there.st_mode) && there.st_uid == geteuid())
        unlink(path);
}

static int open_unix(const char *path, mode_t mask, int *fd)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(sa.sun_path))
        return length ? ENAMETOOLONG : ENOENT;
    memcpy(sa.sun_path, path, length);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return errno;
    mode_t before = umask(mask);
    int error = bind(*fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 ? 0 : errno;
    umask(before);
    if (!error && listen(*fd, BACKLOG) != 0) {
        error = errno;
        unlink(path);
    }
    if (error)
        close(*fd);
    return error;
}

enum err listener_new_unix(struct listener **out, struct loop *l, const char *path, mode_t mask,
                           bool unlink_first, listener_accepted *accepted, void *owner,
                           int *error_number)
{
    struct stat made;
    int fd = -1;
    *out = NULL;
    if (unlink_first)
        remove_stale(path);
    *error_number = open_unix(path, mask, &fd);
    if (*error_number)
        return err_of(*error_number);
    struct listener *li = new_listener(l, 1, accepted, owner);
    add_socket(li, fd);
    if (lstat(path, &made) == 0 && S_ISSOCK(made.st_mode)) {
        li->path = mem_strdup(path);
        li->device = made.st_dev;
        li->inode = made.st_ino;
    }
    begin_listening(li);
    *out = li;
    return OK;
}

/* ---- the rest ---- */

uint16_t listener_port(const struct listener *li)
{
    return li->port;
}

size_t listener_count(const struct listener *li)
{
    return li->count;
}

const char *listener_address(const struct listener *li, size_t i)
{
    CHECK(i < li->count);
    return li->sockets[i].address;
}

void listener_accepting(struct listener *li, bool on)
{
    li->accepting = on;
    update_interest(li);
}

enum err socket_address_parse(const char *text, struct socket_address *out)
{
    return address_parse(text, &out->sa, &out->len);
}

/* A hosts file may name an address twice; bound twice it would be in use by ourselves. */
static void add_address(struct socket_address *out, size_t *count, const struct addrinfo *a)
{
    struct socket_address *next = &out[*count];
    if (a->ai_addrlen > sizeof(next->sa))
        return;
    memset(next, 0, sizeof(*next));
    memcpy(&next->sa, a->ai_addr, a->ai_addrlen);
    next->len = a->ai_addrlen;
    for (size_t i = 0; i < *count; i++)
        if (out[i].len == next->len && memcmp(&out[i].sa, &next->sa, next->len) == 0)
            return;
    (*count)++;
}

enum err socket_address_resolve(const char *text, int family, struct socket_address *out,
                                size_t max, size_t *count)
{
    const struct addrinfo hints = {
        .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list;
    *count = 0;
    if (max > 0 && socket_address_parse(text, &out[0]) == OK) {
        if (family != AF_UNSPEC && family != out[0].sa.ss_family)
            return ERR_NOT_FOUND;
        *count = 1;
        return OK;
    }
    /* A service must be named for a NULL node; "" and "*" mean the wildcard, as OpenSSH's do. */
    bool wildcard = text[0] == '\0' || strcmp(text, "*") == 0;
    if (getaddrinfo(wildcard ? NULL : text, "0", &hints, &list) != 0)
        return ERR_NOT_FOUND;
    for (const struct addrinfo *a = list; a && *count < max; a = a->ai_next)
        add_address(out, count, a);
    freeaddrinfo(list);
    return *count ? OK : ERR_NOT_FOUND;
}
