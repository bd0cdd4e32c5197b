/* The command line inside a session. */
#include "client/command_line.h"

#include <string.h>

enum { CTRL_C = 3, CTRL_D = 4, BACKSPACE = 8, CTRL_U = 21, ESCAPE_KEY = 27, DELETE = 127 };

const char command_help[] =
    "Commands:\r\n"
    "      -L[bind_address:]port:host:hostport    Request local forward\r\n"
    "      -R[bind_address:]port:host:hostport    Request remote forward\r\n"
    "      -D[bind_address:]port                  Request dynamic forward\r\n"
    "      -KL[bind_address:]port                 Cancel local forward\r\n"
    "      -KR[bind_address:]port                 Cancel remote forward\r\n"
    "      -KD[bind_address:]port                 Cancel dynamic forward\r\n";

void command_line_open(struct command_line *l)
{
    *l = (struct command_line){.is_open = true};
}

static void show(struct buf *echo, const char *text)
{
    CHECK(buf_append(echo, text, strlen(text)) == OK);
}

static enum command_line_state close_line(struct command_line *l, struct buf *echo,
                                          enum command_line_state state)
{
    l->is_open = false;
    l->text[l->length] = '\0';
    show(echo, "\r\n");
    return state;
}

/* The last character, which may be several bytes of UTF-8. */
static void rub_out(struct command_line *l, struct buf *echo)
{
    if (l->length == 0)
        return;
    while (l->length > 1 && ((uint8_t)l->text[l->length - 1] & 0xc0) == 0x80)
        l->length--;
    l->length--;
    show(echo, "\b \b");
}

enum command_line_state command_line_feed(struct command_line *l, uint8_t byte, struct buf *echo)
{
    switch (byte) {
    case '\r':
    case '\n':
        return close_line(l, echo, COMMAND_LINE_DONE);
    case CTRL_C:
    case CTRL_D:
    case ESCAPE_KEY:
        return close_line(l, echo, COMMAND_LINE_CANCELLED);
    case BACKSPACE:
    case DELETE:
        rub_out(l, echo);
        return COMMAND_LINE_MORE;
    case CTRL_U:
        while (l->length)
            rub_out(l, echo);
        return COMMAND_LINE_MORE;
    default:
        break;
    }
    if (byte >= ' ' && l->length < COMMAND_LINE_MAX - 1) {
        l->text[l->length++] = (char)byte;
        CHECK(buf_append(echo, &byte, 1) == OK);
    }
    return COMMAND_LINE_MORE;
}

/* ---- what it asks for ---- */

/* What listens, as -KL and its like name it: "[bind:]port", or a path. */
static enum err parse_listen(enum forward_kind kind, const char *text, struct forward_spec *spec,
                             struct forward_fault *fault)
{
    /* A dynamic forward is written as a listening end alone. */
    if (strchr(text, '/')) {
        *spec = (struct forward_spec){.kind = kind, .listen = {.path = mem_strdup(text)}};
        return OK;
    }
    TRY(forward_spec_parse(FORWARD_DYNAMIC, text, spec, fault));
    spec->kind = kind;
    return OK;
}

static bool kind_of(char letter, enum forward_kind *kind)
{
    switch (letter) {
    case 'L':
        *kind = FORWARD_LOCAL;
        return true;
    case 'R':
        *kind = FORWARD_REMOTE;
        return true;
    case 'D':
        *kind = FORWARD_DYNAMIC;
        return true;
    default:
        return false;
    }
}

enum err command_parse(const char *text, struct command *out, char **fault)
{
    struct forward_fault why;
    enum forward_kind kind;
    *out = (struct command){.verb = COMMAND_NOTHING};
    text += strspn(text, " \t");
    text += *text == '-'; /* a dash may be left out */
    if (*text == '\0')
        return OK;
    if (*text == 'h' || *text == 'H' || *text == '?') {
        out->verb = COMMAND_HELP;
        return OK;
    }
    bool is_cancel = *text == 'K' || *text == 'k';
    text += is_cancel;
    if (!kind_of(*text, &kind)) {
        *fault = mem_strdup("Invalid command.");
        return ERR_CONFIG;
    }
    text++;
    text += strspn(text, " \t");
    enum err err = is_cancel ? parse_listen(kind, text, &out->spec, &why)
                             : forward_spec_parse(kind, text, &out->spec, &why);
    if (err != OK) {
        *fault = mem_printf("Bad forwarding specification: %s (column %u).", why.text, why.column);
        return err;
    }
    out->verb = is_cancel ? COMMAND_CANCEL : COMMAND_FORWARD;
    return OK;
}

void command_done(struct command *c)
{
    forward_spec_done(&c->spec);
    *c = (struct command){0};
}
