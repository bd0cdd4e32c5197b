/*
 * One login attempt as the rooms of aditd-authz share it: what is asked, what is known, and what
 * came of it. The first rule that forbids it is kept in words; nothing takes it back.
 */
#ifndef ADIT_SERVER_AUTHZ_ATTEMPT_H
#define ADIT_SERVER_AUTHZ_ATTEMPT_H

#include "auth/authorized_keys.h"
#include "config/sshd_config.h"
#include "crypto/algo.h"
#include "server/account.h"
#include "server/role_msg.h"

struct attempt {
    const struct crypto *crypto;
    int fd;        /* to the supervisor */
    int64_t now_s; /* since 1970 */
    char *name;    /* of the account: without ":style" */
    struct account account;
    struct account decoy; /* whom a refused attempt becomes, and whose files it looks for */
    struct buf record;    /* the message that m borrows from; secret */
    struct role_msg m;    /* AUTHZ */
    char *address, *host, *local_address;
    struct server_options options;
    struct key_options earlier; /* what the steps before this one restrict */
    /* What came of it. */
    char reason[512];           /* the first thing that forbids it; "" */
    struct key_options granted; /* what restricts it */
    bool is_granted;            /* set in one place a method */
    char fingerprint[512];      /* as OpenSSH logs it behind "ssh2: "; "" */
};

void attempt_init(struct attempt *l, int fd, const struct crypto *crypto, int64_t now_s);
void attempt_done(struct attempt *l);

/* Keeps the reason, unless there is one already. */
void attempt_refuse(struct attempt *l, const char *format, ...) PRINTF_LIKE(2, 3);
static inline bool attempt_is_refused(const struct attempt *l)
{
    return l->reason[0] != '\0';
}

/* The account, or once it is refused the decoy. */
const struct account *attempt_whom(const struct attempt *l);

/* As the files' and certificates' options are asked. */
struct key_use attempt_use(const struct attempt *l, enum key_use_kind kind);

/*
 * As root: becomes attempt_whom. Whatever is below a home directory is opened after it. ERR_DENIED:
 * ends the attempt.
 */
enum err attempt_become(struct attempt *l) MUST_USE;

/* The next message of this kind; a descriptor that comes with it goes to *config_fd (NULL: none may
 * come). It replaces what m borrows from. ERR_PROTOCOL, and those of ipc and role_msg. */
enum err attempt_receive(struct attempt *l, enum role_msg_kind kind, int *config_fd) MUST_USE;

#endif
