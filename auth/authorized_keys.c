/* One line of authorized_keys: options, then a key as pubkey_line_parse reads it. */
#include "auth/authorized_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/match.h"
#include "crypto/pubkey.h"

static const char bad_value[] = "an option's value is missing or not quoted";
static const char unknown_option[] = "unknown key option";
static const char twice[] = "a key option is given twice";
static const char bad_rule[] = "bad permitopen or permitlisten in key options";
static const char bad_expiry[] = "bad expiry-time in key options";
static const char bad_environment[] = "bad environment string in key options";
static const char bad_from[] = "bad address list in from=";
static const char bad_tunnel[] = "bad tunnel device in key options";
static const char bad_end[] = "unexpected end of key options";
static const char too_many[] = "too many key options";

/* ---- option by option ---- */

enum option_form { FORM_FLAG, FORM_VALUE };
typedef enum err option_apply(struct key_options *o, char *value, bool on, const char **why);

static enum err no(const char **why, const char *text)
{
    *why = text;
    return ERR_FORMAT;
}

static enum err on_restrict(struct key_options *o, char *value UNUSED, bool on UNUSED,
                            const char **why UNUSED)
{
    o->may_forward_ports = o->may_forward_agent = o->may_forward_x11 = false;
    o->may_use_pty = o->may_use_rc = false;
    return OK;
}

static enum err on_ports(struct key_options *o, char *value UNUSED, bool on,
                         const char **why UNUSED)
{
    o->may_forward_ports = on;
    return OK;
}

static enum err on_agent(struct key_options *o, char *value UNUSED, bool on,
                         const char **why UNUSED)
{
    o->may_forward_agent = on;
    return OK;
}

static enum err on_x11(struct key_options *o, char *value UNUSED, bool on, const char **why UNUSED)
{
    o->may_forward_x11 = on;
    return OK;
}

static enum err on_pty(struct key_options *o, char *value UNUSED, bool on, const char **why UNUSED)
{
    o->may_use_pty = on;
    return OK;
}

static enum err on_rc(struct key_options *o, char *value UNUSED, bool on, const char **why UNUSED)
{
    o->may_use_rc = on;
    return OK;
}

static enum err on_authority(struct key_options *o, char *value UNUSED, bool on UNUSED,
                             const char **why UNUSED)
{
    o->is_cert_authority = true;
    return OK;
}

static enum err on_verify(struct key_options *o, char *value UNUSED, bool on,
                          const char **why UNUSED)
{
    o->needs_verification = on;
    return OK;
}

static enum err on_touch(struct key_options *o, char *value UNUSED, bool on,
                         const char **why UNUSED)
{
    o->needs_no_touch = !on;
    return OK;
}

static enum err keep_once(char **field, char *value, const char **why)
{
    if (*field)
        return no(why, twice);
    *field = mem_strdup(value);
    return OK;
}

static enum err on_from(struct key_options *o, char *value, bool on UNUSED, const char **why)
{
    enum match ignored;
    if (match_address_list(NULL, value, &ignored) != OK)
        return no(why, bad_from);
    return keep_once(&o->from, value, why);
}

static enum err on_command(struct key_options *o, char *value, bool on UNUSED, const char **why)
{
    return keep_once(&o->command, value, why);
}

static enum err on_principals(struct key_options *o, char *value, bool on UNUSED, const char **why)
{
    return keep_once(&o->principals, value, why);
}

/* NAME=value; a name that was given keeps its first value. */
static enum err on_environment(struct key_options *o, char *value, bool on UNUSED, const char **why)
{
    size_t n = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    struct key_rule_list *list = &o->environment;
    if (n == 0 || value[n] != '=')
        return no(why, bad_environment);
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], value, n + 1) == 0)
            return OK;
    }
    if (list->count >= KEY_OPTIONS_LIST_MAX) {
        *why = too_many;
        return ERR_LIMIT;
    }
    list->items = mem_resize(list->items, list->count + 1, sizeof(char *));
    list->items[list->count++] = mem_strdup(value);
    return OK;
}

