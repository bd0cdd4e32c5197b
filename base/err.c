/* Names of the error codes. */
#include "base/err.h"

static const char *const names[] = {
    [OK] = "ok",
    [ERR_AGAIN] = "again",
    [ERR_TRUNCATED] = "truncated",
    [ERR_FORMAT] = "format",
    [ERR_LIMIT] = "limit",
    [ERR_PROTOCOL] = "protocol",
    [ERR_CRYPTO] = "crypto",
    [ERR_NO_COMMON] = "no-common",
    [ERR_DENIED] = "denied",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_IO] = "io",
    [ERR_EOF] = "eof",
    [ERR_TIMEOUT] = "timeout",
    [ERR_CANCELLED] = "cancelled",
    [ERR_CONFIG] = "config",
    [ERR_EXISTS] = "exists",
    [ERR_NOT_FOUND] = "not-found",
    [ERR_BUG] = "bug",
};

const char *err_name(enum err code)
{
    if ((size_t)code >= ARRAY_LEN(names))
        return "unknown";
    return names[code];
}
