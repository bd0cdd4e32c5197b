/*
 * One configuration line -> keyword and arguments, each with its column. Knows quotes, '=' after
 * the keyword, comments and escapes as OpenSSH 8.7 and later read them; does not know any keyword.
 */
#ifndef ADIT_CONFIG_LEXER_H
#define ADIT_CONFIG_LEXER_H

#include "base/buf.h"

#define LEXER_LINE_MAX (64u << 10)
#define LEXER_WORD_MAX 4096u /* arguments on a line */

struct word {
    char *text;      /* unquoted, NUL-terminated */
    unsigned column; /* of its first byte (a quote included), from 1 */
};

struct line {
    char *keyword; /* NULL: blank or comment */
    unsigned keyword_column;
    struct word *words;
    size_t count;
    char *
        rest; /* the text after the keyword as it stands, trimmed, comment included; ProxyCommand */
    unsigned rest_column;
};

void line_done(struct line *line);

/* Why lexing failed: a sentence and the column (from 1). */
struct lexer_fault {
    const char *text;
    unsigned column;
};

/*
 * Takes the next line off *text, its newline (LF or CR LF) included; the last line needs none.
 * False at the end.
 */
bool lexer_next_line(struct slice *text, struct slice *line) MUST_USE;

/*
 * Splits one line (without newline). ERR_LIMIT: longer than LEXER_LINE_MAX or too many words;
 * ERR_FORMAT: a NUL byte or a quote that is not closed. On error *line is empty and *fault says
 * why. line_done releases the result.
 */
enum err lexer_split(struct slice text, struct line *line, struct lexer_fault *fault) MUST_USE;

/* The same for arguments alone, without a keyword (a value from a command line). */
enum err lexer_split_words(struct slice text, struct line *line,
                           struct lexer_fault *fault) MUST_USE;

/* Appends one argument so that lexer_split reads it back: quoted where it must be. */
enum err lexer_print_word(struct buf *out, const char *word) MUST_USE;

#endif
