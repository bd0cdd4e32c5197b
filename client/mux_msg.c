/* Forms of the multiplexing protocol. */
#include "client/mux_msg.h"

#include "wire/reader.h"

#define TEXT_MAX (128 * 1024)

/*
 * The form of a message behind its type, a letter a field:
 * r request, s session, v value, t text, S the fields of a session, F those of a forward,
 * h what a greeting may have behind its version, - a reserved string
 */
/* clang-format off */
static const struct form {
    enum mux_type type;
    uint32_t number;
    const char *fields;
} forms[] = {
    {MUX_HELLO,          0x00000001, "rh"},
    {MUX_NEW_SESSION,    0x10000002, "r-S"},
    {MUX_ALIVE_CHECK,    0x10000004, "r"},
    {MUX_TERMINATE,      0x10000005, "r"},
    {MUX_OPEN_FORWARD,   0x10000006, "rF"},
    {MUX_CLOSE_FORWARD,  0x10000007, "rF"},
    {MUX_NEW_STDIO,      0x10000008, "r-tv"},
    {MUX_STOP_LISTENING, 0x10000009, "r"},
    {MUX_PROXY,          0x1000000f, "r"},
    {MUX_ASK_INFO,       0x20000001, "rt"},
    {MUX_OK,             0x80000001, "r"},
    {MUX_DENIED,         0x80000002, "rt"},
    {MUX_FAILURE,        0x80000003, "rt"},
    {MUX_EXIT,           0x80000004, "sv"},
    {MUX_ALIVE,          0x80000005, "rv"},
    {MUX_SESSION_OPENED, 0x80000006, "rs"},
    {MUX_REMOTE_PORT,    0x80000007, "rv"},
    {MUX_TTY_FAILED,     0x80000008, "s"},
    {MUX_PROXY_READY,    0x8000000f, "r"},
    {MUX_INFO,           0x90000001, "rt"},
};
/* clang-format on */

static const struct form *form_of(enum mux_type type)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (forms[i].type == type)
            return &forms[i];
    }
    return NULL;
}

static const struct form *form_numbered(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (forms[i].number == number)
            return &forms[i];
    }
    return NULL;
}

static struct slice text_of(struct reader *r)
{
    return reader_text(r, TEXT_MAX);
}

static struct slice rest_of(struct reader *r)
{
    return reader_bytes(r, reader_left(r));
}

static void read_session(struct reader *r, struct mux_msg *m)
{
    m->wants_tty = reader_u32(r) != 0;
    m->wants_x11 = reader_u32(r) != 0;
    m->wants_agent = reader_u32(r) != 0;
    m->is_subsystem = reader_u32(r) != 0;
    m->escape = reader_u32(r);
    m->term = text_of(r);
    m->command = text_of(r);
    m->environment = rest_of(r);
}

static void read_forward(struct reader *r, struct mux_msg *m)
{
    m->forward = reader_u32(r);
    m->listen_host = text_of(r);
    m->listen_port = reader_u32(r);
    m->connect_host = text_of(r);
    m->connect_port = reader_u32(r);
}

static void read_field(struct reader *r, char field, struct mux_msg *m)
{
    switch (field) {
    case 'r':
        m->request = reader_u32(r);
        break;
    case 's':
        m->session = reader_u32(r);
        break;
    case 'v':
        m->value = reader_u32(r);
        break;
    case 't':
        m->text = text_of(r);
        break;
    case '-':
        (void)reader_string(r);
        break;
    case 'h':
        (void)rest_of(r); /* extensions that nobody has to know */
        break;
    case 'S':
        read_session(r, m);
        break;
    case 'F':
        read_forward(r, m);
        break;
    default:
        CHECK(false); /* a letter of the table */
    }
}

enum err mux_msg_decode(struct slice frame, struct mux_msg *m)
{
    struct reader r;
    reader_init(&r, frame);
    *m = (struct mux_msg){0};
    const struct form *form = form_numbered(reader_u32(&r));
    if (!form) {
        m->request = reader_left(&r) >= 4 ? reader_u32(&r) : 0;
        return ERR_UNSUPPORTED;
    }
    m->type = form->type;
    for (const char *field = form->fields; *field; field++)
        read_field(&r, *field, m);
    return reader_done(&r);
}

static void write_session(struct writer *w, const struct mux_msg *m)
{
    writer_u32(w, m->wants_tty);
    writer_u32(w, m->wants_x11);
    writer_u32(w, m->wants_agent);
    writer_u32(w, m->is_subsystem);
    writer_u32(w, m->escape);
    writer_string(w, m->term);
    writer_string(w, m->command);
    writer_bytes(w, m->environment);
}

static void write_forward(struct writer *w, const struct mux_msg *m)
{
    writer_u32(w, m->forward);
    writer_string(w, m->listen_host);
    writer_u32(w, m->listen_port);
    writer_string(w, m->connect_host);
    writer_u32(w, m->connect_port);
}

