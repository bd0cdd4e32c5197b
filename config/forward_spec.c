/*
 * Forward specifications are split into fields at ':' (or, as OpenSSH long allowed, at '/'), and
 * the number of fields and which of them are paths decide what is meant. Everything is refused
 * with a sentence and a column; nothing is guessed.
 */
#include "config/forward_spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/un.h>

#include "base/log.h"
#include "config/lexer.h"

#define FIELDS_MAX 4
#define HOST_MAX   1024 /* NI_MAXHOST less its NUL */
#define PATH_LIMIT (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

struct field {
    struct slice text; /* without brackets */
    unsigned column;
    bool is_path;
    bool is_bracketed;
};

struct fields {
    struct field items[FIELDS_MAX];
    size_t count;
    unsigned end_column; /* one past the last byte */
};

static enum err refuse(struct forward_fault *fault, unsigned column, const char *format, ...)
    PRINTF_LIKE(3, 4);

static enum err refuse(struct forward_fault *fault, unsigned column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof(fault->text), format, args);
    va_end(args);
    fault->column = column;
    return ERR_CONFIG;
}

static struct slice part(const char *text, size_t from, size_t to)
{
    return slice_of(text + from, to - from);
}

static bool is_digits(const char *from, const char *to)
{
    if (from == to)
        return false;
    for (; from < to; from++) {
        if (*from < '0' || *from > '9')
            return false;
    }
    return true;
}

/*
 * True for "host/port", "port/host/port" and "bind/port/host/port": where these have their ports
 * there must be digits, else the slashes belong to a path.
 */
static bool is_slash_form(const char *text)
{
    const char *starts[FIELDS_MAX + 1] = {text};
    size_t pieces = 1;
    if (text[0] == '/' || text[0] == '[' || strstr(text, ":/") != NULL)
        return false;
    for (const char *slash = strchr(text, '/'); slash; slash = strchr(slash + 1, '/')) {
        if (pieces == FIELDS_MAX)
            return false;
        starts[pieces++] = slash + 1;
    }
    starts[pieces] = text + strlen(text) + 1;
    if (pieces == 1 || !is_digits(starts[pieces - 1], starts[pieces] - 1))
        return false;
    if (pieces == 2)
        return true;
    return is_digits(starts[pieces - 3], starts[pieces - 2] - 1);
}

static enum err add_field(struct fields *fields, struct field field, struct forward_fault *fault)
{
    if (fields->count == FIELDS_MAX)
        return refuse(fault, field.column,
                      "there are more than four parts; an IPv6 address is written in brackets");
    fields->items[fields->count++] = field;
    return OK;
}

/* Reads the field that begins at *at, and moves *at to the separator behind it or to the end. */
static enum err read_field(const char *text, size_t *at, unsigned base, char separator,
                           struct field *field, struct forward_fault *fault)
{
    size_t start = *at;
    *field = (struct field){.column = base + (unsigned)start};
    if (text[start] == '[') {
        const char *close = strchr(text + start, ']');
        if (close == NULL)
            return refuse(fault, field->column, "the '[' is not closed");
        size_t end = (size_t)(close - text);
        field->text = part(text, start + 1, end);
        field->is_bracketed = true;
        *at = end + 1;
        if (text[*at] != '\0' && text[*at] != separator)
            return refuse(fault, base + (unsigned)*at, "expected '%c' after ']'", separator);
    } else {
        const char stop[] = {separator, '\0'};
        size_t length = strcspn(text + start, stop);
        field->text = part(text, start, start + length);
        *at = start + length;
    }
    field->is_path = separator == ':' && field->text.len > 0 && field->text.ptr[0] == '/';
    return OK;
}

static enum err split(const char *text, unsigned base, struct fields *fields,
                      struct forward_fault *fault)
{
    char separator = is_slash_form(text) ? '/' : ':';
    size_t at = 0;
    for (;;) {
        struct field field;
        TRY(read_field(text, &at, base, separator, &field, fault));
        TRY(add_field(fields, field, fault));
        fields->end_column = base + (unsigned)at;
        if (text[at] == '\0')
            return OK;
        at++;
    }
}

