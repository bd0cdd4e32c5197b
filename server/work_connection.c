/* One connection of a worker. */
#include "server/work_connection.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/authorized_keys.h"
#include "base/log.h"
#include "io/ipc_blocking.h"
#include "server/config_text.h"
#include "server/host_proofs.h"
#include "server/idle.h"
#include "server/session.h"
#include "server/ticket.h"
#include "tunnel/accept_agent.h"
#include "tunnel/accept_direct.h"
#include "tunnel/accept_tun.h"
#include "tunnel/policy.h"
#include "wire/numbers.h"

#define QUEUE_CAP       (1024 * 1024)
#define STATUS_PROTOCOL 255

struct work_connection {
    const struct work_host *host;
    uint32_t id;
    int ticket_fd;
    struct buf ticket_bytes;
    struct role_msg ticket; /* borrows from ticket_bytes */
    char *user, *address, *fingerprint;
    struct server_options first_options; /* the transport's algorithm lists borrow from these */
    struct server_options options;       /* those in force */
    struct key_options key;
    struct policy policy;
    struct server_transport transport;
    struct link *link;
    struct accept_direct *direct;
    struct accept_listen *listen;
    struct accept_tun *tun;
    struct accept_agent *agent;
    struct sessions *sessions;
    struct host_proofs *proofs;
    struct idle *idle;
    struct loop_turn end_turn;
    struct buf signing; /* the exchange hash whose signature is out; empty: none */
    bool is_openssh;    /* the client */
    uint64_t since_ms;
    int status;
};

uint32_t work_connection_id(const struct work_connection *c)
{
    return c->id;
}

int work_connection_ticket(const struct work_connection *c)
{
    return c->ticket_fd;
}

int work_connection_status(const struct work_connection *c)
{
    return c->status;
}

void work_connection_say_goodbye(struct work_connection *c, const char *text)
{
    link_disconnect(c->link, text);
}

/* ---- questions to the supervisor ---- */

static enum err ask_session(void *owner, const struct role_msg *m, int fd)
{
    struct work_connection *c = owner;
    struct role_msg question = *m;
    question.connection = c->id;
    return c->host->tell(c->host->owner, &question, &fd, 1);
}

static bool ask_port(void *owner, uint32_t tag, struct slice address, uint16_t port)
{
    struct work_connection *c = owner;
    const struct role_msg m = {
        .kind = ROLE_MSG_BIND, .connection = c->id, .tag = tag, .host = address, .port = port};
    return c->host->tell(c->host->owner, &m, NULL, 0) == OK;
}

void work_connection_bound(struct work_connection *c, const struct role_msg *m, const int *fds,
                           size_t fd_count)
{
    if (c->listen) {
        accept_listen_bound(c->listen, m->tag, fds, fd_count, (int)m->error_number);
        return;
    }
    ipc_close_fds(fds, fd_count);
}

static bool ask_join(void *owner, uint32_t tag, struct slice session_id, struct slice address,
                     uint16_t port)
{
    struct work_connection *c = owner;
    const struct role_msg m = {.kind = ROLE_MSG_JOIN,
                               .connection = c->id,
                               .tag = tag,
                               .session_id = session_id,
                               .host = address,
                               .port = port};
    return c->host->tell(c->host->owner, &m, NULL, 0) == OK;
}

void work_connection_lend(struct work_connection *c, const struct role_msg *asked)
{
    int fds[IPC_FDS_MAX];
    size_t count = c->listen ? accept_listen_lend(c->listen, asked->host, (uint16_t)asked->port,
                                                  fds, ARRAY_LEN(fds))
                             : 0;
    const struct role_msg m = {.kind = ROLE_MSG_LENT,
                               .connection = c->id,
                               .tag = asked->tag,
                               .error_number = count ? 0 : ENOENT};
    (void)!c->host->tell(c->host->owner, &m, fds, count);
}

static enum err ask_proof(void *owner, const struct role_msg *m)
{
    struct work_connection *c = owner;
    struct role_msg question = *m;
    question.connection = c->id;
    return c->host->tell(c->host->owner, &question, NULL, 0);
}

void work_connection_proved(struct work_connection *c, uint32_t tag, struct slice signature)
{
    if (c->proofs)
        host_proofs_proved(c->proofs, tag, signature);
}

