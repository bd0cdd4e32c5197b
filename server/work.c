/*
 * aditd-work: one connection, from its first byte to its last. It holds no private key and decides
 * about no login: signatures and verdicts are questions to the supervisor, and what a user may do
 * comes with the verdict.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/authorized_keys.h"
#include "io/ipc.h"
#include "server/config_text.h"
#include "server/idle.h"
#include "server/role.h"
#include "server/session.h"
#include "tunnel/accept_agent.h"
#include "tunnel/accept_direct.h"
#include "tunnel/accept_tun.h"
#include "wire/namelist.h"
#include "wire/numbers.h"

#define IDENT           "SSH-2.0-adit_" ADIT_VERSION
#define HOST_KEYS_MAX   32
#define QUEUE_CAP       (1024 * 1024)
#define STATUS_PROTOCOL 255
#define BANNER_STEP     16384

struct work {
    struct loop *loop;
    struct ipc *ipc;
    struct loop_signal *term;
    struct link *link;
    struct crypto *crypto;
    struct rng *rng;
    struct transport_config transport;
    struct transport_host_key host_keys[HOST_KEYS_MAX];
    size_t host_key_count;
    char *host_key_algorithms;
    char *address, *local_address;
    uint32_t port, local_port;
    char *user; /* NULL before the first login question */
    struct server_options options;
    struct key_options key;
    struct policy policy;
    struct accept_direct *direct;
    struct accept_tun *tun;
    struct accept_agent *agent;
    struct accept_listen *listen;
    struct sessions *sessions;
    struct idle *idle;
    bool is_up, is_openssh; /* the client */
    struct buf banner;
    int status;
};

static void tell_supervisor(struct work *w, const struct role_msg *m)
{
    struct buf bytes;
    buf_init(&bytes, ROLE_MSG_MAX);
    if (!w->ipc || role_msg_encode(m, &bytes) != OK ||
        ipc_send(w->ipc, buf_slice(&bytes), NULL, 0) != OK)
        link_fail(w->link, ERR_IO, SSH_DISCONNECT_BY_APPLICATION, "the server cannot answer now");
    buf_done(&bytes);
}

/* A session's question goes the same way; a refusal to send is the session's alone. */
static enum err ask_session(void *owner, const struct role_msg *m, int fd)
{
    struct work *w = owner;
    struct buf bytes;
    buf_init(&bytes, ROLE_MSG_MAX);
    enum err err = w->ipc ? role_msg_encode(m, &bytes) : ERR_EOF;
    if (err == OK)
        err = ipc_send(w->ipc, buf_slice(&bytes), &fd, 1);
    buf_done(&bytes);
    return err;
}

/* ---- answers from the supervisor ---- */

/* The user's own options and the key's: both are read before anything is allowed. */
static enum err take_permissions(struct work *w, const struct role_msg *m, int config_fd)
{
    const char *why;
    struct server_options options;
    server_options_init(&options);
    enum err err = config_fd >= 0 ? config_text_from_fd(config_fd, &options) : ERR_PROTOCOL;
    if (err == OK)
        err = key_options_parse(m->options, &w->key, &why);
    if (err != OK) {
        server_options_done(&options);
        return err;
    }
    /* The algorithm lists of the first options stay borrowed by the transport: only values move. */
    struct server_options old = w->options;
    w->options = options;
    char *kept[] = {old.ciphers, old.macs, old.kex_algorithms, old.pubkey_accepted_algorithms};
    w->options.ciphers = kept[0];
    w->options.macs = kept[1];
    w->options.kex_algorithms = kept[2];
    w->options.pubkey_accepted_algorithms = kept[3];
    old.ciphers = options.ciphers;
    old.macs = options.macs;
    old.kex_algorithms = options.kex_algorithms;
    old.pubkey_accepted_algorithms = options.pubkey_accepted_algorithms;
    server_options_done(&old);
    log_set_level(w->options.log_level);
    policy_make(&w->policy, &w->options, &w->key);
    return OK;
}

static void on_answer(struct work *w, const struct role_msg *m, int config_fd)
{
    /* A query's yes brings no permissions; the link knows which of both was asked. */
    if (m->is_allowed && config_fd >= 0 && take_permissions(w, m, config_fd) != OK) {
        link_fail(w->link, ERR_CONFIG, SSH_DISCONNECT_BY_APPLICATION,
                  "the server's options for this user cannot be read");
        return;
    }
    link_answer_auth(w->link, m->is_allowed);
}

