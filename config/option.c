/*
 * Looking up, printing and releasing options by the rows of the table. Values are read in
 * option_parse.c.
 */
#include "config/option.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/algo_names.h"
#include "base/log.h"
#include "config/forward_spec.h"
#include "config/option_rows.h"
#include "config/sshd_config.h"

#define KEYWORD_MAX 64 /* longer words are no keyword, and not worth a distance */

const struct option_word option_log_level_words[] = {
    {"SILENT", LOG_QUIET},
    {"QUIET", LOG_QUIET},
    {"FATAL", LOG_FATAL},
    {"ERROR", LOG_ERROR},
    {"INFO", LOG_INFO},
    {"VERBOSE", LOG_VERBOSE},
    {"DEBUG", LOG_DEBUG1},
    {"DEBUG1", LOG_DEBUG1},
    {"DEBUG2", LOG_DEBUG2},
    {"DEBUG3", LOG_DEBUG3},
    {NULL, 0},
};

const struct option_word option_family_words[] = {
    {"any", FAMILY_ANY},
    {"inet", FAMILY_INET},
    {"inet6", FAMILY_INET6},
    {NULL, 0},
};

const struct option_row *option_rows(enum option_scope scope, size_t *count)
{
    *count = scope == OPTION_CLIENT ? option_client_row_count : option_server_row_count;
    return scope == OPTION_CLIENT ? option_client_rows : option_server_rows;
}

