/* Messages of the agent's protocol. */
#include "crypto/agent_msg.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum {
    AGENT_SUCCESS = 6,
    AGENTC_SIGN_REQUEST = 13,
    AGENT_SIGN_RESPONSE = 14,
    AGENTC_EXTENSION = 27,
};
enum { SIGN_RSA_SHA2_256 = 2, SIGN_RSA_SHA2_512 = 4 };

static uint32_t flags_for(const struct algo_sign *algo)
{
    if (algo->kind != KEY_RSA || algo->digest == DIGEST_SHA1)
        return 0;
    return algo->digest == DIGEST_SHA512 ? SIGN_RSA_SHA2_512 : SIGN_RSA_SHA2_256;
}

enum err agent_msg_sign(struct slice key_blob, const struct algo_sign *algo, struct slice data,
                        struct buf *request)
{
    struct writer w;
    writer_init(&w, request);
    writer_u8(&w, AGENTC_SIGN_REQUEST);
    writer_string(&w, key_blob);
    writer_string(&w, data);
    writer_u32(&w, flags_for(algo));
    return writer_done(&w);
}

enum err agent_msg_signature(struct slice answer, struct buf *signature)
{
    struct reader r;
    reader_init(&r, answer);
    if (reader_u8(&r) != AGENT_SIGN_RESPONSE)
        return ERR_DENIED;
    struct slice blob = reader_string(&r);
    TRY(reader_done(&r));
    return buf_append_slice(signature, blob);
}

enum err agent_msg_bind(const struct agent_session *session, struct buf *request)
{
    struct writer w;
    writer_init(&w, request);
    writer_u8(&w, AGENTC_EXTENSION);
    writer_text(&w, "session-bind@openssh.com");
    writer_string(&w, session->host_key);
    writer_string(&w, session->session_id);
    writer_string(&w, session->signature);
    writer_bool(&w, session->is_forwarding);
    return writer_done(&w);
}

bool agent_msg_is_success(struct slice answer)
{
    return answer.len == 1 && answer.ptr[0] == AGENT_SUCCESS;
}
