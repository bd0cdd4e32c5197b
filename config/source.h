/*
 * How configuration text gets in: this floor opens no file, the program passes these two in.
 */
#ifndef ADIT_CONFIG_SOURCE_H
#define ADIT_CONFIG_SOURCE_H

#include "base/buf.h"
#include "config/string_list.h"

/* The largest configuration file; a source must refuse more with ERR_LIMIT. */
#define CONFIG_FILE_MAX (4u << 20)

struct config_source {
    void *arg;
    /*
     * Appends the whole file to text (its cap bounds the size). ERR_NOT_FOUND: there is no such
     * file; ERR_DENIED: its owner or mode is unsafe; ERR_IO, ERR_LIMIT.
     */
    enum err (*read)(void *arg, const char *path, struct buf *text);
    /* Appends the paths that match the pattern, sorted; none is OK. */
    enum err (*glob)(void *arg, const char *pattern, struct string_list *paths);
};

#endif
