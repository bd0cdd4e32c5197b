/* Talking to ssh-agent. */
#include "client/agent.h"

#include <signal.h>
#include <unistd.h>

#include "crypto/keyfile.h"
#include "io/frame_blocking.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define COMMENT_MAX    4096
#define ANSWER_MS      5000
#define OWNER_MS       120000 /* sshd's LoginGraceTime: nobody waits for the signature any longer */
#define CONSTRAIN_LIFE 1
#define CONSTRAIN_ASK  2

enum {
    AGENTC_REQUEST_IDENTITIES = 11,
    AGENT_IDENTITIES_ANSWER = 12,
    AGENTC_ADD_IDENTITY = 17,
    AGENTC_ADD_ID_CONSTRAINED = 25,
};

struct agent {
    int fd;
    bool is_hurried;
    struct buf message; /* the last answer */
};

enum err agent_connect(struct agent **out, const char *path)
{
    int fd;
    TRY(frame_connect(path, ANSWER_MS, &fd));
    struct agent *a = NEW(struct agent);
    a->fd = fd;
    buf_init(&a->message, AGENT_MSG_MAX);
    *out = a;
    return OK;
}

void agent_free(struct agent *a)
{
    if (!a)
        return;
    if (a->fd >= 0)
        close(a->fd);
    buf_done(&a->message);
    mem_free(a);
}

/*
 * A handler of ours would only tell a loop that does not turn meanwhile: while we wait for an agent
 * ^C ends the process, as it does ssh. What is ignored stays so.
 */
struct signals {
    struct sigaction before[3];
};
static const int signals_that_end[] = {SIGINT, SIGTERM, SIGHUP};

static void signals_let_through(struct signals *s)
{
    static const struct sigaction plain = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < ARRAY_LEN(signals_that_end); i++) {
        (void)sigaction(signals_that_end[i], NULL, &s->before[i]);
        if (s->before[i].sa_handler != SIG_IGN)
            (void)sigaction(signals_that_end[i], &plain, NULL);
    }
}

static void signals_put_back(const struct signals *s)
{
    for (size_t i = 0; i < ARRAY_LEN(signals_that_end); i++)
        (void)sigaction(signals_that_end[i], &s->before[i], NULL);
}

/* request: without its length. The answer ends up in a->message. */
static enum err ask(struct agent *a, struct slice request, unsigned timeout_ms)
{
    struct signals signals;
    if (a->fd < 0)
        return ERR_EOF;
    signals_let_through(&signals);
    enum err err = frame_ask(a->fd, request, timeout_ms, &a->message);
    signals_put_back(&signals);
    if (err != OK) {
        /* A late answer would be taken for that to the next question. */
        close(a->fd);
        a->fd = -1;
    }
    return err;
}

/* What is answered by success or failure alone. */
static enum err ask_whether(struct agent *a, struct slice request)
{
    TRY(ask(a, request, ANSWER_MS));
    return agent_msg_is_success(buf_slice(&a->message)) ? OK : ERR_DENIED;
}

/* ---- the keys ---- */

static void add_key(struct agent_keys *keys, struct slice blob, struct slice comment)
{
    struct agent_key *key;
    keys->items = mem_resize(keys->items, keys->count + 1, sizeof(*keys->items));
    key = &keys->items[keys->count++];
    buf_init(&key->blob, blob.len);
    enum err err = buf_append_slice(&key->blob, blob);
    CHECK(err == OK);
    key->comment = slice_strdup(comment);
}

enum err agent_list(struct agent *a, struct agent_keys *keys)
{
    static const uint8_t request[] = {AGENTC_REQUEST_IDENTITIES};
    struct reader r;
    *keys = (struct agent_keys){0};
    TRY(ask(a, slice_of(request, sizeof(request)), ANSWER_MS));
    reader_init(&r, buf_slice(&a->message));
    if (reader_u8(&r) != AGENT_IDENTITIES_ANSWER)
        return ERR_DENIED;
    uint32_t count = reader_u32(&r);
    if (count > AGENT_KEYS_MAX)
        return ERR_LIMIT;
    for (uint32_t i = 0; i < count; i++) {
        struct slice blob = reader_string(&r);
        struct slice comment = reader_string_max(&r, COMMENT_MAX);
        if (reader_is_ok(&r))
            add_key(keys, blob, comment);
    }
    enum err err = reader_done(&r);
    if (err != OK)
        agent_keys_done(keys);
    return err;
}

void agent_keys_done(struct agent_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        buf_done(&keys->items[i].blob);
        mem_free(keys->items[i].comment);
    }
    mem_free(keys->items);
    *keys = (struct agent_keys){0};
}

/* ---- signatures ---- */

void agent_hurry(struct agent *a)
{
    a->is_hurried = true;
}

enum err agent_sign(struct agent *a, struct slice key_blob, const struct algo_sign *algo,
                    struct slice data, struct buf *signature)
{
    struct buf request;
    buf_init(&request, AGENT_MSG_MAX);
    enum err err = agent_msg_sign(key_blob, algo, data, &request);
    if (err == OK)
        err = ask(a, buf_slice(&request), a->is_hurried ? ANSWER_MS : OWNER_MS);
    buf_done(&request);
    TRY(err);
    return agent_msg_signature(buf_slice(&a->message), signature);
}

/* ---- a new key ---- */

static void constraints_write(struct writer *w, const struct agent_constraints *constraints)
{
    if (constraints->lifetime_s) {
        writer_u8(w, CONSTRAIN_LIFE);
        writer_u32(w, constraints->lifetime_s);
    }
    if (constraints->must_confirm)
        writer_u8(w, CONSTRAIN_ASK);
}

enum err agent_add(struct agent *a, const struct privkey *key, const char *comment,
                   const struct agent_constraints *constraints)
{
    struct buf request;
    struct writer w;
    bool is_constrained = constraints->lifetime_s || constraints->must_confirm;
    buf_init_secret(&request, AGENT_MSG_MAX);
    writer_init(&w, &request);
    writer_u8(&w, is_constrained ? AGENTC_ADD_ID_CONSTRAINED : AGENTC_ADD_IDENTITY);
    enum err err = keyfile_write_fields(key, &request);
    writer_text(&w, comment);
    constraints_write(&w, constraints);
    if (err == OK)
        err = writer_done(&w);
    if (err == OK)
        err = ask_whether(a, buf_slice(&request));
    buf_done(&request);
    return err;
}

/* ---- which host ---- */

enum err agent_bind_session(struct agent *a, const struct agent_session *session)
{
    struct buf request;
    buf_init(&request, AGENT_MSG_MAX);
    enum err err = agent_msg_bind(session, &request);
    if (err == OK)
        err = ask_whether(a, buf_slice(&request));
    buf_done(&request);
    return err == ERR_DENIED ? ERR_UNSUPPORTED : err;
}
