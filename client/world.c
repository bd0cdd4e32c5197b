/* Asking this machine. */
#include "client/world.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "client/expand_client.h"

#define EXIT_NO_SHELL 127 /* as a shell says that there is no such program */

/* ---- Match exec ---- */

static _Noreturn void become(const char *shell, const char *command)
{
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        _exit(EXIT_NO_SHELL);
    if (null > STDERR_FILENO)
        close(null);
    execl(shell, shell, "-c", command, (char *)NULL);
    _exit(EXIT_NO_SHELL);
}

static enum err run(void *arg, const char *command, bool *has_succeeded)
{
    int status;
    const char *shell = client_shell();
    (void)arg;
    log_debug("Executing command: '%s'", command);
    pid_t child = fork();
    if (child < 0)
        return ERR_IO;
    if (child == 0)
        become(shell, command);
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return ERR_IO;
    }
    *has_succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    log_debug3("command returned status %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return OK;
}

/* ---- Match localnetwork ---- */

static void add_address(const struct sockaddr *address, struct string_list *out)
{
    char text[NI_MAXHOST];
    socklen_t length =
        address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (getnameinfo(address, length, text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0)
        return;
    text[strcspn(text, "%")] = '\0';
    string_list_add(out, text);
}

static void addresses(void *arg, struct string_list *out)
{
    struct ifaddrs *all;
    (void)arg;
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        bool is_up = (at->ifa_flags & IFF_UP) != 0;
        if (is_up && at->ifa_addr &&
            (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6))
            add_address(at->ifa_addr, out);
    }
    freeifaddrs(all);
}

/* ---- names ---- */

static int family_of(enum address_family family)
{
    return family == FAMILY_INET ? AF_INET : family == FAMILY_INET6 ? AF_INET6 : AF_UNSPEC;
}

/* The address as the system writes it: 127.1 is 127.0.0.1. */
static char *numeric_text(const struct addrinfo *found)
{
    char text[NI_MAXHOST];
    if (getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
                    NI_NUMERICHOST) != 0)
        return NULL;
    return mem_strdup(text);
}

static char *canonical_text(const struct addrinfo *found)
{
    const char *name = found->ai_canonname;
    size_t length = name ? strlen(name) : 0;
    if (length > 1 && name[length - 1] == '.')
        length--;
    return length ? mem_strndup(name, length) : NULL;
}

static bool resolve(void *arg, const char *name, bool is_numeric, enum address_family family,
                    char **canonical)
{
    struct addrinfo *found;
    struct addrinfo hints = {
        .ai_family = is_numeric ? AF_UNSPEC : family_of(family),
        .ai_socktype = SOCK_STREAM,
        .ai_flags = is_numeric ? AI_NUMERICHOST : AI_CANONNAME,
    };
    (void)arg;
    *canonical = NULL;
    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return false;
    *canonical = is_numeric ? numeric_text(found) : canonical_text(found);
    freeaddrinfo(found);
    return !is_numeric || *canonical != NULL;
}

const struct client_world client_world = {.run = run, .addresses = addresses, .resolve = resolve};
