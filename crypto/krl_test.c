/*
 * Lists that OpenSSH 9.2's ssh-keygen -k made. What each revokes was asked of ssh-keygen -Q: one
 * letter a subject, R for revoked. The keys were made for this test and are used nowhere else.
 */
#include "crypto/digest.h"
#include "crypto/krl.h"
#include "tests/unit.h"
#include "wire/writer.h"

/* clang-format off */
static const struct {
    const char *name, *revoked, *base64;
} lists[] = {
    {"serial", "....R..R.",
     "U1NIS1JMCgAAAAABAAAAAAAAAAAAAAAAawEzXwAAAAAAAAAAAAAAAAAAAAABAAAAcwAAADMAAAALc3NoLWVkMjU1"
     "MTkAAAAgJgeSpGUm0qd6vQ6UWpn9gauZF2CnP3ZHxxCRAmTRfKwAAAAAIgAAABEAAAAAAAAABwAAAAUIAAAAASEA"
     "AAAQAAAAAAAAAGMAAAAAAAAD6CAAAAAI//////////8="},
    {"bitmap", "....RR...",
     "U1NIS1JMCgAAAAABAAAAAAAAAAAAAAAAawEzXwAAAAAAAAAAAAAAAAAAAAABAAAAZQAAADMAAAALc3NoLWVkMjU1"
     "MTkAAAAgJgeSpGUm0qd6vQ6UWpn9gauZF2CnP3ZHxxCRAmTRfKwAAAAAIgAAACUAAAAAAAAAAQAAABlVVVVVVVVV"
     "VVVVVVVVVVVVVVVVV1VVVVVV"},
    {"range", "....R....",
     "U1NIS1JMCgAAAAABAAAAAAAAAAAAAAAAawEzXwAAAAAAAAAAAAAAAAAAAAABAAAAYgAAADMAAAALc3NoLWVkMjU1"
     "MTkAAAAgJgeSpGUm0qd6vQ6UWpn9gauZF2CnP3ZHxxCRAmTRfKwAAAAAIgAAAA0AAAAAAAAAKgAAAAEBIQAAABAA"
     "AAAAAAAAYwAAAAAAAAPo"},
    {"id", ".....RR..",
     "U1NIS1JMCgAAAAABAAAAAAAAAAAAAAAAawEzXwAAAAAAAAAAAAAAAAAAAAABAAAATwAAADMAAAALc3NoLWVkMjU1"
     "MTkAAAAgJgeSpGUm0qd6vQ6UWpn9gauZF2CnP3ZHxxCRAmTRfKwAAAAAIwAAAA8AAAADdHdvAAAABHplcm8="},
    {"any", "....R..RR",
     "U1NIS1JMCgAAAAABAAAAAAAAAAAAAAAAawEzXwAAAAAAAAAAAAAAAAAAAAABAAAAIQAAAAAAAAAAIAAAAAgAAAAA"
     "AAAAKiMAAAAHAAAAA2JpZw=="},
    {"key", ".RR......",
     "U1NIS1JMCgAAAAABAAAAAAAAAAkAAAAAawEzXwAAAAAAAAAAAAAAAAAAAAACAAAAbgAAADMAAAALc3NoLWVkMjU1"
     "MTkAAAAghBV/PXqRIQnhKXxirQkJis5LaBfbQUAnYc6Fa1ALzkoAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIPpcZhC7"
     "+RFoe3pHtviu8GiSkErZfxLMNfbWeTi+U61Y"},
    {"sha1", ".R.......",
     "U1NIS1JMCgAAAAABAAAAAAAAAAAAAAAAawEzXwAAAAAAAAAAAAAAAAAAAAADAAAAGAAAABT2WBcySeI8Fbi+HIkj"
     "aPgJprapHA=="},
    {"sha256", ".R.......",
     "U1NIS1JMCgAAAAABAAAAAAAAAAAAAAAAawEzXwAAAAAAAAAAAAAAAAAAAAAFAAAAJAAAACChg320IIIYEvsRjKYD"
     "uyKKluk9a4aQZkPDHnrnpg0wmQ=="},
    {"hash", "...R.....",
     "U1NIS1JMCgAAAAABAAAAAAAAAAAAAAAAawEzXwAAAAAAAAAAAAAAAAAAAAAFAAAAJAAAACCjhdFcLADfV7jUHvHU"
     "3dt+XPjlEMR486kXIaKTwsngjA=="},
    {"ca", "....RRRR.",
     "U1NIS1JMCgAAAAABAAAAAAAAAAAAAAAAawEzXwAAAAAAAAAAAAAAAAAAAAACAAAANwAAADMAAAALc3NoLWVkMjU1"
     "MTkAAAAgJgeSpGUm0qd6vQ6UWpn9gauZF2CnP3ZHxxCRAmTRfKw="},
};
/* Four plain keys; certificates by one authority with serial numbers 42, 43, 0 and 2^64-1, and one
 * by another with 42. */
