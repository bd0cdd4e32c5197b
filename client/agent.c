/* Talking to ssh-agent. */
#include "client/agent.h"

#include <unistd.h>

#include "crypto/agent_msg.h"
#include "io/frame_blocking.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define COMMENT_MAX 4096

enum {
    AGENT_FAILURE = 5,
    AGENT_SUCCESS = 6,
    AGENTC_REQUEST_IDENTITIES = 11,
    AGENT_IDENTITIES_ANSWER = 12,
    AGENTC_EXTENSION = 27,
    AGENT_EXTENSION_FAILURE = 28,
};

struct agent {
    int fd;
    struct buf message; /* the last answer */
};

enum err agent_connect(struct agent **out, const char *path)
{
    int fd;
    TRY(frame_connect(path, &fd));
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
    close(a->fd);
    buf_done(&a->message);
    mem_free(a);
}

/* request: without its length. The answer ends up in a->message. */
static enum err ask(struct agent *a, struct slice request)
{
    return frame_ask(a->fd, request, &a->message);
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
    TRY(ask(a, slice_of(request, sizeof(request))));
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

enum err agent_sign(struct agent *a, struct slice key_blob, const struct algo_sign *algo,
                    struct slice data, struct buf *signature)
{
    struct buf request;
    buf_init(&request, AGENT_MSG_MAX);
    enum err err = agent_msg_sign(key_blob, algo, data, &request);
    if (err == OK)
        err = ask(a, buf_slice(&request));
    buf_done(&request);
    TRY(err);
    return agent_msg_signature(buf_slice(&a->message), signature);
}

enum err agent_bind_session(struct agent *a, struct slice host_key, struct slice session_id,
                            struct slice signature, bool is_forwarding)
{
    struct buf request;
    struct writer w;
    buf_init(&request, AGENT_MSG_MAX);
    writer_init(&w, &request);
    writer_u8(&w, AGENTC_EXTENSION);
    writer_text(&w, "session-bind@openssh.com");
    writer_string(&w, host_key);
    writer_string(&w, session_id);
    writer_string(&w, signature);
    writer_bool(&w, is_forwarding);
    enum err err = writer_done(&w);
    if (err == OK)
        err = ask(a, buf_slice(&request));
    buf_done(&request);
    TRY(err);
    uint8_t answer = buf_slice(&a->message).ptr[0];
    return answer == AGENT_SUCCESS ? OK : ERR_UNSUPPORTED;
}
