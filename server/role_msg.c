/* Messages between roles: one table of fields, one of messages, one encoder and one decoder. */
#include "server/role_msg.h"

enum field_type {
    FIELD_END,
    FIELD_U32,
    FIELD_BOOL,
    FIELD_PORT,
    FIELD_BYTES,
    FIELD_TEXT,    /* no NUL */
    FIELD_HASH,    /* 32, 48 or 64 bytes */
    FIELD_NUMBERS, /* u32 each */
};

struct field {
    enum field_type type;
    size_t offset;
    size_t cap;
};

#define NUMBER(type_, member_)                                                                     \
    {                                                                                              \
        type_, offsetof(struct role_msg, member_), 0                                               \
    }
#define BYTES(type_, member_, cap)                                                                 \
    {                                                                                              \
        type_, offsetof(struct role_msg, member_), cap                                             \
    }
#define END                                                                                        \
    {                                                                                              \
        FIELD_END, 0, 0                                                                            \
    }
#define QUESTION                                                                                   \
    NUMBER(FIELD_U32, method), BYTES(FIELD_TEXT, user, ROLE_MSG_USER_MAX),                         \
        BYTES(FIELD_TEXT, service, ROLE_MSG_NAME_MAX), BYTES(FIELD_TEXT, name, ROLE_MSG_NAME_MAX), \
        BYTES(FIELD_BYTES, key, ROLE_MSG_KEY_MAX), NUMBER(FIELD_BOOL, is_hostbound),               \
        NUMBER(FIELD_BOOL, has_signature), BYTES(FIELD_BYTES, signature, ROLE_MSG_SIGNATURE_MAX),  \
        BYTES(FIELD_BYTES, password, ROLE_MSG_PASSWORD_MAX)
#define ENDS                                                                                       \
    BYTES(FIELD_TEXT, address, ROLE_MSG_ADDRESS_MAX), NUMBER(FIELD_PORT, port),                    \
        BYTES(FIELD_TEXT, host, ROLE_MSG_HOST_MAX),                                                \
        BYTES(FIELD_TEXT, local_address, ROLE_MSG_ADDRESS_MAX), NUMBER(FIELD_PORT, local_port)
#define SESSION                                                                                    \
    NUMBER(FIELD_U32, session_kind), BYTES(FIELD_TEXT, command, ROLE_MSG_COMMAND_MAX),             \
        NUMBER(FIELD_BOOL, has_pty), BYTES(FIELD_TEXT, term, ROLE_MSG_NAME_MAX),                   \
        NUMBER(FIELD_U32, columns), NUMBER(FIELD_U32, rows), NUMBER(FIELD_U32, width_px),          \
        NUMBER(FIELD_U32, height_px), BYTES(FIELD_BYTES, modes, ROLE_MSG_MODES_MAX),               \
        BYTES(FIELD_BYTES, environment, ROLE_MSG_ENVIRON_MAX),                                     \
        BYTES(FIELD_TEXT, agent_path, ROLE_MSG_PATH_MAX)
#define ENDED NUMBER(FIELD_U32, status_ended), NUMBER(FIELD_U32, signal_number)