static const char *const subjects[] = {
    "AAAAC3NzaC1lZDI1NTE5AAAAIL6rNZot/JQQM5Ocl3R/AdeV0loSKfxw28Kwc/ve0Tz9",
    "AAAAC3NzaC1lZDI1NTE5AAAAIPpcZhC7+RFoe3pHtviu8GiSkErZfxLMNfbWeTi+U61Y",
    "AAAAC3NzaC1lZDI1NTE5AAAAIIQVfz16kSEJ4Sl8Yq0JCYrOS2gX20FAJ2HOhWtQC85K",
    "AAAAC3NzaC1lZDI1NTE5AAAAIG2DJrJaBXZwWXWWHiKKgqAIs0/2QFiMyfZKvZC1um2o",
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIO7WmDPLCHGYCb/pFLFLCqLmntdED4Ywr4M2"
    "5aL1KLIeAAAAIL6rNZot/JQQM5Ocl3R/AdeV0loSKfxw28Kwc/ve0Tz9AAAAAAAAACoAAAABAAAAA29uZQAAAAkA"
    "AAAFYWxpY2UAAAAAAAAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdw"
    "ZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0"
    "LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgJgeSpGUm0qd6"
    "vQ6UWpn9gauZF2CnP3ZHxxCRAmTRfKwAAABTAAAAC3NzaC1lZDI1NTE5AAAAQIr/WcGBBcBbGVoEXOniWmG7o/aP"
    "qA4Uyjd1GRbBWFXXYqdCZGlIA2bPVjPLFNw3eC9h1WLGnuyGX45K5TAVFQM=",
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAICQ86H91kDQuWkfyrZL1h6aFbDEPq0JPeD1F"
    "ZpzuujPfAAAAIL6rNZot/JQQM5Ocl3R/AdeV0loSKfxw28Kwc/ve0Tz9AAAAAAAAACsAAAABAAAAA3R3bwAAAAkA"
    "AAAFYWxpY2UAAAAAAAAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdw"
    "ZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0"
    "LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgJgeSpGUm0qd6"
    "vQ6UWpn9gauZF2CnP3ZHxxCRAmTRfKwAAABTAAAAC3NzaC1lZDI1NTE5AAAAQBknXXapOkFGUNrpvx/nWa9uzlwn"
    "XCAyuzu7Tqnd5XA4LlHNeuJ3yufFaxjNTLeF1LxYulKsWBFBGlHHP4K1KQY=",
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAINugrq1af6phLq/2xsTpuV5flKwGMn95Z4fB"
    "m0liP1ZWAAAAIL6rNZot/JQQM5Ocl3R/AdeV0loSKfxw28Kwc/ve0Tz9AAAAAAAAAAAAAAABAAAABHplcm8AAAAJ"
    "AAAABWFsaWNlAAAAAAAAAAD//////////wAAAAAAAACCAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAX"
    "cGVybWl0LWFnZW50LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAACnBlcm1p"
    "dC1wdHkAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAICYHkqRlJtKn"
    "er0OlFqZ/YGrmRdgpz92R8cQkQJk0XysAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEBAckv3P3OP+x1vPgNH1TZpgk+F"
    "7I3jHEdlEGI1DUNfU6jt+WcQODUHMaLgBNDp9rL2GmEUFnMdwzCpxMaUUuMG",
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIK8o9BzY9kECdzbkV6DdmBtkzudyN62KWsyw"
    "VmFQ0+cSAAAAIL6rNZot/JQQM5Ocl3R/AdeV0loSKfxw28Kwc/ve0Tz9//////////8AAAABAAAAA2JpZwAAAAkA"
    "AAAFYWxpY2UAAAAAAAAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdw"
    "ZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0"
    "LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgJgeSpGUm0qd6"
    "vQ6UWpn9gauZF2CnP3ZHxxCRAmTRfKwAAABTAAAAC3NzaC1lZDI1NTE5AAAAQMqvVNjISSQKULDcCB6QJhW/Ox7P"
    "8xqQlraYJr31k84eOkyS+GOYwb5azjMbmY657c7ol4T0wSkTm9Bz9m8pkQE=",
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIPIpS2WXSYWdlObrD3HQ0HMA0vrTfh1Yc4oR"
    "MS4aflmNAAAAIL6rNZot/JQQM5Ocl3R/AdeV0loSKfxw28Kwc/ve0Tz9AAAAAAAAACoAAAABAAAABW90aGVyAAAA"
    "CQAAAAVhbGljZQAAAAAAAAAA//////////8AAAAAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAA"
    "F3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJt"
    "aXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACAFRKScKhL7"
    "N0+ZCQFd0oGBbs9zd8PsRlba5I/wLPW/jgAAAFMAAAALc3NoLWVkMjU1MTkAAABAP3Edmcz+TUIycyvkDkLOgkS/"
    "nUxvGI5lJatuxajeC5aeJudq8jugkBEVvD3Zyudv7xsD6OtuYSH+fRM4rQh+Aw==",
};
static const char b_line[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPpcZhC7+RFoe3pHtviu8GiSkErZfxLMNfbWeTi+U61Y b";
static const char ca_line[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICYHkqRlJtKner0OlFqZ/YGrmRdgpz92R8cQkQJk0Xys ca";
/* clang-format on */

#define PLAIN 4 /* subjects that are no certificates */

struct bed {
    struct crypto *c;
    struct buf blobs[ARRAY_LEN(subjects)];
    struct cert *certs[ARRAY_LEN(subjects)];
};

static int setup(void **state)
{
    struct bed *b = NEW(struct bed);
    b->c = crypto_new();
    for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
        buf_init(&b->blobs[i], PUBKEY_BLOB_MAX);
        if (base64_decode(slice_text(subjects[i]), &b->blobs[i]) != OK ||
            (i >= PLAIN && cert_parse(&b->certs[i], b->c, buf_slice(&b->blobs[i])) != OK))
            return -1;
    }
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
        buf_done(&b->blobs[i]);
        cert_free(b->certs[i]);
    }
    crypto_free(b->c);
    mem_free(b);
    return 0;
}

