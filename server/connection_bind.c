/*
 * Ports below 1024 for a worker that may not bind them: where the configuration's PermitListen
 * names the port itself, and the login's own options forbid nothing. A key's permitlisten= narrows
 * and grants nothing here: its file is the user's own. Where the port is bound is GatewayPorts'
 * matter, as for any other.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/permit.h"
#include "io/listener.h"
#include "server/port_right.h"
#include "server/supervisor_internal.h"

#define BACKLOG 128

static const char *const loopback[] = {"127.0.0.1", "::1"};
static const char *const wildcard[] = {"0.0.0.0", "::"};

struct wanted {
    const char *const *addresses;
    size_t count;
};

/* The addresses that GatewayPorts makes of the one that was asked for. */
static struct wanted addresses_of(enum gateway_ports gateway, const char *const *asked)
{
    const struct wanted one = {asked, 1}, local = {loopback, 2}, all = {wildcard, 2};
    bool is_all = **asked == '\0' || strcmp(*asked, "*") == 0;
    bool is_loopback = strcmp(*asked, "127.0.0.1") == 0 || strcmp(*asked, "::1") == 0;
    if (gateway == GATEWAY_YES)
        return all;
    if (is_loopback)
        return one;
    if (gateway == GATEWAY_NO || strcmp(*asked, "localhost") == 0)
        return local;
    return is_all ? all : one;
}

/* 0, or errno. */
static int bind_one(const char *text, uint16_t port, int *fd)
{
    struct socket_address to;
    const int on = 1;
    if (socket_address_parse(text, &to) != OK)
        return EADDRNOTAVAIL;
    if (to.sa.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&to.sa)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&to.sa)->sin_port = htons(port);
    *fd = socket(to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return errno;
    (void)setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (to.sa.ss_family == AF_INET6)
        (void)setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(*fd, (const struct sockaddr *)&to.sa, to.len) == 0 && listen(*fd, BACKLOG) == 0)
        return 0;
    int error = errno;
    close(*fd);
    return error;
}

/* A family that the host lacks is passed over; a port that is taken on one address is taken. */
static int bind_all(const struct wanted *w, uint16_t port, int fds[IPC_FDS_MAX], size_t *count)
{
    int error = EADDRNOTAVAIL;
    for (size_t i = 0; i < w->count; i++) {
        error = bind_one(w->addresses[i], port, &fds[*count]);
        if (error == 0)
            (*count)++;
        else if (error != EAFNOSUPPORT && error != EADDRNOTAVAIL)
            break;
    }
    bool is_bound = *count > 0 && (error == 0 || error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
    while (!is_bound && *count > 0)
        close(fds[--*count]);
    return is_bound ? 0 : error;
}

bool connection_may_bind(const struct connection *c, const char *address, uint16_t port)
{
    return port > 0 && port <= PORT_PRIVILEGED_MAX && !c->options.disable_forwarding &&
           c->options.allow_tcp_forwarding & FORWARDING_REMOTE &&
           permit_list_names_port(&c->options.permit_listen, address, port) &&
           port_right_may_listen(buf_slice(&c->key_options), port);
}

static bool is_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)(const void *)b;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)(const void *)b;
    if (a->ss_family != b->ss_family)
        return false;
    return a->ss_family == AF_INET
               ? a4->sin_addr.s_addr == b4->sin_addr.s_addr
               : a->ss_family == AF_INET6 && IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
}

bool connection_may_hold(const struct connection *c, const char *address, uint16_t port, int fd)
{
    const struct wanted wanted = addresses_of(c->options.gateway_ports, &address);
    struct sockaddr_storage own = {0};
    struct socket_address allowed;
    socklen_t size = sizeof(own);
    if (getsockname(fd, (struct sockaddr *)&own, &size) != 0 || socket_port(fd) != port)
        return false;
    for (size_t i = 0; i < wanted.count; i++) {
        if (socket_address_parse(wanted.addresses[i], &allowed) == OK &&
            is_same_host(&own, &allowed.sa))
            return true;
    }
    return false;
}

void connection_on_bind(struct connection *c, const struct role_msg *m)
{
    int fds[IPC_FDS_MAX];
    size_t count = 0;
    int error = EACCES;
    char *asked CLEANUP(mem_cleanup) = slice_strdup(m->host);
    const char *const address = asked;
    uint16_t port = (uint16_t)m->port;
    if (connection_may_bind(c, address, port)) {
        const struct wanted wanted = addresses_of(c->options.gateway_ports, &address);
        error = bind_all(&wanted, port, fds, &count);
    }
    log_verbose("port %u for %s: %s", port, c->user, count ? "bound" : strerror(error));
    const struct role_msg answer = {.kind = ROLE_MSG_BOUND,
                                    .connection = c->id,
                                    .tag = m->tag,
                                    .error_number = count ? 0 : (uint32_t)error};
    if (worker_send(c->worker, &answer, fds, count) != OK)
        connection_cut(c, "its worker takes no answer");
    while (count > 0)
        close(fds[--count]);
}