static void supervisor_message(void *owner, enum err err, struct slice bytes, const int *fds,
                               size_t fd_count)
{
    struct work *w = owner;
    struct role_msg m;
    if (err == OK)
        err = role_msg_decode(bytes, ROLE_SUPERVISOR, ROLE_WORK, &m);
    if (err != OK) {
        /* A tunnel outlives its supervisor; a login or an exchange that needs it fails then. */
        ipc_close(w->ipc);
        w->ipc = NULL;
        if (!w->is_up)
            link_fail(w->link, ERR_IO, SSH_DISCONNECT_BY_APPLICATION, "the server has ended");
    } else if (m.kind == ROLE_MSG_SIGNATURE) {
        link_give_signature(w->link, m.signature);
    } else if (m.kind == ROLE_MSG_ANSWER) {
        on_answer(w, &m, fd_count ? fds[0] : -1);
    } else {
        log_error("the supervisor repeated its greeting");
    }
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
}

/* ---- events of the link ---- */

static void ask_signature(struct work *w, struct slice hash)
{
    struct transport_signing with = transport_signing(link_transport(w->link));
    tell_supervisor(w, &(struct role_msg){.kind = ROLE_MSG_SIGN,
                                          .name = slice_text(with.algorithm),
                                          .key = with.host_key,
                                          .hash = hash});
}

static void ask_login(struct work *w, const struct auth_server_event *e)
{
    if (!w->user)
        w->user = slice_strdup(e->user);
    tell_supervisor(w, &(struct role_msg){.kind = ROLE_MSG_AUTH,
                                          .user = e->user,
                                          .service = e->service,
                                          .name = e->algorithm,
                                          .key = e->key_blob,
                                          .is_hostbound = e->hostbound,
                                          .has_signature = e->signature.len > 0,
                                          .signature = e->signature});
}

static void forwards_changed(void *owner)
{
    struct work *w = owner;
    if (w->sessions)
        sessions_refresh(w->sessions);
}

static void go_up(struct work *w)
{
    w->is_up = true;
    w->direct = accept_direct_new(w->link, &w->policy);
    w->tun = accept_tun_new(w->link, &w->policy);
    w->agent = accept_agent_new(w->link, &w->policy);
    w->listen = accept_listen_new(w->link, &w->policy, forwards_changed, w);
    const struct session_setup setup = {.options = &w->options,
                                        .key = &w->key,
                                        .agent = w->agent,
                                        .is_openssh = w->is_openssh,
                                        .ask = ask_session,
                                        .owner = w};
    w->sessions = sessions_new(w->link, w->listen, &setup);
    w->idle = idle_new(w->link, &w->options);
}

static void on_global_request(struct work *w, const struct link_event *e)
{
    if (accept_listen_request(w->listen, e))
        return;
    if (slice_is(e->name, "no-more-sessions@openssh.com"))
        sessions_close_door(w->sessions);
    else
        log_debug("global request %s is not known here", ESCAPED(e->name));
    if (e->want_reply)
        link_reply(w->link, e->request, false, SLICE_NONE);
}

static void on_open_request(struct work *w, const struct link_event *e)
{
    if (accept_direct_open(w->direct, e) || accept_tun_open(w->tun, e))
        return;
    if (slice_is(e->name, "session"))
        sessions_open(w->sessions, e->channel);
    else
        link_refuse(w->link, e->channel, SSH_OPEN_UNKNOWN_CHANNEL_TYPE,
                    "this server opens no channel of that type");
}

static void on_down(struct work *w, const struct link_event *e)
{
    const char *who = w->user ? w->user : "";
    const char *role = w->is_up ? "user " : w->user ? "authenticating user " : "";
    const char *space = *who ? " " : "";
    const char *user = ESCAPED(slice_text(who));
    if (e->by_peer) {
        log_info("Received disconnect from %s port %u:%u: %s", w->address, w->port,
                 e->fault.disconnect_reason, ESCAPED(e->text));
        log_info("Disconnected from %s%s%s%s port %u", role, user, space, w->address, w->port);
    } else if (e->fault.code == ERR_EOF) {
        log_info("Connection closed by %s%s%s%s port %u", role, user, space, w->address, w->port);
    } else if (e->fault.code != ERR_CANCELLED) {
        log_info("Disconnecting %s%s%s%s port %u: %s", role, user, space, w->address, w->port,
                 e->fault.text);
    }
    w->status = e->by_peer || e->fault.code == ERR_EOF || e->fault.code == ERR_CANCELLED
                    ? 0
                    : STATUS_PROTOCOL;
    loop_stop(w->loop);
}

