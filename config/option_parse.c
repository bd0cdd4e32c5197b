/*
 * Reading a line's words into an option, by the type of its row. Each reader checks wholly before
 * it stores, and stores nothing when the option has its value already.
 */
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/algo_names.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/match.h"
#include "config/forward_spec.h"
#include "config/option.h"
#include "config/permit.h"
#include "config/server_value.h"

#define MIB                (1024ull * 1024)
#define WINDOW_LEAST       (32 * 1024) /* one packet */
#define WINDOW_TOTAL_LEAST MIB
#define REKEY_BYTES_MIN    16 /* OpenSSH's, so that a typing error does not rekey without end */

struct parse {
    struct option_state *state; /* NULL: check only */
    enum option_scope scope;
    const struct option_row *row;
    const struct line *line;
    const struct place *place;
    struct report *report;
    void *field; /* NULL: check only, or the option has its value */
};

/* The error entry for word index (or the line's end); returns ERR_CONFIG. */
static enum err fail(const struct parse *p, size_t index, const char *format, ...)
    PRINTF_LIKE(3, 4);

static enum err fail(const struct parse *p, size_t index, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct place place = p->place ? *p->place : (struct place){NULL, 0, 0};
    if (p->place != NULL && index < p->line->count)
        place.column = place.column + p->line->words[index].column;
    else if (p->place != NULL && p->line->keyword != NULL)
        place.column = place.column + p->line->keyword_column;
    report_add(p->report, REPORT_ERROR, p->place ? &place : NULL, p->row->name, "%s", text);
    return ERR_CONFIG;
}

/* A word of the line, made safe to show. */
static const char *shown(const struct parse *p, size_t index, struct escaped *room)
{
    return log_escape(room->text, 120, slice_text(p->line->words[index].text));
}

static enum err need_words(const struct parse *p, size_t least, size_t most)
{
    struct escaped room;
    if (p->line->count < least || (least > 0 && p->line->words[0].text[0] == '\0'))
        return fail(p, SIZE_MAX, "%s has no value", p->row->name);
    if (p->line->count > most)
        return fail(p, most, "extra word \"%s\" behind the value of %s", shown(p, most, &room),
                    p->row->name);
    return OK;
}

static bool is_flag(const char *text, bool *is_yes)
{
    *is_yes = strcasecmp(text, "yes") == 0 || strcasecmp(text, "true") == 0;
    return *is_yes || strcasecmp(text, "no") == 0 || strcasecmp(text, "false") == 0;
}

static enum err parse_flag(const struct parse *p)
{
    TRY(need_words(p, 1, 1));
    struct escaped room;
    bool is_yes;
    if (!is_flag(p->line->words[0].text, &is_yes))
        return fail(p, 0, "%s is yes or no, not \"%s\"", p->row->name, shown(p, 0, &room));
    if (p->field != NULL)
        *(bool *)p->field = is_yes;
    return OK;
}

static enum err parse_word(const struct parse *p)
{
    char names[200];
    size_t used = 0;
    struct escaped room;
    TRY(need_words(p, 1, 1));
    for (const struct option_word *word = p->row->words; word->name != NULL; word++) {
        if (strcasecmp(word->name, p->line->words[0].text) == 0) {
            if (p->field != NULL)
                *(int *)p->field = word->value;
            return OK;
        }
        if (used < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
                                     word->name);
    }
    return fail(p, 0, "%s is one of %s, not \"%s\"", p->row->name, names, shown(p, 0, &room));
}

/* Decimal digits only. */
static bool read_number(const char *text, uint64_t maximum, uint64_t *value)
{
    if (text[0] == '\0' || strlen(text) > 19)
        return false;
    *value = 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        *value = *value * 10 + (uint64_t)(*text - '0');
    }
    return *value <= maximum;
}

static enum err parse_int(const struct parse *p)
{
    uint64_t value;
    struct escaped room;
    TRY(need_words(p, 1, 1));
    if ((p->row->flags & OPTION_MAY_NONE) && strcmp(p->line->words[0].text, "none") == 0)
        value = (uint64_t)p->row->maximum;
    else if (!read_number(p->line->words[0].text, (uint64_t)p->row->maximum, &value) ||
             value < (uint64_t)p->row->minimum)
        return fail(p, 0, "%s is a number from %d to %d, not \"%s\"", p->row->name, p->row->minimum,
                    p->row->maximum, shown(p, 0, &room));
    if (p->field != NULL)
        *(int *)p->field = (int)value;
    return OK;
}

