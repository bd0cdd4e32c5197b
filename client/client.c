/* One run of the client. */
#include "client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "client/host_trust.h"
#include "client/identity.h"
#include "client/proxy.h"
#include "client/trust.h"
#include "io/child.h"
#include "io/dial.h"
#include "tunnel/forward.h"
#include "wire/numbers.h"

#define IDENT    "SSH-2.0-adit_" ADIT_VERSION
#define RETRY_MS 1000 /* between ConnectionAttempts, as ssh */

static const int signals_that_end[] = {SIGINT, SIGTERM, SIGHUP};

struct client {
    const struct client_request *request;
    const struct client_options *options;
    struct crypto *crypto;
    struct rng *rng;
    struct loop *loop;
    struct loop_signal *signals[ARRAY_LEN(signals_that_end)];
    struct loop_timer *connect_timer, *retry_timer;
    struct dial *dial;
    struct child *proxy;
    struct link *link;
    char *address; /* of the server, numeric; NULL through a proxy */
    struct transport_config transport;
    char *host_key_algorithms; /* known types first */
    struct identity_list identities;
    size_t *offered; /* key index of auth_client -> identities index */
    size_t offered_count;
    struct forward_set forwards;
    char *stray_line; /* the first line before the identification, escaped */
    char *methods;    /* what the server still took when authentication failed */
    int attempts_left;
    bool identified, ready, ending;
    bool stdio_done; /* -W: both directions have ended here */
    int status;
};

/* ---- the end ---- */

static void finish(struct client *c, int status)
{
    if (c->ending)
        return;
    c->ending = true;
    c->status = status;
    if (c->link && link_is_up(c->link))
        link_disconnect(c->link, "disconnected by user");
    else
        loop_stop(c->loop);
}

static void on_signal(void *owner, int signal_number)
{
    struct client *c = owner;
    log_verbose("Killed by signal %d.", signal_number);
    finish(c, EXIT_FAILED);
    /* A second one does not wait for a polite goodbye. */
    if (c->status && c->ending && !c->link)
        loop_stop(c->loop);
}

/* ---- going to the background (-f) ---- */

static void detach(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (setsid() < 0 || null < 0)
        log_debug("going to the background: %s", strerror(errno));
    for (int fd = 0; fd <= 2; fd++) {
        if (null >= 0 && !(fd == 2 && log_would(LOG_DEBUG1)) && dup2(null, fd) < 0)
            log_debug("/dev/null: %s", strerror(errno));
    }
    if (null > 2)
        close(null);
    if (chdir("/") != 0)
        log_debug("chdir: %s", strerror(errno));
}

static void become_ready(struct client *c)
{
    if (c->ready || c->ending || !link_is_up(c->link))
        return;
    bool wait = c->options->exit_on_forward_failure;
    if (wait && !forward_set_is_settled(&c->forwards))
        return;
    c->ready = true;
    if (c->request->ready_fd < 0)
        return;
    detach();
    char byte = 0;
    if (write(c->request->ready_fd, &byte, 1) != 1)
        log_debug("the waiting parent has gone");
    close(c->request->ready_fd);
}

/* ---- forwards ---- */

/* OpenSSH's words, then what it may be. */
static void tell_remote_refused(const struct forward *f, bool fatal)
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

static void on_forward_changed(void *owner, struct forward *f)
{
    struct client *c = owner;
    if (f->state == FORWARD_REFUSED) {
        bool is_remote = forward_spec_is_remote(&f->spec);
        bool fatal = c->options->exit_on_forward_failure;
        if (is_remote)
            tell_remote_refused(f, fatal);
        else if (fatal)
            log_error("Could not request local forwarding.");
        if (fatal) {
            finish(c, EXIT_FAILED);
            return;
        }
    }
    if (c->link)
        become_ready(c);
}

