/* Values of the client's options, by ssh_config(5) of OpenSSH 10.5. */
#include "config/client_value.h"

#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "config/ssh_config.h"

#define TUNNEL_UNIT_MAX 0x7ffffffd /* OpenSSH's: the two above stand for "any" and an error */

static bool is_yes(const char *text)
{
    return strcasecmp(text, "yes") == 0 || strcasecmp(text, "true") == 0;
}

static bool is_no(const char *text)
{
    return strcasecmp(text, "no") == 0 || strcasecmp(text, "false") == 0;
}

static bool read_time(const char *text, uint32_t *seconds)
{
    return duration_parse_s(text, seconds) == OK && *seconds <= INT32_MAX;
}

static enum err print(struct buf *out, const char *text)
{
    return buf_append(out, text, strlen(text));
}

static enum err print_number(struct buf *out, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", (unsigned)number);
    return print(out, text);
}

/* ---- ControlPersist ---- */

static bool read_persist(struct client_options *o, const struct line *line, size_t *bad)
{
    const char *text = line->words[0].text;
    struct control_persist value = {.on = !is_no(text)};
    *bad = line->count > 1 ? 1 : 0;
    if (line->count > 1 || (!is_yes(text) && !is_no(text) && !read_time(text, &value.seconds)))
        return false;
    if (o != NULL)
        o->control_persist = value;
    return true;
}

static enum err print_persist(const struct client_options *o, struct buf *out)
{
    if (o->control_persist.on && o->control_persist.seconds > 0)
        return print_number(out, o->control_persist.seconds);
    return print(out, o->control_persist.on ? "yes" : "no");
}

const struct option_value client_value_control_persist = {
    .takes = "yes, no or a time", .read = read_persist, .print = print_persist};

/* ---- ForwardAgent ---- */

static bool is_variable_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return *text != '\0' && strchr(letters, *text) != NULL && text[strspn(text, more)] == '\0';
}

static bool read_forward_agent(struct client_options *o, const struct line *line, size_t *bad)
{
    const char *text = line->words[0].text;
    bool is_path = !is_yes(text) && !is_no(text);
    *bad = line->count > 1 ? 1 : 0;
    if (line->count > 1 || (text[0] == '$' && text[1] != '{' && !is_variable_name(text + 1)))
        return false;
    if (o == NULL)
        return true;
    o->forward_agent = is_path        ? AGENT_FORWARD_PATH
                       : is_yes(text) ? AGENT_FORWARD_YES
                                      : AGENT_FORWARD_NO;
    mem_free(o->forward_agent_path);
    o->forward_agent_path = is_path ? mem_strdup(text) : NULL;
    return true;
}

static enum err print_forward_agent(const struct client_options *o, struct buf *out)
{
    if (o->forward_agent == AGENT_FORWARD_PATH)
        return lexer_print_word(out, o->forward_agent_path);
    return print(out, o->forward_agent == AGENT_FORWARD_YES ? "yes" : "no");
}

static void release_forward_agent(struct client_options *o)
{
    mem_free(o->forward_agent_path);
    o->forward_agent_path = NULL;
}

const struct option_value client_value_forward_agent = {.takes =
                                                            "yes, no, a socket's path or $VARIABLE",
                                                        .read = read_forward_agent,
                                                        .print = print_forward_agent,
                                                        .release = release_forward_agent};

/* ---- AddKeysToAgent ---- */

static bool read_add_keys(struct client_options *o, const struct line *line, size_t *bad)
{
    const char *text = line->words[0].text;
    enum add_keys_to_agent value = ADD_KEYS_YES;
    uint32_t lifetime_s = 0;
    bool is_confirm = strcasecmp(text, "confirm") == 0;
    *bad = 0;
    if (is_no(text))
        value = ADD_KEYS_NO;
    else if (strcasecmp(text, "ask") == 0)
        value = ADD_KEYS_ASK;
    else if (is_confirm)
        value = ADD_KEYS_CONFIRM;
    else if (!is_yes(text) && !read_time(text, &lifetime_s))
        return false;
    *bad = line->count > 2 ? 2 : 1;
    if (line->count > (is_confirm ? 2 : 1) ||
        (line->count == 2 && !read_time(line->words[1].text, &lifetime_s)))
        return false;
    if (o != NULL) {
        o->add_keys_to_agent = value;
        o->add_keys_lifetime_s = lifetime_s;
    }
    return true;
}

static enum err print_add_keys(const struct client_options *o, struct buf *out)
{
    static const char *const names[] = {[ADD_KEYS_NO] = "false",
                                        [ADD_KEYS_YES] = "true",
                                        [ADD_KEYS_ASK] = "ask",
                                        [ADD_KEYS_CONFIRM] = "confirm"};
    if (o->add_keys_lifetime_s == 0)
        return print(out, names[o->add_keys_to_agent]);
    if (o->add_keys_to_agent == ADD_KEYS_CONFIRM)
        TRY(print(out, "confirm "));
    return print_number(out, o->add_keys_lifetime_s);
}