static enum err read_port(const struct field *field, bool may_zero, uint16_t *port,
                          struct forward_fault *fault)
{
    const char *from = (const char *)field->text.ptr;
    struct escaped room;
    unsigned value = 0;
    if (field->text.len == 0)
        return refuse(fault, field->column, "the port is missing");
    if (field->is_bracketed || field->is_path || field->text.len > 5 ||
        !is_digits(from, from + field->text.len))
        return refuse(fault, field->column, "expected a port from 1 to 65535, found \"%s\"",
                      log_escape(room.text, sizeof(room.text) / 2, field->text));
    for (size_t i = 0; i < field->text.len; i++)
        value = value * 10 + (unsigned)(from[i] - '0');
    if (value > UINT16_MAX)
        return refuse(fault, field->column, "port %u is beyond 65535", value);
    if (value == 0 && !may_zero)
        return refuse(fault, field->column,
                      "port 0 is no port; only the listening port of a remote forward may be 0");
    *port = (uint16_t)value;
    return OK;
}

/* What a byte is that no host name or address has, or NULL. */
static const char *bad_in_name(uint8_t c)
{
    if (c <= ' ' || c == 0x7f)
        return "blanks or control characters";
    if (c == '/')
        return "a slash";
    if (c == '[' || c == ']')
        return "brackets";
    return c == '"' || c == '\'' || c == '\\' ? "quotes or backslashes" : NULL;
}

static enum err read_name(const struct field *field, bool may_empty, const char *what, char **name,
                          struct forward_fault *fault)
{
    if (field->text.len == 0 && !may_empty)
        return refuse(fault, field->column, "the %s is missing", what);
    if (field->is_path)
        return refuse(fault, field->column, "expected a %s, found a socket path", what);
    if (field->text.len > HOST_MAX)
        return refuse(fault, field->column, "the %s is longer than %d bytes", what, HOST_MAX);
    for (size_t i = 0; i < field->text.len; i++) {
        const char *bad = bad_in_name(field->text.ptr[i]);
        if (bad != NULL)
            return refuse(fault, field->column + (unsigned)i + (field->is_bracketed ? 1 : 0),
                          "a %s may not contain %s", what, bad);
    }
    *name = slice_strdup(field->text);
    return OK;
}

static enum err read_path(const struct field *field, char **path, struct forward_fault *fault)
{
    if (field->text.len > PATH_LIMIT)
        return refuse(fault, field->column, "the socket path is longer than %zu bytes", PATH_LIMIT);
    for (size_t i = 0; i < field->text.len; i++) {
        if (field->text.ptr[i] < ' ' || field->text.ptr[i] == 0x7f)
            return refuse(fault, field->column + (unsigned)i + (field->is_bracketed ? 1 : 0),
                          "a socket path may not contain control characters");
    }
    *path = slice_strdup(field->text);
    return OK;
}

/* The fields [first, first + count) as the listening end: path, port, or address and port. */
static enum err read_listen(const struct field *first, size_t count, struct forward_spec *spec,
                            struct forward_fault *fault)
{
    bool may_zero = forward_spec_is_remote(spec);
    if (count == 1 && first->is_path)
        return read_path(first, &spec->listen.path, fault);
    if (count == 1)
        return read_port(first, may_zero, &spec->listen.port, fault);
    TRY(read_name(first, true, "listening address", &spec->listen.address, fault));
    spec->listen.has_address = true;
    return read_port(first + 1, may_zero, &spec->listen.port, fault);
}

static enum err read_target(const struct field *first, size_t count, struct forward_spec *spec,
                            struct forward_fault *fault)
{
    if (count == 1)
        return read_path(first, &spec->target.path, fault);
    TRY(read_name(first, false, "target host", &spec->target.host, fault));
    return read_port(first + 1, false, &spec->target.port, fault);
}

