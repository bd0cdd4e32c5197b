/* One login attempt: its memory, its words, its uid. */
#include "server/authz_attempt.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "io/ipc.h"

#define NOBODY     65534
#define DECOY_HOME "/nonexistent"

void attempt_init(struct attempt *l, int fd, const struct crypto *crypto, int64_t now_s)
{
    *l = (struct attempt){.crypto = crypto, .fd = fd, .now_s = now_s};
    buf_init_secret(&l->record, ROLE_MSG_MAX);
    server_options_init(&l->options);
    account_find("nobody", &l->decoy);
    if (!l->decoy.is_known) {
        account_done(&l->decoy);
        account_set(&l->decoy, "nobody", DECOY_HOME, NOBODY);
        l->decoy.gid = NOBODY;
    }
    l->decoy.group_count = 0; /* none but its own */
    const char *why;
    /* Nothing is restricted. */
    CHECK(key_options_parse(SLICE_NONE, &l->granted, &why) == OK &&
          key_options_parse(SLICE_NONE, &l->earlier, &why) == OK);
}

void attempt_done(struct attempt *l)
{
    key_options_done(&l->granted);
    key_options_done(&l->earlier);
    account_done(&l->account);
    account_done(&l->decoy);
    server_options_done(&l->options);
    buf_done(&l->record);
    mem_free(l->name);
    mem_free(l->address);
    mem_free(l->host);
    mem_free(l->local_address);
}

void attempt_refuse(struct attempt *l, const char *format, ...)
{
    va_list arguments;
    if (attempt_is_refused(l))
        return;
    va_start(arguments, format);
    vsnprintf(l->reason, sizeof(l->reason), format, arguments);
    va_end(arguments);
}

const struct account *attempt_whom(const struct attempt *l)
{
    return attempt_is_refused(l) || !l->account.is_known ? &l->decoy : &l->account;
}

struct key_use attempt_use(const struct attempt *l, enum key_use_kind kind)
{
    return (struct key_use){kind, l->address, l->host, l->now_s};
}

enum err attempt_become(struct attempt *l)
{
    if (geteuid() != 0)
        return OK;
    enum err err = account_become(attempt_whom(l));
    if (err != OK)
        log_error("cannot become %s", attempt_whom(l)->name);
    return err;
}

enum err attempt_receive(struct attempt *l, enum role_msg_kind kind, int *config_fd)
{
    int fds[IPC_FDS_MAX];
    size_t fd_count = 0;
    TRY(ipc_recv_blocking(l->fd, &l->record, fds, &fd_count));
    enum err err = role_msg_decode(buf_slice(&l->record), ROLE_SUPERVISOR, ROLE_AUTHZ, &l->m);
    if (err == OK && (l->m.kind != kind || fd_count != (config_fd ? 1 : 0)))
        err = ERR_PROTOCOL;
    for (size_t i = 0; i < fd_count && (err != OK || !config_fd); i++)
        close(fds[i]);
    if (err == OK && config_fd)
        *config_fd = fds[0];
    return err;
}