static enum err parse_seconds(const struct parse *p)
{
    uint32_t seconds = 0;
    struct escaped room;
    TRY(need_words(p, 1, 1));
    const char *text = p->line->words[0].text;
    bool is_none = (p->row->flags & OPTION_MAY_NONE) && strcasecmp(text, "none") == 0;
    if (!is_none && (duration_parse_s(text, &seconds) != OK || seconds > INT32_MAX))
        return fail(p, 0, "%s is a time such as 30, 90s or 1m30s, not \"%s\"", p->row->name,
                    shown(p, 0, &room));
    if (p->field != NULL)
        *(uint32_t *)p->field = seconds;
    return OK;
}

static enum err read_port(const struct parse *p, uint16_t *port)
{
    uint64_t value;
    struct escaped room;
    TRY(need_words(p, 1, 1));
    if (!read_number(p->line->words[0].text, UINT16_MAX, &value) || value == 0)
        return fail(p, 0, "%s is a number from 1 to 65535, not \"%s\"", p->row->name,
                    shown(p, 0, &room));
    *port = (uint16_t)value;
    return OK;
}

#define MASK_MAX 0777

/* A umask(2), octal as in the shell. */
static enum err parse_mask(const struct parse *p)
{
    uint32_t mask = 0;
    struct escaped room;
    TRY(need_words(p, 1, 1));
    const char *word = p->line->words[0].text;
    size_t digits = strspn(word, "01234567");
    for (size_t i = 0; i < digits && mask <= MASK_MAX; i++)
        mask = mask * 8 + (uint32_t)(word[i] - '0');
    if (digits == 0 || word[digits] != '\0' || mask > MASK_MAX)
        return fail(p, 0, "%s is an octal mask such as 0177, not \"%s\"", p->row->name,
                    shown(p, 0, &room));
    if (p->field != NULL)
        *(uint32_t *)p->field = mask;
    return OK;
}

static enum err parse_port(const struct parse *p)
{
    uint16_t port;
    TRY(read_port(p, &port));
    if (p->field != NULL)
        *(uint16_t *)p->field = port;
    return OK;
}

static enum err parse_ports(const struct parse *p)
{
    uint16_t port;
    TRY(read_port(p, &port));
    if (p->field != NULL) {
        struct port_list *list = p->field;
        list->items = mem_resize(list->items, list->count + 1, sizeof(list->items[0]));
        list->items[list->count++] = port;
    }
    return OK;
}

static void store_text(const struct parse *p, const char *text)
{
    if (p->field != NULL) {
        char **value = p->field;
        mem_free(*value);
        *value = mem_strdup(text);
    }
}

/* It stands on the identification line, which has 253 bytes (RFC 4253 4.2). */
static bool is_addendum(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (*at < ' ' || *at == 0x7f)
            return false;
    }
    return strlen(text) <= 200;
}

/* The checks of single values; text is shown where it fails. */
static enum err check_text(const struct parse *p, const char *text)
{
    struct escaped room;
    enum match ignored;
    bool is_yes, is_none = strcasecmp(text, "none") == 0;
    const char *wanted = NULL;
    switch ((enum option_check)p->row->kind) {
    case OPTION_CHECK_FLAG:
        wanted = is_flag(text, &is_yes) ? NULL : "yes or no";
        break;
    case OPTION_CHECK_ADDRESSES:
        wanted = is_none || match_address_list(NULL, text, &ignored) == OK
                     ? NULL
                     : "none or a list of addresses and networks";
        break;
    case OPTION_CHECK_PROGRAM:
        wanted = is_none || text[0] == '/' ? NULL : "none or an absolute path";
        break;
    case OPTION_CHECK_ADDENDUM:
        wanted = is_addendum(text) ? NULL : "at most 200 printable characters";
        break;
    case OPTION_CHECK_NONE_ONLY:
        wanted = is_none ? NULL : "none: nothing else is supported on this system";
        break;
    case OPTION_CHECK_NONE:
    case OPTION_CHECK_PERMIT_OPEN:
    case OPTION_CHECK_PERMIT_LISTEN:
    case OPTION_CHECK_TIMEOUT:
    case OPTION_CHECK_ASSIGNMENT:
    case OPTION_CHECK_USER:
    case OPTION_CHECK_METHODS:
    case OPTION_CHECK_ENV:
    case OPTION_CHECK_ALONE:
    case OPTION_CHECK_CNAMES:
        break;
    }
    if (wanted == NULL)
        return OK;
    return fail(p, 0, "%s takes %s, not \"%s\"", p->row->name, wanted,
                log_escape(room.text, 120, slice_text(text)));
}

static enum err parse_string(const struct parse *p)
{
    TRY(need_words(p, 1, 1));
    TRY(check_text(p, p->line->words[0].text));
    store_text(p, p->line->words[0].text);
    return OK;
}

