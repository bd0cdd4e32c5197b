/* What the exec'd roles have in common. */
#include "server/role.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "io/ipc_blocking.h"

int role_start_unlimited(int argc, char **argv, const char *program)
{
    enum log_level level = LOG_INFO;
    int i = 1;
    bool to_system = false;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-S") == 0)
            to_system = true;
        else if (strcmp(argv[i], "-J") == 0)
            role_log_set_json(true);
        else if (strcmp(argv[i], "-l") == 0 && i + 1 < argc &&
                 log_level_parse(argv[i + 1], &level) == OK)
            i++;
        else
            break;
    }
    log_set_level(level);
    if (!to_system || !role_log_to_system(program))
        role_log_set_name(program);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)prctl(PR_SET_NAME, program); /* run by descriptor, it would be called by a number */
    return i;
}

int role_start(int argc, char **argv, const char *program)
{
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    return role_start_unlimited(argc, argv, program);
}

enum err role_send(int fd, const struct role_msg *m)
{
    struct buf bytes;
    buf_init(&bytes, ROLE_MSG_MAX);
    enum err err = role_msg_encode(m, &bytes);
    if (err == OK)
        err = ipc_send_blocking(fd, buf_slice(&bytes), NULL, 0);
    buf_done(&bytes);
    return err;
}
