/*
 * "~C": a line that the person types in the middle of a session, and what it asks for. The line
 * editor eats bytes and never waits, so that everything else goes on meanwhile.
 */
#ifndef ADIT_CLIENT_COMMAND_LINE_H
#define ADIT_CLIENT_COMMAND_LINE_H

#include "config/forward_spec.h"

#define COMMAND_LINE_MAX 1024

/* Zeroed: no line is open. */
struct command_line {
    bool is_open;
    char text[COMMAND_LINE_MAX];
    size_t length;
};

enum command_line_state {
    COMMAND_LINE_MORE,
    COMMAND_LINE_DONE,      /* text is the line */
    COMMAND_LINE_CANCELLED, /* ^C, ^D, Escape */
};

void command_line_open(struct command_line *l);
/* One byte typed; appends what the terminal is to show (a few bytes) to echo. */
enum command_line_state command_line_feed(struct command_line *l, uint8_t byte, struct buf *echo);

enum command_verb {
    COMMAND_NOTHING, /* an empty line */
    COMMAND_HELP,
    COMMAND_FORWARD, /* spec */
    COMMAND_CANCEL,  /* spec: its listening end and kind */
};
struct command {
    enum command_verb verb;
    struct forward_spec spec; /* owned */
};
/* ERR_CONFIG: *fault is one sentence, the caller's. */
enum err command_parse(const char *text, struct command *out, char **fault) MUST_USE;
void command_done(struct command *c);

/* Lines ended by "\r\n". */
extern const char command_help[];

#endif
