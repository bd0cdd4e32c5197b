/* Getting there: dials and retries, or a proxy, within ConnectTimeout. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "client/internal.h"
#include "io/address.h"

#define RETRY_MS 1000 /* between ConnectionAttempts, as ssh */

static void on_retry(void *owner)
{
    struct client *c = owner;
    way_begin(&c->way);
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

static void tell_failed(const struct client_options *o, const struct dial_result *result)
{
    if (result->stage == DIAL_RESOLVE)
        log_error("Could not resolve hostname %s: %s. Is the name right, and does this machine "
                  "reach its name server?",
                  o->host_name, dial_reason(result));
    else
        log_error("connect to host %s port %u: %s%s", o->host_name, o->port,
                  result->stage == DIAL_CONNECT ? strerror(result->error_number)
                                                : dial_reason(result),
                  connect_remedy(result));
}

static void on_way(void *owner, const struct way_result *result)
{
    struct client *c = owner;
    const struct dial_result *failed = result->failed;
    if (result->read_fd >= 0) {
        c->address = result->address ? mem_strdup(result->address) : NULL;
        client_start_link(c, result->read_fd, result->write_fd);
        return;
    }
    if (failed)
        tell_failed(c->options, failed);
    if (failed && --c->attempts_left > 0 && failed->stage != DIAL_RESOLVE)
        loop_timer_start(c->retry_timer, RETRY_MS);
    else
        client_finish(c, EXIT_FAILED);
}

static void on_connect_timeout(void *owner)
{
    struct client *c = owner;
    log_error("Connection to %s port %u timed out: no SSH handshake within ConnectTimeout %u s",
              c->options->host_name, c->options->port, c->options->connect_timeout_s);
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
    c->way = (struct way){.loop = c->loop,
                          .args = c->request->args,
                          .options = c->options,
                          .host = c->options->host_name,
                          .done = on_way,
                          .owner = c};
    way_begin(&c->way);
}

void reach_arrived(struct client *c)
{
    loop_timer_stop(c->connect_timer);
}

void reach_done(struct client *c)
{
    way_end(&c->way);
    loop_timer_close(c->connect_timer);
    loop_timer_close(c->retry_timer);
}
