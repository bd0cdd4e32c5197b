/* A dial or a proxy. */
#include "client/way.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "client/proxy.h"
#include "io/address.h"

int way_family(const struct client_options *o)
{
    switch (o->address_family) {
    case FAMILY_INET:
        return AF_INET;
    case FAMILY_INET6:
        return AF_INET6;
    case FAMILY_ANY:
        break;
    }
    return AF_UNSPEC;
}

static void tell(const struct way *w, int read_fd, int write_fd, const char *address)
{
    w->done(w->owner, &(struct way_result){read_fd, write_fd, address, NULL});
}

static void fail(const struct way *w)
{
    tell(w, -1, -1, NULL);
}

/* ---- a dial ---- */

static void on_dialled(void *owner, const struct dial_result *result)
{
    struct way *w = owner;
    w->dial = NULL;
    if (result->fd < 0) {
        w->done(w->owner, &(struct way_result){-1, -1, NULL, result});
        return;
    }
    log_debug("Connection established to %s port %u.", result->address, result->port);
    tell(w, result->fd, result->fd, result->address);
}

static void dial_server(struct way *w)
{
    const struct client_options *o = w->options;
    log_debug("Connecting to %s port %u.", w->host, o->port);
    w->dial = dial_new(w->loop, w->host, o->port, way_family(o), o->bind_address,
                       (uint64_t)o->connect_timeout_s * MS_PER_S, on_dialled, w);
    if (o->bind_interface && dial_set_interface(w->dial, o->bind_interface) != OK) {
        log_error("BindInterface %s: no such interface here, or it has no address",
                  o->bind_interface);
        fail(w);
    }
}

/* ---- a proxy ---- */

static void on_proxy_exited(void *owner, int status, int signal_number UNUSED)
{
    struct way *w = owner;
    w->proxy = NULL;
    log_debug("ProxyCommand ended with status %d", status);
}

static void on_passed(void *owner, int fd, int error_number)
{
    struct way *w = owner;
    w->receiver = NULL;
    if (fd >= 0) {
        char *address CLEANUP(mem_cleanup) = fd_peer_address(fd);
        log_debug("the proxy passed a connection to %s", address ? address : "UNKNOWN");
        tell(w, fd, fd, address);
        return;
    }
    log_error("proxy dialer did not pass back a connection%s%s (ProxyUseFdpass is set: the "
              "ProxyCommand must pass one over its standard output)",
              error_number ? ": " : "", error_number ? strerror(error_number) : "");
    fail(w);
}

static void start_fdpass(struct way *w)
{
    int socket;
    if (proxy_start_fdpass(&w->proxy, w->loop, w->options, on_proxy_exited, w, &socket) == OK)
        w->receiver = fd_receiver_new(w->loop, socket, on_passed, w);
    else
        fail(w);
}

static void start_proxy(struct way *w)
{
    int read_fd, write_fd;
    const struct proxy_request request = {w->args, w->options, w->asks_nobody};
    if (proxy_start(&w->proxy, w->loop, &request, on_proxy_exited, w, &read_fd, &write_fd) == OK)
        tell(w, read_fd, write_fd, NULL);
    else
        fail(w);
}

/* ---- either ---- */

void way_begin(struct way *w)
{
    const struct client_options *o = w->options;
    if (!proxy_is_wanted(o))
        dial_server(w);
    else if (o->proxy_use_fdpass && !o->proxy_jump)
        start_fdpass(w);
    else
        start_proxy(w);
}

void way_end(struct way *w)
{
    if (w->dial)
        dial_cancel(w->dial);
    w->dial = NULL;
    fd_receiver_cancel(w->receiver);
    w->receiver = NULL;
    if (w->proxy) {
        child_kill(w->proxy, SIGHUP);
        child_forget(w->proxy);
    }
    w->proxy = NULL;
}