/* While no supervisor is there the question waits: the exchange has its own patience. */
static void ask_signature(struct work_connection *c)
{
    if (buf_len(&c->signing) == 0)
        return;
    struct transport_signing with = transport_signing(link_transport(c->link));
    const struct role_msg m = {.kind = ROLE_MSG_SIGN,
                               .connection = c->id,
                               .name = slice_text(with.algorithm),
                               .key = with.host_key,
                               .hash = buf_slice(&c->signing)};
    if (c->host->tell(c->host->owner, &m, NULL, 0) != OK)
        log_verbose("an exchange waits for a signature: the supervisor is away");
}

/* The client's requests are answered in order: one without an answer would hold all that follow,
 * its probes of our life among them. */
void work_connection_unanswered(struct work_connection *c)
{
    if (c->proofs)
        host_proofs_lost(c->proofs);
    if (c->listen)
        accept_listen_lost(c->listen);
}

void work_connection_ask_again(struct work_connection *c)
{
    ask_signature(c);
}

void work_connection_signed(struct work_connection *c, struct slice signature)
{
    if (buf_len(&c->signing) == 0)
        return; /* asked twice, answered twice */
    buf_clear(&c->signing);
    link_give_signature(c->link, signature);
}

/* ---- what the user may do ---- */

/* The worker's connections share one limit: that of the options that came last. */
static void set_windows(struct work_connection *c)
{
    const struct window_sizes *sizes = &c->options.window;
    c->host->windows->limit = sizes->process;
    link_set_window(c->link, (uint32_t)sizes->channel, sizes->connection);
}

static void close_idle(struct work_connection *c)
{
    idle_free(c->idle);
    c->idle = NULL;
}

void work_connection_options(struct work_connection *c, int config_fd)
{
    struct server_options options;
    server_options_init(&options);
    if (config_text_from_fd(config_fd, &options) != OK) {
        log_error("new options cannot be read: what they forbid would go on");
        server_options_done(&options);
        link_disconnect(c->link, "the server's configuration has changed");
        return;
    }
    close_idle(c);
    server_options_done(&c->options);
    c->options = options;
    policy_make(&c->policy, &c->options, &c->key);
    link_set_alive(c->link, c->options.client_alive_interval_s,
                   (uint32_t)c->options.client_alive_count_max);
    set_windows(c);
    if (c->listen)
        accept_listen_review(c->listen);
    if (c->link && link_is_up(c->link))
        c->idle = idle_new(c->link, &c->options);
}

/* ---- events of the link ---- */

static void forwards_changed(void *owner)
{
    struct work_connection *c = owner;
    if (c->sessions)
        sessions_refresh(c->sessions);
}

/* The forwards' lines in the log name the login. */
static void name_login(struct work_connection *c)
{
    const struct audit_who who = {
        .user = c->user, .key = c->fingerprint, .address = c->address, .port = c->ticket.port};
    accept_direct_set_who(c->direct, &who);
    accept_listen_set_who(c->listen, &who);
    accept_agent_set_who(c->agent, &who);
    accept_tun_set_who(c->tun, &who);
}

static void go_up(struct work_connection *c)
{
    c->direct = accept_direct_new(c->link, &c->policy);
    c->agent = accept_agent_new(c->link, &c->policy);
    c->tun = accept_tun_new(c->link, &c->policy);
    c->listen = accept_listen_new(c->link, &c->policy, forwards_changed, c);
    if (geteuid() != 0)
        accept_listen_set_binder(c->listen, ask_port, c);
    accept_listen_set_joiner(c->listen, ask_join, c);
    name_login(c);
    const struct session_setup setup = {.options = &c->options,
                                        .key = &c->key,
                                        .agent = c->agent,
                                        .is_openssh = c->is_openssh,
                                        .ask = ask_session,
                                        .owner = c};
    c->sessions = sessions_new(c->link, c->listen, c->direct, &setup);
    c->idle = idle_new(c->link, &c->options);
    c->proofs = host_proofs_new(c->link, c->host->keys, ask_proof, c);
}

