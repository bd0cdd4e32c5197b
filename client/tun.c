/* -w: a device here, joined to one that the server opens. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "client/internal.h"
#include "config/client_value.h"

static uint32_t unit_of(int configured)
{
    return configured == TUNNEL_UNIT_ANY ? TUN_CHANNEL_ANY : (uint32_t)configured;
}

static void on_opened(void *owner)
{
    struct client *c = owner;
    c->tun_asked = false;
    log_debug("tunnel forward established: %s", c->tun_name);
    client_settled(c);
}

static void on_refused(void *owner, uint32_t reason, struct slice text)
{
    struct client *c = owner;
    (void)reason;
    c->tun = NULL;
    c->tun_asked = false;
    log_error("Tunnel forwarding failed: the server says: %s (PermitTunnel there must name the "
              "mode, and the account may open the device)",
              ESCAPED(text));
    if (c->options->exit_on_forward_failure)
        client_finish(c, EXIT_FAILED);
    else
        client_settled(c);
}

static void on_ended(void *owner, const char *reason)
{
    struct client *c = owner;
    c->tun = NULL;
    if (reason)
        log_error("the tunnel device %s is gone: %s", c->tun_name, reason);
    else
        log_verbose("the tunnel of %s has ended", c->tun_name);
}

static const struct tun_channel_events events = {
    .opened = on_opened, .refused = on_refused, .ended = on_ended};

static void failed(struct client *c, const char *why)
{
    log_error("Tunnel device open failed: %s", why);
    log_error("Could not request tunnel forwarding.");
    if (c->options->exit_on_forward_failure)
        client_finish(c, EXIT_FAILED);
}

void tun_begin(struct client *c)
{
    const struct client_options *o = c->options;
    enum tun_mode mode = o->tunnel == TUNNEL_ETHERNET ? TUN_ETHERNET : TUN_POINT_TO_POINT;
    if (o->tunnel == TUNNEL_NO)
        return;
    log_debug("Requesting tun unit %d in mode %d", o->tunnel_local, (int)mode);
    if (tun_channel_new(&c->tun, c->link, mode, unit_of(o->tunnel_local), &events, c) != OK) {
        failed(c, errno == EPERM
                      ? "not permitted (it takes root, or a device made for this user: ip tuntap)"
                      : strerror(errno));
        return;
    }
    c->tun_name = mem_strdup(tun_channel_name(c->tun));
    if (tun_channel_open(c->tun, unit_of(o->tunnel_remote)) == OK) {
        c->tun_asked = true;
        return;
    }
    tun_channel_free(c->tun);
    c->tun = NULL;
    failed(c, "no channel is left");
}

void tun_done(struct client *c)
{
    tun_channel_free(c->tun);
    mem_free(c->tun_name);
}
