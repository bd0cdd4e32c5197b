/* Who and where we are. */
#include "client/expand_client.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/digest.h"

#define HOST_NAME_ROOM 1025 /* NI_MAXHOST of netdb.h */

struct kept_facts {
    struct client_facts facts; /* first */
    char *user, *home;
    char uid[16];
    char host[HOST_NAME_ROOM];
};

/* libcrypto is woken only for who uses %C. */
static char *sha1_hex(void *arg, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[DIGEST_MAX];
    (void)arg;
    struct crypto *crypto = crypto_new();
    if (!crypto)
        return NULL;
    digest(crypto, DIGEST_SHA1, slice_text(text), hash);
    crypto_free(crypto);
    size_t length = digest_len(DIGEST_SHA1);
    char *out = mem_new(2 * length + 1, 1);
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    return out;
}

static const char *home_of(void *arg, const char *user)
{
    (void)arg;
    struct passwd *pw = getpwnam(user);
    return pw ? pw->pw_dir : NULL;
}

static const char *variable(void *arg, const char *name)
{
    (void)arg;
    return getenv(name);
}

struct client_facts *client_facts_new(const char *local_user, const char *home)
{
    struct kept_facts *k = mem_new(1, sizeof(*k));
    k->user = mem_strdup(local_user);
    k->home = home ? mem_strdup(home) : NULL;
    snprintf(k->uid, sizeof(k->uid), "%u", (unsigned)getuid());
    bool has_host = gethostname(k->host, sizeof(k->host) - 1) == 0;
    k->facts = (struct client_facts){.arg = k,
                                     .local_user = k->user,
                                     .home = k->home,
                                     .uid = k->uid,
                                     .local_host = has_host ? k->host : NULL,
                                     .sha1_hex = sha1_hex,
                                     .user_home = home_of,
                                     .environment = variable};
    return &k->facts;
}

void client_facts_free(struct client_facts *facts)
{
    struct kept_facts *k = facts ? facts->arg : NULL;
    if (!k)
        return;
    mem_free(k->user);
    mem_free(k->home);
    mem_free(k);
}

char *expand_client(const struct client_facts *facts, const struct client_options *o,
                    const char *keyword, enum client_expand kind, const char *text,
                    const struct expand_token *more, size_t more_count)
{
    struct expand_fault fault;
    char *out = NULL;
    if (client_token_expand(o, facts, kind, more, more_count, text, &out, &fault) == OK)
        return out;
    log_error("%s: %s", keyword, fault.text);
    return NULL;
}

const char *client_shell(void)
{
    const char *shell = getenv("SHELL");
    if (shell && *shell)
        return shell;
    const struct passwd *pw = getpwuid(getuid());
    return pw && pw->pw_shell && *pw->pw_shell ? pw->pw_shell : "/bin/sh";
}
