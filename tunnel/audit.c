/* Forwards as lines of the log. */
#include "tunnel/audit.h"

static const char *const results[] = {
    [AUDIT_OPEN] = "open",
    [AUDIT_CLOSED] = "closed",
    [AUDIT_REFUSED] = "refused",
    [AUDIT_FAILED] = "failed",
};

/* Whether the line may be said; *missed is how many of its sort were not. */
static bool take(struct audit *a, const struct audit_forward *f, uint64_t now_ms, uint64_t *missed)
{
    bool is_bad = f->result == AUDIT_REFUSED || f->result == AUDIT_FAILED;
    *missed = 0;
    if (is_bad)
        return log_limit_take(&a->refused, now_ms, AUDIT_REFUSED_PER_S, missed);
    if (strncmp(f->kind, "local", 5) == 0)
        return log_limit_take(f->result == AUDIT_CLOSED ? &a->ended : &a->opened, now_ms,
                              AUDIT_OPENED_PER_S, missed);
    return true;
}

/* use: NULL where it has not ended. */
static void say(struct audit *a, const struct audit_forward *f, const struct audit_use *use,
                uint64_t now_ms)
{
    uint64_t missed;
    if (!log_would(LOG_INFO) || !take(a, f, now_ms, &missed))
        return;
    struct log_field fields[14];
    size_t n = 0;
    fields[n++] = log_text("kind", f->kind);
    fields[n++] = log_text("user", a->who.user);
    fields[n++] = log_text("key", a->who.key);
    fields[n++] = log_text("from", a->who.address);
    if (a->who.port)
        fields[n++] = log_number("from_port", a->who.port);
    fields[n++] = log_bytes("target", f->target);
    if (f->port)
        fields[n++] = log_number("port", f->port);
    fields[n++] = log_text("result", results[f->result]);
    fields[n++] = log_text("reason", f->reason);
    if (use) {
        fields[n++] = log_number("bytes_in", use->bytes_in);
        fields[n++] = log_number("bytes_out", use->bytes_out);
        fields[n++] = log_number("connections", use->connections);
        fields[n++] = log_number("duration_ms", use->duration_ms);
    }
    if (missed)
        fields[n++] = log_number("missed", missed);
    CHECK(n <= ARRAY_LEN(fields));
    log_event(LOG_INFO, "forward", NULL, fields, n);
}

void audit_forward(struct audit *a, const struct audit_forward *f, uint64_t now_ms)
{
    say(a, f, NULL, now_ms);
}

void audit_forward_end(struct audit *a, const struct audit_forward *f, const struct audit_use *use,
                       uint64_t now_ms)
{
    CHECK(f->result == AUDIT_CLOSED);
    say(a, f, use, now_ms);
}
