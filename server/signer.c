/* The supervisor's side of aditd-sign. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/sign_options.h"
#include "server/supervisor_internal.h"

#define PATIENCE_MS   500 /* for one that was there before to answer */
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

static void on_register(struct supervisor *s, const struct role_msg *m);

static void lost(struct supervisor *s)
{
    ipc_close(s->sign_ipc);
    s->sign_ipc = NULL;
    if (s->sign || s->is_ending)
        return; /* its exit comes */
    log_fatal("aditd-sign has ended: no key exchange is possible without it");
    supervisor_end(s, 1);
}

static void sign_message(void *owner, enum err err, struct slice bytes, const int *fds,
                         size_t fd_count)
{
    struct supervisor *s = owner;
    struct role_msg m;
    ipc_close_fds(fds, fd_count);
    if (err == OK)
        err = role_msg_decode(bytes, ROLE_SIGN, ROLE_SUPERVISOR, &m);
    if (err != OK) {
        if (err != ERR_EOF)
            log_fatal("aditd-sign sent what is no message: %s", err_name(err));
        if (s->sign_patience)
            on_register(s, NULL);
        else
            lost(s);
        return;
    }
    if (m.kind == ROLE_MSG_SIGNATURE)
        connection_signed(s, &m);
    else if (m.kind == ROLE_MSG_PROOF)
        connection_proved(s, &m);
    else if (m.kind == ROLE_MSG_REGISTER)
        on_register(s, &m);
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

/* ---- a new one ---- */

static size_t arguments_of(struct supervisor *s, const char **arguments, size_t room)
{
    size_t n = 0;
    supervisor_child_arguments(s, PROGRAM_SIGN, s->options.log_level, arguments);
    while (arguments[n])
        n++;
    if (!option_is_given(&s->options.state, "HostKey"))
        arguments[n++] = "-q";
    arguments[n++] = "-s";
    if (s->sign_path) {
        arguments[n++] = "-R";
        arguments[n++] = s->sign_text;
    }
    n += sign_options(&s->options, arguments + n);
    for (size_t i = 0; i < s->options.host_keys.count && n + 1 < room; i++)
        arguments[n++] = s->options.host_keys.items[i];
    return n;
}

static enum err spawn(struct supervisor *s)
{
    int ipc_fd, comeback_fd = -1;
    const char *arguments[16 + ARGUMENTS_MAX] = {NULL};
    (void)arguments_of(s, arguments, ARRAY_LEN(arguments));
    if (s->sign_path && ipc_bind(s->sign_path, 0600, &comeback_fd) != OK)
        log_error("%s cannot be made: a later server does not find this aditd-sign", s->sign_path);
    enum err err = programs_spawn(s->setup.programs, PROGRAM_SIGN, s->loop, arguments, &comeback_fd,
                                  1, sign_exited, s, &s->sign, &ipc_fd);
    if (comeback_fd >= 0)
        close(comeback_fd);
    TRY(err);
    s->sign_ipc = ipc_new(s->loop, ipc_fd, sign_message, s);
    struct role_msg sandbox = {.kind = ROLE_MSG_SANDBOX};
    supervisor_role_sandbox(s, &sandbox);
    return signer_ask(s, &sandbox);
}

/* ---- one that was there before ---- */

/* FNV-1a: a name for what was seen, no secret and no proof. */
static void add_name(uint64_t *name, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *name = (*name ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
}

/* What tells one set of key files from another: reading them is not ours. */
static char *name_keys(const struct server_options *o)
{
    uint64_t name = 0xcbf29ce484222325u;
    const struct string_list *const lists[] = {&o->host_keys, &o->host_certificates};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        for (size_t i = 0; i < lists[l]->count; i++) {
            struct stat st = {.st_ino = 0};
            (void)stat(lists[l]->items[i], &st);
            add_name(&name, lists[l]->items[i], strlen(lists[l]->items[i]) + 1);
            add_name(&name, &st.st_dev, sizeof(st.st_dev));
            add_name(&name, &st.st_ino, sizeof(st.st_ino));
            add_name(&name, &st.st_mtim, sizeof(st.st_mtim));
        }
    }
    add_name(&name, o->host_key_agent, strlen(o->host_key_agent));
    return mem_printf("%016llx", (unsigned long long)name);
}

/* It is not the one that is wanted, or does not answer: a new one takes its place. */
static void replace(struct supervisor *s)
{
    if (s->sign_ipc)
        (void)!signer_ask(s, &(struct role_msg){.kind = ROLE_MSG_KILL});
    ipc_close(s->sign_ipc);
    s->sign_ipc = NULL;
    signer_forget_keys(s);
    if (spawn(s) == OK)
        return;
    log_fatal("aditd-sign cannot be started");
    supervisor_end(s, 1);
}

static void on_register(struct supervisor *s, const struct role_msg *m)
{
    bool is_wanted = m && s->sign_patience && slice_is(m->unit, s->sign_text);
    loop_timer_close(s->sign_patience);
    s->sign_patience = NULL;
    if (is_wanted)
        log_verbose("aditd-sign of the server before goes on");
    else if (!s->sign)
        replace(s);
}

static void patience_over(void *owner)
{
    on_register(owner, NULL);
}

enum err signer_start(struct supervisor *s)
{
    int fd;
    s->sign_path = s->comeback_path ? mem_printf("%s.sign", s->comeback_path) : NULL;
    s->sign_text = name_keys(&s->options);
    if (!s->sign_path || ipc_connect(s->sign_path, &fd) != OK)
        return spawn(s);
    s->sign_ipc = ipc_new(s->loop, fd, sign_message, s);
    s->sign_patience = loop_timer_new(s->loop, patience_over, s);
    loop_timer_start(s->sign_patience, PATIENCE_MS);
    return OK;
}

/* ---- the end ---- */

void signer_forget_keys(struct supervisor *s)
{
    for (size_t i = 0; i < s->host_key_count; i++) {
        buf_done(&s->host_keys[i].type);
        buf_done(&s->host_keys[i].blob);
    }
    s->host_key_count = 0;
}

/* While a worker lives it is kept for the next supervisor; else it ends with this one. */
void signer_end(struct supervisor *s, bool is_kept)
{
    if (!is_kept && s->sign_ipc) {
        (void)!signer_ask(s, &(struct role_msg){.kind = ROLE_MSG_KILL});
        if (s->sign_path)
            (void)unlink(s->sign_path);
    }
    ipc_close(s->sign_ipc);
    s->sign_ipc = NULL;
    signer_forget_keys(s);
}

void signer_free(struct supervisor *s)
{
    child_forget(s->sign);
    loop_timer_close(s->sign_patience);
    mem_free(s->sign_path);
    mem_free(s->sign_text);
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
