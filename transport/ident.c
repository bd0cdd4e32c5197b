/*
 * The identification exchange (RFC 4253 4.2): lines, their limits, and what may come before the
 * server's. Knows nothing of packets.
 */
#include "base/log.h"
#include "transport/internal.h"
#include "wire/numbers.h"

static const char too_long[] = "identification line longer than 255 bytes (RFC 4253 4.2)";
static const char long_banner[] =
    "a line of more than 8192 bytes before the identification: no SSH server (RFC 4253 4.2)";
static const char much_banner[] =
    "more than 32 KiB before the identification: no SSH server (RFC 4253 4.2)";
static const char not_ssh[] = "the peer does not speak SSH: no identification line (RFC 4253 4.2)";
static const char bad_version[] = "the peer speaks an SSH protocol other than 2.0";
static const char bad_bytes[] = "control bytes in the identification line (RFC 4253 4.2)";

/* To the peer that sent no identification; OpenSSH's words, scripts and its tests look for them. */
static void refuse_in_clear(struct transport *t)
{
    if (t->config.role == TRANSPORT_SERVER) {
        enum err err =
            buf_append_slice(&t->out, slice_text("Invalid SSH identification string.\r\n"));
        CHECK(err == OK);
    }
}

static enum err fail(struct transport *t, enum err code, const char *text)
{
    refuse_in_clear(t);
    transport_fail(t, code, SSH_DISCONNECT_NONE, text);
    return code;
}

static const char *over_long(const struct transport *t)
{
    return t->config.role == TRANSPORT_CLIENT ? long_banner : too_long;
}

static bool has_control_bytes(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] < 0x20 || line.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

static bool starts_with(struct slice line, const char *text)
{
    size_t n = strlen(text);
    return line.len >= n && memcmp(line.ptr, text, n) == 0;
}

static enum err take_ident(struct transport *t, struct slice line)
{
    if (line.len + 2 > IDENT_LINE_MAX)
        return fail(t, ERR_LIMIT, too_long);
    if (has_control_bytes(line))
        return fail(t, ERR_FORMAT, bad_bytes);
    bool is_199 = t->config.role == TRANSPORT_CLIENT && starts_with(line, "SSH-1.99-");
    if (!starts_with(line, "SSH-2.0-") && !is_199)
        return fail(t, ERR_UNSUPPORTED, bad_version);
    memcpy(t->peer_ident, line.ptr, line.len);
    t->peer_ident[line.len] = '\0';
    t->ident = IDENT_DONE;
    return OK;
}

enum err ident_parse(struct transport *t, struct transport_event *event)
{
    struct slice in = buf_slice(&t->in);
    const uint8_t *newline = in.len ? memchr(in.ptr, '\n', in.len) : NULL;
    size_t line_max = t->config.role == TRANSPORT_CLIENT ? BANNER_LINE_MAX : IDENT_LINE_MAX;
    if (!newline) {
        /* A server's peer must begin with its identification: no need to wait for the line's end.
         */
        size_t seen = MIN(in.len, 4);
        if (t->config.role == TRANSPORT_SERVER && seen && memcmp(in.ptr, "SSH-", seen) != 0)
            return fail(t, ERR_FORMAT, not_ssh);
        return in.len > line_max ? fail(t, ERR_LIMIT, over_long(t)) : ERR_AGAIN;
    }
    size_t whole = (size_t)(newline - in.ptr) + 1;
    struct slice line = {in.ptr, whole - 1};
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (whole > line_max)
        return fail(t, ERR_LIMIT, over_long(t));
    if (starts_with(line, "SSH-")) {
        TRY(take_ident(t, line));
        buf_consume(&t->in, whole);
        event->kind = TRANSPORT_IDENT;
        event->text = slice_text(t->peer_ident);
        return OK;
    }
    if (t->config.role == TRANSPORT_SERVER || ++t->banner_lines > BANNER_LINES_MAX)
        return fail(t, ERR_FORMAT, not_ssh);
    t->banner_bytes += whole;
    if (t->banner_bytes > BANNER_BYTES_MAX)
        return fail(t, ERR_LIMIT, much_banner);
    buf_consume(&t->in, whole);
    event->kind = TRANSPORT_BANNER;
    event->text = line; /* still in t->in's memory: nothing is appended before transport_next */
    return OK;
}
