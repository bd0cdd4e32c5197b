/* Talking to ssh-agent. */
#include "client/agent.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/reader.h"
#include "wire/writer.h"

#define MESSAGE_MAX (256 * 1024) /* OpenSSH's AGENT_MAX_LEN */
#define COMMENT_MAX 4096

enum {
    AGENT_FAILURE = 5,
    AGENT_SUCCESS = 6,
    AGENTC_REQUEST_IDENTITIES = 11,
    AGENT_IDENTITIES_ANSWER = 12,
    AGENTC_SIGN_REQUEST = 13,
    AGENT_SIGN_RESPONSE = 14,
    AGENTC_EXTENSION = 27,
    AGENT_EXTENSION_FAILURE = 28,
};
enum { SIGN_RSA_SHA2_256 = 2, SIGN_RSA_SHA2_512 = 4 };

struct agent {
    int fd;
    struct buf message; /* the last answer */
};

enum err agent_connect(struct agent **out, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return ERR_LIMIT;
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return ERR_NOT_FOUND;
    }
    struct agent *a = NEW(struct agent);
    a->fd = fd;
    buf_init(&a->message, MESSAGE_MAX);
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

/* ---- one request, one answer ---- */

static enum err send_all(int fd, struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        bytes = slice_of(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return OK;
}

static enum err receive_exactly(int fd, uint8_t *room, size_t size)
{
    while (size) {
        ssize_t n = recv(fd, room, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? ERR_EOF : ERR_IO;
        room += n;
        size -= (size_t)n;
    }
    return OK;
}

/* request: without its length. The answer ends up in a->message. */
static enum err ask(struct agent *a, struct slice request)
{
    uint8_t length[4];
    uint8_t *room;
    put_u32(length, (uint32_t)request.len);
    TRY(send_all(a->fd, slice_of(length, 4)));
    TRY(send_all(a->fd, request));
    TRY(receive_exactly(a->fd, length, 4));
    uint32_t size = get_u32(length);
    if (size == 0 || size > MESSAGE_MAX)
        return ERR_LIMIT;
    buf_clear(&a->message);
    TRY(buf_reserve(&a->message, size, &room));
    TRY(receive_exactly(a->fd, room, size));
    buf_commit(&a->message, size);
    return OK;
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

static uint32_t flags_for(const struct algo_sign *algo)
{
    if (algo->kind != KEY_RSA)
        return 0;
    return algo->digest == DIGEST_SHA512 ? SIGN_RSA_SHA2_512 : SIGN_RSA_SHA2_256;
}

enum err agent_sign(struct agent *a, struct slice key_blob, const struct algo_sign *algo,
                    struct slice data, struct buf *signature)
{
    struct buf request;
    struct writer w;
    struct reader r;
    buf_init(&request, MESSAGE_MAX);
    writer_init(&w, &request);
    writer_u8(&w, AGENTC_SIGN_REQUEST);
    writer_string(&w, key_blob);
    writer_string(&w, data);
    writer_u32(&w, flags_for(algo));
    enum err err = writer_done(&w);
    if (err == OK)
        err = ask(a, buf_slice(&request));
    buf_done(&request);
    TRY(err);
    reader_init(&r, buf_slice(&a->message));
    if (reader_u8(&r) != AGENT_SIGN_RESPONSE)
        return ERR_DENIED;
    struct slice blob = reader_string(&r);
    TRY(reader_done(&r));
    return buf_append_slice(signature, blob);
}

enum err agent_bind_session(struct agent *a, struct slice host_key, struct slice session_id,
                            struct slice signature, bool is_forwarding)
{
    struct buf request;
    struct writer w;
    buf_init(&request, MESSAGE_MAX);
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