static void add_forwards(struct client *c)
{
    const struct forward_list *lists[] = {&c->options->local_forwards, &c->options->remote_forwards,
                                          &c->options->dynamic_forwards};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (size_t k = 0; k < lists[i]->count; k++)
            forward_set_add(&c->forwards, &lists[i]->items[k]);
    }
}

/* ---- -W ---- */

static void on_stdio_refused(void *owner, uint32_t reason, struct slice text)
{
    struct client *c = owner;
    (void)reason;
    log_error("stdio forwarding failed: open to %s:%u failed on the server's side: %s",
              c->request->args->stdio_host, c->request->args->stdio_port, ESCAPED(text));
    finish(c, EXIT_FAILED);
}

static void on_stdio_done(void *owner, const struct splice_report *report)
{
    struct client *c = owner;
    /* Not before the peer has closed too: what it still delivers would die with the link. */
    if (report->aborted)
        finish(c, EXIT_FAILED);
    else
        c->stdio_done = true;
}

static void start_stdio(struct client *c)
{
    const struct args *a = c->request->args;
    struct stream *s =
        stream_new(c->loop, STDIN_FILENO, STDOUT_FILENO, SPLICE_QUEUE_CAP, NULL, NULL);
    if (forward_open_direct(c->link, a->stdio_host, a->stdio_port, "127.0.0.1", 65535, s,
                            on_stdio_refused, on_stdio_done, c) != OK)
        finish(c, EXIT_FAILED);
}

/* ---- authentication ---- */

static void start_auth(struct client *c)
{
    struct auth_client *a =
        link_auth_client(c->link, c->options->user, c->options->pubkey_accepted_algorithms);
    c->offered = mem_new(c->identities.count + 1, sizeof(*c->offered));
    bool wanted = c->options->pubkey_authentication != PUBKEY_NO;
    for (size_t i = 0; wanted && i < c->identities.count; i++) {
        const struct pubkey *key = c->identities.items[i].pubkey;
        if (auth_client_add_key(a, pubkey_type_name(key), pubkey_blob(key)))
            c->offered[c->offered_count++] = i;
        else
            log_debug("key %s: no accepted algorithm fits it", c->identities.items[i].name);
    }
    link_start_auth_client(c->link);
}

static const struct identity *identity_of(const struct client *c, size_t key)
{
    return &c->identities.items[c->offered[key]];
}

static void sign(struct client *c, const struct auth_client_event *e)
{
    struct buf signature;
    const struct identity *id = identity_of(c, e->key);
    buf_init(&signature, 8192);
    log_debug("Server accepts key: %s", id->name);
    if (identity_sign(&c->identities, id, e->algorithm, e->data, &signature) != OK) {
        log_error("signing with %s failed%s", id->name, id->key ? "" : ": the agent refused");
        buf_clear(&signature);
    }
    link_give_auth_signature(c->link, buf_slice(&signature));
    buf_done(&signature);
}

static void tell_offered(const struct client *c)
{
    if (c->offered_count == 0) {
        log_info("no key was offered: none of the identity files could be used (-v tells each)");
        return;
    }
    for (size_t i = 0; i < c->offered_count; i++) {
        const struct identity *id = identity_of(c, i);
        CLEANUP(mem_cleanup)
        char *print = fingerprint_sha256(c->crypto, pubkey_blob(id->pubkey));
        log_verbose("refused there: %s %s", id->name, print);
    }
}

/* ---- the link's events ---- */

