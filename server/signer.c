/* The supervisor's side of aditd-sign. */
#include <stdio.h>
#include <unistd.h>

#include "server/sign_options.h"
#include "server/supervisor_internal.h"

#define ARGUMENTS_MAX (64 + SIGN_OPTIONS_MAX)

static void keep_key(struct supervisor *s, const struct role_msg *m)
{
    if (s->host_key_count >= HOST_KEYS_MAX)
        return;
    struct host_key *k = &s->host_keys[s->host_key_count++];
    buf_init(&k->type, ROLE_MSG_NAME_MAX);
    buf_init(&k->blob, ROLE_MSG_KEY_MAX);
    CHECK(buf_append_slice(&k->type, m->name) == OK);
    CHECK(buf_append_slice(&k->blob, m->key) == OK);
}

static void sign_message(void *owner, enum err err, struct slice bytes, const int *fds,
                         size_t fd_count)
{
    struct supervisor *s = owner;
    struct role_msg m;
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
    if (err == OK)
        err = role_msg_decode(bytes, ROLE_SIGN, ROLE_SUPERVISOR, &m);
    if (err != OK) {
        if (err != ERR_EOF)
            log_fatal("aditd-sign sent what is no message: %s", err_name(err));
        ipc_close(s->sign_ipc);
        s->sign_ipc = NULL;
        return; /* its exit comes, and ends the server */
    }
    if (m.kind == ROLE_MSG_SIGNATURE)
        connection_signed(s, &m);
    else if (m.kind == ROLE_MSG_PROOF)
        connection_proved(s, &m);
    else if (s->is_serving)
        log_error("aditd-sign told its keys twice");
    else if (m.kind == ROLE_MSG_HOST_KEY)
        keep_key(s, &m);
    else
        supervisor_keys_known(s);
}

static void sign_exited(void *owner, int status, int signal_number)
{
    struct supervisor *s = owner;
    s->sign = NULL;
    if (s->is_ending) {
        supervisor_end(s, s->status);
        return;
    }
    log_fatal("aditd-sign has ended (%s %d): no key exchange is possible without it",
              signal_number ? "signal" : "status", signal_number ? signal_number : status);
    supervisor_end(s, 1);
}

enum err signer_start(struct supervisor *s)
{
    int pair[2];
    const char *arguments[12 + ARGUMENTS_MAX] = {NULL};
    size_t n = 0;
    supervisor_child_arguments(s, PROGRAM_SIGN, s->options.log_level, arguments);
    while (arguments[n])
        n++;
    if (!option_is_given(&s->options.state, "HostKey"))
        arguments[n++] = "-q";
    arguments[n++] = "-s";
    n += sign_options(&s->options, arguments + n);
    for (size_t i = 0; i < s->options.host_keys.count && n + 1 < ARRAY_LEN(arguments); i++)
        arguments[n++] = s->options.host_keys.items[i];
    TRY(ipc_pair(pair));
    int fds[] = {-1, -1, STDERR_FILENO, pair[1]};
    struct child_spec spec = {.file = s->setup.programs->paths[PROGRAM_SIGN],
                              .arguments = (char *const *)(uintptr_t)arguments,
                              .fds = fds,
                              .fd_count = ARRAY_LEN(fds)};
    enum err err = child_new(&s->sign, s->loop, &spec, sign_exited, s);
    close(pair[1]);
    if (err != OK) {
        close(pair[0]);
        return err;
    }
    s->sign_ipc = ipc_new(s->loop, pair[0], sign_message, s);
    struct role_msg sandbox = {.kind = ROLE_MSG_SANDBOX};
    supervisor_role_sandbox(&sandbox);
    return signer_ask(s, &sandbox);
}

void signer_end(struct supervisor *s)
{
    ipc_close(s->sign_ipc); /* it ends by itself at the end of its descriptor */
    s->sign_ipc = NULL;
    for (size_t i = 0; i < s->host_key_count; i++) {
        buf_done(&s->host_keys[i].type);
        buf_done(&s->host_keys[i].blob);
    }
    s->host_key_count = 0;
}

enum err signer_ask(struct supervisor *s, const struct role_msg *m)
{
    struct buf bytes;
    if (!s->sign_ipc)
        return ERR_EOF;
    buf_init(&bytes, ROLE_MSG_MAX);
    enum err err = role_msg_encode(m, &bytes);
    if (err == OK)
        err = ipc_send(s->sign_ipc, buf_slice(&bytes), NULL, 0);
    buf_done(&bytes);
    return err;
}
