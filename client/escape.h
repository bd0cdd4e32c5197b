/*
 * Escapes in what a person types (ssh(1), ESCAPE CHARACTERS): behind a newline, the escape
 * character and one more are for adit and not for the other side. Pure: bytes in; bytes out, and
 * what was asked for as a value.
 */
#ifndef ADIT_CLIENT_ESCAPE_H
#define ADIT_CLIENT_ESCAPE_H

#include "base/buf.h"

enum escape_action {
    ESCAPE_NONE,       /* all bytes were taken */
    ESCAPE_TERMINATE,  /* ~.  */
    ESCAPE_SUSPEND,    /* ~^Z */
    ESCAPE_BREAK,      /* ~B  */
    ESCAPE_REKEY,      /* ~R  */
    ESCAPE_INFO,       /* ~I  */
    ESCAPE_LOUDER,     /* ~v  */
    ESCAPE_QUIETER,    /* ~V  */
    ESCAPE_BACKGROUND, /* ~&  */
    ESCAPE_HELP,       /* ~?  */
    ESCAPE_LIST,       /* ~#  */
    ESCAPE_COMMAND,    /* ~C  */
};

struct escape {
    int character; /* -1: none */
    bool at_line_start, is_pending;
};

void escape_init(struct escape *e, int character);

/*
 * Appends to out what goes to the other side, up to the first action; returns how many bytes of in
 * were taken, all of them with ESCAPE_NONE. An escape character at the end of in waits for the next
 * byte. out has room for in.len + 1 bytes.
 */
size_t escape_feed(struct escape *e, struct slice in, struct buf *out, enum escape_action *action);

/*
 * The help text, lines ended by "\r\n" (the terminal is raw). is_shared: a session of a shared
 * connection, which has fewer.
 */
char *escape_help(const struct escape *e, bool is_shared) MUST_USE;

/* Two bytes as a person writes them: "~?", "^]?". The caller owns it. */
char *escape_name(const struct escape *e, char letter) MUST_USE;

#endif
