/*
 * Configuration between files, descriptors and struct server_options: the supervisor reads files
 * and hands every role the effective options as text in a sealed memory file; the roles read them
 * back with the same table.
 */
#ifndef ADIT_SERVER_CONFIG_TEXT_H
#define ADIT_SERVER_CONFIG_TEXT_H

#include "config/sshd_config.h"

/* Reads and globs the file system. Lives for ever. */
extern const struct config_source config_text_files;

/* Prints a report's entries to the log: errors as errors, warnings and notes as info. */
void config_text_log_report(const struct report *r);

/*
 * Appends the names of the account's groups, for connection_facts. False: there is no such account,
 * or its groups are not known.
 */
bool config_text_groups(const char *user, struct string_list *groups) MUST_USE;

/*
 * A sealed memory file, close-on-exec, that holds the options as text; is_whole: the defaults, too,
 * for a process that may be of another version than we are. ERR_IO, ERR_LIMIT.
 */
enum err config_text_to_fd(const struct server_options *o, bool is_whole, int *fd) MUST_USE;

#define CONFIG_TEXT_BANNER_MAX (1u << 20)

/*
 * A sealed copy of the Banner file, close-on-exec; *fd is -1 with OK where there is none, or none
 * that can be read.
 */
enum err config_text_banner(const struct server_options *o, int *fd) MUST_USE;

#define CONFIG_TEXT_MODULI_MAX (4u << 20)

/* The same of ModuliFile, where KexAlgorithms has a group exchange: who uses it has no files. */
enum err config_text_moduli(const struct server_options *o, int *fd) MUST_USE;

/* Fills o (initialised) from such a file; fd stays open. ERR_CONFIG, ERR_IO. */
enum err config_text_from_fd(int fd, struct server_options *o) MUST_USE;

#endif
