/* Sentences about forwards. Each is true before anything was asked of the server. */
#include "client/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "base/match.h"

struct words {
    const struct args *args;
    const struct client_options *o;
    const char *server; /* what to call it */
    struct buf *out;
    enum err err; /* sticky */
};

static void say(struct words *w, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(struct words *w, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (w->err == OK)
        w->err = buf_append(w->out, text, strlen(text));
}

static bool is_loopback_name(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || match_is_in_network(host, "127.0.0.0/8") ||
           strcmp(host, "::1") == 0;
}

static bool is_every_address(const struct forward_listen *l)
{
    return l->has_address && (l->address[0] == '\0' || strcmp(l->address, "*") == 0 ||
                              strcmp(l->address, "0.0.0.0") == 0 || strcmp(l->address, "::") == 0);
}

/* "-L", "-R" or "-D" and the rest as it was asked for. The caller owns it. */
static char *title(const struct forward_spec *spec)
{
    const char *letter = spec->kind == FORWARD_LOCAL     ? "-L"
                         : spec->kind == FORWARD_DYNAMIC ? "-D"
                                                         : "-R";
    char *text CLEANUP(mem_cleanup) = forward_spec_print(spec);
    return mem_printf("%s %s", letter, ESCAPED(slice_text(text)));
}

/* ---- the target ---- */

/* Who connects where; nearby is the side that does, far the other one. */
static void say_target(struct words *w, const struct forward_target *t, const char *nearby,
                       const char *far)
{
    if (t->path) {
        say(w, "connects to the Unix socket %s there.\n", ESCAPED(slice_text(t->path)));
        return;
    }
    const char *host = ESCAPED(slice_text(t->host));
    if (is_loopback_name(t->host))
        say(w, "connects to port %u of its own (%s means %s here, not %s).\n", t->port, host,
            nearby, far);
    else if (match_is_address(t->host))
        say(w, "connects to %s port %u.\n", host, t->port);
    else
        say(w, "looks up %s itself and connects to port %u there: the name must be known to %s.\n",
            host, t->port, nearby);
}

/* ---- listening on this machine ---- */

static void say_local_listen(struct words *w, const struct forward_listen *l)
{
    if (l->path) {
        say(w,
            "  adit listens on the Unix socket %s of this machine; who may open it is up to "
            "its file mode (StreamLocalBindMask).\n",
            ESCAPED(slice_text(l->path)));
        return;
    }
    bool is_wide = l->has_address ? is_every_address(l) : w->o->gateway_ports;
    if (is_wide)
        say(w,
            "  adit listens on port %u of every address of this machine%s: anyone who reaches "
            "this machine.\n",
            l->port, l->has_address ? "" : " (GatewayPorts, -g)");
    else if (l->has_address && !is_loopback_name(l->address))
        say(w, "  adit listens on %s port %u of this machine: anyone who reaches that address.\n",
            ESCAPED(slice_text(l->address)), l->port);
    else if (l->has_address && strcasecmp(l->address, "localhost") != 0)
        say(w, "  adit listens on %s port %u: this machine only.\n",
            ESCAPED(slice_text(l->address)), l->port);
    else
        say(w, "  adit listens on 127.0.0.1 and ::1, port %u: this machine only.\n", l->port);
}

static void say_local(struct words *w, const struct forward_spec *spec)
{
    say_local_listen(w, &spec->listen);
    if (spec->kind == FORWARD_DYNAMIC) {
        say(w,
            "  It speaks SOCKS 4 and 5: who connects says where to, and %s looks the name up "
            "and connects, to whatever it reaches.\n",
            w->server);
        return;
    }
    say(w, "  Each connection is passed to %s, which ", w->server);
    say_target(w, &spec->target, w->server, "this machine");
}

/* ---- listening at the server ---- */

static void say_remote_listen(struct words *w, const struct forward_listen *l)
{
    if (l->path) {
        say(w, "  %s listens on the Unix socket %s of its own.\n", w->server,
            ESCAPED(slice_text(l->path)));
        return;
    }
    if (l->port == 0)
        say(w, "  %s listens on a port that it picks; adit prints which.\n", w->server);
    else
        say(w, "  %s listens on port %u of its own%s.\n", w->server, l->port,
            l->port < 1024 ? " (below 1024 it lets root only, or whom it is told to)" : "");
    if (is_every_address(l))
        say(w, "  All its addresses are asked for: anyone who reaches it, where it says "
               "GatewayPorts clientspecified or yes; with GatewayPorts no (the default) its "
               "loopback only.\n");
    else if (l->has_address && !is_loopback_name(l->address))
        say(w,
            "  Its address %s is asked for: it gets that with GatewayPorts clientspecified, all "
            "its addresses with yes, its loopback only with no (the default).\n",
            ESCAPED(slice_text(l->address)));
    else if (l->has_address)
        say(w,
            "  Its loopback is asked for: only who is on %s reaches it, unless GatewayPorts yes "
            "there opens it to everybody.\n",
            w->server);
    else
        say(w,
            "  With GatewayPorts no there (the default) only who is on %s reaches it, with yes "
            "anyone who reaches that machine. To ask for everybody, write '*:' in front.\n",
            w->server);
}

static void say_remote(struct words *w, const struct forward_spec *spec)
{
    say_remote_listen(w, &spec->listen);
    if (spec->kind == FORWARD_REMOTE_DYNAMIC) {
        say(w, "  It speaks SOCKS: who connects there says where to, and this machine looks the "
               "name up and connects (PermitRemoteOpen limits where).\n");
        return;
    }
    say(w, "  Each connection comes back to this machine, which ");
    say_target(w, &spec->target, "this machine", w->server);
}

static void say_forward(struct words *w, const struct forward_spec *spec)
{
    char *head CLEANUP(mem_cleanup) = title(spec);
    say(w, "%s\n", head);
    if (forward_spec_is_remote(spec))
        say_remote(w, spec);
    else
        say_local(w, spec);
}

static void say_all(struct words *w, const struct forward_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        say_forward(w, &list->items[i]);
}

/* ---- the way ---- */

static void say_way(struct words *w)
{
    const char *hops = w->o->proxy_jump;
    if (hops && strcmp(hops, "none") != 0) {
        const char *last = strrchr(hops, ',');
        say(w,
            "-J %s\n  The way to %s is through %s, in this order; adit logs in at each. The "
            "name of %s is looked up by %s, not by this machine.\n",
            ESCAPED(slice_text(hops)), w->server, ESCAPED(slice_text(hops)), w->server,
            ESCAPED(slice_text(last ? last + 1 : hops)));
    }
    if (w->args->stdio_host) {
        struct forward_target target = {.host = w->args->stdio_host, .port = w->args->stdio_port};
        say(w, "-W %s:%u\n  Nothing listens: adit's own input and output are one connection. %s ",
            ESCAPED(slice_text(target.host)), target.port, w->server);
        say_target(w, &target, w->server, "this machine");
    }
}

enum err explain_options(const struct args *a, const struct client_options *o, struct buf *out)
{
    struct words w = {a, o, a->host ? a->host : "the server", out, OK};
    struct string_list hints;
    say_way(&w);
    say_all(&w, &o->local_forwards);
    say_all(&w, &o->dynamic_forwards);
    say_all(&w, &o->remote_forwards);
    string_list_init(&hints);
    explain_hints(o, &hints);
    for (size_t i = 0; i < hints.count; i++)
        say(&w, "Note: %s.\n", hints.items[i]);
    string_list_done(&hints);
    return w.err;
}

/* ---- hints ---- */

static void hint(struct string_list *out, char *text)
{
    string_list_add(out, text);
    mem_free(text);
}

/* The server by the name that was typed or by the one that is dialled. */
static bool is_server(const struct client_options *o, const char *host)
{
    return (o->host && o->host[0] && strcasecmp(o->host, host) == 0) ||
           (o->host_name && o->host_name[0] && strcasecmp(o->host_name, host) == 0);
}

static void hint_remote(const struct client_options *o, const struct forward_spec *spec,
                        struct string_list *out)
{
    if (spec->kind != FORWARD_REMOTE || spec->target.host == NULL ||
        is_loopback_name(spec->target.host) || !is_server(o, spec->target.host))
        return;
    char *head CLEANUP(mem_cleanup) = title(spec);
    hint(out, mem_printf("%s: its target is the SSH server itself, which this machine connects to "
                         "for each visitor; a service of this machine is localhost:%u",
                         head, spec->target.port));
}

static void hint_wide(const struct client_options *o, const struct forward_list *list,
                      struct string_list *out)
{
    for (size_t i = 0; o->gateway_ports && i < list->count; i++) {
        const struct forward_spec *spec = &list->items[i];
        if (spec->listen.path || spec->listen.has_address)
            continue;
        char *head CLEANUP(mem_cleanup) = title(spec);
        hint(out, mem_printf("%s is open to anyone who reaches this machine, because of "
                             "GatewayPorts (-g); 127.0.0.1: in front keeps it to this machine",
                             head));
    }
}

void explain_hints(const struct client_options *o, struct string_list *out)
{
    bool has_local = o->local_forwards.count || o->dynamic_forwards.count;
    if (o->gateway_ports && !has_local && o->remote_forwards.count)
        hint(out, mem_strdup("GatewayPorts (-g) does nothing for -R: the server's own GatewayPorts "
                             "decides who reaches it"));
    hint_wide(o, &o->local_forwards, out);
    hint_wide(o, &o->dynamic_forwards, out);
    for (size_t i = 0; i < o->remote_forwards.count; i++)
        hint_remote(o, &o->remote_forwards.items[i], out);
}
