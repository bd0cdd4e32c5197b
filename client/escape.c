/* Escapes. */
#include "client/escape.h"

#define CTRL_Z 26

/* clang-format off */
static const struct row {
    char letter;
    enum escape_action action;
    bool is_private; /* not for a session of a shared connection */
    const char *shown, *help;
} rows[] = {
    {'.',    ESCAPE_TERMINATE,  false, ".",  "end the connection, and every session that shares it"},
    {'B',    ESCAPE_BREAK,      false, "B",  "send a BREAK to the other side"},
    {'C',    ESCAPE_COMMAND,    true,  "C",  "a command line: add and cancel forwards"},
    {'R',    ESCAPE_REKEY,      false, "R",  "make new keys now"},
    {'I',    ESCAPE_INFO,       false, "I",  "what the connection is made of"},
    {'V',    ESCAPE_QUIETER,    true,  "V/v","say less, say more (LogLevel)"},
    {'v',    ESCAPE_LOUDER,     true,  NULL, NULL},
    {CTRL_Z, ESCAPE_SUSPEND,    true,  "^Z", "put adit to sleep (fg wakes it)"},
    {'#',    ESCAPE_LIST,       false, "#",  "list forwards and their connections"},
    {'&',    ESCAPE_BACKGROUND, true,  NULL, NULL}, /* says how else */
    {'?',    ESCAPE_HELP,       false, "?",  "this text"},
};
/* clang-format on */

void escape_init(struct escape *e, int character)
{
    *e = (struct escape){.character = character, .at_line_start = true};
}

static enum escape_action find(uint8_t byte)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if ((uint8_t)rows[i].letter == byte)
            return rows[i].action;
    }
    return ESCAPE_NONE;
}

static void put(struct buf *out, uint8_t byte)
{
    enum err err = buf_append(out, &byte, 1);
    CHECK(err == OK); /* the caller's room */
}

size_t escape_feed(struct escape *e, struct slice in, struct buf *out, enum escape_action *action)
{
    *action = ESCAPE_NONE;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t byte = in.ptr[i];
        if (e->is_pending) {
            e->is_pending = false;
            *action = find(byte);
            if (*action != ESCAPE_NONE) {
                e->at_line_start = true; /* what follows may be one again */
                return i + 1;
            }
            if (byte != e->character)
                put(out, (uint8_t)e->character);
        } else if (e->at_line_start && byte == e->character) {
            e->is_pending = true;
            continue;
        }
        put(out, byte);
        e->at_line_start = byte == '\r' || byte == '\n';
    }
    return in.len;
}

char *escape_name(const struct escape *e, char letter)
{
    bool is_control = e->character < 32;
    return mem_printf("%s%c%c", is_control ? "^" : "",
                      is_control ? e->character + '@' : e->character, letter);
}

char *escape_help(const struct escape *e, bool is_shared)
{
    char *text = mem_printf("Supported escape sequences:\r\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!rows[i].help || (is_shared && rows[i].is_private))
            continue;
        char *before CLEANUP(mem_cleanup) = text;
        char *name CLEANUP(mem_cleanup) = escape_name(e, rows[i].shown[0]);
        text = mem_printf("%s %s%-*s - %s\r\n", before, name, 4, rows[i].shown + 1, rows[i].help);
    }
    char *before CLEANUP(mem_cleanup) = text;
    char *twice CLEANUP(mem_cleanup) = escape_name(e, (char)e->character);
    return mem_printf("%s %s     - send the escape character itself\r\n"
                      "(They are seen at the start of a line only.)\r\n",
                      before, twice);
}