/* The rest of the line; OpenSSH skips any '=' before it. */
static const char *tail_of(const struct line *line)
{
    return line->rest + strspn(line->rest, " \t=");
}

static enum err parse_command(const struct parse *p)
{
    char *text CLEANUP(mem_cleanup) = mem_strdup(tail_of(p->line));
    if (p->row->kind == OPTION_CHECK_ADDENDUM) {
        size_t length = strcspn(text, "#");
        while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
            length--;
        text[length] = '\0';
    }
    if (text[0] == '\0')
        return fail(p, SIZE_MAX, "%s has no value", p->row->name);
    TRY(check_text(p, text));
    store_text(p, text);
    return OK;
}

static bool is_port_or_star(const char *text)
{
    uint64_t value;
    return strcmp(text, "*") == 0 || (read_number(text, UINT16_MAX, &value) && value > 0);
}

/* USER or USER@HOST; a HOST with a mask must be a network. */
static bool is_user_pattern(const char *text)
{
    enum match ignored;
    const char *at = strrchr(text, '@');
    if (text[0] == '\0' || at == text)
        return false;
    if (at == NULL)
        return true;
    return at[1] != '\0' && match_address_list(NULL, at + 1, &ignored) == OK;
}

/* Comma separated methods, each perhaps with a device: "publickey,keyboard-interactive:pam". */
static bool is_method_list(const char *text)
{
    static const char *const methods[] = {
        "none",      "publickey",       "password",    "keyboard-interactive",
        "hostbased", "gssapi-with-mic", "gssapi-keyex"};
    for (;;) {
        size_t length = strcspn(text, ",");
        size_t name = strcspn(text, ",:");
        size_t i = 0;
        while (i < ARRAY_LEN(methods) &&
               (strlen(methods[i]) != name || strncmp(methods[i], text, name) != 0))
            i++;
        if (i == ARRAY_LEN(methods) || name + 1 == length)
            return false;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

/* "session:*=5m", or "none" by itself. */
static bool is_timeout(const char *text, bool is_alone)
{
    uint32_t seconds;
    const char *equals = strrchr(text, '=');
    if (!equals)
        return is_alone && strcasecmp(text, "none") == 0;
    return equals > text && duration_parse_s(equals + 1, &seconds) == OK;
}

static enum err check_word(const struct parse *p, size_t index)
{
    const char *text = p->line->words[index].text;
    bool is_alone = p->line->count == 1;
    struct escaped room;
    struct permit_rule rule;
    bool is_any = is_alone && (strcmp(text, "any") == 0 || strcmp(text, "none") == 0);
    switch ((enum option_check)p->row->kind) {
    case OPTION_CHECK_NONE:
        return OK;
    case OPTION_CHECK_PERMIT_OPEN:
        if (is_any || permit_rule_read(&rule, text, PERMIT_OPEN, false))
            return OK;
        return fail(p, index, "%s takes any, none or host:port, not \"%s\"", p->row->name,
                    shown(p, index, &room));
    case OPTION_CHECK_PERMIT_LISTEN:
        if (is_any || permit_rule_read(&rule, text, PERMIT_LISTEN, false))
            return OK;
        return fail(p, index, "%s takes any, none or [host:]port, not \"%s\"", p->row->name,
                    shown(p, index, &room));
    case OPTION_CHECK_TIMEOUT:
        if (is_timeout(text, is_alone))
            return OK;
        return fail(p, index, "%s takes none or TYPE=TIME, not \"%s\"", p->row->name,
                    shown(p, index, &room));
    case OPTION_CHECK_ASSIGNMENT:
        if (strchr(text, '=') != NULL && text[0] != '=')
            return OK;
        return fail(p, index, "%s takes NAME=VALUE, not \"%s\"", p->row->name,
                    shown(p, index, &room));
    case OPTION_CHECK_USER:
        if (is_user_pattern(text))
            return OK;
        return fail(p, index, "%s takes USER or USER@HOST, not \"%s\"", p->row->name,
                    shown(p, index, &room));
    case OPTION_CHECK_METHODS:
        if (is_method_list(text) || (is_alone && strcmp(text, "any") == 0))
            return OK;
        return fail(p, index, "%s takes any or METHOD[:DEVICE],..., not \"%s\"", p->row->name,
                    shown(p, index, &room));
    case OPTION_CHECK_ENV:
        if (strchr(text, '=') == NULL)
            return OK;
        return fail(p, index, "%s takes names, not \"%s\"", p->row->name, shown(p, index, &room));
    case OPTION_CHECK_ALONE:
        if (is_alone || strcasecmp(text, "none") != 0)
            return OK;
        return fail(p, index, "%s takes \"none\" only by itself", p->row->name);
    case OPTION_CHECK_CNAMES:
        if (strchr(text, ':') != NULL || (is_alone && strcasecmp(text, "none") == 0))
            return OK;
        return fail(p, index, "%s takes none or SOURCES:TARGETS, not \"%s\"", p->row->name,
                    shown(p, index, &room));
    case OPTION_CHECK_FLAG:
    case OPTION_CHECK_ADDRESSES:
    case OPTION_CHECK_PROGRAM:
    case OPTION_CHECK_ADDENDUM:
    case OPTION_CHECK_NONE_ONLY:
        return check_text(p, text);
    }
    return ERR_BUG;
}

static bool has_item(const struct string_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

/* Whether NAME of "NAME=VALUE" has a value already. */
static bool has_name(const struct string_list *list, const char *assignment)
{
    size_t length = (size_t)(strchr(assignment, '=') - assignment) + 1;
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], assignment, length) == 0)
            return true;
    }
    return false;
}