const struct option_row *option_find(enum option_scope scope, const char *keyword)
{
    size_t count;
    const struct option_row *rows = option_rows(scope, &count);
    for (size_t i = 0; i < count; i++) {
        /* Letters of ASCII differ in case by that bit: most rows fall out before the call. */
        if (((rows[i].name[0] ^ keyword[0]) & ~0x20) || strcasecmp(rows[i].name, keyword) != 0)
            continue;
        return rows[i].type == OPTION_ALIAS ? option_find(scope, rows[i].alias_of) : &rows[i];
    }
    return NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Letters to insert, drop, change or swap with the next to get from a to b; case is alike. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][KEYWORD_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > KEYWORD_MAX || b_len > KEYWORD_MAX)
        return UINT32_MAX;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *now = rows[i % 3];
        const unsigned *last = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned change = lower(a[i - 1]) != lower(b[j - 1]);
            now[j] = MIN(MIN(now[j - 1], last[j]) + 1, last[j - 1] + change);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = MIN(now[j], before[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

const char *option_nearest(enum option_scope scope, const char *keyword)
{
    size_t count;
    const struct option_row *rows = option_rows(scope, &count);
    const char *best = NULL;
    unsigned best_distance = (unsigned)MIN(strlen(keyword) / 3, (size_t)4) + 1;
    for (size_t i = 0; i < count; i++) {
        unsigned d = distance(keyword, rows[i].name);
        if (d < best_distance) {
            best = rows[i].name;
            best_distance = d;
        }
    }
    return best;
}

struct letter {
    char letter;
    const char *keyword;
    const char *fixed;
};

static const struct letter letters[] = {
    {'4', "AddressFamily", "inet"},
    {'6', "AddressFamily", "inet6"},
    {'A', "ForwardAgent", "yes"},
    {'a', "ForwardAgent", "no"},
    {'B', "BindInterface", NULL},
    {'b', "BindAddress", NULL},
    {'C', "Compression", "yes"},
    {'c', "Ciphers", NULL},
    {'D', "DynamicForward", NULL},
    {'e', "EscapeChar", NULL},
    {'f', "ForkAfterAuthentication", "yes"},
    {'g', "GatewayPorts", "yes"},
    {'I', "PKCS11Provider", NULL},
    {'i', "IdentityFile", NULL},
    {'J', "ProxyJump", NULL},
    {'K', "GSSAPIAuthentication", "yes"},
    {'k', "GSSAPIDelegateCredentials", "no"},
    {'L', "LocalForward", NULL},
    {'l', "User", NULL},
    {'M', "ControlMaster", "yes"},
    {'m', "MACs", NULL},
    {'N', "SessionType", "none"},
    {'n', "StdinNull", "yes"},
    {'P', "Tag", NULL},
    {'p', "Port", NULL},
    {'q', "LogLevel", "QUIET"},
    {'R', "RemoteForward", NULL},
    {'S', "ControlPath", NULL},
    {'s', "SessionType", "subsystem"},
    {'T', "RequestTTY", "no"},
    {'t', "RequestTTY", "yes"},
    {'w', "TunnelDevice", NULL},
    {'X', "ForwardX11", "yes"},
    {'x', "ForwardX11", "no"},
    {'Y', "ForwardX11Trusted", "yes"},
};

bool option_letter(char letter, const char **keyword, const char **fixed)
{
    for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
        if (letters[i].letter == letter) {
            *keyword = letters[i].keyword;
            *fixed = letters[i].fixed;
            return true;
        }
    }
    return false;
}

void option_init(struct option_state *state, enum option_scope scope)
{
    *state = (struct option_state){.scope = scope};
}

void option_freeze(struct option_state *state)
{
    memcpy(state->is_frozen, state->is_set, sizeof(state->is_frozen));
}

static size_t row_index(const struct option_state *state, const struct option_row *row)
{
    size_t count;
    const struct option_row *rows = option_rows(state->scope, &count);
    CHECK(row >= rows && row < rows + count);
    return (size_t)(row - rows);
}

bool option_is_given(const struct option_state *state, const char *keyword)
{
    const struct option_row *row = option_find(state->scope, keyword);
    return row != NULL && state->is_set[row_index(state, row)];
}

static bool is_none(const char *text)
{
    return text != NULL && strcasecmp(text, "none") == 0;
}

static void unset_none(struct option_state *state, const struct option_row *row)
{
    void *field = (char *)state + row->offset;
    if (row->type == OPTION_LIST) {
        struct string_list *list = field;
        if (list->count == 1 && is_none(list->items[0]))
            string_list_done(list);
        return;
    }
    char **text = field;
    if (is_none(*text)) {
        mem_free(*text);
        *text = NULL;
    }
}

void option_set_defaults(struct option_state *state)
{
    size_t count;
    const struct option_row *rows = option_rows(state->scope, &count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].flags & OPTION_NONE_UNSETS)
            unset_none(state, &rows[i]);
    }
    struct report report;
    report_init(&report);
    for (size_t i = 0; i < count; i++) {
        const struct option_row *row = &rows[i];
        if (state->is_set[i] || row->type == OPTION_ACCEPTED)
            continue;
        if (row->type == OPTION_ALGORITHMS) {
            char **value = (char **)(void *)((char *)state + row->offset);
            mem_free(*value);
            *value = mem_strdup(
                algo_names_default((enum algo_kind)row->kind, state->scope == OPTION_CLIENT));
            if (row->flags & OPTION_PLAIN)
                option_drop_certificates(*value);
        } else if (row->fallback != NULL) {
            enum err result =
                option_parse_text(state, state->scope, row, row->fallback, NULL, &report);
            CHECK(result == OK); /* the fallbacks are ours */
            state->is_set[i] = false;
        }
    }
    report_done(&report);
}

/* What a row keeps, for reading. */
#define FIELD(type_, state_, row_)                                                                 \
    ((type_ const *)(const void *)((const char *)(state_) + (row_)->offset))

static enum err print_text(struct buf *out, const char *text)
{
    return buf_append(out, text, strlen(text));
}

static enum err print_keyword(struct buf *out, const struct option_row *row)
{
    for (const char *c = row->name; *c != '\0'; c++) {
        char folded = lower(*c);
        TRY(buf_append(out, &folded, 1));
    }
    return buf_append(out, " ", 1);
}

/* A line whose value is one formatted text that needs no quotes. */
static enum err print_plain(struct buf *out, const struct option_row *row, const char *format, ...)
    PRINTF_LIKE(3, 4);

static enum err print_plain(struct buf *out, const struct option_row *row, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    TRY(print_keyword(out, row));
    TRY(print_text(out, text));
    return buf_append(out, "\n", 1);
}

static enum err print_owned(struct buf *out, const struct option_row *row, const char *text,
                            bool is_quoted)
{
    if (text == NULL)
        return OK;
    TRY(print_keyword(out, row));
    TRY(is_quoted ? lexer_print_word(out, text) : print_text(out, text));
    return buf_append(out, "\n", 1);
}

