/* Binding and saying so. */
#include "tunnel/bind.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "io/address.h"

#define ADDRESSES_MAX 8

static bool add(struct socket_address *list, size_t *count, int family, const char *v4,
                const char *v6)
{
    if (family != AF_INET6 && socket_address_parse(v4, &list[*count]) == OK)
        (*count)++;
    if (family != AF_INET && socket_address_parse(v6, &list[*count]) == OK)
        (*count)++;
    return *count > 0;
}

enum err bind_listen(struct listener **out, struct loop *l, const struct policy_listen *what,
                     int family, uint16_t port, listener_accepted *accepted, void *owner,
                     int *error_number)
{
    struct socket_address list[ADDRESSES_MAX];
    size_t count = 0;
    *error_number = 0;
    switch (what->bind) {
    case POLICY_BIND_LOOPBACK:
        add(list, &count, family, "127.0.0.1", "::1");
        break;
    case POLICY_BIND_WILDCARD:
        add(list, &count, family, "0.0.0.0", "::");
        break;
    case POLICY_BIND_ADDRESS:
        if (socket_address_parse(what->address, &list[0]) == OK)
            count = 1;
        else if (socket_address_resolve(what->address, family, list, ADDRESSES_MAX, &count) != OK)
            count = 0;
        break;
    }
    if (count == 0) {
        *error_number = EADDRNOTAVAIL;
        return ERR_NOT_FOUND;
    }
    return listener_new_tcp(out, l, list, count, port, accepted, owner, error_number);
}

static bool is_loopback_text(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

bool bind_is_loopback(const struct listener *li)
{
    for (size_t i = 0; i < listener_count(li); i++) {
        if (!is_loopback_text(listener_address(li, i)))
            return false;
    }
    return true;
}

/* In whatever way an address is written. */
static bool is_address(const char *bound, const char *asked)
{
    struct socket_address to;
    char text[ADDRESS_TEXT_MAX];
    if (socket_address_parse(asked, &to) != OK)
        return false;
    address_text(&to.sa, text);
    return strcmp(bound, text) == 0;
}

bool bind_is_within(const struct listener *li, const struct policy_listen *what)
{
    switch (what->bind) {
    case POLICY_BIND_WILDCARD:
        return true;
    case POLICY_BIND_LOOPBACK:
        return bind_is_loopback(li);
    case POLICY_BIND_ADDRESS:
        break;
    }
    return listener_count(li) == 1 && is_address(listener_address(li, 0), what->address);
}

static bool is_wildcard_text(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

void bind_describe(const struct listener *li, const char *machine, struct buf *out)
{
    char text[128];
    bool wildcard = false;
    size_t count = listener_count(li);
    for (size_t i = 0; i < count; i++) {
        const char *address = listener_address(li, i);
        bool v6 = strchr(address, ':') != NULL;
        const char *joint = i == 0 ? "" : i + 1 == count ? " and " : ", ";
        wildcard |= is_wildcard_text(address);
        snprintf(text, sizeof(text), v6 ? "%s[%s]:%u" : "%s%s:%u", joint, address,
                 listener_port(li));
        if (buf_append_slice(out, slice_text(text)) != OK)
            return;
    }
    bool loopback = bind_is_loopback(li);
    snprintf(text, sizeof(text), "%s%s%s",
             loopback   ? ", "
             : wildcard ? ", anyone who reaches "
                        : ", anyone who reaches that address of ",
             machine, loopback ? " only" : "");
    if (buf_append_slice(out, slice_text(text)) != OK)
        return;
}