/* A word as it is kept: a bare port of PermitListen means every address, as OpenSSH prints it. */
static char *list_item(const struct parse *p, const char *text)
{
    bool is_negated = text[0] == '!';
    bool is_word = strcmp(text, "any") == 0 || strcmp(text, "none") == 0;
    if (p->row->kind != OPTION_CHECK_PERMIT_LISTEN || is_word || strchr(text, ':') != NULL)
        return mem_strdup(text);
    return mem_printf("%s*:%s", is_negated ? "!" : "", text + (is_negated ? 1 : 0));
}

/* "-LC_*" of SendEnv: what was named before and fits is taken back. */
static void remove_items(struct string_list *list, const char *pattern)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (match_is_pattern(list->items[i], pattern))
            mem_free(list->items[i]);
        else
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

static enum err parse_list(const struct parse *p)
{
    /* Without a place it is a default, and defaults of one-word options name several files. */
    bool is_single = (p->row->flags & OPTION_ONE_WORD) && p->place != NULL;
    TRY(need_words(p, 1, is_single ? 1 : SIZE_MAX));
    for (size_t i = 0; i < p->line->count; i++) {
        if (p->line->words[i].text[0] == '\0')
            return fail(p, i, "%s has an empty word in its list", p->row->name);
        TRY(check_word(p, i));
    }
    struct string_list *list = p->field;
    for (size_t i = 0; list != NULL && i < p->line->count; i++) {
        char *item CLEANUP(mem_cleanup) = list_item(p, p->line->words[i].text);
        if (p->row->kind == OPTION_CHECK_ASSIGNMENT && has_name(list, item))
            continue; /* the first value of a name wins */
        if ((p->row->flags & OPTION_MINUS) && item[0] == '-')
            remove_items(list, item + 1);
        else if (!(p->row->flags & OPTION_UNIQUE) || !has_item(list, item))
            string_list_add(list, item);
    }
    return OK;
}

/* "host", "host:port", "[v6]", "[v6]:port" or a bare IPv6 address. */
static bool is_listen_text(const char *text)
{
    if (match_is_address(text))
        return true;
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (close == NULL || close == text + 1)
            return false;
        return close[1] == '\0' ||
               (close[1] == ':' && is_port_or_star(close + 2) && close[2] != '*');
    }
    const char *colon = strchr(text, ':');
    return colon == NULL || (colon > text && colon[1] != '*' && is_port_or_star(colon + 1));
}

static enum err parse_listen(const struct parse *p)
{
    struct escaped room;
    if (p->line->count > 1 && strcasecmp(p->line->words[1].text, "rdomain") == 0)
        return fail(p, 1, "%s rdomain is not built yet", p->row->name);
    TRY(need_words(p, 1, 1));
    if (!is_listen_text(p->line->words[0].text))
        return fail(p, 0, "%s takes host, host:port or [address]:port, not \"%s\"", p->row->name,
                    shown(p, 0, &room));
    if (p->field != NULL)
        string_list_add(p->field, p->line->words[0].text);
    return OK;
}

static enum err parse_forward(const struct parse *p)
{
    enum forward_kind kind = (enum forward_kind)p->row->kind;
    struct forward_spec spec;
    struct forward_fault fault;
    TRY(need_words(p, 1, kind == FORWARD_DYNAMIC ? 1 : 2));
    const char *listen = p->line->words[0].text;
    const char *target = p->line->count > 1 ? p->line->words[1].text : NULL;
    if (forward_spec_parse_pair(kind, listen, target, &spec, &fault) != OK) {
        struct escaped shown_listen, shown_target;
        return fail(p, 0, "bad %s \"%s%s%s\" at character %u: %s", p->row->name,
                    log_escape(shown_listen.text, 100, slice_text(listen)), target ? " " : "",
                    target ? log_escape(shown_target.text, 100, slice_text(target)) : "",
                    fault.column, fault.text);
    }
    struct forward_list *list = p->field;
    bool is_new = list != NULL;
    for (size_t i = 0; is_new && i < list->count; i++)
        is_new = !forward_spec_equal(&list->items[i], &spec);
    if (is_new)
        forward_list_add(list, &spec);
    forward_spec_done(&spec);
    return OK;
}

