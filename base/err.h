/*
 * One vocabulary of failures for the whole house. OK is 0; a function that returns enum err must
 * have its answer looked at.
 */
#ifndef ADIT_BASE_ERR_H
#define ADIT_BASE_ERR_H

#include "base/base.h"

enum err {
    OK = 0,
    ERR_AGAIN,       /* not now: come back when there are more bytes, room or keys */
    ERR_TRUNCATED,   /* the message ends before its fields do */
    ERR_FORMAT,      /* bytes or text that no rule of the format allows */
    ERR_LIMIT,       /* well formed, but beyond a stated cap */
    ERR_PROTOCOL,    /* a message that may not come now, or from this side */
    ERR_CRYPTO,      /* a signature, tag or key that does not hold, or libcrypto failed */
    ERR_NO_COMMON,   /* no algorithm both sides accept */
    ERR_DENIED,      /* policy or authentication says no */
    ERR_UNSUPPORTED, /* known, but not built */
    ERR_IO,          /* the operating system failed; errno said why */
    ERR_EOF,         /* the other side has ended */
    ERR_TIMEOUT,     /* a deadline passed */
    ERR_CANCELLED,   /* the owner took it back */
    ERR_CONFIG,      /* configuration or command line */
    ERR_EXISTS,      /* already there, or already taken */
    ERR_NOT_FOUND,   /* looked for and not there */
    ERR_BUG,         /* ours */
};

/* "format", "limit", ...: for logs; never NULL. */
const char *err_name(enum err code);

/* The one macro with flow in it: leaves the function with the error, if there is one. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        enum err try_err_ = (expression);                                                          \
        if (try_err_ != OK)                                                                        \
            return try_err_;                                                                       \
    } while (0)

/*
 * Why something ended, told once: the code, a constant sentence for a person (RFC section
 * included where one was broken), and the RFC 4253 11.1 reason for DISCONNECT (0: none is sent).
 */
struct fault {
    enum err code;
    uint32_t disconnect_reason;
    const char *text;
};

#endif
