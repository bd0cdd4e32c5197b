/* HostCertificate, HostKeyAgent, and whether SHA-1 was asked for. */
#include "server/sign_options.h"

#include "base/match.h"

#define CERTIFICATES_MAX 32

size_t sign_options(const struct server_options *o, const char **arguments)
{
    size_t n = 0;
    const char *names = o->host_key_algorithms;
    if (names &&
        (match_list("ssh-rsa", names) == MATCH_YES || match_list("ssh-dss", names) == MATCH_YES))
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
