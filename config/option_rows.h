/*
 * How the two halves of the option table are written. For option.c and the option_*.c alone.
 */
#ifndef ADIT_CONFIG_OPTION_ROWS_H
#define ADIT_CONFIG_OPTION_ROWS_H

#include "config/option.h"

/* Ends with a row whose name is NULL. */
extern const struct option_row option_client_rows[];
extern const struct option_row option_server_rows[];
extern const size_t option_client_row_count;
extern const size_t option_server_row_count;

extern const struct option_word option_log_level_words[];
extern const struct option_word option_family_words[];
extern const struct option_word option_facility_words[];
extern const struct option_word option_hash_words[];

/* Rows read: what kind, how it is written, where it is kept, what it is when it is not set. */
#define ACCEPTED(name_, flags_)                                                                    \
    {                                                                                              \
        .name = (name_), .type = OPTION_ACCEPTED, .flags = (flags_)                                \
    }
#define RESTRICTION(name_, flags_, harmless_)                                                      \
    {                                                                                              \
        .name = (name_), .type = OPTION_ACCEPTED, .flags = (flags_) | OPTION_RESTRICTS,            \
        .fallback = (harmless_)                                                                    \
    }
/* Accepted, checked, and printed with its default. */
#define IDLE(name_, flags_, fallback_, check_)                                                     \
    {                                                                                              \
        .name = (name_), .type = OPTION_ACCEPTED, .flags = (flags_), .fallback = (fallback_),      \
        .kind = (int)(check_)                                                                      \
    }
#define DEPRECATED(name_)                                                                          \
    {                                                                                              \
        .name = (name_), .type = OPTION_DEPRECATED                                                 \
    }
#define DEPRECATED_IN_MATCH(name_)                                                                 \
    {                                                                                              \
        .name = (name_), .type = OPTION_DEPRECATED, .flags = OPTION_MATCHABLE                      \
    }
#define ALIAS(name_, of_)                                                                          \
    {                                                                                              \
        .name = (name_), .type = OPTION_ALIAS, .alias_of = (of_)                                   \
    }
#define BLOCK(name_)                                                                               \
    {                                                                                              \
        .name = (name_), .type = OPTION_BLOCK                                                      \
    }
#define BUILT(type_, name_, flags_, field_, fallback_)                                             \
    {                                                                                              \
        .name = (name_), .type = (type_), .flags = (flags_), .offset = AT(field_),                 \
        .fallback = (fallback_)                                                                    \
    }
#define BUILT_WORD(name_, flags_, field_, fallback_, words_)                                       \
    {                                                                                              \
        .name = (name_), .type = OPTION_WORD, .flags = (flags_), .offset = AT(field_),             \
        .fallback = (fallback_), .words = (words_)                                                 \
    }
#define BUILT_INT(name_, flags_, field_, fallback_, min_, max_)                                    \
    {                                                                                              \
        .name = (name_), .type = OPTION_INT, .flags = (flags_), .offset = AT(field_),              \
        .fallback = (fallback_), .minimum = (min_), .maximum = (max_)                              \
    }
#define BUILT_KIND(type_, name_, flags_, field_, fallback_, kind_)                                 \
    {                                                                                              \
        .name = (name_), .type = (type_), .flags = (flags_), .offset = AT(field_),                 \
        .fallback = (fallback_), .kind = (int)(kind_)                                              \
    }

/* A value that reads and prints itself (config/client_value.h). */
#define BUILT_VALUE(name_, flags_, fallback_, value_)                                              \
    {                                                                                              \
        .name = (name_), .type = OPTION_VALUE, .flags = (flags_), .fallback = (fallback_),         \
        .value = &(value_)                                                                         \
    }

#endif
