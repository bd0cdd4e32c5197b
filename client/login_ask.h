/*
 * What a login asks a person: passwords, passphrases, and whatever a server wants to know
 * (RFC 4256). Texts of the server's are made harmless before they are shown. Blocks.
 */
#ifndef ADIT_CLIENT_LOGIN_ASK_H
#define ADIT_CLIENT_LOGIN_ASK_H

#include "auth/auth_client.h"
#include "client/identity.h"
#include "client/prompt.h"

struct login_ask {
    struct prompt_config prompt;
    const char *user, *host; /* as the prompts name them */
    unsigned tries;          /* NumberOfPasswordPrompts */
};

/*
 * Each: ERR_DENIED: the person said no or nothing, or none was there; ERR_CANCELLED: a signal came
 * that ends the run. Answers are appended.
 */
enum err login_ask_password(const struct login_ask *a, unsigned attempt,
                            struct buf *password) MUST_USE;
/* said: the server's text. */
enum err login_ask_change(const struct login_ask *a, struct slice said, struct buf *old_password,
                          struct buf *new_password) MUST_USE;
/* responses: info->count bufs, made here and wiped by the caller. */
enum err login_ask_info(const struct login_ask *a, const struct body_info_request *info,
                        struct buf *responses) MUST_USE;
/* Opens an encrypted key file, within the tries. */
enum err login_ask_passphrase(const struct login_ask *a, const struct crypto *crypto,
                              struct identity *locked) MUST_USE;
/* AddKeysToAgent ask. OK: yes. */
enum err login_ask_add_key(const struct login_ask *a, const struct identity *id) MUST_USE;

#endif
