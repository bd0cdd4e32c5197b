/* A certificate's options as key options. */
#include "auth/cert_options.h"

#include "base/match.h"

const char *const cert_options_known[] = {"force-command", "source-address", "verify-required",
                                          NULL};

static enum err no(const char **why, const char *text)
{
    *why = text;
    return ERR_FORMAT;
}

static void read_extensions(struct slice list, struct key_options *o)
{
    struct slice none;
    o->may_forward_ports = cert_has_option(list, "permit-port-forwarding", &none);
    o->may_forward_agent = cert_has_option(list, "permit-agent-forwarding", &none);
    o->may_forward_x11 = cert_has_option(list, "permit-X11-forwarding", &none);
    o->may_use_pty = cert_has_option(list, "permit-pty", &none);
    o->may_use_rc = cert_has_option(list, "permit-user-rc", &none);
    o->needs_no_touch = cert_has_option(list, "no-touch-required", &none);
}

/* Networks only: no pattern over the text, no negation (PROTOCOL.certkeys). */
static bool is_network_list(const char *list)
{
    enum match ignored;
    return strspn(list, "0123456789abcdefABCDEF.:/,%") == strlen(list) &&
           match_address_list(NULL, list, &ignored) == OK;
}

static enum err read_critical(struct slice list, struct key_options *o, const char **why)
{
    struct slice value;
    if (cert_has_option(list, "force-command", &value)) {
        if (value.len == 0)
            return no(why, "the certificate's force-command is empty");
        o->command = slice_strdup(value);
    }
    if (cert_has_option(list, "source-address", &value)) {
        o->from = slice_strdup(value);
        if (value.len == 0 || !is_network_list(o->from))
            return no(why, "the certificate's source-address is no list of networks");
    }
    if (cert_has_option(list, "verify-required", &value)) {
        if (value.len)
            return no(why, "the certificate's verify-required has a value");
        o->needs_verification = true;
    }
    return OK;
}

enum err cert_options_read(const struct cert_info *info, struct key_options *o, const char **why)
{
    *o = (struct key_options){.may_forward_ports = false};
    *why = "";
    enum err err = read_critical(info->critical, o, why);
    if (err == OK)
        read_extensions(info->extensions, o);
    else
        key_options_done(o);
    return err;
}
