/*
 * THE table of options: one row a keyword of OpenSSH's ssh_config(5) and sshd_config(5), and of
 * ours (Adit...). A row says how its value is read, kept and printed. The rows are data
 * (option_client.c, option_server.c); this room does not know blocks, files or precedence between
 * them, only "the first value wins" and "each line appends".
 */
#ifndef ADIT_CONFIG_OPTION_H
#define ADIT_CONFIG_OPTION_H

#include "config/lexer.h"
#include "config/report.h"
#include "config/string_list.h"

enum option_scope {
    OPTION_CLIENT,
    OPTION_SERVER,
};

enum option_type {
    OPTION_ACCEPTED,   /* known, not built: kept as text, reported */
    OPTION_DEPRECATED, /* OpenSSH ignores it too */
    OPTION_ALIAS,      /* another spelling of the row that value_names says */
    OPTION_BLOCK,      /* Host, Match, Include: the file readers' own */
    OPTION_FLAG,       /* bool */
    OPTION_WORD,       /* an enum, by words[] */
    OPTION_INT,        /* int, range in row */
    OPTION_MASK,       /* uint32_t, octal file mode bits */
    OPTION_SECONDS,    /* uint32_t; "none" is 0 where the row allows it */
    OPTION_PORT,       /* uint16_t */
    OPTION_STRING,     /* char *, one word */
    OPTION_COMMAND,    /* char *, the rest of the line */
    OPTION_LIST,       /* struct string_list, the first line wins */
    OPTION_APPEND,     /* struct string_list, each line appends its words */
    OPTION_FORWARD,    /* struct forward_list, each line appends one */
    OPTION_ALGORITHMS, /* char *, resolved against base/algo_names */
    OPTION_REKEY,      /* struct rekey_limit */
    OPTION_WINDOW,     /* struct window_sizes */
    OPTION_STARTUPS,   /* struct max_startups */
    OPTION_PORTS,      /* struct port_list, each line appends */
    OPTION_SUBSYSTEM,  /* struct string_list of "name command ...", the first of a name wins */
    OPTION_LISTEN,     /* struct string_list of "host" or "host:port", each line appends */
    OPTION_BITS,       /* int, the sum of words[]; "none" is 0 */
    OPTION_PENALTIES,  /* struct source_penalties, the first value of each item wins */
    OPTION_BLOCK_SIZE, /* struct net_block_size */
    OPTION_QOS,        /* struct ip_qos */
    OPTION_VALUE,      /* the client's, by struct option_value */
};

/* Row flags. */
#define OPTION_RESTRICTS 1u   /* not built, and leaving it out would allow more: warn loudly */
#define OPTION_MAY_NONE  2u   /* "none" is a value: OPTION_SECONDS 0, OPTION_INT its maximum */
#define OPTION_MATCHABLE 4u   /* server: may stand in a Match block */
#define OPTION_ONE_WORD  8u   /* OPTION_APPEND: exactly one word a line */
#define OPTION_TILDE     16u  /* a path: the caller expands ~ and % */
#define OPTION_UNIQUE    32u  /* OPTION_APPEND: a value already there is not added again */
#define OPTION_MANY      64u  /* OPTION_ACCEPTED: every line is kept, not the first alone */
#define OPTION_TAIL      128u /* OPTION_ACCEPTED: the rest of the line as it stands */
#define OPTION_EACH                                                                                \
    256u /* OPTION_ACCEPTED with OPTION_MANY: each word is kept as a line of its own */
#define OPTION_PLAIN       512u  /* OPTION_ALGORITHMS: no certificates among the names */
#define OPTION_NONE_UNSETS 1024u /* a string or list that is "none" is as good as not there */
#define OPTION_MINUS       2048u /* OPTION_APPEND: "-PATTERN" takes away what is there already */
#define OPTION_NO_EFFECT                                                                           \
    4096u /* read, printed and not acted on: a note says so where it is given */

/* What the words of an OPTION_LIST or OPTION_APPEND must look like. */
enum option_check {
    OPTION_CHECK_NONE,
    OPTION_CHECK_PERMIT_OPEN,   /* any, none, or a rule as config/permit.h reads it */
    OPTION_CHECK_PERMIT_LISTEN, /* any, none, or such a rule for listening */
    OPTION_CHECK_TIMEOUT,       /* none, or pattern=time */
    OPTION_CHECK_ASSIGNMENT,    /* NAME=VALUE */
    OPTION_CHECK_USER,          /* USER or USER@HOST; HOST may be a network */
    OPTION_CHECK_METHODS,       /* any by itself, or METHOD[:DEVICE],... */
    OPTION_CHECK_ENV,           /* a pattern of names, no '=' */
    OPTION_CHECK_ALONE,         /* "none" only by itself */
    OPTION_CHECK_CNAMES,        /* none, or SOURCES:TARGETS */
    /* And of the one word of an OPTION_STRING, OPTION_COMMAND or OPTION_ACCEPTED. */
    OPTION_CHECK_FLAG,      /* yes or no */
    OPTION_CHECK_ADDRESSES, /* none, or a comma list of addresses and networks */
    OPTION_CHECK_PROGRAM,   /* none, or an absolute path and what follows */
    OPTION_CHECK_ADDENDUM,  /* text for the identification line; ends before a '#' */
    OPTION_CHECK_NONE_ONLY, /* none: there is nothing else on this system */
};

