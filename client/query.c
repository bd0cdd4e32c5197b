/* Only what works is listed; legacy names too, which work for who spells them. */
#include "client/query.h"

#include <string.h>
#include <strings.h>

#include "base/algo_names.h"
#include "base/match.h"

/* Some questions are about a part of a table; NULL: all of it. Pattern lists of base/match.h. */
struct question {
    const char *name;
    enum algo_kind kind;
    const char *part;
};

#define CERTIFICATES "*-cert-v0?@openssh.com"
#define KEYS         "ssh-*,ecdsa-*,sk-*"

static const struct question questions[] = {
    {"cipher", ALGO_NAMES_CIPHER, NULL},
    {"cipher-auth", ALGO_NAMES_CIPHER, "*-gcm@openssh.com,chacha20-poly1305@openssh.com"},
    {"compression", ALGO_NAMES_COMPRESSION, NULL},
    {"kex", ALGO_NAMES_KEX, NULL},
    {"key", ALGO_NAMES_HOST_KEY, KEYS},
    {"key-cert", ALGO_NAMES_HOST_KEY,
     "ssh-" CERTIFICATES ",ecdsa-" CERTIFICATES ",sk-" CERTIFICATES},
    /* What a file may hold: keys of security devices are used through an agent. */
    {"key-plain", ALGO_NAMES_HOST_KEY, "!*-cert-*,!ssh-dss,ssh-*,ecdsa-*"},
    {"key-sig", ALGO_NAMES_HOST_KEY, NULL},
    {"mac", ALGO_NAMES_MAC, NULL},
    {"protocol-version", ALGO_NAMES_KEX, ""},
    {"sig", ALGO_NAMES_HOST_KEY, "!*-cert-*,*"},
};

/* Options that take such a list (ssh(1), -Q). */
static const struct question options[] = {
    {"Ciphers", ALGO_NAMES_CIPHER, NULL},
    {"MACs", ALGO_NAMES_MAC, NULL},
    {"KexAlgorithms", ALGO_NAMES_KEX, NULL},
    {"HostKeyAlgorithms", ALGO_NAMES_HOST_KEY, NULL},
    {"PubkeyAcceptedAlgorithms", ALGO_NAMES_HOST_KEY, NULL},
    {"PubkeyAcceptedKeyTypes", ALGO_NAMES_HOST_KEY, NULL},
    {"HostbasedAcceptedAlgorithms", ALGO_NAMES_HOST_KEY, NULL},
    {"HostbasedAcceptedKeyTypes", ALGO_NAMES_HOST_KEY, NULL},
    {"HostbasedKeyTypes", ALGO_NAMES_HOST_KEY, NULL},
    {"CASignatureAlgorithms", ALGO_NAMES_HOST_KEY, "!*-cert-*,*"},
};

static enum err add(struct buf *out, const char *line)
{
    TRY(buf_append(out, line, strlen(line)));
    return buf_append(out, "\n", 1);
}

static enum err list(const struct question *q, struct buf *out)
{
    const char *name;
    for (size_t i = 0; (name = algo_names_built(q->kind, i)) != NULL; i++) {
        if (q->part == NULL || match_list(name, q->part) == MATCH_YES)
            TRY(add(out, name));
    }
    return OK;
}

static const struct question *find(const struct question *table, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(table[i].name, what) == 0)
            return &table[i];
    }
    return NULL;
}

enum err query_answer(const char *what, struct buf *out)
{
    if (strcasecmp(what, "protocol-version") == 0)
        return add(out, "2");
    if (strcasecmp(what, "help") == 0) {
        for (size_t i = 0; i < ARRAY_LEN(questions); i++)
            TRY(add(out, questions[i].name));
        return OK;
    }
    const struct question *q = find(questions, ARRAY_LEN(questions), what);
    if (q == NULL)
        q = find(options, ARRAY_LEN(options), what);
    return q ? list(q, out) : ERR_NOT_FOUND;
}
