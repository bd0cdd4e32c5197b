/*
 * KnownHostsCommand: a program whose output is read as one more known_hosts file. No shell: the
 * line is split into words as OpenSSH splits it, then each word's tokens are put in.
 */
#ifndef ADIT_CLIENT_KNOWN_HOSTS_COMMAND_H
#define ADIT_CLIENT_KNOWN_HOSTS_COMMAND_H

#include "client/expand_client.h"
#include "crypto/algo.h"

struct known_hosts_command {
    const struct crypto *crypto;
    const struct client_options *options;
    const struct client_facts *facts;
    const char *invocation; /* %I: "ORDER", "HOSTNAME" or "ADDRESS" */
    const char *name;       /* %H: what is looked up, "[host]:port" */
    struct slice key;       /* %t %K %f; empty: "NONE" */
};

/*
 * Blocks until the program has ended and appends what it said to out. An error (told here): it
 * could not be run, said more than out takes, said nothing for 60 s, or its status was not 0: then
 * nothing it said may be believed.
 */
enum err known_hosts_command_run(const struct known_hosts_command *command,
                                 struct buf *out) MUST_USE;

/*
 * Splits text at blanks; '...' and "..." keep them, a backslash keeps a quote, a backslash or (not
 * inside quotes) a blank. Words are appended to list. ERR_FORMAT: a quote without its other.
 */
enum err known_hosts_command_split(const char *text, struct string_list *words) MUST_USE;

#endif
