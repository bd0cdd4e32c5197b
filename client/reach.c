/* Getting there: dials and retries, or a proxy, within ConnectTimeout. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "client/internal.h"
#include "client/proxy.h"
#include "io/address.h"

#define RETRY_MS 1000 /* between ConnectionAttempts, as ssh */

static void dial_server(struct client *c);

static void on_retry(void *owner)
{
    dial_server(owner);
}

/* Behind OpenSSH's words, what to look at. */
static const char *connect_remedy(const struct dial_result *result)
{
    if (result->stage == DIAL_DEADLINE || result->error_number == ETIMEDOUT)
        return " (nothing answers there: is the host up, or does a firewall drop it?)";
    if (result->error_number == ECONNREFUSED)
        return " (the host is there, but nothing listens on that port: is -p right?)";
    return "";
}

static void on_dialled(void *owner, const struct dial_result *result)
{
    struct client *c = owner;
    const struct client_options *o = c->options;
    c->dial = NULL;
    if (result->fd >= 0) {
        log_debug("Connection established to %s port %u.", result->address, result->port);
        c->address = mem_strdup(result->address);
        client_start_link(c, result->fd, result->fd);
        return;
    }
    if (result->stage == DIAL_RESOLVE)
        log_error("Could not resolve hostname %s: %s. Is the name right, and does this machine "
                  "reach its name server?",
                  o->host_name, dial_reason(result));
    else
        log_error("connect to host %s port %u: %s%s", o->host_name, o->port,
                  result->stage == DIAL_CONNECT ? strerror(result->error_number)
                                                : dial_reason(result),
                  connect_remedy(result));
    if (--c->attempts_left > 0 && result->stage != DIAL_RESOLVE)
        loop_timer_start(c->retry_timer, RETRY_MS);
    else
        client_finish(c, EXIT_FAILED);
}

static void dial_server(struct client *c)
{
    const struct client_options *o = c->options;
    log_debug("Connecting to %s port %u.", o->host_name, o->port);
    c->dial = dial_new(c->loop, o->host_name, o->port, client_family(o), o->bind_address,
                       (uint64_t)o->connect_timeout_s * MS_PER_S, on_dialled, c);
    if (o->bind_interface && dial_set_interface(c->dial, o->bind_interface) != OK) {
        log_error("BindInterface %s: no such interface here, or it has no address",
                  o->bind_interface);
        client_finish(c, EXIT_FAILED);
    }
}

static void on_connect_timeout(void *owner)
{
    struct client *c = owner;
    log_error("Connection to %s port %u timed out: no SSH handshake within ConnectTimeout %u s",
              c->options->host_name, c->options->port, c->options->connect_timeout_s);
    client_finish(c, EXIT_FAILED);
}

static void on_proxy_exited(void *owner, int status, int signal_number)
{
    struct client *c = owner;
    (void)signal_number;
    c->proxy = NULL;
    log_debug("ProxyCommand ended with status %d", status);
}

static void on_passed(void *owner, int fd, int error_number)
{
    struct client *c = owner;
    c->fd_receiver = NULL;
    if (fd >= 0) {
        c->address = fd_peer_address(fd);
        log_debug("the proxy passed a connection to %s", c->address ? c->address : "UNKNOWN");
        client_start_link(c, fd, fd);
        return;
    }
    log_error("proxy dialer did not pass back a connection%s%s (ProxyUseFdpass is set: the "
              "ProxyCommand must pass one over its standard output)",
              error_number ? ": " : "", error_number ? strerror(error_number) : "");
    client_finish(c, EXIT_FAILED);
}

static void start_fdpass(struct client *c)
{
    int socket;
    if (proxy_start_fdpass(&c->proxy, c->loop, c->options, on_proxy_exited, c, &socket) == OK)
        c->fd_receiver = fd_receiver_new(c->loop, socket, on_passed, c);
    else
        client_finish(c, EXIT_FAILED);
}

static void start_proxy(struct client *c)
{
    int read_fd, write_fd;
    if (proxy_start(&c->proxy, c->loop, c->request->args, c->options, on_proxy_exited, c, &read_fd,
                    &write_fd) == OK)
        client_start_link(c, read_fd, write_fd);
    else
        client_finish(c, EXIT_FAILED);
}

void reach_init(struct client *c)
{
    c->attempts_left = c->options->connection_attempts;
    c->connect_timer = loop_timer_new(c->loop, on_connect_timeout, c);
    c->retry_timer = loop_timer_new(c->loop, on_retry, c);
}

/* Where the connection may not even be tried: true, and why was said. */
static bool is_ruled_out(const struct client_options *o)
{
    struct sockaddr_storage sa;
    socklen_t length;
    if (o->refuse_connection) {
        log_error("%s", o->refuse_connection);
        return true;
    }
    if (o->bind_address && address_parse(o->bind_address, &sa, &length) != OK) {
        log_error("BindAddress %s: adit wants the address itself, as a number", o->bind_address);
        return true;
    }
    return false;
}

void reach_begin(struct client *c)
{
    uint64_t seconds = c->options->connect_timeout_s;
    if (is_ruled_out(c->options)) {
        client_finish(c, EXIT_FAILED);
        return;
    }
    if (seconds)
        loop_timer_start(c->connect_timer, seconds * MS_PER_S);
    if (proxy_is_wanted(c->options) && c->options->proxy_use_fdpass && !c->options->proxy_jump)
        start_fdpass(c);
    else if (proxy_is_wanted(c->options))
        start_proxy(c);
    else
        dial_server(c);
}

void reach_arrived(struct client *c)
{
    loop_timer_stop(c->connect_timer);
}

void reach_done(struct client *c)
{
    if (c->dial)
        dial_cancel(c->dial);
    fd_receiver_cancel(c->fd_receiver);
    if (c->proxy) {
        child_kill(c->proxy, SIGHUP);
        child_forget(c->proxy);
    }
    loop_timer_close(c->connect_timer);
    loop_timer_close(c->retry_timer);
}