static void on_global_request(struct work_connection *c, const struct link_event *e)
{
    if (accept_listen_request(c->listen, e) || host_proofs_request(c->proofs, e))
        return;
    if (slice_is(e->name, "no-more-sessions@openssh.com"))
        sessions_close_door(c->sessions);
    else
        log_debug("global request %s is not known here", ESCAPED(e->name));
    if (e->want_reply)
        link_reply(c->link, e->request, false, SLICE_NONE);
}

static void on_open_request(struct work_connection *c, const struct link_event *e)
{
    if (accept_direct_open(c->direct, e) || accept_tun_open(c->tun, e))
        return;
    if (slice_is(e->name, "session"))
        sessions_open(c->sessions, e->channel);
    else
        link_refuse(c->link, e->channel, SSH_OPEN_UNKNOWN_CHANNEL_TYPE,
                    "this server opens no channel of that type");
}

static void on_end_turn(void *owner)
{
    struct work_connection *c = owner;
    c->host->ended(c->host->owner, c);
}

/* OpenSSH's sentence for it; NULL: it has none. The caller frees. */
static char *end_sentence(const struct work_connection *c, const struct link_event *e)
{
    const char *user = ESCAPED(slice_text(c->user));
    if (e->by_peer)
        return mem_printf("Disconnected from user %s %s port %u", user, c->address, c->ticket.port);
    if (e->fault.code == ERR_EOF)
        return mem_printf("Connection closed by user %s %s port %u", user, c->address,
                          c->ticket.port);
    if (e->fault.code == ERR_CANCELLED)
        return NULL;
    return mem_printf("Disconnecting user %s %s port %u: %s", user, c->address, c->ticket.port,
                      e->fault.text);
}

static void log_logout(const struct work_connection *c, const struct link_event *e)
{
    char *sentence CLEANUP(mem_cleanup) = end_sentence(c, e);
    const char *reason = e->by_peer                 ? "disconnected by the client"
                         : e->fault.code == ERR_EOF ? "closed by the client"
                                                    : e->fault.text;
    const struct conn *conn = link_conn(c->link);
    LOG_EVENT(LOG_INFO, "logout", sentence, log_text("user", c->user),
              log_text("key", c->fingerprint), log_text("from", c->address),
              log_number("from_port", c->ticket.port), log_number("bytes_in", conn_data_in(conn)),
              log_number("bytes_out", conn_data_out(conn)),
              log_number("duration_ms", loop_now(c->host->loop) - c->since_ms),
              log_text("reason", reason));
}

static void on_down(struct work_connection *c, const struct link_event *e)
{
    bool is_quiet = e->by_peer || e->fault.code == ERR_EOF || e->fault.code == ERR_CANCELLED;
    if (e->by_peer)
        log_info("Received disconnect from %s port %u:%u: %s", c->address, c->ticket.port,
                 e->fault.disconnect_reason, ESCAPED(e->text));
    log_logout(c, e);
    c->status = is_quiet ? 0 : STATUS_PROTOCOL;
    c->end_turn = (struct loop_turn){.callback = on_end_turn, .owner = c};
    loop_turn_request(c->host->loop, &c->end_turn);
}

static void on_link(void *owner, const struct link_event *e)
{
    struct work_connection *c = owner;
    switch (e->kind) {
    case LINK_NEED_SIGNATURE:
        buf_clear(&c->signing);
        CHECK(buf_append_slice(&c->signing, e->text) == OK);
        ask_signature(c);
        break;
    case LINK_UP:
        go_up(c);
        break;
    case LINK_GLOBAL_REQUEST:
        on_global_request(c, e);
        break;
    case LINK_OPEN_REQUEST:
        on_open_request(c, e);
        break;
    case LINK_DEBUG:
        log_debug("Remote: %s", ESCAPED(e->text));
        break;
    case LINK_REKEYED:
        log_debug("rekeyed");
        break;
    case LINK_DOWN:
        on_down(c, e);
        break;
    case LINK_IDENT:
    case LINK_SECURED:
    case LINK_GLOBAL_REPLY:
    case LINK_NO_CHANNELS:
    case LINK_STRAY_LINE:
    case LINK_BANNER:
    case LINK_SERVER_KEY:
    case LINK_AUTH:
        break;
    }
}

/* ---- beginning ---- */

