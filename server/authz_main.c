/* aditd-authz: answers one login attempt over descriptor 3. */
#include "server/authz.h"
#include "server/role.h"

int main(int argc, char **argv)
{
    (void)role_start(argc, argv, "aditd-authz");
    struct crypto *crypto = crypto_new();
    if (!crypto) {
        log_fatal("libcrypto lacks an algorithm that is needed");
        return 1;
    }
    enum err err = authz_run_single(ROLE_IPC_FD, ROLE_CONFIG_FD, crypto);
    if (err != OK && err != ERR_EOF)
        log_error("a login question could not be answered: %s", err_name(err));
    crypto_free(crypto);
    return err == OK ? 0 : 1;
}
