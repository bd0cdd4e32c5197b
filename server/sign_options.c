/* HostCertificate, HostKeyAgent, and whether SHA-1 was asked for. */
#include "server/sign_options.h"

#include "base/match.h"

#define CERTIFICATES_MAX 32

size_t sign_options(const struct server_options *o, const char **arguments)
{
    size_t n = 0;
    static const char *const by_sha1[] = {"ssh-rsa", "ssh-dss", "ssh-rsa-cert-v01@openssh.com",
                                          "ssh-dss-cert-v01@openssh.com"};
    bool is_wanted = false;
    for (size_t i = 0; o->host_key_algorithms && i < ARRAY_LEN(by_sha1); i++)
        is_wanted = is_wanted || match_list(by_sha1[i], o->host_key_algorithms) == MATCH_YES;
    if (is_wanted)
        arguments[n++] = "-1";
    if (o->host_key_agent && strcmp(o->host_key_agent, "none") != 0) {
        arguments[n++] = "-a";
        arguments[n++] = o->host_key_agent;
    }
    for (size_t i = 0; i < o->host_certificates.count && i < CERTIFICATES_MAX; i++) {
        arguments[n++] = "-c";
        arguments[n++] = o->host_certificates.items[i];
    }
    CHECK(n <= SIGN_OPTIONS_MAX);
    return n;
}