/* Two descriptors of one socket are one. */
static bool is_one_socket(int a, int b)
{
    struct stat in, out;
    return fstat(a, &in) == 0 && fstat(b, &out) == 0 && S_ISSOCK(in.st_mode) &&
           in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

static void stream_pending(void *owner UNUSED, enum stream_event event UNUSED, size_t n UNUSED)
{
}

static struct stream *connection_stream(const struct work_connection *c, int in_fd, int out_fd)
{
    bool is_one = is_one_socket(in_fd, out_fd);
    struct stream *s =
        stream_new(c->host->loop, in_fd, is_one ? in_fd : out_fd, QUEUE_CAP, stream_pending, NULL);
    if (is_one)
        (void)close(out_fd); /* the peer's end must not wait for a copy of ours */
    link_tune_stream(s);
    stream_set_keepalive(s, c->options.tcp_keep_alive);
    stream_set_tos(s, c->options.ip_qos.bulk);
    return s;
}

/* Who it is and what holds for it, before a byte of the record is looked at. */
static enum err read_terms(struct work_connection *c, const struct work_adoption *a)
{
    const char *why;
    TRY(config_text_from_fd(a->config_fd, &c->first_options));
    TRY(config_text_from_fd(a->config_fd, &c->options));
    TRY(ticket_read(a->ticket_fd, ROLE_WORK, &c->ticket_bytes, &c->ticket));
    TRY(key_options_parse(c->ticket.options, &c->key, &why));
    c->user = slice_strdup(c->ticket.user);
    c->address = slice_strdup(c->ticket.address);
    c->fingerprint = c->ticket.fingerprint.len ? slice_strdup(c->ticket.fingerprint) : NULL;
    policy_make(&c->policy, &c->options, &c->key);
    return OK;
}

static enum err adopt(struct work_connection *c, const struct work_adoption *a)
{
    struct transport *transport;
    TRY(read_terms(c, a));
    server_transport_init(&c->transport, c->host->keys, &c->first_options, c->host->crypto,
                          c->host->rng);
    TRY(transport_import(&transport, &c->transport.config, a->record, loop_now(c->host->loop)));
    struct slice ident = transport_peer_ident(transport);
    c->is_openssh = memmem(ident.ptr, ident.len, "OpenSSH", 7) != NULL;
    const struct link_config config = {
        .loop = c->host->loop,
        .transport = &c->transport.config,
        .adopted = transport,
        .event = on_link,
        .owner = c,
        .alive_interval_s = c->options.client_alive_interval_s,
        .alive_count_max = (uint32_t)c->options.client_alive_count_max,
        .window.process = c->host->windows,
    };
    c->link = link_new(&config, connection_stream(c, a->in_fd, a->out_fd));
    set_windows(c);
    return OK;
}

enum err work_connection_new(struct work_connection **out, const struct work_host *host,
                             const struct work_adoption *a)
{
    struct work_connection *c = NEW(struct work_connection);
    c->host = host;
    c->id = a->connection;
    c->ticket_fd = a->ticket_fd;
    c->status = STATUS_PROTOCOL;
    c->since_ms = loop_now(host->loop);
    server_options_init(&c->first_options);
    server_options_init(&c->options);
    buf_init(&c->ticket_bytes, ROLE_MSG_MAX);
    buf_init(&c->signing, ROLE_MSG_HASH_MAX);
    enum err err = adopt(c, a);
    close(a->config_fd);
    if (err == OK) {
        *out = c;
        return OK;
    }
    close(a->in_fd);
    close(a->out_fd);
    work_connection_free(c);
    return err;
}

void work_connection_free(struct work_connection *c)
{
    close_idle(c);
    sessions_free(c->sessions);
    host_proofs_free(c->proofs);
    accept_direct_free(c->direct);
    accept_tun_free(c->tun);
    accept_agent_free(c->agent);
    accept_listen_free(c->listen);
    link_free(c->link);
    loop_turn_cancel(&c->end_turn);
    server_transport_done(&c->transport);
    key_options_done(&c->key);
    server_options_done(&c->options);
    server_options_done(&c->first_options);
    close(c->ticket_fd);
    buf_done(&c->ticket_bytes);
    buf_done(&c->signing);
    mem_free(c->user);
    mem_free(c->address);
    mem_free(c->fingerprint);
    mem_free(c);
}
