/*
 * Small files read whole, and the source that configuration is read from: the only place of the
 * client that opens files for reading.
 */
#ifndef ADIT_CLIENT_FILE_H
#define ADIT_CLIENT_FILE_H

#include <sys/stat.h>

#include "config/source.h"

/* Appends the file to text and fills st. 0, or errno (EFBIG: beyond text's cap). */
int file_read(const char *path, struct buf *text, struct stat *st) MUST_USE;

/*
 * Configuration files. A user's file (under home) that others may write, or that belongs to
 * someone else, is ERR_DENIED, as in ssh.
 */
struct file_source {
    struct config_source source;
    const char *home; /* NULL: no file is held to be the user's */
};
void file_source_init(struct file_source *s, const char *home);

#endif