static enum err read_dynamic(const struct fields *fields, struct forward_spec *spec,
                             struct forward_fault *fault)
{
    if (fields->count > 2)
        return refuse(fault, fields->items[2].column,
                      "expected [address:]port; a dynamic forward has no target, and an IPv6 "
                      "address is written in brackets");
    return read_listen(fields->items, fields->count, spec, fault);
}

static enum err read_fields(enum forward_kind wanted, const struct fields *fields,
                            struct forward_spec *spec, struct forward_fault *fault)
{
    const struct field *f = fields->items;
    size_t count = fields->count;
    bool ends_in_path = count > 1 && f[count - 1].is_path;

    spec->kind = wanted;
    if (wanted == FORWARD_DYNAMIC || wanted == FORWARD_REMOTE_DYNAMIC)
        return read_dynamic(fields, spec, fault);
    if (count == 1 || (count == 2 && !ends_in_path)) {
        if (wanted == FORWARD_LOCAL)
            return refuse(fault, fields->end_column,
                          "the target is missing: expected [address:]port:host:port");
        if (count == 2 && f[0].is_path)
            return refuse(fault, fields->end_column, "the port of the target is missing");
        spec->kind = FORWARD_REMOTE_DYNAMIC;
        return read_dynamic(fields, spec, fault);
    }
    size_t target_count = ends_in_path ? 1 : 2;
    size_t listen_count = count - target_count;
    if (listen_count == 2 && f[0].is_path)
        return refuse(fault, f[1].column, "a listening socket path takes no port");
    if (listen_count > 2)
        return refuse(fault, f[2].column, "a target socket path takes no host");
    TRY(read_listen(f, listen_count, spec, fault));
    return read_target(f + listen_count, target_count, spec, fault);
}

static enum err finish(enum err result, struct forward_spec *spec)
{
    if (result != OK)
        forward_spec_done(spec);
    return result;
}

enum err forward_spec_parse(enum forward_kind wanted, const char *text, struct forward_spec *spec,
                            struct forward_fault *fault)
{
    struct fields fields = {.count = 0};
    *spec = (struct forward_spec){.kind = wanted};
    *fault = (struct forward_fault){.column = 0};
    if (text[0] == '\0')
        return refuse(fault, 1, "the forward is empty: expected [address:]port%s",
                      wanted == FORWARD_DYNAMIC ? "" : ":host:port");
    TRY(split(text, 1, &fields, fault));
    return finish(read_fields(wanted, &fields, spec, fault), spec);
}

enum err forward_spec_parse_pair(enum forward_kind wanted, const char *listen, const char *target,
                                 struct forward_spec *spec, struct forward_fault *fault)
{
    if (target == NULL || wanted == FORWARD_DYNAMIC)
        return forward_spec_parse(wanted, listen, spec, fault);
    struct fields fields = {.count = 0};
    *spec = (struct forward_spec){.kind = wanted};
    *fault = (struct forward_fault){.column = 0};
    TRY(split(listen, 1, &fields, fault));
    TRY(split(target, (unsigned)strlen(listen) + 2, &fields, fault));
    return finish(read_fields(wanted, &fields, spec, fault), spec);
}

enum err forward_spec_parse_target(const char *text, char **host, uint16_t *port,
                                   struct forward_fault *fault)
{
    struct fields fields = {.count = 0};
    struct forward_spec spec = {.kind = FORWARD_LOCAL};
    *host = NULL;
    *port = 0;
    *fault = (struct forward_fault){.column = 0};
    TRY(split(text, 1, &fields, fault));
    if (fields.count != 2)
        return refuse(fault, fields.count > 2 ? fields.items[2].column : fields.end_column,
                      "expected host:port; an IPv6 address is written in brackets");
    TRY(finish(read_target(fields.items, 2, &spec, fault), &spec));
    *host = spec.target.host;
    *port = spec.target.port;
    return OK;
}

