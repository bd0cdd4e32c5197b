/*
 * What a login was done with, kept so that further connections of the same run can log in without a
 * person being asked again (AditConnections): which methods were right, which keys, the password,
 * and what was said to which prompts. Answers are secrets: those that proved wrong are wiped at
 * once, the others by login_kept_done. Pure.
 */
#ifndef ADIT_CLIENT_LOGIN_KEPT_H
#define ADIT_CLIENT_LOGIN_KEPT_H

#include "auth/auth_client.h"

#define LOGIN_KEPT_SAID_MAX 8 /* INFO_REQUESTs with prompts in them; more are not kept */

/* One INFO_REQUEST's prompts (RFC 4256 3.2), and what was said to them. */
struct login_said {
    struct buf prompts;
    struct buf *texts;
    struct slice *responses; /* the same, as an answer wants them */
    uint32_t count;
};

struct login_kept {
    char *methods;                     /* comma list, in the order in which they were right */
    size_t keys[AUTH_CLIENT_KEYS_MAX]; /* numbers of auth_client, in that order */
    size_t key_count;
    struct buf password;
    struct login_said said[LOGIN_KEPT_SAID_MAX];
    size_t said_count;
    bool has_password, has_said; /* they were right */
};

void login_kept_init(struct login_kept *k);
void login_kept_done(struct login_kept *k);

/* A question was answered so; whether that was right is not known yet. */
void login_kept_answer(struct login_kept *k, const struct auth_client_event *question,
                       const struct auth_client_answer *answer);
/* AUTH_CLIENT_REFUSED or AUTH_CLIENT_SUCCESS: now it is. Others say nothing. */
void login_kept_result(struct login_kept *k, const struct auth_client_event *e);

/*
 * The same answer to the same question, borrowed from k. False: it was never asked, or is one that
 * no answer of before fits (a new password, a signature).
 */
bool login_kept_give(const struct login_kept *k, const struct auth_client_event *question,
                     struct auth_client_answer *answer) MUST_USE;

/* "publickey", ...: what RFC 4252 calls it. */
const char *login_method_name(enum userauth_method method);

#endif
