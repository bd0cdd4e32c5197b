/*
 * What reading a configuration had to say, in order: notes (accepted, not built), warnings (a
 * restriction that is not built: never silent), errors. The caller prints them; this room does
 * not log.
 */
#ifndef ADIT_CONFIG_REPORT_H
#define ADIT_CONFIG_REPORT_H

#include "base/err.h"

enum report_severity {
    REPORT_NOTE,    /* worth a line with -v */
    REPORT_WARNING, /* always worth a line */
    REPORT_ERROR,   /* the function returned an error because of it */
};

/* Where a word stands. Lines and columns count from 1; 0: not known. Columns count bytes. */
struct place {
    const char *file; /* borrowed; "command line" for options */
    unsigned line;
    unsigned column;
};

struct report_entry {
    enum report_severity severity;
    char *keyword; /* OpenSSH's spelling; NULL if the entry is about no keyword */
    char *file;    /* may be NULL */
    unsigned line, column;
    char *text; /* one sentence without place and final stop */
};

/* At most REPORT_MAX entries are kept (errors always); more are counted in dropped. */
#define REPORT_MAX 1000
struct report {
    struct report_entry *entries;
    size_t count;
    size_t dropped;
};

void report_init(struct report *r);
void report_done(struct report *r);

/* keyword and place may be NULL. What was said of a keyword already is not said again, but errors.
 */
void report_add(struct report *r, enum report_severity severity, const struct place *place,
                const char *keyword, const char *format, ...) PRINTF_LIKE(5, 6);

/* "/etc/ssh/sshd_config line 7 column 3: text" as one line; the caller owns it. */
char *report_entry_format(const struct report_entry *entry) MUST_USE;

/* The last error entry, or NULL. */
const struct report_entry *report_error(const struct report *r);

#endif