static void write_field(struct writer *w, char field, const struct mux_msg *m)
{
    switch (field) {
    case 'r':
        writer_u32(w, m->request);
        break;
    case 's':
        writer_u32(w, m->session);
        break;
    case 'v':
        writer_u32(w, m->value);
        break;
    case 't':
        writer_string(w, m->text);
        break;
    case '-':
        writer_string(w, SLICE_NONE);
        break;
    case 'h':
        writer_text(w, "info");
        writer_text(w, "0");
        break;
    case 'S':
        write_session(w, m);
        break;
    case 'F':
        write_forward(w, m);
        break;
    default:
        CHECK(false); /* a letter of the table */
    }
}

enum err mux_msg_encode(const struct mux_msg *m, struct buf *out)
{
    struct writer w;
    const struct form *form = form_of(m->type);
    CHECK(form);
    writer_init(&w, out);
    writer_u32(&w, form->number);
    for (const char *field = form->fields; *field; field++)
        write_field(&w, *field, m);
    return writer_done(&w);
}

/* ---- what hides in the fields ---- */

enum err mux_environment(const struct mux_msg *m, struct string_list *out)
{
    struct reader r;
    reader_init(&r, m->environment);
    while (reader_left(&r) && r.err == OK) {
        char *item CLEANUP(mem_cleanup) = slice_strdup(text_of(&r));
        if (out->count == MUX_ENV_MAX)
            return ERR_LIMIT;
        if (r.err == OK)
            string_list_add(out, item);
    }
    return reader_done(&r);
}

void mux_environment_put(struct buf *to, const struct string_list *from)
{
    struct writer w;
    for (size_t i = 0; i < from->count; i++) {
        size_t length = strlen(from->items[i]);
        if (i == MUX_ENV_MAX || buf_len(to) + 4 + length > to->cap)
            return; /* more than a master takes */
        writer_init(&w, to);
        writer_text(&w, from->items[i]);
        CHECK(writer_done(&w) == OK);
    }
}

/* One end: a path, or a host and a port. */
static enum err read_end(struct slice host, uint32_t port, char **text, uint16_t *number,
                         char **path)
{
    if (port == MUX_PORT_UNIX && host.len) {
        *path = slice_strdup(host);
        return OK;
    }
    if (port > UINT16_MAX)
        return ERR_FORMAT;
    *number = (uint16_t)port;
    *text = slice_strdup(host);
    return OK;
}

enum err mux_forward_spec(const struct mux_msg *m, struct forward_spec *spec)
{
    static const enum forward_kind kinds[] = {[MUX_FORWARD_LOCAL] = FORWARD_LOCAL,
                                              [MUX_FORWARD_REMOTE] = FORWARD_REMOTE,
                                              [MUX_FORWARD_DYNAMIC] = FORWARD_DYNAMIC};
    *spec = (struct forward_spec){0};
    if (m->forward < MUX_FORWARD_LOCAL || m->forward > MUX_FORWARD_DYNAMIC)
        return ERR_FORMAT;
    spec->kind = kinds[m->forward];
    enum err err = read_end(m->listen_host, m->listen_port, &spec->listen.address,
                            &spec->listen.port, &spec->listen.path);
    /* OpenSSH says "no address" with an empty one. */
    if (err == OK && spec->listen.address && !*spec->listen.address) {
        mem_free(spec->listen.address);
        spec->listen.address = NULL;
    }
    spec->listen.has_address = spec->listen.address != NULL;
    bool has_target = m->connect_host.len && (m->connect_port || spec->kind == FORWARD_LOCAL);
    if (err == OK && has_target && spec->kind != FORWARD_DYNAMIC)
        err = read_end(m->connect_host, m->connect_port, &spec->target.host, &spec->target.port,
                       &spec->target.path);
    if (err == OK && !has_target && spec->kind == FORWARD_REMOTE)
        spec->kind = FORWARD_REMOTE_DYNAMIC;
    if (err == OK && spec->kind == FORWARD_LOCAL && !has_target)
        err = ERR_FORMAT;
    if (err != OK)
        forward_spec_done(spec);
    return err;
}

static uint32_t put_end(const char *host, uint16_t port, const char *path, struct slice *text)
{
    *text = slice_text(path ? path : host ? host : "");
    return path ? MUX_PORT_UNIX : port;
}

void mux_forward_put(struct mux_msg *m, const struct forward_spec *spec)
{
    const struct forward_listen *listen = &spec->listen;
    const struct forward_target *target = &spec->target;
    const char *every = listen->has_address && !*listen->address ? "*" : listen->address;
    m->forward = spec->kind == FORWARD_LOCAL     ? MUX_FORWARD_LOCAL
                 : spec->kind == FORWARD_DYNAMIC ? MUX_FORWARD_DYNAMIC
                                                 : MUX_FORWARD_REMOTE;
    m->listen_port = put_end(every, listen->port, listen->path, &m->listen_host);
    m->connect_port = put_end(target->host, target->port, target->path, &m->connect_host);
    if (spec->kind == FORWARD_DYNAMIC || spec->kind == FORWARD_REMOTE_DYNAMIC)
        m->connect_host = slice_text("socks"); /* what OpenSSH says for it */
}