static void on_link(void *owner, const struct link_event *e)
{
    struct work *w = owner;
    switch (e->kind) {
    case LINK_IDENT:
        log_debug("Remote protocol identification %s", ESCAPED(e->text));
        w->is_openssh = memmem(e->text.ptr, e->text.len, "OpenSSH", 7) != NULL;
        break;
    case LINK_NEED_SIGNATURE:
        ask_signature(w, e->text);
        break;
    case LINK_AUTH_QUESTION:
        ask_login(w, e->auth_server);
        break;
    case LINK_UP:
        go_up(w);
        break;
    case LINK_GLOBAL_REQUEST:
        on_global_request(w, e);
        break;
    case LINK_OPEN_REQUEST:
        on_open_request(w, e);
        break;
    case LINK_DEBUG:
        log_debug("Remote: %s", ESCAPED(e->text));
        break;
    case LINK_REKEYED:
        log_debug("rekeyed");
        break;
    case LINK_DOWN:
        on_down(w, e);
        break;
    case LINK_SECURED:
    case LINK_GLOBAL_REPLY:
    case LINK_NO_CHANNELS:
    case LINK_STRAY_LINE:
    case LINK_BANNER:
    case LINK_SERVER_KEY:
    case LINK_AUTH_SIGN:
    case LINK_AUTH_REFUSED:
    case LINK_AUTH_FAILED:
        break;
    }
}

/* ---- beginning ---- */

static void keep_host_key(struct work *w, const struct role_msg *m)
{
    if (w->host_key_count >= HOST_KEYS_MAX)
        return;
    uint8_t *blob = mem_new(m->key.len, 1);
    if (m->key.len)
        memcpy(blob, m->key.ptr, m->key.len);
    w->host_keys[w->host_key_count++] = (struct transport_host_key){
        .key_type = slice_strdup(m->name), .blob = slice_of(blob, m->key.len)};
}

/* The supervisor's copy of the Banner file: the worker opens none. */
static enum err read_banner(struct work *w, int fd)
{
    for (;;) {
        uint8_t *room;
        TRY(buf_reserve(&w->banner, BANNER_STEP, &room));
        ssize_t n = pread(fd, room, BANNER_STEP, (off_t)buf_len(&w->banner));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? ERR_IO : OK;
        buf_commit(&w->banner, (size_t)n);
    }
}

/* The supervisor's greeting, before any loop exists: the host keys, then who connected. */
static enum err read_greeting(struct work *w)
{
    struct buf record;
    struct role_msg m = {.kind = ROLE_MSG_HOST_KEY};
    enum err err = OK;
    buf_init(&record, ROLE_MSG_MAX);
    while (err == OK && m.kind != ROLE_MSG_START) {
        int fds[IPC_FDS_MAX];
        size_t fd_count = 0;
        err = ipc_recv_blocking(ROLE_IPC_FD, &record, fds, &fd_count);
        if (fd_count && read_banner(w, fds[0]) != OK)
            log_error("the banner cannot be read");
        for (size_t i = 0; i < fd_count; i++)
            close(fds[i]);
        if (err == OK)
            err = role_msg_decode(buf_slice(&record), ROLE_SUPERVISOR, ROLE_WORK, &m);
        if (err == OK && m.kind == ROLE_MSG_HOST_KEY)
            keep_host_key(w, &m);
        else if (err == OK && m.kind != ROLE_MSG_START)
            err = ERR_PROTOCOL;
    }
    if (err == OK) {
        w->address = slice_strdup(m.address);
        w->local_address = slice_strdup(m.local_address);
        w->port = m.port;
        w->local_port = m.local_port;
    }
    buf_done(&record);
    return err;
}

static void configure_transport(struct work *w)
{
    w->host_key_algorithms = transport_host_key_algorithms(w->host_keys, w->host_key_count,
                                                           w->options.host_key_algorithms);
    w->transport = (struct transport_config){
        .role = TRANSPORT_SERVER,
        .crypto = w->crypto,
        .rng = w->rng,
        .ident = IDENT,
        .kex = w->options.kex_algorithms,
        .host_key = w->host_key_algorithms,
        .cipher = w->options.ciphers,
        .mac = w->options.macs,
        .host_keys = w->host_keys,
        .host_key_count = w->host_key_count,
        .server_sig_algs = w->options.pubkey_accepted_algorithms,
        .rekey_bytes = w->options.rekey_limit.bytes,
        .rekey_interval_ms = (uint64_t)w->options.rekey_limit.seconds * MS_PER_S,
        .hold_rekey = true,
    };
}

