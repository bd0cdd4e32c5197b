/*
 * The lists of algorithm names and the arithmetic of "+", "-" and "^" over them. Order is
 * preference: what is fast and safe on today's machines comes first.
 */
#include "base/algo_names.h"

#include "base/cpu.h"
#include "base/match.h"

#define SPEC_MAX (16u << 10) /* bytes of a result; every known name together is a tenth of it */

struct algo_set {
    const char *kind_name;
    const char *const *built; /* by preference, NULL at the end; -Q lists it */
    /* Built, too, but broken or worn out: only a configuration that spells the whole name has it.
     */
    const char *const *legacy;
    const char *const *known; /* OpenSSH's others; may be patterns for families of names */
    const char *proposal;     /* the default comma list, of a server */
    const char *client;       /* the same of a client */
};

#define KEX_DEFAULT                                                                                \
    "curve25519-sha256,curve25519-sha256@libssh.org,"                                              \
    "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521"
/* For old servers; that ours offers them must be configured. */
#define KEX_CLIENT_DEFAULT                                                                         \
    KEX_DEFAULT ",diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"                    \
                "diffie-hellman-group14-sha256"
static const char *const kex_built[] = {
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group-exchange-sha256",
    NULL,
};
static const char *const kex_legacy[] = {
    "diffie-hellman-group-exchange-sha1",
    "diffie-hellman-group14-sha1",
    "diffie-hellman-group1-sha1",
    NULL,
};
/* All that are known and not built are hybrids with ML-KEM or NTRU Prime. */
static const char *const kex_post_quantum[] = {
    "mlkem768x25519-sha256",
    "mlkem768nistp256-sha256",
    "sntrup761x25519-sha512",
    "sntrup761x25519-sha512@openssh.com",
    "sntrup4591761x25519-sha512@tinyssh.org",
    NULL,
};

#define PLAIN_KEYS                                                                                 \
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"                     \
    "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256"
#define HOST_KEY_DEFAULT                                                                           \
    "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,"                   \
    "ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,"           \
    "sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,"             \
    "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com," PLAIN_KEYS
static const char *const host_key_built[] = {
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
    NULL,
};
static const char *const host_key_legacy[] = {"ssh-rsa", "ssh-dss", "ssh-rsa-cert-v01@openssh.com",
                                              "ssh-dss-cert-v01@openssh.com", NULL};
static const char *const host_key_known[] = {
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
    "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ssh-mldsa44-ed25519@openssh.com",
    "ssh-xmss@openssh.com",
    "ssh-xmss-cert-v01@openssh.com",
    NULL,
};

#define CIPHER_DEFAULT                                                                             \
    "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,"                 \
    "aes128-ctr,aes192-ctr,aes256-ctr"
/* The client's list decides (RFC 4253 7.1): where it has the instructions, AES costs 60 % as much.
 */
#define CIPHER_AES_DEFAULT                                                                         \
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,"                 \
    "aes128-ctr,aes192-ctr,aes256-ctr"
static const char *const cipher_built[] = {
    "chacha20-poly1305@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    NULL,
};
static const char *const cipher_legacy[] = {"aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc",
                                            NULL};
static const char *const cipher_known[] = {
    "rijndael-cbc@lysator.liu.se",
    "blowfish-cbc",
    "cast128-cbc",
    "arcfour",
    "arcfour128",
    "arcfour256",
    NULL,
};

#define MAC_DEFAULT                                                                                \
    "umac-64-etm@openssh.com,umac-128-etm@openssh.com,"                                            \
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"                                 \
    "umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512"
/* SHA-1 as a MAC is not broken, but it is for who asks for it. */
static const char *const mac_built[] = {
    "umac-64-etm@openssh.com",
    "umac-128-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha1-etm@openssh.com",
    "umac-64@openssh.com",
    "umac-128@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1",
    NULL,
};
static const char *const mac_legacy[] = {
    "hmac-sha1-96-etm@openssh.com",
    "hmac-md5-etm@openssh.com",
    "hmac-md5-96-etm@openssh.com",
    "hmac-sha1-96",
    "hmac-md5",
    "hmac-md5-96",
    NULL,
};
static const char *const mac_known[] = {
    "hmac-ripemd160",
    "hmac-ripemd160@openssh.com",
    "hmac-ripemd160-etm@openssh.com",
    NULL,
};