/* A device's number, or "any"; the last one counts (OpenSSH too). */
static enum err on_tunnel(struct key_options *o, char *value, bool on UNUSED, const char **why)
{
    size_t n = strspn(value, "0123456789");
    bool is_any = strcmp(value, "any") == 0;
    if (!is_any && (n == 0 || n > 9 || value[n] != '\0'))
        return no(why, bad_tunnel);
    o->has_tunnel = true;
    o->tunnel = is_any ? KEY_TUNNEL_ANY : (uint32_t)strtoul(value, NULL, 10);
    return OK;
}

static bool is_port(const char *text)
{
    unsigned value = 0;
    size_t length = strlen(text);
    if (strcmp(text, "*") == 0)
        return true;
    if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
        return false;
    for (; *text; text++)
        value = value * 10 + (unsigned)(*text - '0');
    return value >= 1 && value <= UINT16_MAX;
}

/* "host:port", "[v6]:port"; a bare port where it is allowed. IPv6 needs its brackets. */
static bool is_rule(const char *text, bool bare_port)
{
    const char *colon;
    if (text[0] == '[') {
        colon = strstr(text, "]:");
        return colon && colon > text + 1 && is_port(colon + 2);
    }
    colon = strchr(text, ':');
    if (!colon)
        return bare_port && is_port(text);
    return colon > text && !strchr(text, ' ') && is_port(colon + 1);
}

static enum err add_rule(struct key_rule_list *list, char *value, bool bare_port, const char **why)
{
    if (!is_rule(value, bare_port))
        return no(why, bad_rule);
    if (list->count >= KEY_OPTIONS_LIST_MAX) {
        *why = too_many;
        return ERR_LIMIT;
    }
    list->items = mem_resize(list->items, list->count + 1, sizeof(char *));
    list->items[list->count++] = mem_strdup(value);
    return OK;
}

static enum err on_permit_open(struct key_options *o, char *value, bool on UNUSED, const char **why)
{
    return add_rule(&o->permit_open, value, false, why);
}

static enum err on_permit_listen(struct key_options *o, char *value, bool on UNUSED,
                                 const char **why)
{
    return add_rule(&o->permit_listen, value, true, why);
}

/* YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS; local time, or UTC with a Z behind it. */
static enum err parse_time(const char *text, int64_t *seconds)
{
    size_t digits = strspn(text, "0123456789");
    bool is_utc = text[digits] == 'Z' || text[digits] == 'z';
    if ((digits != 8 && digits != 12 && digits != 14) || text[digits + (is_utc ? 1 : 0)] != '\0')
        return ERR_FORMAT;
    int fields[6] = {0};
    static const unsigned widths[6] = {4, 2, 2, 2, 2, 2};
    for (size_t i = 0, at = 0; i < 6 && at < digits; i++) {
        for (unsigned j = 0; j < widths[i]; j++)
            fields[i] = fields[i] * 10 + (text[at++] - '0');
    }
    struct tm tm = {.tm_year = fields[0] - 1900,
                    .tm_mon = fields[1] - 1,
                    .tm_mday = fields[2],
                    .tm_hour = fields[3],
                    .tm_min = fields[4],
                    .tm_sec = fields[5],
                    .tm_isdst = -1};
    struct tm wanted = tm;
    *seconds = (int64_t)(is_utc ? timegm(&tm) : mktime(&tm));
    /* A day that does not exist is moved by libc: then it was no date. */
    bool is_same = tm.tm_mday == wanted.tm_mday && tm.tm_mon == wanted.tm_mon;
    return fields[0] >= 1970 && fields[3] < 24 && fields[4] < 60 && fields[5] < 60 && is_same
               ? OK
               : ERR_FORMAT;
}

static enum err on_expiry(struct key_options *o, char *value, bool on UNUSED, const char **why)
{
    int64_t seconds;
    if (parse_time(value, &seconds) != OK)
        return no(why, bad_expiry);
    if (!o->has_expiry || seconds < o->expires_at)
        o->expires_at = seconds;
    o->has_expiry = true;
    return OK;
}