static bool is_revoked(const struct bed *b, const struct krl *k, size_t i)
{
    return b->certs[i] ? krl_has_cert(k, b->c, b->certs[i])
                       : krl_has_key(k, b->c, buf_slice(&b->blobs[i]));
}

static void assert_revokes(const struct bed *b, struct slice bytes, const char *revoked)
{
    struct krl *k;
    assert_ok(krl_parse(&k, b->c, bytes));
    for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
        assert_int_equal(is_revoked(b, k, i), revoked[i] == 'R');
    krl_free(k);
}

static void list_bytes(size_t i, struct buf *out)
{
    buf_init(out, 65536);
    assert_ok(base64_decode(slice_text(lists[i].base64), out));
}

static void lists_revoke_what_ssh_keygen_says(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct buf bytes;
        list_bytes(i, &bytes);
        assert_revokes(*state, buf_slice(&bytes), lists[i].revoked);
        buf_done(&bytes);
    }
    krl_free(NULL);
}

static void text_lists_revoke_keys_and_authorities(void **state)
{
    const struct bed *b = *state;
    char *both = mem_printf("# lost\r\n\n  %s\r\n\t# more\n%s", b_line, ca_line);
    char *cert = mem_printf("ssh-ed25519-cert-v01@openssh.com %s", subjects[PLAIN]);
    char *damaged = mem_printf("%.*sAA", (int)strlen(cert) - 40, cert);
    struct krl *k;
    assert_revokes(*state, SLICE_NONE, ".........");
    assert_revokes(*state, slice_text("# nothing\n\n"), ".........");
    assert_revokes(*state, slice_text(b_line), ".R.......");
    assert_revokes(*state, slice_text(both), ".R..RRRR.");
    assert_revokes(*state, slice_text(cert), "R...RRRRR"); /* all certify the first key */
    assert_int_not_equal(krl_parse(&k, b->c, slice_text(damaged)), OK);
    mem_free(damaged);
    /* One bad line makes the list unreadable: what it meant to revoke is not known. */
    for (size_t n = 1; n < 60; n++)
        assert_int_equal(krl_parse(&k, b->c, slice_of(b_line, n)), ERR_FORMAT);
    mem_free(both);
    mem_free(cert);
}

/* Cut anywhere: refused, unless the cut is between sections. */
static void a_cut_list_is_refused(void **state)
{
    const struct bed *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct buf bytes;
        struct krl *k;
        list_bytes(i, &bytes);
        for (size_t n = 1; n < buf_len(&bytes); n++) {
            uint8_t *cut = mem_new(n, 1);
            memcpy(cut, bytes.data, n);
            bool is_header = n == 44; /* magic to comment, both strings empty */
            assert_int_equal(krl_parse(&k, b->c, slice_of(cut, n)), is_header ? OK : ERR_FORMAT);
            if (is_header)
                krl_free(k);
            mem_free(cut);
        }
        buf_done(&bytes);
    }
}