static const char *const compression_built[] = {"none", "zlib@openssh.com", NULL};
static const char *const compression_known[] = {"zlib", NULL};
static const char *const nothing[] = {NULL};

static const struct algo_set sets[] = {
    [ALGO_NAMES_KEX] = {"key exchange method", kex_built, kex_legacy, kex_post_quantum, KEX_DEFAULT,
                        KEX_CLIENT_DEFAULT},
    [ALGO_NAMES_HOST_KEY] = {"key algorithm", host_key_built, host_key_legacy, host_key_known,
                             HOST_KEY_DEFAULT, HOST_KEY_DEFAULT},
    [ALGO_NAMES_CIPHER] = {"cipher", cipher_built, cipher_legacy, cipher_known, CIPHER_DEFAULT,
                           CIPHER_DEFAULT},
    [ALGO_NAMES_MAC] = {"MAC", mac_built, mac_legacy, mac_known, MAC_DEFAULT, MAC_DEFAULT},
    [ALGO_NAMES_COMPRESSION] = {"compression method", compression_built, nothing, compression_known,
                                "none", "none"},
};

static const struct algo_set *set_of(enum algo_kind kind)
{
    CHECK((size_t)kind < ARRAY_LEN(sets));
    return &sets[kind];
}

const char *algo_names_kind_name(enum algo_kind kind)
{
    return set_of(kind)->kind_name;
}

const char *algo_names_default(enum algo_kind kind, bool is_client)
{
    if (kind == ALGO_NAMES_CIPHER && is_client && cpu_has_aes_gcm())
        return CIPHER_AES_DEFAULT;
    return is_client ? set_of(kind)->client : set_of(kind)->proposal;
}

const char *algo_names_built(enum algo_kind kind, size_t index)
{
    const struct algo_set *set = set_of(kind);
    for (size_t i = 0; set->built[i] != NULL; i++) {
        if (index-- == 0)
            return set->built[i];
    }
    for (size_t i = 0; set->legacy[i] != NULL; i++) {
        if (index-- == 0)
            return set->legacy[i];
    }
    return NULL;
}

static bool is_one_of(const char *const *names, struct slice name)
{
    for (; *names != NULL; names++) {
        if (slice_is(name, *names))
            return true;
    }
    return false;
}

bool algo_names_is_built(enum algo_kind kind, struct slice name)
{
    return is_one_of(set_of(kind)->built, name) || algo_names_is_legacy(kind, name);
}

bool algo_names_is_legacy(enum algo_kind kind, struct slice name)
{
    return is_one_of(set_of(kind)->legacy, name);
}

bool algo_names_is_post_quantum(struct slice name)
{
    return is_one_of(kex_post_quantum, name);
}

bool algo_names_is_known(enum algo_kind kind, struct slice name)
{
    return algo_names_is_built(kind, name) || is_one_of(set_of(kind)->known, name);
}

void algo_choice_done(struct algo_choice *choice)
{
    mem_free(choice->list);
    mem_free(choice->dropped);
    mem_free(choice->unknown);
    *choice = (struct algo_choice){NULL, NULL, NULL};
}

/* Takes the next name off a comma list. */
static bool next_name(struct slice *list, struct slice *name)
{
    if (list->len == 0)
        return false;
    const uint8_t *comma = memchr(list->ptr, ',', list->len);
    size_t length = comma ? (size_t)(comma - list->ptr) : list->len;
    *name = slice_of(list->ptr, length);
    size_t used = length + (comma ? 1 : 0);
    *list = slice_of(list->ptr + used, list->len - used);
    return true;
}

static bool has_name(const struct buf *list, struct slice wanted)
{
    struct slice rest = buf_slice(list), name;
    while (next_name(&rest, &name)) {
        if (slice_equal(name, wanted))
            return true;
    }
    return false;
}

