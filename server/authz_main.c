/* aditd-authz: a zygote whose children answer one login attempt each. */
#include "server/account.h"
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

/* The libraries of name services are loaded once, here, and not by every child. */
static void warm_name_services(void)
{
    struct account nobody;
    account_find("nobody", &nobody);
    account_find_groups(&nobody);
    account_done(&nobody);
}

int main(int argc, char **argv)
{
    (void)role_start(argc, argv, "aditd-authz");
    struct crypto *crypto = crypto_new_beside_others();
    if (!crypto) {
        log_fatal("libcrypto lacks an algorithm that is needed");
        return 1;
    }
    warm_name_services();
    int status = zygote_serve(run_child, crypto);
    crypto_free(crypto);
    return status;
}