static const struct field none[] = {END};
static const struct field key_fields[] = {
    BYTES(FIELD_TEXT, name, ROLE_MSG_NAME_MAX),
    BYTES(FIELD_BYTES, key, ROLE_MSG_KEY_MAX),
    END,
};
static const struct field tag_fields[] = {NUMBER(FIELD_U32, tag), END};
static const struct field forked_fields[] = {
    NUMBER(FIELD_U32, tag),
    NUMBER(FIELD_U32, pid),
    END,
};
static const struct field ended_fields[] = {NUMBER(FIELD_U32, pid), ENDED, END};
static const struct field kill_fields[] = {
    NUMBER(FIELD_U32, pid),
    NUMBER(FIELD_U32, signal_number),
    END,
};
static const struct field sandbox_fields[] = {
    NUMBER(FIELD_BOOL, has_uid),
    NUMBER(FIELD_U32, uid),
    NUMBER(FIELD_U32, gid),
    BYTES(FIELD_NUMBERS, groups, ROLE_MSG_GROUPS_MAX),
    BYTES(FIELD_TEXT, root, ROLE_MSG_PATH_MAX),
    END,
};
static const struct field start_fields[] = {NUMBER(FIELD_U32, connection), ENDS, END};
static const struct field sign_fields[] = {
    NUMBER(FIELD_U32, connection),
    BYTES(FIELD_TEXT, name, ROLE_MSG_NAME_MAX),
    BYTES(FIELD_BYTES, key, ROLE_MSG_KEY_MAX),
    BYTES(FIELD_HASH, hash, ROLE_MSG_HASH_MAX),
    END,
};
static const struct field signature_fields[] = {
    NUMBER(FIELD_U32, connection),
    BYTES(FIELD_BYTES, signature, ROLE_MSG_SIGNATURE_MAX),
    END,
};
static const struct field prove_fields[] = {
    NUMBER(FIELD_U32, connection),
    NUMBER(FIELD_U32, tag),
    BYTES(FIELD_TEXT, name, ROLE_MSG_NAME_MAX),
    BYTES(FIELD_BYTES, key, ROLE_MSG_KEY_MAX),
    BYTES(FIELD_HASH, session_id, ROLE_MSG_HASH_MAX),
    END,
};
static const struct field proof_fields[] = {
    NUMBER(FIELD_U32, connection),
    NUMBER(FIELD_U32, tag),
    BYTES(FIELD_BYTES, signature, ROLE_MSG_SIGNATURE_MAX),
    END,
};
static const struct field who_fields[] = {
    BYTES(FIELD_TEXT, user, ROLE_MSG_USER_MAX),
    BYTES(FIELD_TEXT, service, ROLE_MSG_NAME_MAX),
    ENDS,
    END,
};
static const struct field account_fields[] = {
    NUMBER(FIELD_BOOL, is_known),
    NUMBER(FIELD_U32, uid),
    NUMBER(FIELD_U32, gid),
    BYTES(FIELD_NUMBERS, groups, ROLE_MSG_GROUPS_MAX),
    BYTES(FIELD_BYTES, group_names, ROLE_MSG_NAMES_MAX),
    END,
};
static const struct field text_fields[] = {BYTES(FIELD_TEXT, text, ROLE_MSG_TEXT_MAX), END};
static const struct field auth_fields[] = {QUESTION, END};
static const struct field authz_fields[] = {
    QUESTION,
    BYTES(FIELD_BYTES, host_key, ROLE_MSG_KEY_MAX),
    BYTES(FIELD_HASH, session_id, ROLE_MSG_HASH_MAX),
    BYTES(FIELD_BYTES, used_keys, ROLE_MSG_USED_MAX),
    BYTES(FIELD_TEXT, options, ROLE_MSG_OPTIONS_MAX),
    ENDS,
    END,
};
static const struct field body_fields[] = {BYTES(FIELD_BYTES, body, ROLE_MSG_BODY_MAX), END};
static const struct field answer_fields[] = {
    NUMBER(FIELD_BOOL, is_allowed),
    NUMBER(FIELD_BOOL, is_partial),
    BYTES(FIELD_TEXT, name, ROLE_MSG_NAME_MAX),
    BYTES(FIELD_TEXT, options, ROLE_MSG_OPTIONS_MAX),
    BYTES(FIELD_TEXT, fingerprint, ROLE_MSG_TEXT_MAX),
    BYTES(FIELD_TEXT, text, ROLE_MSG_TEXT_MAX),
    END,
};
static const struct field handover_fields[] = {
    BYTES(FIELD_BYTES, record, ROLE_MSG_RECORD_MAX),
    END,
};
static const struct field adopt_fields[] = {
    NUMBER(FIELD_U32, connection),
    BYTES(FIELD_BYTES, record, ROLE_MSG_RECORD_MAX),
    END,
};
static const struct field connection_fields[] = {NUMBER(FIELD_U32, connection), END};
static const struct field ticket_fields[] = {
    BYTES(FIELD_TEXT, user, ROLE_MSG_USER_MAX),
    NUMBER(FIELD_U32, uid),
    NUMBER(FIELD_U32, gid),
    BYTES(FIELD_NUMBERS, groups, ROLE_MSG_GROUPS_MAX),
    BYTES(FIELD_BYTES, group_names, ROLE_MSG_NAMES_MAX),
    BYTES(FIELD_BYTES, unit, ROLE_MSG_KEY_MAX),
    BYTES(FIELD_BYTES, key, ROLE_MSG_KEY_MAX),
    BYTES(FIELD_TEXT, fingerprint, ROLE_MSG_TEXT_MAX),
    BYTES(FIELD_TEXT, options, ROLE_MSG_OPTIONS_MAX),
    BYTES(FIELD_BYTES, host_key, ROLE_MSG_KEY_MAX),
    BYTES(FIELD_HASH, session_id, ROLE_MSG_HASH_MAX),
    ENDS,
    END,
};
static const struct field register_fields[] = {
    BYTES(FIELD_BYTES, unit, ROLE_MSG_KEY_MAX),
    END,
};
static const struct field closed_fields[] = {
    NUMBER(FIELD_U32, connection),
    NUMBER(FIELD_U32, status_ended),
    END,
};
static const struct field bind_fields[] = {
    NUMBER(FIELD_U32, connection),
    NUMBER(FIELD_U32, tag),
    BYTES(FIELD_TEXT, host, ROLE_MSG_HOST_MAX),
    NUMBER(FIELD_PORT, port),
    END,
};
static const struct field bound_fields[] = {
    NUMBER(FIELD_U32, connection),
    NUMBER(FIELD_U32, tag),
    NUMBER(FIELD_U32, error_number),
    END,
};
static const struct field join_fields[] = {
    NUMBER(FIELD_U32, connection),
    NUMBER(FIELD_U32, tag),
    BYTES(FIELD_HASH, session_id, ROLE_MSG_HASH_MAX),
    BYTES(FIELD_TEXT, host, ROLE_MSG_HOST_MAX),
    NUMBER(FIELD_PORT, port),
    END,
};
static const struct field session_fields[] = {NUMBER(FIELD_U32, connection), SESSION, END};
static const struct field launch_fields[] = {
    SESSION,
    BYTES(FIELD_TEXT, user, ROLE_MSG_USER_MAX),
    BYTES(FIELD_BYTES, key, ROLE_MSG_KEY_MAX),
    BYTES(FIELD_TEXT, text, ROLE_MSG_TEXT_MAX),
    BYTES(FIELD_TEXT, options, ROLE_MSG_OPTIONS_MAX),
    ENDS,
    END,
};
static const struct field signal_fields[] = {NUMBER(FIELD_U32, signal_number), END};
static const struct field exited_fields[] = {
    NUMBER(FIELD_U32, status),
    BYTES(FIELD_TEXT, signal_name, ROLE_MSG_NAME_MAX),
    NUMBER(FIELD_BOOL, is_core),
    END,
};

