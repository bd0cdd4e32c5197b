/* What the exec'd roles have in common. */
#include "server/role.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "io/ipc_blocking.h"

/* "10": RFC 5424 6.2.1; AUTH if it is none. */
static int facility_of(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    int value = digits == 1   ? text[0] - '0'
                : digits == 2 ? (text[0] - '0') * 10 + text[1] - '0'
                              : 4;
    return text[digits] == '\0' && value < 24 ? value : 4;
}

int role_start_unlimited(int argc, char **argv, const char *program)
{
    enum log_level level = LOG_INFO;
    int i = 1;
    int facility = -1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-S") == 0 && i + 1 < argc)
            facility = facility_of(argv[++i]);
        else if (strcmp(argv[i], "-J") == 0)
            role_log_set_json(true);
        else if (strcmp(argv[i], "-l") == 0 && i + 1 < argc &&
                 log_level_parse(argv[i + 1], &level) == OK)
            i++;
        else
            break;
    }
    log_set_level(level);
    if (facility < 0 || !role_log_to_system(program, facility))
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
