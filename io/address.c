/* Numeric socket addresses. */
#include "io/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sockaddr_in *as_v4(struct sockaddr_storage *sa)
{
    return (struct sockaddr_in *)(void *)sa;
}

static struct sockaddr_in6 *as_v6(struct sockaddr_storage *sa)
{
    return (struct sockaddr_in6 *)(void *)sa;
}

/* An interface's name or its number. */
static enum err parse_scope(const char *text, uint32_t *scope)
{
    *scope = if_nametoindex(text);
    if (*scope)
        return OK;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || *scope > UINT32_MAX / 10 - 1)
            return ERR_FORMAT;
        *scope = *scope * 10 + (uint32_t)(*p - '0');
    }
    return *scope ? OK : ERR_FORMAT;
}

enum err address_parse(const char *text, struct sockaddr_storage *out, socklen_t *len)
{
    char copy[ADDRESS_TEXT_MAX];
    size_t length = strlen(text);
    bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    if (bracketed) {
        text++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof(copy))
        return ERR_FORMAT;
    memcpy(copy, text, length);
    copy[length] = '\0';
    memset(out, 0, sizeof(*out));
    if (!bracketed && inet_pton(AF_INET, copy, &as_v4(out)->sin_addr) == 1) {
        out->ss_family = AF_INET;
        *len = sizeof(struct sockaddr_in);
        return OK;
    }
    char *scope = strchr(copy, '%');
    if (scope) {
        *scope = '\0';
        TRY(parse_scope(scope + 1, &as_v6(out)->sin6_scope_id));
    }
    if (inet_pton(AF_INET6, copy, &as_v6(out)->sin6_addr) != 1)
        return ERR_FORMAT;
    out->ss_family = AF_INET6;
    *len = sizeof(struct sockaddr_in6);
    return OK;
}

void address_text(const struct sockaddr_storage *sa, char text[ADDRESS_TEXT_MAX])
{
    struct sockaddr_storage copy = *sa;
    char name[IF_NAMESIZE];
    text[0] = '\0';
    if (copy.ss_family == AF_INET)
        inet_ntop(AF_INET, &as_v4(&copy)->sin_addr, text, ADDRESS_TEXT_MAX);
    if (copy.ss_family != AF_INET6)
        return;
    const struct sockaddr_in6 *v6 = as_v6(&copy);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, ADDRESS_TEXT_MAX);
        return;
    }
    inet_ntop(AF_INET6, &v6->sin6_addr, text, ADDRESS_TEXT_MAX);
    size_t used = strlen(text);
    if (v6->sin6_scope_id && if_indextoname(v6->sin6_scope_id, name))
        snprintf(text + used, ADDRESS_TEXT_MAX - used, "%%%s", name);
    else if (v6->sin6_scope_id)
        snprintf(text + used, ADDRESS_TEXT_MAX - used, "%%%u", (unsigned)v6->sin6_scope_id);
}

uint16_t address_port(const struct sockaddr_storage *sa)
{
    struct sockaddr_storage copy = *sa;
    if (copy.ss_family == AF_INET)
        return ntohs(as_v4(&copy)->sin_port);
    if (copy.ss_family == AF_INET6)
        return ntohs(as_v6(&copy)->sin6_port);
    return 0;
}

void address_set_port(struct sockaddr_storage *sa, uint16_t port)
{
    if (sa->ss_family == AF_INET)
        as_v4(sa)->sin_port = htons(port);
    if (sa->ss_family == AF_INET6)
        as_v6(sa)->sin6_port = htons(port);
}