#define WAYS_MAX 5

struct way {
    enum role from, to;
};

/* In the order of their numbers. A way that is not listed ends with {0, 0}: nobody writes home. */
static const struct {
    enum role_msg_kind kind;
    const struct field *fields;
    struct way ways[WAYS_MAX];
} messages[] = {
    /* clang-format off */
    {ROLE_MSG_HOST_KEY, key_fields, {{ROLE_SIGN, ROLE_SUPERVISOR}, {ROLE_SUPERVISOR, ROLE_PRE},
                                     {ROLE_SUPERVISOR, ROLE_WORK}}},
    {ROLE_MSG_READY, none, {{ROLE_SIGN, ROLE_SUPERVISOR}, {ROLE_PRE, ROLE_SUPERVISOR}}},
    {ROLE_MSG_FORK, tag_fields, {{ROLE_SUPERVISOR, ROLE_ZYGOTE}}},
    {ROLE_MSG_FORKED, forked_fields, {{ROLE_ZYGOTE, ROLE_SUPERVISOR}}},
    {ROLE_MSG_ENDED, ended_fields, {{ROLE_ZYGOTE, ROLE_SUPERVISOR}}},
    {ROLE_MSG_KILL, kill_fields, {{ROLE_SUPERVISOR, ROLE_ZYGOTE}, {ROLE_SUPERVISOR, ROLE_SIGN}}},
    {ROLE_MSG_SANDBOX, sandbox_fields, {{ROLE_SUPERVISOR, ROLE_PRE}, {ROLE_SUPERVISOR, ROLE_WORK},
                                        {ROLE_SUPERVISOR, ROLE_SIGN}, {ROLE_SUPERVISOR, ROLE_RESOLVE}}},
    {ROLE_MSG_START, start_fields, {{ROLE_SUPERVISOR, ROLE_PRE}}},
    {ROLE_MSG_SIGN, sign_fields, {{ROLE_PRE, ROLE_SUPERVISOR}, {ROLE_WORK, ROLE_SUPERVISOR},
                                  {ROLE_SUPERVISOR, ROLE_SIGN}}},
    {ROLE_MSG_SIGNATURE, signature_fields, {{ROLE_SIGN, ROLE_SUPERVISOR}, {ROLE_SUPERVISOR, ROLE_PRE},
                                            {ROLE_SUPERVISOR, ROLE_WORK}}},
    {ROLE_MSG_PROVE, prove_fields, {{ROLE_WORK, ROLE_SUPERVISOR}, {ROLE_SUPERVISOR, ROLE_SIGN}}},
    {ROLE_MSG_PROOF, proof_fields, {{ROLE_SIGN, ROLE_SUPERVISOR}, {ROLE_SUPERVISOR, ROLE_WORK}}},
    {ROLE_MSG_WHO, who_fields, {{ROLE_PRE, ROLE_SUPERVISOR}, {ROLE_SUPERVISOR, ROLE_AUTHZ}}},
    {ROLE_MSG_ACCOUNT, account_fields, {{ROLE_AUTHZ, ROLE_SUPERVISOR}}},
    {ROLE_MSG_METHODS, text_fields, {{ROLE_SUPERVISOR, ROLE_PRE}}},
    {ROLE_MSG_AUTH, auth_fields, {{ROLE_PRE, ROLE_SUPERVISOR}}},
    {ROLE_MSG_AUTHZ, authz_fields, {{ROLE_SUPERVISOR, ROLE_AUTHZ}}},
    {ROLE_MSG_PROMPT, body_fields, {{ROLE_AUTHZ, ROLE_SUPERVISOR}, {ROLE_SUPERVISOR, ROLE_PRE}}},
    {ROLE_MSG_RESPONSE, body_fields, {{ROLE_PRE, ROLE_SUPERVISOR}, {ROLE_SUPERVISOR, ROLE_AUTHZ}}},
    {ROLE_MSG_ANSWER, answer_fields, {{ROLE_AUTHZ, ROLE_SUPERVISOR}, {ROLE_SUPERVISOR, ROLE_PRE}}},
    {ROLE_MSG_HANDOVER, handover_fields, {{ROLE_PRE, ROLE_SUPERVISOR}}},
    {ROLE_MSG_ADOPT, adopt_fields, {{ROLE_SUPERVISOR, ROLE_WORK}}},
    {ROLE_MSG_ADOPTED, connection_fields, {{ROLE_WORK, ROLE_SUPERVISOR}}},
    {ROLE_MSG_TICKET, ticket_fields, {{ROLE_STORE, ROLE_WORK}, {ROLE_STORE, ROLE_SUPERVISOR}}},
    {ROLE_MSG_REGISTER, register_fields, {{ROLE_WORK, ROLE_SUPERVISOR}, {ROLE_SIGN, ROLE_SUPERVISOR},
                                          {ROLE_STORE, ROLE_SUPERVISOR}, {ROLE_SUPERVISOR, ROLE_WORK},
                                          {ROLE_SUPERVISOR, ROLE_SIGN}}},
    {ROLE_MSG_HELD, connection_fields, {{ROLE_WORK, ROLE_SUPERVISOR}}},
    {ROLE_MSG_CLOSED, closed_fields, {{ROLE_WORK, ROLE_SUPERVISOR}}},
    {ROLE_MSG_OPTIONS, connection_fields, {{ROLE_SUPERVISOR, ROLE_WORK}}},
    {ROLE_MSG_BIND, bind_fields, {{ROLE_WORK, ROLE_SUPERVISOR}}},
    {ROLE_MSG_BOUND, bound_fields, {{ROLE_SUPERVISOR, ROLE_WORK}}},
    {ROLE_MSG_RESOLVER, none, {{ROLE_SUPERVISOR, ROLE_RESOLVE}, {ROLE_SUPERVISOR, ROLE_WORK}}},
    {ROLE_MSG_SESSION, session_fields, {{ROLE_WORK, ROLE_SUPERVISOR}}},
    {ROLE_MSG_LAUNCH, launch_fields, {{ROLE_SUPERVISOR, ROLE_SESSION}}},
    {ROLE_MSG_STARTED, none, {{ROLE_SESSION, ROLE_WORK}}},
    {ROLE_MSG_SIGNAL, signal_fields, {{ROLE_WORK, ROLE_SESSION}}},
    {ROLE_MSG_EXITED, exited_fields, {{ROLE_SESSION, ROLE_WORK}}},
    {ROLE_MSG_JOIN, join_fields, {{ROLE_WORK, ROLE_SUPERVISOR}, {ROLE_SUPERVISOR, ROLE_WORK}}},
    {ROLE_MSG_LENT, bound_fields, {{ROLE_WORK, ROLE_SUPERVISOR}}},
    /* clang-format on */
};

