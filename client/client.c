/* One run of the client. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "client/background.h"
#include "client/expand_client.h"
#include "client/host_keys_update.h"
#include "client/internal.h"
#include "client/links.h"
#include "client/session_choice.h"
#include "client/trust.h"
#include "wire/numbers.h"

#define IDENT      "SSH-2.0-adit_" ADIT_VERSION
#define QUICK_ACKS 32 /* reads: a login and the beginning of a session */

static const int signals_that_end[CLIENT_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

/* ---- the end ---- */

void client_finish(struct client *c, int status)
{
    if (c->ending)
        return;
    c->ending = true;
    c->status = status;
    links_leave(c);
    if (c->link && link_is_up(c->link))
        link_disconnect(c->link, "disconnected by user");
    else
        loop_stop(c->loop);
}

static void on_signal(void *owner, int signal_number)
{
    struct client *c = owner;
    /* As ssh has it: the usual end of a tunnel is no failure. */
    bool is_good = signal_number == SIGTERM && c->has_begun &&
                   session_is_declined(c->request->args, c->options);
    if (!is_good)
        log_verbose("Killed by signal %d.", signal_number);
    own_session_cut(c);
    client_finish(c, is_good ? EXIT_SUCCESS : EXIT_FAILED);
    /* Nobody is there to take leave of: what sessions still have to deliver is given up. */
    if (c->is_down)
        loop_stop(c->loop);
    /* A second one does not wait for a polite goodbye. */
    if (c->status && c->ending && !c->link)
        loop_stop(c->loop);
}

/* ---- going to the background (-f) ---- */

void client_settled(struct client *c)
{
    if (c->ready || c->ending || !c->has_begun || !link_is_up(c->link))
        return;
    bool wait = c->options->exit_on_forward_failure;
    if (wait && (c->tun_asked || !forward_set_is_settled(&c->forwards)))
        return;
    c->ready = true;
    if (c->request->ready_fd < 0)
        return;
    background_leave(c->request->ready_fd);
    client_look_for_end(c);
}

void client_begun(struct client *c)
{
    /* Not before: -f gives the standard descriptors away, and who waits looks for the master. */
    c->has_begun = !own_session_is_waiting(c);
    client_settled(c);
}

/* ---- forwards ---- */

static void on_forward_changed(void *owner, struct forward *f)
{
    struct client *c = owner;
    links_forward_changed(c, f);
    if (mux_master_forward_changed(c, f))
        return;
    if (f->state == FORWARD_REFUSED) {
        bool is_remote = forward_spec_is_remote(&f->spec);
        bool fatal = c->options->exit_on_forward_failure && !f->is_late;
        if (is_remote)
            tell_remote_refused(f, fatal);
        else if (fatal)
            log_error("Could not request local forwarding.");
        if (fatal) {
            client_finish(c, EXIT_FAILED);
            return;
        }
    }
    if (c->link)
        client_settled(c);
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
    client_finish(c, EXIT_FAILED);
}

static void on_stdio_done(void *owner, const struct splice_report *report)
{
    struct client *c = owner;
    /* Not before the peer has closed too: what it still delivers would die with the link. */
    if (report->aborted)
        client_finish(c, EXIT_FAILED);
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
        client_finish(c, EXIT_FAILED);
}

/* ---- the link's events ---- */

static void on_up(struct client *c)
{
    reach_arrived(c);
    log_debug("Entering interactive session.");
    forward_set_start(&c->forwards, c->link);
    if (!c->ending)
        tun_begin(c);
    if (c->ending)
        return;
    mux_master_start(c);
    links_look(c);
    if (c->request->args->stdio_host)
        start_stdio(c);
    else
        own_session_start(c);
    client_begun(c);
}

static bool has_sessions(const struct client *c)
{
    return own_session_is_open(c) || mux_master_has_sessions(c);
}

static void on_down(struct client *c, const struct link_event *e)
{
    forward_set_link_down(&c->forwards);
    own_session_give_terminal_back(c);
    if (!c->is_told)
        tell_down(c, e);
    if (!c->ending) {
        c->status = EXIT_FAILED;
        c->has_left = e->fault.code == ERR_EOF && !e->by_peer;
    }
    c->ending = c->is_down = true;
    links_leave(c);
    mux_master_stop(c); /* its place is free for the master of the next connection */
    client_look_for_end(c);
}

static bool is_idle(const struct client *c)
{
    return links_channels(c) == 0 && !mux_master_is_busy(c);
}

void client_look_for_end(struct client *c)
{
    int status = EXIT_SUCCESS;
    if (c->is_down && !has_sessions(c)) {
        if (c->has_left && own_session_is_over(c, &status))
            c->status = status;
        loop_stop(c->loop);
    } else if (c->link && link_is_up(c->link) && is_idle(c)) {
        if (own_session_is_over(c, &status) || c->stdio_done || c->ends_when_idle)
            client_finish(c, status);
        else if (c->request->is_master_only && c->options->control_persist.seconds)
            loop_timer_start(c->persist_timer,
                             (uint64_t)c->options->control_persist.seconds * MS_PER_S);
    }
}

static void on_persisted(void *owner)
{
    struct client *c = owner;
    if (!is_idle(c))
        return; /* its end starts the time anew */
    log_verbose("ControlPersist timeout expired");
    client_finish(c, EXIT_SUCCESS);
}

void client_end_when_idle(struct client *c)
{
    int status;
    /* One that has a session of its own ends with that. */
    bool has_own = own_session_is_open(c) || own_session_is_over(c, &status);
    c->ends_when_idle = !has_own;
    client_look_for_end(c);
}

static void tell_no_crypto(void)
{
    log_fatal("libcrypto lacks an algorithm that adit needs (OpenSSL 3.0 or newer has all)");
}

static struct trust_request trust_question(const struct client *c)
{
    return (struct trust_request){.crypto = c->crypto,
                                  .rng = c->rng,
                                  .options = c->options,
                                  .facts = c->request->facts,
                                  .address = c->address};
}

static void on_server_key(struct client *c, struct slice blob)
{
    struct trust_request request = trust_question(c);
    struct trust_verdict verdict;
    reach_arrived(c); /* the key exchange ends it; a person has the time that it takes */
    trust_server_key(&request, blob, &verdict);
    c->may_learn_keys = verdict.may_learn;
    if (!verdict.is_trusted)
        c->ending = c->is_told = true; /* trust_server_key told why */
    c->status = EXIT_FAILED;
    if (!verdict.is_trusted)
        log_error("Host key verification failed.");
    link_trust(c->link, verdict.is_trusted);
}

/*
 * What is wanted later than the server's half of the key exchange, read while the server makes
 * that: the ciphers and the user's keys. The first call only waits for the next turn, as our own
 * half may not have been sent in this one.
 */
static void use_the_wait(void *owner)
{
    struct client *c = owner;
    if (c->ending)
        return;
    if (!c->has_waited) {
        c->has_waited = true;
        loop_turn_request(c->loop, &c->use_the_wait);
        return;
    }
    if (!crypto_fetch_rest(c->crypto)) {
        tell_no_crypto();
        client_finish(c, EXIT_FAILED);
    } else if (!c->login) {
        login_init(c);
    }
}

static void on_secured(struct client *c)
{
    struct transport_names n = transport_algorithms(link_transport(c->link));
    log_verbose("secured by %s, %s, %s", n.kex, n.host_key, n.send_cipher);
    weak_crypto_tell(c);
    if (!c->login)
        login_init(c);
    login_start(c);
}

/* What a server says before its identification: a hint what it is, if it is no SSH server. */
static void on_stray_line(struct client *c, struct slice line)
{
    log_debug("banner: %s", ESCAPED(line));
    if (!c->stray_line)
        c->stray_line = slice_strdup(slice_text(ESCAPED(line)));
}

static void on_link(void *owner, const struct link_event *e)
{
    struct client *c = owner;
    switch (e->kind) {
    case LINK_IDENT:
        c->identified = true;
        loop_turn_request(c->loop, &c->use_the_wait);
        log_debug("Remote protocol version 2.0, remote software version %s", ESCAPED(e->text));
        break;
    case LINK_STRAY_LINE:
        on_stray_line(c, e->text);
        break;
    case LINK_BANNER:
        tell_banner(e->text);
        break;
    case LINK_SERVER_KEY:
        on_server_key(c, e->text);
        break;
    case LINK_SECURED:
        on_secured(c);
        break;
    case LINK_AUTH:
        login_event(c, e->auth_client);
        break;
    case LINK_UP:
        on_up(c);
        break;
    case LINK_REKEYED:
        log_debug("rekeyed");
        break;
    case LINK_GLOBAL_REQUEST:
        if (slice_is(e->name, "hostkeys-00@openssh.com"))
            host_keys_update_told(c, e->body);
        if (e->want_reply)
            link_reply(c->link, e->request, false, SLICE_NONE);
        break;
    case LINK_GLOBAL_REPLY:
        if (!mux_master_reply(c, e) && !host_keys_update_reply(c, e) &&
            forward_set_reply(&c->forwards, e))
            client_settled(c);
        break;
    case LINK_OPEN_REQUEST:
        if (mux_master_takes(c, e))
            break;
        if (slice_is(e->name, "forwarded-tcpip") ||
            slice_is(e->name, "forwarded-streamlocal@openssh.com"))
            forward_set_open(&c->forwards, c->link, e);
        else if (agent_forward_is_type(e->name))
            agent_forward_open(c->agent_forward, c->link, e);
        else
            link_refuse(c->link, e->channel, SSH_OPEN_UNKNOWN_CHANNEL_TYPE,
                        "this client takes forwarded connections only");
        break;
    case LINK_NO_CHANNELS:
        client_look_for_end(c);
        break;
    case LINK_DEBUG:
        tell_debug(e);
        break;
    case LINK_DOWN:
        on_down(c, e);
        break;
    case LINK_NEED_SIGNATURE:
        break;
    }
}

/* ---- making and ending ---- */

bool client_peer_is_openssh(const struct client *c)
{
    char *ident CLEANUP(mem_cleanup) = slice_strdup(transport_peer_ident(link_transport(c->link)));
    return strstr(ident, "OpenSSH_") || strstr(ident, "-adit");
}

struct link_window client_window(struct client *c)
{
    const struct window_sizes *sizes = &c->options->window;
    c->windows.limit = sizes->process;
    return (struct link_window){(uint32_t)sizes->channel, sizes->connection, &c->windows};
}

struct link *client_new_link(struct client *c, int read_fd, int write_fd, link_owner *event,
                             void *owner)
{
    const struct client_options *o = c->options;
    struct stream *s = stream_new(c->loop, read_fd, write_fd, 0, NULL, NULL);
    link_tune_stream(s);
    stream_set_quick_acks(s, QUICK_ACKS); /* sshd has Nagle's algorithm on */
    stream_set_keepalive(s, o->tcp_keep_alive);
    stream_set_tos(s, o->ip_qos.bulk); /* a session that has a terminal changes it */
    struct link_config config = {
        .loop = c->loop,
        .transport = &c->transport,
        .event = event,
        .owner = owner,
        .alive_interval_s = o->server_alive_interval_s,
        .alive_count_max = (uint32_t)MAX(o->server_alive_count_max, 0),
        .window = client_window(c),
    };
    return link_new(&config, s);
}

/* Enough to dial: no key, no peer. */
static void client_setup(struct client *c)
{
    const struct client_options *o = c->options;
    c->loop = loop_new();
    loop_take_all_descriptors(c->loop); /* a channel needs one, and there may be thousands */
    reach_init(c);
    c->persist_timer = loop_timer_new(c->loop, on_persisted, c);
    for (size_t i = 0; i < ARRAY_LEN(signals_that_end); i++)
        c->signals[i] = loop_signal_unless_ignored(c->loop, signals_that_end[i], on_signal, c);
    forward_set_init(&c->forwards, c->loop, on_forward_changed, c);
    c->forwards.gateway_ports = o->gateway_ports;
    c->forwards.permit_remote_open = policy_rules_of(&o->permit_remote_open, "PermitRemoteOpen");
    c->forwards.bind_mask = o->stream_local_bind_mask;
    c->forwards.bind_unlink = o->stream_local_bind_unlink;
    c->forwards.family = way_family(o);
    add_forwards(c);
}

static void setup_transport(struct client *c)
{
    const struct client_options *o = c->options;
    struct trust_request question = trust_question(c);
    c->host_key_algorithms = trust_order_algorithms(&question, o->host_key_algorithms);
    c->ident =
        o->version_addendum ? mem_printf("%s %s", IDENT, o->version_addendum) : mem_strdup(IDENT);
    c->transport = (struct transport_config){
        .role = TRANSPORT_CLIENT,
        .crypto = c->crypto,
        .rng = c->rng,
        .ident = c->ident,
        .kex = o->kex_algorithms,
        .host_key = c->host_key_algorithms,
        .cipher = o->ciphers,
        .mac = o->macs,
        .compression = o->compression ? "zlib@openssh.com,none" : "none,zlib@openssh.com",
        .hold_rekey = true, /* new keys wait for the login, as with every other client */
        .rekey_bytes = o->rekey_limit.bytes,
        .rekey_interval_ms = (uint64_t)o->rekey_limit.seconds * MS_PER_S,
    };
}

/* libcrypto takes longer to get ready than a server nearby to answer: that one is called first. */
static void prepare(void *owner)
{
    struct client *c = owner;
    if (c->crypto || c->ending)
        return;
    c->crypto = crypto_new_in_haste();
    if (!c->crypto) {
        tell_no_crypto();
        client_finish(c, EXIT_FAILED);
        return;
    }
    c->rng = rng_new();
    setup_transport(c);
}

void client_start_link(struct client *c, int read_fd, int write_fd)
{
    prepare(c); /* a proxy is there before the loop runs */
    if (!c->crypto) {
        close(read_fd);
        if (write_fd != read_fd)
            close(write_fd);
        return;
    }
    log_debug("Local version string %s", c->transport.ident);
    c->link = client_new_link(c, read_fd, write_fd, on_link, c);
}

static void client_teardown(struct client *c)
{
    loop_turn_cancel(&c->prepare);
    loop_turn_cancel(&c->use_the_wait);
    reach_done(c);
    tun_done(c);
    mux_master_done(c);
    own_session_done(c);
    loop_timer_close(c->persist_timer);
    links_done(c);
    link_free(c->link);
    forward_set_done(&c->forwards);
    for (size_t i = 0; i < ARRAY_LEN(signals_that_end); i++)
        loop_signal_close(c->signals[i]);
    loop_free(c->loop);
    login_done(c);
    mem_free(c->host_key_algorithms);
    host_keys_update_done(c);
    mem_free(c->ident);
    mem_free(c->address);
    mem_free(c->methods);
    mem_free(c->stray_line);
    rng_free(c->rng);
    crypto_free(c->crypto);
}

/* -O proxy: a master has logged in already, and relays. */
static void start_bare_link(struct client *c)
{
    int fd = c->request->proxy_fd;
    prepare(c);
    if (!c->crypto)
        return;
    struct link_config config = {
        .loop = c->loop,
        .transport = &c->transport,
        .adopted = transport_new_bare(&c->transport, loop_now(c->loop)),
        .event = on_link,
        .owner = c,
        .window = client_window(c),
    };
    c->identified = true;
    c->link = link_new(&config, stream_new(c->loop, fd, fd, 0, NULL, NULL));
}

int client_run(const struct client_request *request)
{
    struct client c = {.request = request, .options = request->options, .status = EXIT_FAILED};
    c.prepare = (struct loop_turn){.callback = prepare, .owner = &c};
    c.use_the_wait = (struct loop_turn){.callback = use_the_wait, .owner = &c};
    if (own_session_init(&c) != OK)
        c.ending = true;
    client_setup(&c);
    forward_set_bind(&c.forwards);
    if (!c.ending && request->proxy_fd >= 0)
        start_bare_link(&c);
    else if (!c.ending)
        reach_begin(&c);
    loop_turn_request(c.loop, &c.prepare); /* behind the dial's own */
    if (!c.ending || c.link) {
        loop_run(c.loop);
    }
    int status = c.status;
    client_teardown(&c);
    return status;
}
