/* Fuzz entry: a certificate's blob; what is one is walked to its ends and asked everything. */
#include "crypto/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crypto *c;
    struct cert *k = NULL;
    struct pubkey *pubkey = NULL;
    if (!c && !(c = crypto_new()))
        return 0;
    if (cert_parse(&k, c, slice_of(data, size)) == OK) {
        const struct cert_info *info = cert_info(k);
        const struct cert_wish wish = {.kind = info->kind, .principal = "alice", .now_s = 1};
        struct slice list = info->principals, name, value;
        const char *why;
        while (cert_next_principal(&list, &name))
            ;
        (void)cert_has_option(info->critical, "force-command", &value);
        (void)cert_has_option(info->extensions, "no-such", &value);
        (void)!cert_check(k, &wish, &why);
        cert_free(k);
    }
    /* The same bytes as a plain key: security keys have one field more. */
    if (pubkey_parse(&pubkey, c, slice_of(data, size)) == OK)
        pubkey_free(pubkey);
    return 0;
}