void option_drop_certificates(char *list)
{
    char *out = list;
    for (const char *name = list; *name != '\0';) {
        size_t length = strcspn(name, ",");
        const char *mark = strstr(name, "-cert-v0");
        if (mark == NULL || mark >= name + length) {
            if (out != list)
                *out++ = ',';
            memmove(out, name, length);
            out += length;
        }
        name += length;
        name += *name == ',' ? 1 : 0;
    }
    *out = '\0';
}

/* One warning for each that the line spelt out: nothing else brings them. */
static void warn_of_legacy(const struct parse *p, enum algo_kind kind, const char *list)
{
    for (const char *at = list; *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        if (algo_names_is_legacy(kind, slice_of(at, length)))
            report_add(p->report, REPORT_WARNING, p->place, p->row->name,
                       "%s: %.*s is broken or worn out, and used only because it is named here",
                       p->row->name, (int)length, at);
        at += length;
    }
}

static enum err parse_algorithms(const struct parse *p)
{
    enum algo_kind kind = (enum algo_kind)p->row->kind;
    struct algo_choice choice;
    struct escaped room;
    TRY(need_words(p, 1, 1));
    enum err result =
        algo_names_apply(kind, p->line->words[0].text, p->scope == OPTION_CLIENT, &choice);
    if (result == ERR_CONFIG)
        result = fail(p, 0, "%s names \"%s\", which is no %s", p->row->name,
                      log_escape(room.text, 120, slice_text(choice.unknown)),
                      algo_names_kind_name(kind));
    else if (result == ERR_NO_COMMON)
        result = fail(p, 0, "%s leaves no %s: none of \"%s\" is built", p->row->name,
                      algo_names_kind_name(kind), shown(p, 0, &room));
    else if (result != OK)
        result = fail(p, 0, "%s has an empty list", p->row->name);
    if (result == OK && choice.dropped != NULL && (p->field != NULL || p->state == NULL))
        report_add(p->report, REPORT_NOTE, p->place, p->row->name, "%s: not built and left out: %s",
                   p->row->name, choice.dropped);
    if (result == OK && (p->field != NULL || p->state == NULL))
        warn_of_legacy(p, kind, choice.list);
    if (result == OK && (p->row->flags & OPTION_PLAIN))
        option_drop_certificates(choice.list);
    if (result == OK && choice.list[0] == '\0')
        result = fail(p, 0, "%s leaves no %s: \"%s\" are certificates", p->row->name,
                      algo_names_kind_name(kind), shown(p, 0, &room));
    if (result == OK)
        store_text(p, choice.list);
    algo_choice_done(&choice);
    return result;
}

/* Digits and one of K M G. */
static bool read_size(const char *text, uint64_t *bytes)
{
    static const char suffixes[] = "kmgt";
    char digits[20];
    size_t length = strspn(text, "0123456789");
    unsigned shift = 0;
    if (length == 0 || length >= sizeof(digits))
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (text[length] != '\0') {
        const char *suffix = strchr(suffixes, text[length] | 0x20);
        if (suffix == NULL || text[length + 1] != '\0')
            return false;
        shift = 10 * (unsigned)(suffix - suffixes + 1);
    }
    if (!read_number(digits, UINT64_MAX >> shift, bytes))
        return false;
    *bytes <<= shift;
    return true;
}

static enum err parse_rekey(const struct parse *p)
{
    struct rekey_limit limit = {0, 0};
    struct escaped room;
    TRY(need_words(p, 1, 2));
    const char *bytes = p->line->words[0].text;
    if (strcasecmp(bytes, "default") != 0 && !read_size(bytes, &limit.bytes))
        return fail(p, 0, "%s begins with default or a size such as 500M or 1G, not \"%s\"",
                    p->row->name, shown(p, 0, &room));
    if (limit.bytes > 0 && limit.bytes < REKEY_BYTES_MIN)
        return fail(p, 0, "%s is at least %d bytes", p->row->name, REKEY_BYTES_MIN);
    if (p->line->count > 1 && strcasecmp(p->line->words[1].text, "none") != 0 &&
        (duration_parse_s(p->line->words[1].text, &limit.seconds) != OK ||
         limit.seconds > INT32_MAX))
        return fail(p, 1, "%s ends with none or a time such as 1h, not \"%s\"", p->row->name,
                    shown(p, 1, &room));
    if (p->field != NULL)
        *(struct rekey_limit *)p->field = limit;
    return OK;
}