static enum err print_list(struct buf *out, const struct option_row *row,
                           const struct string_list *list, bool is_one_line)
{
    if (list->count == 0 && is_one_line && (row->flags & OPTION_NONE_UNSETS))
        return print_plain(out, row, "none");
    for (size_t i = 0; i < list->count; i++) {
        if (i == 0 || !is_one_line)
            TRY(print_keyword(out, row));
        TRY(lexer_print_word(out, list->items[i]));
        TRY(buf_append(out, is_one_line && i + 1 < list->count ? " " : "\n", 1));
    }
    return OK;
}

static enum err print_texts(struct buf *out, const struct option_row *row,
                            const struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        TRY(print_owned(out, row, list->items[i], false));
    return OK;
}

static enum err print_forwards(struct buf *out, const struct option_row *row,
                               const struct forward_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        char *text CLEANUP(mem_cleanup) = forward_spec_print_config(&list->items[i]);
        TRY(print_owned(out, row, text, false));
    }
    return OK;
}

static enum err print_ports(struct buf *out, const struct option_row *row,
                            const struct port_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        TRY(print_plain(out, row, "%u", (unsigned)list->items[i]));
    return OK;
}

static const char *word_name(const struct option_row *row, int value)
{
    for (const struct option_word *word = row->words; word->name != NULL; word++) {
        if (word->value == value)
            return word->name;
    }
    check_failed("an option's value has a word", __FILE__, __LINE__);
}

static enum err print_raw(const struct option_state *state, const struct option_row *row,
                          struct buf *out)
{
    bool is_given = false;
    for (size_t i = 0; i < state->raw_count; i++) {
        if (state->raw[i].row != row)
            continue;
        is_given = true;
        TRY(print_owned(out, row, state->raw[i].text, false));
    }
    if (is_given)
        return OK;
    return print_owned(out, row, row->fallback, false);
}

static enum err print_int(struct buf *out, const struct option_row *row, int value)
{
    if (value == row->maximum && (row->flags & OPTION_MAY_NONE))
        return print_plain(out, row, "none");
    return print_plain(out, row, "%d", value);
}

static enum err print_bits(struct buf *out, const struct option_row *row, int value)
{
    TRY(print_keyword(out, row));
    bool is_first = true;
    for (const struct option_word *word = row->words; word->name != NULL; word++) {
        if (!(value & word->value))
            continue;
        TRY(print_text(out, is_first ? "" : " "));
        TRY(print_text(out, word->name));
        is_first = false;
    }
    return print_text(out, is_first ? "none\n" : "\n");
}

static enum err print_penalties(struct buf *out, const struct option_row *row,
                                const struct source_penalties *penalties)
{
    TRY(print_keyword(out, row));
    TRY(source_penalties_print(penalties, out));
    return buf_append(out, "\n", 1);
}

static enum err print_qos(struct buf *out, const struct option_row *row, const struct ip_qos *qos)
{
    char interactive[8], bulk[8];
    return print_plain(out, row, "%s %s", ip_qos_name(qos->interactive, interactive),
                       ip_qos_name(qos->bulk, bulk));
}

static enum err print_seconds(struct buf *out, const struct option_row *row, uint32_t seconds)
{
    if (seconds == 0 && (row->flags & OPTION_MAY_NONE))
        return print_plain(out, row, "none");
    return print_plain(out, row, "%u", (unsigned)seconds);
}

