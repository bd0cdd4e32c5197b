/* Their tables. */
#include "crypto/legacy.h"

/* clang-format off */
static const struct algo_kex kexes[] = {
    {"diffie-hellman-group14-sha1", KEX_DH_GROUP14, DIGEST_SHA1},
    {"diffie-hellman-group1-sha1",  KEX_DH_GROUP1,  DIGEST_SHA1},
    {"diffie-hellman-group-exchange-sha1", KEX_DH_EXCHANGE, DIGEST_SHA1},
};

/*                                 key iv block tag */
static const struct algo_cipher ciphers[LEGACY_CIPHERS] = {
    {"aes128-cbc", CIPHER_CBC, 16, 16, 16, 0},
    {"aes192-cbc", CIPHER_CBC, 24, 16, 16, 0},
    {"aes256-cbc", CIPHER_CBC, 32, 16, 16, 0},
    {"3des-cbc",   CIPHER_CBC, 24,  8,  8, 0},
};
static const char *const cipher_names[LEGACY_CIPHERS] = {
    "AES-128-CBC", "AES-192-CBC", "AES-256-CBC", "DES-EDE3-CBC",
};

static const struct algo_mac macs[] = {
    {"hmac-sha1-96-etm@openssh.com", MAC_HMAC, DIGEST_SHA1, 20, 12, true},
    {"hmac-md5-etm@openssh.com",     MAC_HMAC, DIGEST_MD5,  16, 16, true},
    {"hmac-md5-96-etm@openssh.com",  MAC_HMAC, DIGEST_MD5,  16, 12, true},
    {"hmac-sha1-96",                 MAC_HMAC, DIGEST_SHA1, 20, 12, false},
    {"hmac-md5",                     MAC_HMAC, DIGEST_MD5,  16, 16, false},
    {"hmac-md5-96",                  MAC_HMAC, DIGEST_MD5,  16, 12, false},
};

static const struct algo_sign signs[] = {
    {"ssh-rsa", "ssh-rsa", KEY_RSA, DIGEST_SHA1},
    {"ssh-dss", "ssh-dss", KEY_DSS, DIGEST_SHA1},
};

static const struct {
    const char *name;
    size_t sign; /* its row */
} certs[] = {
    {"ssh-rsa-cert-v01@openssh.com", 0},
    {"ssh-dss-cert-v01@openssh.com", 1},
};
/* clang-format on */

#define DEFINE_AT(function, type, rows)                                                            \
    const struct type *function(size_t i)                                                          \
    {                                                                                              \
        return i < ARRAY_LEN(rows) ? &rows[i] : NULL;                                              \
    }

#define DEFINE_FIND(function, type, rows)                                                          \
    const struct type *function(struct slice name)                                                 \
    {                                                                                              \
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {                                             \
            if (slice_is(name, rows[i].name))                                                      \
                return &rows[i];                                                                   \
        }                                                                                          \
        return NULL;                                                                               \
    }

DEFINE_FIND(legacy_kex_find, algo_kex, kexes)
DEFINE_FIND(legacy_cipher_find, algo_cipher, ciphers)
DEFINE_FIND(legacy_mac_find, algo_mac, macs)
DEFINE_FIND(legacy_sign_find, algo_sign, signs)
DEFINE_AT(legacy_kex_at, algo_kex, kexes)
DEFINE_AT(legacy_cipher_at, algo_cipher, ciphers)
DEFINE_AT(legacy_mac_at, algo_mac, macs)

const struct algo_sign *legacy_cert_sign(struct slice name, const char **own)
{
    for (size_t i = 0; i < ARRAY_LEN(certs); i++) {
        if (slice_is(name, certs[i].name)) {
            *own = certs[i].name;
            return &signs[certs[i].sign];
        }
    }
    return NULL;
}

const char *legacy_cipher_name(size_t i)
{
    CHECK(i < LEGACY_CIPHERS);
    return cipher_names[i];
}