/* Sizes that are not said stay what they are by default. */
static enum err parse_window(const struct parse *p)
{
    struct window_sizes sizes = {64 * MIB, 256 * MIB, 1024 * MIB};
    uint64_t *const fields[] = {&sizes.channel, &sizes.connection, &sizes.process};
    struct escaped room;
    TRY(need_words(p, 1, ARRAY_LEN(fields)));
    for (size_t i = 0; i < p->line->count; i++) {
        if (!read_size(p->line->words[i].text, fields[i]))
            return fail(p, i, "%s takes up to three sizes such as 128M 256M 1G, not \"%s\"",
                        p->row->name, shown(p, i, &room));
    }
    if (sizes.channel < WINDOW_LEAST || sizes.channel > 1024 * MIB)
        return fail(p, 0, "%s is from %dK to 1G a channel", p->row->name, WINDOW_LEAST / 1024);
    if (sizes.connection < WINDOW_TOTAL_LEAST || sizes.process < WINDOW_TOTAL_LEAST)
        return fail(p, 0, "%s is at least 1M for a connection and for a process", p->row->name);
    if (p->field != NULL)
        *(struct window_sizes *)p->field = sizes;
    return OK;
}

static enum err parse_startups(const struct parse *p)
{
    uint64_t numbers[3] = {0, 30, 0};
    size_t count = 0;
    struct escaped room;
    TRY(need_words(p, 1, 1));
    const char *text = p->line->words[0].text;
    bool is_good = true;
    while (is_good && count < 3) {
        char digits[12];
        size_t length = strcspn(text, ":");
        is_good = length < sizeof(digits);
        memcpy(digits, text, is_good ? length : 0);
        digits[is_good ? length : 0] = '\0';
        is_good = is_good && read_number(digits, INT32_MAX, &numbers[count]);
        count++;
        text += length;
        if (*text == '\0')
            break;
        text++;
    }
    if (count == 1)
        numbers[2] = numbers[0];
    if (!is_good || *text != '\0' || count == 2 || numbers[0] == 0 || numbers[0] > numbers[2] ||
        numbers[1] < 1 || numbers[1] > 100)
        return fail(p, 0, "%s is a number or begin:percent:full, not \"%s\"", p->row->name,
                    shown(p, 0, &room));
    if (p->field != NULL)
        *(struct max_startups *)p->field =
            (struct max_startups){(unsigned)numbers[0], (unsigned)numbers[1], (unsigned)numbers[2]};
    return OK;
}

/* Words [first, last) as they read back, joined by blanks; for a tail the text as it stands. */
static char *raw_text(const struct parse *p, size_t first, size_t last)
{
    if (p->row->flags & OPTION_TAIL)
        return mem_strdup(tail_of(p->line));
    struct buf out;
    buf_init(&out, 4 * LEXER_LINE_MAX);
    enum err result = OK;
    for (size_t i = first; result == OK && i < last; i++) {
        if (i > first)
            result = buf_append(&out, " ", 1);
        if (result == OK)
            result = lexer_print_word(&out, p->line->words[i].text);
    }
    CHECK(result == OK); /* quoting doubles a line at most, and adds two bytes a word */
    char *text = buf_strdup(&out);
    buf_done(&out);
    return text;
}

static void keep_raw(const struct parse *p, const char *text)
{
    struct option_state *state = p->state;
    for (size_t i = 0; i < state->raw_count; i++) {
        if (state->raw[i].row == p->row && strcmp(state->raw[i].text, text) == 0)
            return;
    }
    state->raw = mem_resize(state->raw, state->raw_count + 1, sizeof(state->raw[0]));
    state->raw[state->raw_count++] = (struct raw_option){p->row, mem_strdup(text)};
}

/* A line that asks for what is not built: loud where that restricts. */
static void remark(const struct parse *p, const char *text)
{
    if (p->row->fallback != NULL && strcasecmp(text, p->row->fallback) == 0)
        return;
    if (p->row->flags & OPTION_RESTRICTS)
        report_add(p->report, REPORT_WARNING, p->place, p->row->name,
                   "%s is not built yet and does NOT do what it says: doc/sshd_config.md has what "
                   "happens instead",
                   p->row->name);
    else if (p->row->flags & OPTION_NO_EFFECT)
        report_add(p->report, REPORT_NOTE, p->place, p->row->name,
                   "%s is accepted and has no effect in adit", p->row->name);
    else if (p->row->type == OPTION_ACCEPTED && p->scope == OPTION_CLIENT)
        report_add(p->report, REPORT_NOTE, p->place, p->row->name,
                   "%s is no part of adit: it is accepted and has no effect", p->row->name);
    else if (p->row->type == OPTION_ACCEPTED)
        report_add(p->report, REPORT_NOTE, p->place, p->row->name,
                   "%s is accepted and has no effect yet", p->row->name);
}