static enum err add_name(struct buf *list, struct slice name)
{
    if (has_name(list, name))
        return OK;
    if (buf_len(list) > 0)
        TRY(buf_append(list, ",", 1));
    return buf_append_slice(list, name);
}

static enum err add_all(struct buf *list, struct slice names)
{
    struct slice name;
    while (next_name(&names, &name))
        TRY(add_name(list, name));
    return OK;
}

static bool is_wild(struct slice name)
{
    return name.len > 0 && (memchr(name.ptr, '*', name.len) || memchr(name.ptr, '?', name.len));
}

/* Adds the built names that a pattern stands for, never a legacy one; false if it matches no name
 * OpenSSH knows. */
static bool add_matching(const struct algo_set *set, struct slice pattern, struct buf *list)
{
    char *text CLEANUP(mem_cleanup) = slice_strdup(pattern);
    bool is_any = false;
    for (const char *const *name = set->built; *name != NULL; name++) {
        if (!match_is_pattern(*name, text))
            continue;
        is_any = true;
        if (add_name(list, slice_text(*name)) != OK)
            return false;
    }
    for (const char *const *name = set->legacy; *name != NULL; name++)
        is_any = is_any || match_is_pattern(*name, text);
    for (const char *const *name = set->known; *name != NULL; name++)
        is_any = is_any || match_is_pattern(*name, text);
    return is_any;
}

/* The names of a list sorted into built ones (out) and known ones (dropped). */
static enum err sift(enum algo_kind kind, struct slice names, struct buf *out, struct buf *dropped,
                     struct algo_choice *choice)
{
    struct slice name;
    while (next_name(&names, &name)) {
        if (name.len == 0)
            continue;
        if (is_wild(name) && add_matching(set_of(kind), name, out))
            continue;
        if (algo_names_is_built(kind, name)) {
            TRY(add_name(out, name));
        } else if (algo_names_is_known(kind, name)) {
            TRY(add_name(dropped, name));
        } else {
            choice->unknown = slice_strdup(name);
            return ERR_CONFIG;
        }
    }
    return OK;
}

/* The default list without what the patterns match. */
static enum err take_out(struct slice defaults, const char *patterns, struct buf *out)
{
    struct slice name;
    while (next_name(&defaults, &name)) {
        char *text CLEANUP(mem_cleanup) = slice_strdup(name);
        if (match_list(text, patterns) != MATCH_YES)
            TRY(add_name(out, name));
    }
    return OK;
}

static enum err apply(enum algo_kind kind, const char *spec, bool is_client, struct buf *list,
                      struct buf *dropped, struct algo_choice *choice)
{
    struct slice defaults = slice_text(algo_names_default(kind, is_client));
    switch (spec[0]) {
    case '+':
        TRY(add_all(list, defaults));
        return sift(kind, slice_text(spec + 1), list, dropped, choice);
    case '-':
        return take_out(defaults, spec + 1, list);
    case '^':
        TRY(sift(kind, slice_text(spec + 1), list, dropped, choice));
        return add_all(list, defaults);
    default:
        return sift(kind, slice_text(spec), list, dropped, choice);
    }
}

enum err algo_names_apply(enum algo_kind kind, const char *spec, bool is_client,
                          struct algo_choice *choice)
{
    *choice = (struct algo_choice){NULL, NULL, NULL};
    size_t prefix = spec[0] == '+' || spec[0] == '-' || spec[0] == '^' ? 1 : 0;
    if (spec[prefix] == '\0')
        return ERR_FORMAT;

    struct buf list, dropped;
    buf_init(&list, SPEC_MAX);
    buf_init(&dropped, SPEC_MAX);
    enum err result = apply(kind, spec, is_client, &list, &dropped, choice);
    if (buf_len(&dropped) > 0)
        choice->dropped = buf_strdup(&dropped);
    if (result == OK && buf_len(&list) == 0)
        result = ERR_NO_COMMON;
    if (result == OK)
        choice->list = buf_strdup(&list);
    buf_done(&list);
    buf_done(&dropped);
    return result;
}