enum err option_print(const struct option_state *state, const struct option_row *row,
                      struct buf *out)
{
    const struct rekey_limit *rekey;
    const struct window_sizes *window;
    const struct max_startups *startups;
    const struct net_block_size *block;
    switch (row->type) {
    case OPTION_ACCEPTED:
        return print_raw(state, row, out);
    case OPTION_DEPRECATED:
    case OPTION_ALIAS:
    case OPTION_BLOCK:
        return OK;
    case OPTION_FLAG:
        return print_plain(out, row, "%s", *FIELD(bool, state, row) ? "yes" : "no");
    case OPTION_WORD:
        return print_plain(out, row, "%s", word_name(row, *FIELD(int, state, row)));
    case OPTION_INT:
        return print_int(out, row, *FIELD(int, state, row));
    case OPTION_MASK:
        return print_plain(out, row, "0%o", (unsigned)*FIELD(uint32_t, state, row));
    case OPTION_SECONDS:
        return print_seconds(out, row, *FIELD(uint32_t, state, row));
    case OPTION_PORT:
        return print_plain(out, row, "%u", (unsigned)*FIELD(uint16_t, state, row));
    case OPTION_STRING:
        return print_owned(out, row, *FIELD(char *, state, row), true);
    case OPTION_COMMAND:
    case OPTION_ALGORITHMS:
        return print_owned(out, row, *FIELD(char *, state, row), false);
    case OPTION_LIST:
        return print_list(out, row, FIELD(struct string_list, state, row), true);
    case OPTION_APPEND:
    case OPTION_LISTEN:
        return print_list(out, row, FIELD(struct string_list, state, row), false);
    case OPTION_SUBSYSTEM:
        return print_texts(out, row, FIELD(struct string_list, state, row));
    case OPTION_FORWARD:
        return print_forwards(out, row, FIELD(struct forward_list, state, row));
    case OPTION_REKEY:
        rekey = FIELD(struct rekey_limit, state, row);
        return print_plain(out, row, "%llu %u", (unsigned long long)rekey->bytes,
                           (unsigned)rekey->seconds);
    case OPTION_WINDOW:
        window = FIELD(struct window_sizes, state, row);
        return print_plain(out, row, "%llu %llu %llu", (unsigned long long)window->channel,
                           (unsigned long long)window->connection,
                           (unsigned long long)window->process);
    case OPTION_STARTUPS:
        startups = FIELD(struct max_startups, state, row);
        return print_plain(out, row, "%u:%u:%u", startups->begin, startups->rate, startups->full);
    case OPTION_PORTS:
        return print_ports(out, row, FIELD(struct port_list, state, row));
    case OPTION_BITS:
        return print_bits(out, row, *FIELD(int, state, row));
    case OPTION_PENALTIES:
        return print_penalties(out, row, FIELD(struct source_penalties, state, row));
    case OPTION_BLOCK_SIZE:
        block = FIELD(struct net_block_size, state, row);
        return print_plain(out, row, "%d:%d", block->v4, block->v6);
    case OPTION_QOS:
        return print_qos(out, row, FIELD(struct ip_qos, state, row));
    case OPTION_VALUE:
        TRY(print_keyword(out, row));
        TRY(row->value->print(FIELD(struct client_options, state, row), out));
        return buf_append(out, "\n", 1);
    }
    return ERR_BUG;
}

static void release(struct option_state *state, const struct option_row *row)
{
    void *field = (char *)state + row->offset;
    if (row->type == OPTION_STRING || row->type == OPTION_COMMAND ||
        row->type == OPTION_ALGORITHMS) {
        char **text = field;
        mem_free(*text);
        *text = NULL;
    } else if (row->type == OPTION_LIST || row->type == OPTION_APPEND ||
               row->type == OPTION_LISTEN || row->type == OPTION_SUBSYSTEM) {
        string_list_done(field);
    } else if (row->type == OPTION_FORWARD) {
        forward_list_done(field);
    } else if (row->type == OPTION_PORTS) {
        struct port_list *ports = field;
        mem_free(ports->items);
        *ports = (struct port_list){NULL, 0};
    } else if (row->type == OPTION_VALUE && row->value->release) {
        row->value->release(field);
    }
}

void option_mark_given(struct option_state *state, const char *keyword)
{
    const struct option_row *row = option_find(state->scope, keyword);
    CHECK(row != NULL);
    state->is_set[row_index(state, row)] = true;
}

void option_unset(struct option_state *state, const char *keyword)
{
    const struct option_row *row = option_find(state->scope, keyword);
    CHECK(row != NULL);
    release(state, row);
    state->is_set[row_index(state, row)] = false;
    size_t kept = 0;
    for (size_t i = 0; i < state->raw_count; i++) {
        if (state->raw[i].row == row)
            mem_free(state->raw[i].text);
        else
            state->raw[kept++] = state->raw[i];
    }
    state->raw_count = kept;
}

void option_done(struct option_state *state)
{
    size_t count;
    const struct option_row *rows = option_rows(state->scope, &count);
    for (size_t i = 0; i < count; i++)
        release(state, &rows[i]);
    for (size_t i = 0; i < state->raw_count; i++)
        mem_free(state->raw[i].text);
    mem_free(state->raw);
    option_init(state, state->scope);
}