/* A flag with may_negate also exists as "no-NAME". */
static const struct {
    const char *name;
    enum option_form form;
    bool may_negate;
    option_apply *apply;
} options[] = {
    {"restrict", FORM_FLAG, false, on_restrict},
    {"cert-authority", FORM_FLAG, false, on_authority},
    {"port-forwarding", FORM_FLAG, true, on_ports},
    {"agent-forwarding", FORM_FLAG, true, on_agent},
    {"x11-forwarding", FORM_FLAG, true, on_x11},
    {"touch-required", FORM_FLAG, true, on_touch},
    {"verify-required", FORM_FLAG, true, on_verify},
    {"pty", FORM_FLAG, true, on_pty},
    {"user-rc", FORM_FLAG, true, on_rc},
    {"command", FORM_VALUE, false, on_command},
    {"principals", FORM_VALUE, false, on_principals},
    {"from", FORM_VALUE, false, on_from},
    {"expiry-time", FORM_VALUE, false, on_expiry},
    {"environment", FORM_VALUE, false, on_environment},
    {"permitopen", FORM_VALUE, false, on_permit_open},
    {"permitlisten", FORM_VALUE, false, on_permit_listen},
    {"tunnel", FORM_VALUE, false, on_tunnel},
};

/* ---- the list ---- */

/* Takes "..." off *text; \" is a quote, every other backslash stands for itself. */
static char *take_quoted(struct slice *text)
{
    if (text->len == 0 || text->ptr[0] != '"')
        return NULL;
    char *value = mem_new(text->len + 1, 1);
    size_t n = 0;
    for (size_t i = 1; i < text->len; i++) {
        if (text->ptr[i] == '"') {
            *text = slice_of(text->ptr + i + 1, text->len - i - 1);
            return value;
        }
        if (text->ptr[i] == '\\' && i + 1 < text->len && text->ptr[i + 1] == '"')
            i++;
        value[n++] = (char)text->ptr[i];
    }
    mem_free(value);
    return NULL;
}

static bool is_named(struct slice name, const char *wanted)
{
    return name.len == strlen(wanted) && strncasecmp((const char *)name.ptr, wanted, name.len) == 0;
}

static enum err apply(struct key_options *o, struct slice name, struct slice *rest,
                      const char **why)
{
    bool on = !(name.len > 3 && strncasecmp((const char *)name.ptr, "no-", 3) == 0);
    struct slice positive = on ? name : slice_of(name.ptr + 3, name.len - 3);
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (!is_named(on ? name : positive, options[i].name) || (!on && !options[i].may_negate))
            continue;
        if (options[i].form == FORM_FLAG)
            return options[i].apply(o, NULL, on, why);
        if (rest->len == 0 || rest->ptr[0] != '=')
            return no(why, bad_value);
        *rest = slice_of(rest->ptr + 1, rest->len - 1);
        char *value CLEANUP(mem_cleanup) = take_quoted(rest);
        return value ? options[i].apply(o, value, on, why) : no(why, bad_value);
    }
    return no(why, unknown_option);
}

static enum err parse_all(struct slice text, struct key_options *o, const char **why)
{
    if (text.len > KEY_OPTIONS_TEXT_MAX || (text.len && memchr(text.ptr, '\0', text.len))) {
        *why = too_many;
        return ERR_LIMIT;
    }
    while (text.len) {
        size_t n = 0;
        while (n < text.len && text.ptr[n] != ',' && text.ptr[n] != '=')
            n++;
        struct slice name = slice_of(text.ptr, n);
        text = slice_of(text.ptr + n, text.len - n);
        TRY(apply(o, name, &text, why));
        if (text.len == 0)
            break;
        if (text.ptr[0] != ',')
            return no(why, unknown_option);
        text = slice_of(text.ptr + 1, text.len - 1);
        if (text.len == 0)
            return no(why, bad_end);
    }
    return OK;
}

static void options_init(struct key_options *o)
{
    *o = (struct key_options){.may_forward_ports = true,
                              .may_forward_agent = true,
                              .may_forward_x11 = true,
                              .may_use_pty = true,
                              .may_use_rc = true};
}

