/* For tests: certificates of ed25519 keys with whatever a test wants in them. */
#ifndef ADIT_CRYPTO_CERT_FIXTURE_H
#define ADIT_CRYPTO_CERT_FIXTURE_H

#include "crypto/cert.h"
#include "crypto/privkey.h"
#include "wire/reader.h"
#include "wire/writer.h"

struct cert_plan_option {
    const char *name;
    const char *value; /* NULL: a flag */
};

/* What is 0 stands for an empty list, no serial number, and the whole of time. */
struct cert_plan {
    const struct privkey *key, *authority;
    uint64_t serial;
    enum cert_kind kind; /* 0: CERT_USER */
    const char *key_id;  /* NULL: "" */
    const char *principals[4];
    uint64_t valid_after, valid_before;
    struct cert_plan_option critical[4], extensions[8];
};

static inline void cert_plan_options(struct writer *w, const struct cert_plan_option *o, size_t n)
{
    size_t whole = writer_open(w);
    for (size_t i = 0; i < n && o[i].name; i++) {
        writer_text(w, o[i].name);
        size_t mark = writer_open(w);
        if (o[i].value)
            writer_text(w, o[i].value);
        writer_close(w, mark);
    }
    writer_close(w, whole);
}

static inline void cert_plan_principals(struct writer *w, const struct cert_plan *p)
{
    size_t mark = writer_open(w);
    for (size_t i = 0; i < ARRAY_LEN(p->principals) && p->principals[i]; i++)
        writer_text(w, p->principals[i]);
    writer_close(w, mark);
}

/* Appends the blob to out. */
static inline void cert_make(const struct cert_plan *p, struct buf *out)
{
    static const char type[] = "ssh-ed25519-cert-v01@openssh.com";
    struct slice authority = pubkey_blob(privkey_pubkey(p->authority));
    struct slice plain = pubkey_blob(privkey_pubkey(p->key));
    struct buf signature;
    struct writer w;
    struct reader r;
    size_t start = buf_len(out);
    buf_init(&signature, 1024);
    reader_init(&r, plain);
    (void)reader_string(&r);
    writer_init(&w, out);
    writer_text(&w, type);
    writer_text(&w, "nonce");
    writer_bytes(&w, reader_rest(&r));
    writer_u64(&w, p->serial);
    writer_u32(&w, p->kind ? (uint32_t)p->kind : CERT_USER);
    writer_text(&w, p->key_id ? p->key_id : "");
    cert_plan_principals(&w, p);
    writer_u64(&w, p->valid_after);
    writer_u64(&w, p->valid_before ? p->valid_before : UINT64_MAX);
    cert_plan_options(&w, p->critical, ARRAY_LEN(p->critical));
    cert_plan_options(&w, p->extensions, ARRAY_LEN(p->extensions));
    writer_text(&w, "");
    writer_string(&w, authority);
    CHECK(writer_done(&w) == OK);
    struct slice all = buf_slice(out);
    CHECK(privkey_sign(p->authority, algo_sign_find(slice_text("ssh-ed25519")),
                       slice_of(all.ptr + start, all.len - start), &signature) == OK);
    writer_string(&w, buf_slice(&signature));
    CHECK(writer_done(&w) == OK);
    buf_done(&signature);
}

#endif
