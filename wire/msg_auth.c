/* Authentication messages. */
#include "wire/msg_auth.h"

#include "wire/namelist.h"
#include "wire/numbers.h"

#define KEY_BLOB_MAX   65536
#define METHOD_MAX     128
#define SUBMETHODS_MAX 1024

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
        {"keyboard-interactive", USERAUTH_INTERACTIVE},
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
    m->password = reader_string(r);
    if (m->changes_password)
        m->new_password = reader_string(r);
}

static void decode_interactive(struct reader *r, struct msg_userauth_request *m)
{
    (void)reader_text(r, METHOD_MAX); /* a language, deprecated */
    m->submethods = reader_text(r, SUBMETHODS_MAX);
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
    case USERAUTH_INTERACTIVE:
        decode_interactive(&r, m);
        break;
    case USERAUTH_OTHER:
        reader_rest(&r);
        break;
    case USERAUTH_NONE:
        break;
    }
    return reader_done(&r);
}

static void encode_publickey(struct writer *w, const struct msg_userauth_request *m)
{
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

void msg_userauth_request_encode(struct writer *w, const struct msg_userauth_request *m)
{
    CHECK(m->method != USERAUTH_OTHER);
    writer_u8(w, SSH_MSG_USERAUTH_REQUEST);
    writer_string(w, m->user);
    writer_string(w, m->service);
    switch (m->method) {
    case USERAUTH_NONE:
        writer_text(w, "none");
        break;
    case USERAUTH_PUBLICKEY:
    case USERAUTH_PUBLICKEY_HOSTBOUND:
        encode_publickey(w, m);
        break;
    case USERAUTH_PASSWORD:
        writer_text(w, "password");
        writer_bool(w, m->changes_password);
        writer_string(w, m->password);
        if (m->changes_password)
            writer_string(w, m->new_password);
        break;
    case USERAUTH_INTERACTIVE:
        writer_text(w, "keyboard-interactive");
        writer_text(w, "");
        writer_string(w, m->submethods);
        break;
    case USERAUTH_OTHER:
        break;
    }
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

enum err msg_userauth_change_decode(struct slice payload, struct slice *prompt)
{
    struct reader r = reader_open(payload, SSH_MSG_USERAUTH_PASSWD_CHANGEREQ);
    *prompt = reader_string(&r);
    reader_string(&r); /* language tag */
    return reader_done(&r);
}

void msg_userauth_change_encode(struct writer *w, struct slice prompt)
{
    writer_u8(w, SSH_MSG_USERAUTH_PASSWD_CHANGEREQ);
    writer_string(w, prompt);
    writer_text(w, "");
}

/* ---- keyboard-interactive ---- */

bool info_prompt_next(struct slice *prompts, struct slice *prompt, bool *echo)
{
    struct reader r;
    if (prompts->len == 0)
        return false;
    reader_init(&r, *prompts);
    *prompt = reader_string(&r);
    *echo = reader_bool(&r);
    if (!reader_is_ok(&r))
        return false; /* and the list is not at its end */
    *prompts = reader_rest(&r);
    return true;
}

void info_prompt_encode(struct writer *w, struct slice prompt, bool echo)
{
    writer_string(w, prompt);
    writer_bool(w, echo);
}

bool info_response_next(struct slice *responses, struct slice *response)
{
    struct reader r;
    if (responses->len == 0)
        return false;
    reader_init(&r, *responses);
    *response = reader_string(&r);
    if (!reader_is_ok(&r))
        return false;
    *responses = reader_rest(&r);
    return true;
}

/* A count is believed only as far as there are entries. */
enum err body_info_request_decode(struct slice body, struct body_info_request *b)
{
    struct reader r;
    struct slice prompt;
    bool echo;
    uint32_t found = 0;
    reader_init(&r, body);
    b->name = reader_string(&r);
    b->instruction = reader_string(&r);
    (void)reader_string(&r); /* a language, deprecated */
    b->count = reader_u32(&r);
    b->prompts = reader_rest(&r);
    TRY(reader_done(&r));
    if (b->count > INFO_PROMPTS_MAX)
        return ERR_LIMIT;
    struct slice rest = b->prompts;
    while (found <= b->count && info_prompt_next(&rest, &prompt, &echo))
        found++;
    return rest.len == 0 && found == b->count ? OK : ERR_FORMAT;
}

void body_info_request_encode(struct writer *w, const struct body_info_request *b)
{
    writer_string(w, b->name);
    writer_string(w, b->instruction);
    writer_text(w, "");
    writer_u32(w, b->count);
    writer_bytes(w, b->prompts);
}

enum err body_info_response_decode(struct slice body, struct body_info_response *b)
{
    struct reader r;
    struct slice response;
    uint32_t found = 0;
    reader_init(&r, body);
    b->count = reader_u32(&r);
    b->responses = reader_rest(&r);
    TRY(reader_done(&r));
    if (b->count > INFO_PROMPTS_MAX)
        return ERR_LIMIT;
    struct slice rest = b->responses;
    while (found <= b->count && info_response_next(&rest, &response))
        found++;
    return rest.len == 0 && found == b->count ? OK : ERR_FORMAT;
}

void body_info_response_encode(struct writer *w, const struct body_info_response *b)
{
    writer_u32(w, b->count);
    writer_bytes(w, b->responses);
}