enum err key_options_parse(struct slice text, struct key_options *o, const char **why)
{
    *why = "";
    options_init(o);
    enum err err = parse_all(text, o, why);
    if (err != OK) {
        key_options_done(o);
        *o = (struct key_options){.may_forward_ports = false};
    }
    return err;
}

static void list_done(struct key_rule_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->items[i]);
    mem_free(list->items);
}

void key_options_done(struct key_options *o)
{
    list_done(&o->permit_open);
    list_done(&o->permit_listen);
    list_done(&o->environment);
    mem_free(o->from);
    mem_free(o->command);
    mem_free(o->principals);
    *o = (struct key_options){.may_forward_ports = false};
}

/* ---- what they decide ---- */

/* By address, or by name where it is known; a negated entry that matches either is the last word.
 */
static bool is_from(const char *list, const struct key_use *use)
{
    enum match by_address = MATCH_NO;
    if (!match_is_address(use->address) ||
        match_address_list(use->address, list, &by_address) != OK || by_address == MATCH_NEGATED)
        return false;
    enum match by_name = use->host ? match_list_folded(use->host, list) : MATCH_NO;
    return by_name != MATCH_NEGATED && (by_address == MATCH_YES || by_name == MATCH_YES);
}

bool key_options_may_log_in(const struct key_options *o, const struct key_use *use,
                            const char **why)
{
    *why = "";
    if (use->kind != KEY_USE_AUTHORITY && (o->is_cert_authority || o->principals))
        *why = "the key is listed as a certificate authority only";
    else if (use->kind == KEY_USE_AUTHORITY && !o->is_cert_authority)
        *why = "the key is not listed as a certificate authority";
    else if (o->has_expiry && use->now_s >= o->expires_at)
        *why = "the key has expired (expiry-time=)";
    else if (o->from && !is_from(o->from, use))
        *why = "the key may not be used from this address (from=)";
    return **why == '\0';
}

static enum err join_rules(struct key_rule_list *list, const struct key_rule_list *other,
                           const char **why)
{
    if (list->count && other->count) {
        *why = "permitopen= or permitlisten= is given in two places";
        return ERR_DENIED;
    }
    for (size_t i = 0; i < other->count; i++) {
        list->items = mem_resize(list->items, list->count + 1, sizeof(char *));
        list->items[list->count++] = mem_strdup(other->items[i]);
    }
    return OK;
}

static enum err join_command(struct key_options *o, const struct key_options *other,
                             const char **why)
{
    if (o->command && other->command && strcmp(o->command, other->command) != 0) {
        *why = "the forced commands differ";
        return ERR_DENIED;
    }
    if (!o->command && other->command)
        o->command = mem_strdup(other->command);
    return OK;
}

static enum err join_tunnel(struct key_options *o, const struct key_options *other,
                            const char **why)
{
    if (!other->has_tunnel)
        return OK;
    bool is_same = !o->has_tunnel || o->tunnel == KEY_TUNNEL_ANY || o->tunnel == other->tunnel;
    if (!is_same && other->tunnel != KEY_TUNNEL_ANY) {
        *why = "tunnel= is given in two places and differs";
        return ERR_DENIED;
    }
    if (is_same)
        o->tunnel = other->tunnel;
    o->has_tunnel = true;
    return OK;
}

enum err key_options_merge(struct key_options *o, const struct key_options *other, const char **why)
{
    o->may_forward_ports &= other->may_forward_ports;
    o->may_forward_agent &= other->may_forward_agent;
    o->may_forward_x11 &= other->may_forward_x11;
    o->may_use_pty &= other->may_use_pty;
    o->may_use_rc &= other->may_use_rc;
    o->needs_verification |= other->needs_verification;
    o->needs_no_touch &= other->needs_no_touch;
    for (size_t i = 0; i < other->environment.count; i++)
        TRY(on_environment(o, other->environment.items[i], true, why));
    TRY(join_command(o, other, why));
    TRY(join_tunnel(o, other, why));
    TRY(join_rules(&o->permit_open, &other->permit_open, why));
    return join_rules(&o->permit_listen, &other->permit_listen, why);
}

