/* What a person is told when something went wrong, and what to look at. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "client/internal.h"
#include "wire/numbers.h"

#define BANNER_PIECE 256 /* bytes escaped at a time */

/* OpenSSH's words, then what it may be. */
void tell_remote_refused(const struct forward *f, bool fatal)
{
    enum log_level level = fatal ? LOG_ERROR : LOG_INFO;
    const char *how = fatal ? "Error" : "Warning";
    if (f->spec.listen.path)
        log_write(level,
                  "%s: remote port forwarding failed for listen path %s (%s; it is there already, "
                  "or AllowStreamLocalForwarding says no)",
                  how, f->spec.listen.path, f->reason);
    else
        log_write(level,
                  "%s: remote port forwarding failed for listen port %u (%s; it is taken there, "
                  "below 1024, or AllowTcpForwarding or PermitListen say no)",
                  how, f->spec.listen.port, f->reason);
}

/* It ended before the server said what it is: most often it is no SSH server. */
static void tell_unidentified(const struct client *c, const struct link_event *e)
{
    const struct client_options *o = c->options;
    bool ended = e->fault.code == ERR_EOF || e->fault.code == ERR_IO;
    const char *what =
        ended ? "the connection ended before the server identified itself" : e->fault.text;
    if (c->stray_line)
        log_error("%s port %u: %s; it said \"%s\": is it an SSH server?", o->host_name, o->port,
                  what, c->stray_line);
    else
        log_error("%s port %u: %s: is it an SSH server, and does it let this machine in?",
                  o->host_name, o->port, what);
}

/* OpenSSH's words, alone on the line; of bytes that keys did protect also its last line. */
static void tell_broken(const struct client *c, const struct link_event *e, const char *where)
{
    bool is_mac = strncmp(e->fault.text, "Corrupted", 9) == 0;
    log_error("%s", e->fault.text);
    if (transport_exchanges(link_transport(c->link)))
        log_error("Connection to %s port %u: %s", where, c->options->port,
                  is_mac ? "message authentication code incorrect" : "Connection corrupted");
}

void tell_down(struct client *c, const struct link_event *e)
{
    const struct client_options *o = c->options;
    const char *where = c->address ? c->address : "UNKNOWN";
    if (e->fault.code == ERR_CANCELLED)
        return;
    if (c->methods) {
        login_tell_offered(c);
        log_error("%s@%s: Permission denied (%s).", o->user, o->host_name, c->methods);
    } else if (e->by_peer) {
        login_tell_cut(c);
        log_error("Received disconnect from %s port %u:%u: %s", where, o->port,
                  e->fault.disconnect_reason, ESCAPED(e->text));
        log_error("Disconnected from %s port %u", where, o->port);
    } else if (!c->identified && e->fault.code != ERR_UNSUPPORTED) {
        tell_unidentified(c, e);
    } else if (e->fault.code == ERR_IO && !c->ready) {
        log_error("Connection to %s port %u lost before the login was done", o->host_name, o->port);
    } else if (e->fault.code == ERR_EOF && c->ready) {
        log_error("Connection to %s closed by remote host.", o->host_name);
    } else if (e->fault.code == ERR_EOF) {
        log_error("Connection closed by %s port %u", where, o->port);
    } else if (e->fault.code == ERR_TIMEOUT && c->ready) {
        log_error("Timeout, server %s not responding.", o->host_name);
    } else if (e->fault.disconnect_reason == SSH_DISCONNECT_MAC_ERROR) {
        tell_broken(c, e, where);
    } else {
        log_error("%s port %u: %s", o->host_name, o->port, e->fault.text);
    }
}

void tell_debug(const struct link_event *e)
{
    log_write(e->always_display ? LOG_INFO : LOG_DEBUG1, "server says: %s", ESCAPED(e->text));
}

/* RFC 4252 5.4: to be shown, line by line, with control bytes made harmless. */
void tell_banner(struct slice text)
{
    if (!log_would(LOG_INFO))
        return;
    while (text.len) {
        char piece[4 * BANNER_PIECE + 1]; /* an escaped byte is four */
        const uint8_t *newline = memchr(text.ptr, '\n', MIN(text.len, BANNER_PIECE));
        size_t n = newline ? (size_t)(newline - text.ptr) : MIN(text.len, BANNER_PIECE);
        size_t shown = newline && n && text.ptr[n - 1] == '\r' ? n - 1 : n;
        fprintf(stderr, "%s%s", log_escape(piece, sizeof(piece), slice_of(text.ptr, shown)),
                newline ? "\n" : "");
        size_t taken = newline ? n + 1 : n;
        text = slice_of(text.ptr + taken, text.len - taken);
    }
}