const struct option_value client_value_add_keys_to_agent = {
    .takes = "yes, no, ask, a time, or confirm and perhaps a time",
    .read = read_add_keys,
    .print = print_add_keys};

/* ---- EscapeChar ---- */

static bool read_escape(struct client_options *o, const struct line *line, size_t *bad)
{
    const char *text = line->words[0].text;
    int value = (unsigned char)text[0];
    *bad = line->count > 1 ? 1 : 0;
    if (line->count > 1)
        return false;
    if (strcmp(text, "none") == 0)
        value = -1;
    else if (text[0] == '^' && text[1] >= 64 && text[1] != 0x7f && text[2] == '\0')
        value = text[1] & 31;
    else if (text[1] != '\0')
        return false;
    if (o != NULL)
        o->escape_char = value;
    return true;
}

static enum err print_escape(const struct client_options *o, struct buf *out)
{
    char control[] = {'^', (char)(o->escape_char + 64), '\0'};
    char plain[] = {(char)o->escape_char, '\0'};
    if (o->escape_char < 0)
        return print(out, "none");
    return lexer_print_word(out, o->escape_char < 32 ? control : plain);
}

const struct option_value client_value_escape_char = {
    .takes = "none, one character or ^ and a letter", .read = read_escape, .print = print_escape};

/* ---- TunnelDevice ---- */

static bool read_unit(const char *text, size_t length, int *unit)
{
    uint64_t value = 0;
    if (length == 3 && strncasecmp(text, "any", 3) == 0) {
        *unit = TUNNEL_UNIT_ANY;
        return true;
    }
    for (size_t i = 0; i < length && value <= TUNNEL_UNIT_MAX; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *unit = (int)MIN(value, (uint64_t)TUNNEL_UNIT_MAX);
    return length > 0 && value <= TUNNEL_UNIT_MAX;
}

bool tunnel_device_read(const char *text, int *local, int *remote)
{
    int ours, theirs = TUNNEL_UNIT_ANY;
    size_t length = strcspn(text, ":");
    const char *rest = text + length;
    if (!read_unit(text, length, &ours) ||
        (*rest == ':' && !read_unit(rest + 1, strlen(rest + 1), &theirs)))
        return false;
    *local = ours;
    *remote = theirs;
    return true;
}

static bool read_tunnel(struct client_options *o, const struct line *line, size_t *bad)
{
    int local, remote;
    *bad = line->count > 1 ? 1 : 0;
    if (line->count > 1 || !tunnel_device_read(line->words[0].text, &local, &remote))
        return false;
    if (o != NULL) {
        o->tunnel_local = local;
        o->tunnel_remote = remote;
    }
    return true;
}

static enum err print_unit(int unit, struct buf *out)
{
    return unit == TUNNEL_UNIT_ANY ? print(out, "any") : print_number(out, (uint32_t)unit);
}

static enum err print_tunnel(const struct client_options *o, struct buf *out)
{
    TRY(print_unit(o->tunnel_local, out));
    TRY(print(out, ":"));
    return print_unit(o->tunnel_remote, out);
}

const struct option_value client_value_tunnel_device = {
    .takes = "LOCAL or LOCAL:REMOTE, each a number or any",
    .read = read_tunnel,
    .print = print_tunnel};

/* ---- ObscureKeystrokeTiming ---- */

/* "interval:80": milliseconds between 1 and 1000. */
static bool is_interval(const char *text)
{
    static const char prefix[] = "interval:";
    size_t n = sizeof(prefix) - 1;
    const char *digits = text + n;
    if (strncmp(text, prefix, n) != 0 || *digits == '0' || strlen(digits) > 4)
        return false;
    size_t length = strspn(digits, "0123456789");
    return length > 0 && digits[length] == '\0' && (length < 4 || strcmp(digits, "1000") == 0);
}

static bool read_timing(struct client_options *o, const struct line *line, size_t *bad)
{
    const char *text = line->words[0].text;
    *bad = line->count > 1 ? 1 : 0;
    if (line->count > 1 || (!is_yes(text) && !is_no(text) && !is_interval(text)))
        return false;
    if (o != NULL) {
        mem_free(o->obscure_keystroke_timing);
        o->obscure_keystroke_timing = mem_strdup(is_yes(text) ? "yes" : is_no(text) ? "no" : text);
    }
    return true;
}

static enum err print_timing(const struct client_options *o, struct buf *out)
{
    return print(out, o->obscure_keystroke_timing);
}

static void release_timing(struct client_options *o)
{
    mem_free(o->obscure_keystroke_timing);
    o->obscure_keystroke_timing = NULL;
}

const struct option_value client_value_keystroke_timing = {
    .takes = "yes, no or interval:MILLISECONDS up to 1000",
    .read = read_timing,
    .print = print_timing,
    .release = release_timing};
