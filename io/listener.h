/*
 * TCP and Unix listeners. One wanted address may be several sockets (both families of "localhost"
 * or of the wildcard); they are one listener with one port.
 */
#ifndef ADIT_IO_LISTENER_H
#define ADIT_IO_LISTENER_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "io/loop.h"

struct listener;

/* A numeric address ready to bind or shown: "127.0.0.1", "::1", "0.0.0.0". */
struct socket_address {
    struct sockaddr_storage sa;
    socklen_t len;
};

/*
 * A connection was accepted: the owner owns fd (non-blocking, close-on-exec, TCP_NODELAY set).
 * from: the peer's numeric address ("" for a Unix socket) and port.
 */
typedef void listener_accepted(void *owner, int fd, const char *from, uint16_t from_port);

/*
 * Binds and listens on all count addresses (their port fields are overwritten by port). Port 0: the
 * first address's port is taken for the rest (a few tries). A family that the host lacks
 * (EAFNOSUPPORT, EADDRNOTAVAIL) is skipped while at least one is bound; "address in use" or
 * EACCES on one undoes all. IPv6 sockets are V6ONLY; SO_REUSEADDR. Error: ERR_EXISTS (in use),
 * ERR_DENIED (EACCES), ERR_IO; *error_number has errno.
 */
enum err listener_new_tcp(struct listener **out, struct loop *l,
                          const struct socket_address *addresses, size_t count, uint16_t port,
                          listener_accepted *accepted, void *owner, int *error_number) MUST_USE;
/* Takes over descriptors that listen already (socket activation, tests). */
struct listener *listener_new_fds(struct loop *l, const int *fds, size_t count,
                                  listener_accepted *accepted, void *owner) MUST_USE;
/*
 * Another listener at the addresses and the port of fds, beside those: the kernel spreads callers
 * over both (SO_REUSEPORT), whichever processes they are in. Of fds, which are taken over, those
 * that listen are closed when theirs is made (listener_share was called on their listener, by a
 * process of the same uid); those that do not, yet, are used as they are (socket_beside). Errors as
 * listener_new_tcp.
 */
enum err listener_new_beside(struct listener **out, struct loop *l, const int *fds, size_t count,
                             listener_accepted *accepted, void *owner, int *error_number) MUST_USE;
/* From now on others of the same uid may be made beside it. 0, or errno. */
int listener_share(struct listener *li);
/* Its descriptors, at most max, borrowed; how many. */
size_t listener_fds(const struct listener *li, int *fds, size_t max);
/* A TCP socket bound where fd listens, that does not listen yet: *beside is the caller's. 0, or
 * errno: EINVAL where fd is no TCP listener. */
int socket_beside(int fd, int *beside);
/* The port that a TCP socket is bound to; 0: none. */
uint16_t socket_port(int fd);

/* path: at most 107 bytes; mask: umask(2) set for the bind. unlink_first: remove a stale socket. */
enum err listener_new_unix(struct listener **out, struct loop *l, const char *path, mode_t mask,
                           bool unlink_first, listener_accepted *accepted, void *owner,
                           int *error_number) MUST_USE;
/* Closes; a Unix socket's file is removed only if device and inode are still ours. */
void listener_close(struct listener *li);

uint16_t listener_port(const struct listener *li);
size_t listener_count(const struct listener *li);
/* "127.0.0.1", ...: numeric, lives as long as li. */
const char *listener_address(const struct listener *li, size_t i);

/* Off: callers wait in the kernel's backlog. On at first. */
void listener_accepting(struct listener *li, bool on);

/*
 * What accept meets: EMFILE, ENFILE, ENOBUFS, ENOMEM pause that listener for 100 ms to 1 s (it is
 * not polled meanwhile), counted, and logged at most once a minute; ECONNABORTED and the like are
 * passed over.
 */

/* Text -> numeric addresses, no DNS: "127.0.0.1", "::1", "[::1]", "fe80::1%eth0". ERR_FORMAT else.
 */
enum err socket_address_parse(const char *text, struct socket_address *out) MUST_USE;
/* For CLIENT-side listeners: a name or address text -> addresses by getaddrinfo(AI_PASSIVE),
 * blocking (before the loop runs; local names). family: AF_UNSPEC, AF_INET, AF_INET6. */
enum err socket_address_resolve(const char *text, int family, struct socket_address *out,
                                size_t max, size_t *count) MUST_USE;

#endif
