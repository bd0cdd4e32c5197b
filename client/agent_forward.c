/* Lending the agent. */
#include "client/agent_forward.h"

#include <unistd.h>

#include "base/log.h"
#include "crypto/agent_msg.h"
#include "io/dial.h"
#include "io/frame_blocking.h"
#include "tunnel/splice.h"
#include "wire/numbers.h"
#include "wire/writer.h"

#define ANSWER_MS 5000 /* for a question that nobody has to be asked about */

/* Two names for each: OpenSSH's own, and those of the draft, where EXT_INFO has agent-forward. */
static const struct {
    const char *request, *type;
} names[] = {
    {"auth-agent-req@openssh.com", "auth-agent@openssh.com"},
    {"agent-req", "agent-connect"},
};

struct agent_forward {
    char *path;
    bool was_asked; /* some session of ours wants it */
};

/* One connection on its way: dialled, bound, then spliced. */
struct joining {
    struct channel_user user;
    struct dial *dial; /* NULL: done */
    struct stream *agent;
    struct loop_timer *timer;
    struct buf answer; /* u32 length and what it says, as far as it has come */
};

struct agent_forward *agent_forward_new(const char *path)
{
    int fd;
    if (frame_connect(path, ANSWER_MS, &fd) != OK) {
        log_debug("no agent answers at %s: it is not forwarded", path);
        return NULL;
    }
    close(fd);
    struct agent_forward *f = NEW(struct agent_forward);
    f->path = mem_strdup(path);
    return f;
}

void agent_forward_free(struct agent_forward *f)
{
    if (!f)
        return;
    mem_free(f->path);
    mem_free(f);
}

const char *agent_forward_request(struct agent_forward *f, struct link *l)
{
    if (!f)
        return NULL;
    f->was_asked = true;
    return names[transport_peer_ext_info(link_transport(l))->agent_forward].request;
}

bool agent_forward_is_type(struct slice type)
{
    return slice_is(type, names[0].type) || slice_is(type, names[1].type);
}

/* ---- one connection ---- */

static void joining_free(struct joining *j)
{
    if (j->dial)
        dial_cancel(j->dial);
    if (j->agent)
        stream_close(j->agent);
    loop_timer_close(j->timer);
    buf_done(&j->answer);
    mem_free(j);
}

static void on_lost(struct channel_user *u)
{
    joining_free(container_of(u, struct joining, user));
}

static const struct channel_ops joining_ops = {.lost = on_lost};

static void give_up(struct joining *j, const char *why)
{
    log_info("a connection to the agent could not be joined: %s", why);
    link_refuse(j->user.link, j->user.channel, SSH_OPEN_CONNECT_FAILED,
                "the client's agent cannot be reached");
    joining_free(j);
}

static void on_timeout(void *owner)
{
    give_up(owner, "it does not answer");
}

/* The agent has answered, whatever it said: one that knows no hosts is used as ever. */
static void join(struct joining *j)
{
    struct slice answer = buf_slice(&j->answer);
    bool is_bound = agent_msg_is_success(slice_of(answer.ptr + 4, answer.len - 4));
    log_debug("agent forwarding: %s", is_bound ? "bound to this host" : "the agent knows no hosts");
    struct stream *s = j->agent;
    j->agent = NULL;
    stream_reading(s, false);
    splice_accept(j->user.link, j->user.channel, s, NULL, NULL);
    joining_free(j);
}

/* Bytes of the answer that are still to come; not one more is read. 0: it is complete. */
static size_t missing(const struct joining *j)
{
    struct slice got = buf_slice(&j->answer);
    if (got.len < 4)
        return 4 - got.len;
    return 4 + (size_t)get_u32(got.ptr) - got.len;
}

static void on_agent(void *owner, enum stream_event event, size_t n UNUSED)
{
    struct joining *j = owner;
    struct iovec room;
    size_t taken;
    uint8_t *at;
    if (event == STREAM_FAILED) {
        give_up(j, "it went away");
        return;
    }
    if (event != STREAM_READABLE)
        return;
    size_t wanted = missing(j);
    if (buf_reserve(&j->answer, wanted, &at) != OK) {
        give_up(j, "its answer makes no sense");
        return;
    }
    room = (struct iovec){at, wanted};
    enum err err = stream_read(j->agent, &room, 1, &taken);
    if (err == OK) {
        buf_commit(&j->answer, taken);
        if (missing(j) == 0)
            join(j);
    } else if (err != ERR_AGAIN) {
        give_up(j, "it went away");
    }
}

/* PROTOCOL.agent 1: the first thing that is said on the connection. */
static void bind(struct joining *j)
{
    const struct transport *t = link_transport(j->user.link);
    const struct agent_session session = {
        .host_key = transport_server_key(t),
        .session_id = transport_session_id(t),
        .signature = transport_host_signature(t),
        .is_forwarding = true,
    };
    struct buf message;
    size_t taken;
    uint8_t head[4];
    buf_init(&message, AGENT_MSG_MAX);
    enum err err = agent_msg_bind(&session, &message);
    put_u32(head, (uint32_t)buf_len(&message));
    struct slice body = buf_slice(&message);
    struct iovec parts[] = {{head, sizeof(head)}, {(void *)(uintptr_t)body.ptr, body.len}};
    if (err == OK)
        err = stream_write(j->agent, parts, 2, &taken);
    buf_done(&message);
    if (err != OK) {
        give_up(j, "it takes no question");
        return;
    }
    stream_reading(j->agent, true);
    loop_timer_start(j->timer, ANSWER_MS);
}

static void on_dialled(void *owner, const struct dial_result *result)
{
    struct joining *j = owner;
    j->dial = NULL;
    if (result->fd < 0) {
        give_up(j, dial_reason(result));
        return;
    }
    j->agent = stream_new_socket(link_loop(j->user.link), result->fd, result->address,
                                 SPLICE_QUEUE_CAP, on_agent, j);
    bind(j);
}

void agent_forward_open(struct agent_forward *f, struct link *l, const struct link_event *e)
{
    /* A server that helps itself: CVE-2021-36369 of dropbear's client was that, before a login. */
    if (!f || !f->was_asked || e->body.len) {
        log_info("the server asked for the agent, which nobody lent it: refused");
        link_refuse(l, e->channel, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED,
                    "agent forwarding was not asked for");
        return;
    }
    struct joining *j = NEW(struct joining);
    channel_user_init(&j->user, &joining_ops, l, e->channel);
    buf_init(&j->answer, AGENT_MSG_MAX);
    j->timer = loop_timer_new(link_loop(l), on_timeout, j);
    j->dial = dial_new_unix(link_loop(l), f->path, on_dialled, j);
}