void forward_spec_done(struct forward_spec *spec)
{
    mem_free(spec->listen.address);
    mem_free(spec->listen.path);
    mem_free(spec->target.host);
    mem_free(spec->target.path);
    *spec = (struct forward_spec){.kind = spec->kind};
}

static char *copy_text(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

void forward_spec_copy(struct forward_spec *to, const struct forward_spec *from)
{
    *to = *from;
    to->listen.address = copy_text(from->listen.address);
    to->listen.path = copy_text(from->listen.path);
    to->target.host = copy_text(from->target.host);
    to->target.path = copy_text(from->target.path);
}

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool forward_spec_equal(const struct forward_spec *a, const struct forward_spec *b)
{
    return a->kind == b->kind && a->listen.has_address == b->listen.has_address &&
           is_same_text(a->listen.address, b->listen.address) && a->listen.port == b->listen.port &&
           is_same_text(a->listen.path, b->listen.path) &&
           is_same_text(a->target.host, b->target.host) && a->target.port == b->target.port &&
           is_same_text(a->target.path, b->target.path);
}

bool forward_spec_is_unix(const struct forward_spec *spec)
{
    return spec->listen.path != NULL || spec->target.path != NULL;
}

bool forward_spec_is_remote(const struct forward_spec *spec)
{
    return spec->kind == FORWARD_REMOTE || spec->kind == FORWARD_REMOTE_DYNAMIC;
}

/* A name, address or path, in brackets where a ':' in it would be taken for a separator. */
static char *print_field(const char *text)
{
    return strchr(text, ':') ? mem_printf("[%s]", text) : mem_strdup(text);
}

char *forward_spec_print(const struct forward_spec *spec)
{
    const struct forward_listen *l = &spec->listen;
    const struct forward_target *t = &spec->target;
    char *bind CLEANUP(mem_cleanup) = print_field(l->path          ? l->path
                                                  : l->has_address ? l->address
                                                                   : "");
    char *listen CLEANUP(mem_cleanup) = l->path ? mem_strdup(bind)
                                        : l->has_address
                                            ? mem_printf("%s:%u", bind, (unsigned)l->port)
                                            : mem_printf("%u", (unsigned)l->port);
    if (t->host == NULL && t->path == NULL)
        return mem_strdup(listen);
    char *target CLEANUP(mem_cleanup) = print_field(t->path ? t->path : t->host);
    if (t->path)
        return mem_printf("%s:%s", listen, target);
    return mem_printf("%s:%s:%u", listen, target, (unsigned)t->port);
}

/* A path as one word of a configuration line. */
static char *print_path_word(const char *path)
{
    char *field CLEANUP(mem_cleanup) = print_field(path);
    struct buf out;
    buf_init(&out, 4 * PATH_LIMIT); /* quoting doubles it at most */
    enum err result = lexer_print_word(&out, field);
    CHECK(result == OK);
    char *word = buf_strdup(&out);
    buf_done(&out);
    return word;
}

char *forward_spec_print_config(const struct forward_spec *spec)
{
    const struct forward_listen *l = &spec->listen;
    const struct forward_target *t = &spec->target;
    char *listen CLEANUP(mem_cleanup) = l->path ? print_path_word(l->path)
                                        : l->has_address
                                            ? mem_printf("[%s]:%u", l->address, (unsigned)l->port)
                                            : mem_printf("%u", (unsigned)l->port);
    if (t->path) {
        char *path CLEANUP(mem_cleanup) = print_path_word(t->path);
        return mem_printf("%s %s", listen, path);
    }
    if (t->host == NULL)
        return mem_strdup(listen);
    return mem_printf("%s [%s]:%u", listen, t->host, (unsigned)t->port);
}

void forward_list_add(struct forward_list *list, const struct forward_spec *spec)
{
    list->items = mem_resize(list->items, list->count + 1, sizeof(list->items[0]));
    forward_spec_copy(&list->items[list->count++], spec);
}

void forward_list_done(struct forward_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        forward_spec_done(&list->items[i]);
    mem_free(list->items);
    *list = (struct forward_list){NULL, 0};
}