static void on_up(struct client *c)
{
    const struct args *a = c->request->args;
    loop_timer_stop(c->connect_timer);
    log_debug("Authenticated to %s using \"publickey\".", c->options->host_name);
    forward_set_start(&c->forwards, c->link);
    if (c->ending)
        return;
    if (a->stdio_host)
        start_stdio(c);
    else if (c->options->session_type != SESSION_NONE)
        log_info("adit opens no shell yet: it goes on as with -N (Ctrl-C ends it)");
    become_ready(c);
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

static void tell_down(struct client *c, const struct link_event *e)
{
    const struct client_options *o = c->options;
    const char *where = c->address ? c->address : "UNKNOWN";
    if (e->fault.code == ERR_CANCELLED)
        return;
    if (c->methods) {
        tell_offered(c);
        log_error("%s@%s: Permission denied (%s).", o->user, o->host_name, c->methods);
    } else if (e->by_peer) {
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
        log_error("%s", e->fault.text); /* OpenSSH's words, alone on the line */
    } else {
        log_error("%s port %u: %s", o->host_name, o->port, e->fault.text);
    }
}

static void on_down(struct client *c, const struct link_event *e)
{
    forward_set_link_down(&c->forwards);
    tell_down(c, e);
    if (!c->ending)
        c->status = EXIT_FAILED;
    c->ending = true;
    loop_stop(c->loop);
}

static void on_server_key(struct client *c, struct slice blob)
{
    const struct client_options *o = c->options;
    struct trust_request request = {.crypto = c->crypto,
                                    .rng = c->rng,
                                    .options = o,
                                    .home = c->request->home,
                                    .address = c->address};
    bool trusted = trust_server_key(&request, blob);
    if (!trusted)
        c->ending = true; /* trust_server_key told why */
    c->status = EXIT_FAILED;
    link_trust(c->link, trusted);
    if (!trusted)
        log_error("Host key verification failed.");
}

static void on_secured(struct client *c)
{
    struct transport_names n = transport_algorithms(link_transport(c->link));
    log_verbose("secured by %s, %s, %s", n.kex, n.host_key, n.send_cipher);
    start_auth(c);
}

/* What a server says before its identification: a hint what it is, if it is no SSH server. */
static void on_stray_line(struct client *c, struct slice line)
{
    log_debug("banner: %s", ESCAPED(line));
    if (!c->stray_line)
        c->stray_line = slice_strdup(slice_text(ESCAPED(line)));
}

/* RFC 4252 5.4: to be shown, line by line, with control bytes made harmless. */
static void show_banner(struct slice text)
{
    while (text.len) {
        char line[1024];
        const uint8_t *newline = memchr(text.ptr, '\n', text.len);
        size_t n = newline ? (size_t)(newline - text.ptr) : text.len;
        size_t shown = n && text.ptr[n - 1] == '\r' ? n - 1 : n;
        log_info("%s", log_escape(line, sizeof(line), slice_of(text.ptr, shown)));
        size_t taken = newline ? n + 1 : n;
        text = slice_of(text.ptr + taken, text.len - taken);
    }
}

static void on_link(void *owner, const struct link_event *e)
{
    struct client *c = owner;
    switch (e->kind) {
    case LINK_IDENT:
        c->identified = true;
        log_debug("Remote protocol version 2.0, remote software version %s", ESCAPED(e->text));
        break;
    case LINK_STRAY_LINE:
        on_stray_line(c, e->text);
        break;
    case LINK_BANNER:
        show_banner(e->text);
        break;
    case LINK_SERVER_KEY:
        on_server_key(c, e->text);
        break;
    case LINK_SECURED:
        on_secured(c);
        break;
    case LINK_AUTH_SIGN:
        sign(c, e->auth_client);
        break;
    case LINK_AUTH_REFUSED:
        log_debug("Authentications that can continue: %s", ESCAPED(e->text));
        break;
    case LINK_AUTH_FAILED:
        c->methods = slice_strdup(slice_text(ESCAPED(e->text)));
        break;
    case LINK_UP:
        on_up(c);
        break;
    case LINK_REKEYED:
        log_debug("rekeyed");
        break;
    case LINK_GLOBAL_REQUEST:
        /* hostkeys-00@openssh.com and the like: nothing to do with it yet. */
        if (e->want_reply)
            link_reply(c->link, e->request, false, SLICE_NONE);
        break;
    case LINK_GLOBAL_REPLY:
        if (forward_set_reply(&c->forwards, e))
            become_ready(c);
        break;
    case LINK_OPEN_REQUEST:
        if (slice_is(e->name, "forwarded-tcpip") ||
            slice_is(e->name, "forwarded-streamlocal@openssh.com"))
            forward_set_open(&c->forwards, e);
        else
            link_refuse(c->link, e->channel, SSH_OPEN_UNKNOWN_CHANNEL_TYPE,
                        "this client takes forwarded connections only");
        break;
    case LINK_NO_CHANNELS:
        if (c->stdio_done)
            finish(c, EXIT_SUCCESS);
        break;
    case LINK_DEBUG:
        log_write(e->always_display ? LOG_INFO : LOG_DEBUG1, "server says: %s", ESCAPED(e->text));
        break;
    case LINK_DOWN:
        on_down(c, e);
        break;
    case LINK_NEED_SIGNATURE:
        break;
    }
}

/* ---- getting there ---- */

static void start_link(struct client *c, int read_fd, int write_fd)
{
    const struct client_options *o = c->options;
    struct stream *s = stream_new(c->loop, read_fd, write_fd, 0, NULL, NULL);
    link_tune_stream(s);
    stream_set_keepalive(s, o->tcp_keep_alive);
    struct link_config config = {
        .loop = c->loop,
        .transport = &c->transport,
        .event = on_link,
        .owner = c,
        .alive_interval_s = o->server_alive_interval_s,
        .alive_count_max = (uint32_t)MAX(o->server_alive_count_max, 0),
    };
    log_debug("Local version string %s", c->transport.ident);
    c->link = link_new(&config, s);
}

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
        start_link(c, result->fd, result->fd);
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
        finish(c, EXIT_FAILED);
}

