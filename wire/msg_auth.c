/* Authentication messages. */
#include "wire/msg_auth.h"

#include "wire/namelist.h"
#include "wire/numbers.h"

#define KEY_BLOB_MAX 65536
#define METHOD_MAX   128

static enum userauth_method method_of(struct slice name)
{
    static const struct {
        const char *name;
        enum userauth_method method;
    } rows[] = {
        {"none", USERAUTH_NONE},
        {"password", USERAUTH_PASSWORD},
        {"publickey", USERAUTH_PUBLICKEY},
        {"publickey-hostbound-v00@openssh.com", USERAUTH_PUBLICKEY_HOSTBOUND},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (slice_is(name, rows[i].name))
            return rows[i].method;
    }
    return USERAUTH_OTHER;
}

static void decode_publickey(struct reader *r, struct msg_userauth_request *m)
{
    m->has_signature = reader_bool(r);
    m->algorithm = reader_text(r, METHOD_MAX);
    m->key_blob = reader_string_max(r, KEY_BLOB_MAX);
    if (m->method == USERAUTH_PUBLICKEY_HOSTBOUND)
        m->host_key = reader_string_max(r, KEY_BLOB_MAX);
    if (m->has_signature)
        m->signature = reader_string_max(r, KEY_BLOB_MAX);
}

static void decode_password(struct reader *r, struct msg_userauth_request *m)
{
    m->changes_password = reader_bool(r);
    m->password = reader_string_max(r, MSG_PASSWORD_MAX);
    if (m->changes_password)
        m->new_password = reader_string_max(r, MSG_PASSWORD_MAX);
}

enum err msg_userauth_request_decode(struct slice payload, struct msg_userauth_request *m)
{
    *m = (struct msg_userauth_request){0};
    struct reader r = reader_open(payload, SSH_MSG_USERAUTH_REQUEST);
    m->user = reader_text(&r, MSG_USER_MAX);
    m->service = reader_text(&r, METHOD_MAX);
    m->method_name = reader_text(&r, METHOD_MAX);
    m->method = method_of(m->method_name);
    switch (m->method) {
    case USERAUTH_PUBLICKEY:
    case USERAUTH_PUBLICKEY_HOSTBOUND:
        decode_publickey(&r, m);
        break;
    case USERAUTH_PASSWORD:
        decode_password(&r, m);
        break;
    case USERAUTH_OTHER:
        reader_rest(&r);
        break;
    case USERAUTH_NONE:
        break;
    }
    return reader_done(&r);
}

void msg_userauth_request_encode(struct writer *w, const struct msg_userauth_request *m)
{
    CHECK(m->method != USERAUTH_PASSWORD && m->method != USERAUTH_OTHER);
    writer_u8(w, SSH_MSG_USERAUTH_REQUEST);
    writer_string(w, m->user);
    writer_string(w, m->service);
    if (m->method == USERAUTH_NONE) {
        writer_text(w, "none");
        return;
    }
    bool hostbound = m->method == USERAUTH_PUBLICKEY_HOSTBOUND;
    writer_text(w, hostbound ? "publickey-hostbound-v00@openssh.com" : "publickey");
    writer_bool(w, m->has_signature);
    writer_string(w, m->algorithm);
    writer_string(w, m->key_blob);
    if (hostbound)
        writer_string(w, m->host_key);
    if (m->has_signature)
        writer_string(w, m->signature);
}

enum err msg_userauth_failure_decode(struct slice payload, struct msg_userauth_failure *m)
{
    struct reader r = reader_open(payload, SSH_MSG_USERAUTH_FAILURE);
    m->methods = reader_string(&r);
    m->partial_success = reader_bool(&r);
    TRY(reader_done(&r));
    return namelist_check(m->methods);
}

void msg_userauth_failure_encode(struct writer *w, const struct msg_userauth_failure *m)
{
    writer_u8(w, SSH_MSG_USERAUTH_FAILURE);
    writer_string(w, m->methods);
    writer_bool(w, m->partial_success);
}

enum err msg_userauth_success_decode(struct slice payload)
{
    struct reader r = reader_open(payload, SSH_MSG_USERAUTH_SUCCESS);
    return reader_done(&r);
}

void msg_userauth_success_encode(struct writer *w)
{
    writer_u8(w, SSH_MSG_USERAUTH_SUCCESS);
}

enum err msg_userauth_banner_decode(struct slice payload, struct slice *text)
{
    struct reader r = reader_open(payload, SSH_MSG_USERAUTH_BANNER);
    *text = reader_string_max(&r, MSG_BANNER_MAX);
    reader_string(&r); /* language tag */
    return reader_done(&r);
}

void msg_userauth_banner_encode(struct writer *w, struct slice text)
{
    writer_u8(w, SSH_MSG_USERAUTH_BANNER);
    writer_string(w, text);
    writer_text(w, "");
}

enum err msg_userauth_pk_ok_decode(struct slice payload, struct msg_userauth_pk_ok *m)
{
    struct reader r = reader_open(payload, SSH_MSG_USERAUTH_PK_OK);
    m->algorithm = reader_text(&r, METHOD_MAX);
    m->key_blob = reader_string_max(&r, KEY_BLOB_MAX);
    return reader_done(&r);
}

void msg_userauth_pk_ok_encode(struct writer *w, const struct msg_userauth_pk_ok *m)
{
    writer_u8(w, SSH_MSG_USERAUTH_PK_OK);
    writer_string(w, m->algorithm);
    writer_string(w, m->key_blob);
}
