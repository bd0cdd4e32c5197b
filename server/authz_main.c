/* aditd-authz: a zygote whose children answer one login attempt each. */
#include "server/authz.h"
#include "server/role.h"
#include "server/zygote.h"

static int run_child(void *owner, int fd)
{
    role_log_set_name("aditd-authz");
    enum err err = authz_run(fd, owner);
    if (err != OK && err != ERR_EOF)
        log_error("a login question could not be answered: %s", err_name(err));
    return err == OK || err == ERR_EOF ? 0 : 1;
}

int main(int argc, char **argv)
{
    (void)role_start(argc, argv, "aditd-authz");
    struct crypto *crypto = crypto_new();
    if (!crypto) {
        log_fatal("libcrypto lacks an algorithm that is needed");
        return 1;
    }
    int status = zygote_serve(run_child, crypto);
    crypto_free(crypto);
    return status;
}