static enum err parse_accepted(const struct parse *p)
{
    bool is_yes;
    if (p->line->count == 0 || ((p->row->flags & OPTION_TAIL) && tail_of(p->line)[0] == '\0'))
        return fail(p, SIZE_MAX, "%s has no value", p->row->name);
    TRY(check_text(p, p->line->words[0].text));
    char *text CLEANUP(mem_cleanup) = raw_text(p, 0, p->line->count);
    if (p->row->kind == OPTION_CHECK_FLAG && is_flag(text, &is_yes))
        memcpy(text, is_yes ? "yes" : "no", is_yes ? 4 : 3); /* never longer than it was */
    if (p->field == NULL)
        return OK;
    if (!(p->row->flags & OPTION_EACH)) {
        keep_raw(p, text);
        return OK;
    }
    for (size_t i = 0; i < p->line->count; i++) {
        char *word CLEANUP(mem_cleanup) = raw_text(p, i, i + 1);
        keep_raw(p, word);
    }
    return OK;
}

static enum err parse_bits(const struct parse *p)
{
    int value = 0;
    struct escaped room;
    TRY(need_words(p, 1, SIZE_MAX));
    for (size_t i = 0; i < p->line->count; i++) {
        const struct option_word *word = p->row->words;
        const char *text = p->line->words[i].text;
        while (word->name != NULL && strcasecmp(word->name, text) != 0)
            word++;
        if (word->name == NULL && strcasecmp(text, "none") != 0)
            return fail(p, i, "%s does not know \"%s\"", p->row->name, shown(p, i, &room));
        value |= word->name ? word->value : 0;
    }
    if (p->field != NULL)
        *(int *)p->field = value;
    return OK;
}

static enum err parse_penalties(const struct parse *p)
{
    struct source_penalties scratch = {.given = 0};
    struct source_penalties *kept = p->field != NULL ? p->field : &scratch;
    struct escaped room;
    TRY(need_words(p, 1, SIZE_MAX));
    for (size_t i = 0; i < p->line->count; i++) {
        const char *text = p->line->words[i].text;
        bool ignored;
        if (is_flag(text, &ignored) && p->line->count > 1)
            return fail(p, i, "%s takes \"%s\" only by itself", p->row->name, shown(p, i, &room));
        if (!source_penalties_read(kept, text))
            return fail(p, i, "%s takes yes, no or items such as crash:90s, not \"%s\"",
                        p->row->name, shown(p, i, &room));
    }
    return OK;
}

static enum err parse_block_size(const struct parse *p)
{
    struct net_block_size size;
    struct escaped room;
    TRY(need_words(p, 1, 1));
    if (!net_block_size_read(&size, p->line->words[0].text))
        return fail(p, 0, "%s is 0 to 32, or that with :0 to :128, not \"%s\"", p->row->name,
                    shown(p, 0, &room));
    if (p->field != NULL)
        *(struct net_block_size *)p->field = size;
    return OK;
}

static enum err parse_qos(const struct parse *p)
{
    int values[2];
    struct escaped room;
    TRY(need_words(p, 1, 2));
    for (size_t i = 0; i < p->line->count; i++) {
        if (!ip_qos_read(&values[i], p->line->words[i].text))
            return fail(p, i, "%s takes names such as ef, cs0 or none, not \"%s\"", p->row->name,
                        shown(p, i, &room));
    }
    if (p->field != NULL)
        *(struct ip_qos *)p->field =
            (struct ip_qos){values[0], p->line->count > 1 ? values[1] : values[0]};
    return OK;
}

/* A kind of its own: its row's reader. */
static enum err parse_own(const struct parse *p)
{
    size_t bad = 0;
    struct escaped room;
    TRY(need_words(p, 1, SIZE_MAX));
    if (p->row->value->read(p->field, p->line, &bad))
        return OK;
    return fail(p, bad, "%s takes %s, not \"%s\"", p->row->name, p->row->value->takes,
                bad < p->line->count ? shown(p, bad, &room) : "");
}

/* "name command ...". A name that is there already keeps its command: the first one wins. */
static enum err parse_subsystem(const struct parse *p)
{
    TRY(need_words(p, 1, SIZE_MAX));
    if (p->line->count < 2)
        return fail(p, 0, "%s has a name and no command", p->row->name);
    struct string_list *list = p->field;
    const char *name = p->line->words[0].text;
    size_t length = strlen(name);
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        if (strncmp(list->items[i], name, length) == 0 && list->items[i][length] == ' ')
            return OK;
    }
    char *text CLEANUP(mem_cleanup) = raw_text(p, 0, p->line->count);
    if (list != NULL)
        string_list_add(list, text);
    return OK;
}

