/* May a login's options listen on a port? */
#include "server/port_right.h"

#define PERMIT "permitlisten=\""

/* The next option: up to a comma outside quotes. False: none, or a quote that does not end. */
static bool next(struct slice *rest, struct slice *option, bool *is_broken)
{
    bool is_quoted = false;
    size_t n = 0;
    for (; n < rest->len; n++) {
        char c = (char)rest->ptr[n];
        if (c == '\\' && is_quoted)
            n++;
        else if (c == '"')
            is_quoted = !is_quoted;
        else if (c == ',' && !is_quoted)
            break;
    }
    *is_broken = is_quoted || n > rest->len;
    if (*is_broken || rest->len == 0)
        return false;
    *option = slice_of(rest->ptr, n);
    size_t step = MIN(n + 1, rest->len);
    *rest = slice_of(rest->ptr + step, rest->len - step);
    return true;
}

/* "443", "host:443", "*:443", "[::1]:*" -> is it this port? */
static bool names_port(struct slice text, uint16_t port)
{
    uint32_t number = 0;
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != ':')
        at--;
    if (text.len - at == 1 && text.ptr[at] == '*')
        return true;
    for (size_t i = at; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || number > UINT16_MAX)
            return false;
        number = number * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    return at < text.len && number == port;
}

static bool is_permit(struct slice option, struct slice *value)
{
    size_t head = strlen(PERMIT);
    if (option.len <= head || memcmp(option.ptr, PERMIT, head) != 0 ||
        option.ptr[option.len - 1] != '"')
        return false;
    *value = slice_of(option.ptr + head, option.len - head - 1);
    return true;
}

bool port_right_may_listen(struct slice options, uint16_t port)
{
    struct slice option, value;
    bool may = true, has_list = false, is_listed = false, is_broken = false;
    while (next(&options, &option, &is_broken)) {
        if (slice_is(option, "restrict") || slice_is(option, "no-port-forwarding"))
            may = false;
        else if (slice_is(option, "port-forwarding"))
            may = true;
        else if (is_permit(option, &value)) {
            has_list = true;
            is_listed = is_listed || names_port(value, port);
        }
    }
    return !is_broken && may && (!has_list || is_listed);
}
