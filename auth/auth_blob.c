/* What is signed: the session id, then the request up to the signature. */
#include "auth/auth_blob.h"

#include "wire/msg_auth.h"

enum err auth_blob_build(const struct auth_blob *b, struct buf *out)
{
    struct writer w;
    struct msg_userauth_request m = {
        .user = b->user,
        .service = b->service,
        .method = b->host_key.len ? USERAUTH_PUBLICKEY_HOSTBOUND : USERAUTH_PUBLICKEY,
        .algorithm = b->algorithm,
        .key_blob = b->key_blob,
        .host_key = b->host_key,
    };
    writer_init(&w, out);
    writer_string(&w, b->session_id);
    size_t at = buf_len(out);
    msg_userauth_request_encode(&w, &m);
    TRY(writer_done(&w));
    /* The flag "has a signature" is TRUE in what is signed: it stands behind three strings and a
     * method name, all of known length. */
    size_t method_len = b->host_key.len ? sizeof("publickey-hostbound-v00@openssh.com") - 1
                                        : sizeof("publickey") - 1;
    size_t flag = at + 1 + 4 + b->user.len + 4 + b->service.len + 4 + method_len;
    out->data[out->start + flag] = 1;
    return OK;
}