static enum err parse_value(const struct parse *p)
{
    switch (p->row->type) {
    case OPTION_ACCEPTED:
        return parse_accepted(p);
    case OPTION_DEPRECATED:
        report_add(p->report, REPORT_NOTE, p->place, p->row->name,
                   "%s is deprecated and has no effect", p->row->name);
        return OK;
    case OPTION_ALIAS: /* option_find follows them */
    case OPTION_BLOCK: /* the file readers' own */
        return fail(p, SIZE_MAX, "%s cannot stand here", p->row->name);
    case OPTION_FLAG:
        return parse_flag(p);
    case OPTION_WORD:
        return parse_word(p);
    case OPTION_INT:
        return parse_int(p);
    case OPTION_SECONDS:
        return parse_seconds(p);
    case OPTION_MASK:
        return parse_mask(p);
    case OPTION_PORT:
        return parse_port(p);
    case OPTION_STRING:
        return parse_string(p);
    case OPTION_COMMAND:
        return parse_command(p);
    case OPTION_LIST:
    case OPTION_APPEND:
        return parse_list(p);
    case OPTION_FORWARD:
        return parse_forward(p);
    case OPTION_ALGORITHMS:
        return parse_algorithms(p);
    case OPTION_REKEY:
        return parse_rekey(p);
    case OPTION_WINDOW:
        return parse_window(p);
    case OPTION_STARTUPS:
        return parse_startups(p);
    case OPTION_PORTS:
        return parse_ports(p);
    case OPTION_LISTEN:
        return parse_listen(p);
    case OPTION_SUBSYSTEM:
        return parse_subsystem(p);
    case OPTION_BITS:
        return parse_bits(p);
    case OPTION_PENALTIES:
        return parse_penalties(p);
    case OPTION_BLOCK_SIZE:
        return parse_block_size(p);
    case OPTION_QOS:
        return parse_qos(p);
    case OPTION_VALUE:
        return parse_own(p);
    }
    return ERR_BUG;
}

/* ProxyJump and ProxyCommand: the first that is given shuts the other out, "none" too. */
static bool has_lost(const struct option_state *state, enum option_scope scope,
                     const struct option_row *row)
{
    size_t count;
    const struct option_row *rival = row->rival ? option_find(scope, row->rival) : NULL;
    return rival && state->is_set[rival - option_rows(scope, &count)];
}

static bool is_appending(const struct option_row *row)
{
    return row->type == OPTION_APPEND || row->type == OPTION_FORWARD || row->type == OPTION_PORTS ||
           row->type == OPTION_LISTEN || row->type == OPTION_SUBSYSTEM ||
           row->type == OPTION_PENALTIES || (row->flags & OPTION_MANY);
}

enum err option_parse(struct option_state *state, enum option_scope scope,
                      const struct option_row *row, const struct line *line,
                      const struct place *place, struct report *report)
{
    struct parse p = {
        .state = state,
        .scope = scope,
        .row = row,
        .line = line,
        .place = place,
        .report = report,
    };
    size_t count;
    size_t index = (size_t)(row - option_rows(scope, &count));
    CHECK(index < count);
    /* Those of a Match block stand in front of the global ones, name by name. */
    bool is_frozen = state != NULL && state->is_frozen[index] && row->type != OPTION_SUBSYSTEM;
    if (place != NULL &&
        (row->type == OPTION_ACCEPTED || (row->flags & (OPTION_RESTRICTS | OPTION_NO_EFFECT)))) {
        char *text CLEANUP(mem_cleanup) = raw_text(&p, 0, line->count);
        remark(&p, text);
    }
    if (state == NULL || is_frozen || has_lost(state, scope, row) ||
        (state->is_set[index] && !is_appending(row)))
        return parse_value(&p);
    p.field = (char *)state + row->offset;
    TRY(parse_value(&p));
    state->is_set[index] = true;
    return OK;
}

enum err option_parse_text(struct option_state *state, enum option_scope scope,
                           const struct option_row *row, const char *value,
                           const struct place *place, struct report *report)
{
    struct line line;
    struct lexer_fault fault;
    if (lexer_split_words(slice_text(value), &line, &fault) != OK) {
        report_add(report, REPORT_ERROR, place, row->name, "%s at character %u of the value of %s",
                   fault.text, fault.column, row->name);
        return ERR_CONFIG;
    }
    enum err result = option_parse(state, scope, row, &line, place, report);
    line_done(&line);
    return result;
}