static bool may_go(size_t row, enum role from, enum role to)
{
    for (size_t i = 0; i < WAYS_MAX; i++) {
        const struct way *w = &messages[row].ways[i];
        if (w->from == w->to)
            return false;
        if (w->from == from && w->to == to)
            return true;
    }
    return false;
}

static bool is_number(enum field_type type)
{
    return type == FIELD_U32 || type == FIELD_BOOL || type == FIELD_PORT;
}

static enum err check_number(enum field_type type, uint32_t value)
{
    if (type == FIELD_BOOL && value > 1)
        return ERR_FORMAT;
    return type == FIELD_PORT && value > UINT16_MAX ? ERR_FORMAT : OK;
}

static enum err check_bytes(const struct field *f, struct slice bytes)
{
    if (bytes.len > f->cap)
        return ERR_LIMIT;
    if (f->type == FIELD_TEXT && bytes.len && memchr(bytes.ptr, '\0', bytes.len))
        return ERR_FORMAT;
    if (f->type == FIELD_NUMBERS && bytes.len % 4)
        return ERR_FORMAT;
    /* 20: SHA-1's, of a key exchange that the configuration had to spell out. */
    bool is_hash = bytes.len == 20 || bytes.len == 32 || bytes.len == 48 || bytes.len == 64;
    return f->type == FIELD_HASH && !is_hash ? ERR_FORMAT : OK;
}