/* A changed byte: refused, or a list that can be asked everything. */
static void a_damaged_list_harms_nobody(void **state)
{
    const struct bed *b = *state;
    size_t taken = 0, refused = 0;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct buf bytes;
        list_bytes(i, &bytes);
        for (size_t at = 0; at < buf_len(&bytes); at++) {
            static const uint8_t changes[] = {0x01, 0x80, 0xff};
            for (size_t x = 0; x < ARRAY_LEN(changes); x++) {
                struct krl *k;
                bytes.data[at] ^= changes[x];
                if (krl_parse(&k, b->c, buf_slice(&bytes)) == OK) {
                    taken++;
                    for (size_t s = 0; s < ARRAY_LEN(subjects); s += 2)
                        (void)is_revoked(b, k, s);
                    krl_free(k);
                } else {
                    refused++;
                }
                bytes.data[at] ^= changes[x];
            }
        }
        buf_done(&bytes);
    }
    assert_true(taken > 0 && refused > 0);
}

struct section {
    uint8_t type;
    const char *bytes;
    size_t len;
};

static enum err forged_err(const struct crypto *c, struct section s, uint8_t part)
{
    struct buf bytes;
    struct writer w;
    struct krl *k;
    buf_init(&bytes, 65536);
    writer_init(&w, &bytes);
    writer_bytes(&w, slice_of("SSHKRL\n\0\0\0\0\1", 12));
    for (int i = 0; i < 3; i++)
        writer_u64(&w, 0);
    writer_text(&w, "");
    writer_text(&w, "");
    writer_u8(&w, s.type);
    size_t mark = writer_open(&w);
    if (part) {
        writer_text(&w, "");
        writer_text(&w, "");
        writer_u8(&w, part);
        writer_string(&w, slice_of(s.bytes, s.len));
    } else {
        writer_bytes(&w, slice_of(s.bytes, s.len));
    }
    writer_close(&w, mark);
    assert_ok(writer_done(&w));
    enum err err = krl_parse(&k, c, buf_slice(&bytes));
    if (err == OK)
        krl_free(k);
    buf_done(&bytes);
    return err;
}

#define FORGED(want_, part_, type_, bytes_)                                                        \
    assert_int_equal(forged_err(b->c, (struct section){type_, bytes_, sizeof(bytes_) - 1}, part_), \
                     want_)

static void sections_that_break_the_format_are_refused(void **state)
{
    const struct bed *b = *state;
    FORGED(OK, 0, 2, "");
    FORGED(ERR_FORMAT, 0, 2, "\0\0\0\0");
    FORGED(ERR_FORMAT, 0, 3, "\0\0\0\1a");
    FORGED(ERR_FORMAT, 0, 5, "\0\0\0\1a");
    FORGED(ERR_FORMAT, 0, 9, "");
    FORGED(ERR_FORMAT, 0, 4, ""); /* without the signature behind it */
    FORGED(OK, 0, 255, "\0\0\0\1a\0\0\0\0\0");
    FORGED(ERR_UNSUPPORTED, 0, 255, "\0\0\0\1a\1\0\0\0\0");
    FORGED(ERR_FORMAT, 0x20, 1, "1234567");
    FORGED(OK, 0x21, 1, "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1");
    FORGED(ERR_FORMAT, 0x21, 1, "\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1");
    FORGED(OK, 0x22, 1, "\0\0\0\0\0\0\0\2\0\0\0\0");
    FORGED(ERR_FORMAT, 0x22, 1, "\0\0\0\0\0\0\0\2\0\0\0\1\x80"); /* negative */
    FORGED(ERR_FORMAT, 0x22, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\1\1");
    FORGED(ERR_FORMAT, 0x24, 1, "");
    FORGED(ERR_UNSUPPORTED, 0x39, 1, "\0\0\0\1a\1\0\0\0\0");
    FORGED(OK, 0x39, 1, "\0\0\0\1a\0\0\0\0\0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_revoke_what_ssh_keygen_says),
        cmocka_unit_test(text_lists_revoke_keys_and_authorities),
        cmocka_unit_test(a_cut_list_is_refused),
        cmocka_unit_test(a_damaged_list_harms_nobody),
        cmocka_unit_test(sections_that_break_the_format_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