struct option_word {
    const char *name; /* the first name of a value is the one printed */
    int value;
};

struct client_options;

/* A value of its own kind; options NULL: only check. */
struct option_value {
    const char *takes; /* what it may be, for the sentence that refuses something else */
    /* The line has a first word. False: words[*bad] (or the line's end) is not as it must be. */
    bool (*read)(struct client_options *options, const struct line *line, size_t *bad);
    enum err (*print)(const struct client_options *options, struct buf *out);
    void (*release)(struct client_options *options); /* NULL: it owns nothing */
};

struct option_row {
    const char *name; /* OpenSSH's spelling: "LocalForward" */
    enum option_type type;
    unsigned flags;
    size_t offset;                    /* into struct client_options or server_options */
    const char *fallback;             /* the default, as it would be written; NULL: none. It
                                         restricts nothing and asks for nothing unbuilt */
    const struct option_word *words;  /* OPTION_WORD: ends with a NULL name */
    int minimum, maximum;             /* OPTION_INT */
    int kind;                         /* enum forward_kind, algo_kind or option_check, by type */
    const char *alias_of;             /* OPTION_ALIAS */
    const char *rival;                /* whichever of the two is given first wins; NULL: none */
    const struct option_value *value; /* OPTION_VALUE */
};

struct rekey_limit {
    uint64_t bytes;   /* 0: the cipher's own limit ("default") */
    uint32_t seconds; /* 0: none */
};

/* What receive windows may grow to, in bytes. */
struct window_sizes {
    uint64_t channel, connection, process; /* of one, of a connection's, of all in a process */
};

struct max_startups {
    unsigned begin, rate, full; /* random drop from begin on with rate percent, all from full on */
};

struct port_list {
    uint16_t *items;
    size_t count;
};

/* A keyword that was accepted and is not built, as it stood. */
struct raw_option {
    const struct option_row *row;
    char *text;
};

/* More rows than either table has (checked when it is compiled). */
#define OPTION_ROWS_MAX 256

/* The first member of both options structs. */
struct option_state {
    enum option_scope scope;
    bool is_set[OPTION_ROWS_MAX];    /* by row; defaults do not count */
    bool is_frozen[OPTION_ROWS_MAX]; /* by row: later lines change nothing, even appending ones */
    struct raw_option *raw;
    size_t raw_count;
};

/* The rows of one program. */
const struct option_row *option_rows(enum option_scope scope, size_t *count);

/* The row of a keyword in any case, aliases followed; NULL if OpenSSH does not know it. */
const struct option_row *option_find(enum option_scope scope, const char *keyword);

/* The known keyword nearest to a mistyped one, or NULL if none is near. */
const char *option_nearest(enum option_scope scope, const char *keyword);

/*
 * A command-line letter of ssh. *keyword is the option it sets and *fixed its value; *fixed is
 * NULL where the letter takes an argument, which is the value. False for letters that are no
 * option (-F, -E, -G, -T of sshd, ...) or are not OpenSSH's.
 */
bool option_letter(char letter, const char **keyword, const char **fixed);

/*
 * Reads one line's value into the options struct (state is its first member). Keeps the first
 * value or appends, by type; a later value of a set option is checked and dropped. With
 * state NULL the value is only checked. ERR_CONFIG, with an entry in report, if it cannot be read.
 */
enum err option_parse(struct option_state *state, enum option_scope scope,
                      const struct option_row *row, const struct line *line,
                      const struct place *place, struct report *report) MUST_USE;

/* The same for a value by itself. */
enum err option_parse_text(struct option_state *state, enum option_scope scope,
                           const struct option_row *row, const char *value,
                           const struct place *place, struct report *report) MUST_USE;

/* Takes the certificates' names out of a comma list, in place. */
void option_drop_certificates(char *list);

/* Fills every option that is not set with its default, and takes out each "none" that says so. */
void option_set_defaults(struct option_state *state);

/*
 * From here on, rows that are set take no more values. A Match'ed block is read before the global
 * lines and frozen, so that its lists replace the global ones instead of joining them.
 */
void option_freeze(struct option_state *state);

/* True if a file or the command line gave the option (keyword in any case). */
bool option_is_given(const struct option_state *state, const char *keyword);

/* As if the option (keyword in any case) had been given with the value that its field has. */
void option_mark_given(struct option_state *state, const char *keyword);

/* As if the option (keyword in any case) had never been given. */
void option_unset(struct option_state *state, const char *keyword);

/* "keyword value" lines of one row, lower case, in the form that OpenSSH prints and reads back. */
enum err option_print(const struct option_state *state, const struct option_row *row,
                      struct buf *out) MUST_USE;

/* An empty state of one program; the rest of the struct is zeroed by its owner. */
void option_init(struct option_state *state, enum option_scope scope);

/* Frees all values the rows own, and the state's own memory. */
void option_done(struct option_state *state);

#endif
