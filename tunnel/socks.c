/* SOCKS requests. */
#include "tunnel/socks.h"

#include <arpa/inet.h>
#include <stdio.h>

#define SOCKS5_HEAD     4 /* version, command, reserved, address type */
#define COMMAND_CONNECT 1

enum { ADDRESS_IPV4 = 1, ADDRESS_NAME = 3, ADDRESS_IPV6 = 4 };
enum {
    REPLY5_FAILED = 1,
    REPLY5_NOT_ALLOWED = 2,
    REPLY5_REFUSED = 5,
    REPLY5_COMMAND = 7,
    REPLY5_ADDRESS = 8
};
enum { REPLY4_GRANTED = 90, REPLY4_REFUSED = 91 };

void socks_init(struct socks *s)
{
    *s = (struct socks){.want = 1};
}

static enum socks_step more(struct socks *s, size_t total)
{
    if (total > SOCKS_MAX) {
        s->fault = "SOCKS request too long";
        return SOCKS_BAD;
    }
    s->want = total - s->have;
    return SOCKS_MORE;
}

static enum socks_step bad(struct socks *s, const char *fault)
{
    s->fault = fault;
    return SOCKS_BAD;
}

static void reply4(struct socks *s, uint8_t code)
{
    memset(s->reply, 0, 8);
    s->reply[1] = code;
    s->reply_len = 8;
}

static void reply5(struct socks *s, uint8_t code)
{
    /* Bound address: 0.0.0.0:0, which we do not know: it is the server's side. */
    memset(s->reply, 0, 10);
    s->reply[0] = 5;
    s->reply[1] = code;
    s->reply[3] = ADDRESS_IPV4;
    s->reply_len = 10;
}

/* A name that goes to a resolver: printable, no blanks. */
static bool take_name(struct socks *s, const uint8_t *name, size_t length)
{
    if (length == 0 || length >= sizeof(s->host))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] <= 0x20 || name[i] >= 0x7f)
            return false;
    }
    memcpy(s->host, name, length);
    s->host[length] = '\0';
    return true;
}

/* SOCKS 4: 4, command, port, address, user id, NUL; 4a: address 0.0.0.x, then name, NUL. */
static enum socks_step step4(struct socks *s)
{
    if (s->have < 9)
        return more(s, 9);
    const uint8_t *user = s->in + 8;
    const uint8_t *user_end = memchr(user, 0, s->have - 8);
    if (!user_end)
        return more(s, s->have + 1);
    s->port = (uint16_t)(s->in[2] << 8 | s->in[3]);
    const uint8_t *address = s->in + 4;
    if (address[0] == 0 && address[1] == 0 && address[2] == 0 && address[3] != 0) {
        const uint8_t *name = user_end + 1;
        size_t length = s->have - (size_t)(name - s->in);
        const uint8_t *name_end = length ? memchr(name, 0, length) : NULL;
        if (!name_end)
            return more(s, s->have + 1);
        if (!take_name(s, name, (size_t)(name_end - name)))
            return bad(s, "SOCKS 4a: a name that cannot be one");
    } else {
        inet_ntop(AF_INET, address, s->host, sizeof(s->host));
    }
    if (s->in[1] != COMMAND_CONNECT) {
        reply4(s, REPLY4_REFUSED);
        return bad(s, "SOCKS 4: only CONNECT is built");
    }
    return SOCKS_REQUEST;
}

static enum socks_step greet5(struct socks *s)
{
    if (s->have < 2)
        return more(s, 2);
    size_t methods = s->in[1];
    if (s->have < 2 + methods)
        return more(s, 2 + methods);
    bool takes_none = methods && memchr(s->in + 2, 0, methods) != NULL;
    s->reply[0] = 5;
    s->reply[1] = takes_none ? 0 : 0xff;
    s->reply_len = 2;
    if (!takes_none)
        return bad(s, "SOCKS 5: the client insists on authentication");
    s->greeted = true;
    s->have = 0;
    s->want = SOCKS5_HEAD;
    return SOCKS_SAY;
}

static enum socks_step address5(struct socks *s, size_t address_at, size_t length)
{
    size_t total = address_at + length + 2;
    if (s->have < total)
        return more(s, total);
    const uint8_t *address = s->in + address_at;
    const uint8_t *port = address + length;
    s->port = (uint16_t)(port[0] << 8 | port[1]);
    if (s->in[3] == ADDRESS_IPV4)
        inet_ntop(AF_INET, address, s->host, sizeof(s->host));
    else if (s->in[3] == ADDRESS_IPV6)
        inet_ntop(AF_INET6, address, s->host, sizeof(s->host));
    else if (!take_name(s, address, length))
        return bad(s, "SOCKS 5: a name that cannot be one");
    return SOCKS_REQUEST;
}

static enum socks_step request5(struct socks *s)
{
    if (s->have < SOCKS5_HEAD)
        return more(s, SOCKS5_HEAD);
    if (s->in[0] != 5)
        return bad(s, "SOCKS 5: malformed request");
    if (s->in[1] != COMMAND_CONNECT) {
        reply5(s, REPLY5_COMMAND);
        return bad(s, "SOCKS 5: only CONNECT is built");
    }
    switch (s->in[3]) {
    case ADDRESS_IPV4:
        return address5(s, SOCKS5_HEAD, 4);
    case ADDRESS_IPV6:
        return address5(s, SOCKS5_HEAD, 16);
    case ADDRESS_NAME:
        if (s->have < SOCKS5_HEAD + 1)
            return more(s, SOCKS5_HEAD + 1);
        return address5(s, SOCKS5_HEAD + 1, s->in[SOCKS5_HEAD]);
    default:
        reply5(s, REPLY5_ADDRESS);
        return bad(s, "SOCKS 5: unknown address type");
    }
}

enum socks_step socks_feed(struct socks *s, size_t n)
{
    CHECK(n <= s->want);
    s->have += n;
    s->reply_len = 0;
    if (s->have == 0)
        return more(s, 1);
    if (s->version == 0)
        s->version = s->in[0];
    if (s->version == 4)
        return step4(s);
    if (s->version == 5)
        return s->greeted ? request5(s) : greet5(s);
    return bad(s, "not SOCKS: the first byte is neither 4 nor 5");
}

void socks_result(struct socks *s, enum socks_outcome outcome)
{
    static const uint8_t codes[] = {
        [SOCKS_CONNECTED] = 0,
        [SOCKS_NOT_ALLOWED] = REPLY5_NOT_ALLOWED,
        [SOCKS_REFUSED] = REPLY5_REFUSED,
        [SOCKS_FAILED] = REPLY5_FAILED,
    };
    if (s->version == 4)
        reply4(s, outcome == SOCKS_CONNECTED ? REPLY4_GRANTED : REPLY4_REFUSED);
    else
        reply5(s, codes[outcome]);
}