/* Two descriptors of one socket are one. */
static bool is_one_socket(void)
{
    struct stat in, out;
    return fstat(STDIN_FILENO, &in) == 0 && fstat(STDOUT_FILENO, &out) == 0 &&
           S_ISSOCK(in.st_mode) && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

static void stream_pending(void *owner UNUSED, enum stream_event event UNUSED, size_t n UNUSED)
{
}

static struct stream *connection_stream(const struct work *w)
{
    bool is_one = is_one_socket();
    struct stream *s = stream_new(w->loop, STDIN_FILENO, is_one ? STDIN_FILENO : STDOUT_FILENO,
                                  QUEUE_CAP, stream_pending, NULL);
    if (is_one)
        (void)close(STDOUT_FILENO); /* the peer's end must not wait for a copy of ours */
    link_tune_stream(s);
    stream_set_keepalive(s, w->options.tcp_keep_alive);
    return s;
}

static void on_term(void *owner, int signal_number UNUSED)
{
    struct work *w = owner;
    link_disconnect(w->link, "the server is shutting down");
}

static int serve(struct work *w)
{
    configure_transport(w);
    if (w->host_key_algorithms[0] == '\0') {
        log_error("no host key fits HostKeyAlgorithms");
        return STATUS_PROTOCOL;
    }
    log_verbose("Connection from %s port %u on %s port %u", w->address, w->port, w->local_address,
                w->local_port);
    w->loop = loop_new();
    w->ipc = ipc_new(w->loop, ROLE_IPC_FD, supervisor_message, w);
    w->term = loop_signal_new(w->loop, SIGTERM, on_term, w);
    struct link_config config = {
        .loop = w->loop,
        .transport = &w->transport,
        .event = on_link,
        .owner = w,
        .alive_interval_s = w->options.client_alive_interval_s,
        .alive_count_max = (uint32_t)w->options.client_alive_count_max,
        .accepted_algorithms = w->options.pubkey_accepted_algorithms,
        .max_auth_tries = (unsigned)w->options.max_auth_tries,
        .banner = buf_slice(&w->banner),
    };
    w->link = link_new(&config, connection_stream(w));
    loop_run(w->loop);
    idle_free(w->idle);
    sessions_free(w->sessions);
    accept_direct_free(w->direct);
    accept_tun_free(w->tun);
    accept_agent_free(w->agent);
    accept_listen_free(w->listen);
    link_free(w->link);
    ipc_close(w->ipc);
    loop_signal_close(w->term);
    loop_free(w->loop);
    return w->status;
}

static void work_done(struct work *w)
{
    for (size_t i = 0; i < w->host_key_count; i++) {
        mem_free((void *)(uintptr_t)w->host_keys[i].key_type);
        mem_free((void *)(uintptr_t)w->host_keys[i].blob.ptr);
    }
    mem_free(w->host_key_algorithms);
    mem_free(w->address);
    mem_free(w->local_address);
    mem_free(w->user);
    buf_done(&w->banner);
    key_options_done(&w->key);
    server_options_done(&w->options);
    rng_free(w->rng);
    crypto_free(w->crypto);
}

int main(int argc, char **argv)
{
    struct work w = {.status = STATUS_PROTOCOL};
    (void)role_start(argc, argv, "aditd-work");
    server_options_init(&w.options);
    buf_init(&w.banner, CONFIG_TEXT_BANNER_MAX + BANNER_STEP);
    w.crypto = crypto_new();
    if (!w.crypto) {
        log_fatal("libcrypto lacks an algorithm that is needed");
        return STATUS_PROTOCOL;
    }
    w.rng = rng_new();
    enum err err = read_greeting(&w);
    if (err == OK)
        err = config_text_from_fd(ROLE_CONFIG_FD, &w.options);
    (void)close(ROLE_CONFIG_FD);
    if (err == OK)
        w.status = serve(&w);
    else
        log_error("the worker was not told what to serve: %s", err_name(err));
    work_done(&w);
    return w.status;
}
