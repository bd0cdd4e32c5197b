/* For tests: files held in memory as {path, text} pairs; glob is a pattern over the paths. */
#ifndef ADIT_CONFIG_SOURCE_FAKE_H
#define ADIT_CONFIG_SOURCE_FAKE_H

#include "base/match.h"
#include "config/source.h"

struct fake_file {
    const char *path; /* NULL ends the table */
    struct slice text;
};

static inline enum err fake_read(void *arg, const char *path, struct buf *text)
{
    for (const struct fake_file *file = arg; file->path != NULL; file++) {
        if (strcmp(file->path, path) == 0)
            return buf_append_slice(text, file->text);
    }
    return ERR_NOT_FOUND;
}

static inline enum err fake_glob(void *arg, const char *pattern, struct string_list *paths)
{
    for (const struct fake_file *file = arg; file->path != NULL; file++) {
        if (match_is_pattern(file->path, pattern))
            string_list_add(paths, file->path);
    }
    return OK;
}

#define FAKE_SOURCE(files_) ((struct config_source){(files_), fake_read, fake_glob})

#endif