static enum err append_u32(struct buf *out, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    return buf_append(out, bytes, sizeof(bytes));
}

static enum err encode_field(const struct field *f, const struct role_msg *m, struct buf *out)
{
    const void *at = (const char *)m + f->offset;
    if (is_number(f->type)) {
        const uint32_t *value = at;
        TRY(check_number(f->type, *value));
        return append_u32(out, *value);
    }
    const struct slice *bytes = at;
    TRY(check_bytes(f, *bytes));
    TRY(append_u32(out, (uint32_t)bytes->len));
    return buf_append_slice(out, *bytes);
}

enum err role_msg_encode(const struct role_msg *m, struct buf *out)
{
    CHECK(m->kind >= 1 && m->kind <= ARRAY_LEN(messages));
    TRY(append_u32(out, (uint32_t)m->kind));
    for (const struct field *f = messages[m->kind - 1].fields; f->type != FIELD_END; f++)
        TRY(encode_field(f, m, out));
    return OK;
}

static enum err take(struct slice *bytes, size_t n, const uint8_t **at)
{
    if (bytes->len < n)
        return ERR_TRUNCATED;
    *at = bytes->ptr;
    *bytes = slice_of(bytes->ptr + n, bytes->len - n);
    return OK;
}

static enum err take_u32(struct slice *bytes, uint32_t *value)
{
    const uint8_t *at;
    TRY(take(bytes, 4, &at));
    *value = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    return OK;
}

static enum err decode_field(const struct field *f, struct slice *bytes, struct role_msg *m)
{
    void *to = (char *)m + f->offset;
    uint32_t value;
    TRY(take_u32(bytes, &value));
    if (is_number(f->type)) {
        uint32_t *number = to;
        *number = value;
        return check_number(f->type, value);
    }
    struct slice *slice = to;
    if (value > f->cap)
        return ERR_LIMIT;
    slice->len = value;
    TRY(take(bytes, value, &slice->ptr));
    return check_bytes(f, *slice);
}

enum err role_msg_decode(struct slice bytes, enum role from, enum role to, struct role_msg *m)
{
    uint32_t kind;
    *m = (struct role_msg){.connection = 0};
    TRY(take_u32(&bytes, &kind));
    if (kind < 1 || kind > ARRAY_LEN(messages))
        return ERR_FORMAT;
    if (!may_go(kind - 1, from, to))
        return ERR_PROTOCOL;
    m->kind = messages[kind - 1].kind;
    for (const struct field *f = messages[kind - 1].fields; f->type != FIELD_END; f++)
        TRY(decode_field(f, &bytes, m));
    return bytes.len ? ERR_FORMAT : OK;
}