/* ---- printing ---- */

static enum err print_name(struct buf *out, const char *name)
{
    if (buf_len(out))
        TRY(buf_append(out, ",", 1));
    return buf_append_slice(out, slice_text(name));
}

static enum err print_value(struct buf *out, const char *name, const char *value)
{
    size_t n = strlen(value);
    if (n && value[n - 1] == '\\')
        return ERR_FORMAT;
    TRY(print_name(out, name));
    TRY(buf_append(out, "=\"", 2));
    for (; *value; value++) {
        if (*value == '"')
            TRY(buf_append(out, "\\", 1));
        TRY(buf_append(out, value, 1));
    }
    return buf_append(out, "\"", 1);
}

static enum err print_rules(struct buf *out, const char *name, const struct key_rule_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        TRY(print_value(out, name, list->items[i]));
    return OK;
}

static enum err print_tunnel(struct buf *out, const struct key_options *o)
{
    char text[16];
    if (!o->has_tunnel)
        return OK;
    snprintf(text, sizeof(text), "%u", (unsigned)o->tunnel);
    return print_value(out, "tunnel", o->tunnel == KEY_TUNNEL_ANY ? "any" : text);
}

enum err key_options_print(const struct key_options *o, struct buf *out)
{
    const struct {
        bool is_off;
        const char *name;
    } flags[] = {
        {!o->may_forward_ports, "no-port-forwarding"},
        {!o->may_forward_agent, "no-agent-forwarding"},
        {!o->may_forward_x11, "no-x11-forwarding"},
        {!o->may_use_pty, "no-pty"},
        {!o->may_use_rc, "no-user-rc"},
    };
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (flags[i].is_off)
            TRY(print_name(out, flags[i].name));
    }
    if (o->command)
        TRY(print_value(out, "command", o->command));
    TRY(print_rules(out, "permitopen", &o->permit_open));
    TRY(print_rules(out, "permitlisten", &o->permit_listen));
    TRY(print_rules(out, "environment", &o->environment));
    return print_tunnel(out, o);
}

/* ---- the line ---- */

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static struct slice skip_blanks(struct slice text)
{
    while (text.len && is_blank(text.ptr[0]))
        text = slice_of(text.ptr + 1, text.len - 1);
    return text;
}

/* The first blank outside quotes, or the whole length. */
static size_t options_length(struct slice text)
{
    bool is_quoted = false;
    size_t i = 0;
    for (; i < text.len && (is_quoted || !is_blank(text.ptr[i])); i++) {
        if (text.ptr[i] == '\\' && i + 1 < text.len && text.ptr[i + 1] == '"')
            i++;
        else if (text.ptr[i] == '"')
            is_quoted = !is_quoted;
    }
    return MIN(i, text.len);
}

enum err authorized_keys_split(struct slice line, struct slice *key_options, struct buf *blob)
{
    struct slice type, comment;
    *key_options = SLICE_NONE;
    buf_clear(blob);
    if (line.len > AUTHORIZED_KEYS_LINE_MAX)
        return ERR_LIMIT;
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (line.len && memchr(line.ptr, '\0', line.len))
        return ERR_FORMAT;
    line = skip_blanks(line);
    if (line.len == 0 || line.ptr[0] == '#')
        return ERR_NOT_FOUND;
    if (pubkey_line_parse(line, &type, blob, &comment) == OK)
        return OK;
    size_t n = options_length(line);
    struct slice found = slice_of(line.ptr, n);
    if (n > KEY_OPTIONS_TEXT_MAX)
        return ERR_LIMIT;
    line = skip_blanks(slice_of(line.ptr + n, line.len - n));
    /* What the failed attempt may have left is no part of this key. */
    buf_clear(blob);
    if (line.len == 0 || pubkey_line_parse(line, &type, blob, &comment) != OK)
        return ERR_FORMAT;
    *key_options = found;
    return OK;
}