static int family_of(const struct client_options *o)
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

static void dial_server(struct client *c)
{
    const struct client_options *o = c->options;
    log_debug("Connecting to %s port %u.", o->host_name, o->port);
    c->dial = dial_new(c->loop, o->host_name, o->port, family_of(o), o->bind_address,
                       (uint64_t)o->connect_timeout_s * MS_PER_S, on_dialled, c);
}

static void on_connect_timeout(void *owner)
{
    struct client *c = owner;
    log_error("Connection to %s port %u timed out: no SSH login within ConnectTimeout %u s",
              c->options->host_name, c->options->port, c->options->connect_timeout_s);
    finish(c, EXIT_FAILED);
}

static void on_proxy_exited(void *owner, int status, int signal_number)
{
    struct client *c = owner;
    (void)signal_number;
    c->proxy = NULL;
    log_debug("ProxyCommand ended with status %d", status);
}

static void start_proxy(struct client *c)
{
    int read_fd, write_fd;
    if (proxy_start(&c->proxy, c->loop, c->request->args, c->options, on_proxy_exited, c, &read_fd,
                    &write_fd) == OK)
        start_link(c, read_fd, write_fd);
    else
        finish(c, EXIT_FAILED);
}

/* ---- making and ending ---- */

static void client_setup(struct client *c)
{
    const struct client_options *o = c->options;
    c->loop = loop_new();
    c->connect_timer = loop_timer_new(c->loop, on_connect_timeout, c);
    c->retry_timer = loop_timer_new(c->loop, on_retry, c);
    for (size_t i = 0; i < ARRAY_LEN(signals_that_end); i++)
        c->signals[i] = loop_signal_new(c->loop, signals_that_end[i], on_signal, c);
    forward_set_init(&c->forwards, c->loop, on_forward_changed, c);
    c->forwards.gateway_ports = o->gateway_ports;
    c->forwards.permit_remote_open = policy_rules_of(&o->permit_remote_open, "PermitRemoteOpen");
    c->forwards.bind_mask = o->stream_local_bind_mask;
    c->forwards.bind_unlink = o->stream_local_bind_unlink;
    c->forwards.family = family_of(o);
    add_forwards(c);
    c->host_key_algorithms =
        trust_order_algorithms(c->crypto, o, c->request->home, o->host_key_algorithms);
    c->transport = (struct transport_config){
        .role = TRANSPORT_CLIENT,
        .crypto = c->crypto,
        .rng = c->rng,
        .ident = IDENT,
        .kex = o->kex_algorithms,
        .host_key = c->host_key_algorithms,
        .cipher = o->ciphers,
        .mac = o->macs,
        .rekey_bytes = o->rekey_limit.bytes,
        .rekey_interval_ms = (uint64_t)o->rekey_limit.seconds * MS_PER_S,
    };
}

