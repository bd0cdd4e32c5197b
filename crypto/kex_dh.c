/*
 * Finite-field Diffie-Hellman over libcrypto's numbers. The groups are safe primes, so a value in
 * range has a large order and nothing else need be checked (of a group that a server gave, its
 * signature tells who said so). Does not know the
 * exchange hash, nor which side it is on: both do the same.
 */
#include "crypto/kex_dh.h"

#include <openssl/bn.h>

#include "crypto/crypto_internal.h"
#include "wire/writer.h"

/*
 * Short exponents: twice the 256 bits of the longest key, more than twice the strength of the
 * largest group (about 200 bits), and several times faster than exponents of the group's size.
 */
#define EXPONENT_BITS 512
#define GENERATOR     2
#define VALUE_MAX     1024 /* bytes of group18's prime */

struct kex_dh {
    BIGNUM *prime;
    BIGNUM *generator;
    BIGNUM *exponent;
    size_t len; /* bytes of the prime */
};

static BIGNUM *prime_make(enum kex_kind kind)
{
    if (kind == KEX_DH_GROUP1)
        return BN_get_rfc2409_prime_1024(NULL);
    if (kind == KEX_DH_GROUP14)
        return BN_get_rfc3526_prime_2048(NULL);
    return kind == KEX_DH_GROUP16 ? BN_get_rfc3526_prime_4096(NULL)
                                  : BN_get_rfc3526_prime_8192(NULL);
}

bool kex_dh_is_for(enum kex_kind kind)
{
    return kind == KEX_DH_GROUP14 || kind == KEX_DH_GROUP16 || kind == KEX_DH_GROUP18 ||
           kind == KEX_DH_GROUP1;
}

/* base to our exponent, as bytes of the prime's length; the exponent's bits do not show in time. */
static bool power_make(const struct kex_dh *k, const BIGNUM *base, uint8_t out[VALUE_MAX])
{
    BIGNUM *power = BN_secure_new();
    BN_CTX *ctx = BN_CTX_secure_new();
    bool ok = power && ctx &&
              BN_mod_exp_mont_consttime(power, base, k->exponent, k->prime, ctx, NULL) == 1 &&
              BN_bn2binpad(power, out, (int)k->len) == (int)k->len;
    BN_CTX_free(ctx);
    BN_clear_free(power);
    return ok;
}

/* The value as an mpint without its length. */
static enum err public_append(const uint8_t *bytes, size_t len, struct buf *out)
{
    static const uint8_t zero[1];
    while (len > 1 && bytes[0] == 0) {
        bytes++;
        len--;
    }
    if (bytes[0] & 0x80)
        TRY(buf_append(out, zero, 1));
    return buf_append(out, bytes, len);
}

static enum err public_make(const struct kex_dh *k, struct buf *out)
{
    uint8_t bytes[VALUE_MAX];
    return power_make(k, k->generator, bytes) ? public_append(bytes, k->len, out) : ERR_CRYPTO;
}

/* RFC 4253 8 allows 1 .. p-1, but 1 and p-1 make a secret that anybody knows: 2 .. p-2. */
static bool is_in_range(const struct kex_dh *k, const BIGNUM *value)
{
    BIGNUM *last = BN_dup(k->prime);
    bool ok = last && BN_sub_word(last, 1) == 1 && !BN_is_zero(value) && !BN_is_one(value) &&
              BN_cmp(value, last) < 0;
    BN_free(last);
    return ok;
}

/* k has its group. */
static enum err begin(struct kex_dh **out, struct kex_dh *k, struct buf *public_out)
{
    enum err err = ERR_CRYPTO;
    k->exponent = BN_secure_new();
    if (k->prime && k->generator && k->exponent &&
        BN_priv_rand(k->exponent, EXPONENT_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1) {
        BN_set_flags(k->exponent, BN_FLG_CONSTTIME);
        k->len = (size_t)BN_num_bytes(k->prime);
        err = public_make(k, public_out);
    }
    if (err != OK) {
        kex_dh_free(k);
        return crypto_fail(err);
    }
    *out = k;
    return OK;
}

enum err kex_dh_new(struct kex_dh **out, enum kex_kind kind, struct buf *public_out)
{
    CHECK(kex_dh_is_for(kind));
    struct kex_dh *k = NEW(struct kex_dh);
    k->prime = prime_make(kind);
    k->generator = BN_new();
    if (k->generator && BN_set_word(k->generator, GENERATOR) != 1)
        BN_zero(k->generator);
    return begin(out, k, public_out);
}

enum err kex_dh_new_in(struct kex_dh **out, const struct kex_group *group, struct buf *public_out)
{
    size_t len = group->prime.len;
    if (len == 0 || len > VALUE_MAX || !(group->prime.ptr[len - 1] & 1) ||
        group->generator.len == 0 || group->generator.len > len)
        return ERR_FORMAT;
    struct kex_dh *k = NEW(struct kex_dh);
    k->prime = BN_bin2bn(group->prime.ptr, (int)len, NULL);
    k->generator = BN_bin2bn(group->generator.ptr, (int)group->generator.len, NULL);
    if (k->prime && k->generator &&
        (BN_num_bits(k->prime) < KEX_GROUP_BITS_MIN || !is_in_range(k, k->generator))) {
        kex_dh_free(k);
        return ERR_FORMAT;
    }
    return begin(out, k, public_out);
}

void kex_dh_free(struct kex_dh *k)
{
    if (!k)
        return;
    BN_free(k->prime);
    BN_free(k->generator);
    BN_clear_free(k->exponent);
    mem_free(k);
}

/* RFC 4251 5: minimal and not negative. */
static bool is_mpint_body(struct slice value)
{
    if (value.len == 0 || value.len > VALUE_MAX + 1 || value.ptr[0] & 0x80)
        return false;
    return value.ptr[0] != 0 || (value.len > 1 && value.ptr[1] & 0x80);
}

enum err kex_dh_finish(const struct kex_dh *k, struct slice peer_public, struct buf *secret)
{
    uint8_t shared[VALUE_MAX];
    if (!is_mpint_body(peer_public))
        return ERR_FORMAT;
    BIGNUM *value = BN_bin2bn(peer_public.ptr, (int)peer_public.len, NULL);
    enum err err = ERR_CRYPTO;
    if (value && !is_in_range(k, value)) {
        err = ERR_FORMAT;
    } else if (value && power_make(k, value, shared)) {
        struct writer w;
        writer_init(&w, secret);
        writer_mpint(&w, slice_of(shared, k->len));
        err = writer_done(&w);
    }
    mem_wipe(shared, sizeof(shared));
    BN_free(value);
    return err == OK ? OK : crypto_fail(err);
}