static void client_teardown(struct client *c)
{
    if (c->dial)
        dial_cancel(c->dial);
    if (c->proxy) {
        child_kill(c->proxy, SIGHUP);
        child_forget(c->proxy);
    }
    link_free(c->link);
    forward_set_done(&c->forwards);
    for (size_t i = 0; i < ARRAY_LEN(signals_that_end); i++)
        loop_signal_close(c->signals[i]);
    loop_timer_close(c->connect_timer);
    loop_timer_close(c->retry_timer);
    loop_free(c->loop);
    identity_list_done(&c->identities);
    mem_free(c->offered);
    mem_free(c->host_key_algorithms);
    mem_free(c->address);
    mem_free(c->methods);
    mem_free(c->stray_line);
    rng_free(c->rng);
    crypto_free(c->crypto);
}

/* IdentityAgent: a socket, "none", "SSH_AUTH_SOCK" or "$NAME" for the environment's. Owned. */
static char *agent_path(const struct client *c)
{
    const struct client_options *o = c->options;
    const char *name = o->identity_agent;
    if (name && strcmp(name, "none") == 0)
        return NULL;
    if (!name || strcmp(name, "SSH_AUTH_SOCK") == 0 || name[0] == '$') {
        const char *value = getenv(name && name[0] == '$' ? name + 1 : "SSH_AUTH_SOCK");
        return value && *value ? mem_strdup(value) : NULL;
    }
    struct string_list given, paths;
    char *path = NULL;
    string_list_init(&given);
    string_list_init(&paths);
    string_list_add(&given, name);
    trust_expand_paths(o, c->request->home, &given, &paths);
    if (paths.count)
        path = mem_strdup(paths.items[0]);
    string_list_done(&given);
    string_list_done(&paths);
    return path;
}

/* "~" and % tokens of the identity files. */
static void load_identities(struct client *c)
{
    struct string_list paths;
    string_list_init(&paths);
    trust_expand_paths(c->options, c->request->home, &c->options->identity_files, &paths);
    CLEANUP(mem_cleanup) char *agent = agent_path(c);
    struct identity_request request = {
        .crypto = c->crypto,
        .paths = &paths,
        .is_explicit = client_options_is_given(c->options, "IdentityFile"),
        .identities_only = c->options->identities_only,
        .agent_path = agent,
    };
    identity_list_load(&c->identities, &request);
    string_list_done(&paths);
}

int client_run(const struct client_request *request)
{
    struct client c = {.request = request,
                       .options = request->options,
                       .attempts_left = request->options->connection_attempts,
                       .status = EXIT_FAILED};
    c.crypto = crypto_new();
    if (!c.crypto) {
        log_fatal("libcrypto lacks an algorithm that adit needs (OpenSSL 3.0 or newer has all)");
        return EXIT_FAILED;
    }
    c.rng = rng_new();
    load_identities(&c);
    client_setup(&c);
    forward_set_bind(&c.forwards);
    if (!c.ending) {
        if (c.options->connect_timeout_s)
            loop_timer_start(c.connect_timer, (uint64_t)c.options->connect_timeout_s * MS_PER_S);
        if (proxy_is_wanted(c.options))
            start_proxy(&c);
        else
            dial_server(&c);
        if (!c.ending || c.link)
            loop_run(c.loop);
    }
    int status = c.status;
    client_teardown(&c);
    return status;
}
